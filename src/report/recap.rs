//! The end of a run: hosts with the same outcome on one line, failures last, then the result. Pure text.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use crate::report::hosts::{compact, natural_order};
use crate::report::look::{Look, Tone, verdict_words};
use crate::report::record::{End, Record};
use crate::report::result::{result, words};
use crate::report::sink::Sink;
use crate::report::tell::{Told, tell};
use crate::report::text::{neutralise, pad, wrap};
use crate::words::event::{Event, HostSummary, Listener, Mode, Verdict};
use crate::words::names::HostName;
use crate::words::plural::count;

pub const HOSTS_SHOWN: usize = 6;
/// Beyond this many lines, groups are made of verdicts only.
const GROUPS: usize = 12;

/// Prints the recap when the run ends.
#[derive(Debug)]
pub struct Ending {
    record: Record,
    sink: Sink,
    look: Look,
    told: Told,
}

impl Ending {
    pub fn new(sink: Sink, look: Look, told: Told) -> Ending {
        Ending { record: Record::default(), sink, look, told }
    }
}

impl Listener for Ending {
    fn event(&mut self, event: &Event) {
        self.record.event(event);
        if matches!(event, Event::RunFinished { .. }) {
            let text = recap(&self.record, self.look, self.told);
            self.sink.text(&text);
        }
    }
}

/// The whole recap; empty as long as the run has not finished.
pub fn recap(record: &Record, look: Look, told: Told) -> String {
    let Some(end) = &record.end else { return String::new() };
    let failures = record.failures();
    let (mut out, mode) = (String::new(), record.mode.unwrap_or(Mode::Run));
    if mode == Mode::Run && !told.quiet {
        out.push('\n');
        outcomes(end, !record.stopped.is_empty(), look, &mut out);
    }
    for failure in &failures {
        // Answers that failed are lines; what else goes wrong is told in full.
        if mode != Mode::Exec || failure.task.is_none() {
            out.push('\n');
        }
        tell(failure, (mode, told), look, &mut out);
    }
    pending(end, look, &mut out);
    for why in &record.stopped {
        let line = format!("stopped early: {}", neutralise(why));
        let _ = writeln!(out, "\n{}", wrap(&line, look.width, 2));
    }
    if end.exit_code != 0 || mode == Mode::Run {
        // With `-q`, and nothing that went wrong, this is the only line.
        let gap = if told.quiet && out.is_empty() { "" } else { "\n" };
        let _ = writeln!(out, "{gap}{}", wrap(&result(end, mode, look), look.width, 2));
    }
    out
}

/// One line for all hosts to which the same happened; those that went well first.
fn outcomes(end: &End, stopped: bool, look: Look, out: &mut String) {
    let mut lines = grouped(end, |summary| (rank(summary), words(&summary.tally)));
    if lines.len() > GROUPS {
        lines = grouped(end, |summary| (rank(summary), "different counts".to_owned()));
    }
    let rows: Vec<[String; 4]> = lines
        .into_iter()
        .map(|(((verdict, changed), words), mut hosts)| {
            hosts.sort_by(natural_order);
            let words = match (verdict, words.is_empty()) {
                (Verdict::Ok, true) if stopped => "nothing done".to_owned(),
                (Verdict::Ok, true) => "no tasks".to_owned(),
                (Verdict::Ok | Verdict::Failed, false) => words,
                (_, true) => verdict_words(verdict).to_owned(),
                (_, false) => format!("{}: {words}", verdict_words(verdict)),
            };
            let sign = match verdict {
                Verdict::Ok if words == "nothing done" => look.paint(Tone::Faint, "-"),
                Verdict::Ok if changed => look.paint(Tone::Change, "~"),
                Verdict::Ok => look.paint(Tone::Good, "="),
                Verdict::NotStarted => look.paint(Tone::Faint, "-"),
                _ => look.paint(Tone::Bad, "!"),
            };
            [sign, count(hosts.len(), "host"), words, compact(&hosts, look.dots(), HOSTS_SHOWN)]
        })
        .collect();
    let widest = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
    let (hosts, words) = (widest(1), widest(2));
    for row in &rows {
        let line = format!("{} {}  {}  {}", row[0], pad(&row[1], hosts), pad(&row[2], words), row[3]);
        let _ = writeln!(out, "{}", wrap(line.trim_end(), look.width, 2));
    }
}

type Rank = (Verdict, bool);

fn rank(summary: &HostSummary) -> Rank {
    (summary.verdict, summary.tally.changed > 0)
}

fn grouped(
    end: &End,
    key: impl Fn(&HostSummary) -> (Rank, String),
) -> BTreeMap<(Rank, String), Vec<HostName>> {
    let mut groups: BTreeMap<_, Vec<HostName>> = BTreeMap::new();
    for (host, summary) in &end.hosts {
        groups.entry(key(summary)).or_default().push(host.clone());
    }
    groups
}

