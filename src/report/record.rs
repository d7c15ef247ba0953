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
    failures: Vec<(TaskRef, Error)>,
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
}

impl Record {
    pub fn event(&mut self, event: &Event) {
        match event {
            Event::RunStarted { mode, .. } => self.mode = Some(*mode),
            Event::TaskFinished { task, outcome: Outcome::Failed { error }, .. } => {
                self.failures.push((task.clone(), error.clone()));
            }
            Event::Stopping { why } => self.stopped.push(why.clone()),
            Event::RunFinished { hosts, exit_code, elapsed } => {
                self.end = Some(End { hosts: hosts.clone(), exit_code: *exit_code, elapsed: *elapsed });
            }
            _ => {}
        }
    }

    /// Failures of tasks first, in the order in which they came; then hosts that failed outside a task.
    pub fn failures(&self) -> Vec<Failure> {
        let mut groups: Vec<(Sameness, Failure)> = Vec::new();
        let mut told: BTreeSet<(&HostName, &str)> = BTreeSet::new();
        for (task, error) in &self.failures {
            told.insert((&task.host, error.what.as_str()));
            add(&mut groups, &task.host, Some(task), error);
        }
        let mut ended: Vec<_> = self.end.iter().flat_map(|end| &end.hosts).collect();
        ended.sort_by(|a, b| natural_order(a.0, b.0));
        for (host, summary) in ended {
            let Some(error) = &summary.error else { continue };
            if !told.contains(&(host, error.what.as_str())) {
                add(&mut groups, host, None, error);
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

fn add(groups: &mut Vec<(Sameness, Failure)>, host: &HostName, task: Option<&TaskRef>, error: &Error) {
    // Messages name their host; hosts whose messages differ in nothing else failed the same way.
    let anonymous = |text: &String| text.replace(host.as_str(), "\u{0}");
    let place = task.map(|task| (task.stage.clone(), task.task.clone(), task.origin.clone()));
    let key = (place, anonymous(&error.what), error.causes.iter().map(anonymous).collect());
    match groups.iter_mut().find(|(sameness, _)| *sameness == key) {
        Some((_, failure)) => failure.hosts.push(host.clone()),
        None => groups.push((
            key,
            Failure {
                hosts: vec![host.clone()],
                first: host.clone(),
                task: task.cloned(),
                error: error.clone(),
            },
        )),
    }
}
