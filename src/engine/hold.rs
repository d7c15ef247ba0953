//! A run that holds something on every host from its first task to its last: the lock of an application. What the hosts
//! say when it is taken decides what the tasks are.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use futures::future::join_all;

use crate::engine::Run;
use crate::engine::basis::Basis;
use crate::engine::host::{HostRun, Shared, interrupted};
use crate::engine::notify::ByStage;
use crate::engine::reconnect::Line;
use crate::spec::model::{Host, Project};
use crate::task::releases::lock::End;
use crate::transport::runner::Runner;
use crate::transport::{Connector, Link};
use crate::words::error::{Error, Kind, Result};
use crate::words::event::{Event, Mode, Verdict};
use crate::words::fact::{Fact, Facts, Output, Probe};
use crate::words::names::HostName;

type Fleet = BTreeMap<HostName, Shared>;

/// Between two signs of life.
const BEAT: Duration = Duration::from_secs(10);
/// For giving back over a new connection, which may have to bring a release back.
const LAST: Duration = Duration::from_secs(300);

/// What is taken, and given back. Each gives a script for a host and judges what that said.
pub trait Hold: Send + Sync {
    fn take(&self, host: &HostName) -> String;
    /// Notices, where it was taken.
    fn taken(&self, host: &HostName, said: &Output) -> Result<Vec<String>>;
    /// A sign of life.
    fn renew(&self, host: &HostName) -> String;
    /// The run goes on over another connection; an error where it no longer has what it took.
    fn rejoin(&self, host: &HostName) -> String;
    fn rejoined(&self, host: &HostName, said: &Output) -> Result<()>;
    /// Asked once the tasks are known and before the first of them: writes down what the run is about to do.
    fn begin(&self, host: &HostName) -> String;
    /// Notices, where it was written.
    fn begun(&self, host: &HostName, said: &Output) -> Result<Vec<String>>;
    /// Handlers that a run before has left there.
    fn waiting(&self, host: &HostName) -> ByStage;
    /// Keeps these handlers there until they have run.
    fn keep(&self, host: &HostName, handlers: &ByStage) -> String;
    fn give_back(&self, host: &HostName, left: Left<'_>) -> String;
    /// Notices; an error where the host is not as the run has left it.
    fn given_back(&self, host: &HostName, said: &Output) -> Result<Vec<String>>;
    /// The release that the tasks are about, where they are about one.
    fn release(&self) -> Option<String>;
    /// What the tasks on a host make anew, and in place of what; known once they are.
    fn basis(&self, host: &HostName) -> Option<Basis>;
    /// The tasks, now that every host has said what it has.
    fn project(&self) -> Result<Project>;
}

/// How a run leaves a host.
#[derive(Clone, Copy, Debug)]
pub struct Left<'a> {
    /// What the run did and did not confirm stays; else it is undone.
    pub keep: bool,
    /// Of all hosts together.
    pub end: End,
    /// Those that were notified and did not run.
    pub handlers: &'a ByStage,
}

/// Hosts where it was taken, and the signs of life for them.
pub struct Held {
    hold: Arc<dyn Hold>,
    hosts: Vec<HostName>,
    beats: Option<tokio::task::JoinHandle<()>>,
    pub project: Option<Project>,
}

