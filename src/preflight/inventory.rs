//! What the inventory itself gives away: values that were never filled in, and hosts that are one.

use core::net::IpAddr;
use std::collections::{BTreeMap, BTreeSet};

use crate::preflight::Subject;
use crate::task::need::Certificate;
use crate::words::finding::Finding;
use crate::words::names::HostName;
use crate::words::plural::list;

const TOPIC: &str = "inventory";
/// Certificates for the same names that Let's Encrypt gives within a week.
const MOST_ALIKE: usize = 5;

/// Names and addresses that are kept for documentation: nobody has them.
pub fn is_placeholder(text: &str) -> bool {
    match text.parse::<IpAddr>() {
        Ok(IpAddr::V4(v4)) => v4.is_documentation(),
        Ok(IpAddr::V6(v6)) => matches!(v6.segments(), [0x2001, 0xdb8, ..] | [0x3fff, 0..0x1000, ..]),
        Err(_) => {
            let name = text.trim_end_matches('.').to_ascii_lowercase();
            let ends =
                |end: &str| name == end || name.strip_suffix(end).is_some_and(|rest| rest.ends_with('.'));
            ["example.com", "example.net", "example.org", "example", "invalid"].into_iter().any(ends)
        }
    }
}

/// Findings by host, from what is written alone.
pub fn written(subjects: &[Subject]) -> BTreeMap<HostName, Vec<Finding>> {
    let mut findings: BTreeMap<HostName, Vec<Finding>> = BTreeMap::new();
    let mut places: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for subject in subjects {
        places.entry(subject.address.as_str()).or_default().push(subject.name.as_str());
    }
    for subject in subjects {
        let mut said = of(subject);
        let same =
            places.get(subject.address.as_str()).filter(|same| same.len() > 1 && !subject.address.is_empty());
        said.extend(same.map(|same| twice(same, &subject.address)));
        let crowd = subject.certificates().find_map(|wanted| crowd(wanted, subjects));
        said.extend(crowd);
        findings.insert(subject.name.clone(), said);
    }
    findings
}

fn twice(names: &[&str], address: &str) -> Finding {
    Finding::warning(TOPIC, format!("{} have the same address {address}", list(names, "and")))
        .why("if that is one server, both write to the same places at the same time")
        .todo("give each host its own `address`, or keep one of them")
}

/// Each host asks for its own certificate.
fn crowd(wanted: &Certificate, subjects: &[Subject]) -> Option<Finding> {
    let names = |it: &Certificate| it.domains.iter().cloned().collect::<BTreeSet<String>>();
    let same =
        |subject: &&Subject| subject.certificates().any(|it| it.is_public && names(it) == names(wanted));
    let hosts = subjects.iter().filter(same).count();
    (wanted.is_public && hosts > MOST_ALIKE).then(|| {
        let names: Vec<&str> = wanted.domains.iter().map(String::as_str).collect();
        Finding::problem(TOPIC, format!("{hosts} hosts each want a certificate for {}", list(&names, "and")))
            .why("Let's Encrypt gives 5 for the same names in a week and refuses the others, then for new hosts too")
            .todo(format!("let at most {MOST_ALIKE} hosts have it from there in a week (--limit), try with `acme.staging = true`, or end HTTPS on a load balancer in front of them"))
    })
}

fn of(subject: &Subject) -> Vec<Finding> {
    let mut findings = vec![];
    if is_placeholder(&subject.address) {
        findings.push(
            Finding::problem(
                TOPIC,
                format!("the address {} of {} is a placeholder", subject.address, subject.name),
            )
            .why("it is kept for documentation, no server has it; nothing was connected to")
            .todo(format!(
                "write the server's address into the inventory: [hosts.{}], `address = …`",
                subject.name
            )),
        );
    }
    for certificate in subject.certificates() {
        let invented: Vec<&str> =
            certificate.domains.iter().map(String::as_str).filter(|name| is_placeholder(name)).collect();
        let names = list(&invented, "and");
        let todo =
            "write your own domains into the inventory: `app.domains`, `app.redirects` and `acme.domains`";
        if !invented.is_empty() && certificate.is_public {
            let is = if invented.len() == 1 { "is a placeholder" } else { "are placeholders" };
            findings.push(
                Finding::problem(TOPIC, format!("{names} {is}"))
                    .why("no certificate can be had for names that are not yours")
                    .todo(todo),
            );
        } else if !invented.is_empty() {
            let is = if invented.len() == 1 { "is a name" } else { "are names" };
            findings.push(
                Finding::warning(TOPIC, format!("{names} {is} for documentation"))
                    .why("only an authority of your own gives certificates for that")
                    .todo(todo),
            );
        }
        findings.extend(
            certificate.email.as_ref().filter(|_| certificate.is_public).and_then(|email| mail(email)),
        );
    }
    findings
}

