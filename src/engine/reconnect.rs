//! A link that is lost in a run: the host is connected to anew, and the run goes on where it was.
//!
//! Tasks that were told are not repeated. What was under way is looked at and planned again, but for a command of the
//! user's that nobody can see the effect of.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::engine::failure;
use crate::engine::host::{HostRun, Part, cancelled, interrupted};
use crate::spec::model::TaskSpec;
use crate::transport::Link;
use crate::transport::runner::{Left, Runner};
use crate::words::action::{Action, Detached};
use crate::words::error::{Error, Kind, Result};
use crate::words::event::{Event, Mode, Outcome};
use crate::words::fact::Probe;
use crate::words::secret::Mask;

/// A host that loses its link more often than this in one run is left alone.
const MOST: usize = 3;
/// Between two tries to connect.
const PAUSE: Duration = Duration::from_secs(1);

/// The link to a host as it is now.
#[derive(Clone, Default)]
pub struct Line(Arc<Mutex<Option<Arc<dyn Link>>>>);

impl Line {
    pub fn set(&self, link: &Arc<dyn Link>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(link.clone());
    }
    pub fn now(&self) -> Option<Arc<dyn Link>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// What a batch had come to when its link was lost.
pub struct Broken {
    /// The first task that was not told; `None` when all were.
    pub from: Option<usize>,
    /// The end of the batch.
    pub end: usize,
    pub under_way: Option<UnderWay>,
}

pub struct UnderWay {
    pub index: usize,
    pub action: Action,
    pub elapsed: Duration,
}

/// What may be done about a command that was under way.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Then {
    /// It comes to its end, and then is looked at.
    Ends,
    /// It goes on by itself, and is waited for.
    GoesOn,
    /// Nobody knows what it has done.
    Unknown,
}

impl HostRun {
    /// After `error` in the tasks from `at` on: the task to go on with, or the error that ends the host.
    pub(super) async fn resumed(&mut self, part: Part<'_>, at: usize, error: Error) -> Result<usize> {
        let broken = self.broken.take();
        let from = broken.as_ref().map_or(at, |broken| broken.from.unwrap_or(broken.end));
        let under_way = broken.and_then(|broken| broken.under_way);
        let then =
            under_way.as_ref().map_or(Then::Ends, |work| self.then(&part.specs[work.index], &work.action));
        let mut error = error;
        if self.may_reconnect(&error).await {
            match self.reconnect(then).await {
                Ok(()) if then != Then::Unknown => return Ok(from),
                Ok(()) => {}
                Err(other) if other.kind == Kind::Unreachable => error = error.cause(other),
                Err(other) => error = other,
            }
        }
        let Some(work) = under_way else { return Err(error) };
        error = failure::broken_off(error, &work.action, then == Then::GoesOn);
        error.command.get_or_insert_with(|| work.action.display());
        self.finished(part, work.index, Outcome::Failed { error: error.clone() }, work.elapsed);
        Err(error)
    }

    fn then(&self, spec: &TaskSpec, action: &Action) -> Then {
        let detaches = self.runner.as_ref().is_some_and(Runner::detaches);
        match action {
            Action::Run(command) if command.detached != Detached::No && detaches => Then::GoesOn,
            // What it has done can be asked.
            Action::Run(_) if spec.creates.is_some() || spec.unless.is_some() => Then::Ends,
            Action::Run(_) if ["command", "script"].contains(&spec.kind) => Then::Unknown,
            _ => Then::Ends,
        }
    }

