//! Our side of the protocol: which algorithms, how long to wait, what the server may ask for (nothing), and
//! the judgement of its host key.

use std::borrow::Cow;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use russh::client::{ChannelOpenHandle, Handle, Msg};
use russh::client::{Config, DisconnectReason, Handler, Session as Protocol};
use russh::keys::ssh_key::public::KeyData;
use russh::keys::{Algorithm, HashAlg, PublicKeyOrCertificate};
use russh::{Channel, Preferred, cipher};

use crate::transport::ssh::known_hosts::{Known, Name, Verdict};
use crate::transport::ssh::wire::Leash;

/// 16 MB: at 100 ms a smaller window is what bounds a download.
const WINDOW: u32 = 16 << 20;

/// AES-GCM first: half the CPU of ChaCha20 where the processor knows AES. Neither CBC nor SHA-1 anywhere.
const CIPHERS: &[cipher::Name] = &[
    cipher::AES_256_GCM,
    cipher::AES_128_GCM,
    cipher::CHACHA20_POLY1305,
    cipher::AES_256_CTR,
    cipher::AES_192_CTR,
    cipher::AES_128_CTR,
];

/// The order in which host keys are wanted: those known for the host first.
fn key_order(known: &[Algorithm]) -> Vec<Algorithm> {
    let rsa = |hash| Algorithm::Rsa { hash: Some(hash) };
    let usual = Preferred::DEFAULT.key.iter().filter(|key| **key != Algorithm::Rsa { hash: None });
    let mut order: Vec<Algorithm> = Vec::new();
    let wanted = known.iter().flat_map(|algorithm| match algorithm {
        Algorithm::Rsa { .. } => vec![rsa(HashAlg::Sha512), rsa(HashAlg::Sha256)],
        other => vec![other.clone()],
    });
    for algorithm in wanted.chain(usual.cloned()) {
        if Preferred::DEFAULT.key.contains(&algorithm) && !order.contains(&algorithm) {
            order.push(algorithm);
        }
    }
    order
}

pub fn config(known: &Known, name: &Name, keepalive: Duration) -> Config {
    let key = key_order(&known.algorithms(name));
    // A server with a certificate shows it only when asked; useless without an authority to judge it by.
    let certificates = if known.has_authority(name) { key.clone() } else { vec![] };
    Config {
        window_size: WINDOW,
        preferred: Preferred {
            key: Cow::Owned(key),
            host_key_certificates: Cow::Owned(certificates),
            cipher: Cow::Borrowed(CIPHERS),
            ..Preferred::DEFAULT
        },
        nodelay: true,
        // Silent for three intervals: dead. russh counts those that were sent, so the third is not sent.
        keepalive_interval: Some(keepalive),
        keepalive_max: 2,
        // Covers what keepalives do not: a write into a full socket, and handshakes that we gave up.
        inactivity_timeout: Some(keepalive * 3 + Duration::from_secs(1)),
        ..Config::default()
    }
}

/// What the protocol's task learned; read by whoever wonders why the connection ended.
#[derive(Debug, Default)]
pub struct Seen {
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    key: Option<Shown>,
    lost: Option<String>,
}

/// The server's key and what we thought of it.
#[derive(Clone, Debug)]
pub struct Shown {
    pub key: KeyData,
    pub verdict: Verdict,
}

impl Seen {
    fn with<T>(&self, change: impl FnOnce(&mut Inner) -> T) -> T {
        change(&mut self.inner.lock().unwrap_or_else(PoisonError::into_inner))
    }
    pub fn key(&self) -> Option<Shown> {
        self.with(|inner| inner.key.clone())
    }
    /// Why the connection ended, as far as anybody said.
    pub fn lost(&self) -> Option<String> {
        self.with(|inner| inner.lost.clone())
    }
}

pub struct Client {
    pub known: Arc<Known>,
    pub name: Name,
    pub seen: Arc<Seen>,
}

impl Client {
    fn judge(&self, shown: &PublicKeyOrCertificate) -> Shown {
        match shown {
            PublicKeyOrCertificate::PublicKey { key, .. } => Shown {
                key: key.key_data().clone(),
                verdict: self.known.judge_key(&self.name, key.key_data()),
            },
            PublicKeyOrCertificate::Certificate(certificate) => {
                let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |now| now.as_secs());
                Shown {
                    key: certificate.public_key().clone(),
                    verdict: self.known.judge_certificate(&self.name, certificate, now),
                }
            }
        }
    }
}

