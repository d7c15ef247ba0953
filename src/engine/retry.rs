//! Tries after the first: a task that failed is looked at and planned anew each time.

use std::time::Duration;

use crate::engine::host::{HostRun, Part, cancelled, interrupted};
use crate::plan;
use crate::spec::model::TaskSpec;
use crate::words::error::{Error, Result};
use crate::words::event::{Event, Outcome};

/// A task that failed.
pub(super) struct Failure {
    pub index: usize,
    /// The first task before it that was planned with it and is not done either.
    pub undone: Option<usize>,
    pub error: Error,
    pub elapsed: Duration,
}

impl HostRun {
    /// Tries a failed task again, as often as it may be; gives the index of the task behind it.
    pub(super) async fn again(&mut self, part: Part<'_>, failure: Failure) -> Result<usize> {
        let Failure { index, undone, mut error, mut elapsed } = failure;
        let mut spec = part.specs[index].clone();
        // What a failed try left behind must not make it look done.
        (spec.creates, spec.unless) = (None, None);
        let alone = Part { specs: std::slice::from_ref(&spec), first: part.first + index, ..part };
        for attempt in 2..=u64::from(spec.retries) + 1 {
            self.pause(&spec, attempt, &error).await?;
            let window = plan::window(alone.specs, 0, Some(&self.live));
            let (planned, end) = self.plan(alone, &window).await?;
            match self.apply(alone, planned, end).await? {
                None => return Ok(undone.unwrap_or(index + 1)),
                Some(failure) => (error, elapsed) = (failure.error, failure.elapsed),
            }
        }
        self.finished(part, index, Outcome::Failed { error: error.clone() }, elapsed);
        Err(error)
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