    async fn may_reconnect(&self, error: &Error) -> bool {
        let wanted = error.kind == Kind::Unreachable
            && self.run.options.mode == Mode::Run
            && self.reconnected < MOST
            && !self.run.cancelled();
        let Some(runner) = self.runner.as_ref().filter(|_| wanted) else { return false };
        // Its end may be known to the shell a moment before it is to the link.
        for _ in 0..20 {
            if runner.link().is_lost() {
                return true;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        false
    }

    async fn reconnect(&mut self, then: Then) -> Result<()> {
        let began = Instant::now();
        let Some(left) = self.runner.as_ref().map(Runner::left) else {
            return Err(Error::bug("there was no connection to lose"));
        };
        self.reconnected += 1;
        let patience = self.run.reconnect.as_secs();
        self.notice(format!("the link was lost; connecting again, for {patience} s at most"));
        let mut cancel = self.run.cancel.clone();
        let runner = tokio::select! {
            runner = self.connect_again(began, &left) => runner?,
            () = cancelled(&mut cancel) => return Err(interrupted()),
        };
        self.line.set(runner.link());
        let anew = !left.boot.is_empty() && runner.boot() != left.boot;
        self.runner = Some(runner);
        // What was sent last may not have come.
        self.kept.clear();
        self.facts.forget();
        if anew {
            return Err(Error::failed(format!(
                "{} has started anew in the middle of the run",
                self.host.name
            ))
            .hint("run the same command again: it looks at everything anew"));
        }
        if then != Then::Unknown {
            self.put_in_order(&left, then, &mut cancel).await?;
        }
        self.notice(format!("connected again after {} s", began.elapsed().as_secs().max(1)));
        Ok(())
    }

    fn notice(&self, text: String) {
        self.run.emitter.send(Event::Notice { host: Some(self.host.name.clone()), text });
    }

    /// Until it can be reached, or the time for that is over.
    async fn connect_again(&self, began: Instant, before: &Left) -> Result<Runner> {
        let patience = self.run.reconnect;
        loop {
            let trying = async {
                let link = self.run.connector.connect(&self.host, &|_| {}).await?;
                begun_again(link, before, self.run.emitter.mask()).await
            };
            let left = patience.saturating_sub(began.elapsed());
            let late =
                || Error::unreachable(format!("it was not reached again within {} s", patience.as_secs()));
            let tried = tokio::time::timeout(left, trying).await.unwrap_or_else(|_| Err(late()));
            match tried {
                Err(error) if error.kind == Kind::Unreachable && began.elapsed() + PAUSE < patience => {
                    tokio::time::sleep(PAUSE).await;
                }
                tried => return tried,
            }
        }
    }

    /// Nothing of the connection before is at work any more; and what the run holds, it holds by this one.
    async fn put_in_order(
        &mut self,
        left: &Left,
        then: Then,
        cancel: &mut tokio::sync::watch::Receiver<bool>,
    ) -> Result<()> {
        let Some(runner) = self.runner.as_mut() else { return Err(Error::bug("there is no connection")) };
        let is_clear = tokio::select! {
            is_clear = runner.clear(left, then == Then::Ends) => is_clear?,
            () = cancelled(cancel) => return Err(interrupted()),
        };
        if !is_clear {
            return Err(Error::new(Kind::Unknown, "what the lost connection had begun does not end").hint(
                "look at the host: the command may still run or have finished; run again when you know",
            ));
        }
        let Some(hold) = self.run.hold.clone() else { return Ok(()) };
        let name = self.host.name.clone();
        let said = tokio::select! {
            said = self.ask(hold.rejoin(&name)) => said?,
            () = cancelled(cancel) => return Err(interrupted()),
        };
        hold.rejoined(&name, &said)
    }
}

/// A shell on a host that stays up. While it goes down it may still let in, for a moment; what it is then is not what
/// it will be.
async fn begun_again(link: Arc<dyn Link>, before: &Left, mask: &Mask) -> Result<Runner> {
    let state = Probe::Shell { script: "systemctl is-system-running 2>/dev/null".into(), user: None };
    let (runner, facts) = Runner::start(link, std::slice::from_ref(&state), false, mask).await?;
    if runner.boot() == before.boot && facts.output(&state)?.stdout.trim() == "stopping" {
        runner.close().await;
        return Err(Error::unreachable("it is shutting down"));
    }
    Ok(runner)
}