impl Held {
    /// Takes it on all hosts, or on none. The first of them decides between two who want it at once.
    pub async fn take(hold: &Arc<dyn Hold>, run: &Run, fleet: &Fleet) -> Held {
        let mut own = Held { hold: hold.clone(), hosts: vec![], beats: None, project: None };
        if any_failed(fleet).await || run.cancelled() {
            return own;
        }
        let mut all = fleet.iter();
        let first: Vec<_> = all.by_ref().take(1).collect();
        for some in [first, all.collect()] {
            let took = join_all(some.iter().map(|(_, host)| take_one(hold.as_ref(), run, host))).await;
            let names = some.iter().zip(took).filter(|(_, took)| *took).map(|((name, _), _)| (*name).clone());
            own.hosts.extend(names);
            if any_failed(fleet).await {
                return own;
            }
        }
        if run.options.mode != Mode::Plan {
            own.beats = Some(tokio::spawn(beat(hold.clone(), run.connector.clone(), lines(fleet).await)));
        }
        match hold.project() {
            Ok(project) => {
                if let Some(release) = hold.release() {
                    run.emitter.send(Event::Release { release });
                }
                for (name, host) in fleet {
                    host.lock().await.basis = hold.basis(name);
                }
                if run.options.mode != Mode::Plan {
                    join_all(fleet.values().map(|host| begin_one(hold.as_ref(), run, host))).await;
                }
                own.project = (!any_failed(fleet).await).then_some(project);
            }
            Err(error) => {
                for host in fleet.values() {
                    host.lock().await.fail(error.clone());
                }
            }
        }
        own
    }

    /// Gives it back everywhere. The hosts in `undone` take back what they have not confirmed, also if they did well.
    pub async fn give_back(mut self, run: &Run, fleet: &Fleet, undone: &BTreeSet<HostName>) {
        let hosts = self.hosts.iter().filter_map(|name| Some((fleet.get(name)?, undone.contains(name))));
        let end = end(run, fleet, !undone.is_empty()).await;
        if run.cancelled() {
            let text =
                "interrupted: what was not confirmed goes back now; Ctrl-C again ends at once".to_owned();
            run.emitter.send(Event::Notice { host: None, text });
        }
        join_all(hosts.map(|(host, undo)| give_one(self.hold.as_ref(), run, host, (undo, end)))).await;
        // Until here: the host must not take us for dead while it is busy.
        if let Some(beats) = self.beats.take() {
            beats.abort();
        }
    }
}

async fn any_failed(fleet: &Fleet) -> bool {
    let failed = join_all(fleet.values().map(|host| async { host.lock().await.failed() })).await;
    failed.into_iter().any(|failed| failed)
}

/// One that has failed counts above one that was lost: to go on with what was prepared may not help.
async fn end(run: &Run, fleet: &Fleet, undo: bool) -> End {
    let kinds =
        join_all(fleet.values().map(|host| async { host.lock().await.error.as_ref().map(|e| e.kind) }));
    let kinds: Vec<Kind> = kinds.await.into_iter().flatten().collect();
    let lost = [Kind::Unreachable, Kind::HostKey, Kind::Unknown];
    match () {
        () if kinds.iter().any(|kind| *kind != Kind::Interrupted && !lost.contains(kind)) => End::Failed,
        () if run.cancelled() || kinds.contains(&Kind::Interrupted) => End::Interrupted,
        () if !kinds.is_empty() => End::Lost,
        () if undo => End::Failed,
        () => End::Well,
    }
}

async fn take_one(hold: &dyn Hold, run: &Run, host: &Shared) -> bool {
    let mut host = host.lock().await;
    let name = host.host.name.clone();
    let script = hold.take(&name);
    let said = host.ask(script).await;
    match said.and_then(|said| hold.taken(&name, &said)) {
        Ok(notices) => {
            tell(run, &name, notices);
            host.notified = hold.waiting(&name);
            host.kept = host.notified.clone();
            true
        }
        Err(error) => {
            host.fail(error);
            false
        }
    }
}

async fn begin_one(hold: &dyn Hold, run: &Run, host: &Shared) {
    let mut host = host.lock().await;
    let name = host.host.name.clone();
    let script = hold.begin(&name);
    if script.is_empty() {
        return;
    }
    let said = host.ask(script).await;
    match said.and_then(|said| hold.begun(&name, &said)) {
        Ok(notices) => tell(run, &name, notices),
        Err(error) => host.fail(error),
    }
}

