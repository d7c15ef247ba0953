//! Files from a host over SFTP: many blocks are asked for ahead, and written in order.

use std::path::Path;

use futures::future::join;
use futures::stream::{FuturesOrdered, StreamExt as _};
use russh::Channel;
use russh::client::Msg;
use russh_sftp::client::RawSftpSession;
use russh_sftp::client::error::Error as SftpError;
use russh_sftp::protocol::{FileAttributes, OpenFlags, StatusCode};
use tokio::fs::File;
use tokio::io::AsyncWriteExt as _;
use tokio::sync::{Semaphore, SemaphorePermit};

use crate::transport::ssh::sftp::{BLOCK, IN_FLIGHT, Sftp, Trouble, trouble};

pub async fn download(
    channel: Channel<Msg>,
    blocks: &Semaphore,
    path: &str,
    to: &Path,
) -> Result<(), Trouble> {
    let here =
        |error: std::io::Error| Trouble::With(format!("cannot write {}", to.display()), error.to_string());
    let folder = to.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let partial = tempfile::NamedTempFile::new_in(folder).map_err(here)?;
    let mut file = File::from_std(partial.reopen().map_err(here)?);
    file.set_max_buf_size(BLOCK);
    let session = Sftp::start(channel).await?;
    let sftp = &session.raw;
    let what = || format!("cannot read {path}");
    let opening = sftp.open(path, OpenFlags::READ, FileAttributes::empty());
    let (block, opened) = join(session.greet(), opening).await;
    let block = block.ok_or_else(|| session.absent())?;
    let handle = opened.map_err(trouble(what()))?.handle;
    let mut reading = Reading { sftp, blocks, handle: &handle, block, next: 0 };
    let mut flight = FuturesOrdered::new();
    loop {
        while flight.len() < IN_FLIGHT
            && let Some(permit) = reading.permit(flight.is_empty()).await
        {
            flight.push_back(reading.block(permit));
        }
        let Some(got) = flight.next().await else { break };
        let (data, is_last) = got.map_err(trouble(what()))?;
        file.write_all(&data).await.map_err(here)?;
        if is_last {
            break;
        }
    }
    drop(flight);
    file.flush().await.map_err(here)?;
    partial.persist(to).map_err(|error| here(error.error))?;
    Ok(())
}

struct Reading<'a> {
    sftp: &'a RawSftpSession,
    blocks: &'a Semaphore,
    handle: &'a str,
    block: usize,
    next: u64,
}

impl<'a> Reading<'a> {
    async fn permit(&self, must: bool) -> Option<SemaphorePermit<'a>> {
        if must { self.blocks.acquire().await.ok() } else { self.blocks.try_acquire().ok() }
    }

    /// The next block, whole: a server may answer with less than was asked for. True when the file ends in it.
    fn block(
        &mut self,
        permit: SemaphorePermit<'a>,
    ) -> impl Future<Output = Result<(Vec<u8>, bool), SftpError>> + use<'a> {
        let (sftp, handle, block) = (self.sftp, self.handle, self.block);
        let start = self.next;
        self.next += block as u64;
        async move {
            let _held = permit;
            let mut data = Vec::new();
            while data.len() < block {
                let wanted = u32::try_from(block - data.len()).unwrap_or(u32::MAX);
                match sftp.read(handle, start + data.len() as u64, wanted).await {
                    Ok(got) if got.data.is_empty() => return Ok((data, true)),
                    Ok(got) => data.extend(got.data),
                    Err(SftpError::Status(status)) if status.status_code == StatusCode::Eof => {
                        return Ok((data, true));
                    }
                    Err(error) => return Err(error),
                }
            }
            Ok((data, false))
        }
    }
}
