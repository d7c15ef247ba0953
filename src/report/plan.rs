//! `tow plan`: what would happen, on stdout. Hosts with the same plan are told of together.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use crate::report::hosts::{compact, natural_order};
use crate::report::look::{Look, Tone, sign};
use crate::report::sink::Sink;
use crate::report::text::neutralise;
use crate::words::event::{Event, Listener, Outcome, TaskRef};
use crate::words::names::HostName;
use crate::words::plural::count;

#[derive(Debug)]
pub struct Planned {
    plans: Plans,
    sink: Sink,
    look: Look,
}

/// Steps by host. Equal steps are kept once, so that 200 hosts with one plan cost as much as one.
#[derive(Debug, Default)]
pub struct Plans {
    stages: Vec<String>,
    steps: Vec<Step>,
    hosts: BTreeMap<HostName, Vec<usize>>,
}

#[derive(Debug, PartialEq, Eq)]
struct Step {
    stage: usize,
    index: usize,
    task: String,
    outcome: Outcome,
}

impl Plans {
    pub fn event(&mut self, event: &Event) {
        match event {
            Event::RunStarted { hosts, .. } => {
                self.hosts = hosts.iter().map(|host| (host.clone(), vec![])).collect();
            }
            Event::TaskFinished { task, outcome, .. } => self.add(task, outcome),
            _ => {}
        }
    }

    fn add(&mut self, task: &TaskRef, outcome: &Outcome) {
        let stage = self.stages.iter().position(|stage| *stage == task.stage).unwrap_or_else(|| {
            self.stages.push(task.stage.clone());
            self.stages.len() - 1
        });
        let same = |step: &Step| {
            (step.stage, step.index) == (stage, task.index)
                && step.task == task.task
                && step.outcome == *outcome
        };
        let id = self.steps.iter().position(same).unwrap_or_else(|| {
            let (task, index) = (task.task.clone(), task.index);
            self.steps.push(Step { stage, index, task, outcome: outcome.clone() });
            self.steps.len() - 1
        });
        self.hosts.entry(task.host.clone()).or_default().push(id);
    }

    /// Hosts by plan, in the order of each group's first host. Hosts without a step say nothing.
    fn groups(&self) -> Vec<(Vec<&Step>, Vec<HostName>)> {
        let mut hosts: Vec<(&HostName, &Vec<usize>)> =
            self.hosts.iter().filter(|(_, ids)| !ids.is_empty()).collect();
        hosts.sort_by(|a, b| natural_order(a.0, b.0));
        let mut groups: Vec<(&Vec<usize>, Vec<HostName>)> = Vec::new();
        let mut by_plan: BTreeMap<&Vec<usize>, usize> = BTreeMap::new();
        for (host, ids) in hosts {
            let at = *by_plan.entry(ids).or_insert_with(|| {
                groups.push((ids, vec![]));
                groups.len() - 1
            });
            groups[at].1.push(host.clone());
        }
        let steps = |ids: &Vec<usize>| {
            let mut steps: Vec<&Step> = ids.iter().filter_map(|&id| self.steps.get(id)).collect();
            steps.sort_by_key(|step| (step.stage, step.index));
            steps
        };
        groups.into_iter().map(|(ids, hosts)| (steps(ids), hosts)).collect()
    }
}

impl Planned {
    pub fn new(sink: Sink, look: Look) -> Planned {
        Planned { plans: Plans::default(), sink, look }
    }
}

impl Listener for Planned {
    fn event(&mut self, event: &Event) {
        self.plans.event(event);
        if matches!(event, Event::RunFinished { .. }) {
            let text = shown(&self.plans, self.look);
            self.sink.text(&text);
        }
    }
}

/// The whole plan as text.
pub fn shown(plans: &Plans, look: Look) -> String {
    let mut out = String::new();
    for (steps, hosts) in plans.groups() {
        let number =
            if hosts.len() > 1 { format!(" ({})", count(hosts.len(), "host")) } else { String::new() };
        let head = format!("{}{number}", compact(&hosts, look.dots(), 12));
        let _ = writeln!(out, "{}", look.paint(Tone::Strong, &head));
        let mut stage = None;
        for step in steps {
            if stage.replace(step.stage) != Some(step.stage) {
                let _ = writeln!(out, "  {}", neutralise(&plans.stages[step.stage]));
            }
            show(step, look, &mut out);
        }
        out.push('\n');
    }
    out + &summary(plans, look) + "\n"
}

fn show(step: &Step, look: Look, out: &mut String) {
    let (sign, tone) = sign(&step.outcome);
    let task = neutralise(&step.task);
    let (words, more): (&str, &[String]) = match &step.outcome {
        Outcome::Already { why } | Outcome::Skipped { why } => (why, &[]),
        Outcome::Changed { what, .. } | Outcome::Unknown { what } => match what.split_first() {
            Some((first, more)) => (first, more),
            None => ("", &[]),
        },
        Outcome::Failed { error } => (&error.what, &error.causes),
    };
    let words = neutralise(words).replace('\n', "\n        ");
    let colon = if words.is_empty() { "" } else { ": " };
    let _ = writeln!(out, "    {} {task}{colon}{words}", look.paint(tone, sign));
    for line in more {
        let _ = writeln!(out, "        {}", neutralise(line).replace('\n', "\n        "));
    }
    match &step.outcome {
        Outcome::Changed { diffs, .. } => {
            for diff in diffs {
                show_diff(&diff.text, look, out);
            }
        }
        Outcome::Failed { error } => {
            if let Some(hint) = &error.hint {
                let _ = writeln!(out, "        hint: {}", neutralise(hint).replace('\n', "\n        "));
            }
        }
        _ => {}
    }
}

