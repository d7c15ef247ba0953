//! The host's own firewall, where it lets nobody through to the ports of the web.

use crate::preflight::{Seen, Subject, Topic};
use crate::task::need::Need;
use crate::words::finding::Finding;
use crate::words::plural::list;

pub struct Firewall;

const TOPIC: &str = "firewall";

/// The ports of the web, and the profiles of ufw that open each.
const PORTS: [(&str, [&str; 4]); 2] = [
    ("80", ["Nginx Full", "Nginx HTTP", "WWW Full", "WWW"]),
    ("443", ["Nginx Full", "Nginx HTTPS", "WWW Full", "WWW Secure"]),
];

/// A chain of nftables that drops what no rule accepts, and which of the ports any rule speaks of. What a named set
/// holds is not looked up: it may be any port.
const SCRIPT: &str = r#"
if command -v ufw >/dev/null 2>&1; then ufw status 2>/dev/null | sed 's/^/ufw /'; fi
if command -v nft >/dev/null 2>&1; then
  nft -n list ruleset 2>/dev/null | awk '
    /hook input/ && /policy drop/ { print "nft drops" }
    function opens(port) {
      return $0 ~ "dport " port "( |$)" || $0 ~ "dport (vmap )?[{][^}]*[ ,]" port "[ ,:}]" || /dport (@|0-)/
    }
    opens(80) { print "nft opens 80" }
    opens(443) { print "nft opens 443" }' | sort -u
fi"#;

impl Topic for Firewall {
    fn script(&self, subject: &Subject) -> Option<String> {
        subject.is_web().then(|| SCRIPT.into())
    }

    fn findings(&self, subject: &Subject, seen: &Seen<'_>) -> Vec<Finding> {
        let is_ours = subject.needs(&Need::Firewall);
        let shut = |opens: &dyn Fn(&str, &[&str]) -> bool| -> Vec<&'static str> {
            PORTS.iter().filter(|(port, profiles)| !opens(port, profiles)).map(|(port, _)| *port).collect()
        };
        if seen.has("ufw Status: active") {
            let shut = shut(&|port, profiles| seen.all("ufw").any(|line| is_allowed(line, port, profiles)));
            let todo: Vec<String> = shut.iter().map(|port| format!("ufw allow {port}/tcp")).collect();
            return match shut.as_slice() {
                [] => vec![Finding::ok(TOPIC, "ufw lets ports 80 and 443 through")],
                shut => {
                    vec![closed(
                        &format!("ufw lets nobody through to {}", ports(shut)),
                        is_ours,
                        &todo.join(" && "),
                    )]
                }
            };
        }
        let shut = shut(&|port, _| !seen.has("nft drops") || seen.has(&format!("nft opens {port}")));
        if shut.is_empty() {
            return vec![];
        }
        let what = format!("nftables drops what comes in, and no rule speaks of {}", ports(&shut));
        let todo = format!(
            "let it in, in the chain with the hook `input` of /etc/nftables.conf: `tcp dport {{ {} }} accept`",
            shut.join(", ")
        );
        vec![closed(&what, is_ours, &todo)]
    }
}

/// `80/tcp    ALLOW    Anywhere`, `80,443/tcp    ALLOW …`, `Nginx Full    ALLOW …`.
fn is_allowed(line: &str, port: &str, profiles: &[&str]) -> bool {
    let Some((to, _)) = line.split_once("ALLOW") else { return false };
    let to = to.trim();
    to.strip_suffix("/tcp").unwrap_or(to).split(',').any(|one| one == port) || profiles.contains(&to)
}

fn ports(ports: &[&str]) -> String {
    format!("port{} {}", if ports.len() > 1 { "s" } else { "" }, list(ports, "and"))
}

fn closed(what: &str, is_ours: bool, todo: &str) -> Finding {
    if is_ours {
        return Finding::note(TOPIC, format!("{what} yet; the playbook looks after the firewall"));
    }
    Finding::problem(TOPIC, what)
        .why("nobody would see the site, and the certificate authority could not ask")
        .todo(todo)
}

#[cfg(test)]
mod tests {
    use super::Firewall;
    use crate::preflight::sample::Sample;
    use crate::task::need::Need;

    #[test]
    fn shut_ports_are_found() {
        let sample = Sample::new(&Firewall, &[Need::Site("shop".into())]);
        assert!(sample.said("ufw Status: inactive\n").is_empty());
        let shut = "ufw Status: active\nufw 22/tcp                     ALLOW       Anywhere\n";
        assert_eq!(
            sample.said(shut),
            ["problem: ufw lets nobody through to ports 80 and 443 → ufw allow 80/tcp && ufw allow 443/tcp"]
        );
        let half = format!("{shut}ufw 80/tcp                     ALLOW       Anywhere\n");
        assert_eq!(sample.said(&half), ["problem: ufw lets nobody through to port 443 → ufw allow 443/tcp"]);
        for rule in ["443", "80,443/tcp", "Nginx Full", "WWW Secure"] {
            let open = format!("{half}ufw {rule}                     ALLOW       Anywhere\n");
            assert_eq!(sample.said(&open), ["ok: ufw lets ports 80 and 443 through"]);
        }
        assert!(sample.said("nft drops\n")[0].starts_with("problem: nftables drops what comes in"));
        assert!(sample.said("nft drops\nnft opens 80\n")[0].contains("no rule speaks of port 443 →"));
        assert!(sample.said("nft drops\nnft opens 80\nnft opens 443\n").is_empty());
        assert!(sample.said("nft opens 80\n").is_empty());
        let sample = Sample::new(&Firewall, &[Need::Site("shop".into()), Need::Firewall]);
        assert!(sample.said(shut)[0].starts_with("note"));
    }
}
