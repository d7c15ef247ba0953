//! A batch: actions streamed to the host in one go, their output and endings as they come.

use std::collections::VecDeque;
use std::time::Duration;

use futures::future::BoxFuture;
use tokio::sync::watch;
use tokio::time::Instant;

use crate::transport::runner::frames::Piece;
use crate::transport::runner::{MOST, PROBES, Runner, answers, script, store, too_much};
use crate::words::action::{Action, Command};
use crate::words::error::{Error, Result};
use crate::words::event::Stream;
use crate::words::fact::{Facts, Probe};

/// A command that says nothing about it may take this long.
pub const DEFAULT_TIMEOUT: Duration = Duration::from_secs(3600);
/// What is over in a moment; longer means a dead disk or a dead link.
const SMALL: Duration = Duration::from_secs(300);
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

/// The state of a batch while it runs.
struct Run<'a> {
    actions: &'a [Action],
    /// The action that stdout belongs to, and its process group.
    current: Option<usize>,
    group: Option<String>,
    deadline: Option<Instant>,
    /// How many actions have ended on stderr.
    stderr_at: usize,
    code: Option<i32>,
    failed: Option<(usize, i32)>,
    timed_out: bool,
    killed: bool,
    interrupted: bool,
    /// `z` seen on stdout, on stderr.
    ended: (bool, bool),
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
        let (mut early, mut ahead) = (VecDeque::new(), 0);
        while run.ended != (true, true) {
            let deadline = run.deadline.unwrap_or_else(|| Instant::now() + SMALL);
            tokio::select! {
                piece = self.piece() => {
                    let (stream, piece) = piece?;
                    if run.ended.0 && stream == Stream::Stdout {
                        // The answers to the probes behind the batch overtook the end of stderr.
                        ahead += piece.size();
                        if ahead > MOST {
                            return Err(too_much());
                        }
                        early.push_back((stream, piece));
                        continue;
                    }
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
        early.append(&mut self.pieces);
        self.pieces = early;
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

impl<'a> Run<'a> {
    fn new(actions: &'a [Action]) -> Run<'a> {
        Run {
            actions,
            current: None,
            group: None,
            deadline: None,
            stderr_at: 0,
            code: None,
            failed: None,
            timed_out: false,
            killed: false,
            interrupted: false,
            ended: (false, false),
        }
    }

    fn take(&mut self, stream: Stream, piece: Piece, sink: &mut (dyn FnMut(Progress<'_>) + Send)) {
        match (stream, piece) {
            (Stream::Stdout, Piece::Data(data)) => {
                // Output between actions comes from a child that an earlier one left behind.
                if let Some(id) = self.current {
                    sink(Progress::Output(id, stream, &data));
                }
            }
            (Stream::Stderr, Piece::Data(data)) => sink(Progress::Output(self.stderr_at, stream, &data)),
            (stream, Piece::Mark(mark)) => {
                let words: Vec<&str> = mark.split(' ').collect();
                let id = words.get(1).and_then(|id| id.parse().ok());
                match (stream, words.first().copied(), id) {
                    (Stream::Stdout, Some("z"), _) => self.ended.0 = true,
                    (Stream::Stderr, Some("z"), _) => self.ended.1 = true,
                    (Stream::Stdout, Some("u"), _) => self.failed = Some((0, 1)),
                    (Stream::Stdout, Some("b"), Some(id)) => self.begin(id, sink),
                    (Stream::Stdout, Some("g"), Some(_)) => {
                        self.group = words.get(2).map(ToString::to_string)
                    }
                    (Stream::Stdout, Some("e"), Some(id)) => {
                        self.code = words.get(2).and_then(|code| code.parse().ok());
                        self.stdout_ended(id);
                    }
                    (Stream::Stderr, Some("e"), Some(id)) => self.stderr_at = id.saturating_add(1),
                    _ => {}
                }
                self.finish(sink);
            }
        }
    }

    fn begin(&mut self, id: usize, sink: &mut (dyn FnMut(Progress<'_>) + Send)) {
        self.current = Some(id);
        self.group = None;
        self.deadline = Some(Instant::now() + limit(&self.actions[id.min(self.actions.len() - 1)]));
        sink(Progress::Began(id));
    }

    fn stdout_ended(&mut self, id: usize) {
        self.current = Some(id);
        self.group = None;
        self.deadline = Some(Instant::now() + SMALL);
    }

    /// An action has ended once both streams say so.
    fn finish(&mut self, sink: &mut (dyn FnMut(Progress<'_>) + Send)) {
        let (Some(id), Some(code)) = (self.current, self.code) else { return };
        if self.stderr_at <= id {
            return;
        }
        self.current = None;
        self.code = None;
        if !self.is_ok(id, code) {
            self.failed = Some((id, code));
        }
        sink(Progress::Ended(id, code));
    }

    fn is_ok(&self, id: usize, code: i32) -> bool {
        match self.actions.get(id) {
            Some(Action::Run(Command { ok_codes, .. })) => ok_codes.contains(&code),
            _ => code == 0,
        }
    }

    fn ending(&self) -> Ending {
        match self.failed {
            _ if self.interrupted => Ending::Interrupted,
            Some((action, code)) => Ending::Failed { action, code, timed_out: self.timed_out },
            None => Ending::Done,
        }
    }
}

fn limit(action: &Action) -> Duration {
    match action {
        Action::Run(command) => command.timeout.unwrap_or(DEFAULT_TIMEOUT),
        _ => SMALL,
    }
}
