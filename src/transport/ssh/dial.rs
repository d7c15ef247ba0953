//! From a target to an authenticated session: TCP or jump host, handshake, host key, login, and the retries
//! that a throttling server needs.

use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::future::BoxFuture;
use rand::RngExt as _;
use russh::client::connect_stream;
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};

use crate::transport::ssh::auth::{Denied, Login};
use crate::transport::ssh::client::{self, Client, Seen, Session, explain};
use crate::transport::ssh::config::{Inherited, Target, Wanted, hop};
use crate::transport::ssh::known_hosts::Known;
use crate::transport::ssh::shared::Shared;
use crate::transport::ssh::trust;
use crate::transport::ssh::wire::{Pipe, Wire};
use crate::words::error::{Error, Result};
use crate::words::names::HostName;

/// Says what goes on while a host is being reached.
pub type Notice<'a> = &'a (dyn Fn(String) + Send + Sync);

const TRIES: u32 = 6;
/// A chain of jump hosts is finite; a configuration that names itself is not.
const DEPTH: usize = 8;

pub struct Dial<'a> {
    pub shared: &'a Arc<Shared>,
    /// The host of the inventory that all this is for.
    pub name: &'a HostName,
    pub notice: Notice<'a>,
}

/// Why one try failed.
enum Failure {
    /// The server, or something before it, dropped us without a word: MaxStartups does that.
    Dropped(String),
    /// Nobody listens; a restarting sshd does for a moment.
    Refused(Error),
    Final(Error),
}

impl Dial<'_> {
    pub async fn session(&self, target: &Target) -> Result<Arc<Session>> {
        self.through(target, 0).await
    }

    fn through<'b>(&'b self, target: &'b Target, depth: usize) -> BoxFuture<'b, Result<Arc<Session>>> {
        Box::pin(async move {
            let through = match target.jump.split_last() {
                None => None,
                Some(_) if depth >= DEPTH => {
                    return Err(Error::config(format!("{}: too many jump hosts", self.name))
                        .cause("more than 8 in a row: does one name itself?"));
                }
                Some((last, before)) => Some(self.jump(last, before, &target.inherited, depth).await?),
            };
            self.with_retries(target, through).await
        })
    }

    /// The one connection to a jump host that all hosts behind it share.
    async fn jump(
        &self,
        last: &str,
        before: &[String],
        inherited: &Inherited,
        depth: usize,
    ) -> Result<Arc<Session>> {
        let chain = [before, &[last.to_owned()]].concat();
        let slot = self.shared.jump_slot((chain, inherited.clone()));
        let mut slot = slot.lock().await;
        if let Some(session) = slot.upgrade().filter(|session| session.is_alive()) {
            return Ok(session);
        }
        let wanted = Wanted { known_hosts: inherited.known_hosts.clone(), ..hop(last)? };
        let mut target = self.shared.resolve(&wanted).await?;
        // Beside its own identities, which a jump host may have in ssh_config, it is offered the host's key.
        target.identities.files.splice(0..0, inherited.key.as_deref().map(|key| self.shared.expand(key)));
        target.inherited = inherited.clone();
        if !before.is_empty() {
            target.jump = before.to_vec();
        }
        let session = self.through(&target, depth + 1).await.map_err(|error| {
            let what = format!("jump host {last}: {}", error.what);
            Error { what, ..error }
        })?;
        *slot = Arc::downgrade(&session);
        Ok(session)
    }

    async fn with_retries(&self, target: &Target, through: Option<Arc<Session>>) -> Result<Arc<Session>> {
        let gate = self.shared.gates.of(&format!("{}:{}", target.host, target.port));
        let started = Instant::now();
        let mut tries = 1;
        loop {
            let pass = self.shared.gates.enter(&gate).await;
            let failure = match self.try_once(target, through.clone()).await {
                Ok(session) => return Ok(session),
                Err(failure) => failure,
            };
            drop(pass);
            let (pause, news) = match failure {
                Failure::Final(error) => return Err(error),
                Failure::Refused(error) if tries > 1 => return Err(error),
                Failure::Refused(_) => (
                    jittered(Duration::from_millis(400)),
                    "refused the connection, trying once more".to_owned(),
                ),
                Failure::Dropped(why) => {
                    gate.narrow();
                    let pause = jittered(Duration::from_millis(250) * 2_u32.pow(tries.min(5)));
                    if tries >= TRIES || started.elapsed() + pause > self.shared.options.retry_for {
                        return Err(throttled(target, &why, tries));
                    }
                    (pause, format!("turned us away, trying again ({} of {TRIES})", tries + 1))
                }
            };
            tries += 1;
            (self.notice)(format!("{} {news}", target.host));
            sleep(pause).await;
        }
    }

    async fn try_once(
        &self,
        target: &Target,
        through: Option<Arc<Session>>,
    ) -> Result<Arc<Session>, Failure> {
        let patience = self.shared.options.connect_timeout;
        let started = Instant::now();
        let seen = Arc::new(Seen::default());
        let known = self.shared.known(target);
        let shake = self.shake_hands(target, through, &known, &seen);
        let Ok(shaken) = timeout(patience, shake).await else {
            return Err(Failure::Final(
                Error::unreachable(format!("cannot reach {}", place(target)))
                    .cause(format!("no answer within {} s", patience.as_secs_f32()))
                    .hint("check the address, the port and the firewall"),
            ));
        };
        let mut session = shaken?;
        let left = patience.saturating_sub(started.elapsed()).max(patience / 4);
        let login = Login {
            target,
            keyring: &self.shared.keyring,
            handle: &mut session.handle,
            seen: &seen,
            patience: left,
        };
        match login.run().await {
            Ok(()) => Ok(Arc::new(session)),
            Err(Denied::For(error)) => Err(Failure::Final(error)),
            Err(Denied::Lost) => Err(Failure::Dropped(session.why_lost())),
        }
    }

    async fn shake_hands(
        &self,
        target: &Target,
        through: Option<Arc<Session>>,
        known: &Arc<Known>,
        seen: &Arc<Seen>,
    ) -> Result<Session, Failure> {
        let pipe = match &through {
            None => Pipe::Tcp(connect_tcp(target).await?),
            Some(session) => Pipe::Hop(channel_to(session, target).await?),
        };
        let (wire, leash) = Wire::new(pipe);
        let config = client::config(known, &target.lookup, self.shared.options.keepalive);
        let client = Client { known: Arc::clone(known), name: target.lookup.clone(), seen: Arc::clone(seen) };
        match connect_stream(Arc::new(config), wire, client).await {
            Ok(handle) => Ok(Session { handle, seen: Arc::clone(seen), _leash: leash, through }),
            Err(error) => Err(self.handshake_failure(target, seen, &error)),
        }
    }

    fn handshake_failure(&self, target: &Target, seen: &Seen, error: &russh::Error) -> Failure {
        if let (Some(shown), russh::Error::UnknownKey) = (seen.key(), error) {
            return Failure::Final(trust::refuse(self.shared, self.name, target, &shown));
        }
        match error {
            russh::Error::Disconnect
            | russh::Error::HUP
            | russh::Error::RecvError
            | russh::Error::SendError
            | russh::Error::IO(_) => Failure::Dropped(explain(error)),
            other => Failure::Final(
                Error::unreachable(format!("no secure connection to {}", place(target)))
                    .cause(explain(other))
                    .hint("tow needs a server with current algorithms: OpenSSH 6.5 or newer"),
            ),
        }
    }
}

