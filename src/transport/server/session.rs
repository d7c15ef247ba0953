//! One client: lets in the holder of the one key, and starts commands and SFTP on its channels.

use std::collections::HashMap;
use std::process::Stdio;
use std::sync::Arc;

use russh::keys::PublicKey;
use russh::server::{Auth, ChannelOpenHandle, Handle, Handler, Msg, PublicKeyOffer, VerifiedPublicKey};
use russh::{Channel, ChannelId, Pty, Sig};
use tokio::process::Command;

use crate::transport::server::Shared;
use crate::transport::server::process::{self, Client, Group};
use crate::transport::server::sftp::Sftp;

pub struct Session {
    shared: Arc<Shared>,
    /// Opened and not yet told what to do.
    idle: HashMap<ChannelId, Channel<Msg>>,
    /// What signals are sent to.
    groups: HashMap<ChannelId, Group>,
}

impl Session {
    pub fn new(shared: Arc<Shared>) -> Session {
        Session { shared, idle: HashMap::new(), groups: HashMap::new() }
    }

    fn judge(&self, key: &PublicKey) -> Auth {
        // The comment is not part of the key.
        if key.key_data() == self.shared.authorized.key_data() { Auth::Accept } else { Auth::reject() }
    }

    /// `None` when it could not be started; the client then hears a failure, as from sshd.
    fn start(&mut self, id: ChannelId, args: &[&str], handle: Handle) -> Option<()> {
        let channel = self.idle.remove(&id)?;
        let child = Command::new("/bin/sh")
            .args(args)
            .current_dir(&self.shared.home)
            .env_clear()
            .envs(self.shared.env.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0)
            .spawn()
            .ok()?;
        let group = Group::of(&child)?;
        self.groups.insert(id, group);
        tokio::spawn(process::attend(child, group, Client { channel, handle }, Arc::clone(&self.shared)));
        Some(())
    }
}

impl Handler for Session {
    type Error = russh::Error;

    async fn auth_publickey_offered(
        &mut self,
        _user: &str,
        offer: PublicKeyOffer<'_>,
    ) -> Result<Auth, Self::Error> {
        Ok(self.judge(offer.public_key))
    }

    async fn auth_publickey(&mut self, _user: &str, key: VerifiedPublicKey<'_>) -> Result<Auth, Self::Error> {
        Ok(self.judge(key.public_key))
    }

    async fn channel_open_session(
        &mut self,
        channel: Channel<Msg>,
        reply: ChannelOpenHandle,
        _session: &mut russh::server::Session,
    ) -> Result<(), Self::Error> {
        self.idle.insert(channel.id(), channel);
        reply.accept().await;
        Ok(())
    }

    async fn channel_close(
        &mut self,
        id: ChannelId,
        _session: &mut russh::server::Session,
    ) -> Result<(), Self::Error> {
        self.idle.remove(&id);
        self.groups.remove(&id);
        Ok(())
    }

    async fn exec_request(
        &mut self,
        id: ChannelId,
        command: &[u8],
        session: &mut russh::server::Session,
    ) -> Result<(), Self::Error> {
        let started = std::str::from_utf8(command)
            .ok()
            .and_then(|command| self.start(id, &["-c", command], session.handle()));
        answer(id, started.is_some(), session)
    }

    async fn shell_request(
        &mut self,
        id: ChannelId,
        session: &mut russh::server::Session,
    ) -> Result<(), Self::Error> {
        let started = self.start(id, &[], session.handle());
        answer(id, started.is_some(), session)
    }

    async fn subsystem_request(
        &mut self,
        id: ChannelId,
        name: &str,
        session: &mut russh::server::Session,
    ) -> Result<(), Self::Error> {
        let channel = if name == "sftp" { self.idle.remove(&id) } else { None };
        answer(id, channel.is_some(), session)?;
        if let Some(channel) = channel {
            let sftp = Sftp::new(Arc::clone(&self.shared));
            russh_sftp::server::run(channel.into_stream(), sftp).await;
        }
        Ok(())
    }

    async fn signal(
        &mut self,
        id: ChannelId,
        signal: Sig,
        _session: &mut russh::server::Session,
    ) -> Result<(), Self::Error> {
        if let (Some(group), Some(signal)) = (self.groups.get(&id), process::from_ssh(&signal)) {
            group.signal(signal);
        }
        Ok(())
    }

    async fn env_request(
        &mut self,
        id: ChannelId,
        _name: &str,
        _value: &str,
        session: &mut russh::server::Session,
    ) -> Result<(), Self::Error> {
        // As sshd without AcceptEnv.
        answer(id, false, session)
    }

    async fn pty_request(
        &mut self,
        id: ChannelId,
        _term: &str,
        _columns: u32,
        _rows: u32,
        _width: u32,
        _height: u32,
        _modes: &[(Pty, u32)],
        session: &mut russh::server::Session,
    ) -> Result<(), Self::Error> {
        answer(id, false, session)
    }
}

fn answer(id: ChannelId, ok: bool, session: &mut russh::server::Session) -> Result<(), russh::Error> {
    if ok { session.channel_success(id) } else { session.channel_failure(id) }
}
