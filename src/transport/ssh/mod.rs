//! SSH: how a host is found, reached, verified and logged into, and the [`Link`] over the connection.

mod auth;
mod blocks;
mod client;
mod config;
mod dial;
mod download;
mod gate;
mod incoming;
mod keys;
mod known_hosts;
mod link;
mod opening;
mod pattern;
mod pen;
mod sftp;
mod shared;
mod shell;
mod sudo;
mod trust;
mod wire;

use std::path::PathBuf;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use crate::spec::model::{Connection, Host, Ssh};
use crate::transport::ssh::config::Wanted;
use crate::transport::ssh::dial::{Dial, Notice};
use crate::transport::ssh::link::SshLink;
use crate::transport::ssh::shared::Shared;
use crate::transport::{Link, local};
use crate::words::error::{Error, Result};
use crate::words::secret::Secret;

pub use crate::transport::ssh::keys::{Keyring, Loaded, Unlocked};
pub use crate::transport::ssh::sudo::explain_sudo;
pub use crate::transport::ssh::trust::{TO_REVIEW, UnknownKey};

/// How connections are made; the same for all hosts of a run.
#[derive(Clone)]
pub struct Options {
    /// For TCP, handshake and login together.
    pub connect_timeout: Duration,
    /// Servers that drop connections are tried again for this long.
    pub retry_for: Duration,
    /// A link that is silent for three of these is dead.
    pub keepalive: Duration,
    /// What sudo wants, when it wants a password.
    pub become_password: Option<Secret>,
    /// Private keys that need no passphrase any more.
    pub keys: Unlocked,
    /// Handshakes at once, over all hosts.
    pub handshakes: usize,
    /// Whether `~/.ssh/config` counts.
    pub ssh_config: bool,
    /// Whether keys of the agent are offered.
    pub agent: bool,
    /// The agent's socket; `SSH_AUTH_SOCK` when `None`.
    pub agent_socket: Option<PathBuf>,
    /// The user's own file, which new keys are written to, then others that are only read.
    pub known_hosts: Vec<PathBuf>,
}

impl Default for Options {
    fn default() -> Options {
        let home = std::env::home_dir().unwrap_or_else(|| "/".into());
        Options {
            connect_timeout: Duration::from_secs(10),
            retry_for: Duration::from_secs(20),
            // Three times 14 s: noticed within 45 s.
            keepalive: Duration::from_secs(14),
            become_password: None,
            keys: Unlocked::default(),
            handshakes: 48,
            ssh_config: true,
            agent: true,
            agent_socket: None,
            known_hosts: vec![home.join(".ssh/known_hosts"), "/etc/ssh/ssh_known_hosts".into()],
        }
    }
}

impl std::fmt::Debug for Options {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Options").field("known_hosts", &self.known_hosts).finish_non_exhaustive()
    }
}

/// Asks a person.
pub trait Ask: Send + Sync {
    /// Something that must not be shown. `None` when there is no terminal, or no answer.
    fn secret(&self, prompt: &str) -> Option<Secret>;
}

fn wanted(ssh: &Ssh) -> Wanted {
    Wanted {
        alias: ssh.address.clone(),
        user: ssh.user.clone(),
        port: ssh.port,
        key: ssh.key.clone(),
        jump: ssh.jump.clone(),
        known_hosts: ssh.known_hosts.clone(),
    }
}

/// Makes links; shared by all hosts of a run.
#[derive(Debug)]
pub struct Connector {
    shared: Arc<Shared>,
}

impl Connector {
    pub fn new(options: Options, ask: Arc<dyn Ask>) -> Connector {
        Connector { shared: Arc::new(Shared::new(options, ask)) }
    }

    /// An authenticated link to `host`, whose key is verified. `notice` hears about retries.
    pub async fn connect(&self, host: &Host, notice: Notice<'_>) -> Result<Arc<dyn Link>> {
        let ssh = match &host.connection {
            Connection::Local { .. } => return local::connect(host),
            Connection::Ssh(ssh) => ssh,
        };
        let target = self.shared.resolve(&wanted(ssh)).await?;
        let dial = Dial { shared: &self.shared, name: &host.name, notice };
        let session = dial.session(&target).await?;
        let link = SshLink::new(Arc::clone(&self.shared), host.name.clone(), target, ssh.r#become, session);
        Ok(Arc::new(link))
    }

    /// What is wrong with the private key that the inventory names for `host`, so that a run with it need not begin.
    pub async fn key_fault(&self, host: &Host) -> Option<Error> {
        let Connection::Ssh(ssh) = &host.connection else { return None };
        let path = match ssh.key.as_ref()? {
            // Who logs in, and where, may stand in the ssh configuration.
            key if key.contains('%') => {
                self.shared.resolve(&wanted(ssh)).await.ok()?.identities.files.into_iter().next()?
            }
            key => self.shared.expand(key),
        };
        match self.shared.keyring.load(&path).await {
            Loaded::Ready(_) | Loaded::Locked(_) => None,
            Loaded::Unusable(error) => Some(error),
            Loaded::Missing => Some(keys::missing(&path)),
        }
    }

    /// Host keys met so far that nobody has vouched for. The connections to them failed.
    pub fn unknown_keys(&self) -> Vec<UnknownKey> {
        self.shared.unknown.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Writes the keys down as trusted; connections made from now on accept them.
    pub fn trust(&self, keys: &[UnknownKey]) -> Result<()> {
        trust::write(&self.shared, keys)
    }
}
