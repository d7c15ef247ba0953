//! How far a batch has come: the pieces of both streams, sorted by action.

use std::collections::VecDeque;
use std::time::Duration;

use tokio::time::Instant;

use crate::transport::runner::batch::{Ending, Progress};
use crate::transport::runner::frames::Piece;
use crate::words::action::{Action, Command};
use crate::words::error::{Error, Kind};
use crate::words::event::Stream;

/// A command that says nothing about it may take this long.
pub const DEFAULT_TIMEOUT: Duration = Duration::from_secs(3600);
/// What is over in a moment; longer means a dead disk or a dead link.
pub const SMALL: Duration = Duration::from_secs(300);

/// The state of a batch while it runs.
pub struct Run<'a> {
    pub actions: &'a [Action],
    /// The action that stdout belongs to, and its process group.
    pub current: Option<usize>,
    pub group: Option<u32>,
    pub deadline: Option<Instant>,
    /// The action that stderr belongs to.
    pub next: usize,
    /// Of stdout and of stderr.
    pub lanes: [Lane; 2],
    /// What stdout says behind the batch, while stderr has not come so far: answers to probes.
    pub behind: VecDeque<Piece>,
    pub failed: Option<(usize, i32)>,
    /// The action whose time was over.
    pub timed_out: Option<usize>,
    /// The host has left out actions.
    pub left_out: bool,
    pub group_did: Did,
    pub killed: bool,
    pub killed_group: Option<u32>,
    pub interrupted: bool,
}

/// What was done, as far as is known, of the files that belong together with the action that failed.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Did {
    Nothing,
    Something,
}

/// How far one stream has come.
#[derive(Default)]
pub struct Lane {
    /// What it has told the end of, while the other has not.
    ended: Option<Ended>,
    held: VecDeque<Piece>,
    /// The batch's end.
    pub done: bool,
}

#[derive(Clone, Copy)]
enum Ended {
    One(usize, i32),
    /// Several that belong together, from the first to before the last: all went well.
    Span(usize, usize),
}

pub fn lane(stream: Stream) -> usize {
    match stream {
        Stream::Stdout => 0,
        Stream::Stderr => 1,
    }
}

impl<'a> Run<'a> {
    pub fn new(actions: &'a [Action]) -> Run<'a> {
        Run {
            actions,
            current: None,
            group: None,
            deadline: None,
            next: 0,
            lanes: Default::default(),
            behind: VecDeque::new(),
            failed: None,
            timed_out: None,
            left_out: false,
            group_did: Did::Something,
            killed: false,
            killed_group: None,
            interrupted: false,
        }
    }

    /// Whether what comes on this stream is kept until the other one has come as far.
    pub fn waits(&self, stream: Stream) -> bool {
        let lane = &self.lanes[lane(stream)];
        lane.done || lane.ended.is_some()
    }

    /// Takes a piece of one stream. At the end of an action each stream waits for the other, so that what is
    /// told of two actions never mixes.
    pub fn take(&mut self, stream: Stream, piece: Piece, sink: &mut (dyn FnMut(Progress<'_>) + Send)) {
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
            (Some("z"), code) => {
                self.lanes[lane(stream)].done = true;
                self.left_out |= code != Some(0);
            }
            (Some("u"), _) => (self.failed, self.group_did) = (Some((0, 1)), Did::Nothing),
            (Some("n"), _) => self.group_did = Did::Nothing,
            (Some("b"), Some(id)) => self.begin(id, sink),
            (Some("g"), Some(_)) => self.group = words.get(2).and_then(|group| group.parse().ok()),
            (Some("e"), Some(id)) => {
                let code = words.get(2).and_then(|code| code.parse().ok()).unwrap_or(-1);
                self.lanes[lane(stream)].ended = Some(Ended::One(id, code));
                self.finish(sink);
            }
            (Some("s"), Some(first)) => {
                let end = words.get(2).and_then(|end| end.parse().ok()).unwrap_or(0);
                self.lanes[lane(stream)].ended = Some(Ended::Span(first, self.actions.len().min(end)));
                self.finish(sink);
            }
            _ => {}
        }
    }

    /// An action has ended once both streams say so; then what they held back is taken.
    fn finish(&mut self, sink: &mut (dyn FnMut(Progress<'_>) + Send)) {
        let (Some(ended), Some(_)) = (self.lanes[0].ended, self.lanes[1].ended) else { return };
        match ended {
            Ended::One(id, code) => self.end(id, code, sink),
            Ended::Span(first, end) => {
                for id in first..end {
                    self.begin(id, sink);
                    self.end(id, 0, sink);
                }
            }
        }
        for stream in [Stream::Stdout, Stream::Stderr] {
            self.lanes[lane(stream)].ended = None;
        }
        for stream in [Stream::Stdout, Stream::Stderr] {
            for piece in std::mem::take(&mut self.lanes[lane(stream)].held) {
                self.take(stream, piece, sink);
            }
        }
    }

    fn end(&mut self, id: usize, code: i32, sink: &mut (dyn FnMut(Progress<'_>) + Send)) {
        // A program that ends in peace when it is killed has not done what it was to do.
        let code = if self.timed_out == Some(id) { -1 } else { code };
        (self.current, self.group, self.next) = (None, None, id.saturating_add(1));
        if !self.killed {
            self.deadline = Some(Instant::now() + SMALL);
        }
        if !self.is_ok(id, code) {
            self.failed = Some((id, code));
        }
        sink(Progress::Ended(id, code));
    }

    fn begin(&mut self, id: usize, sink: &mut (dyn FnMut(Progress<'_>) + Send)) {
        self.current = Some(id);
        self.group = None;
        if !self.killed {
            self.deadline = Some(Instant::now() + limit(&self.actions[id.min(self.actions.len() - 1)]));
        }
        sink(Progress::Began(id));
    }

    fn is_ok(&self, id: usize, code: i32) -> bool {
        match self.actions.get(id) {
            Some(Action::Run(Command { ok_codes, .. })) => ok_codes.contains(&code),
            _ => code == 0,
        }
    }

    /// After Ctrl-C, whatever ends the run was asked for.
    pub fn told(&self, mut error: Error) -> Error {
        if self.interrupted {
            error.kind = Kind::Interrupted;
        }
        error
    }

    pub fn ending(&self) -> Ending {
        match self.failed {
            _ if self.interrupted => Ending::Interrupted,
            Some((action, code)) => Ending::Failed {
                action,
                code,
                timed_out: self.timed_out.is_some(),
                untouched: self.group_did == Did::Nothing,
            },
            None if self.left_out || self.timed_out.is_some() => {
                let action = self.timed_out.unwrap_or(self.next).min(self.actions.len() - 1);
                Ending::Failed { action, code: -1, timed_out: self.timed_out.is_some(), untouched: false }
            }
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
