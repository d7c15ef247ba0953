//! Files over SFTP: everything that need not wait is sent at once, with a bounded number of blocks in memory.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use futures::future::{Either, FutureExt as _, join, try_join};
use futures::stream::{self, FuturesUnordered, StreamExt as _, TryStreamExt as _};
use russh::Channel;
use russh::client::Msg;
use russh_sftp::client::error::Error as SftpError;
use russh_sftp::client::{Config, RawSftpSession};
use russh_sftp::protocol::{FileAttributes, OpenFlags, StatusCode};
use tokio::sync::{Semaphore, SemaphorePermit};

use crate::transport::Upload;
use crate::transport::ssh::blocks::Reader;
use crate::transport::ssh::incoming::Incoming;
use crate::words::content::Content;

/// The largest that OpenSSH's server takes in one message is 256 KB with headers.
pub const BLOCK: usize = 255 * 1024;
const SMALL_BLOCK: usize = 32 * 1024;
/// Blocks of one file on their way: 16 MB, which at 100 ms is 160 MB/s.
pub const IN_FLIGHT: usize = 64;
/// Files that are open at once: OpenSSH's server refuses from about 128 on.
pub const OPEN_FILES: usize = 90;

pub enum Trouble {
    /// There is no SFTP, or something else answers in its place; then what was asked may still have been done.
    NoSftp { refused: bool },
    /// What failed, and why.
    With(String, String),
}

pub fn trouble(what: impl Into<String>) -> impl FnOnce(SftpError) -> Trouble {
    let what = what.into();
    move |error| Trouble::With(what, explain(&error))
}

fn explain(error: &SftpError) -> String {
    match error {
        SftpError::Status(status) => match status.status_code {
            StatusCode::NoSuchFile => "no such file or folder".to_owned(),
            StatusCode::PermissionDenied => "permission denied".to_owned(),
            // OpenSSH says this for a full disk, for what exists already, and for much else.
            StatusCode::Failure => {
                "the server only says \"failure\": does it exist already, is the disk full?".into()
            }
            _ => status.error_message.clone(),
        },
        other => other.to_string(),
    }
}

fn permissions(mode: u32) -> FileAttributes {
    FileAttributes { permissions: Some(mode), ..FileAttributes::empty() }
}

/// SFTP on a channel.
pub struct Sftp {
    pub raw: RawSftpSession,
    refused: Arc<AtomicBool>,
}

impl Sftp {
    /// Sends the request; the answer is not waited for here.
    pub async fn start(channel: Channel<Msg>) -> Result<Sftp, Trouble> {
        // With a reply: a refusal ends [`Incoming`], so that nobody waits for a greeting in vain.
        let requested = channel.request_subsystem(true, "sftp").await;
        requested.map_err(|_| Trouble::NoSftp { refused: true })?;
        let (from, to) = channel.split();
        let from = Incoming::of(from);
        let refused = from.refused();
        // The timeout of a request runs while its bytes still wait to leave.
        let config = Config { request_timeout_secs: 120, max_packet_len: 1 << 19, ..Config::default() };
        let stream = tokio::io::join(from, to.make_writer());
        Ok(Sftp { raw: RawSftpSession::new_with_config(stream, config), refused })
    }

    /// The size of blocks that this server takes; waits for its greeting.
    pub async fn greet(&self) -> Option<usize> {
        let greeting = tokio::time::timeout(Duration::from_secs(20), self.raw.init()).await.ok()?.ok()?;
        let is_openssh = greeting.extensions.keys().any(|name| name.ends_with("@openssh.com"));
        Some(if is_openssh { BLOCK } else { SMALL_BLOCK })
    }

    pub fn absent(&self) -> Trouble {
        Trouble::NoSftp { refused: self.refused.load(Ordering::Relaxed) }
    }
}

