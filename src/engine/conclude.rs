//! What came of a batch: the task that failed, or an error that ends the host; and handlers are never lost.

use std::ops::Range;

use crate::engine::apply::Course;
use crate::engine::failure;
use crate::engine::host::interrupted;
use crate::engine::reconnect::{Broken, UnderWay};
use crate::engine::retry::Failure;
use crate::transport::runner::Ending;
use crate::words::action::Action;
use crate::words::error::{Error, Result};

impl Course<'_> {
    /// The task that failed, or an error that ends the host.
    pub(super) fn conclude(mut self, ran: Result<Ending>, actions: &[Action]) -> Result<Option<Failure>> {
        let elapsed = self.began.elapsed();
        let error = match ran {
            Ok(Ending::Done) => match self.left_out() {
                None => {
                    self.catch_up(self.jobs.len());
                    return Ok(self.failed);
                }
                Some(error) => error,
            },
            Ok(ending @ Ending::Failed { action, untouched, .. }) => {
                let error = failure::explain(&actions[action], ending, &self.capture);
                if !untouched {
                    self.notify_failed(action, actions);
                }
                let at = self.places[action].0;
                // Files of one folder are done together or not at all: those before it may have to be done again.
                let from = (self.told..at).find(|place| self.is_busy(*place)).unwrap_or(at);
                self.catch_up(from);
                let (from, index) = (self.jobs[from].index, self.jobs[at].index);
                return Ok(self.failed.or(Some(Failure { from, index, error, elapsed })));
            }
            Ok(Ending::Interrupted) => interrupted(),
            Err(error) => error,
        };
        // What was under way may have been done, although nobody could say so.
        self.notify(self.told..self.jobs.len());
        self.host.keep_notified();
        let under_way = self.working.map(|action| UnderWay {
            index: self.jobs[self.places[action].0].index,
            action: actions[action].clone(),
            elapsed,
        });
        let end = self.jobs.last().map_or(0, |job| job.index + 1);
        self.host.broken =
            Some(Broken { from: self.jobs.get(self.told).map(|job| job.index), end, under_way });
        Err(error)
    }

    /// Whether others that belong together with the job at this place would have come before it.
    pub(super) fn is_blamed_early(&self, at: usize) -> bool {
        (self.told..at).any(|place| self.is_busy(place))
    }

    fn is_busy(&self, place: usize) -> bool {
        !self.jobs[place].actions.is_empty()
    }

    /// The host says that all is done, and yet has not answered for a task.
    fn left_out(&self) -> Option<Error> {
        let place = (self.told..self.jobs.len()).find(|place| self.is_busy(*place))?;
        let name = &self.jobs[place].task.task;
        let error = Error::unreachable(format!("the host left out `{name}`"));
        Some(error.hint("run the same command again: finished steps are not repeated"))
    }

    fn notify(&mut self, places: Range<usize>) {
        for place in places.filter(|place| !self.jobs[*place].actions.is_empty()) {
            self.host.notify(self.part.stage, &self.part.specs[self.jobs[place].index]);
        }
    }

    /// Consecutive files are renamed together and answered for afterwards, those of one folder first: any of them
    /// may have been done before `action` failed, and the next run finds nothing to change there.
    fn notify_failed(&mut self, action: usize, actions: &[Action]) {
        let together = actions[action..].iter().take_while(|action| matches!(action, Action::Install { .. }));
        let last = action + together.count().max(1) - 1;
        let (at, first, _) = self.places[action];
        let nothing_done = first && !matches!(actions[action], Action::Install { .. });
        self.notify(self.told..at);
        self.notify(at + usize::from(nothing_done)..self.places[last].0 + 1);
    }
}
