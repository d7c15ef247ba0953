//! The bytes of a content, block by block: for SFTP, and for commands that take a file on standard input.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::fs::File;
use tokio::io::AsyncReadExt as _;
use tokio::sync::mpsc;

use crate::transport::unchanged::still_is;
use crate::words::content::{Content, LocalFile, Source};

/// What travels in one message, roughly.
const BLOCK: usize = 32 * 1024;

/// The blocks of a content, one after the other; a file is never read whole.
pub struct Reader<'a> {
    content: &'a Content,
    file: Option<File>,
    block: usize,
    done: u64,
}

impl<'a> Reader<'a> {
    pub async fn of(content: &'a Content, block: usize) -> Result<Reader<'a>, String> {
        let file = match &content.source {
            Source::Bytes(_) => None,
            Source::Local(LocalFile { path, .. }) => {
                let opened = File::open(path).await;
                let mut file = opened.map_err(|error| format!("{}: {error}", path.display()))?;
                file.set_max_buf_size(block);
                Some(file)
            }
        };
        Ok(Reader { content, file, block, done: 0 })
    }

    pub fn is_done(&self) -> bool {
        self.done >= self.content.len
    }

    /// A file must still be what it was when it was hashed: the last block comes only if it is.
    pub async fn next(&mut self) -> Result<Vec<u8>, String> {
        let len = (self.content.len - self.done).min(self.block as u64);
        let len = usize::try_from(len).map_err(|error| error.to_string())?;
        let data = match (&self.content.source, &mut self.file) {
            (Source::Local(source), Some(file)) => {
                let mut data = vec![0; len];
                let read = file.read_exact(&mut data).await;
                if let Err(error) = read {
                    return Err(format!("{} changed while it was sent: {error}", source.path.display()));
                }
                if self.done + len as u64 == self.content.len {
                    still_is(source, self.content.len).map_err(|error| error.to_string())?;
                }
                data
            }
            (Source::Bytes(bytes), _) => {
                let start = usize::try_from(self.done).map_err(|error| error.to_string())?;
                bytes[start..start + len].to_vec()
            }
            (Source::Local(source), None) => return Err(format!("{} is not open", source.path.display())),
        };
        self.done += len as u64;
        Ok(data)
    }
}

/// What a command that takes a file on standard input is fed.
pub struct Input<'a>(Option<(&'a Content, &'a (dyn Fn(u64) + Send + Sync))>);

impl<'a> Input<'a> {
    pub fn none() -> Input<'a> {
        Input(None)
    }
    pub fn of(content: &'a Content, progress: &'a (dyn Fn(u64) + Send + Sync)) -> Input<'a> {
        Input(Some((content, progress)))
    }
    pub async fn send_to(self, typed: mpsc::Sender<Vec<u8>>, moved: &AtomicU64) -> Result<(), String> {
        let Some((content, progress)) = self.0 else { return Ok(()) };
        let mut reader = Reader::of(content, BLOCK).await?;
        loop {
            let data = reader.next().await?;
            let len = data.len() as u64;
            if len > 0 && typed.send(data).await.is_err() {
                return Err("the remote command ended early".to_owned());
            }
            progress(len);
            moved.fetch_add(len, Ordering::Relaxed);
            if reader.is_done() {
                break;
            }
        }
        Ok(())
    }
}

/// Returns when `moved` has stood still for `limit` (or a little more).
pub async fn stalled(moved: &AtomicU64, limit: Duration) {
    let mut before = None;
    loop {
        let now = moved.load(Ordering::Relaxed);
        if before.replace(now) == Some(now) {
            return;
        }
        tokio::time::sleep(limit).await;
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU64, Ordering};
    use std::time::Duration;

    use super::{Reader, stalled};
    use crate::words::content::{Content, Digest, LocalFile};

    async fn read(now: &str, hashed: &str) -> Result<Vec<u8>, String> {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("file");
        std::fs::write(&path, hashed).unwrap();
        let modified = std::fs::metadata(&path).unwrap().modified().ok();
        if now != hashed {
            std::fs::write(&path, now).unwrap();
            // The clock of a file system ticks slowly.
            let later = modified.unwrap() + Duration::from_millis(10);
            std::fs::File::options().append(true).open(&path).unwrap().set_modified(later).unwrap();
        }
        let (len, digest) = (hashed.len() as u64, Arc::new(Digest::of(hashed.as_bytes()).into()));
        let content = Content::local(LocalFile { path, modified }, len, digest);
        let mut reader = Reader::of(&content, 4).await?;
        let mut all = vec![];
        loop {
            all.extend(reader.next().await?);
            if reader.is_done() {
                return Ok(all);
            }
        }
    }

    #[tokio::test]
    async fn what_stands_still_is_given_up_and_what_moves_is_not() {
        let (moved, limit) = (AtomicU64::new(0), Duration::from_millis(20));
        stalled(&moved, limit).await;
        let moving = async {
            loop {
                moved.fetch_add(1, Ordering::Relaxed);
                tokio::task::yield_now().await;
            }
        };
        let waiting = tokio::time::timeout(10 * limit, stalled(&moved, limit));
        tokio::select! {
            () = moving => {}
            waited = waiting => assert!(waited.is_err()),
        }
    }

    #[tokio::test]
    async fn a_file_that_changes_while_it_is_sent_is_an_error() {
        for text in ["", "abc", "abcd", "abcdefghi"] {
            assert_eq!(read(text, text).await.unwrap(), text.as_bytes());
        }
        for (now, hashed) in [("abcdeX", "abcdef"), ("abcde", "abcdef"), ("abcdefg", "abcdef"), ("x", "")] {
            let error = read(now, hashed).await.unwrap_err();
            assert!(error.contains("changed while it was sent"), "{error}");
        }
    }
}
