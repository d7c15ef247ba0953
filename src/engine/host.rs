//! One host on its way through the stages: probe, plan, apply, again.

use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::engine::Run;
use crate::engine::basis::Basis;
use crate::engine::connect::First;
use crate::engine::diffs;
use crate::engine::notify::{ByStage, Doubtful};
use crate::engine::once::Once;
use crate::engine::reconnect::{Broken, Line};
use crate::plan::{self, Decision, Planned, Window};
use crate::spec::model::{Host, Live, Registered, Stage, TaskSpec};
use crate::transport::runner::Runner;
use crate::words::error::{Error, Kind, Result};
use crate::words::event::{Event, HostSummary, Mode, Outcome, Tally, TaskRef, Verdict};
use crate::words::fact::{Facts, Probe};
use crate::words::step::Change;

pub struct HostRun {
    pub(super) run: Run,
    pub(super) host: Host,
    pub(super) runner: Option<Runner>,
    /// Its link, for those who work beside.
    pub(super) line: Line,
    /// What was under way when the link was lost, until that is settled.
    pub(super) broken: Option<Broken>,
    /// How often it was connected to anew.
    pub(super) reconnected: usize,
    pub(super) facts: Facts,
    /// What was known before anything was predicted; diffs compare with it.
    pub(super) before: Facts,
    /// And files of what is made anew with those of what that takes the place of.
    pub(super) basis: Option<Basis>,
    pub(super) live: Live,
    pub(super) tally: Tally,
    /// Handlers to run, by stage.
    pub(super) notified: ByStage,
    /// Those of them that the host itself keeps, where the run holds something.
    pub(super) kept: ByStage,
    /// In a plan: handlers that tasks may notify, of which only a run can say what they change.
    pub(super) doubtful: Doubtful,
    pub(super) error: Option<Error>,
    pub(super) verdict: Verdict,
    /// In a plan: a step before has effects that nobody can predict.
    pub(super) tentative: bool,
}

/// A stage's name and a list of its tasks (or handlers), with the number of the first in the stage.
#[derive(Clone, Copy)]
pub(super) struct Part<'a> {
    pub stage: &'a str,
    pub specs: &'a [TaskSpec],
    pub first: usize,
}

impl HostRun {
    pub fn new(run: Run, host: Host) -> HostRun {
        HostRun {
            run,
            host,
            runner: None,
            line: Line::default(),
            broken: None,
            reconnected: 0,
            facts: Facts::default(),
            before: Facts::default(),
            basis: None,
            live: Live::default(),
            tally: Tally::default(),
            notified: ByStage::new(),
            kept: ByStage::new(),
            doubtful: Doubtful::new(),
            error: None,
            verdict: Verdict::NotStarted,
            tentative: false,
        }
    }

    pub fn failed(&self) -> bool {
        self.error.is_some()
    }

    /// Connects and asks, in one go.
    pub async fn connect(&mut self, first: First<'_>) {
        let began = Instant::now();
        self.run.emitter.send(Event::Connecting { host: self.host.name.clone(), attempt: 1 });
        let probes = first.probes(&self.host.name);
        match self.open(&probes).await {
            Ok(()) => {
                self.live.os = self.facts.host.clone();
                let host = self.host.name.clone();
                self.run.emitter.send(Event::Connected { host, elapsed: began.elapsed() });
            }
            Err(error) => self.fail(error),
        }
    }

    async fn open(&mut self, probes: &[Probe]) -> Result<()> {
        let (emitter, name) = (self.run.emitter.clone(), self.host.name.clone());
        let notice = move |text: String| emitter.send(Event::Notice { host: Some(name.clone()), text });
        let mut cancel = self.run.cancel.clone();
        let connecting = async {
            let link = self.run.connector.connect(&self.host, &notice).await?;
            let writes = self.run.options.mode == Mode::Run
                && probes.iter().any(|probe| matches!(probe, Probe::Digest(_) | Probe::Tree(_)));
            Runner::start(link, probes, writes, self.run.emitter.mask()).await
        };
        let (runner, facts) = tokio::select! {
            started = connecting => started?,
            () = cancelled(&mut cancel) => return Err(interrupted()),
        };
        self.line.set(runner.link());
        (self.runner, self.facts) = (Some(runner), facts);
        if let Some(pending) = &self.run.pending {
            self.notified = pending.load(&self.host.name);
        }
        Ok(())
    }

    /// All tasks of the stage, then the handlers that were notified: also when a task failed, because what they
    /// would have done may never be asked for again.
    pub async fn stage(&mut self, stage: &Stage, fresh: bool, once: &Once) {
        self.verdict = Verdict::Ok;
        // A plan goes on from what it has predicted: the stages before this one did not really run.
        if !fresh && self.run.options.mode != Mode::Plan {
            self.facts.forget();
        }
        let specs = stage.tasks.get(&self.host.name).map_or(&[][..], Vec::as_slice);
        let specs = once.tasks(&self.host.name, specs);
        let tasks = Part { stage: &stage.name, specs: &specs, first: 0 };
        let mut outcome = self.tasks(tasks, Some(once)).await;
        once.ended(&self.host.name);
        let reachable = |error: &Error| matches!(error.kind, Kind::Failed | Kind::Config);
        if outcome.as_ref().err().is_none_or(reachable) {
            let handlers = self.handlers(stage).await;
            outcome = outcome.and(handlers);
        }
        if let Err(error) = outcome {
            self.fail(error);
        }
    }