/// Channels that the server opens are refused: dropping the handle says no.
impl Handler for Client {
    type Error = russh::Error;

    async fn check_server_key(&mut self, shown: &PublicKeyOrCertificate) -> Result<bool, russh::Error> {
        let shown = self.judge(shown);
        let trusted = shown.verdict == Verdict::Trusted;
        self.seen.with(|inner| inner.key = Some(shown));
        Ok(trusted)
    }

    async fn disconnected(&mut self, reason: DisconnectReason<russh::Error>) -> Result<(), russh::Error> {
        let why = match &reason {
            DisconnectReason::ReceivedDisconnect(info) => {
                format!("the server closed the connection: {}", info.message.trim())
            }
            DisconnectReason::Error(russh::Error::KeepaliveTimeout | russh::Error::InactivityTimeout) => {
                "the link is dead: no answer to keepalives".to_owned()
            }
            DisconnectReason::Error(error) => explain(error),
        };
        self.seen.with(|inner| inner.lost.get_or_insert(why).clone());
        match reason {
            DisconnectReason::ReceivedDisconnect(_) => Ok(()),
            DisconnectReason::Error(error) => Err(error),
        }
    }

    async fn server_channel_open_forwarded_tcpip(
        &mut self,
        _: Channel<Msg>,
        _: &str,
        _: u32,
        _: &str,
        _: u32,
        _refused: ChannelOpenHandle,
        _: &mut Protocol,
    ) -> Result<(), russh::Error> {
        Ok(())
    }

    async fn server_channel_open_forwarded_streamlocal(
        &mut self,
        _: Channel<Msg>,
        _: &str,
        _refused: ChannelOpenHandle,
        _: &mut Protocol,
    ) -> Result<(), russh::Error> {
        Ok(())
    }

    async fn server_channel_open_agent_forward(
        &mut self,
        _: Channel<Msg>,
        _refused: ChannelOpenHandle,
        _: &mut Protocol,
    ) -> Result<(), russh::Error> {
        Ok(())
    }

    async fn server_channel_open_session(
        &mut self,
        _: Channel<Msg>,
        _refused: ChannelOpenHandle,
        _: &mut Protocol,
    ) -> Result<(), russh::Error> {
        Ok(())
    }

    async fn server_channel_open_direct_tcpip(
        &mut self,
        _: Channel<Msg>,
        _: &str,
        _: u32,
        _: &str,
        _: u32,
        _refused: ChannelOpenHandle,
        _: &mut Protocol,
    ) -> Result<(), russh::Error> {
        Ok(())
    }

    async fn server_channel_open_direct_streamlocal(
        &mut self,
        _: Channel<Msg>,
        _: &str,
        _refused: ChannelOpenHandle,
        _: &mut Protocol,
    ) -> Result<(), russh::Error> {
        Ok(())
    }

    async fn server_channel_open_x11(
        &mut self,
        _: Channel<Msg>,
        _: &str,
        _: u32,
        _refused: ChannelOpenHandle,
        _: &mut Protocol,
    ) -> Result<(), russh::Error> {
        Ok(())
    }
}

/// A russh error in words that help.
pub fn explain(error: &russh::Error) -> String {
    match error {
        russh::Error::Disconnect | russh::Error::HUP | russh::Error::RecvError | russh::Error::SendError => {
            "the server closed the connection".to_owned()
        }
        russh::Error::NoCommonAlgo { kind, theirs, .. } => {
            let kind = format!("{kind:?}").to_lowercase();
            format!("no common {kind} algorithm; the server offers {}", theirs.join(", "))
        }
        russh::Error::IO(error) => error.to_string(),
        other => other.to_string(),
    }
}

/// An authenticated connection. Ends when the last holder drops it.
pub struct Session {
    pub handle: Handle<Client>,
    pub seen: Arc<Seen>,
    pub _leash: Leash,
    /// The jump host's connection that carries this one.
    pub through: Option<Arc<Session>>,
}

impl Session {
    pub fn is_alive(&self) -> bool {
        !self.handle.is_closed() && self.through.as_ref().is_none_or(|through| through.is_alive())
    }
    pub fn why_lost(&self) -> String {
        self.seen.lost().unwrap_or_else(|| "it ended without a word".to_owned())
    }
}

impl std::fmt::Debug for Session {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Session").field("alive", &self.is_alive()).finish_non_exhaustive()
    }
}
