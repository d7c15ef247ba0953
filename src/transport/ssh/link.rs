//! [`Link`] over SSH: channels of one connection, and of a second one where the server allows one channel only.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use rand::RngExt as _;
use russh::client::Msg;
use russh::{Channel, Disconnect};
use tokio::sync::Mutex;

use crate::transport::ssh::client::{Session, explain};
use crate::transport::ssh::config::Target;
use crate::transport::ssh::dial::Dial;
use crate::transport::ssh::opening;
use crate::transport::ssh::sftp::{self, Sftp, Trouble};
use crate::transport::ssh::shared::Shared;
use crate::transport::ssh::shell;
use crate::transport::ssh::sudo::{self, Talk};
use crate::transport::ssh::{blocks, download};
use crate::transport::{Chunk, Link, Opening, Shell, Upload};
use crate::words::error::{Error, Result};
use crate::words::names::HostName;

/// A command that takes a file, and neither takes nor says anything for so long, is given up.
const STALL: Duration = Duration::from_secs(120);

pub struct SshLink {
    shared: Arc<Shared>,
    name: HostName,
    target: Target,
    r#become: bool,
    session: Arc<Session>,
    /// The server refuses further channels (MaxSessions 1).
    crowded: AtomicBool,
    /// The second connection, made when needed.
    spare: Mutex<Option<Arc<Session>>>,
    /// An SFTP session, opened while the first answers were on their way.
    expected: Mutex<Option<Sftp>>,
}

