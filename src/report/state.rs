//! What the live view knows: a row for each host, the stage in hand, and lines to say once.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use crate::report::above::{Above, Speech};
use crate::report::look::{Look, Tone, sign_of_run};
use crate::report::text::{bounded, elapsed, fit, floor_boundary, neutralise, with_last_line};
use crate::words::event::{Event, Mode, Outcome, Stream, TaskRef, Verdict};
use crate::words::names::HostName;
use crate::words::plural::count;

/// So many failures are told as they happen; the recap has all of them.
const FAILURES_TOLD: usize = 10;
/// Of output, this much from its end is looked at for a last line.
const TAIL: usize = 2048;

#[derive(Debug)]
pub struct State {
    pub look: Look,
    pub verbose: bool,
    mode: Mode,
    pub playbook: String,
    pub started: Instant,
    pub stage: Option<Stage>,
    pub rows: Vec<Row>,
    index: BTreeMap<HostName, usize>,
    stages_seen: usize,
    failures: usize,
    /// Lines that stay above the view, not printed yet.
    pub above: Above,
}

#[derive(Debug)]
pub struct Stage {
    pub name: String,
    /// From 1, of those begun so far.
    pub number: usize,
    pub wave: usize,
    pub waves: usize,
    pub tasks: usize,
    started: Instant,
    hosts: Vec<HostName>,
    changed: usize,
    already: usize,
}

#[derive(Debug)]
pub struct Row {
    pub name: HostName,
    pub phase: Phase,
    pub since: Instant,
    /// The last line of output, harmless, or what was last done.
    pub last: String,
    /// Tasks of this stage.
    pub finished: usize,
    speech: Speech,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Phase {
    Waiting,
    Connecting {
        attempt: u32,
    },
    /// Connected, and between two tasks.
    Idle,
    Running {
        task: String,
        index: usize,
    },
    Done(Verdict),
}

impl State {
    pub fn new(look: Look, verbose: bool, now: Instant) -> State {
        State {
            look,
            verbose,
            mode: Mode::Run,
            playbook: String::new(),
            started: now,
            stage: None,
            rows: vec![],
            index: BTreeMap::new(),
            stages_seen: 0,
            failures: 0,
            above: Above::new(look),
        }
    }

    /// Cheap: nothing is drawn here, and of output only the end is looked at.
    pub fn event(&mut self, event: &Event, now: Instant) {
        match event {
            Event::RunStarted { playbook, mode, hosts, .. } => {
                self.mode = *mode;
                self.run_started(playbook, hosts, now);
            }
            Event::Connecting { host, attempt } => {
                self.phase(host, Phase::Connecting { attempt: *attempt }, now);
            }
            Event::Connected { host, .. } => self.phase(host, Phase::Idle, now),
            Event::Notice { host, text } => self.notice(host.as_ref(), text),
            Event::StageStarted { stage, hosts, wave, waves, tasks } => {
                self.stage_started(stage, hosts, (*wave, *waves), *tasks, now);
            }
            Event::TaskStarted { task } => self.task_started(task, now),
            Event::Output { task, stream, text } => self.output(task, *stream, text),
            Event::TaskFinished { task, outcome, elapsed } => {
                self.task_finished(task, outcome, *elapsed);
                let failed = matches!(outcome, Outcome::Failed { .. });
                self.phase(&task.host, if failed { Phase::Done(Verdict::Failed) } else { Phase::Idle }, now);
            }
            Event::StageFinished { failed, .. } => self.stage_finished(failed.len(), now),
            Event::Stopping { why } => {
                self.above.say(Tone::Bad, &format!("stopping: {}", neutralise(why).replace('\n', " ")));
            }
            Event::HostFinished { host, summary } => {
                if let (Verdict::Unreachable, Some(error)) = (summary.verdict, &summary.error)
                    && self.mode != Mode::Check
                {
                    self.failure(host, &with_last_line(error));
                }
                self.phase(host, Phase::Done(summary.verdict), now);
            }
            // Told at the end, all together; and by the tasks.
            Event::Finding { .. } | Event::RunFinished { .. } | Event::Release { .. } => {}
        }
    }

    fn run_started(&mut self, playbook: &str, hosts: &[HostName], now: Instant) {
        playbook.clone_into(&mut self.playbook);
        self.started = now;
        let row = |name: &HostName| Row {
            name: name.clone(),
            phase: Phase::Waiting,
            since: now,
            last: String::new(),
            finished: 0,
            speech: Speech::default(),
        };
        self.rows = hosts.iter().map(row).collect();
        self.index = hosts.iter().enumerate().map(|(at, host)| (host.clone(), at)).collect();
    }

    fn stage_started(
        &mut self,
        name: &str,
        hosts: &[HostName],
        (wave, waves): (usize, usize),
        tasks: usize,
        started: Instant,
    ) {
        self.stages_seen += usize::from(wave <= 1);
        let (name, number) = (fit(name, 60, "…"), self.stages_seen);
        let (changed, already, here) = (0, 0, hosts.to_vec());
        self.stage = Some(Stage { name, number, wave, waves, tasks, started, hosts: here, changed, already });
        for host in hosts {
            if let Some(row) = self.row(host) {
                row.finished = 0;
                if row.phase == Phase::Done(Verdict::Ok) {
                    row.phase = Phase::Idle;
                }
            }
        }
    }