pub async fn upload(
    session: Result<Sftp, Trouble>,
    blocks: &Semaphore,
    dir: &str,
    files: &[Upload],
    progress: &(dyn Fn(u64) + Send + Sync),
) -> Result<(), Trouble> {
    let session = session?;
    let sftp = &session.raw;
    // All three are sent before the first is answered; the server takes them in this order.
    let greeting = session.greet().shared();
    let making = async { sftp.mkdir(dir, permissions(0o700)).await.map(drop) }.shared();
    let one = |file: &Upload| {
        let (greeting, making) = (greeting.clone(), making.clone());
        let (path, content) = (format!("{dir}/{}", file.name), file.content.clone());
        async move {
            let flags = OpenFlags::WRITE | OpenFlags::CREATE | OpenFlags::EXCLUDE;
            let opened = sftp.open(path.as_str(), flags, permissions(0o600)).await;
            // Nothing is written into a folder that is not the one we made.
            let (Some(block), Ok(())) = (greeting.await, making.await) else { return Ok(()) };
            let handle = opened.map_err(trouble(format!("cannot write {path}")))?.handle;
            Sending { sftp, blocks, block, handle, path, progress }.send(&content).await
        }
        .boxed()
    };
    let sending: Vec<_> = files.iter().map(one).collect();
    let sending = stream::iter(sending).buffer_unordered(OPEN_FILES).try_collect::<()>();
    let (greeted, (made, sent)) = join(greeting.clone(), join(making.clone(), sending)).await;
    greeted.ok_or_else(|| session.absent())?;
    made.map_err(trouble(format!("cannot make the folder {dir}")))?;
    sent
}

struct Sending<'a> {
    sftp: &'a RawSftpSession,
    blocks: &'a Semaphore,
    block: usize,
    handle: String,
    path: String,
    progress: &'a (dyn Fn(u64) + Send + Sync),
}

impl Sending<'_> {
    async fn send(self, content: &Content) -> Result<(), Trouble> {
        let mut reader = Reader::of(content, self.block).await.map_err(|why| self.trouble(why))?;
        if content.len <= self.block as u64 {
            // The usual case, many small files: closing travels behind the only block.
            let (_permit, data) = self.next(&mut reader).await?;
            let write = async { if data.is_empty() { Ok(()) } else { self.write(0, data).await } };
            return try_join(write, self.close()).await.map(drop);
        }
        let mut flight = FuturesUnordered::new();
        let mut offset = 0;
        while offset < content.len || !flight.is_empty() {
            // One block at least; more only while memory is to spare.
            if offset < content.len && flight.len() < IN_FLIGHT {
                let permit = if flight.is_empty() {
                    self.blocks.acquire().await.ok()
                } else {
                    self.blocks.try_acquire().ok()
                };
                if let Some(permit) = permit {
                    let data = reader.next().await.map_err(|why| self.trouble(why))?;
                    let (at, len) = (offset, data.len() as u64);
                    offset += len;
                    flight.push(Either::Left(self.write_holding(permit, at, data)));
                    if offset == content.len {
                        // Behind the last block, without waiting for its answer: one round trip less.
                        flight.push(Either::Right(self.close()));
                    }
                    // Starts the write just made, and hears of those that are done, without waiting.
                    while let Some(Some(done)) = flight.next().now_or_never() {
                        done?;
                    }
                    continue;
                }
            }
            if let Some(done) = flight.next().await {
                done?;
            }
        }
        Ok(())
    }

    async fn write_holding(
        &self,
        _permit: SemaphorePermit<'_>,
        at: u64,
        data: Vec<u8>,
    ) -> Result<(), Trouble> {
        self.write(at, data).await
    }

    async fn close(&self) -> Result<(), Trouble> {
        self.sftp.close(self.handle.as_str()).await.map_err(self.failed()).map(drop)
    }

    async fn next(&self, reader: &mut Reader<'_>) -> Result<(Option<SemaphorePermit<'_>>, Vec<u8>), Trouble> {
        let permit = self.blocks.acquire().await.ok();
        Ok((permit, reader.next().await.map_err(|why| self.trouble(why))?))
    }

    async fn write(&self, offset: u64, data: Vec<u8>) -> Result<(), Trouble> {
        let len = data.len() as u64;
        self.sftp.write(self.handle.as_str(), offset, data).await.map_err(self.failed())?;
        (self.progress)(len);
        Ok(())
    }

    fn failed(&self) -> impl FnOnce(SftpError) -> Trouble {
        trouble(format!("cannot write {}", self.path))
    }
    fn trouble(&self, why: String) -> Trouble {
        Trouble::With(format!("cannot write {}", self.path), why)
    }
}
