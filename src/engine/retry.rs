//! Tries after the first: a task that failed is looked at and planned anew each time.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::engine::host::{HostRun, Part, cancelled, interrupted};
use crate::spec::model::TaskSpec;
use crate::words::error::{Error, Result};
use crate::words::event::{Event, Outcome};

/// A task that failed.
pub(super) struct Failure {
    /// The first task that is not done; those from here to the one that failed have to be done with it.
    pub from: usize,
    pub index: usize,
    pub error: Error,
    pub elapsed: Duration,
}

/// How often each task has been tried: two of one batch may fail in turns.
pub(super) type Tries = BTreeMap<usize, u64>;

impl HostRun {
    /// Returns when a failed task may be tried again, if it may.
    pub(super) async fn again(&mut self, part: Part<'_>, failure: &Failure, tries: &mut Tries) -> Result<()> {
        let Failure { index, error, elapsed, .. } = failure;
        let count = tries.entry(*index).or_default();
        *count += 1;
        let spec = &part.specs[*index];
        if *count > u64::from(spec.retries) {
            self.finished(part, *index, Outcome::Failed { error: error.clone() }, *elapsed);
            return Err(error.clone());
        }
        self.pause(spec, *count + 1, error).await
    }

    /// Between two tries.
    async fn pause(&mut self, spec: &TaskSpec, attempt: u64, error: &Error) -> Result<()> {
        let delay = spec.delay.as_secs_f64();
        let tries = u64::from(spec.retries) + 1;
        let text = format!("{}: {error}; again in {delay} s (try {attempt} of {tries})", spec.name);
        self.run.emitter.send(Event::Notice { host: Some(self.host.name.clone()), text });
        let mut cancel = self.run.cancel.clone();
        tokio::select! {
            () = tokio::time::sleep(spec.delay) => Ok(()),
            () = cancelled(&mut cancel) => Err(interrupted()),
        }
    }
}
