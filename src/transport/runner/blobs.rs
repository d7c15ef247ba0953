//! Blobs on their way: the small ones as one tar archive, the large ones each by itself, all in one upload.

use std::collections::HashSet;
use std::io::Read as _;

use tokio::sync::watch;

use crate::transport::Upload;
use crate::transport::runner::batch::Progress;
use crate::transport::runner::layout::{self, Folder};
use crate::transport::runner::{Runner, random_hex, script};
use crate::transport::unchanged::still_is;
use crate::words::action::Action;
use crate::words::content::{Content, Source};
use crate::words::error::{Error, Result};
use crate::words::shell::quote;

/// Larger ones do not go into the archive.
pub const SMALL: u64 = 256 << 10;
/// The archive is made in memory; what is beyond this goes by itself.
const MOST_PACKED: u64 = 32 << 20;

/// A large file is brought to the disk while more of it comes, so that not all of that is waited for at its end.
const SYNCED_AT_ONCE: u64 = 32 << 20;

impl Runner {
    /// Puts on the host what `actions` need and what is not there yet; gives the shell line that unpacks it.
    pub(super) async fn send_blobs(
        &mut self,
        actions: &[Action],
        tag: &str,
        cancel: &mut watch::Receiver<bool>,
        sink: &mut (dyn FnMut(Progress<'_>) + Send),
    ) -> Result<String> {
        let groups = layout::groups(actions);
        let folders: Vec<&Folder<'_>> = groups.iter().flat_map(|group| &group.folders).collect();
        let wanted = self.missing(actions, &folders);
        if wanted.is_empty() && folders.is_empty() {
            return Ok(self
                .folder
                .as_ref()
                .map_or_else(String::new, |folder| format!("_D={}", quote(folder))));
        }
        let (bundle, uploads) = pack(&wanted, &folders, tag)?;
        // A folder of its own for every upload: the name is unpredictable, and mkdir refuses one that exists.
        let part = format!("{}/tow-{}", self.tmp.trim_end_matches('/'), random_hex());
        let (to_us, mut sent) = tokio::sync::mpsc::unbounded_channel();
        let progress = move |bytes| {
            let _ = to_us.send(bytes);
        };
        let link = self.link().clone();
        let upload = link.upload(&part, &uploads, &progress);
        tokio::pin!(upload);
        let flush = format!("sync -d {}/* </dev/null >/dev/null 2>&1 &\n", quote(&part));
        let mut unsynced = 0;
        let outcome = loop {
            tokio::select! {
                done = &mut upload => break done.map(|()| true),
                Some(bytes) = sent.recv() => {
                    sink(Progress::Sent(bytes));
                    unsynced += bytes;
                    if unsynced >= SYNCED_AT_ONCE {
                        unsynced = 0;
                        self.send(flush.clone()).await?;
                    }
                }
                Ok(()) = cancel.changed() => if *cancel.borrow() { break Ok(false) },
            }
        };
        if !matches!(outcome, Ok(true)) {
            // What was sent so far goes away again.
            self.cleaning = true;
            self.send(format!("_T={}\nrm -rf -- {}\n", self.token, quote(&part))).await?;
            return outcome.map(|_| String::new());
        }
        let folder = self.folder.get_or_insert_with(|| part.clone()).clone();
        // TMPDIR of the host is in it.
        let (part, folder, same) = (quote(&part), quote(&folder), folder == part);
        let mut lines = vec![format!("_D={folder}")];
        if !same {
            lines.push(format!("mv -- {part}/* {folder}/ && rmdir {part}"));
        }
        if bundle {
            lines.push(format!("(cd {folder} && tar xopf bundle && rm -f bundle)"));
        }
        Ok(lines.join(" && "))
    }

    /// The contents outside of `folders` that have to travel; keeps account of what is there afterwards.
    fn missing<'a>(&mut self, actions: &'a [Action], folders: &[&Folder<'_>]) -> Vec<&'a Content> {
        let together: HashSet<usize> =
            folders.iter().flat_map(|folder| &folder.files).map(|file| file.id).collect();
        let mut wanted: Vec<&Content> = vec![];
        for (id, action) in actions.iter().enumerate().filter(|(id, _)| !together.contains(id)) {
            for content in action.contents() {
                // What is moved out of the private folder is not there for the next batch.
                let stays =
                    !(matches!(actions[id], Action::Install { .. }) && script::moves(actions, content));
                if !self.present.contains(&content.digest) {
                    wanted.push(content);
                }
                if stays {
                    self.present.insert(content.digest.clone());
                } else {
                    self.present.remove(&content.digest);
                }
            }
        }
        wanted
    }
}

/// The uploads for `contents` and `folders`; whether the first is the archive.
fn pack(contents: &[&Content], folders: &[&Folder<'_>], tag: &str) -> Result<(bool, Vec<Upload>)> {
    let mut room = MOST_PACKED;
    let (small, large): (Vec<&Content>, Vec<&Content>) = contents.iter().copied().partition(|content| {
        let fits = content.len <= SMALL && content.len <= room;
        room -= if fits { content.len } else { 0 };
        fits
    });
    let named =
        |content: &&Content| Upload { name: content.digest.as_str().to_owned(), content: (*content).clone() };
    let mut uploads: Vec<Upload> = large.iter().map(named).collect();
    // One file needs no archive around it.
    let bundle = small.len() > 1 || !folders.is_empty();
    if bundle {
        let content = archive(&small, folders, tag)
            .map_err(|error| Error::failed("cannot pack the files to send").cause(error))?;
        uploads.insert(0, Upload { name: "bundle".into(), content });
    } else {
        uploads.extend(small.iter().map(named));
    }
    Ok((bundle, uploads))
}

fn archive(contents: &[&Content], folders: &[&Folder<'_>], tag: &str) -> std::io::Result<Content> {
    let mut builder = tar::Builder::new(vec![]);
    for content in contents {
        append(&mut builder, content.digest.as_str(), 0o600, content)?;
    }
    for folder in folders {
        for file in &folder.files {
            let path = format!("{}/{}", script::folder_name(tag, folder.key), file.name);
            append(&mut builder, &path, file.mode.0, file.content)?;
        }
    }
    Ok(Content::bytes(builder.into_inner()?))
}

fn append(
    builder: &mut tar::Builder<Vec<u8>>,
    path: &str,
    mode: u32,
    content: &Content,
) -> std::io::Result<()> {
    // GNU headers: a name may be longer than 100 bytes.
    let mut header = tar::Header::new_gnu();
    header.set_size(content.len);
    header.set_mode(mode);
    match &content.source {
        Source::Bytes(bytes) => builder.append_data(&mut header, path, &bytes[..]),
        Source::Local(file) => {
            let bytes = std::fs::File::open(&file.path)?.take(content.len);
            builder.append_data(&mut header, path, bytes)?;
            still_is(file, content.len)
        }
    }
}
