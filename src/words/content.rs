//! What a file on a host shall hold: bytes that we rendered, or a file of the operator's that is read when sent.

use std::collections::BTreeSet;
use std::fmt;
use std::path::PathBuf;
use std::sync::{Arc, OnceLock};
use std::time::SystemTime;

use sha2::{Digest as _, Sha256};

/// SHA-256, shown and compared as lower-case hex.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
#[serde(transparent)]
pub struct Digest(String);

impl Digest {
    pub fn of(bytes: &[u8]) -> Digest {
        Digest(hex(&Sha256::digest(bytes)))
    }
    /// From a finished hasher.
    pub fn finish(hasher: Sha256) -> Digest {
        Digest(hex(&hasher.finalize()))
    }
    /// `None` when `text` is not 64 hexadecimal digits.
    pub fn parse(text: &str) -> Option<Digest> {
        let ok = text.len() == 64 && text.bytes().all(|b| b.is_ascii_hexdigit());
        ok.then(|| Digest(text.to_ascii_lowercase()))
    }
    pub fn as_str(&self) -> &str {
        &self.0
    }
    pub fn short(&self) -> &str {
        &self.0[..12]
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.short())
    }
}

fn hex(bytes: &[u8]) -> String {
    use fmt::Write as _;
    bytes.iter().fold(String::with_capacity(64), |mut out, byte| {
        let _ = write!(out, "{byte:02x}");
        out
    })
}

/// The bytes behind a [`Content`].
#[derive(Clone)]
pub enum Source {
    Bytes(Arc<[u8]>),
    Local(LocalFile),
}

/// A file on the operator's machine: hashed once, from when it is loaded on, and read again when sent.
#[derive(Clone)]
pub struct LocalFile {
    pub path: PathBuf,
    /// When it was last written, as of before it was hashed: what is sent must be what was hashed.
    pub modified: Option<SystemTime>,
}

/// Something to put on a host. Cheap to clone; two contents are equal when their digests are.
#[derive(Clone)]
pub struct Content {
    pub source: Source,
    pub len: u64,
    digest: Arc<OnceLock<Digest>>,
}

impl Content {
    pub fn bytes(bytes: impl Into<Arc<[u8]>>) -> Content {
        let bytes = bytes.into();
        let digest = Arc::new(OnceLock::from(Digest::of(&bytes)));
        Content { len: bytes.len() as u64, digest, source: Source::Bytes(bytes) }
    }
    /// A file whose digest somebody else finds out meanwhile, and must set.
    pub fn local(file: LocalFile, len: u64, digest: Arc<OnceLock<Digest>>) -> Content {
        Content { source: Source::Local(file), len, digest }
    }
    /// Waits for it where it is not known yet.
    pub fn digest(&self) -> &Digest {
        self.digest.wait()
    }
    pub fn text(text: impl AsRef<str>) -> Content {
        Content::bytes(text.as_ref().as_bytes())
    }
    /// The bytes when they are in memory (rendered text always is).
    pub fn as_bytes(&self) -> Option<&[u8]> {
        match &self.source {
            Source::Bytes(bytes) => Some(bytes),
            Source::Local(_) => None,
        }
    }
}

impl PartialEq for Content {
    fn eq(&self, other: &Content) -> bool {
        self.digest() == other.digest()
    }
}
impl Eq for Content {}

/// Never prints the bytes: they may hold secrets.
impl fmt::Debug for Content {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Content({} bytes, {})", self.len, self.digest().short())
    }
}

/// What the task layer may ask of the operator's files. Implemented at the edge, so tasks stay pure.
pub trait Files: Sync {
    /// A whole file, read now; for text that will be rendered or compared.
    fn read(&self, path: &str) -> Result<Vec<u8>, String>;
    /// Where that file is, for people.
    fn shown(&self, path: &str) -> String {
        path.to_owned()
    }
    /// A file that travels as it is; large ones are not read into memory.
    fn content(&self, path: &str) -> Result<Content, String>;
    /// Every entry below a folder, parents before children, in the order of their names.
    fn tree(&self, path: &str) -> Result<Vec<TreeEntry>, String>;
    /// What git ignores below a folder, by paths relative to it; a folder stands for all that is in it. Nothing where
    /// the folder is in no checkout.
    fn ignored(&self, _path: &str) -> Result<BTreeSet<String>, String> {
        Ok(BTreeSet::new())
    }
    /// Which state of a folder this is: its commit, with a digest of what differs from it, or a digest alone.
    fn revision(&self, path: &str) -> Result<String, String> {
        Err(format!("nobody knows the revision of {path}"))
    }
}

/// One entry of a folder on the operator's machine, by its path relative to that folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TreeEntry {
    pub path: String,
    pub node: Node,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Node {
    Dir,
    File { content: Content, executable: bool },
    Link { target: String },
}