fn pending(end: &End, look: Look, out: &mut String) {
    let mut groups: BTreeMap<&[String], Vec<HostName>> = BTreeMap::new();
    for (host, summary) in end.hosts.iter().filter(|(_, summary)| !summary.pending.is_empty()) {
        groups.entry(&summary.pending).or_default().push(host.clone());
    }
    for (handlers, mut hosts) in groups {
        hosts.sort_by(natural_order);
        let hosts = compact(&hosts, look.dots(), HOSTS_SHOWN);
        let _ = writeln!(out, "\npending on {hosts}: {}", neutralise(&handlers.join(", ")));
        let _ = writeln!(out, "  hint: the next run of this playbook runs them at the end of their stage");
    }
}

#[cfg(test)]
mod tests {
    use insta::assert_snapshot;

    use super::{Told, recap};
    use crate::report::look::Look;
    use crate::report::record::Record;
    use crate::report::sample::{Sample, broken_nginx, unreachable};
    use crate::words::error::{Error, Kind};
    use crate::words::event::{Mode, Stream, Tally, Verdict};

    fn text(sample: &Sample) -> String {
        let mut record = Record::default();
        sample.events.iter().for_each(|event| record.event(event));
        recap(&record, Look::PLAIN, Told::default())
    }

    #[test]
    fn nothing_to_do() {
        let tally = Tally { already: 30, ..Tally::default() };
        let sample = Sample::new(Mode::Run, 3).all(Verdict::Ok, &tally).end(0);
        assert_snapshot!(text(&sample));
    }

    #[test]
    fn one_host_fails() {
        assert_snapshot!(text(&Sample::new(Mode::Run, 1).fails(0..1, &broken_nginx()).end(3)));
    }

    #[test]
    fn two_hundred_hosts_stay_readable() {
        let done = Tally { already: 18, changed: 12, ..Tally::default() };
        let same = Tally { already: 30, ..Tally::default() };
        let sample = Sample::new(Mode::Run, 200)
            .all(Verdict::Ok, &same)
            .verdict(20..60, Verdict::Ok, &done)
            .fails(60..63, &broken_nginx())
            .unreachable(100..104, &unreachable())
            .pending(62, "reload nginx")
            .stopping("3 of 200 hosts failed in wave 1, and max_failures is 2")
            .end(3);
        let text = text(&sample);
        assert!(text.lines().count() < 50, "{text}");
        assert_snapshot!(text);
    }

    #[test]
    fn two_hundred_different_outcomes_are_few_lines() {
        let sample = (0..200).fold(Sample::new(Mode::Run, 200), |sample, host| {
            let tally = Tally { already: host, changed: host % 2, ..Tally::default() };
            sample.verdict(host..host + 1, Verdict::Ok, &tally)
        });
        assert_snapshot!(text(&sample.end(0)));
    }

    #[test]
    fn unknown_keys_of_many_hosts_are_one_failure() {
        let sample = (0..3).fold(Sample::new(Mode::Run, 3), |sample, host| {
            let error =
                Error::new(Kind::HostKey, format!("the host key of [203.0.113.{host}]:2222 is unknown"))
                    .cause(format!("it shows ssh-ed25519 SHA256:k{host}"))
                    .hint("review the keys");
            sample.unreachable(host..host + 1, &error)
        });
        assert_snapshot!(text(&sample.end(7)));
    }

    #[test]
    fn a_command_is_not_said_to_be_harmless_to_repeat() {
        let error = Error::new(Kind::Interrupted, "interrupted").hint("again: what is done is not repeated");
        let of = |mode| text(&Sample::new(mode, 1).unreachable(0..1, &error).end(130));
        assert!(of(Mode::Run).contains("not repeated") && !of(Mode::Exec).contains("not repeated"));
    }

    #[test]
    fn what_was_streamed_is_not_told_twice() {
        let mut error = broken_nginx();
        error.output = (1..=9).map(|n| format!("line {n}")).collect();
        let sample = Sample::new(Mode::Run, 1).says(0, 3, "nginx site", Stream::Stdout, "line 1\n");
        let mut record = Record::default();
        sample.fails(0..1, &error).end(3).events.iter().for_each(|event| record.event(event));
        let of = |output| recap(&record, Look::PLAIN, Told { output, ..Told::default() });
        assert!(of(false).contains("| line 1\n"));
        assert!(!of(true).contains("| line 4\n") && of(true).contains("| line 5\n"), "{}", of(true));
    }

    #[test]
    fn hostile_output_is_harmless() {
        let mut error = broken_nginx();
        error.output = vec!["\u{1b}]0;title\u{7}\u{1b}[2Jgone\nand \u{202e}more\u{0}".into()];
        error.what = "cannot \u{1b}[31mrun".into();
        let text = text(&Sample::new(Mode::Run, 1).fails(0..1, &error).end(3));
        assert!(!text.contains(['\u{1b}', '\u{0}', '\u{202e}', '\u{7}']), "{text:?}");
    }
}
