//! For pipes, logs and CI: one line per thing, each with its host before it.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::report::hosts::compact;
use crate::report::lines::Lines;
use crate::report::look::{Look, Tone, sign_of_run};
use crate::report::sink::Sink;
use crate::report::text::{bounded, elapsed, neutralise, pad, with_last_line};
use crate::words::event::{Event, Listener, Mode, Outcome, Stream, TaskRef, Verdict};
use crate::words::names::HostName;
use crate::words::plural::count;

/// How much the plain view says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Detail {
    /// `-q`: failures only.
    Failures,
    /// Connections that fail and notices: what goes beside a plan or the output of `tow exec`.
    Notices,
    /// Stages, changes and output.
    Changes,
    /// `-v`: also tasks with nothing to do.
    Everything,
}

const LONGEST_LINE: usize = 4096;

#[derive(Debug)]
pub struct Plain {
    sink: Sink,
    look: Look,
    detail: Detail,
    /// The column in which text begins, so that hosts stand under each other.
    column: usize,
    mode: Mode,
    open: BTreeMap<HostName, Open>,
    /// What the event in hand says: written at once, for output may be millions of lines.
    saying: String,
}

/// The task in hand on a host, and the lines that it has not ended.
#[derive(Debug, Default)]
struct Open {
    index: usize,
    announced: bool,
    stdout: Lines,
    stderr: Lines,
}

impl Plain {
    pub fn new(sink: Sink, look: Look, detail: Detail) -> Plain {
        let (open, saying) = (BTreeMap::new(), String::new());
        Plain { sink, look, detail, column: 0, mode: Mode::Run, open, saying }
    }

    fn say(&mut self, host: &HostName, tone: Option<Tone>, text: &str) {
        let prefix = format!("{} | ", pad(host.as_str(), self.column));
        for line in neutralise(text).lines() {
            let line = bounded(line, LONGEST_LINE);
            let line = tone.map_or_else(|| line.clone(), |tone| self.look.paint(tone, &line));
            self.saying.extend([prefix.as_str(), &line, "\n"]);
        }
    }

    /// For lines about no single host; stages and reasons are ours, and still nothing may begin with `::`.
    fn announce(&mut self, text: &str) {
        for line in neutralise(text).lines() {
            let mark = if line.trim_start().starts_with("::") { "| " } else { "" };
            self.saying.extend([mark, &bounded(line, LONGEST_LINE), "\n"]);
        }
    }

    fn started(&mut self, playbook: &str, mode: Mode, hosts: &[HostName]) {
        self.mode = mode;
        self.column = hosts.iter().map(|host| host.as_str().len()).max().unwrap_or(0).min(32);
        if self.detail >= Detail::Changes && mode == Mode::Run {
            self.announce(&format!("{playbook} on {}", count(hosts.len(), "host")));
        }
    }

    fn output(&mut self, task: &TaskRef, stream: Stream, text: &str) {
        let mut open = self.open.remove(&task.host).unwrap_or_default();
        if open.index != task.index {
            open = Open { index: task.index, ..Open::default() };
        }
        if !open.announced {
            open.announced = true;
            self.say(&task.host, Some(Tone::Faint), &format!("> {}", task.task));
        }
        let lines = if stream == Stream::Stdout { &mut open.stdout } else { &mut open.stderr };
        let mut complete = Vec::new();
        lines.push(text, |line| complete.push(line.to_owned()));
        for line in complete {
            self.said(&task.host, stream, &line);
        }
        self.open.insert(task.host.clone(), open);
    }

    fn said(&mut self, host: &HostName, stream: Stream, line: &str) {
        let mark = if stream == Stream::Stdout { "  > " } else { "  2> " };
        // Made harmless before the mark is put in front: a CR must not draw over it.
        self.say(host, None, &format!("{mark}{}", neutralise(line)));
    }