fn show_diff(text: &str, look: Look, out: &mut String) {
    for line in neutralise(text).lines() {
        let tone = match line.as_bytes() {
            [b'+', b'+', b'+', ..] | [b'-', b'-', b'-', ..] => Some(Tone::Strong),
            [b'+', ..] => Some(Tone::Good),
            [b'-', ..] => Some(Tone::Bad),
            [b'@', ..] => Some(Tone::Open),
            _ => None,
        };
        let line = tone.map_or_else(|| line.to_owned(), |tone| look.paint(tone, line));
        let _ = writeln!(out, "        {line}");
    }
}

/// "Plan: 3 to change, 2 unknown until run, 25 already on 3 hosts"
fn summary(plans: &Plans, look: Look) -> String {
    let mut counts = [0usize; 5];
    let mut hosts = 0;
    for ids in plans.hosts.values().filter(|ids| !ids.is_empty()) {
        hosts += 1;
        for step in ids.iter().filter_map(|&id| plans.steps.get(id)) {
            counts[match step.outcome {
                Outcome::Changed { .. } => 0,
                Outcome::Unknown { .. } => 1,
                Outcome::Already { .. } => 2,
                Outcome::Skipped { .. } => 3,
                Outcome::Failed { .. } => 4,
            }] += 1;
        }
    }
    let words = ["to change", "unknown until run", "already", "skipped", "that cannot be planned"];
    let said: Vec<String> = std::iter::zip(counts, words)
        .filter(|(number, _)| *number > 0)
        .map(|(number, words)| format!("{number} {words}"))
        .collect();
    if said.is_empty() {
        return "Nothing to change: no task was planned.".to_owned();
    }
    let said = format!("{} on {}", said.join(", "), count(hosts, "host"));
    if counts[0] + counts[1] + counts[4] == 0 {
        return look.paint(Tone::Good, &format!("Nothing to change. Plan: {said}"));
    }
    let legend = "~ change   ? unknown until run   = already   - skipped   ! cannot be planned";
    format!("{}\n{}", look.paint(Tone::Faint, legend), look.paint(Tone::Strong, &format!("Plan: {said}")))
}

#[cfg(test)]
mod tests {
    use insta::assert_snapshot;

    use super::{Plans, shown};
    use crate::report::look::Look;
    use crate::report::sample::{Sample, broken_nginx};
    use crate::words::event::{Mode, Outcome, Tally, TextDiff, Verdict};

    fn text(sample: &Sample, look: Look) -> String {
        let mut plans = Plans::default();
        sample.events.iter().for_each(|event| plans.event(event));
        shown(&plans, look)
    }

    fn already(why: &str) -> Outcome {
        Outcome::Already { why: why.into() }
    }

    fn sample() -> Sample {
        let diff = "--- /etc/motd\n+++ /etc/motd\n@@ -1 +1 @@\n-old\u{1b}[2J\n+new\n".to_owned();
        let changed = Outcome::Changed {
            what: vec!["content".into(), "mode 0644 → 0640".into()],
            diffs: vec![TextDiff { path: "/etc/motd".into(), text: diff }],
        };
        let sample = (0..4).fold(Sample::new(Mode::Plan, 4), |sample, host| {
            let nginx = if host == 3 {
                Outcome::Failed { error: broken_nginx() }
            } else {
                already("nginx is running")
            };
            sample
                .finishes(host, 0, "motd", changed.clone())
                .finishes(host, 1, "nginx", nginx)
                .finishes(
                    host,
                    2,
                    "migrate",
                    Outcome::Unknown { what: vec!["runs `flask db upgrade`".into()] },
                )
                .finishes(host, 3, "swap", Outcome::Skipped { why: "`when` is false".into() })
        });
        sample.all(Verdict::Ok, &Tally::default()).end(3)
    }

    #[test]
    fn equal_plans_are_told_once() {
        assert_snapshot!(text(&sample(), Look::PLAIN));
    }

    #[test]
    fn colours_mark_the_diff() {
        let text = text(&sample(), Look { colour: true, utf8: true });
        assert!(
            text.contains("\u{1b}[32m+new\u{1b}[0m") && text.contains("\u{1b}[31m-old\u{1b}[0m"),
            "{text:?}"
        );
    }

    #[test]
    fn nothing_to_change_says_so() {
        let sample = (0..200).fold(Sample::new(Mode::Plan, 200), |sample, host| {
            sample.finishes(host, 0, "motd", already("as wanted"))
        });
        assert_snapshot!(text(&sample, Look::PLAIN));
    }
}
