//! A host made up for the tests of topics.

use core::net::IpAddr;
use std::collections::BTreeSet;

use crate::preflight::caa::Records;
use crate::preflight::{Around, Resolved, Seen, Subject, Topic};
use crate::task::need::{Certificate, Need};
use crate::words::fact::HostFacts;
use crate::words::finding::Finding;
use crate::words::names::HostName;

pub struct Sample<'a> {
    topic: &'a dyn Topic,
    pub subject: Subject,
    os: HostFacts,
    asked: (i64, i64),
    resolved: Resolved,
}

/// Of a public authority.
pub fn certificate(domains: &[&str]) -> Certificate {
    Certificate {
        name: "shop".into(),
        folder: "/etc/letsencrypt".into(),
        domains: domains.iter().map(ToString::to_string).collect(),
        email: None,
        is_public: true,
        authority: Some("letsencrypt.org"),
    }
}

impl<'a> Sample<'a> {
    pub fn new(topic: &'a dyn Topic, needs: &[Need]) -> Sample<'a> {
        let subject = Subject {
            name: HostName::new("web1").unwrap(),
            address: "198.18.0.11".into(),
            needs: needs.iter().cloned().collect(),
            neighbours: BTreeSet::new(),
        };
        let os = HostFacts {
            family: "debian".into(),
            id: "debian".into(),
            version: "13".into(),
            codename: "trixie".into(),
            arch: "x86_64".into(),
            kernel: "Linux".into(),
            user: "root".into(),
            ..HostFacts::default()
        };
        Sample { topic, subject, os, asked: (1000, 1002), resolved: Resolved::new() }
    }

    pub fn user(mut self, user: &str) -> Self {
        self.os.user = user.into();
        self
    }

    pub fn os(mut self, id: &str, version: &str) -> Self {
        (self.os.id, self.os.version) = (id.into(), version.into());
        if !matches!(id, "debian" | "ubuntu") {
            self.os.family = id.into();
        }
        self
    }

    /// What the operator's machine finds for a name.
    pub fn finds(mut self, name: &str, addresses: &[&str]) -> Self {
        let addresses: BTreeSet<IpAddr> = addresses.iter().map(|address| address.parse().unwrap()).collect();
        let found = if addresses.is_empty() { Err("no such name".to_owned()) } else { Ok(addresses) };
        self.resolved.insert(name.into(), found);
        self
    }

    pub fn findings(&self, answer: &str) -> Vec<Finding> {
        let caa = Records::new();
        let around = Around { asked: self.asked, resolved: &self.resolved, caa: &caa };
        assert!(self.topic.script(&self.subject).is_some(), "nothing would be asked");
        self.topic.findings(&self.subject, &Seen { os: &self.os, answer, around })
    }

    /// `warning: what → todo`, one a finding.
    pub fn said(&self, answer: &str) -> Vec<String> {
        let line = |finding: Finding| {
            let level = format!("{:?}", finding.level).to_lowercase();
            let todo = finding.todo.map(|todo| format!(" → {todo}")).unwrap_or_default();
            if level == "problem" || level == "warning" {
                assert!(finding.why.is_some() && !todo.is_empty(), "{}: why, and what to do?", finding.what);
            }
            format!("{level}: {}{todo}", finding.what)
        };
        self.findings(answer).into_iter().map(line).collect()
    }
}