    fn finished(&mut self, task: &TaskRef, outcome: &Outcome, time: Duration) {
        if let Some(mut open) = self.open.remove(&task.host) {
            let mut rest = Vec::new();
            open.stdout.finish(|line| rest.push((Stream::Stdout, line.to_owned())));
            open.stderr.finish(|line| rest.push((Stream::Stderr, line.to_owned())));
            for (stream, line) in rest {
                self.said(&task.host, stream, &line);
            }
        }
        let (sign, tone) = sign_of_run(outcome);
        let (needs, words) = match outcome {
            Outcome::Already { why } => (Detail::Everything, why.clone()),
            Outcome::Skipped { why } => (Detail::Everything, format!("skipped, {why}")),
            Outcome::Changed { what, .. } if what.is_empty() => (Detail::Changes, "changed".to_owned()),
            Outcome::Changed { what, .. } => (Detail::Changes, changes(what, self.detail)),
            Outcome::Unknown { .. } => (Detail::Changes, "ran without change".to_owned()),
            Outcome::Failed { error } => (Detail::Failures, with_last_line(error)),
        };
        // Beside a plan or answers, the result tells of failures itself.
        if self.detail >= needs && (self.detail, needs) != (Detail::Notices, Detail::Failures) {
            self.say(&task.host, Some(tone), &format!("{sign} {}: {words}{}", task.task, taken(time)));
        }
    }

    fn stage(&mut self, stage: &str, hosts: &[HostName], (wave, waves): (usize, usize)) {
        let wave = if waves > 1 { format!(", wave {wave} of {waves}") } else { String::new() };
        let names = compact(hosts, self.look.dots(), 6);
        self.announce(&format!("stage {stage}{wave}: {} ({names})", count(hosts.len(), "host")));
    }

    /// What is said at any detail but `-q`.
    fn progress(&mut self, event: &Event) {
        match event {
            Event::RunStarted { playbook, mode, hosts, .. } => self.started(playbook, *mode, hosts),
            Event::Connecting { host, attempt: attempt @ 2.. } => {
                self.say(host, Some(Tone::Faint), &format!("connecting, attempt {attempt}"));
            }
            Event::Connected { host, elapsed: time } if self.detail >= Detail::Everything => {
                self.say(host, Some(Tone::Faint), &format!("connected ({})", elapsed(*time)));
            }
            Event::Notice { host: Some(host), text } => self.say(host, None, &format!("note: {text}")),
            Event::Notice { host: None, text } => self.announce(&format!("note: {text}")),
            Event::StageStarted { stage, hosts, wave, waves, .. } if self.detail >= Detail::Changes => {
                self.stage(stage, hosts, (*wave, *waves));
            }
            Event::Output { task, stream, text } if self.detail >= Detail::Changes => {
                self.output(task, *stream, text);
            }
            Event::Stopping { why } => self.announce(&format!("stopping: {why}")),
            _ => {}
        }
    }
}

/// A task may make many changes; one names itself, of many there is a beginning.
fn changes(what: &[String], detail: Detail) -> String {
    match what {
        [first, second, _, ..] if detail < Detail::Everything => {
            format!("{first}; {second}; and {} more", what.len() - 2)
        }
        _ => what.join("; "),
    }
}

/// What took no time to speak of says nothing about it.
fn taken(time: Duration) -> String {
    if time.as_millis() < 100 { String::new() } else { format!(" ({})", elapsed(time)) }
}

impl Listener for Plain {
    fn event(&mut self, event: &Event) {
        match event {
            Event::TaskFinished { task, outcome, elapsed: time } => {
                self.finished(task, outcome, *time);
            }
            Event::HostFinished { host, summary }
                if summary.verdict == Verdict::Unreachable && self.mode != Mode::Check =>
            {
                let why = summary
                    .error
                    .as_ref()
                    .map(|error| format!(": {}", with_last_line(error)))
                    .unwrap_or_default();
                self.say(host, Some(Tone::Bad), &format!("! unreachable{why}"));
            }
            Event::RunStarted { playbook, mode, hosts, .. } => self.started(playbook, *mode, hosts),
            _ if self.detail > Detail::Failures => self.progress(event),
            _ => {}
        }
        if !self.saying.is_empty() {
            self.sink.text(&self.saying);
            self.saying.clear();
        }
    }
}

