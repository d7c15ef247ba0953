//! Plans of many hosts, kept so that equal steps cost memory once, and grouped by hosts that plan the same.

use std::collections::BTreeMap;

use crate::report::hosts::natural_order;
use crate::words::event::{Event, Outcome, TaskRef, TextDiff, Verdict};
use crate::words::names::HostName;

#[derive(Debug, Default)]
pub struct Plans {
    pub stages: Vec<String>,
    steps: Vec<Step>,
    diffs: Vec<Vec<TextDiff>>,
    /// Where steps of a task are, by stage and index: few, unless every host is different.
    known: BTreeMap<(usize, usize), Vec<usize>>,
    hosts: BTreeMap<HostName, Vec<(usize, usize)>>,
    /// Hosts that did not get to planning, and why.
    pub without: BTreeMap<Verdict, Vec<HostName>>,
}

/// What a task gives on one host or on many; its diffs are kept apart, for they differ more often than it.
#[derive(Debug, PartialEq, Eq)]
pub struct Step {
    pub stage: usize,
    index: usize,
    pub task: String,
    pub outcome: Outcome,
    /// Of `diffs`, those seen with this step.
    seen: Vec<usize>,
}

/// Hosts whose plans differ in their diffs at most.
#[derive(Debug)]
pub struct Group<'a> {
    pub hosts: Vec<HostName>,
    pub steps: Vec<Shown<'a>>,
}

#[derive(Debug)]
pub struct Shown<'a> {
    pub step: &'a Step,
    /// The diffs, and on which of the group's hosts.
    pub diffs: Vec<(&'a [TextDiff], Vec<HostName>)>,
}

impl Plans {
    pub fn event(&mut self, event: &Event) {
        match event {
            Event::TaskFinished { task, outcome, .. } => self.add(task, outcome),
            Event::RunFinished { hosts, .. } => {
                for (host, summary) in hosts {
                    if summary.verdict != Verdict::Ok && !self.hosts.contains_key(host) {
                        self.without.entry(summary.verdict).or_default().push(host.clone());
                    }
                }
                self.without.values_mut().for_each(|hosts| hosts.sort_by(natural_order));
            }
            _ => {}
        }
    }

    fn add(&mut self, task: &TaskRef, outcome: &Outcome) {
        let stage = self.stages.iter().position(|stage| *stage == task.stage).unwrap_or_else(|| {
            self.stages.push(task.stage.clone());
            self.stages.len() - 1
        });
        let (outcome, diffs) = match outcome {
            Outcome::Changed { what, diffs } => {
                (Outcome::Changed { what: what.clone(), diffs: vec![] }, diffs.as_slice())
            }
            other => (other.clone(), [].as_slice()),
        };
        let known = self.known.entry((stage, task.index)).or_default();
        let same = |&&id: &&usize| self.steps[id].task == task.task && self.steps[id].outcome == outcome;
        let id = known.iter().find(same).copied().unwrap_or_else(|| {
            known.push(self.steps.len());
            let (task, index) = (task.task.clone(), task.index);
            self.steps.push(Step { stage, index, task, outcome, seen: vec![] });
            self.steps.len() - 1
        });
        let seen = &mut self.steps[id].seen;
        let diff = seen.iter().find(|&&diff| self.diffs[diff] == diffs).copied().unwrap_or_else(|| {
            seen.push(self.diffs.len());
            self.diffs.push(diffs.to_vec());
            self.diffs.len() - 1
        });
        self.hosts.entry(task.host.clone()).or_default().push((id, diff));
    }

    /// In the order of each group's first host.
    pub fn groups(&self) -> Vec<Group<'_>> {
        let mut hosts: Vec<(&HostName, &Vec<(usize, usize)>)> = self.hosts.iter().collect();
        hosts.sort_by(|a, b| natural_order(a.0, b.0));
        let mut order: Vec<Vec<usize>> = Vec::new();
        let mut members: BTreeMap<Vec<usize>, Vec<&HostName>> = BTreeMap::new();
        for (host, plan) in hosts {
            let steps: Vec<usize> = plan.iter().map(|(step, _)| *step).collect();
            if !members.contains_key(&steps) {
                order.push(steps.clone());
            }
            members.entry(steps).or_default().push(host);
        }
        order.iter().filter_map(|steps| members.get(steps).map(|hosts| self.group(steps, hosts))).collect()
    }

    fn group(&self, steps: &[usize], hosts: &[&HostName]) -> Group<'_> {
        let mut shown: Vec<Shown<'_>> = Vec::new();
        for (position, &id) in steps.iter().enumerate() {
            let mut variants: Vec<(usize, Vec<HostName>)> = Vec::new();
            for &host in hosts {
                let diff = self.hosts[host][position].1;
                match variants.iter_mut().find(|(known, _)| *known == diff) {
                    Some((_, hosts)) => hosts.push(host.clone()),
                    None => variants.push((diff, vec![host.clone()])),
                }
            }
            let diffs =
                variants.into_iter().map(|(diff, hosts)| (self.diffs[diff].as_slice(), hosts)).collect();
            shown.push(Shown { step: &self.steps[id], diffs });
        }
        shown.sort_by_key(|shown| (shown.step.stage, shown.step.index));
        Group { hosts: hosts.iter().copied().cloned().collect(), steps: shown }
    }

    /// Every step of every host.
    pub fn outcomes(&self) -> impl Iterator<Item = &Outcome> {
        self.hosts.values().flatten().map(|&(step, _)| &self.steps[step].outcome)
    }

    pub fn planned(&self) -> usize {
        self.hosts.len()
    }
}
