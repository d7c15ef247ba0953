//! The operator's history of runs: a listener that hands what it hears to a thread of its own, which writes it down.
//! Whatever goes wrong there costs one notice and never a run.

pub mod read;
pub mod show;
mod store;
mod writer;

use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

pub use crate::report::history::store::{LIMITS, Trouble};
use crate::report::history::writer::write;
use crate::words::event::{Event, Listener};

/// Output that waits to be written; what comes on top is not kept.
const MOST_QUEUED: usize = 32 << 20;
/// At the end of a run, for what is still to be written.
const PATIENCE: Duration = Duration::from_secs(5);

/// Where to write, and who it is that runs.
#[derive(Clone, Debug)]
pub struct Place {
    pub file: PathBuf,
    pub who: String,
}

/// What was heard, and when.
struct Heard {
    time: SystemTime,
    event: Event,
}

/// Passes everything on, and has it written down.
pub struct Recorder {
    others: Box<dyn Listener>,
    queue: Option<Sender<Heard>>,
    shared: Arc<Shared>,
    done: Receiver<()>,
}

#[derive(Default)]
struct Shared {
    /// Bytes of output that wait.
    waiting: AtomicUsize,
    lost: AtomicUsize,
    trouble: Mutex<Option<String>>,
}

impl std::fmt::Debug for Recorder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Recorder")
    }
}

impl Recorder {
    pub fn new(others: Box<dyn Listener>, place: Place) -> Recorder {
        let (queue, heard) = channel();
        let (end, done) = channel();
        let shared = Arc::new(Shared::default());
        let of_thread = Arc::clone(&shared);
        std::thread::spawn(move || {
            if let Err(trouble) = write(&place, &heard, &of_thread) {
                of_thread
                    .tell(format!("this run is not in the history: {}: {trouble}", place.file.display()));
            }
            drop(end);
        });
        Recorder { others, queue: Some(queue), shared, done }
    }

    fn keep(&self, event: &Event) {
        let Some(queue) = &self.queue else { return };
        if let Event::Output { text, .. } = event {
            let before = self.shared.waiting.fetch_add(text.len(), Ordering::AcqRel);
            if before > MOST_QUEUED {
                self.shared.waiting.fetch_sub(text.len(), Ordering::AcqRel);
                self.shared.lost.fetch_add(text.len(), Ordering::AcqRel);
                return;
            }
        }
        // Nobody writes any more, and has said why.
        let _ = queue.send(Heard { time: SystemTime::now(), event: event.clone() });
    }

    /// Lets it be written to the end, within reason.
    fn finish(&mut self) {
        if self.queue.take().is_some() {
            let _ = self.done.recv_timeout(PATIENCE);
        }
    }
}

impl Shared {
    fn tell(&self, text: String) {
        *self.trouble.lock().unwrap_or_else(PoisonError::into_inner) = Some(text);
    }
}

impl Listener for Recorder {
    fn event(&mut self, event: &Event) {
        self.keep(event);
        let last = matches!(event, Event::RunFinished { .. });
        if last {
            self.finish();
        }
        // A run begins with its own event, whatever is to be said.
        let first = matches!(event, Event::RunStarted { .. });
        let trouble = if first {
            None
        } else {
            self.shared.trouble.lock().unwrap_or_else(PoisonError::into_inner).take()
        };
        if let Some(text) = trouble {
            self.others.event(&Event::Notice { host: None, text });
        }
        self.others.event(event);
    }
}

impl Drop for Recorder {
    fn drop(&mut self) {
        self.finish();
    }
}
