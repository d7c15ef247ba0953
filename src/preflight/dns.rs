//! Where the names of certificates lead: A and AAAA, seen from this machine and from the host; and who may issue for them.

use core::net::IpAddr;
use std::collections::BTreeSet;

use crate::preflight::{Seen, Subject, Topic, caa, is_placeholder};
use crate::words::finding::Finding;
use crate::words::plural::list;
use crate::words::shell::join;

pub struct Dns;

const TOPIC: &str = "dns";
const WHY: &str = "the certificate authority, and every visitor, come to the address that the DNS gives";

/// All names at the same time. `-A`: IPv6 addresses also where the host itself has none.
const SCRIPT: &str = r#"
all=
! getent -A ahosts localhost >/dev/null 2>&1 || all=-A
for name in $names; do
  { timeout 6 getent $all ahosts "$name" 2>/dev/null | awk -v n="$name" '{ print "name " n " " $1 }' | sort -u; } &
done
wait
if command -v ip >/dev/null 2>&1; then
  ip -o addr show scope global 2>/dev/null | awk '{ sub(/[/].*/, "", $4); print "own " $4 }'
else
  hostname -I 2>/dev/null | tr ' ' '\n' | sed -n 's/^\(..*\)/own \1/p'
fi"#;

impl Topic for Dns {
    fn script(&self, subject: &Subject) -> Option<String> {
        let names: BTreeSet<&str> = subject.domains().collect();
        (!names.is_empty()).then(|| format!("names={}\n{SCRIPT}", crate::words::shell::quote(&join(names))))
    }

    fn findings(&self, subject: &Subject, seen: &Seen<'_>) -> Vec<Finding> {
        let host = Addresses::of(subject, seen);
        let names: BTreeSet<&str> = subject.domains().collect();
        let is_public = subject.certificates().any(|certificate| certificate.is_public);
        let mut good = vec![];
        let mut findings = vec![];
        for name in names {
            let seen = Found::of(name, seen);
            let bad = seen.findings(&host, is_public);
            if bad.is_empty() && !seen.all().is_empty() {
                good.push(name);
            }
            findings.extend(bad);
        }
        if !good.is_empty() {
            let lead = if good.len() == 1 { "leads" } else { "lead" };
            findings.insert(0, Finding::ok(TOPIC, format!("{} {lead} here", list(&good, "and"))));
        }
        findings.extend(caa::findings(subject, seen.around.caa));
        findings
    }
}

/// The addresses of a host.
struct Addresses<'a> {
    own: BTreeSet<IpAddr>,
    /// The one to put into the DNS.
    v4: Option<IpAddr>,
    v6: Option<IpAddr>,
    /// Other hosts that answer for the same names.
    neighbours: &'a BTreeSet<IpAddr>,
}

impl<'a> Addresses<'a> {
    /// What the inventory connects to counts too: behind NAT the host does not know that address itself.
    fn of(subject: &'a Subject, seen: &Seen<'_>) -> Addresses<'a> {
        let mut own: BTreeSet<IpAddr> = seen.all("own").filter_map(|text| text.parse().ok()).collect();
        let named: BTreeSet<IpAddr> = match subject.address.parse::<IpAddr>() {
            Ok(address) => [address].into(),
            Err(_) => seen
                .around
                .resolved
                .get(&subject.address)
                .and_then(|found| found.clone().ok())
                .unwrap_or_default(),
        };
        let public = |want: fn(&IpAddr) -> bool| {
            named.iter().chain(&own).copied().find(|address| want(address) && !is_private(address))
        };
        let (v4, v6) = (public(IpAddr::is_ipv4), public(IpAddr::is_ipv6));
        own.extend(named);
        Addresses { own, v4, v6, neighbours: &subject.neighbours }
    }
}

/// Addresses that mean nothing outside of a network.
fn is_private(address: &IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => {
            let [a, b, ..] = v4.octets();
            v4.is_private() || v4.is_loopback() || v4.is_link_local() || a == 100 && (64..128).contains(&b)
        }
        IpAddr::V6(v6) => v6.is_loopback() || v6.is_unique_local() || v6.is_unicast_link_local(),
    }
}

/// What both sides find for a name.
struct Found<'a> {
    name: &'a str,
    here: BTreeSet<IpAddr>,
    there: BTreeSet<IpAddr>,
}

