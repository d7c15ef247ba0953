//! What a run left behind that is told at its end: failures, grouped by hosts that failed the same way.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use crate::report::hosts::natural_order;
use crate::words::error::Error;
use crate::words::event::{Event, HostSummary, Mode, Outcome, TaskRef};
use crate::words::names::HostName;

/// Collects from events; bounded by the number of failures, never by output.
#[derive(Debug, Default)]
pub struct Record {
    pub mode: Option<Mode>,
    pub stopped: Vec<String>,
    pub end: Option<End>,
    failures: Vec<(TaskRef, Error, bool)>,
    /// The task whose output came last, by host.
    talking: BTreeMap<HostName, (String, usize)>,
}

#[derive(Debug)]
pub struct End {
    pub hosts: BTreeMap<HostName, HostSummary>,
    pub exit_code: u8,
    pub elapsed: Duration,
}

/// The same failure on one host or on many.
#[derive(Debug, PartialEq, Eq)]
pub struct Failure {
    pub hosts: Vec<HostName>,
    /// The host whose message and output are kept for all of them.
    pub first: HostName,
    /// `None`: the host failed outside a task, such as on connecting.
    pub task: Option<TaskRef>,
    pub error: Error,
    /// What the other hosts said, where it differs in more than the host's name.
    pub others: Vec<(HostName, String)>,
    /// Its output has gone by as events before.
    pub streamed: bool,
}

impl Record {
    pub fn event(&mut self, event: &Event) {
        match event {
            Event::RunStarted { mode, .. } => self.mode = Some(*mode),
            Event::TaskFinished { task, outcome: Outcome::Failed { error }, .. } => {
                let talked = self.talking.get(&task.host);
                let streamed =
                    talked.is_some_and(|(stage, index)| *stage == task.stage && *index == task.index);
                self.failures.push((task.clone(), error.clone(), streamed));
            }
            Event::Output { task, .. } => self.heard(task),
            Event::Stopping { why } => self.stopped.push(why.clone()),
            Event::RunFinished { hosts, exit_code, elapsed } => {
                self.end = Some(End { hosts: hosts.clone(), exit_code: *exit_code, elapsed: *elapsed });
            }
            _ => {}
        }
    }

    fn heard(&mut self, task: &TaskRef) {
        match self.talking.get_mut(&task.host) {
            Some((stage, index)) if *index == task.index && *stage == task.stage => {}
            _ => drop(self.talking.insert(task.host.clone(), (task.stage.clone(), task.index))),
        }
    }

    /// Failures of tasks first, in the order in which they came; then hosts that failed outside a task.
    pub fn failures(&self) -> Vec<Failure> {
        let mut groups: Vec<(Sameness, Failure)> = Vec::new();
        let mut told: BTreeSet<(&HostName, &str)> = BTreeSet::new();
        for (task, error, streamed) in &self.failures {
            told.insert((&task.host, error.what.as_str()));
            add(&mut groups, &task.host, Some(task), (error, *streamed));
        }
        let mut ended: Vec<_> = self.end.iter().flat_map(|end| &end.hosts).collect();
        ended.sort_by(|a, b| natural_order(a.0, b.0));
        for (host, summary) in ended {
            let Some(error) = &summary.error else { continue };
            if !told.contains(&(host, error.what.as_str())) {
                add(&mut groups, host, None, (error, false));
            }
        }
        groups.into_iter().map(|(_, failure)| sorted(failure)).collect()
    }
}

fn sorted(mut failure: Failure) -> Failure {
    failure.hosts.sort_by(natural_order);
    failure.hosts.dedup();
    failure
}

type Sameness = (Option<(String, String, String)>, String, Vec<String>);

fn add(
    groups: &mut Vec<(Sameness, Failure)>,
    host: &HostName,
    task: Option<&TaskRef>,
    (error, streamed): (&Error, bool),
) {
    // Messages name their host; hosts whose messages differ in nothing else failed the same way.
    let place = task.map(|task| (task.stage.clone(), task.task.clone(), task.origin.clone()));
    let alike = |text: &String| anonymous(text, host);
    let key = (place, alike(&error.what), error.causes.iter().map(alike).collect());
    match groups.iter_mut().find(|(sameness, _)| *sameness == key) {
        Some((_, failure)) => {
            let (first, text) = (failure.error.to_string(), error.to_string());
            if text.replace(host.as_str(), "\u{0}") != first.replace(failure.first.as_str(), "\u{0}") {
                failure.others.push((host.clone(), text));
            }
            failure.hosts.push(host.clone());
            failure.streamed &= streamed;
        }
        None => groups.push((
            key,
            Failure {
                hosts: vec![host.clone()],
                first: host.clone(),
                task: task.cloned(),
                error: error.clone(),
                others: vec![],
                streamed,
            },
        )),
    }
}

/// A message without what belongs to one host only: its name, addresses, the fingerprint of its key.
fn anonymous(text: &str, host: &HostName) -> String {
    let mut before = "";
    let mut words: Vec<&str> = Vec::new();
    for word in text.split(' ') {
        let own = word == host.as_str() || is_address(word) || word.starts_with("SHA256:");
        // Whatever the address looks like: known_hosts has names of its own.
        let named = before == "of" && text.starts_with("the host key of ");
        words.push(if own || named { "\u{0}" } else { word });
        before = word;
    }
    words.join(" ").replace(host.as_str(), "\u{0}")
}

/// `203.0.113.7`, `[203.0.113.7]:2222`, `2001:db8::1`, with or without a colon behind it.
fn is_address(word: &str) -> bool {
    let word = word.trim_end_matches([':', ',', ';']);
    let bare =
        word.strip_prefix('[').map_or(word, |rest| rest.split_once(']').map_or(rest, |(bare, _)| bare));
    bare.parse::<std::net::IpAddr>().is_ok() || bare.parse::<std::net::SocketAddr>().is_ok()
}