fn mail(email: &str) -> Option<Finding> {
    let (_, domain) = email.rsplit_once('@')?;
    is_placeholder(domain).then(|| {
        Finding::problem(TOPIC, format!("the e-mail address {email} is a placeholder"))
            .why("Let's Encrypt refuses accounts with such an address")
            .todo("write your own into the inventory: `acme.email`")
    })
}

#[cfg(test)]
mod tests {
    use super::{is_placeholder, of, written};
    use crate::preflight::os::Os;
    use crate::preflight::sample::{Sample, certificate};
    use crate::task::need::{Certificate, Need};
    use crate::words::names::HostName;

    #[test]
    fn what_is_kept_for_documentation() {
        for text in [
            "203.0.113.10",
            "192.0.2.1",
            "198.51.100.7",
            "2001:db8::1",
            "shop.example.com",
            "a.example",
            "Example.ORG.",
        ] {
            assert!(is_placeholder(text), "{text}");
        }
        for text in ["198.18.0.11", "10.0.0.1", "2001:470::1", "shop.dev", "myexample.com", "web1", ""] {
            assert!(!is_placeholder(text), "{text}");
        }
    }

    #[test]
    fn placeholders_are_named_with_what_to_write_instead() {
        let wanted = Certificate {
            email: Some("admin@example.com".into()),
            ..certificate(&["shop.example.com", "a.dev"])
        };
        let mut subject = Sample::new(&Os, &[Need::Certificate(wanted.clone())]).subject;
        subject.address = "203.0.113.10".into();
        let said: Vec<String> = of(&subject).into_iter().map(|finding| finding.what).collect();
        assert_eq!(
            said,
            [
                "the address 203.0.113.10 of web1 is a placeholder",
                "shop.example.com is a placeholder",
                "the e-mail address admin@example.com is a placeholder"
            ]
        );
        let private =
            Sample::new(&Os, &[Need::Certificate(Certificate { is_public: false, ..wanted })]).subject;
        let said: Vec<String> = of(&private).into_iter().map(|finding| finding.what).collect();
        assert_eq!(said, ["shop.example.com is a name for documentation"]);
    }

    #[test]
    fn two_hosts_at_one_address() {
        let one = Sample::new(&Os, &[]).subject;
        let mut other = one.clone();
        other.name = HostName::new("web2").unwrap();
        let found = written(&[one.clone(), other]);
        assert_eq!(found[&one.name][0].what, "web1 and web2 have the same address 198.18.0.11");
    }

    #[test]
    fn more_hosts_than_certificates_for_the_same_names() {
        let wanted = certificate(&["a.dev", "b.dev"]);
        let hosts = |count: u32, wanted: &Certificate| {
            let one = |n: u32| {
                let mut subject = Sample::new(&Os, &[Need::Certificate(wanted.clone())]).subject;
                subject.name = HostName::new(format!("web{n}")).unwrap();
                subject.address = format!("198.18.0.{n}");
                subject
            };
            written(&(1..=count).map(one).collect::<Vec<_>>())
        };
        let said = hosts(6, &wanted);
        assert!(
            said.values().all(|found| found[0].what == "6 hosts each want a certificate for a.dev and b.dev")
        );
        assert!(hosts(5, &wanted).values().all(Vec::is_empty));
        // Neither staging nor an authority of one's own has that limit.
        let private = Certificate { is_public: false, ..wanted };
        assert!(hosts(6, &private).values().all(Vec::is_empty));
    }
}
