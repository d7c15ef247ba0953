//! Looking at hosts before anything is done: questions from what a playbook needs, findings from the answers. Pure.
//!
//! A topic is a file and a line in [`TOPICS`]: a read-only shell snippet, and what follows from its answer.

mod access;
mod apt;
pub mod caa;
mod clock;
mod disk;
mod dns;
mod firewall;
pub mod guide;
mod inventory;
mod locale;
mod memory;
mod os;
mod outbound;
mod places;
mod ports;
mod python;
mod subject;
mod systemd;
mod tls;

use core::net::IpAddr;
use std::collections::{BTreeMap, BTreeSet};

pub use crate::preflight::inventory::{is_placeholder, written};
pub use crate::preflight::subject::{Subject, subjects};
use crate::words::error::{Error, Kind};
use crate::words::fact::{Facts, HostFacts, Probe};
use crate::words::finding::Finding;

/// All topics, in the order in which they are told.
const TOPICS: &[&dyn Topic] = &[
    &access::Access,
    &os::Os,
    &systemd::Systemd,
    &disk::Disk,
    &memory::Memory,
    &clock::Clock,
    &locale::Locale,
    &apt::Apt,
    &python::Python,
    &outbound::Outbound,
    &ports::Ports,
    &firewall::Firewall,
    &dns::Dns,
    &tls::Tls,
    &places::Places,
];

trait Topic: Sync {
    /// What to ask the host, changing nothing; `None` where the playbook has nothing to do with it.
    fn script(&self, subject: &Subject) -> Option<String>;
    fn findings(&self, subject: &Subject, seen: &Seen<'_>) -> Vec<Finding>;
}

/// What this machine finds for a name; an error is why it found nothing.
pub type Resolved = BTreeMap<String, Result<BTreeSet<IpAddr>, String>>;

/// What is known beside a host's answers.
#[derive(Clone, Copy, Debug)]
pub struct Around<'a> {
    /// Seconds of this machine's clock, before the host was asked and after it had answered.
    pub asked: (i64, i64),
    pub resolved: &'a Resolved,
    /// As this machine's DNS has them.
    pub caa: &'a caa::Records,
}

/// What a topic looks at.
struct Seen<'a> {
    os: &'a HostFacts,
    answer: &'a str,
    around: Around<'a>,
}

impl<'a> Seen<'a> {
    /// The values of the lines that begin with `key` and a blank.
    fn all(&self, key: &str) -> impl Iterator<Item = &'a str> {
        let lines = self.answer.lines().filter_map(|line| line.split_once(' '));
        lines.filter(move |(has, _)| *has == key).map(|(_, value)| value.trim())
    }

    fn first(&self, key: &str) -> Option<&'a str> {
        self.all(key).next()
    }

    fn has(&self, line: &str) -> bool {
        self.answer.lines().any(|has| has.trim_end() == line)
    }
}

fn probe(topic: &dyn Topic, subject: &Subject) -> Option<Probe> {
    let script = topic.script(subject)?;
    Some(Probe::Shell { script: format!("LC_ALL=C; export LC_ALL\n{script}\nexit 0\n"), user: None })
}

/// All that a host is asked, in one go.
pub fn probes(subject: &Subject) -> Vec<Probe> {
    TOPICS.iter().filter_map(|topic| probe(*topic, subject)).collect()
}

/// What its answers mean.
pub fn findings(subject: &Subject, facts: &Facts, around: Around<'_>) -> Vec<Finding> {
    let mut findings = vec![];
    for topic in TOPICS {
        let Some(answer) = probe(*topic, subject).and_then(|probe| facts.output(&probe).ok()) else {
            continue;
        };
        let seen = Seen { os: &facts.host, answer: &answer.stdout, around };
        findings.extend(topic.findings(subject, &seen));
    }
    findings
}

/// A host that could not be asked.
pub fn unreached(error: &Error) -> Option<Finding> {
    let (topic, why) = match error.kind {
        Kind::Interrupted => return None,
        Kind::HostKey => ("host_key", "a run would stop here: nobody can say that this is your server"),
        _ => ("access", "a run would stop here, and nothing else could be looked at"),
    };
    let finding = Finding::problem(topic, error.to_string()).why(why);
    Some(match &error.hint {
        Some(hint) => finding.todo(hint.clone()),
        None => finding,
    })
}

/// All names that somebody has to look up for `subjects`.
pub fn names(subjects: &[Subject]) -> BTreeSet<String> {
    let of = |subject: &Subject| {
        let domains: Vec<String> = subject.domains().map(ToOwned::to_owned).collect();
        let address = Some(subject.address.clone()).filter(|name| !domains.is_empty() && !name.is_empty());
        domains.into_iter().chain(address.filter(|name| name.parse::<IpAddr>().is_err()))
    };
    subjects.iter().flat_map(of).collect()
}

#[cfg(test)]
mod sample;
