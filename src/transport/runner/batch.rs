//! A batch: actions streamed to the host in one go, their output and endings as they come.

use std::collections::VecDeque;
use std::fmt::Write as _;
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
    group: Option<u32>,
    deadline: Option<Instant>,
    /// The action that stderr belongs to.
    next: usize,
    /// Of stdout and of stderr.
    lanes: [Lane; 2],
    /// What stdout says behind the batch, while stderr has not come so far: answers to probes.
    behind: VecDeque<Piece>,
    failed: Option<(usize, i32)>,
    timed_out: bool,
    killed: bool,
    interrupted: bool,
}

/// How far one stream has come.
#[derive(Default)]
struct Lane {
    /// The action whose end it has told, while the other has not.
    ended: Option<(usize, i32)>,
    held: VecDeque<Piece>,
    /// The batch's end.
    done: bool,
}

fn lane(stream: Stream) -> usize {
    match stream {
        Stream::Stdout => 0,
        Stream::Stderr => 1,
    }
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
        self.batches += 1;
        let tag = format!("{}-{}", &self.token[..16], self.batches);
        let unpack = self.send_blobs(batch.actions, &tag, cancel, sink).await?;
        if *cancel.borrow() {
            // The token is the new one from here on: the shell must know, whatever comes next.
            self.send(fresh).await?;
            return Ok(Ending::Interrupted);
        }
        let after =
            if batch.then.is_empty() { String::new() } else { script::probes(batch.then, &self.token) };
        self.send(format!("{fresh}{}{after}", script::actions(&unpack, batch.actions, &tag))).await?;
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
        let mut held = 0;
        while !run.lanes.iter().all(|lane| lane.done) {
            let deadline = run.deadline.unwrap_or_else(|| Instant::now() + SMALL);
            tokio::select! {
                piece = self.piece() => {
                    let (stream, piece) = piece?;
                    let data = matches!(piece, Piece::Data(_));
                    held += if run.waits(stream) { piece.size() } else { 0 };
                    if held > MOST {
                        return Err(too_much());
                    }
                    run.take(stream, piece, sink);
                    if ![Stream::Stdout, Stream::Stderr].iter().any(|stream| run.waits(*stream)) {
                        held = 0;
                    }
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
        let behind = std::mem::take(&mut run.behind).into_iter().map(|piece| (Stream::Stdout, piece));
        self.pieces = behind.chain(std::mem::take(&mut self.pieces)).collect();
        Ok(run.ending())
    }

    /// Ends the process group at hand, and has the shell leave out what follows.
    fn kill(&self, run: &mut Run<'_>) {
        run.killed = true;
        run.deadline = Some(Instant::now() + GRACE);
        let mut script =
            if self.pid.is_empty() { String::new() } else { format!("kill -USR1 {}\n", self.pid) };
        if let Some(group) = &run.group {
            let _ = write!(
                script,
                "kill -TERM -{group} || exit 0\nn=0\nwhile [ $n -lt 25 ] && kill -0 -{group}; do sleep 0.2; n=$((n+1)); done\nkill -KILL -{group}\n"
            );
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
            next: 0,
            lanes: Default::default(),
            behind: VecDeque::new(),
            failed: None,
            timed_out: false,
            killed: false,
            interrupted: false,
        }
    }

    /// Whether what comes on this stream is kept until the other one has come as far.
    fn waits(&self, stream: Stream) -> bool {
        let lane = &self.lanes[lane(stream)];
        lane.done || lane.ended.is_some()
    }

    /// Takes a piece of one stream. At the end of an action each stream waits for the other, so that what is
    /// told of two actions never mixes.
    fn take(&mut self, stream: Stream, piece: Piece, sink: &mut (dyn FnMut(Progress<'_>) + Send)) {
        let at = lane(stream);
        if stream == Stream::Stdout && self.lanes[at].done {
            self.behind.push_back(piece);
            return;
        }
        if self.lanes[at].ended.is_some() {
            self.lanes[at].held.push_back(piece);
            return;
        }
        match piece {
            Piece::Data(data) => {
                // On stdout, output between actions comes from a child that an earlier one left behind.
                let id = if stream == Stream::Stdout { self.current } else { Some(self.next) };
                if let Some(id) = id {
                    sink(Progress::Output(id, stream, &data));
                }
            }
            Piece::Mark(mark) => self.mark(stream, &mark, sink),
        }
    }

    fn mark(&mut self, stream: Stream, mark: &str, sink: &mut (dyn FnMut(Progress<'_>) + Send)) {
        let words: Vec<&str> = mark.split(' ').collect();
        let id = words.get(1).and_then(|id| id.parse().ok());
        match (words.first().copied(), id) {
            (Some("z"), _) => self.lanes[lane(stream)].done = true,
            (Some("u"), _) => self.failed = Some((0, 1)),
            (Some("b"), Some(id)) => self.begin(id, sink),
            (Some("g"), Some(_)) => self.group = words.get(2).and_then(|group| group.parse().ok()),
            (Some("e"), Some(id)) => {
                let code = words.get(2).and_then(|code| code.parse().ok()).unwrap_or(-1);
                self.lanes[lane(stream)].ended = Some((id, code));
                self.finish(sink);
            }
            _ => {}
        }
    }

    /// An action has ended once both streams say so; then what they held back is taken.
    fn finish(&mut self, sink: &mut (dyn FnMut(Progress<'_>) + Send)) {
        let (Some((id, code)), Some(_)) = (self.lanes[0].ended, self.lanes[1].ended) else { return };
        (self.current, self.group, self.next) = (None, None, id.saturating_add(1));
        self.deadline = Some(Instant::now() + SMALL);
        if !self.is_ok(id, code) {
            self.failed = Some((id, code));
        }
        sink(Progress::Ended(id, code));
        for stream in [Stream::Stdout, Stream::Stderr] {
            self.lanes[lane(stream)].ended = None;
        }
        for stream in [Stream::Stdout, Stream::Stderr] {
            for piece in std::mem::take(&mut self.lanes[lane(stream)].held) {
                self.take(stream, piece, sink);
            }
        }
    }

    fn begin(&mut self, id: usize, sink: &mut (dyn FnMut(Progress<'_>) + Send)) {
        self.current = Some(id);
        self.group = None;
        self.deadline = Some(Instant::now() + limit(&self.actions[id.min(self.actions.len() - 1)]));
        sink(Progress::Began(id));
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
