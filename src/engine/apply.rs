//! Performs a batch of planned tasks on one host: streams the actions, tells their output and endings.

use std::time::{Duration, Instant};

use crate::engine::capture::Capture;
use crate::engine::host::{HostRun, Part};
use crate::engine::retry::Failure;
use crate::plan::{self, Decision, Planned};
use crate::spec::model::{Registered, TaskSpec};
use crate::transport::runner::{Batch, Ending, Progress};
use crate::words::action::Action;
use crate::words::error::{Error, Result};
use crate::words::event::{Event, Outcome, Stream, TaskRef};
use crate::words::fact::Probe;
use crate::words::step::{Change, Step};

/// Pieces of what files and folders say, which is little.
const MOST_EARLY: usize = 64;

/// A planned task with what is needed to perform and tell it.
pub(super) struct Job {
    pub(super) index: usize,
    pub(super) task: TaskRef,
    /// What it ends as when all goes well.
    outcome: Outcome,
    pub(super) actions: Vec<Action>,
    /// Its effects are unknown; whether it changed anything may be judged afterwards.
    unknown: bool,
}

/// How far a batch has come.
pub(super) struct Course<'a> {
    pub(super) host: &'a mut HostRun,
    pub(super) part: Part<'a>,
    pub(super) jobs: &'a [Job],
    /// For each action of the batch: its job, and whether it is that job's first or last.
    pub(super) places: Vec<(usize, bool, bool)>,
    /// Jobs before this one are told.
    pub(super) told: usize,
    pub(super) began: Instant,
    pub(super) capture: Capture,
    /// The action at work.
    pub(super) working: Option<usize>,
    /// What files and folders have said: of which of them is known at the end.
    early: Vec<(Stream, String)>,
    /// A condition that could not be judged.
    pub(super) failed: Option<Failure>,
}

impl HostRun {
    /// Performs `planned`; `end` is the index of the first task behind it, whose probes travel along. Gives the
    /// task that failed, if one did.
    pub(super) async fn apply(
        &mut self,
        part: Part<'_>,
        planned: Vec<Planned>,
        end: usize,
    ) -> Result<Option<Failure>> {
        let mut jobs = vec![];
        let mut refused = None;
        for planned in planned {
            match self.reached_anew(planned.decision).await? {
                // What was planned before it is done first.
                Decision::Failed(error) => {
                    refused = Some(Failure {
                        from: planned.index,
                        index: planned.index,
                        error,
                        elapsed: Duration::ZERO,
                    });
                }
                decision => jobs.push(self.job(part, planned.index, decision)),
            }
        }
        let busy = jobs.iter().filter(|job| !job.actions.is_empty());
        let names = busy.flat_map(|job| part.specs[job.index].notify.iter().cloned()).collect();
        self.expect_notified(part.stage, names).await?;
        let failed = self.perform(part, &jobs, end).await?.or(refused);
        self.keep_notified();
        if failed.is_some() {
            // What was predicted of it and of those behind it has not come true.
            self.facts.forget();
        }
        Ok(failed)
    }

    fn job(&self, part: Part<'_>, index: usize, decision: Decision) -> Job {
        let task = self.task_ref(part, index);
        let (outcome, change, unknown) = match decision {
            Decision::Skip { why } => (Outcome::Skipped { why }, Change::default(), false),
            Decision::Step(Step::Already { why }) => (Outcome::Already { why }, Change::default(), false),
            Decision::Step(Step::Change(change)) => (self.changed(&change), change, false),
            Decision::Step(Step::Unknown(change)) => {
                let outcome = if change.changes {
                    self.changed(&change)
                } else {
                    Outcome::Unknown { what: change.what.clone() }
                };
                (outcome, change, true)
            }
            Decision::Failed(error) => (Outcome::Failed { error }, Change::default(), false),
        };
        Job { index, task, outcome, actions: change.actions, unknown }
    }

    /// Runs `jobs` until one fails.
    async fn perform(&mut self, part: Part<'_>, jobs: &[Job], end: usize) -> Result<Option<Failure>> {
        let actions: Vec<Action> = jobs.iter().flat_map(|job| job.actions.iter().cloned()).collect();
        let then = self.probes_behind(part, jobs, end);
        let mut cancel = self.run.cancel.clone();
        let mut runner =
            self.runner.take().ok_or_else(|| Error::bug("there is no connection to work with"))?;
        let mut facts = std::mem::take(&mut self.facts);
        let emitter = self.run.emitter.clone();
        let mut course = Course::new(self, part, jobs);
        let batch = Batch { actions: &actions, then: &then };
        let ran = if actions.is_empty() {
            Ok(Ending::Done)
        } else {
            let mut sink = |progress: Progress<'_>| course.progress(&progress);
            runner.run(&batch, &mut facts, &mut cancel, &mut sink, &|| emitter.ready()).await
        };
        let failed = course.conclude(ran, &actions);
        (self.runner, self.facts) = (Some(runner), facts);
        failed
    }

    /// What the tasks behind this batch will look at. Nothing known before holds behind an unknown effect, nor what was
    /// found before a change and is another thing behind it.
    fn probes_behind(&mut self, part: Part<'_>, jobs: &[Job], end: usize) -> Vec<Probe> {
        let is_stale = part.specs.get(end).is_some_and(|spec| spec.unless.is_some())
            && jobs.iter().any(|job| !job.actions.is_empty());
        if !is_stale && !self.facts.is_doubted() && !jobs.iter().any(|job| job.unknown) {
            return vec![];
        }
        self.facts.forget();
        plan::window(part.specs, end, Some(&self.live)).probes(part.specs)
    }

