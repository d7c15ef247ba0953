//! `tow plan`: what would happen, on stdout. Hosts with the same plan are told of together.

use std::fmt::Write as _;

use crate::report::hosts::compact;
use crate::report::look::{Look, Tone, sign, verdict_words};
use crate::report::plans::{Plans, Shown};
use crate::report::sink::Sink;
use crate::report::text::{neutralise, wrap};
use crate::words::event::{Event, Listener, Outcome};
use crate::words::names::HostName;
use crate::words::plural::count;

#[derive(Debug)]
pub struct Planned {
    plans: Plans,
    sink: Sink,
    look: Look,
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
    for group in plans.groups() {
        let mut head = named(&group.hosts, look);
        if group.of_first {
            head = format!("{}, shown as on {})", head.trim_end_matches(')'), group.hosts[0]);
        }
        let _ = writeln!(out, "{}", look.paint(Tone::Strong, &wrap(&head, look.width, 2)));
        let mut stage = None;
        for shown in &group.steps {
            if stage.replace(shown.step.stage) != Some(shown.step.stage) {
                let _ = writeln!(out, "  {}", neutralise(&plans.stages[shown.step.stage]));
            }
            show(shown, look, &mut out);
        }
        out.push('\n');
    }
    for (verdict, hosts) in &plans.without {
        let line = format!("{}: {}, no plan", named(hosts, look), verdict_words(*verdict));
        let _ = writeln!(out, "{}\n", look.paint(Tone::Bad, &wrap(&line, look.width, 2)));
    }
    out + &summary(plans, look) + "\n"
}

fn named(hosts: &[HostName], look: Look) -> String {
    let number = if hosts.len() > 1 { format!(" ({})", count(hosts.len(), "host")) } else { String::new() };
    compact(hosts, look.dots(), 12) + &number
}

fn show(shown: &Shown<'_>, look: Look, out: &mut String) {
    let outcome = &shown.outcome;
    let (sign, tone) = sign(outcome);
    let (words, more): (&str, &[String]) = match outcome {
        Outcome::Already { why } | Outcome::Skipped { why } => (why, &[]),
        Outcome::Changed { what, .. } | Outcome::Unknown { what } => match what.split_first() {
            Some((first, more)) => (first, more),
            None => ("", &[]),
        },
        Outcome::Failed { error } => (&error.what, &error.causes),
    };
    let colon = if words.is_empty() { "" } else { ": " };
    let (task, words) = (neutralise(&shown.step.task), below(words));
    let line = format!("    {} {task}{colon}{words}", look.paint(tone, sign));
    let _ = writeln!(out, "{}", wrap(&line, look.width, 8));
    for line in more {
        let _ = writeln!(out, "{}", wrap(&format!("        {}", below(line)), look.width, 10));
    }
    if let Outcome::Failed { error } = outcome
        && let Some(hint) = &error.hint
    {
        let _ = writeln!(out, "{}", wrap(&format!("        hint: {}", below(hint)), look.width, 14));
    }
    for (diffs, hosts) in &shown.diffs {
        if shown.diffs.len() > 1 {
            let _ = writeln!(out, "        on {}:", named(hosts, look));
        }
        for diff in diffs {
            show_diff(&diff.text, look, out);
        }
    }
}

/// Harmless, and further lines stand under the first.
fn below(text: &str) -> String {
    neutralise(text).replace('\n', "\n        ")
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
    for outcome in plans.outcomes() {
        counts[match outcome {
            Outcome::Changed { .. } => 0,
            Outcome::Unknown { .. } => 1,
            Outcome::Already { .. } => 2,
            Outcome::Skipped { .. } => 3,
            Outcome::Failed { .. } => 4,
        }] += 1;
    }
    let words = ["to change", "unknown until run", "already", "skipped", "that cannot be planned"];
    let said: Vec<String> = std::iter::zip(counts, words)
        .filter(|(number, _)| *number > 0)
        .map(|(number, words)| format!("{number} {words}"))
        .collect();
    if said.is_empty() && plans.planned() == 0 && !plans.without.is_empty() {
        return look.paint(Tone::Bad, "No plan: no host could be asked.");
    }
    if said.is_empty() {
        return "Nothing to change: no task was planned.".to_owned();
    }
    let said = format!("{} on {}", said.join(", "), count(plans.planned(), "host"));
    if counts[0] + counts[1] + counts[4] == 0 && plans.without.is_empty() {
        return look.paint(Tone::Good, &format!("Nothing to change. Plan: {said}"));
    }
    let signs = ["~ change", "? unknown until run", "= already", "- skipped", "! cannot be planned"];
    let seen = std::iter::zip(counts, signs).filter(|(number, _)| *number > 0);
    let legend = seen.map(|(_, sign)| sign).collect::<Vec<_>>().join("   ");
    let plan = wrap(&format!("Plan: {said}"), look.width, 6);
    let legend = wrap(&legend, look.width, 0);
    format!("{}\n{}", look.paint(Tone::Faint, &legend), look.paint(Tone::Strong, &plan))
}

#[cfg(test)]
mod tests {
    use insta::assert_snapshot;

    use super::shown;
    use crate::report::look::Look;
    use crate::report::plans::Plans;
    use crate::report::sample::{Sample, broken_nginx, unreachable};
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
        let text = text(&sample(), Look { colour: true, utf8: true, width: None });
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

    #[test]
    fn hosts_that_differ_in_diffs_only_are_one_plan() {
        let sample = (0..3).fold(Sample::new(Mode::Plan, 4), |sample, host| {
            let name = if host == 2 { "other" } else { "same" };
            let text = format!("@@ -0,0 +1 @@\n+{name}\n");
            let diffs = vec![TextDiff { path: "/etc/hostname".into(), text }];
            sample
                .finishes(host, 0, "host name", Outcome::Changed { what: vec!["content".into()], diffs })
                .finishes(host, 1, "motd", already("as wanted"))
        });
        let sample = sample.unreachable(3..4, &unreachable()).end(4);
        assert_snapshot!(text(&sample, Look::PLAIN));
    }
}
