//! Event sequences for the tests of reporters.

use std::collections::BTreeMap;
use std::io;
use std::ops::Range;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use crate::report::sink::Sink;
use crate::words::error::Error;
use crate::words::event::{
    Event, HostSummary, Mode, Outcome, SCHEMA_VERSION, Stream, Tally, TaskRef, Verdict,
};
use crate::words::names::HostName;

/// A run being written down.
#[derive(Debug)]
pub struct Sample {
    pub hosts: Vec<HostName>,
    pub events: Vec<Event>,
    summaries: BTreeMap<HostName, HostSummary>,
}

pub fn broken_nginx() -> Error {
    Error::failed("cannot run `nginx -t`")
        .cause("exit code 1")
        .command("nginx -t -c /etc/nginx/nginx.conf")
        .output(vec![
            "nginx: [emerg] unknown directive \"prxy_pass\" in /etc/nginx/sites-enabled/shop:12".into(),
            "nginx: configuration file /etc/nginx/nginx.conf test failed".into(),
        ])
        .hint("correct the template, then run the playbook again")
}

pub fn unreachable() -> Error {
    Error::unreachable("cannot reach HOST at port 22")
        .cause("connection timed out after 10 s")
        .hint("is the host up? try `ssh -v`")
}

impl Sample {
    pub fn new(mode: Mode, hosts: usize) -> Sample {
        let width = if hosts > 9 { hosts.to_string().len() } else { 1 };
        let hosts: Vec<HostName> =
            (1..=hosts).map(|n| HostName::new(format!("web{n:0width$}")).unwrap()).collect();
        let started = Event::RunStarted {
            version: SCHEMA_VERSION,
            run: "r1".into(),
            mode,
            playbook: "playbooks/deploy.toml".into(),
            hosts: hosts.clone(),
        };
        Sample { hosts, events: vec![started], summaries: BTreeMap::new() }
    }

    pub fn event(mut self, event: Event) -> Sample {
        self.events.push(event);
        self
    }

    pub fn task(&self, host: usize, index: usize, task: &str) -> TaskRef {
        TaskRef {
            host: self.hosts[host].clone(),
            stage: "switch".into(),
            index,
            task: task.into(),
            kind: "command".into(),
            origin: format!("playbooks/deploy.toml:{}", 12 + index),
        }
    }

    pub fn connecting(self, host: usize, attempt: u32) -> Sample {
        let host = self.hosts[host].clone();
        self.event(Event::Connecting { host, attempt })
    }

    pub fn connected(self, host: usize) -> Sample {
        let host = self.hosts[host].clone();
        self.event(Event::Connected { host, elapsed: Duration::from_millis(240) })
    }

    pub fn stage(self, hosts: Range<usize>, wave: usize, waves: usize) -> Sample {
        let hosts = self.hosts[hosts].to_vec();
        self.event(Event::StageStarted { stage: "switch".into(), hosts, wave, waves, tasks: 12 })
    }

    pub fn stage_done(self, wave: usize, failed: Range<usize>) -> Sample {
        let failed = self.hosts[failed].to_vec();
        self.event(Event::StageFinished { stage: "switch".into(), wave, failed })
    }

    pub fn starts(self, host: usize, index: usize, task: &str) -> Sample {
        let task = self.task(host, index, task);
        self.event(Event::TaskStarted { task })
    }

    pub fn says(self, host: usize, index: usize, task: &str, stream: Stream, text: &str) -> Sample {
        let task = self.task(host, index, task);
        self.event(Event::Output { task, stream, text: text.into() })
    }

    pub fn finishes(self, host: usize, index: usize, task: &str, outcome: Outcome) -> Sample {
        let task = self.task(host, index, task);
        self.event(Event::TaskFinished { task, outcome, elapsed: Duration::from_millis(1200) })
    }

    pub fn all(self, verdict: Verdict, tally: &Tally) -> Sample {
        let hosts = 0..self.hosts.len();
        self.verdict(hosts, verdict, tally)
    }

    pub fn verdict(mut self, hosts: Range<usize>, verdict: Verdict, tally: &Tally) -> Sample {
        for host in hosts {
            let summary = HostSummary { verdict, tally: tally.clone(), error: None, pending: vec![] };
            self.summaries.insert(self.hosts[host].clone(), summary);
        }
        self
    }

    pub fn fails(mut self, hosts: Range<usize>, error: &Error) -> Sample {
        let tally = Tally { changed: 3, failed: 1, ..Tally::default() };
        for host in hosts {
            self = self.finishes(host, 3, "nginx site", Outcome::Failed { error: error.clone() });
            let summary = HostSummary {
                verdict: Verdict::Failed,
                tally: tally.clone(),
                error: Some(error.clone()),
                pending: vec![],
            };
            self.summaries.insert(self.hosts[host].clone(), summary);
        }
        self
    }

    /// `HOST` in the error becomes the name of each.
    pub fn unreachable(mut self, hosts: Range<usize>, error: &Error) -> Sample {
        for host in hosts {
            let mut error = error.clone();
            error.what = error.what.replace("HOST", self.hosts[host].as_str());
            let summary = HostSummary {
                verdict: Verdict::Unreachable,
                tally: Tally::default(),
                error: Some(error),
                pending: vec![],
            };
            self.summaries.insert(self.hosts[host].clone(), summary);
        }
        self
    }

    pub fn pending(mut self, host: usize, handler: &str) -> Sample {
        if let Some(summary) = self.summaries.get_mut(&self.hosts[host]) {
            summary.pending.push(handler.into());
        }
        self
    }

    pub fn stopping(self, why: &str) -> Sample {
        self.event(Event::Stopping { why: why.into() })
    }

    pub fn end(mut self, exit_code: u8) -> Sample {
        for (host, summary) in &self.summaries {
            self.events.push(Event::HostFinished { host: host.clone(), summary: summary.clone() });
        }
        let elapsed = Duration::from_secs(41);
        let hosts = self.summaries.clone();
        self.event(Event::RunFinished { hosts, exit_code, elapsed })
    }
}

/// What a sink wrote.
#[derive(Clone, Debug, Default)]
pub struct Captured(Arc<Mutex<Vec<u8>>>);

impl Captured {
    pub fn read(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }
}

impl io::Write for Captured {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

pub fn captured(ci: bool) -> (Sink, Captured) {
    let text = Captured::default();
    (Sink::new(Box::new(text.clone()), ci), text)
}

/// What a terminal would show after `text`: it knows as much as the live view uses.
pub fn replay(text: &str) -> Vec<String> {
    let (mut rows, mut row, mut rest) = (vec![String::new()], 0usize, text);
    while let Some(c) = rest.chars().next() {
        rest = &rest[c.len_utf8()..];
        match c {
            '\n' => {
                row += 1;
                rows.resize(rows.len().max(row + 1), String::new());
            }
            '\r' => {}
            '\u{1b}' => {
                let end = rest.find(|c: char| c.is_ascii_alphabetic()).unwrap();
                match (&rest[1..end], &rest[end..=end]) {
                    (up, "A") => row -= up.parse::<usize>().unwrap(),
                    ("" | "2", "K") => rows[row].clear(),
                    ("?2026", "h" | "l") => {}
                    other => panic!("the live view should not use {other:?}"),
                }
                rest = &rest[end + 1..];
            }
            _ => rows[row].push(c),
        }
    }
    rows.retain(|row| !row.is_empty());
    rows
}
