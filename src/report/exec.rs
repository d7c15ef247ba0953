//! `tow exec`: what the hosts said is the result. Streamed in a pipe, grouped by equal answers at a terminal.

use std::collections::{BTreeMap, VecDeque};

use crate::report::hosts::{compact, natural_order};
use crate::report::lines::Lines;
use crate::report::look::{Look, Tone};
use crate::report::sink::Sink;
use crate::report::text::{bounded, neutralise, pad};
use crate::words::event::{Event, Listener, Outcome, Stream};
use crate::words::names::HostName;
use crate::words::plural::count;

/// How answers are shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Layout {
    /// As they come. One host: its bytes alone; many: each line behind its host.
    Stream,
    /// At the end, hosts that said the same together.
    Group,
}

/// Of each host, at a terminal: so many lines from the beginning and from the end.
const HEAD: usize = 500;
const TAIL: usize = 500;

#[derive(Debug)]
pub struct Exec {
    stdout: Sink,
    stderr: Sink,
    look: Look,
    layout: Layout,
    /// Text goes to a terminal or to CI, which would obey what is in it.
    guarded: bool,
    column: usize,
    hosts: BTreeMap<HostName, Answer>,
}

#[derive(Debug, Default)]
struct Answer {
    stdout: Lines,
    stderr: Lines,
    head: Vec<String>,
    tail: VecDeque<String>,
    dropped: usize,
    error: Option<String>,
}

impl Answer {
    fn keep(&mut self, line: String) {
        if self.head.len() < HEAD {
            self.head.push(line);
            return;
        }
        if self.tail.len() == TAIL {
            self.tail.pop_front();
            self.dropped += 1;
        }
        self.tail.push_back(line);
    }

    fn lines(&self) -> Vec<String> {
        let mark = (self.dropped > 0).then(|| format!("… ({} left out)", count(self.dropped, "line")));
        self.head.iter().cloned().chain(mark).chain(self.tail.iter().cloned()).collect()
    }

    fn of(&mut self, stream: Stream) -> &mut Lines {
        if stream == Stream::Stdout { &mut self.stdout } else { &mut self.stderr }
    }
}

impl Exec {
    pub fn new((stdout, stderr): (Sink, Sink), look: Look, layout: Layout, guarded: bool) -> Exec {
        Exec { stdout, stderr, look, layout, guarded, column: 0, hosts: BTreeMap::new() }
    }

    fn started(&mut self, hosts: &[HostName]) {
        self.column = hosts.iter().map(|host| host.as_str().len()).max().unwrap_or(0);
        self.hosts = hosts.iter().map(|host| (host.clone(), Answer::default())).collect();
        if hosts.len() == 1 {
            self.layout = Layout::Stream;
        }
    }

    fn output(&mut self, host: &HostName, stream: Stream, text: &str) {
        if self.hosts.len() == 1 && !self.guarded {
            // One host in a pipe: data, as it is.
            return if stream == Stream::Stdout { self.stdout.raw(text) } else { self.stderr.raw(text) };
        }
        let mut complete = Vec::new();
        if let Some(answer) = self.hosts.get_mut(host) {
            answer.of(stream).push(text, |line| complete.push(line.to_owned()));
        }
        self.take(host, stream, &complete);
    }

    fn finished(&mut self, host: &HostName, outcome: Option<&Outcome>) {
        for stream in [Stream::Stdout, Stream::Stderr] {
            let mut rest = Vec::new();
            if let Some(answer) = self.hosts.get_mut(host) {
                answer.of(stream).finish(|line| rest.push(line.to_owned()));
            }
            self.take(host, stream, &rest);
        }
        if let (Some(Outcome::Failed { error }), Some(answer)) = (outcome, self.hosts.get_mut(host)) {
            answer.error = Some(error.causes.last().unwrap_or(&error.what).clone());
        }
    }

    fn take(&mut self, host: &HostName, stream: Stream, lines: &[String]) {
        let prefix = format!("{} | ", pad(host.as_str(), self.column));
        for line in lines.iter().map(|line| neutralise(line)) {
            match (self.layout, self.hosts.len()) {
                (Layout::Group, _) => {
                    if let Some(answer) = self.hosts.get_mut(host) {
                        answer.keep(line);
                    }
                }
                (Layout::Stream, 1) => self.sink(stream).line(&line),
                (Layout::Stream, _) => self.sink(stream).line(&format!("{prefix}{line}")),
            }
        }
    }

