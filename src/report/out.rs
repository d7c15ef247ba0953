//! Standard output: data that was asked for. Who reads may leave (`| head`), which is no failure; data that could not
//! be written otherwise (a full disk) is remembered, and the program ends with an error.

use std::io::{self, ErrorKind, Write};
use std::sync::{Mutex, PoisonError};

/// Why the first write failed that did.
static TROUBLE: Mutex<Option<String>> = Mutex::new(None);

/// Writes what was asked for.
pub fn write(text: &str) {
    // What went wrong is remembered.
    let _ = Stdout.write_all(text.as_bytes()).and_then(|()| Stdout.flush());
}

/// What the program has to say at its end.
pub fn trouble() -> Option<String> {
    TROUBLE.lock().unwrap_or_else(PoisonError::into_inner).take()
}

/// The process's, which remembers what went wrong.
#[derive(Debug)]
pub struct Stdout;

impl Write for Stdout {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        noted(io::stdout().write(bytes))
    }

    fn flush(&mut self) -> io::Result<()> {
        noted(io::stdout().flush())
    }
}

fn noted<T>(outcome: io::Result<T>) -> io::Result<T> {
    if let Err(error) = &outcome
        && !matches!(error.kind(), ErrorKind::BrokenPipe | ErrorKind::Interrupted)
    {
        let mut trouble = TROUBLE.lock().unwrap_or_else(PoisonError::into_inner);
        trouble.get_or_insert_with(|| error.to_string());
    }
    outcome
}