/// Over the connection of the run where that still works, else over another one.
async fn give_one(hold: &dyn Hold, run: &Run, host: &Shared, (undo, end): (bool, End)) {
    let mut host = host.lock().await;
    let name = host.host.name.clone();
    let keep = !host.failed() && !undo && !run.cancelled();
    host.notified.retain(|_, names| !names.is_empty());
    let script = hold.give_back(&name, Left { keep, end, handlers: &host.notified });
    let usable = host.error.as_ref().is_none_or(|error| matches!(error.kind, Kind::Failed | Kind::Config));
    let mut said = Err(interrupted());
    if usable {
        said = host.ask(script.clone()).await;
    }
    if said.is_err() {
        said = anew(run, &host, &script).await;
    }
    match said.and_then(|said| hold.given_back(&name, &said)) {
        Ok(notices) => tell(run, &name, notices),
        Err(error) => {
            tell(run, &name, vec![error.to_string()]);
            host.undone(error);
        }
    }
}

async fn anew(run: &Run, host: &HostRun, script: &str) -> Result<Output> {
    let probe = Probe::Shell { script: script.to_owned(), user: None };
    let probes = [probe.clone()];
    let asking = async {
        let link = run.connector.connect(&host.host, &|_| {}).await?;
        let (runner, facts) = Runner::start(link, &probes, false, run.emitter.mask()).await?;
        runner.close().await;
        facts.output(&probe).cloned()
    };
    let late = || Error::unreachable("the host does not answer");
    tokio::time::timeout(LAST, asking).await.map_err(|_| late())?
}

fn tell(run: &Run, host: &HostName, notices: Vec<String>) {
    for text in notices {
        run.emitter.send(Event::Notice { host: Some(host.clone()), text });
    }
}

type Lines = Vec<(Host, Line)>;

async fn lines(fleet: &Fleet) -> Lines {
    let mut lines = vec![];
    for host in fleet.values() {
        let host = host.lock().await;
        lines.push((host.host.clone(), host.line.clone()));
    }
    lines
}

/// Beside the work, on channels of their own, each host for itself: one that does not answer holds up no other. A host
/// that cannot be told takes the run for dead, as it should.
async fn beat(hold: Arc<dyn Hold>, connector: Arc<Connector>, lines: Lines) {
    let all = lines.iter().map(|(host, line)| beat_one(hold.renew(&host.name), &connector, host, line));
    join_all(all).await;
}

/// A host that has nothing to do when its link is lost is connected to anew for this alone: its next task may be far away,
/// and it must not take the run for dead until then.
async fn beat_one(script: String, connector: &Connector, host: &Host, line: &Line) {
    let mut spare: Option<Arc<dyn Link>> = None;
    loop {
        tokio::time::sleep(BEAT).await;
        if let Some(link) = line.now().filter(|link| !link.is_lost()) {
            spare = None;
            let _ = link.aside(&script).await;
            continue;
        }
        if spare.as_ref().is_none_or(|link| link.is_lost()) {
            spare = connector.connect(host, &|_| {}).await.ok();
        }
        if let Some(link) = &spare {
            let _ = link.aside(&script).await;
        }
    }
}

impl HostRun {
    /// Runs a script of ours and gives what it said. Not ended by Ctrl-C: what is taken has to be given back.
    pub(super) async fn ask(&mut self, script: String) -> Result<Output> {
        let probe = Probe::Shell { script, user: None };
        let runner = self.runner.as_mut().ok_or_else(|| Error::bug("there is no connection to ask over"))?;
        let mut facts = Facts::new(self.facts.host.clone());
        runner.probe(std::slice::from_ref(&probe), &mut facts).await?;
        match facts.raw(&probe) {
            Some(Fact::Output(output)) => Ok(output.clone()),
            _ => Err(Error::bug("a host gave no answer to a script")),
        }
    }

    /// Something that this run did here was taken back, or could not be.
    fn undone(&mut self, error: Error) {
        match &mut self.error {
            Some(first) if error.kind == Kind::Failed => first.causes.push(error.to_string()),
            _ => {
                self.verdict =
                    if error.kind == Kind::Failed { Verdict::Failed } else { Verdict::Unreachable };
                self.error = Some(error);
            }
        }
    }
}
