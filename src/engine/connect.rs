//! Connecting to all hosts of a run before anything is done on any of them.

use std::borrow::Cow;

use futures::future::join_all;

use crate::engine::Run;
use crate::engine::host::{HostRun, Shared, cancelled, interrupted};
use crate::plan::{self, Decision};
use crate::spec::model::Stage;
use crate::transport::TO_REVIEW;
use crate::words::error::{Kind, Result};
use crate::words::fact::Probe;
use crate::words::names::HostName;
use crate::words::step::Step;

/// What a host is asked together with connecting.
#[derive(Clone, Copy)]
pub enum First<'a> {
    /// What the tasks of its first stage will want to know.
    Stage(Option<&'a Stage>),
    Probes(&'a [Probe]),
}

impl First<'_> {
    pub fn probes(&self, host: &HostName) -> Cow<'_, [Probe]> {
        match self {
            First::Probes(probes) => Cow::Borrowed(probes),
            First::Stage(stage) => {
                let specs = stage.and_then(|stage| stage.tasks.get(host)).map_or(&[][..], Vec::as_slice);
                Cow::Owned(plan::window(specs, 0, None).probes(specs))
            }
        }
    }
}

/// Connects everywhere, each with the probes of its first stage. Unknown host keys are shown in one review, and
/// where they are accepted those hosts are tried again.
pub async fn connect_all(run: &Run, hosts: &[(Shared, First<'_>)]) {
    connect(run, hosts).await;
    let unknown = run.connector.unknown_keys();
    let Some(review) = run.review.clone().filter(|_| !unknown.is_empty() && !run.cancelled()) else { return };
    // A prompt waits for a person: not on a worker thread.
    let keys = unknown.clone();
    let accepted = tokio::task::spawn_blocking(move || review.accept(&keys)).await.unwrap_or(false);
    if !accepted {
        return refused(hosts).await;
    }
    if run.connector.trust(&unknown).is_err() {
        return;
    }
    let mut again = vec![];
    for (host, stage) in hosts {
        let mut guard = host.lock().await;
        if guard.error.as_ref().is_some_and(|error| error.kind == Kind::HostKey) {
            guard.error = None;
            again.push((host.clone(), *stage));
        }
    }
    connect(run, &again).await;
}

/// Who has just said no is not told to come and be asked.
async fn refused(hosts: &[(Shared, First<'_>)]) {
    for (host, _) in hosts {
        let mut guard = host.lock().await;
        let Some(hint) = guard.error.as_mut().and_then(|error| error.hint.as_mut()) else { continue };
        if let Some(rest) = hint.strip_prefix(TO_REVIEW) {
            *hint =
                format!("the answer was no: run again and answer `yes` when the fingerprint is right{rest}");
        }
    }
}

async fn connect(run: &Run, hosts: &[(Shared, First<'_>)]) {
    join_all(hosts.iter().map(|(host, stage)| connect_one(run, host, *stage))).await;
}

async fn connect_one(run: &Run, host: &Shared, stage: First<'_>) {
    let _place = run.places.acquire().await;
    host.lock().await.connect(stage).await;
}

impl HostRun {
    /// A step that asks for it fails where nobody could connect to the host now: the connection that there is says
    /// nothing about that.
    pub(super) async fn reached_anew(&self, decision: Decision) -> Result<Decision> {
        let Decision::Step(Step::Change(change) | Step::Unknown(change)) = &decision else {
            return Ok(decision);
        };
        let Some(failed) = &change.reached_anew else { return Ok(decision) };
        let mut cancel = self.run.cancel.clone();
        let link = tokio::select! {
            link = self.run.connector.connect(&self.host, &|_| {}) => link,
            () = cancelled(&mut cancel) => return Err(interrupted()),
        };
        match link {
            Ok(link) => {
                link.close().await;
                Ok(decision)
            }
            Err(error) => Ok(Decision::Failed(failed.as_ref().clone().cause(error))),
        }
    }
}