#[cfg(test)]
mod tests {
    use insta::assert_snapshot;

    use super::{Detail, Plain};
    use crate::report::look::Look;
    use crate::report::sample::{Sample, broken_nginx, captured, unreachable};
    use crate::words::event::{Listener, Mode, Outcome, Stream};

    fn text(sample: &Sample, detail: Detail, ci: bool) -> String {
        let (sink, text) = captured(ci);
        let mut plain = Plain::new(sink, Look::PLAIN, detail);
        sample.events.iter().for_each(|event| plain.event(event));
        text.read()
    }

    fn run() -> Sample {
        let changed =
            Outcome::Changed { what: vec!["content".into(), "mode 0644 → 0640".into()], diffs: vec![] };
        Sample::new(Mode::Run, 12)
            .connecting(10, 1)
            .connecting(10, 2)
            .connected(0)
            .stage(0..3, 1, 3)
            .starts(0, 0, "packages")
            .finishes(0, 0, "packages", Outcome::Already { why: "nginx is installed".into() })
            .starts(0, 1, "migrate")
            .says(0, 1, "migrate", Stream::Stdout, "upgrade a\nupgr")
            .starts(1, 1, "migrate")
            .says(1, 1, "migrate", Stream::Stderr, "10%\r50%\r100%\n")
            .says(0, 1, "migrate", Stream::Stdout, "ade b")
            .finishes(0, 1, "migrate", changed)
            .finishes(1, 1, "migrate", Outcome::Unknown { what: vec!["alembic upgrade".into()] })
            .finishes(1, 2, "optional", Outcome::Skipped { why: "`when` is false".into() })
            .fails(2..3, &broken_nginx())
            .unreachable(10..11, &unreachable())
            .stopping("1 of 3 hosts failed")
            .end(3)
    }

    #[test]
    fn one_line_per_thing() {
        assert_snapshot!(text(&run(), Detail::Everything, false));
    }

    #[test]
    fn quiet_says_failures_only() {
        assert_snapshot!(text(&run(), Detail::Failures, false), @r"
        web03 | ! nginx site: cannot run `nginx -t`: exit code 1: nginx: configuration file /etc/nginx/nginx.conf test failed (1.2 s)
        web11 | ! unreachable: cannot reach web11 at port 22: connection timed out after 10 s
        ");
    }

    #[test]
    fn hostile_output_commands_nothing() {
        let hostile =
            "::add-mask::x\n  ::error::y\n##vso[task.complete]z\n\u{1b}[2J\u{9b}2Jgone\n\r::set-output\n";
        let sample = Sample::new(Mode::Run, 1)
            .says(0, 0, "cat", Stream::Stdout, hostile)
            .stopping("::stop-commands::x");
        for ci in [false, true] {
            let text = text(&sample, Detail::Changes, ci);
            assert!(!text.contains(['\u{1b}', '\u{9b}', '\r']), "{text:?}");
            assert!(!text.lines().any(|line| line.trim_start().starts_with("::")), "{text}");
            assert!(!ci || !text.contains("##vso["), "{text}");
        }
    }

    #[test]
    fn a_gibibyte_would_be_bounded_lines() {
        let line = "x".repeat(1 << 20);
        let sample = (0..8)
            .fold(Sample::new(Mode::Run, 1), |sample, _| sample.says(0, 0, "yes", Stream::Stdout, &line));
        let done = Outcome::Unknown { what: vec![] };
        let text = text(&sample.finishes(0, 0, "yes", done), Detail::Changes, false);
        assert!(text.len() < 5000 && text.contains("more bytes)"), "{} bytes", text.len());
    }
}
