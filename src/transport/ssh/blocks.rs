//! The bytes of a content, block by block: for SFTP, and for commands that take a file on standard input.

use tokio::fs::File;
use tokio::io::AsyncReadExt as _;
use tokio::sync::mpsc;

use crate::words::content::{Content, Source};

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
            Source::Local(path) => {
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

    pub async fn next(&mut self) -> Result<Vec<u8>, String> {
        let len = (self.content.len - self.done).min(self.block as u64);
        let len = usize::try_from(len).map_err(|error| error.to_string())?;
        let data = match (&self.content.source, &mut self.file) {
            (Source::Local(path), Some(file)) => {
                let mut data = vec![0; len];
                let read = file.read_exact(&mut data).await;
                read.map_err(|error| format!("{} changed while it was sent: {error}", path.display()))?;
                data
            }
            (Source::Bytes(bytes), _) => {
                let start = usize::try_from(self.done).map_err(|error| error.to_string())?;
                bytes[start..start + len].to_vec()
            }
            (Source::Local(path), None) => return Err(format!("{} is not open", path.display())),
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
    pub async fn send_to(self, typed: mpsc::Sender<Vec<u8>>) -> Result<(), String> {
        let Some((content, progress)) = self.0 else { return Ok(()) };
        let mut reader = Reader::of(content, BLOCK).await?;
        while !reader.is_done() {
            let data = reader.next().await?;
            let len = data.len() as u64;
            if typed.send(data).await.is_err() {
                return Err("the remote command ended early".to_owned());
            }
            progress(len);
        }
        Ok(())
    }
}
