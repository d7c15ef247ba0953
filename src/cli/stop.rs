//! Ctrl-C: once ends in order, twice ends at once; at a prompt once is enough.

use std::sync::OnceLock;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::watch;

use crate::cli::prompt::Prompt;
use crate::cli::secrets;
use crate::words::error::Kind;

/// Never dropped: whoever waits for a change would else hear of its end again and again.
static STOP: OnceLock<watch::Sender<bool>> = OnceLock::new();

/// Becomes true at the first Ctrl-C (or TERM, or HUP); the second ends the process.
pub fn listen() -> watch::Receiver<bool> {
    let mut first = false;
    let stop = STOP.get_or_init(|| {
        first = true;
        watch::channel(false).0
    });
    if first {
        let (ready, is_ready) = std::sync::mpsc::channel();
        // A thread of its own: a question may hold up the others, and must not hold up its own end.
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build();
            if let Ok(runtime) = runtime {
                let _ = runtime.block_on(obey(stop, ready));
            }
        });
        // What comes before anybody obeys would end the process with all that it has open. Without such a thread the sender
        // is gone, and nobody waits.
        let _ = is_ready.recv();
    }
    stop.subscribe()
}

async fn obey(stop: &watch::Sender<bool>, ready: std::sync::mpsc::Sender<()>) -> std::io::Result<()> {
    // Asked first: from here on it is not ignored any more.
    let mut hup = if hangup_is_ignored() { None } else { Some(signal(SignalKind::hangup())?) };
    let (mut int, mut term) = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
    let _ = ready.send(());
    loop {
        tokio::select! {
            _ = int.recv() => {}
            _ = term.recv() => {}
            () = hung_up(hup.as_mut()) => {}
        }
        if Prompt::abandon() || *stop.borrow() {
            // The terminal's cursor may be hidden: show it again.
            let _ = console::Term::stderr().show_cursor();
            secrets::clear();
            std::process::exit(i32::from(Kind::Interrupted.exit_code()));
        }
        stop.send_replace(true);
    }
}

async fn hung_up(hup: Option<&mut Signal>) {
    match hup {
        Some(hup) => drop(hup.recv().await),
        None => std::future::pending().await,
    }
}

/// `nohup tow run` goes on when its terminal is closed. Known where the system has `/proc`.
fn hangup_is_ignored() -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    // The lowest bit is signal 1, which is HUP.
    mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).is_some_and(|mask| mask & 1 == 1)
}