    fn row(&mut self, host: &HostName) -> Option<&mut Row> {
        self.index.get(host).and_then(|&at| self.rows.get_mut(at))
    }

    fn phase(&mut self, host: &HostName, phase: Phase, now: Instant) {
        if let Some(row) = self.row(host) {
            row.phase = phase;
            row.since = now;
        }
    }

    fn notice(&mut self, host: Option<&HostName>, text: &str) {
        let host = host.map_or_else(String::new, |host| format!("{host}: "));
        self.above.say(Tone::Faint, &format!("{host}{}", neutralise(text.trim_end())));
    }

    fn task_started(&mut self, task: &TaskRef, now: Instant) {
        let phase = Phase::Running { task: fit(&task.task, 80, "…"), index: task.index };
        self.phase(&task.host, phase, now);
        if let Some(row) = self.row(&task.host) {
            row.last.clear();
        }
    }

    fn output(&mut self, task: &TaskRef, stream: Stream, text: &str) {
        if self.verbose && self.mode == Mode::Run {
            let lines = self.row(&task.host).map(|row| row.speech.push(stream, text));
            self.above.output(&task.host, &lines.unwrap_or_default());
        }
        let start = floor_boundary(text, text.len().saturating_sub(TAIL));
        let line =
            text[start..].lines().rev().map(|line| fit(line.trim(), 200, "…")).find(|line| !line.is_empty());
        if let (Some(line), Some(row)) = (line, self.row(&task.host)) {
            row.last = line;
        }
    }

    fn task_finished(&mut self, task: &TaskRef, outcome: &Outcome, time: Duration) {
        let rest = self.row(&task.host).map(|row| row.speech.finish());
        self.above.output(&task.host, &rest.unwrap_or_default());
        let changed = matches!(outcome, Outcome::Changed { .. });
        if let Some(stage) = &mut self.stage {
            stage.changed += usize::from(changed);
            stage.already += usize::from(matches!(outcome, Outcome::Already { .. }));
        }
        if let Outcome::Failed { error } = outcome {
            // With `tow exec` that is the result, which comes at the end.
            if self.mode != Mode::Exec {
                self.failure(&task.host, &format!("{}: {}", task.task, with_last_line(error)));
            }
        } else if self.verbose {
            let (sign, tone) = sign_of_run(outcome);
            let words = match outcome {
                Outcome::Already { why } | Outcome::Skipped { why } => why.clone(),
                Outcome::Changed { what, .. } | Outcome::Unknown { what } => what.join("; "),
                Outcome::Failed { .. } => String::new(),
            };
            let words =
                if matches!(outcome, Outcome::Unknown { .. }) { "ran without change".into() } else { words };
            let line = format!("{sign} {}: {}: {words} ({})", task.host, task.task, elapsed(time));
            self.above.say(tone, &neutralise(&line).replace('\n', " "));
        }
        if let Some(row) = self.row(&task.host) {
            row.last.clear();
            row.finished += 1;
        }
    }

    fn failure(&mut self, host: &HostName, text: &str) {
        self.failures += 1;
        if self.failures <= FAILURES_TOLD {
            let line = format!("{} {host}: {}", self.look.cross(), neutralise(text).replace('\n', " "));
            self.above.say(Tone::Bad, &bounded(&line, 500));
        } else if self.failures == FAILURES_TOLD + 1 {
            self.above.say(
                Tone::Bad,
                &format!("{} more hosts fail; all are told of at the end", self.look.cross()),
            );
        }
    }

    /// Who is in no later stage is done; a stage that begins takes its hosts back.
    fn hosts_done(&mut self) {
        let hosts = self.stage.as_ref().map(|stage| stage.hosts.clone()).unwrap_or_default();
        for host in &hosts {
            if let Some(row) = self.row(host).filter(|row| row.phase == Phase::Idle) {
                row.phase = Phase::Done(Verdict::Ok);
            }
        }
    }

    fn stage_finished(&mut self, failed: usize, now: Instant) {
        self.hosts_done();
        // A plan changes nothing, and what `tow exec` does is in its output.
        let Some(stage) = self.stage.as_ref().filter(|_| self.mode == Mode::Run) else { return };
        let wave =
            if stage.waves > 1 { format!(" wave {}/{}", stage.wave, stage.waves) } else { String::new() };
        let mut words = vec![count(stage.hosts.len(), "host")];
        let counts = [
            (stage.changed, "changed"),
            (stage.already, "already"),
            (failed, if failed == 1 { "host failed" } else { "hosts failed" }),
        ];
        words.extend(counts.iter().filter(|(n, _)| *n > 0).map(|(n, word)| format!("{n} {word}")));
        let (mark, tone) =
            if failed > 0 { (self.look.cross(), Tone::Bad) } else { (self.look.tick(), Tone::Good) };
        let time = elapsed(now.saturating_duration_since(stage.started));
        let line = format!("{mark} {}{wave}: {} ({time})", stage.name, words.join(", "));
        self.above.say(tone, &line);
    }
}
