//! Hears a plan, and keeps what differs on each host, with what is known of who changed it.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use serde::Serialize;

use crate::cli::applied::{Record, Wish};
use crate::engine::Ledger;
use crate::plan::Decision;
use crate::spec::model::Host;
use crate::words::event::{Outcome, TaskRef};
use crate::words::fact::{Fact, Probe};
use crate::words::names::HostName;
use crate::words::secret::Mask;
use crate::words::step::Step;

/// Which side has changed since a task was applied.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Side {
    /// The task asks for the same as then.
    Host,
    /// The task asks for something else than then.
    Playbook,
    /// It was never applied from here, so nobody here can tell.
    Unknown,
}

/// A task that would change something.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Difference {
    pub stage: String,
    pub task: String,
    pub origin: String,
    pub what: Vec<String>,
    pub changed: Side,
    /// The run that applied it, and when.
    pub run: Option<String>,
    /// In milliseconds since 1970.
    pub at: Option<i64>,
}

/// Of one host.
#[derive(Clone, Debug, Default)]
pub struct Found {
    pub differences: Vec<Difference>,
    /// Tasks of which only a run can say what they do.
    pub untold: usize,
    /// Tasks that find everything as they want it.
    pub same: usize,
    /// The last run that applied any of the tasks.
    pub last: Option<(String, i64)>,
    /// What could not be planned, and what is behind it was not looked at.
    pub failed: Option<String>,
}

pub struct Watch {
    mask: Mask,
    records: BTreeMap<HostName, Record>,
    heard: Mutex<Heard>,
}

#[derive(Default)]
struct Heard {
    wanted: BTreeMap<TaskRef, Wish>,
    found: BTreeMap<HostName, Found>,
}

impl Watch {
    pub fn new(hosts: &[Host], mask: Mask) -> Watch {
        let records = hosts.iter().map(|host| (host.name.clone(), Record::of(host))).collect();
        Watch { mask, records, heard: Mutex::default() }
    }

    pub fn found(&self) -> BTreeMap<HostName, Found> {
        std::mem::take(&mut self.heard.lock().unwrap_or_else(PoisonError::into_inner).found)
    }
}

impl Ledger for Watch {
    fn wanted(&self, task: &TaskRef, wanted: &str) {
        let mut heard = self.heard.lock().unwrap_or_else(PoisonError::into_inner);
        heard.wanted.insert(task.clone(), Wish::of(task, wanted));
    }

    fn planned(&self, task: &TaskRef, decision: &Decision, _seen: &[(&Probe, &Fact)]) {
        let mut heard = self.heard.lock().unwrap_or_else(PoisonError::into_inner);
        let wish = heard.wanted.remove(task);
        let found = heard.found.entry(task.host.clone()).or_default();
        let record = self.records.get(&task.host);
        let known = wish.and_then(|wish| Some((record?.mark(&wish)?, record?, wish)));
        if let Some((mark, ..)) = &known
            && found.last.as_ref().is_none_or(|(_, at)| *at < mark.at)
        {
            found.last = Some((mark.run.clone(), mark.at));
        }
        let what = match decision {
            Decision::Skip { .. } | Decision::Failed(_) => return,
            Decision::Step(Step::Already { .. }) => {
                found.same += 1;
                return;
            }
            Decision::Step(Step::Unknown(change)) if !change.definite => {
                found.untold += 1;
                return;
            }
            Decision::Step(Step::Change(change) | Step::Unknown(change)) => &change.what,
        };
        let changed = match &known {
            None => Side::Unknown,
            Some((mark, record, wish)) if record.is_same(mark, wish) => Side::Host,
            Some(_) => Side::Playbook,
        };
        found.differences.push(Difference {
            stage: task.stage.clone(),
            task: task.task.clone(),
            origin: task.origin.clone(),
            what: what.iter().map(|line| self.mask.apply(line)).collect(),
            changed,
            run: known.as_ref().map(|(mark, ..)| mark.run.clone()),
            at: known.as_ref().map(|(mark, ..)| mark.at),
        });
    }

    fn ended(&self, task: &TaskRef, outcome: &Outcome) {
        if let Outcome::Failed { error } = outcome {
            let mut heard = self.heard.lock().unwrap_or_else(PoisonError::into_inner);
            heard.found.entry(task.host.clone()).or_default().failed =
                Some(self.mask.apply(&error.to_string()));
        }
    }
}
