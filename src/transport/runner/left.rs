//! A connection that was lost, seen from the next one to the same host: its shell, with what that had under way, and the
//! files that it had brought.

use crate::transport::runner::Runner;
use crate::transport::runner::detached::Begins;
use crate::words::error::{Error, Result};
use crate::words::fact::{Facts, HostFacts, Probe};
use crate::words::shell::{join, quote};

/// What a connection may leave on its host.
#[derive(Clone, Debug)]
pub struct Left {
    /// Which start of the host it saw; empty where that is not known.
    pub boot: String,
    pid: String,
    born: String,
    folders: Vec<String>,
}

impl Runner {
    pub fn left(&self) -> Left {
        Left {
            boot: self.boot.clone(),
            pid: self.pid.clone(),
            born: self.born.clone(),
            folders: self.folder.iter().chain(&self.uploading).cloned().collect(),
        }
    }

    /// Which start of the host this connection sees.
    pub fn boot(&self) -> &str {
        &self.boot
    }

    /// Returns when nothing that another connection has begun is under way any more, and its files are gone. With `waits`
    /// a command comes to its end; without, it goes on by itself and will be asked for again. False: it does not, within a minute.
    pub async fn clear(&mut self, left: &Left, waits: bool) -> Result<bool> {
        let Left { pid, born, folders, .. } = left;
        let words = format!("pid={pid} born={born} waits={}", if waits { "yes" } else { "" });
        let folders = quote(&join(folders));
        let probe = Probe::Shell {
            script: format!("{words} folders={folders}\n{}", include_str!("left.sh")),
            user: None,
        };
        let mut facts = Facts::new(HostFacts::default());
        self.probe(std::slice::from_ref(&probe), &mut facts).await?;
        match facts.output(&probe)?.stdout.trim() {
            "clear" => {
                if !waits && self.begins == Begins::Yes {
                    self.begins = Begins::Again;
                }
                Ok(true)
            }
            "busy" => Ok(false),
            _ => Err(Error::bug("a host did not say whether the connection before has ended")),
        }
    }
}
