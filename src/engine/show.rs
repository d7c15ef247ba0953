//! A plan, told as it is: what would be done, and what only the run can know.

use std::time::Duration;

use crate::engine::host::{HostRun, Part};
use crate::plan::{Decision, Planned, Window};
use crate::words::error::Result;
use crate::words::event::{Mode, Outcome};
use crate::words::step::Step;

impl HostRun {
    pub(super) fn show(&mut self, part: Part<'_>, window: &Window, planned: &[Planned]) -> Result<()> {
        for planned in planned {
            self.keep(part, window, planned);
            let outcome = match &planned.decision {
                Decision::Step(_) | Decision::Failed(_) if planned.unknowable => {
                    Outcome::Unknown { what: vec!["depends on what a task before it changes".to_owned()] }
                }
                Decision::Skip { why } => Outcome::Skipped { why: why.clone() },
                // What runs before it may change that.
                Decision::Step(Step::Already { why }) if planned.tentative => {
                    Outcome::Already { why: format!("{why} (now)") }
                }
                Decision::Step(Step::Already { why }) => Outcome::Already { why: why.clone() },
                Decision::Step(Step::Unknown(change)) if !change.definite => {
                    Outcome::Unknown { what: change.what.clone() }
                }
                Decision::Step(Step::Change(change) | Step::Unknown(change)) => self.changed(change),
                // It may well be that a step before makes this one possible.
                Decision::Failed(error) if planned.tentative => {
                    Outcome::Unknown { what: vec![format!("depends on what runs before it (now: {error})")] }
                }
                Decision::Failed(error) => Outcome::Failed { error: error.clone() },
            };
            let failed = if let Outcome::Failed { error } = &outcome { Some(error.clone()) } else { None };
            self.finished(part, planned.index, outcome, Duration::ZERO);
            if let Some(error) = failed {
                return Err(error);
            }
        }
        Ok(())
    }

    /// For a plan that is kept: the step, and what the host had answered when it was planned.
    fn keep(&self, part: Part<'_>, window: &Window, planned: &Planned) {
        let Some(ledger) = &self.run.ledger else { return };
        let probes = window.looked_at(part.specs, planned.index);
        let seen: Vec<_> = probes.iter().filter_map(|probe| Some((probe, self.before.raw(probe)?))).collect();
        ledger.planned(&self.task_ref(part, planned.index), &planned.decision, &seen);
    }

    pub(super) fn tell_wanted(&self, part: Part<'_>, window: &Window, planned: &[Planned]) {
        let Some(ledger) = &self.run.ledger else { return };
        for Planned { index, .. } in planned {
            if let Some(wanted) = window.wanted(part.specs, *index) {
                ledger.wanted(&self.task_ref(part, *index), &wanted);
            }
        }
    }

    /// In a plan: it mentions the result of a task that has not run. In a run: of one that never will.
    pub(super) fn unknowable(&mut self, part: Part<'_>, index: usize) {
        let outcome = if self.run.options.mode == Mode::Plan {
            self.tentative = true;
            Outcome::Unknown { what: vec!["depends on the result of a task before it".to_owned()] }
        } else {
            Outcome::Skipped { why: "the task whose result it mentions did not run".into() }
        };
        self.finished(part, index, outcome, Duration::ZERO);
    }
}
