//! What a checked project wants of each of its hosts.

use core::net::IpAddr;
use std::collections::BTreeSet;

use crate::spec::model::{Body, Connection, Host, Live, Project, TaskSpec};
use crate::task::need::{Certificate, Need, Place, Server};
use crate::words::fact::HostFacts;
use crate::words::names::HostName;

/// A host, and all that the playbook needs of it.
#[derive(Clone, Debug)]
pub struct Subject {
    pub name: HostName,
    /// As the inventory says; empty for this machine.
    pub address: String,
    pub needs: BTreeSet<Need>,
    /// Addresses of the other hosts that answer for the same names.
    pub(super) neighbours: BTreeSet<IpAddr>,
}

/// The hosts of `project` in its order.
pub fn subjects(project: &Project) -> Vec<Subject> {
    let mut subjects: Vec<Subject> = project.hosts.iter().map(|host| of_host(project, host)).collect();
    for at in 0..subjects.len() {
        let domains: BTreeSet<&str> = subjects[at].domains().collect();
        let others = subjects.iter().enumerate().filter(|(other, subject)| {
            *other != at && subject.domains().any(|domain| domains.contains(domain))
        });
        let addresses = others.filter_map(|(_, subject)| subject.address.parse().ok()).collect();
        subjects[at].neighbours = addresses;
    }
    subjects
}

fn of_host(project: &Project, host: &Host) -> Subject {
    let address = match &host.connection {
        Connection::Ssh(ssh) => ssh.address.clone(),
        Connection::Local { .. } => String::new(),
    };
    let specs = project.stages.iter().filter_map(|stage| stage.tasks.get(&host.name)).flatten();
    let needs = specs.flat_map(needs).collect();
    Subject { name: host.name.clone(), address, needs, neighbours: BTreeSet::new() }
}

/// What a task needs. Where its text depends on the host's system, what it would need on Debian.
pub(super) fn needs(spec: &TaskSpec) -> Vec<Need> {
    let live = on_debian();
    let is_skipped = spec.skip.is_some()
        || spec.when.as_ref().is_some_and(|when| when.needs().is_empty() && when.holds(&live) == Ok(false));
    if is_skipped {
        return vec![];
    }
    match &spec.body {
        Body::Ready(task) => task.needs(),
        Body::Late(late) if late.needs().is_empty() => {
            late.render(&live).map(|task| task.needs()).unwrap_or_default()
        }
        Body::Late(_) => vec![],
    }
}

fn on_debian() -> Live {
    let os = HostFacts {
        family: "debian".into(),
        id: "debian".into(),
        version: "13".into(),
        codename: "trixie".into(),
        arch: "x86_64".into(),
        kernel: "Linux".into(),
        user: "root".into(),
        home: "/root".into(),
        hostname: String::new(),
    };
    Live { os, ..Live::default() }
}

impl Subject {
    pub(super) fn needs(&self, need: &Need) -> bool {
        self.needs.contains(need)
    }

    pub(super) fn packages(&self) -> impl Iterator<Item = &str> {
        self.needs
            .iter()
            .filter_map(|need| if let Need::Package(name) = need { Some(name.as_str()) } else { None })
    }

    pub(super) fn certificates(&self) -> impl Iterator<Item = &Certificate> {
        self.needs.iter().filter_map(|need| if let Need::Certificate(it) = need { Some(it) } else { None })
    }

    /// Names that a certificate is wanted for.
    pub(super) fn domains(&self) -> impl Iterator<Item = &str> {
        self.certificates().flat_map(|certificate| certificate.domains.iter().map(String::as_str))
    }

    pub(super) fn servers(&self) -> impl Iterator<Item = &Server> {
        self.needs.iter().filter_map(|need| if let Need::Server(server) = need { Some(server) } else { None })
    }

    pub(super) fn units(&self) -> impl Iterator<Item = &str> {
        self.needs
            .iter()
            .filter_map(|need| if let Need::Unit(name) = need { Some(name.as_str()) } else { None })
    }

    pub(super) fn sites(&self) -> impl Iterator<Item = &str> {
        self.needs
            .iter()
            .filter_map(|need| if let Need::Site(name) = need { Some(name.as_str()) } else { None })
    }

    pub(super) fn places(&self) -> impl Iterator<Item = &Place> {
        self.needs.iter().filter_map(|need| if let Need::Place(place) = need { Some(place) } else { None })
    }

    /// Something of it answers on the ports of the web.
    pub(super) fn is_web(&self) -> bool {
        self.sites().next().is_some() || self.certificates().next().is_some()
    }
}
