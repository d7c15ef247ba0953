//! The tasks of one host in a stage, one window after the other; where the link is lost between or in them, over
//! another one.

use std::borrow::Cow;

use crate::engine::host::{HostRun, Part, interrupted};
use crate::engine::once::Once;
use crate::engine::retry::Tries;
use crate::plan::{self, Window};
use crate::words::error::Result;
use crate::words::event::Mode;

/// How far a window brought us: the next task, and one that failed and is tried again.
struct Round {
    next: usize,
    failed: Option<usize>,
    /// Up to this task each goes by itself: what belonged together failed together.
    alone: Option<usize>,
}

impl HostRun {
    pub(super) async fn tasks(&mut self, part: Part<'_>, once: Option<&Once>) -> Result<()> {
        let (mut at, mut tries, mut alone) = (0, Tries::default(), None);
        let mut specs = Cow::Borrowed(part.specs);
        while at < part.specs.len() {
            let part = Part { specs: &specs, ..part };
            if self.run.cancelled() {
                return Err(interrupted());
            }
            let mut window = plan::window(part.specs, at, Some(&self.live));
            if let Some(last) = self.waits(part, at, once) {
                window = window.until(last);
            }
            if alone.is_some_and(|last| at <= last) {
                window = window.until(at);
            }
            if window.items.is_empty() {
                self.unknowable(part, at);
                at += 1;
                continue;
            }
            let next = match self.round(part, &window, &mut tries).await {
                Ok(Round { next, failed: None, alone: last }) => {
                    alone = alone.max(last);
                    next
                }
                Ok(Round { next, failed: Some(failed), .. }) => {
                    self.share_all(part, at, next, once).await?;
                    // What a failed try left behind must not make it look done.
                    let spec = &mut specs.to_mut()[failed];
                    (spec.creates, spec.unless) = (None, None);
                    at = next;
                    continue;
                }
                Err(error) => self.resumed(part, at, error).await?,
            };
            self.share_all(part, at, next, once).await?;
            at = next;
        }
        Ok(())
    }

    fn waits(&self, part: Part<'_>, at: usize, once: Option<&Once>) -> Option<usize> {
        let once = once.filter(|_| self.run.options.mode == Mode::Run)?;
        once.waits(&self.host.name, part.specs, at)
    }

    async fn share_all(&mut self, part: Part<'_>, from: usize, to: usize, once: Option<&Once>) -> Result<()> {
        match once {
            Some(once) => self.share(part, from, to, once).await,
            None => Ok(()),
        }
    }

    /// Asks, plans and performs what can be known at once.
    async fn round(&mut self, part: Part<'_>, window: &Window, tries: &mut Tries) -> Result<Round> {
        let (planned, end) = self.plan(part, window).await?;
        self.tell_wanted(part, window, &planned);
        if self.run.options.mode == Mode::Plan {
            self.show(part, window, &planned)?;
            return Ok(Round { next: end, failed: None, alone: None });
        }
        match self.apply(part, planned, end).await? {
            None => Ok(Round { next: end, failed: None, alone: None }),
            // Those before it have nothing to do with what is wrong with it.
            Some(failure) if failure.from < failure.index => {
                Ok(Round { next: failure.from, failed: None, alone: Some(failure.index) })
            }
            Some(failure) => {
                self.again(part, &failure, tries).await?;
                Ok(Round { next: failure.from, failed: Some(failure.index), alone: None })
            }
        }
    }
}
