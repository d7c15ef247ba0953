//! The whole fleet: stages are barriers, waves go one after the other, too many failures end the run.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Instant;

use futures::future::join_all;

use crate::engine::come::Come;
use crate::engine::connect::{First, connect_all};
use crate::engine::hold::{Held, Hold};
use crate::engine::host::{HostRun, Shared, interrupted};
use crate::engine::once::Once;
use crate::engine::{Run, exit_code, pause};
use crate::spec::model::{OnFailure, Project, Stage};
use crate::words::event::{Event, HostSummary, Mode, SCHEMA_VERSION, Verdict};
use crate::words::names::HostName;
use crate::words::plural::count;

pub(super) type Fleet = BTreeMap<HostName, Shared>;

/// Runs (or plans) `project`; what happens is told as events. Gives the exit code.
pub async fn run(project: &Project, run: &Run) -> u8 {
    let began = Instant::now();
    let names: Vec<HostName> = project.hosts.iter().map(|host| host.name.clone()).collect();
    run.emitter.send(Event::RunStarted {
        version: SCHEMA_VERSION,
        run: run.options.run.clone(),
        mode: run.options.mode,
        playbook: project.playbook.clone(),
        hosts: names.clone(),
    });
    let fleet: Fleet = project
        .hosts
        .iter()
        .map(|host| {
            (host.name.clone(), Arc::new(tokio::sync::Mutex::new(HostRun::new(run.clone(), host.clone()))))
        })
        .collect();
    match &run.hold {
        None => {
            connect_all(run, &first_stages(project, &names, &fleet)).await;
            all_stages(project, run, &fleet).await;
        }
        Some(hold) => held(hold, run, &fleet).await,
    }
    let hosts = finish(run, fleet).await;
    let exit_code = exit_code(&hosts);
    run.emitter.send(Event::RunFinished { hosts, exit_code, elapsed: began.elapsed() });
    exit_code
}

/// The stages, while every host is held.
async fn held(hold: &Arc<dyn Hold>, run: &Run, fleet: &Fleet) {
    let hosts: Vec<_> = fleet.values().map(|host| (host.clone(), First::Probes(&[]))).collect();
    connect_all(run, &hosts).await;
    drop(hosts);
    let lease = Held::take(hold, run, fleet).await;
    let undone = match &lease.project {
        Some(project) => all_stages(project, run, fleet).await,
        None => BTreeSet::new(),
    };
    lease.give_back(run, fleet, &undone).await;
}

/// The hosts that shall take back what the run has done provisionally, although they have not failed.
async fn all_stages(project: &Project, run: &Run, fleet: &Fleet) -> BTreeSet<HostName> {
    match stages(project, run, fleet).await {
        Come::ToTheEnd => {
            for host in fleet.values() {
                host.lock().await.complete();
            }
            BTreeSet::new()
        }
        Come::Short => BTreeSet::new(),
        Come::Back(hosts) => hosts,
    }
}

/// Each host with the first stage that it takes part in.
fn first_stages<'a>(project: &'a Project, names: &[HostName], fleet: &Fleet) -> Vec<(Shared, First<'a>)> {
    let first = |name: &HostName| project.stages.iter().find(|stage| stage.hosts.contains(name));
    names.iter().filter_map(|name| Some((fleet.get(name)?.clone(), First::Stage(first(name))))).collect()
}

async fn stages(project: &Project, run: &Run, fleet: &Fleet) -> Come {
    for (at, stage) in project.stages.iter().enumerate() {
        let once = Once::new(stage, &able(stage, fleet).await);
        let before = failed_before(stage, &project.stages[..at], fleet).await;
        let count = Count { stage, before: &before };
        let (mut from, mut last, mut begun) = (0, &stage.hosts[..0], false);
        for (wave, size) in stage.waves.iter().enumerate() {
            let hosts = &stage.hosts[from.min(stage.hosts.len())..(from + size).min(stage.hosts.len())];
            from += size;
            if run.cancelled() {
                interrupt(fleet).await;
                return Come::Short;
            }
            let left = &stage.hosts[(from - size).min(stage.hosts.len())..];
            if too_many(run, count, fleet, true).await {
                return Come::stopped(stage, last, fleet);
            }
            // Hosts that have all failed before do nothing, and nobody has to wait for them, or look at them.
            if stage.waves.len() > 1 && none_able(hosts, fleet).await {
                last = hosts;
                continue;
            }
            // Nothing was done yet on the hosts that are left.
            if begun && !pause::may_begin(run, stage, wave, left, fleet).await {
                return Come::stopped(stage, &[], fleet);
            }
            // Facts asked while connecting are fresh only for what follows at once.
            let turn = Turn { stage, wave, fresh: at == 0 && wave == 0, once: &once };
            one_wave(run, turn, hosts, fleet).await;
            (last, begun) = (hosts, true);
        }
        if too_many(run, count, fleet, at + 1 < project.stages.len()).await {
            return Come::stopped(stage, last, fleet);
        }
    }
    if run.cancelled() { Come::Short } else { Come::ToTheEnd }
}

