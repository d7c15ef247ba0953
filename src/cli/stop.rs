//! Ctrl-C: once ends in order, twice ends at once.

use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

use crate::words::error::Kind;

/// Becomes true at the first Ctrl-C (or TERM, or HUP); the second ends the process.
pub fn listen() -> watch::Receiver<bool> {
    let (stop, stopped) = watch::channel(false);
    tokio::spawn(async move {
        let signals = [SignalKind::interrupt(), SignalKind::terminate(), SignalKind::hangup()].map(signal);
        let [Ok(mut int), Ok(mut term), Ok(mut hup)] = signals else { return };
        loop {
            tokio::select! {
                _ = int.recv() => {}
                _ = term.recv() => {}
                _ = hup.recv() => {}
            }
            if *stop.borrow() {
                // The terminal's cursor may be hidden: show it again.
                let _ = console::Term::stderr().show_cursor();
                std::process::exit(i32::from(Kind::Interrupted.exit_code()));
            }
            stop.send_replace(true);
        }
    });
    stopped
}
