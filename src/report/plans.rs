//! Plans of many hosts, kept so that equal steps cost memory once, and grouped by hosts that plan the same.

use std::collections::BTreeMap;

use crate::report::hosts::natural_order;
use crate::words::event::{Event, Outcome, TaskRef, TextDiff, Verdict};
use crate::words::names::HostName;

#[derive(Debug, Default)]
pub struct Plans {
    pub stages: Vec<String>,
    steps: Vec<Step>,
    variants: Vec<Variant>,
    /// Where steps of a task are, by stage and index: few, unless every host is different.
    known: BTreeMap<(usize, usize), Vec<usize>>,
    hosts: BTreeMap<HostName, Vec<(usize, usize)>>,
    /// Hosts that did not get to planning, and why.
    pub without: BTreeMap<Verdict, Vec<HostName>>,
}

/// What hosts with the same step may differ in: how contents change, and why there is nothing to do.
#[derive(Debug, Default, PartialEq, Eq)]
struct Variant {
    why: String,
    diffs: Vec<TextDiff>,
}

/// What a task gives on one host or on many. Texts have [`HERE`] where they name their host.
#[derive(Debug, PartialEq, Eq)]
pub struct Step {
    pub stage: usize,
    index: usize,
    pub task: String,
    outcome: Outcome,
    /// Of `variants`, those seen with this step.
    seen: Vec<usize>,
}

/// Stands for the host's own name, so that a path with it is the same step on all hosts.
const HERE: &str = "\u{0}";

/// Hosts whose plans differ in their variants at most.
#[derive(Debug)]
pub struct Group<'a> {
    pub hosts: Vec<HostName>,
    /// The texts are those of the first host: others have their own names and numbers in them.
    pub of_first: bool,
    pub steps: Vec<Shown<'a>>,
}

#[derive(Debug)]
pub struct Shown<'a> {
    pub step: &'a Step,
    /// As on the group's first host.
    pub outcome: Outcome,
    /// The diffs, as on the first of the group's hosts that have them.
    pub diffs: Vec<(Vec<TextDiff>, Vec<HostName>)>,
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
        let (outcome, variant) = split(rewritten(outcome, task.host.as_str(), HERE));
        let steps = self.known.entry((stage, task.index)).or_default();
        let same = |&&id: &&usize| self.steps[id].task == task.task && self.steps[id].outcome == outcome;
        let id = steps.iter().find(same).copied().unwrap_or_else(|| {
            steps.push(self.steps.len());
            let (task, index) = (task.task.clone(), task.index);
            self.steps.push(Step { stage, index, task, outcome, seen: vec![] });
            self.steps.len() - 1
        });
        let seen = &mut self.steps[id].seen;
        let known = seen.iter().find(|&&known| self.variants[known] == variant).copied();
        let variant = known.unwrap_or_else(|| {
            seen.push(self.variants.len());
            self.variants.push(variant);
            self.variants.len() - 1
        });
        self.hosts.entry(task.host.clone()).or_default().push((id, variant));
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
        let mut of_first = false;
        for (position, &id) in steps.iter().enumerate() {
            let mut variants: Vec<(usize, Vec<HostName>)> = Vec::new();
            for &host in hosts {
                let variant = self.hosts[host][position].1;
                match variants.iter_mut().find(|(known, _)| *known == variant) {
                    Some((_, hosts)) => hosts.push(host.clone()),
                    None => variants.push((variant, vec![host.clone()])),
                }
            }
            let step = &self.steps[id];
            let Some(first) = variants.first().map(|(first, _)| &self.variants[*first]) else { continue };
            let whole = joined(&step.outcome, first);
            of_first |= rewritten(&whole, HERE, "") != whole;
            if matches!(whole, Outcome::Already { .. }) {
                of_first |= variants.len() > 1;
                variants.truncate(1);
            }
            let diffs = variants.into_iter().map(|(variant, hosts)| {
                let diffs = &self.variants[variant].diffs;
                (diffs.iter().map(|diff| diff_rewritten(diff, HERE, hosts[0].as_str())).collect(), hosts)
            });
            let outcome = rewritten(&whole, HERE, hosts[0].as_str());
            shown.push(Shown { step, outcome, diffs: diffs.collect() });
        }
        shown.sort_by_key(|shown| (shown.step.stage, shown.step.index));
        let hosts: Vec<HostName> = hosts.iter().copied().cloned().collect();
        Group { of_first: of_first && hosts.len() > 1, hosts, steps: shown }
    }

    /// Every step of every host.
    pub fn outcomes(&self) -> impl Iterator<Item = &Outcome> {
        self.hosts.values().flatten().map(|&(step, _)| &self.steps[step].outcome)
    }

    pub fn planned(&self) -> usize {
        self.hosts.len()
    }
}

/// What makes a step the same, and what may differ.
fn split(outcome: Outcome) -> (Outcome, Variant) {
    match outcome {
        Outcome::Changed { what, diffs } => {
            (Outcome::Changed { what, diffs: vec![] }, Variant { diffs, ..Variant::default() })
        }
        Outcome::Already { why } => {
            (Outcome::Already { why: String::new() }, Variant { why, ..Variant::default() })
        }
        other => (other, Variant::default()),
    }
}

fn joined(outcome: &Outcome, variant: &Variant) -> Outcome {
    match outcome {
        Outcome::Already { .. } => Outcome::Already { why: variant.why.clone() },
        Outcome::Changed { what, .. } => {
            Outcome::Changed { what: what.clone(), diffs: variant.diffs.clone() }
        }
        other => other.clone(),
    }
}

fn rewritten(outcome: &Outcome, from: &str, to: &str) -> Outcome {
    let text = |text: &String| text.replace(from, to);
    let lines = |lines: &[String]| lines.iter().map(text).collect();
    match outcome {
        Outcome::Already { why } => Outcome::Already { why: text(why) },
        Outcome::Skipped { why } => Outcome::Skipped { why: text(why) },
        Outcome::Unknown { what } => Outcome::Unknown { what: lines(what) },
        Outcome::Changed { what, diffs } => {
            let diffs = diffs.iter().map(|diff| diff_rewritten(diff, from, to)).collect();
            Outcome::Changed { what: lines(what), diffs }
        }
        Outcome::Failed { error } => {
            let mut error = error.clone();
            error.what = text(&error.what);
            error.causes = lines(&error.causes);
            error.hint = error.hint.as_ref().map(text);
            Outcome::Failed { error }
        }
    }
}

fn diff_rewritten(diff: &TextDiff, from: &str, to: &str) -> TextDiff {
    TextDiff { path: diff.path.replace(from, to), text: diff.text.replace(from, to) }
}
