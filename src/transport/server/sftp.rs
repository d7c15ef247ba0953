//! SFTP version 3 over the real file system, with the extensions that OpenSSH's server has and uploads need.
//!
//! Files are touched directly rather than on a thread of their own: these are short calls on a local disk, and
//! the hop would cost more than the call. Only fsync may take long.

use std::collections::HashMap;
use std::fs::{File, Metadata, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, FileExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use nix::sys::stat::{UtimensatFlags, utimensat};
use nix::sys::time::TimeSpec;
use russh_sftp::protocol::{
    Attrs, Data, File as Entry, FileAttributes, Handle, Name, OpenFlags, Packet, Status, StatusCode, Version,
};
use russh_sftp::server::{Handler, StatusReply};

use crate::transport::server::Shared;

const POSIX_RENAME: &str = "posix-rename@openssh.com";
const FSYNC: &str = "fsync@openssh.com";
/// Names in one answer to READDIR: well below the 256 KiB that a packet may have.
const NAMES: usize = 200;
/// What OpenSSH answers at most.
const LONGEST_READ: u32 = 255 * 1024;

enum Open {
    File(File),
    Folder(Vec<Entry>),
}

pub struct Sftp {
    shared: Arc<Shared>,
    open: HashMap<String, Open>,
    opened: u64,
}

type Reply<T> = Result<T, StatusReply>;

impl Sftp {
    pub fn new(shared: Arc<Shared>) -> Sftp {
        Sftp { shared, open: HashMap::new(), opened: 0 }
    }

    /// Relative paths start at the home folder.
    fn path(&self, path: &str) -> PathBuf {
        self.shared.home.join(path)
    }

    fn keep(&mut self, id: u32, open: Open) -> Handle {
        self.opened += 1;
        let handle = self.opened.to_string();
        self.open.insert(handle.clone(), open);
        Handle { id, handle }
    }

    fn file(&self, handle: &str) -> Reply<&File> {
        match self.open.get(handle) {
            Some(Open::File(file)) => Ok(file),
            _ => Err(StatusCode::Failure.with_message("no such handle")),
        }
    }
}

impl Handler for Sftp {
    type Error = StatusReply;

    fn unimplemented(&self) -> StatusReply {
        StatusCode::OpUnsupported.into()
    }

    async fn init(&mut self, _version: u32, _extensions: HashMap<String, String>) -> Reply<Version> {
        let extensions = [POSIX_RENAME, FSYNC].map(|name| (name.to_owned(), "1".to_owned())).into();
        Ok(Version { extensions, ..Version::new() })
    }

    async fn open(
        &mut self,
        id: u32,
        name: String,
        flags: OpenFlags,
        attrs: FileAttributes,
    ) -> Reply<Handle> {
        let mode = attrs.permissions.unwrap_or(0o666) & 0o7777;
        let file = OpenOptions::from(flags).mode(mode).open(self.path(&name)).map_err(reply)?;
        Ok(self.keep(id, Open::File(file)))
    }

    async fn close(&mut self, id: u32, handle: String) -> Reply<Status> {
        match self.open.remove(&handle) {
            Some(_) => Ok(done(id)),
            None => Err(StatusCode::Failure.with_message("no such handle")),
        }
    }

    async fn read(&mut self, id: u32, handle: String, offset: u64, len: u32) -> Reply<Data> {
        let mut data = vec![0; len.min(LONGEST_READ) as usize];
        let length = self.file(&handle)?.read_at(&mut data, offset).map_err(reply)?;
        if length == 0 && len > 0 {
            return Err(StatusCode::Eof.into());
        }
        data.truncate(length);
        Ok(Data { id, data })
    }

    async fn write(&mut self, id: u32, handle: String, offset: u64, data: Vec<u8>) -> Reply<Status> {
        self.file(&handle)?.write_all_at(&data, offset).map_err(reply)?;
        Ok(done(id))
    }

    async fn stat(&mut self, id: u32, path: String) -> Reply<Attrs> {
        let metadata = self.path(&path).metadata().map_err(reply)?;
        Ok(Attrs { id, attrs: attributes(&metadata) })
    }

    async fn lstat(&mut self, id: u32, path: String) -> Reply<Attrs> {
        let metadata = self.path(&path).symlink_metadata().map_err(reply)?;
        Ok(Attrs { id, attrs: attributes(&metadata) })
    }

    async fn fstat(&mut self, id: u32, handle: String) -> Reply<Attrs> {
        let metadata = self.file(&handle)?.metadata().map_err(reply)?;
        Ok(Attrs { id, attrs: attributes(&metadata) })
    }

    async fn setstat(&mut self, id: u32, path: String, attrs: FileAttributes) -> Reply<Status> {
        set_attributes(&self.path(&path), &attrs).map_err(reply)?;
        Ok(done(id))
    }

    async fn fsetstat(&mut self, id: u32, handle: String, attrs: FileAttributes) -> Reply<Status> {
        let file = self.file(&handle)?;
        if let Some(size) = attrs.size {
            file.set_len(size).map_err(reply)?;
        }
        if let Some(mode) = attrs.permissions {
            file.set_permissions(std::fs::Permissions::from_mode(mode & 0o7777)).map_err(reply)?;
        }
        if attrs.uid.is_some() || attrs.gid.is_some() {
            std::os::unix::fs::fchown(file, attrs.uid, attrs.gid).map_err(reply)?;
        }
        if let (Ok(accessed), Ok(modified)) = (attrs.accessed(), attrs.modified()) {
            let times = std::fs::FileTimes::new().set_accessed(accessed).set_modified(modified);
            file.set_times(times).map_err(reply)?;
        }
        Ok(done(id))
    }

    async fn opendir(&mut self, id: u32, path: String) -> Reply<Handle> {
        let folder = std::fs::read_dir(self.path(&path)).map_err(reply)?;
        let entry = |entry: io::Result<std::fs::DirEntry>| {
            let entry = entry?;
            let name = entry.file_name().to_string_lossy().into_owned();
            Ok(Entry::new(name, attributes(&entry.metadata()?)))
        };
        let entries = folder.map(entry).collect::<io::Result<_>>().map_err(reply)?;
        Ok(self.keep(id, Open::Folder(entries)))
    }

    async fn readdir(&mut self, id: u32, handle: String) -> Reply<Name> {
        match self.open.get_mut(&handle) {
            Some(Open::Folder(entries)) if entries.is_empty() => Err(StatusCode::Eof.into()),
            Some(Open::Folder(entries)) => {
                let files = entries.split_off(entries.len().saturating_sub(NAMES));
                Ok(Name { id, files })
            }
            _ => Err(StatusCode::Failure.with_message("no such handle")),
        }
    }

    async fn mkdir(&mut self, id: u32, path: String, attrs: FileAttributes) -> Reply<Status> {
        let mode = attrs.permissions.unwrap_or(0o777) & 0o7777;
        std::fs::DirBuilder::new().mode(mode).create(self.path(&path)).map_err(reply)?;
        Ok(done(id))
    }

    async fn rmdir(&mut self, id: u32, path: String) -> Reply<Status> {
        std::fs::remove_dir(self.path(&path)).map_err(reply)?;
        Ok(done(id))
    }

    async fn remove(&mut self, id: u32, path: String) -> Reply<Status> {
        std::fs::remove_file(self.path(&path)).map_err(reply)?;
        Ok(done(id))
    }

    async fn rename(&mut self, id: u32, old: String, new: String) -> Reply<Status> {
        let new = self.path(&new);
        // Version 3 forbids replacing; posix-rename is for that.
        if new.symlink_metadata().is_ok() {
            return Err(StatusCode::Failure.with_message("the new name exists"));
        }
        std::fs::rename(self.path(&old), new).map_err(reply)?;
        Ok(done(id))
    }

    async fn realpath(&mut self, id: u32, path: String) -> Reply<Name> {
        let path = self.path(&path);
        // The last part need not exist, as with OpenSSH.
        let real = path.canonicalize().or_else(|error| match (path.parent(), path.file_name()) {
            (Some(parent), Some(name)) => Ok(parent.canonicalize()?.join(name)),
            _ => Err(error),
        });
        Ok(Name { id, files: vec![Entry::dummy(real.map_err(reply)?.to_string_lossy())] })
    }

    async fn readlink(&mut self, id: u32, path: String) -> Reply<Name> {
        let target = std::fs::read_link(self.path(&path)).map_err(reply)?;
        Ok(Name { id, files: vec![Entry::dummy(target.to_string_lossy())] })
    }

    async fn symlink(&mut self, id: u32, target: String, link: String) -> Reply<Status> {
        // The standard says link first; OpenSSH's client and server have it the other way, so everybody has.
        std::os::unix::fs::symlink(target, self.path(&link)).map_err(reply)?;
        Ok(done(id))
    }

    async fn extended(&mut self, id: u32, request: String, data: Vec<u8>) -> Reply<Packet> {
        let words = strings(&data).ok_or(StatusCode::BadMessage)?;
        match (request.as_str(), words.as_slice()) {
            (POSIX_RENAME, [old, new]) => {
                std::fs::rename(self.path(old), self.path(new)).map_err(reply)?;
            }
            (FSYNC, [handle]) => {
                let file = self.file(handle)?.try_clone().map_err(reply)?;
                let synced = tokio::task::spawn_blocking(move || file.sync_all()).await;
                synced.map_err(|_| StatusCode::Failure)?.map_err(reply)?;
            }
            _ => return Err(StatusCode::OpUnsupported.into()),
        }
        Ok(done(id).into())
    }
}

fn done(id: u32) -> Status {
    Status { id, status_code: StatusCode::Ok, error_message: "Ok".into(), language_tag: "en-US".into() }
}

#[expect(clippy::needless_pass_by_value, reason = "is given to map_err")]
fn reply(error: io::Error) -> StatusReply {
    let code = match error.kind() {
        io::ErrorKind::NotFound => StatusCode::NoSuchFile,
        io::ErrorKind::PermissionDenied => StatusCode::PermissionDenied,
        _ => StatusCode::Failure,
    };
    code.with_message(error.to_string())
}

fn attributes(metadata: &Metadata) -> FileAttributes {
    // The conversion of the crate takes everything that is no folder for a file.
    FileAttributes { permissions: Some(metadata.mode()), ..FileAttributes::from(metadata) }
}

fn set_attributes(path: &Path, attrs: &FileAttributes) -> io::Result<()> {
    if let Some(size) = attrs.size {
        OpenOptions::new().write(true).open(path)?.set_len(size)?;
    }
    if let Some(mode) = attrs.permissions {
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode & 0o7777))?;
    }
    if attrs.uid.is_some() || attrs.gid.is_some() {
        std::os::unix::fs::chown(path, attrs.uid, attrs.gid)?;
    }
    if let (Some(accessed), Some(modified)) = (attrs.atime, attrs.mtime) {
        let time = |seconds: u32| TimeSpec::new(seconds.into(), 0);
        let at = nix::fcntl::AT_FDCWD;
        utimensat(at, path, &time(accessed), &time(modified), UtimensatFlags::FollowSymlink)?;
    }
    Ok(())
}

/// The strings that an extended request is made of: a length in four bytes, then as many bytes.
fn strings(mut data: &[u8]) -> Option<Vec<String>> {
    let mut words = Vec::new();
    while !data.is_empty() {
        let (length, rest) = data.split_first_chunk::<4>()?;
        let length = usize::try_from(u32::from_be_bytes(*length)).ok()?;
        let (word, rest) = rest.split_at_checked(length)?;
        words.push(String::from_utf8(word.to_vec()).ok()?);
        data = rest;
    }
    Some(words)
}
