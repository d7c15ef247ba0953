//! A batch: actions streamed to the host in one go, their output and endings as they come.

use std::fmt::Write as _;
use std::time::Duration;

use futures::future::BoxFuture;
use tokio::sync::watch;
use tokio::time::Instant;

use crate::transport::runner::course::{Run, SMALL};
use crate::transport::runner::detached::Begins;
use crate::transport::runner::frames::Piece;
use crate::transport::runner::{MOST, PROBES, Runner, answers, random_hex, script, store, too_much};
use crate::words::action::Action;
use crate::words::error::{Error, Result};
use crate::words::event::Stream;
use crate::words::fact::{Facts, Probe};

/// From TERM to KILL, and from KILL to giving the shell up.
const GRACE: Duration = Duration::from_secs(15);

#[derive(Debug)]
pub struct Batch<'a> {
    pub actions: &'a [Action],
    /// Asked right behind the actions, in the same round trip.
    pub then: &'a [Probe],
}

#[derive(Debug)]
pub enum Progress<'a> {
    /// Bytes of blobs sent so far.
    Sent(u64),
    Began(usize),
    Output(usize, Stream, &'a [u8]),
    Ended(usize, i32),
}

/// How a batch ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    Done,
    Failed {
        action: usize,
        code: i32,
        timed_out: bool,
        /// None of what belonged together with it was done.
        untouched: bool,
    },
    /// Ctrl-C. What had begun was ended.
    Interrupted,
}

impl Runner {
    /// Sends the blobs that `batch` needs, then all its actions at once. `ready` returns when whoever hears of
    /// the output has caught up: until then no more is read.
    pub async fn run(
        &mut self,
        batch: &Batch<'_>,
        facts: &mut Facts,
        cancel: &mut watch::Receiver<bool>,
        sink: &mut (dyn FnMut(Progress<'_>) + Send),
        ready: &(dyn Fn() -> BoxFuture<'static, ()> + Send + Sync),
    ) -> Result<Ending> {
        let fresh = self.fresh();
        // Names of temporary files come from it, so nobody may guess it.
        let tag = random_hex();
        let unpack = match self.send_blobs(batch.actions, &tag, cancel, sink).await {
            Ok(unpack) => unpack,
            Err(error) => {
                // The token is the new one from here on: the shell must know, whatever comes next.
                self.present.clear();
                let _ = self.send(fresh).await;
                return Err(error);
            }
        };
        if *cancel.borrow() {
            self.send(fresh).await?;
            return Ok(Ending::Interrupted);
        }
        let after =
            if batch.then.is_empty() { String::new() } else { script::probes(batch.then, &self.token) };
        self.send(format!("{fresh}{}{after}", script::actions(&unpack, batch.actions, &tag, self.begins)))
            .await?;
        let ending = self.follow(batch.actions, cancel, sink, ready).await?;
        self.heard(batch.actions, ending).await?;
        if ending != Ending::Done {
            // What was to be unpacked may not be there.
            self.present.clear();
        }
        if !batch.then.is_empty() && ending != Ending::Interrupted {
            let found = self.collect("q", PROBES).await?;
            store(facts, batch.then, answers::parse(batch.then, &found)?);
        }
        Ok(ending)
    }

    /// Nobody comes any more for the results of commands that have ended.
    async fn heard(&mut self, actions: &[Action], ending: Ending) -> Result<()> {
        let ended = match ending {
            Ending::Done => actions.len(),
            Ending::Failed { action, .. } => action + 1,
            Ending::Interrupted => 0,
        };
        let lines = if self.detaches() { script::heard(&actions[..ended]) } else { String::new() };
        if lines.is_empty() {
            return Ok(());
        }
        self.cleaning = true;
        self.begins = Begins::Yes;
        self.send(lines).await
    }

    async fn follow(
        &mut self,
        actions: &[Action],
        cancel: &mut watch::Receiver<bool>,
        sink: &mut (dyn FnMut(Progress<'_>) + Send),
        ready: &(dyn Fn() -> BoxFuture<'static, ()> + Send + Sync),
    ) -> Result<Ending> {
        let mut run = Run::new(actions);
        let mut held = 0;
        while !run.lanes.iter().all(|lane| lane.done) {
            let deadline = run.deadline.unwrap_or_else(|| Instant::now() + SMALL);
            tokio::select! {
                piece = self.piece() => {
                    let (stream, piece) = piece.map_err(|error| run.told(error))?;
                    let data = matches!(piece, Piece::Data(_));
                    held += if run.waits(stream) { piece.size() } else { 0 };
                    if held > MOST {
                        return Err(too_much());
                    }
                    run.take(stream, piece, sink);
                    if ![Stream::Stdout, Stream::Stderr].iter().any(|stream| run.waits(*stream)) {
                        held = 0;
                    }
                    if run.killed && run.group.is_some() && run.group != run.killed_group {
                        // It had begun before the host heard of the end.
                        self.kill(&mut run);
                    }
                    if data {
                        let mut cancel = cancel.clone();
                        tokio::select! {
                            () = ready() => {}
                            Ok(()) = cancel.changed() => {}
                        }
                    }
                }
                () = tokio::time::sleep_until(deadline) => {
                    if run.killed {
                        let error = Error::unreachable("the host does not end a command that was killed")
                            .hint("look at the host: a process may hang in the kernel");
                        return Err(run.told(error));
                    }
                    run.timed_out = Some(run.current.unwrap_or(run.next));
                    self.kill(&mut run);
                }
                Ok(()) = cancel.changed(), if !run.interrupted => {
                    run.interrupted = *cancel.borrow();
                    if run.interrupted {
                        self.kill(&mut run);
                    }
                }
            }
        }
        let behind = std::mem::take(&mut run.behind).into_iter().map(|piece| (Stream::Stdout, piece));
        self.pieces = behind.chain(std::mem::take(&mut self.pieces)).collect();
        Ok(run.ending())
    }

    /// Ends the process group at hand, and has the shell leave out what follows.
    fn kill(&self, run: &mut Run<'_>) {
        run.killed = true;
        run.killed_group = run.group;
        run.deadline = Some(Instant::now() + GRACE);
        let mut script =
            if self.pid.is_empty() { String::new() } else { format!("kill -USR1 {}\n", self.pid) };
        if let Some(group) = run.group {
            // Without root, another account's processes are that account's to end.
            let other = run.current.and_then(|id| match run.actions.get(id) {
                Some(Action::Run(command)) => command.user.as_ref(),
                _ => None,
            });
            let kill = |signal: &str| {
                let sudo = other.map(|user| format!(" || sudo -n -u {user} -- kill -{signal} -- -{group}"));
                format!("kill -{signal} -{group}{}", sudo.unwrap_or_default())
            };
            let (term, end) = (kill("TERM"), kill("KILL"));
            let _ = write!(
                script,
                "{term} || exit 0\nn=0\nwhile [ $n -lt 25 ] && kill -0 -{group}; do sleep 0.2; n=$((n+1)); done\n{end}\n"
            );
        }
        // Beside the reading of output, or a command that prints without end would block us.
        let link = self.link.clone();
        tokio::spawn(async move {
            let _ = link.aside(&format!("exec 2>/dev/null\n{script}")).await;
        });
    }
}
