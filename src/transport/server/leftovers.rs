//! Processes that outlive their session: daemons started by the demo. They carry a mark in their environment,
//! by which they are found again; there is no other sure sign that they are ours.

use std::ffi::OsString;
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::words::error::{Error, Result};

const NAME: &str = "TOWLINE_SERVER";

#[derive(Clone, Debug)]
pub struct Mark(String);

impl Mark {
    pub fn new() -> Mark {
        Mark(format!("{:032x}", rand::random::<u128>()))
    }

    pub fn variable(&self) -> (OsString, OsString) {
        (NAME.into(), self.0.clone().into())
    }

    /// SIGTERM, and SIGKILL for what is still there after `grace`.
    pub async fn end_processes(&self, grace: Duration) -> Result<()> {
        for (signal, patience) in [(Signal::SIGTERM, grace), (Signal::SIGKILL, Duration::from_secs(2))] {
            // Not a child of ours, so its end cannot be awaited, only looked for.
            let deadline = tokio::time::Instant::now() + patience;
            let mut told = Vec::new();
            loop {
                let found = self.processes();
                if found.is_empty() {
                    return Ok(());
                }
                for pid in found {
                    if !told.contains(&pid) {
                        let _ = kill(pid, signal);
                        told.push(pid);
                    }
                }
                if tokio::time::Instant::now() >= deadline {
                    break;
                }
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        }
        let left = self.processes();
        let names: Vec<String> = left.iter().map(ToString::to_string).collect();
        if left.is_empty() {
            return Ok(());
        }
        Err(Error::failed("cannot end all processes of the demo")
            .cause(format!("still running: {}", names.join(", ")))
            .hint("end them with `kill -9` and these numbers"))
    }

    /// All processes that carry the mark. Linux only: elsewhere the environment of others is not to be had, and
    /// what was started by a session ends with its process group alone.
    fn processes(&self) -> Vec<Pid> {
        let entry = format!("{NAME}={}", self.0).into_bytes();
        let Ok(folders) = std::fs::read_dir("/proc") else { return Vec::new() };
        let pids = folders.flatten().filter_map(|folder| folder.file_name().to_str()?.parse::<i32>().ok());
        pids.filter(|pid| {
            // A zombie's environment reads as empty.
            let environ = std::fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
            environ.split(|byte| *byte == 0).any(|variable| variable == entry)
        })
        .map(Pid::from_raw)
        .collect()
    }
}
