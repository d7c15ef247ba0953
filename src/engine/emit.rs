//! The way of events to the listeners: one queue, one thread, secrets masked on the way in.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::JoinHandle;

use futures::future::BoxFuture;
use tokio::sync::Notify;

use crate::words::error::Error;
use crate::words::event::{Event, Listener, Outcome};
use crate::words::secret::Mask;

/// Output that waits for the listeners; beyond it, hosts are read no further until they have caught up.
const MOST_QUEUED: usize = 8 << 20;

#[derive(Clone, Debug)]
pub struct Emitter {
    queue: std::sync::mpsc::Sender<Event>,
    waiting: Arc<Waiting>,
    mask: Mask,
}

#[derive(Debug, Default)]
struct Waiting {
    bytes: AtomicUsize,
    less: Notify,
}

impl Emitter {
    /// The listener lives on a thread of its own, so that a slow terminal never holds up a connection. Joining
    /// the handle, after the last emitter is gone, gives it back.
    pub fn new(mut listener: Box<dyn Listener>, mask: Mask) -> (Emitter, JoinHandle<()>) {
        let (queue, events) = std::sync::mpsc::channel::<Event>();
        let waiting = Arc::new(Waiting::default());
        let seen = waiting.clone();
        let thread = std::thread::spawn(move || {
            for event in events {
                listener.event(&event);
                if let Event::Output { text, .. } = &event {
                    let before = seen.bytes.fetch_sub(text.len(), Ordering::AcqRel);
                    if before > MOST_QUEUED && before - text.len() <= MOST_QUEUED {
                        seen.less.notify_waiters();
                    }
                }
            }
        });
        (Emitter { queue, waiting, mask }, thread)
    }

    pub fn send(&self, event: Event) {
        let event = if self.mask.is_empty() { event } else { self.masked(event) };
        if let Event::Output { text, .. } = &event {
            self.waiting.bytes.fetch_add(text.len(), Ordering::AcqRel);
        }
        // Nobody listens any more: the run goes on.
        let _ = self.queue.send(event);
    }

    /// Returns when the listeners have caught up.
    pub fn ready(&self) -> BoxFuture<'static, ()> {
        let waiting = self.waiting.clone();
        Box::pin(async move {
            loop {
                let less = waiting.less.notified();
                tokio::pin!(less);
                less.as_mut().enable();
                if waiting.bytes.load(Ordering::Acquire) <= MOST_QUEUED {
                    return;
                }
                less.await;
            }
        })
    }

    pub fn mask(&self) -> &Mask {
        &self.mask
    }

    fn masked(&self, mut event: Event) -> Event {
        match &mut event {
            Event::Output { text, .. } | Event::Notice { text, .. } | Event::Stopping { why: text } => {
                self.text(text);
            }
            Event::TaskFinished { outcome, task, .. } => {
                self.text(&mut task.task);
                self.outcome(outcome);
            }
            Event::TaskStarted { task } => self.text(&mut task.task),
            Event::Finding { finding, .. } => {
                self.text(&mut finding.what);
                finding.why.iter_mut().chain(&mut finding.todo).for_each(|text| self.text(text));
            }
            Event::HostFinished { summary, .. } => {
                summary.error.iter_mut().for_each(|error| self.error(error));
                summary.pending.iter_mut().for_each(|name| self.text(name));
            }
            Event::RunFinished { hosts, .. } => {
                for summary in hosts.values_mut() {
                    summary.error.iter_mut().for_each(|error| self.error(error));
                    summary.pending.iter_mut().for_each(|name| self.text(name));
                }
            }
            _ => {}
        }
        event
    }

    fn text(&self, text: &mut String) {
        *text = self.mask.apply(text);
    }

    fn outcome(&self, outcome: &mut Outcome) {
        match outcome {
            Outcome::Already { why } | Outcome::Skipped { why } => self.text(why),
            Outcome::Changed { what, diffs } => {
                for text in what.iter_mut().chain(diffs.iter_mut().map(|diff| &mut diff.text)) {
                    self.text(text);
                }
            }
            Outcome::Unknown { what } => what.iter_mut().for_each(|line| self.text(line)),
            Outcome::Failed { error } => self.error(error),
        }
    }

    fn error(&self, error: &mut Error) {
        self.text(&mut error.what);
        error.causes.iter_mut().chain(&mut error.output).for_each(|line| self.text(line));
        error.hint.iter_mut().chain(&mut error.command).for_each(|line| self.text(line));
    }
}