    /// The outcome, with what `changed_when` says.
    fn judged(&mut self, spec: &TaskSpec, job: &Job, result: &mut Registered) -> Result<Outcome> {
        result.changed = matches!(job.outcome, Outcome::Changed { .. });
        let Some(condition) = &spec.changed_when else { return Ok(job.outcome.clone()) };
        self.live.result = Some(result.clone());
        let changed = condition.holds(&self.live);
        self.live.result = None;
        result.changed = changed?;
        Ok(match &job.outcome {
            Outcome::Changed { what, .. } if !result.changed => Outcome::Unknown { what: what.clone() },
            Outcome::Unknown { what } if result.changed => {
                Outcome::Changed { what: what.clone(), diffs: vec![] }
            }
            outcome => outcome.clone(),
        })
    }
}

impl<'a> Course<'a> {
    fn new(host: &'a mut HostRun, part: Part<'a>, jobs: &'a [Job]) -> Course<'a> {
        let place = |(at, job): (usize, &Job)| {
            let last = job.actions.len().saturating_sub(1);
            (0..job.actions.len()).map(move |action| (at, action == 0, action == last)).collect::<Vec<_>>()
        };
        let places = jobs.iter().enumerate().flat_map(place).collect();
        let capture = Capture::new(host.run.emitter.mask().clone());
        Course {
            host,
            part,
            jobs,
            places,
            told: 0,
            began: Instant::now(),
            capture,
            working: None,
            early: vec![],
            failed: None,
        }
    }

    fn progress(&mut self, progress: &Progress<'_>) {
        match *progress {
            Progress::Sent(_) => {}
            Progress::Began(action) => self.begin(action),
            Progress::Output(action, stream, bytes) => {
                let shown = self.capture.push(stream, bytes);
                if let (Some(text), Some(&(at, ..))) = (shown, self.places.get(action)) {
                    if self.is_own_process(at) {
                        let task = self.jobs[at].task.clone();
                        self.host.run.emitter.send(Event::Output { task, stream, text });
                    } else if self.early.len() < MOST_EARLY {
                        self.early.push((stream, text));
                    }
                }
            }
            Progress::Ended(action, code) => self.end(action, code),
        }
    }

    fn is_own_process(&self, at: usize) -> bool {
        self.jobs[at].actions.iter().any(|action| matches!(action, Action::Run(_)))
    }

    fn begin(&mut self, action: usize) {
        let Some(&(at, first, _)) = self.places.get(action) else { return };
        self.working = Some(action);
        if first && !self.is_blamed_early(at) {
            self.catch_up(at);
            self.began = Instant::now();
            self.host.run.emitter.send(Event::TaskStarted { task: self.jobs[at].task.clone() });
        }
    }

    fn end(&mut self, action: usize, code: i32) {
        let Some(&(at, _, last)) = self.places.get(action) else { return };
        let task = &self.jobs[at].task;
        let said = std::mem::take(&mut self.early).into_iter().chain(self.capture.flush());
        // Where others come first, each is done by itself, and says it again.
        for (stream, text) in said.filter(|_| !self.is_blamed_early(at)) {
            self.host.run.emitter.send(Event::Output { task: task.clone(), stream, text });
        }
        let ok = match &self.jobs[at].actions[..] {
            [.., Action::Run(command)] if last => command.ok_codes.contains(&code),
            _ => code == 0,
        };
        if ok {
            self.working = None;
        }
        if last && ok {
            self.catch_up(at);
            let capture =
                std::mem::replace(&mut self.capture, Capture::new(self.host.run.emitter.mask().clone()));
            self.done(at, &capture, code);
            if self.told == at {
                self.told += 1;
            }
        }
    }

    /// Tells the jobs before `to` that had nothing to do. One that is busy and not heard of holds up those behind.
    pub(super) fn catch_up(&mut self, to: usize) {
        while let Some(job) = self.jobs[..to].get(self.told).filter(|job| job.actions.is_empty()) {
            self.host.finished(self.part, job.index, job.outcome.clone(), Duration::ZERO);
            self.told += 1;
        }
    }

    fn done(&mut self, at: usize, capture: &Capture, code: i32) {
        let job = &self.jobs[at];
        let spec = &self.part.specs[job.index];
        let mut result = captured(capture, code);
        match self.host.judged(spec, job, &mut result) {
            Ok(outcome) => {
                if let Some(name) = &spec.register {
                    self.host.live.registered.insert(name.clone(), result);
                }
                self.host.finished(self.part, job.index, outcome, self.began.elapsed());
            }
            Err(error) => {
                let elapsed = self.began.elapsed();
                let (from, index) = (job.index, job.index);
                self.failed.get_or_insert(Failure { from, index, error, elapsed });
            }
        }
    }
}

/// Without line breaks at the end, as a shell's `$(…)` gives it.
fn captured(capture: &Capture, code: i32) -> Registered {
    let text = |said: String| said.trim_end_matches(['\n', '\r']).to_owned();
    let (stdout, stderr) = (text(capture.stdout()), text(capture.stderr()));
    Registered { stdout, stderr, code, cut: capture.cut(), ..Registered::default() }
}
