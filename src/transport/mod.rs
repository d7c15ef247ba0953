//! Ways to a host. Everything above sees [`Link`] and never whether it is SSH or the operator's own machine.

pub mod local;
pub mod runner;

use async_trait::async_trait;
use tokio::sync::mpsc;

use crate::words::content::Content;
use crate::words::error::Result;

/// A connection to one host, authenticated, with the host's key verified.
#[async_trait]
pub trait Link: Send + Sync {
    /// Starts a `/bin/sh` that reads its script from stdin, as the acting user (through sudo with `become`).
    /// `first` is written behind the request, without waiting for an answer.
    async fn shell(&self, first: Vec<u8>) -> Result<Shell>;

    /// Makes `dir` (mode 0700, must not exist yet, absolute) as the login user and writes `files` into it,
    /// each 0600 and under the name given. `progress` hears the number of bytes sent, now and then.
    async fn upload(&self, dir: &str, files: &[Upload], progress: &(dyn Fn(u64) + Send + Sync))
    -> Result<()>;

    /// Copies a file of the host to the operator's machine.
    async fn download(&self, path: &str, to: &std::path::Path) -> Result<()>;

    /// Runs a short script as the acting user beside the shell (another channel, or another connection where
    /// the server allows one channel only); for ending process groups.
    async fn aside(&self, script: &str) -> Result<()>;

    /// Says goodbye; errors do not matter any more.
    async fn close(&self);
}

#[derive(Clone, Debug)]
pub struct Upload {
    pub name: String,
    pub content: Content,
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

/// What sudo's refusal means. (Replaced by the fuller one of the SSH transport.)
pub fn explain_sudo(stderr: &str) -> Option<crate::words::error::Error> {
    stderr
        .contains("sudo:")
        .then(|| crate::words::error::Error::unreachable("sudo refused to make us root").cause(stderr.trim()))
}

/// (Replaced by the real one of the SSH transport.)
#[derive(Debug)]
pub struct Connector;
#[derive(Clone, Debug)]
pub struct UnknownKey;
impl Connector {
    pub async fn connect(
        &self,
        host: &crate::spec::model::Host,
        _notice: &(dyn Fn(String) + Send + Sync),
    ) -> Result<std::sync::Arc<dyn Link>> {
        Ok(local::connect(host.connection.r#become()))
    }
    pub fn unknown_keys(&self) -> Vec<UnknownKey> {
        vec![]
    }
    pub fn trust(&self, _keys: &[UnknownKey]) -> Result<()> {
        Ok(())
    }
}
