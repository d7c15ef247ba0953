//! Ways to a host. Everything above sees [`Link`] and never whether it is SSH or the operator's own machine.

mod caa;
pub mod local;
mod names;
pub mod runner;
pub mod server;
mod ssh;
mod unchanged;

use std::path::Path;

use async_trait::async_trait;
use tokio::sync::mpsc;

use crate::words::content::Content;
use crate::words::error::Result;

pub use caa::caa;
pub use names::resolve;
pub use ssh::{Ask, Connector, Keyring, Loaded, Options, TO_REVIEW, UnknownKey, Unlocked, explain_sudo};

/// A connection to one host, authenticated, with the host's key verified.
#[async_trait]
pub trait Link: Send + Sync {
    /// Starts a `/bin/sh` that reads its script from stdin, as the acting user (through sudo with `become`).
    /// `first` travels with the request, without waiting for an answer.
    async fn shell(&self, first: Opening) -> Result<Shell>;

    /// An upload will probably follow: prepares for it where that saves waiting. Writes nothing on the host.
    async fn expect_upload(&self) {}

    /// Makes `dir` (mode 0700, must not exist yet, absolute) as the login user and writes `files` into it,
    /// each 0600 and under the name given. `progress` hears, now and then, how many more bytes have arrived.
    async fn upload(&self, dir: &str, files: &[Upload], progress: &(dyn Fn(u64) + Send + Sync))
    -> Result<()>;

    /// Copies a file that the login user can read to a file here, which appears only when it is whole.
    async fn download(&self, path: &str, to: &Path) -> Result<()>;

    /// Runs a short script as the acting user beside the shell (another channel, or another connection where
    /// the server allows one channel only); for ending process groups.
    async fn aside(&self, script: &str) -> Result<()>;

    /// What is under way there may outlive it.
    fn can_be_lost(&self) -> bool {
        true
    }

    /// It is gone: nothing can be done over it any more.
    fn is_lost(&self) -> bool {
        false
    }

    /// The account that logged in, for messages.
    fn user(&self) -> String {
        std::env::var("USER").unwrap_or_else(|_| "the login user".into())
    }

    /// Says goodbye; errors do not matter any more.
    async fn close(&self);
}

#[derive(Clone, Debug)]
pub struct Upload {
    pub name: String,
    pub content: Content,
}

/// The first script for a shell.
#[derive(Debug)]
pub struct Opening {
    pub script: Vec<u8>,
    /// Holds no secret: may stand where every account of the host can read it, in the list of processes.
    pub public: bool,
}

/// The pipes of a remote shell. Dropping `input` closes its stdin.
#[derive(Debug)]
pub struct Shell {
    pub input: mpsc::Sender<Vec<u8>>,
    pub output: mpsc::Receiver<Chunk>,
}

#[derive(Debug)]
pub enum Chunk {
    Out(Vec<u8>),
    Err(Vec<u8>),
    /// The last one. `code` is `None` when the link was lost, or when a signal ended the shell.
    End {
        code: Option<i32>,
        why: Option<String>,
    },
}
