//! A batch: actions streamed to the host in one go, their output and endings as they come.

use std::time::Duration;

use futures::future::BoxFuture;
use tokio::sync::watch;
use tokio::time::Instant;

use crate::transport::runner::course::Run;
use crate::transport::runner::frames::Piece;
use crate::transport::runner::{PROBES, Runner, answers, script, store};
use crate::words::action::Action;
use crate::words::error::{Error, Result};
use crate::words::event::Stream;
use crate::words::fact::{Facts, Probe};

/// A command that says nothing about it may take this long.
pub const DEFAULT_TIMEOUT: Duration = Duration::from_secs(3600);
/// What is over in a moment; longer means a dead disk or a dead link.
pub(super) const SMALL: Duration = Duration::from_secs(300);
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
        let unpack = self.send_blobs(batch.actions, cancel, sink).await?;
        if *cancel.borrow() {
            return Ok(Ending::Interrupted);
        }
        self.batches += 1;
        let tag = format!("{}-{}", &self.token[..16], self.batches);
        let after =
            if batch.then.is_empty() { String::new() } else { script::probes(batch.then, &self.token) };
        self.send(format!("{}{after}", script::actions(&unpack, batch.actions, &tag))).await?;
        let ending = self.follow(batch.actions, cancel, sink, ready).await?;
        if !batch.then.is_empty() {
            let found = self.collect("q", PROBES).await?;
            store(facts, batch.then, answers::parse(batch.then, &found)?);
        }
        Ok(ending)
    }

    async fn follow(
        &mut self,
        actions: &[Action],
        cancel: &mut watch::Receiver<bool>,
        sink: &mut (dyn FnMut(Progress<'_>) + Send),
        ready: &(dyn Fn() -> BoxFuture<'static, ()> + Send + Sync),
    ) -> Result<Ending> {
        let mut run = Run::new(actions);
        while run.ended != (true, true) {
            let deadline = run.deadline.unwrap_or_else(|| Instant::now() + SMALL);
            tokio::select! {
                piece = self.piece() => {
                    let (stream, piece) = piece?;
                    let data = matches!(piece, Piece::Data(_));
                    run.take(stream, piece, sink);
                    if data {
                        ready().await;
                    }
                }
                () = tokio::time::sleep_until(deadline) => {
                    if run.killed {
                        return Err(Error::unreachable("the host does not end a command that was killed")
                            .hint("look at the host: a process may hang in the kernel"));
                    }
                    run.timed_out = true;
                    self.kill(&mut run);
                }
                changed = cancel.changed(), if !run.interrupted => {
                    run.interrupted = changed.is_ok() && *cancel.borrow();
                    if run.interrupted {
                        self.kill(&mut run);
                    }
                }
            }
        }
        // The answers to the probes behind the batch may have overtaken the end of stderr.
        for piece in run.ahead.0.drain(..).rev() {
            self.pieces.push_front((Stream::Stdout, piece));
        }
        Ok(run.ending())
    }

    /// Ends the process group at hand, and has the shell leave out what follows.
    fn kill(&self, run: &mut Run<'_>) {
        run.killed = true;
        run.deadline = Some(Instant::now() + GRACE);
        let mut script = format!("kill -USR1 {}\n", self.pid);
        if let Some(group) = &run.group {
            script.push_str(&format!(
                "kill -TERM -{group} || exit 0\nn=0\nwhile [ $n -lt 25 ] && kill -0 -{group}; do sleep 0.2; n=$((n+1)); done\nkill -KILL -{group}\n"
            ));
        }
        // Beside the reading of output, or a command that prints without end would block us.
        let link = self.link.clone();
        tokio::spawn(async move {
            let _ = link.aside(&format!("exec 2>/dev/null\n{script}")).await;
        });
    }
}