    fn sink(&mut self, stream: Stream) -> &mut Sink {
        if stream == Stream::Stdout { &mut self.stdout } else { &mut self.stderr }
    }

    /// Those that said the same together; who failed comes last.
    fn grouped(&mut self) {
        let mut groups: BTreeMap<(Option<String>, Vec<String>), Vec<HostName>> = BTreeMap::new();
        for (host, answer) in std::mem::take(&mut self.hosts) {
            let lines = answer.lines();
            // A host that was not reached said nothing; the recap tells of it.
            if !lines.is_empty() || answer.error.is_some() {
                groups.entry((answer.error, lines)).or_default().push(host);
            }
        }
        for ((error, lines), mut hosts) in groups {
            hosts.sort_by(natural_order);
            let number =
                if hosts.len() > 1 { format!(" ({})", count(hosts.len(), "host")) } else { String::new() };
            let failed = error.map_or_else(String::new, |error| format!(", {}", neutralise(&error)));
            let tone = if failed.is_empty() { Tone::Strong } else { Tone::Bad };
            let head = format!("{}{number}{failed}:", compact(&hosts, self.look.dots(), 12));
            self.stdout.line(&self.look.paint(tone, &head));
            for line in lines {
                self.stdout.line(&format!("  {}", bounded(&line, 4096)));
            }
        }
    }
}

impl Listener for Exec {
    fn event(&mut self, event: &Event) {
        match event {
            Event::RunStarted { hosts, .. } => self.started(hosts),
            Event::Output { task, stream, text } => self.output(&task.host, *stream, text),
            Event::TaskFinished { task, outcome, .. } => self.finished(&task.host, Some(outcome)),
            Event::RunFinished { hosts, .. } => {
                for host in hosts.keys() {
                    self.finished(host, None);
                }
                if self.layout == Layout::Group {
                    self.grouped();
                }
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use insta::assert_snapshot;

    use super::{Exec, Layout};
    use crate::report::look::Look;
    use crate::report::sample::{Sample, captured};
    use crate::words::error::Error;
    use crate::words::event::{Listener, Mode, Outcome, Stream, Tally, Verdict};

    fn shown(sample: &Sample, layout: Layout, guarded: bool) -> (String, String) {
        let ((stdout, out), (stderr, err)) = (captured(false), captured(false));
        let mut exec = Exec::new((stdout, stderr), Look::PLAIN, layout, guarded);
        sample.events.iter().for_each(|event| exec.event(event));
        (out.read(), err.read())
    }

    fn fleet() -> Sample {
        let sample = (0..6).fold(Sample::new(Mode::Exec, 6), |sample, host| {
            let text = if host == 4 { "trixie\n\u{1b}[2J" } else { "bookworm\n12.11\n" };
            sample.says(host, 0, "exec", Stream::Stdout, text)
        });
        let error = Error::failed("`cat /etc/os-release` failed").cause("exit code 1");
        sample
            .says(2, 0, "exec", Stream::Stderr, "no such file")
            .finishes(2, 0, "exec", Outcome::Failed { error })
            .all(Verdict::Ok, &Tally::default())
            .end(3)
    }

    #[test]
    fn a_terminal_sees_groups() {
        assert_snapshot!(shown(&fleet(), Layout::Group, true).0);
    }

    #[test]
    fn a_pipe_sees_lines_with_their_host() {
        let (out, err) = shown(&fleet(), Layout::Stream, false);
        assert_snapshot!(out);
        assert_eq!(err, "web3 | no such file\n");
    }

    #[test]
    fn one_host_in_a_pipe_is_data() {
        let sample = Sample::new(Mode::Exec, 1)
            .says(0, 0, "exec", Stream::Stdout, "a\u{1b}[1mb")
            .says(0, 0, "exec", Stream::Stdout, "\r\nno end")
            .all(Verdict::Ok, &Tally::default())
            .end(0);
        assert_eq!(shown(&sample, Layout::Stream, false).0, "a\u{1b}[1mb\r\nno end");
        assert_eq!(shown(&sample, Layout::Group, true).0, "ab\nno end\n");
    }

    #[test]
    fn endless_output_keeps_head_and_tail() {
        let sample = (0..5000).fold(Sample::new(Mode::Exec, 2), |sample, n| {
            sample.says(0, 0, "exec", Stream::Stdout, &format!("line {n}\n"))
        });
        let (out, _) = shown(&sample.all(Verdict::Ok, &Tally::default()).end(0), Layout::Group, true);
        assert!(out.contains("line 499\n  … (4000 lines left out)\n  line 4500\n"), "{out}");
    }
}
