//! The host's own firewall, where it lets nobody through to the ports of the web.

use crate::preflight::{Seen, Subject, Topic};
use crate::task::need::Need;
use crate::words::finding::Finding;

pub struct Firewall;

const TOPIC: &str = "firewall";

/// A chain of nftables that drops what no rule accepts, and whether any rule speaks of port 80.
const SCRIPT: &str = r#"
if command -v ufw >/dev/null 2>&1; then ufw status 2>/dev/null | sed 's/^/ufw /'; fi
if command -v nft >/dev/null 2>&1; then
  nft -n list ruleset 2>/dev/null | awk '
    /hook input/ && /policy drop/ { print "nft drops" }
    /dport 80 / || /dport [{][^}]*[ ,]80[ ,}]/ || /dport 0-/ { print "nft web" }' | sort -u
fi"#;

impl Topic for Firewall {
    fn script(&self, subject: &Subject) -> Option<String> {
        subject.is_web().then(|| SCRIPT.into())
    }

    fn findings(&self, subject: &Subject, seen: &Seen<'_>) -> Vec<Finding> {
        let is_ours = subject.needs(&Need::Firewall);
        if seen.has("ufw Status: active") {
            let web = |line: &str| {
                let of_web = ["80", "80/tcp", "80,443/tcp", "Nginx Full", "WWW Full", "WWW", "Nginx HTTP"];
                let port = line.split("ALLOW").next().unwrap_or_default().trim();
                line.contains("ALLOW") && of_web.contains(&port)
            };
            if seen.all("ufw").any(web) {
                return vec![Finding::ok(TOPIC, "ufw lets port 80 through")];
            }
            return vec![closed(
                "ufw lets nobody through to port 80",
                is_ours,
                "ufw allow 80/tcp && ufw allow 443/tcp",
            )];
        }
        if seen.has("nft drops") && !seen.has("nft web") {
            return vec![closed(
                "nftables drops what comes in, and no rule speaks of port 80",
                is_ours,
                "let it in, in the chain with the hook `input` of /etc/nftables.conf: `tcp dport { 80, 443 } accept`",
            )];
        }
        vec![]
    }
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
            ["problem: ufw lets nobody through to port 80 → ufw allow 80/tcp && ufw allow 443/tcp"]
        );
        let open = format!("{shut}ufw 80/tcp                     ALLOW       Anywhere\n");
        assert_eq!(sample.said(&open), ["ok: ufw lets port 80 through"]);
        assert!(sample.said("nft drops\n")[0].starts_with("problem: nftables drops what comes in"));
        assert!(sample.said("nft drops\nnft web\n").is_empty());
        let sample = Sample::new(&Firewall, &[Need::Site("shop".into()), Need::Firewall]);
        assert!(sample.said(shut)[0].starts_with("note"));
    }
}