async fn connect_tcp(target: &Target) -> Result<TcpStream, Failure> {
    let cannot = || Error::unreachable(format!("cannot reach {}", place(target)));
    match TcpStream::connect((target.host.as_str(), target.port)).await {
        Ok(tcp) => {
            // Without it the kernel holds small packets back: 123 instead of 81 ms a connection.
            tcp.set_nodelay(true).map_err(|error| Failure::Final(cannot().cause(error)))?;
            Ok(tcp)
        }
        Err(error) => Err(match error.kind() {
            io::ErrorKind::ConnectionRefused => Failure::Refused(
                cannot()
                    .cause("connection refused")
                    .hint(format!("is sshd running there, and on port {}?", target.port)),
            ),
            io::ErrorKind::ConnectionReset | io::ErrorKind::ConnectionAborted => {
                Failure::Dropped(error.to_string())
            }
            _ if error.raw_os_error().is_none() => Failure::Final(
                cannot()
                    .cause(format!("the name {} cannot be resolved", target.host))
                    .cause(error)
                    .hint("set `address` of the host in the inventory, or its HostName in ~/.ssh/config"),
            ),
            _ => Failure::Final(cannot().cause(error).hint("check the address and your network")),
        }),
    }
}

async fn channel_to(
    jump: &Session,
    target: &Target,
) -> Result<russh::ChannelStream<russh::client::Msg>, Failure> {
    let port = u32::from(target.port);
    let opened = jump.handle.channel_open_direct_tcpip(target.host.clone(), port, "127.0.0.1", 0).await;
    let cannot = || Error::unreachable(format!("cannot reach {} through its jump host", place(target)));
    match opened {
        Ok(channel) => Ok(channel.into_stream()),
        Err(russh::Error::ChannelOpenFailure(why)) => {
            let hint = if matches!(why, russh::ChannelOpenFailure::AdministrativelyProhibited) {
                "the jump host must allow it: AllowTcpForwarding yes"
            } else {
                "can the jump host reach that address itself?"
            };
            Err(Failure::Final(cannot().cause(format!("{why:?}")).hint(hint)))
        }
        Err(_) => Err(Failure::Dropped(jump.why_lost())),
    }
}

fn throttled(target: &Target, why: &str, tries: u32) -> Error {
    Error::unreachable(format!("cannot connect to {}", place(target)))
        .cause(format!("{why} ({tries} tries)"))
        .hint(
            "does an SSH server listen there? A busy sshd drops connections: MaxStartups and \
             PerSourcePenalties in its sshd_config say when, `--parallel` says how many at once",
        )
}

/// Half to one and a half of `pause`: many hosts must not come back all at once.
fn jittered(pause: Duration) -> Duration {
    pause.mul_f64(rand::rng().random_range(0.5..1.5))
}

fn place(target: &Target) -> String {
    if target.port == 22 { target.host.clone() } else { format!("{} port {}", target.host, target.port) }
}