impl<'a> Found<'a> {
    fn of(name: &'a str, seen: &Seen<'_>) -> Found<'a> {
        let here = seen.around.resolved.get(name).and_then(|found| found.clone().ok()).unwrap_or_default();
        let lines = seen.all("name").filter_map(|line| line.split_once(' '));
        let there = lines.filter(|(of, _)| *of == name).filter_map(|(_, address)| address.parse().ok());
        // A host often knows its own name by a line of /etc/hosts.
        let there = there.filter(|address: &IpAddr| !address.is_loopback() && !is_mapped(address)).collect();
        Found { name, here, there }
    }

    fn all(&self) -> BTreeSet<IpAddr> {
        self.here.union(&self.there).copied().collect()
    }

    fn findings(&self, host: &Addresses<'_>, is_public: bool) -> Vec<Finding> {
        let all = self.all();
        if all.is_empty() {
            return self.unknown(host, is_public).into_iter().collect();
        }
        let foreign = |want: fn(&IpAddr) -> bool| -> Vec<IpAddr> {
            all.iter().copied().filter(|address| want(address) && !host.own.contains(address)).collect()
        };
        let (v4, v6) = (foreign(IpAddr::is_ipv4), foreign(IpAddr::is_ipv6));
        let mut findings = vec![];
        if !v4.is_empty() {
            findings.push(self.elsewhere("A", &v4, host));
        }
        if !v6.is_empty() {
            findings.push(self.elsewhere("AAAA", &v6, host));
        }
        if findings.is_empty() && is_public && self.here.is_empty() {
            findings.push(
                Finding::warning(
                    TOPIC,
                    format!("{} is known to the host, but not to this machine", self.name),
                )
                .why("the certificate authority asks the public DNS, not the host's /etc/hosts")
                .todo("look it up from elsewhere; a new record takes its time to be seen everywhere"),
            );
        }
        findings
    }

    fn unknown(&self, host: &Addresses<'_>, is_public: bool) -> Option<Finding> {
        // The inventory's own finding says more.
        if is_placeholder(self.name) {
            return None;
        }
        let finding = if is_public { Finding::problem } else { Finding::warning };
        let what = format!("{} has no address in the DNS", self.name);
        Some(finding(TOPIC, what).why(WHY).todo(self.create("A", host.v4)))
    }

    /// It leads, by a record of this sort, to addresses that are not the host's.
    fn elsewhere(&self, record: &str, wrong: &[IpAddr], host: &Addresses<'_>) -> Finding {
        let is_v6 = record == "AAAA";
        let texts: Vec<String> = wrong.iter().map(ToString::to_string).collect();
        let (right, sort) = if is_v6 { (host.v6, "IPv6 ") } else { (host.v4, "") };
        let what =
            format!("{} leads to {}, which is not this host's {sort}address", self.name, list(&texts, "and"));
        if wrong.iter().all(|address| host.neighbours.contains(address)) {
            return Finding::warning(TOPIC, format!("{} leads to {} as well, another host", self.name, list(&texts, "and")))
                .why("the authority's question may arrive there, and only the host that asked can answer it")
                .todo("let the name lead to one host while certificates are issued, or put a load balancer before both");
        }
        if right.is_none() && host.own.iter().all(is_private) {
            return Finding::warning(
                TOPIC,
                format!(
                    "{} leads to {}; the host has private addresses only",
                    self.name,
                    list(&texts, "and")
                ),
            )
            .why(WHY)
            .todo("make sure that ports 80 and 443 of that address lead to this host");
        }
        if is_v6 && right.is_none() {
            return Finding::problem(TOPIC, what)
                .why("the certificate authority prefers IPv6, and would not find this host")
                .todo(format!("remove the DNS record `AAAA {} → {}`", self.name, texts.join(", ")));
        }
        Finding::problem(TOPIC, what)
            .why(if is_v6 {
                "the certificate authority prefers IPv6, and would not find this host"
            } else {
                WHY
            })
            .todo(format!("{} (now: {})", self.create(record, right), texts.join(", ")))
    }

    fn create(&self, record: &str, address: Option<IpAddr>) -> String {
        let address =
            address.map_or_else(|| "the public address of this host".to_owned(), |it| it.to_string());
        format!("create the DNS record `{record} {} → {address}`", self.name)
    }
}

/// `::ffff:198.18.0.1`, which some resolvers make up.
fn is_mapped(address: &IpAddr) -> bool {
    matches!(address, IpAddr::V6(v6) if v6.to_ipv4_mapped().is_some())
}

#[cfg(test)]
mod tests;
