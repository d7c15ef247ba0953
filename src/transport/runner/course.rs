//! The two output streams of a batch, brought together: which action began, said something, ended.

use std::collections::VecDeque;
use std::time::Duration;

use tokio::time::Instant;

use crate::transport::runner::batch::{DEFAULT_TIMEOUT, Ending, Progress, SMALL};
use crate::transport::runner::frames::Piece;
use crate::words::action::{Action, Command};
use crate::words::event::Stream;

/// The state of a batch while it runs.
pub(super) struct Run<'a> {
    actions: &'a [Action],
    /// The action that stdout belongs to, and its process group.
    current: Option<usize>,
    pub(super) group: Option<String>,
    pub(super) deadline: Option<Instant>,
    /// The two streams come at their own pace: pieces of stdout, of stderr, whose turn is not yet.
    pub(super) ahead: (VecDeque<Piece>, VecDeque<Piece>),
    /// How many actions have ended on stderr.
    stderr_at: usize,
    code: Option<i32>,
    failed: Option<(usize, i32)>,
    pub(super) timed_out: bool,
    pub(super) killed: bool,
    pub(super) interrupted: bool,
    /// `z` seen on stdout, on stderr.
    pub(super) ended: (bool, bool),
}

impl<'a> Run<'a> {
    pub(super) fn new(actions: &'a [Action]) -> Run<'a> {
        Run {
            actions,
            current: None,
            group: None,
            deadline: None,
            ahead: (VecDeque::new(), VecDeque::new()),
            stderr_at: 0,
            code: None,
            failed: None,
            timed_out: false,
            killed: false,
            interrupted: false,
            ended: (false, false),
        }
    }

    pub(super) fn take(&mut self, stream: Stream, piece: Piece, sink: &mut (dyn FnMut(Progress<'_>) + Send)) {
        match stream {
            Stream::Stdout => self.ahead.0.push_back(piece),
            Stream::Stderr => self.ahead.1.push_back(piece),
        }
        while let Some((stream, piece)) = self.next() {
            self.handle(stream, piece, sink);
        }
    }

    /// The next piece whose turn it is: the next action begins on stdout when the one before has ended on both
    /// streams, and what it says on stderr belongs to it only when it has begun.
    fn next(&mut self) -> Option<(Stream, Piece)> {
        let early = |piece: &Piece| {
            matches!(piece, Piece::Data(_)) && self.current != Some(self.stderr_at) && !self.ended.0
        };
        if self.ahead.1.front().is_some_and(|piece| !early(piece)) {
            return self.ahead.1.pop_front().map(|piece| (Stream::Stderr, piece));
        }
        if self.code.is_some() || self.ended.0 {
            return None;
        }
        self.ahead.0.pop_front().map(|piece| (Stream::Stdout, piece))
    }

    fn handle(&mut self, stream: Stream, piece: Piece, sink: &mut (dyn FnMut(Progress<'_>) + Send)) {
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
                    (Stream::Stderr, Some("e"), Some(id)) => self.stderr_at = id + 1,
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

    pub(super) fn ending(&self) -> Ending {
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

#[cfg(test)]
mod tests {
    use super::{Progress, Run};
    use crate::transport::runner::frames::Piece;
    use crate::words::action::{Action, Command};
    use crate::words::event::Stream::{self, Stderr, Stdout};

    /// What is told of two commands, when the pieces of the streams come in this order.
    fn told(pieces: &[(Stream, &str)]) -> Vec<String> {
        let actions = [Action::Run(Command::new("one")), Action::Run(Command::new("two"))];
        let (mut run, mut told) = (Run::new(&actions), vec![]);
        for (stream, text) in pieces {
            let piece = match text.strip_prefix('>') {
                Some(data) => Piece::Data(data.as_bytes().to_vec()),
                None => Piece::Mark((*text).to_owned()),
            };
            run.take(*stream, piece, &mut |progress| {
                told.push(match progress {
                    Progress::Output(id, _, data) => format!("{id} says {}", String::from_utf8_lossy(data)),
                    Progress::Began(id) => format!("{id} begins"),
                    Progress::Ended(id, code) => format!("{id} ends {code}"),
                    Progress::Sent(_) => String::new(),
                });
            });
        }
        assert_eq!(run.ended, (true, true));
        told
    }

    #[test]
    fn a_stream_that_is_ahead_waits_for_the_other() {
        let stdout = ["b 0", "e 0 0", "b 1", ">out", "e 1 3", "z"].map(|text| (Stdout, text));
        let stderr = [">err 0", "e 0", ">err 1", "e 1", "z"].map(|text| (Stderr, text));
        let stdout_first: Vec<_> = stdout.into_iter().chain(stderr).collect();
        let expected =
            ["0 begins", "0 says err 0", "0 ends 0", "1 begins", "1 says err 1", "1 says out", "1 ends 3"];
        let mut told_first = told(&stdout_first);
        told_first[4..6].sort();
        assert_eq!(told_first, expected);
        let stderr_first: Vec<_> = stderr.into_iter().chain(stdout).collect();
        assert_eq!(told(&stderr_first), expected);
    }
}