impl SshLink {
    pub fn new(
        shared: Arc<Shared>,
        name: HostName,
        target: Target,
        r#become: bool,
        session: Arc<Session>,
    ) -> SshLink {
        // Root needs no sudo.
        let r#become = r#become && target.user != "root";
        let (crowded, spare) = (AtomicBool::new(false), Mutex::new(None));
        SshLink { shared, name, target, r#become, session, crowded, spare, expected: Mutex::new(None) }
    }

    fn lost(&self, session: &Session, error: &russh::Error) -> Error {
        let why = if session.is_alive() { explain(error) } else { session.why_lost() };
        Error::unreachable(format!("lost the connection to {}", self.name)).cause(why)
    }

    /// A channel of this session; `None` when it has as many as the server allows.
    async fn channel_of(&self, session: &Session) -> Result<Option<Channel<Msg>>> {
        // Channels that were closed a moment ago may still count.
        for pause in [10, 20, 40, 80, 160, 0] {
            match session.handle.channel_open_session().await {
                Ok(channel) => return Ok(Some(channel)),
                Err(russh::Error::ChannelOpenFailure(_)) => {
                    tokio::time::sleep(Duration::from_millis(pause)).await;
                }
                Err(error) => return Err(self.lost(session, &error)),
            }
        }
        Ok(None)
    }

    /// A channel, and the session that it belongs to.
    async fn channel(&self) -> Result<(Channel<Msg>, Arc<Session>)> {
        if !self.crowded.load(Ordering::Relaxed) {
            if let Some(channel) = self.channel_of(&self.session).await? {
                return Ok((channel, Arc::clone(&self.session)));
            }
            self.crowded.store(true, Ordering::Relaxed);
        }
        let mut spare = self.spare.lock().await;
        if let Some(session) = spare.as_ref().filter(|session| session.is_alive())
            && let Some(channel) = self.channel_of(session).await?
        {
            return Ok((channel, Arc::clone(session)));
        }
        let dial = Dial { shared: &self.shared, name: &self.name, notice: &|_| {} };
        let session = dial.session(&self.target).await?;
        let Some(channel) = self.channel_of(&session).await? else {
            return Err(Error::unreachable(format!("{} opens no session", self.name))
                .cause("it refuses every channel")
                .hint("MaxSessions in its sshd_config must be 1 or more"));
        };
        *spare = Some(Arc::clone(&session));
        Ok((channel, session))
    }

    async fn sh(&self, first: Opening) -> Result<Shell> {
        let (channel, session) = self.channel().await?;
        let talk = match (&self.shared.options.become_password, self.r#become) {
            (Some(password), true) => {
                let nonce = format!("{:016x}", rand::rng().random::<u64>());
                Some(Talk::new(&nonce, password.clone()))
            }
            _ => None,
        };
        let inside = (first.public && talk.is_none()).then(|| opening::command(&first.script, self.r#become));
        let (command, behind) = match (&talk, inside.flatten()) {
            (Some(talk), _) => (talk.command(), first.script),
            (None, Some(line)) => (line, vec![]),
            (None, None) if self.r#become => (sudo::SUDO.to_owned(), first.script),
            (None, None) => (sudo::PLAIN.to_owned(), first.script),
        };
        // No reply is asked for: what is not inside travels right behind.
        channel.exec(false, command).await.map_err(|error| self.lost(&session, &error))?;
        Ok(shell::pipes(channel, behind, talk, session))
    }

    /// The SFTP session that was opened in advance, or one made now.
    async fn sftp(&self) -> Result<(Result<Sftp, Trouble>, Arc<Session>)> {
        if let Some(sftp) = self.expected.lock().await.take() {
            return Ok((Ok(sftp), Arc::clone(&self.session)));
        }
        let (channel, session) = self.channel().await?;
        Ok((Sftp::start(channel).await, session))
    }

    /// Runs a command line of plain words and quotes; its standard error when it fails.
    async fn run(&self, command: &str, input: blocks::Input<'_>) -> Result<(), String> {
        let (channel, session) = self.channel().await.map_err(|error| error.to_string())?;
        channel.exec(false, command).await.map_err(|error| explain(&error))?;
        let Shell { input: typed, mut output } = shell::pipes(channel, vec![], None, session);
        let moved = AtomicU64::new(0);
        let feed = async { input.send_to(typed, &moved).await };
        let read = async {
            let mut said = Vec::new();
            while let Some(chunk) = output.recv().await {
                moved.fetch_add(1, Ordering::Relaxed);
                match chunk {
                    Chunk::Err(bytes) if said.len() < 4096 => said.extend(bytes),
                    Chunk::End { code: Some(0), .. } => return Ok(()),
                    Chunk::End { why: Some(why), .. } => return Err(why),
                    _ => {}
                }
            }
            Err(String::from_utf8_lossy(&said).trim().to_owned())
        };
        tokio::select! {
            (sent, ended) = futures::future::join(feed, read) => ended.and(sent),
            () = blocks::stalled(&moved, STALL) => Err(format!(
                "nothing has moved for {} s: its file system may hang, or the link",
                STALL.as_secs()
            )),
        }
    }

    /// For servers without SFTP, and for login shells whose noise breaks it: one `cat` a file.
    async fn upload_by_cat(
        &self,
        dir: &str,
        files: &[Upload],
        begun: bool,
        progress: &(dyn Fn(u64) + Send + Sync),
    ) -> Result<()> {
        let plain = |text: &str| text.bytes().all(|b| b.is_ascii_alphanumeric() || b"._/-".contains(&b));
        let failed = |what: String, why: String| Error::failed(what).cause(why);
        if !plain(dir) || !files.iter().all(|file| plain(&file.name)) {
            return Err(Error::bug(format!("{dir}: not a name that every login shell understands")));
        }
        let mut make = format!("mkdir {dir}");
        if begun {
            // SFTP may have done what it was asked, although its answers were lost in noise.
            let paths = files.iter().take(sftp::OPEN_FILES).map(|file| format!("{dir}/{}", file.name));
            let paths = paths.collect::<Vec<_>>().join(" ");
            let again = format!("rm -f {paths}; rmdir {dir} 2>/dev/null; {make}");
            // It may even be doing it still.
            make = format!("{again} 2>/dev/null || {{ sleep 1; {again}; }}");
        }
        let make = format!("exec /bin/sh -c 'umask 077; {make}'");
        let outcome = self.run(&make, blocks::Input::none()).await;
        outcome.map_err(|why| failed(format!("cannot make the folder {dir} on {}", self.name), why))?;
        for file in files {
            let path = format!("{dir}/{}", file.name);
            let command = format!("exec /bin/sh -c 'umask 077; cat > {path}'");
            let sent = self.run(&command, blocks::Input::of(&file.content, progress)).await;
            sent.map_err(|why| failed(format!("cannot write {path} on {}", self.name), why))?;
        }
        Ok(())
    }
}

#[async_trait]
impl Link for SshLink {
    async fn shell(&self, first: Opening) -> Result<Shell> {
        self.sh(first).await
    }

    async fn expect_upload(&self) {
        let opened = self.session.handle.channel_open_session().await;
        let started = match opened {
            Ok(channel) => Sftp::start(channel).await.ok(),
            Err(_) => None,
        };
        *self.expected.lock().await = started;
    }

    fn is_lost(&self) -> bool {
        !self.session.is_alive()
    }

    fn user(&self) -> String {
        self.target.user.clone()
    }

    async fn upload(
        &self,
        dir: &str,
        files: &[Upload],
        progress: &(dyn Fn(u64) + Send + Sync),
    ) -> Result<()> {
        let (sftp, session) = self.sftp().await?;
        match sftp::upload(sftp, &self.shared.blocks, dir, files, progress).await {
            Ok(()) => Ok(()),
            Err(Trouble::NoSftp { refused }) if session.is_alive() => {
                self.upload_by_cat(dir, files, !refused, progress).await
            }
            Err(_) if !session.is_alive() => Err(self.lost(&session, &russh::Error::Disconnect)),
            Err(Trouble::NoSftp { .. }) => Err(Error::failed(format!("no SFTP on {}", self.name))),
            Err(Trouble::With(what, why)) => {
                Err(Error::failed(format!("{what} on {}", self.name)).cause(why))
            }
        }
    }

    async fn download(&self, path: &str, to: &Path) -> Result<()> {
        let (channel, session) = self.channel().await?;
        match download::download(channel, &self.shared.blocks, path, to).await {
            Ok(()) => Ok(()),
            Err(_) if !session.is_alive() => Err(self.lost(&session, &russh::Error::Disconnect)),
            Err(Trouble::NoSftp { .. }) => {
                Err(Error::failed(format!("cannot copy {path} from {}", self.name))
                    .cause("the server has no working SFTP")
                    .hint("its sshd_config needs a line `Subsystem sftp internal-sftp`"))
            }
            Err(Trouble::With(what, why)) => {
                Err(Error::failed(format!("{what} on {}", self.name)).cause(why))
            }
        }
    }

    async fn aside(&self, script: &str) -> Result<()> {
        let first = Opening { script: script.as_bytes().to_vec(), public: true };
        let Shell { input, mut output } = self.sh(first).await?;
        drop(input);
        let mut said = Vec::new();
        while let Some(chunk) = output.recv().await {
            match chunk {
                Chunk::Err(bytes) if said.len() < 4096 => said.extend(bytes),
                Chunk::End { code: Some(0), .. } => return Ok(()),
                Chunk::End { why: Some(why), .. } => {
                    return Err(
                        Error::unreachable(format!("lost the connection to {}", self.name)).cause(why)
                    );
                }
                _ => {}
            }
        }
        let said = String::from_utf8_lossy(&said);
        if let Some(error) = sudo::explain_sudo(&said, &self.target.user) {
            return Err(error);
        }
        Err(Error::failed(format!("a script failed on {}", self.name)).cause(said.trim()))
    }

    async fn close(&self) {
        for session in self.spare.lock().await.take().iter().chain([&self.session]) {
            let _ = session.handle.disconnect(Disconnect::ByApplication, "done", "").await;
        }
    }
}
