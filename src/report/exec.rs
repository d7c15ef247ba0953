//! `tow exec`: what the hosts said is the result. Streamed in a pipe, grouped by equal answers at a terminal.

use std::collections::{BTreeMap, VecDeque};

use crate::report::hosts::{compact, natural_order};
use crate::report::lines::Lines;
use crate::report::look::{Look, Tone};
use crate::report::sink::Sink;
use crate::report::text::{bounded, neutralise, pad, wrap};
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

/// Which ways out lead to a terminal or to CI, which would obey what is written there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Guarded {
    pub stdout: bool,
    pub stderr: bool,
}

/// Of each host, at a terminal: so many bytes from the beginning, and as many from the end.
const KEPT: usize = 64 << 10;

#[derive(Debug)]
pub struct Exec {
    stdout: Sink,
    stderr: Sink,
    look: Look,
    layout: Layout,
    guarded: Guarded,
    column: usize,
    hosts: BTreeMap<HostName, Answer>,
}

#[derive(Debug, Default)]
struct Answer {
    stdout: Lines,
    stderr: Lines,
    head: Vec<String>,
    head_bytes: usize,
    tail: VecDeque<String>,
    tail_bytes: usize,
    dropped: usize,
    error: Option<String>,
}

impl Answer {
    fn keep(&mut self, line: String) {
        // An empty line costs memory too.
        let cost = |line: &String| line.len() + size_of::<String>();
        if self.head_bytes < KEPT {
            self.head_bytes += cost(&line);
            self.head.push(line);
            return;
        }
        self.tail_bytes += cost(&line);
        self.tail.push_back(line);
        while self.tail_bytes > KEPT {
            let Some(gone) = self.tail.pop_front() else { break };
            self.tail_bytes -= cost(&gone);
            self.dropped += 1;
        }
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
    pub fn new((stdout, stderr): (Sink, Sink), look: Look, layout: Layout, guarded: Guarded) -> Exec {
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
        let guarded = if stream == Stream::Stdout { self.guarded.stdout } else { self.guarded.stderr };
        if self.hosts.len() == 1 && !guarded {
            // One host in a pipe: data, as it is.
            return self.sink(stream).raw(text);
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
        let prefix = match self.hosts.len() {
            1 => String::new(),
            _ => format!("{} | ", pad(host.as_str(), self.column)),
        };
        let mut text = String::new();
        for line in lines.iter().map(|line| neutralise(line)) {
            match (self.layout, self.hosts.get_mut(host)) {
                (Layout::Group, Some(answer)) => answer.keep(line),
                (Layout::Group, None) => {}
                (Layout::Stream, _) => text.extend([prefix.as_str(), &line, "\n"]),
            }
        }
        if !text.is_empty() {
            self.sink(stream).text(&text);
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
        let mut groups: Vec<_> = groups.into_iter().collect();
        for (_, hosts) in &mut groups {
            hosts.sort_by(natural_order);
        }
        groups.sort_by(|((error_a, _), a), ((error_b, _), b)| {
            error_a.is_some().cmp(&error_b.is_some()).then_with(|| natural_order(&a[0], &b[0]))
        });
        for ((error, lines), hosts) in groups {
            let number =
                if hosts.len() > 1 { format!(" ({})", count(hosts.len(), "host")) } else { String::new() };
            let failed = error.map_or_else(String::new, |error| format!(", {}", neutralise(&error)));
            let tone = if failed.is_empty() { Tone::Strong } else { Tone::Bad };
            let colon = if lines.is_empty() { "" } else { ":" };
            let head = format!("{}{number}{failed}{colon}", compact(&hosts, self.look.dots(), 12));
            let head = wrap(&head, self.look.width, 2);
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

    use super::{Exec, Guarded, Layout};
    use crate::report::look::Look;
    use crate::report::sample::{Sample, captured};
    use crate::words::error::Error;
    use crate::words::event::{Listener, Mode, Outcome, Stream, Tally, Verdict};

    fn shown(sample: &Sample, layout: Layout, terminal: bool) -> (String, String) {
        let guarded = Guarded { stdout: terminal, stderr: true };
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
            .says(0, 0, "exec", Stream::Stderr, "\u{1b}[2Jon a terminal\n")
            .all(Verdict::Ok, &Tally::default())
            .end(0);
        assert_eq!(shown(&sample, Layout::Stream, false).1, "on a terminal\n");
        assert_eq!(shown(&sample, Layout::Stream, false).0, "a\u{1b}[1mb\r\nno end");
        assert_eq!(shown(&sample, Layout::Group, true).0, "ab\nno end\n");
    }

    #[test]
    fn endless_output_keeps_head_and_tail() {
        let sample = (0..20_000).fold(Sample::new(Mode::Exec, 2), |sample, n| {
            sample.says(0, 0, "exec", Stream::Stdout, &format!("line {n}\n"))
        });
        let (out, _) = shown(&sample.all(Verdict::Ok, &Tally::default()).end(0), Layout::Group, true);
        assert!(out.len() < 2 * super::KEPT && out.contains("  line 0\n") && out.ends_with("  line 19999\n"));
        assert!(out.contains(" lines left out)\n"), "{out}");
    }
}
