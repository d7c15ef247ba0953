//! Blobs on their way: the small ones as one tar archive, the large ones each by itself, all in one upload.

use std::collections::HashSet;
use std::io::Read as _;

use flate2::Compression;
use flate2::write::GzEncoder;
use tokio::sync::watch;

use crate::transport::Upload;
use crate::transport::runner::batch::Progress;
use crate::transport::runner::layout::{self, Group, Placed};
use crate::transport::runner::{Runner, places, random_hex};
use crate::transport::unchanged::still_is;
use crate::words::action::Action;
use crate::words::content::{Content, Source};
use crate::words::error::{Error, Result};
use crate::words::names::FileMode;
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
        let wanted = self.missing(actions, &groups);
        let archives = archives(&groups, tag);
        if wanted.is_empty() && archives.is_empty() {
            return Ok(self
                .folder
                .as_ref()
                .map_or_else(String::new, |folder| format!("_D={}", quote(folder))));
        }
        let (bundle, uploads) = pack(&wanted, &archives)?;
        // A folder of its own for every upload: the name is unpredictable, and mkdir refuses one that exists.
        let part = format!("{}/tow-{}", self.tmp.trim_end_matches('/'), random_hex());
        self.uploading = Some(part.clone());
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
        self.uploading = None;
        Ok(self.unpacks(&part, bundle))
    }

    /// The line that brings what was uploaded to where the rest is.
    fn unpacks(&mut self, part: &str, bundle: bool) -> String {
        let folder = self.folder.get_or_insert_with(|| part.to_owned()).clone();
        // TMPDIR of the host is in it.
        let (part, folder, same) = (quote(part), quote(&folder), folder == part);
        let mut lines = vec![format!("_D={folder}")];
        if !same {
            lines.push(format!("mv -- {part}/* {folder}/ && rmdir {part}"));
        }
        if bundle {
            lines.push(format!("(cd {folder} && tar xzopf bundle && rm -f bundle)"));
        }
        lines.join(" && ")
    }

    /// The contents outside of the archives that have to travel; keeps account of what is there afterwards.
    fn missing<'a>(&mut self, actions: &'a [Action], groups: &[Group<'_>]) -> Vec<&'a Content> {
        let together: HashSet<usize> = groups.iter().flat_map(Group::in_archives).collect();
        let mut wanted: Vec<&Content> = vec![];
        for (id, action) in actions.iter().enumerate().filter(|(id, _)| !together.contains(id)) {
            for content in action.contents() {
                // What is moved out of the private folder is not there for the next batch.
                let stays =
                    !(matches!(actions[id], Action::Install { .. }) && places::moves(actions, content));
                if !self.present.contains(content.digest()) {
                    wanted.push(content);
                }
                if stays {
                    self.present.insert(content.digest().clone());
                } else {
                    self.present.remove(content.digest());
                }
            }
        }
        wanted
    }
}

/// An archive inside of the uploaded one: its name, and its files with their paths and modes.
struct Archive<'a> {
    name: String,
    files: Vec<(String, FileMode, &'a Content)>,
}

fn archives<'a>(groups: &[Group<'a>], tag: &str) -> Vec<Archive<'a>> {
    let folders = groups.iter().flat_map(|group| &group.folders).map(|folder| Archive {
        name: places::archive_name(tag, folder.key),
        files: folder.files.iter().map(|file| (file.name.to_owned(), file.mode, file.content)).collect(),
    });
    let together = groups.iter().filter_map(|group| group.together.as_ref()).map(|together| {
        let temporary = |file: &Placed<'_>| places::temporary(file.path, tag, file.id);
        let files = together.files.iter();
        Archive {
            name: places::archive_name(tag, together.key),
            files: files
                .map(|file| (temporary(file).trim_start_matches('/').to_owned(), file.mode, file.content))
                .collect(),
        }
    });
    folders.chain(together).collect()
}

/// The uploads for `contents` and `archives`; whether the first is the archive of all.
fn pack(contents: &[&Content], archives: &[Archive<'_>]) -> Result<(bool, Vec<Upload>)> {
    let mut room = MOST_PACKED;
    let (small, large): (Vec<&Content>, Vec<&Content>) = contents.iter().copied().partition(|content| {
        let fits = content.len <= SMALL && content.len <= room;
        room -= if fits { content.len } else { 0 };
        fits
    });
    let named = |content: &&Content| Upload {
        name: content.digest().as_str().to_owned(),
        content: (*content).clone(),
    };
    let mut uploads: Vec<Upload> = large.iter().map(named).collect();
    // One file needs no archive around it.
    let bundle = small.len() > 1 || !archives.is_empty();
    if bundle {
        let content = archive(&small, archives)
            .map_err(|error| Error::failed("cannot pack the files to send").cause(error))?;
        uploads.insert(0, Upload { name: "bundle".into(), content });
    } else {
        uploads.extend(small.iter().map(named));
    }
    Ok((bundle, uploads))
}

/// Compressed: a tenth of a second at most here, and seconds less on a slow link.
fn archive(contents: &[&Content], archives: &[Archive<'_>]) -> std::io::Result<Content> {
    let mut outer = tar::Builder::new(GzEncoder::new(vec![], Compression::fast()));
    for content in contents {
        append(&mut outer, content.digest().as_str(), FileMode(0o600), content)?;
    }
    for archive in archives {
        let mut inner = tar::Builder::new(vec![]);
        for (path, mode, content) in &archive.files {
            append(&mut inner, path, *mode, content)?;
        }
        append(&mut outer, &archive.name, FileMode(0o600), &Content::bytes(inner.into_inner()?))?;
    }
    Ok(Content::bytes(outer.into_inner()?.finish()?))
}

fn append<W: std::io::Write>(
    builder: &mut tar::Builder<W>,
    path: &str,
    mode: FileMode,
    content: &Content,
) -> std::io::Result<()> {
    // GNU headers: a name may be longer than 100 bytes.
    let mut header = tar::Header::new_gnu();
    header.set_size(content.len);
    header.set_mode(mode.0);
    match &content.source {
        Source::Bytes(bytes) => builder.append_data(&mut header, path, &bytes[..]),
        Source::Local(file) => {
            let bytes = std::fs::File::open(&file.path)?.take(content.len);
            builder.append_data(&mut header, path, bytes)?;
            still_is(file, content.len)
        }
    }
}
