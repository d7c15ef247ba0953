//! The certificates that are there: from whom, for which names, and which part of their lifetime is left.

use crate::preflight::{Seen, Subject, Topic};
use crate::task::need::Certificate;
use crate::words::finding::Finding;
use crate::words::plural::list;
use crate::words::shell::quote;

pub struct Tls;

const TOPIC: &str = "tls";

/// `$1`: certbot's folder, `$2`: the certificate's name.
const SCRIPT: &str = r#"
look() {
  pem=$1/live/$2/fullchain.pem
  [ -s "$pem" ] && command -v openssl >/dev/null 2>&1 || return
  openssl x509 -in "$pem" -noout -issuer -nameopt RFC2253 2>/dev/null | sed "s/^issuer= */of $2 issuer /"
  openssl x509 -in "$pem" -noout -ext subjectAltName 2>/dev/null | tr ',' '\n' | sed -n "s/^ *DNS:/of $2 name /p"
  for pair in startdate:begins enddate:ends; do
    at=$(openssl x509 -in "$pem" -noout "-${pair%:*}" 2>/dev/null | sed 's/^[^=]*=//')
    [ -z "$at" ] || echo "of $2 ${pair#*:} $(date -u -d "$at" +%s 2>/dev/null)"
  done
}
echo "now $(date +%s)""#;

impl Topic for Tls {
    fn script(&self, subject: &Subject) -> Option<String> {
        let look = |it: &Certificate| format!("\nlook {} {}", quote(&it.folder), quote(&it.name));
        let looks: String = subject.certificates().map(look).collect();
        (!looks.is_empty()).then(|| format!("{SCRIPT}{looks}"))
    }

    fn findings(&self, subject: &Subject, seen: &Seen<'_>) -> Vec<Finding> {
        subject.certificates().flat_map(|wanted| judged(wanted, seen)).collect()
    }
}

fn judged(wanted: &Certificate, seen: &Seen<'_>) -> Vec<Finding> {
    let of = |key: &str| -> Vec<&str> {
        let lines =
            seen.all("of").filter_map(|line| line.strip_prefix(wanted.name.as_str())?.strip_prefix(' '));
        lines.filter_map(|line| line.strip_prefix(key)?.strip_prefix(' ')).collect()
    };
    let number = |text: Option<&&str>| text.and_then(|text| text.parse::<i64>().ok());
    let now = seen.first("now").and_then(|now| now.parse::<i64>().ok());
    let (begins, ends) = (of("begins"), of("ends"));
    let (Some(begins), Some(ends), Some(now)) = (number(begins.first()), number(ends.first()), now) else {
        return vec![Finding::note(
            TOPIC,
            format!("there is no certificate {} yet; a run gets it", wanted.name),
        )];
    };
    let issuer = of("issuer").first().map_or_else(String::new, |issuer| organisation(issuer));
    let mut findings = vec![];
    let names = of("name");
    let missing: Vec<&str> =
        wanted.domains.iter().map(String::as_str).filter(|domain| !covers(&names, domain)).collect();
    if !missing.is_empty() {
        findings.push(Finding::note(
            TOPIC,
            format!(
                "the certificate {} is not for {}; a run gets another",
                wanted.name,
                list(&missing, "and")
            ),
        ));
    }
    if wanted.is_public && issuer.contains("STAGING") {
        findings.push(Finding::note(
            TOPIC,
            format!(
                "the certificate {} is from the staging server, which no browser trusts; a run gets another",
                wanted.name
            ),
        ));
    }
    findings.extend(lifetime(&wanted.name, (begins, ends, now)));
    if findings.is_empty() {
        let part = (ends - now) * 100 / (ends - begins).max(1);
        findings.push(Finding::ok(
            TOPIC,
            format!(
                "the certificate {} by {issuer}: {part} % of its lifetime is left ({})",
                wanted.name,
                span(ends - now)
            ),
        ));
    }
    findings
}

