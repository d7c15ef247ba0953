//! `tow check`: connects everywhere, asks everything in the same go, and tells what was found. Changes nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use futures::future::join_all;

use crate::engine::connect::{First, connect_all};
use crate::engine::fleet::{Fleet, finish};
use crate::engine::host::{HostRun, Shared, interrupted};
use crate::engine::{Run, exit_code};
use crate::preflight::caa::{self, Records};
use crate::preflight::{self, Around, Resolved, Subject};
use crate::spec::model::Project;
use crate::transport::{self, resolve};
use crate::words::error::Error;
use crate::words::event::{Event, SCHEMA_VERSION};
use crate::words::fact::Probe;
use crate::words::finding::{Finding, Level};
use crate::words::names::HostName;
use crate::words::plural::count;

/// What makes a check fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Strictness {
    Problems,
    /// `--strict`
    Warnings,
}

/// Looks at the hosts of `project`; what is found is told as events. Gives the exit code.
pub async fn check(project: &Project, run: &Run, strictness: Strictness) -> u8 {
    let began = Instant::now();
    run.emitter.send(Event::RunStarted {
        version: SCHEMA_VERSION,
        run: run.options.run.clone(),
        mode: run.options.mode,
        playbook: project.playbook.clone(),
        hosts: project.hosts.iter().map(|host| host.name.clone()).collect(),
    });
    let subjects = preflight::subjects(project);
    let fleet: Fleet = project
        .hosts
        .iter()
        .map(|host| {
            (host.name.clone(), Arc::new(tokio::sync::Mutex::new(HostRun::new(run.clone(), host.clone()))))
        })
        .collect();
    let probes = questions(&subjects);
    let hosts: Vec<(Shared, First<'_>)> = probes
        .iter()
        .filter_map(|(name, probes)| Some((fleet.get(*name)?.clone(), First::Probes(probes))))
        .collect();
    let before = now();
    let names = (preflight::names(&subjects), caa::names(&subjects));
    let ((), resolved, caa) =
        tokio::join!(connect_all(run, &hosts), resolved(run, names.0), records(run, names.1));
    drop(hosts);
    let around = Around { asked: (before, now()), resolved: &resolved, caa: &caa };
    let mut written = preflight::written(&subjects);
    for subject in &subjects {
        let Some(host) = fleet.get(&subject.name) else { continue };
        let written = written.remove(&subject.name).unwrap_or_default();
        conclude(run, subject, host, (written, around), strictness).await;
    }
    let hosts = finish(run, fleet).await;
    let exit_code = exit_code(&hosts);
    run.emitter.send(Event::RunFinished { hosts, exit_code, elapsed: began.elapsed() });
    exit_code
}

/// Nobody has an address that is kept for documentation: such hosts are not connected to.
fn questions(subjects: &[Subject]) -> BTreeMap<&HostName, Vec<Probe>> {
    let real = subjects.iter().filter(|subject| !preflight::is_placeholder(&subject.address));
    real.map(|subject| (&subject.name, preflight::probes(subject))).collect()
}

/// Tells what was found on a host, and what that makes of it.
async fn conclude(
    run: &Run,
    subject: &Subject,
    host: &Shared,
    (mut findings, around): (Vec<Finding>, Around<'_>),
    strictness: Strictness,
) {
    let mut host = host.lock().await;
    match &host.error {
        Some(error) => findings.extend(preflight::unreached(error)),
        None if host.runner.is_some() => findings.extend(preflight::findings(subject, &host.facts, around)),
        // A placeholder has been told of.
        None if preflight::is_placeholder(&subject.address) => {}
        None => host.fail(interrupted()),
    }
    let of = |level: Level| findings.iter().filter(|finding| finding.level == level).count();
    let (problems, warnings) = (of(Level::Problem), of(Level::Warning));
    for finding in findings {
        run.emitter.send(Event::Finding { host: subject.name.clone(), finding });
    }
    if host.error.is_some() {
        return;
    }
    if problems > 0 {
        host.fail(Error::failed(format!("{} found", count(problems, "problem"))));
    } else if strictness == Strictness::Warnings && warnings > 0 {
        host.fail(Error::failed(format!("{} found, and --strict is given", count(warnings, "warning"))));
    } else {
        host.complete();
    }
}

/// A resolver that does not answer must not hold up the rest.
const PATIENCE: Duration = Duration::from_secs(6);

async fn resolved(run: &Run, names: BTreeSet<String>) -> Resolved {
    let one = |name: String| async move {
        let found = tokio::time::timeout(PATIENCE, resolve(&name)).await;
        let found = found.unwrap_or_else(|_| Err("the resolver does not answer".into()));
        (name, found)
    };
    let all = join_all(names.into_iter().map(one));
    let mut cancel = run.cancel.clone();
    tokio::select! {
        all = all => all.into_iter().collect(),
        () = crate::engine::host::cancelled(&mut cancel) => Resolved::new(),
    }
}

/// Of whom nothing can be found out, nothing is said.
async fn records(run: &Run, names: BTreeSet<String>) -> Records {
    let one = |name: String| async move {
        let found = tokio::time::timeout(PATIENCE, transport::caa(&name)).await;
        Some((name, found.ok()?.ok()?))
    };
    let all = join_all(names.into_iter().map(one));
    let mut cancel = run.cancel.clone();
    tokio::select! {
        all = all => all.into_iter().flatten().collect(),
        () = crate::engine::host::cancelled(&mut cancel) => Records::new(),
    }
}

fn now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_secs()).unwrap_or(i64::MAX)
}
