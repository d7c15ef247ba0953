//! Running: fan-out over hosts, stages, waves, limits, cancellation.
//!
//! `fleet` decides who goes when, `host` walks one host through a stage, `apply` performs a batch of planned
//! tasks; `check` looks without doing; `emit` is the only way out.

mod apply;
mod basis;
mod capture;
mod check;
mod come;
mod conclude;
mod connect;
mod diffs;
mod emit;
mod failure;
mod fleet;
mod hold;
mod host;
mod notify;
mod once;
mod pause;
mod reconnect;
mod retry;
mod show;
mod walk;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Semaphore, watch};

pub use basis::Basis;
pub use check::{Strictness, check};
pub use emit::Emitter;
pub use fleet::run;
pub use hold::{Hold, Left};

use crate::plan::Decision;
use crate::transport::{Connector, UnknownKey};
use crate::words::error::Kind;
use crate::words::event::{HostSummary, Mode, Outcome, TaskRef, Verdict};
use crate::words::fact::{Fact, Probe};
use crate::words::names::HostName;

/// How to run.
#[derive(Clone, Debug)]
pub struct Options {
    pub mode: Mode,
    /// Hosts that work at the same time.
    pub parallel: usize,
    /// Fetch what files hold now, to show how their content changes.
    pub diffs: bool,
    /// Names the run in events.
    pub run: String,
}

/// Asks the operator about host keys that nobody has vouched for yet: all of them at once.
pub trait Review: Send + Sync {
    fn accept(&self, keys: &[UnknownKey]) -> bool;

    /// Asks whether the next wave may begin.
    fn go_on(&self, _question: &str) -> bool {
        false
    }
}

/// Handlers that were notified and could not run: they wait for the next run of the same playbook.
pub trait Pending: Send + Sync {
    /// By stage.
    fn load(&self, host: &HostName) -> BTreeMap<String, BTreeSet<String>>;
    fn store(&self, host: &HostName, pending: &BTreeMap<String, BTreeSet<String>>);
}

/// Hears of every task as it is: for a plan that is kept, and to know later what was applied.
pub trait Ledger: Send + Sync {
    /// All that the task asks for on its host, rendered, secrets too.
    fn wanted(&self, _task: &TaskRef, _wanted: &str) {}
    /// In a plan: its step, with what the host had answered.
    fn planned(&self, _task: &TaskRef, _decision: &Decision, _seen: &[(&Probe, &Fact)]) {}
    /// What became of it, or in a plan: would become.
    fn ended(&self, _task: &TaskRef, _outcome: &Outcome) {}
}

/// What the hosts of a run share.
#[derive(Clone)]
pub struct Run {
    pub connector: Arc<Connector>,
    pub emitter: Emitter,
    pub options: Options,
    pub cancel: watch::Receiver<bool>,
    pub review: Option<Arc<dyn Review>>,
    pub pending: Option<Arc<dyn Pending>>,
    pub hold: Option<Arc<dyn Hold>>,
    pub ledger: Option<Arc<dyn Ledger>>,
    /// So long a host whose link was lost is tried to be reached again.
    pub reconnect: Duration,
    /// Hosts at work; connections stay open without one.
    pub(crate) places: Arc<Semaphore>,
}

impl std::fmt::Debug for Run {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Run({})", self.options.run)
    }
}

impl Run {
    pub fn new(
        connector: Arc<Connector>,
        emitter: Emitter,
        options: Options,
        cancel: watch::Receiver<bool>,
    ) -> Run {
        let places = Arc::new(Semaphore::new(options.parallel.max(1)));
        Run {
            connector,
            emitter,
            options,
            cancel,
            review: None,
            pending: None,
            hold: None,
            ledger: None,
            reconnect: Duration::from_secs(60),
            places,
        }
    }

    pub(crate) fn cancelled(&self) -> bool {
        *self.cancel.borrow()
    }
}

/// The exit code of a whole run: the worst that happened to a host.
pub fn exit_code(hosts: &BTreeMap<HostName, HostSummary>) -> u8 {
    let worst = [
        Kind::Bug,
        Kind::Unknown,
        Kind::Interrupted,
        Kind::Failed,
        Kind::HostKey,
        Kind::Locked,
        Kind::Unreachable,
        Kind::Config,
    ];
    let happened =
        |kind: Kind| hosts.values().any(|host| host.error.as_ref().is_some_and(|error| error.kind == kind));
    if hosts.values().any(|host| host.verdict == Verdict::Interrupted) {
        return Kind::Interrupted.exit_code();
    }
    worst.into_iter().find(|kind| happened(*kind)).map_or(0, Kind::exit_code)
}