/// The hosts of a stage that can still be worked on, in their order.
async fn able(stage: &Stage, fleet: &Fleet) -> Vec<HostName> {
    let mut able = vec![];
    for name in &stage.hosts {
        if let Some(host) = fleet.get(name)
            && !host.lock().await.failed()
        {
            able.push(name.clone());
        }
    }
    able
}

async fn none_able(hosts: &[HostName], fleet: &Fleet) -> bool {
    for host in hosts.iter().filter_map(|name| fleet.get(name)) {
        if !host.lock().await.failed() {
            return false;
        }
    }
    true
}

/// What the hosts of a wave do.
#[derive(Clone, Copy)]
struct Turn<'a> {
    stage: &'a Stage,
    wave: usize,
    fresh: bool,
    once: &'a Once,
}

async fn one_wave(run: &Run, turn: Turn<'_>, names: &[HostName], fleet: &Fleet) {
    let Turn { stage, wave, .. } = turn;
    let mut hosts = vec![];
    for name in names {
        if let Some(host) = fleet.get(name) {
            // A host that failed before takes no further part.
            if !host.lock().await.failed() {
                hosts.push((name.clone(), host.clone()));
            }
        }
    }
    turn.once.order(&mut hosts);
    run.emitter.send(Event::StageStarted {
        stage: stage.name.clone(),
        hosts: hosts.iter().map(|(name, _)| name.clone()).collect(),
        wave: wave + 1,
        waves: stage.waves.len(),
        tasks: stage.tasks.values().next().map_or(0, Vec::len),
    });
    join_all(hosts.iter().map(|(_, host)| one_host(run, turn, host))).await;
    let mut failed = vec![];
    for (name, host) in &hosts {
        if host.lock().await.failed() {
            failed.push(name.clone());
        }
    }
    run.emitter.send(Event::StageFinished { stage: stage.name.clone(), wave: wave + 1, failed });
}

async fn one_host(run: &Run, turn: Turn<'_>, host: &Shared) {
    let _place = run.places.acquire().await;
    let mut host = host.lock().await;
    if run.cancelled() {
        host.fail(interrupted());
        return;
    }
    host.stage(turn.stage, turn.fresh, turn.once).await;
}

/// Which failures weigh on a stage: those that a stage before has put up with do not.
#[derive(Clone, Copy)]
struct Count<'a> {
    stage: &'a Stage,
    before: &'a BTreeSet<HostName>,
}

/// The hosts of `stage` that failed while, or before, they took part in one of the stages `behind` it.
async fn failed_before(stage: &Stage, behind: &[Stage], fleet: &Fleet) -> BTreeSet<HostName> {
    let mut failed = BTreeSet::new();
    for name in stage.hosts.iter().filter(|name| behind.iter().any(|stage| stage.hosts.contains(name))) {
        if let Some(host) = fleet.get(name)
            && host.lock().await.failed()
        {
            failed.insert(name.clone());
        }
    }
    failed
}

/// Whether the run must not go on, which is told. Unreachable hosts count as failed. A plan always goes on: it
/// has nothing to lose. `more`: something would follow.
async fn too_many(run: &Run, count: Count<'_>, fleet: &Fleet, more: bool) -> bool {
    let mut failed = 0;
    for name in count.stage.hosts.iter().filter(|name| !count.before.contains(*name)) {
        if let Some(host) = fleet.get(name) {
            failed += usize::from(host.lock().await.failed());
        }
    }
    let why = excess(count, failed).filter(|_| run.options.mode != Mode::Plan && !run.cancelled());
    let stops = why.is_some();
    // Where all have failed, or nothing would follow, that says it all.
    for why in why.into_iter().filter(|_| more) {
        let mut able = false;
        for host in fleet.values() {
            able |= !host.lock().await.failed();
        }
        if able {
            run.emitter.send(Event::Stopping { why });
        }
    }
    stops
}

fn excess(counted: Count<'_>, failed: usize) -> Option<String> {
    let Count { stage, before } = counted;
    let allowed = stage.max_failures.count(stage.hosts.len());
    if stage.on_failure == OnFailure::Continue {
        let all = !stage.hosts.is_empty() && failed + before.len() == stage.hosts.len();
        return all.then(|| {
            format!("all {} of stage {} have failed", count(stage.hosts.len(), "host"), stage.name)
        });
    }
    (failed > allowed).then(|| {
        format!(
            "{failed} of {} failed in stage {}, and max_failures is {allowed}",
            count(stage.hosts.len(), "host"),
            stage.name
        )
    })
}

async fn interrupt(fleet: &Fleet) {
    for host in fleet.values() {
        let mut host = host.lock().await;
        if !host.failed() {
            host.fail(interrupted());
        }
    }
}

pub(super) async fn finish(run: &Run, fleet: Fleet) -> BTreeMap<HostName, HostSummary> {
    let one = |shared: Shared| async move {
        match Arc::try_unwrap(shared) {
            Ok(host) => Some(host.into_inner().finish().await),
            Err(_) => None,
        }
    };
    let finished = join_all(fleet.into_values().map(one)).await;
    let mut hosts: BTreeMap<HostName, HostSummary> = finished.into_iter().flatten().collect();
    if run.cancelled() {
        for summary in hosts.values_mut().filter(|summary| summary.verdict == Verdict::NotStarted) {
            summary.verdict = Verdict::Interrupted;
        }
    }
    hosts
}