    /// Asks what is not known yet; with Ctrl-C, nobody waits for the answers.
    async fn probe(&mut self, probes: &[Probe]) -> Result<()> {
        let runner = self.runner.as_mut().ok_or_else(|| Error::bug("there is no connection to plan with"))?;
        let mut cancel = self.run.cancel.clone();
        tokio::select! {
            answered = runner.probe(probes, &mut self.facts) => answered,
            () = cancelled(&mut cancel) => Err(interrupted()),
        }
    }

    pub(super) async fn plan(&mut self, part: Part<'_>, window: &Window) -> Result<(Vec<Planned>, usize)> {
        let mut probes = window.probes(part.specs);
        probes.retain(|probe| !self.facts.contains(probe));
        self.probe(&probes).await?;
        if self.run.options.diffs {
            // A dry planning, to learn which files will change; then what they hold now.
            let (mut facts, mut tentative) = (self.facts.clone(), self.tentative);
            let (planned, _) = plan::steps(window, part.specs, &mut facts, &self.live, Some(&mut tentative));
            for _ in 0..diffs::ROUNDS {
                let changes = planned.iter().filter_map(|planned| change_of(&planned.decision));
                let probes = diffs::probes(changes, &self.facts, self.basis.as_ref());
                self.probe(&probes).await?;
            }
            self.before = self.facts.clone();
        }
        let tentative = (self.run.options.mode == Mode::Plan).then_some(&mut self.tentative);
        Ok(plan::steps(window, part.specs, &mut self.facts, &self.live, tentative))
    }

    pub(super) fn changed(&self, change: &Change) -> Outcome {
        let mut what = change.what.clone();
        if !self.run.options.diffs {
            return Outcome::Changed { what, diffs: vec![] };
        }
        let texts = diffs::texts(change, &self.before, self.basis.as_ref());
        what.extend(texts.what);
        Outcome::Changed { what, diffs: texts.diffs }
    }

    pub(super) fn task_ref(&self, part: Part<'_>, index: usize) -> TaskRef {
        let spec = &part.specs[index];
        TaskRef {
            host: self.host.name.clone(),
            stage: part.stage.to_owned(),
            index: part.first + index,
            task: spec.name.clone(),
            kind: spec.kind.to_owned(),
            origin: spec.origin.to_string(),
        }
    }

    /// Counts, notifies and tells what became of a task.
    pub(super) fn finished(&mut self, part: Part<'_>, index: usize, outcome: Outcome, elapsed: Duration) {
        let tally = &mut self.tally;
        let count = match &outcome {
            Outcome::Already { .. } => &mut tally.already,
            Outcome::Changed { .. } => &mut tally.changed,
            Outcome::Unknown { .. } => &mut tally.unknown,
            Outcome::Skipped { .. } => &mut tally.skipped,
            Outcome::Failed { .. } => &mut tally.failed,
        };
        *count += 1;
        match outcome {
            Outcome::Changed { .. } => self.notify(part.stage, &part.specs[index]),
            Outcome::Unknown { .. } => self.perhaps_notify(part.stage, &part.specs[index]),
            _ => {}
        }
        let spec = &part.specs[index];
        // In a plan nobody knows what another host will give.
        let anothers = self.run.options.mode == Mode::Plan && spec.once.is_some() && spec.skip.is_some();
        if let (Some(name), Outcome::Already { .. } | Outcome::Skipped { .. }, false) =
            (&spec.register, &outcome, anothers)
        {
            let skipped = Registered { skipped: true, ..Registered::default() };
            self.live.registered.insert(name.clone(), skipped);
        }
        let task = self.task_ref(part, index);
        if let Some(ledger) = &self.run.ledger {
            ledger.ended(&task, &outcome);
        }
        self.run.emitter.send(Event::TaskFinished { task, outcome, elapsed });
    }

    pub(super) fn fail(&mut self, error: Error) {
        self.verdict = match error.kind {
            Kind::Interrupted => Verdict::Interrupted,
            Kind::Unreachable | Kind::HostKey | Kind::Unknown => Verdict::Unreachable,
            _ => Verdict::Failed,
        };
        self.error = Some(error);
    }

    /// Nothing is left to do: also for a host that had no part in any stage.
    pub fn complete(&mut self) {
        if self.verdict == Verdict::NotStarted && self.runner.is_some() {
            self.verdict = Verdict::Ok;
        }
    }

    /// Says goodbye to the host and sums up.
    pub async fn finish(mut self) -> (crate::words::names::HostName, HostSummary) {
        self.notified.retain(|_, names| !names.is_empty());
        if self.runner.is_some() {
            self.keep_notified();
        }
        let keep = self.run.options.mode == Mode::Run;
        if let Some(runner) = self.runner.take() {
            runner.close().await;
        }
        let pending = if keep { self.notified.into_values().flatten().collect() } else { vec![] };
        let summary = HostSummary { verdict: self.verdict, tally: self.tally, error: self.error, pending };
        let (host, told) = (self.host.name.clone(), summary.clone());
        self.run.emitter.send(Event::HostFinished { host: host.clone(), summary: told });
        (host, summary)
    }
}

fn change_of(decision: &Decision) -> Option<&Change> {
    if let Decision::Step(step) = decision { step.change() } else { None }
}

pub fn interrupted() -> Error {
    Error::new(Kind::Interrupted, "interrupted")
        .hint("run the same command again: what is done is not repeated")
}

pub async fn cancelled(cancel: &mut tokio::sync::watch::Receiver<bool>) {
    while !*cancel.borrow_and_update() {
        if cancel.changed().await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}

/// Hosts are handed between the fleet and the tasks that work on them.
pub type Shared = Arc<tokio::sync::Mutex<HostRun>>;