/// Lifetimes differ and shrink, so only the part that is left counts.
fn lifetime(name: &str, (begins, ends, now): (i64, i64, i64)) -> Option<Finding> {
    let why = "certbot's timer renews it when a third of its lifetime is left; it seems not to";
    let todo = "see why: `systemctl list-timers certbot.timer`, `certbot renew --dry-run`, /var/log/letsencrypt; then run the playbook";
    if now >= ends {
        return Some(
            Finding::problem(TOPIC, format!("the certificate {name} has expired {} ago", span(now - ends)))
                .why(why)
                .todo(todo),
        );
    }
    if now < begins {
        return Some(
            Finding::warning(
                TOPIC,
                format!("the certificate {name} is not valid before {} from now", span(begins - now)),
            )
            .why("the host's clock is behind, or was ahead when it was issued")
            .todo("set the clock: `timedatectl set-ntp true`"),
        );
    }
    (ends - now < (ends - begins) / 6).then(|| {
        Finding::warning(TOPIC, format!("the certificate {name} ends in {}", span(ends - now)))
            .why(why)
            .todo(todo)
    })
}

fn covers(names: &[&str], domain: &str) -> bool {
    let parent = domain.split_once('.').map(|(_, parent)| parent);
    names
        .iter()
        .any(|name| *name == domain || name.strip_prefix("*.").is_some_and(|rest| Some(rest) == parent))
}

/// `O` of the issuer, else its `CN`.
fn organisation(issuer: &str) -> String {
    let part = |key: &str| issuer.split(',').find_map(|part| part.trim().strip_prefix(key));
    let staging = if issuer.contains("STAGING") { " (STAGING)" } else { "" };
    part("O=").or_else(|| part("CN=")).unwrap_or(issuer).trim_start_matches("(STAGING) ").to_owned() + staging
}

fn span(seconds: i64) -> String {
    let hours = seconds / 3600;
    if hours >= 48 { format!("{} days", hours / 24) } else { format!("{hours} hours") }
}

#[cfg(test)]
mod tests {
    use super::{Tls, covers, organisation};
    use crate::preflight::sample::{Sample, certificate};
    use crate::task::need::Need;

    fn said(now: i64, names: &[&str], issuer: &str) -> Vec<String> {
        let sample = Sample::new(&Tls, &[Need::Certificate(certificate(&["a.dev", "b.dev"]))]);
        let names: Vec<String> = names.iter().map(|name| format!("of shop name {name}\n")).collect();
        let names = names.concat();
        sample.said(&format!(
            "now {now}\nof shop issuer {issuer}\n{names}of shop begins 0\nof shop ends 6000000\n"
        ))
    }

    #[test]
    fn what_is_left_is_a_part_of_the_lifetime() {
        let both = ["a.dev", "b.dev"];
        let issuer = "CN=R3,O=Let's Encrypt,C=US";
        assert_eq!(
            said(3_000_000, &both, issuer),
            ["ok: the certificate shop by Let's Encrypt: 50 % of its lifetime is left (34 days)"]
        );
        assert!(
            said(5_000_001, &both, issuer)[0]
                .starts_with("warning: the certificate shop ends in 11 days → see why")
        );
        assert!(
            said(6_100_000, &both, issuer)[0]
                .starts_with("problem: the certificate shop has expired 27 hours ago")
        );
        assert!(
            said(-100_000, &both, issuer)[0].starts_with("warning: the certificate shop is not valid before")
        );
    }

    #[test]
    fn a_run_gets_what_is_missing() {
        assert_eq!(
            said(1, &["a.dev"], "CN=R3,O=Let's Encrypt"),
            ["note: the certificate shop is not for b.dev; a run gets another"]
        );
        assert!(
            said(1, &["a.dev", "b.dev"], "CN=(STAGING) X,O=(STAGING) Let's Encrypt")[0]
                .contains("staging server")
        );
        let none = Sample::new(&Tls, &[Need::Certificate(certificate(&["a.dev"]))]);
        assert_eq!(none.said("now 1\n"), ["note: there is no certificate shop yet; a run gets it"]);
    }

    #[test]
    fn names_and_issuers() {
        assert!(covers(&["*.a.dev"], "x.a.dev") && !covers(&["*.a.dev"], "a.dev"));
        assert_eq!(organisation("CN=Pebble Intermediate CA 1"), "Pebble Intermediate CA 1");
    }
}
