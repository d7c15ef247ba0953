//! The operator's files as tasks see them: relative to the playbook, each read and hashed once.

mod git;
pub mod revision;

use std::collections::{BTreeSet, HashMap};
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::sync::mpsc::Sender;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use sha2::{Digest as _, Sha256};

use crate::words::content::{Content, Digest, Files, LocalFile, Node, TreeEntry};

/// Files up to this size are kept in memory; larger ones are read when they are sent.
const IN_MEMORY: u64 = 64 << 10;
/// Larger ones are hashed while hosts are being connected to.
const HASHED_AT_ONCE: u64 = 32 << 20;

#[derive(Debug)]
pub struct DiskFiles {
    /// Where relative paths are looked for, in this order.
    folders: Vec<PathBuf>,
    contents: Mutex<HashMap<PathBuf, Content>>,
    revisions: Mutex<HashMap<PathBuf, String>>,
    hasher: Hasher,
}

impl DiskFiles {
    /// The playbook's own folder, then `templates/` and `files/` in it or beside it.
    pub fn beside(playbook: &Path) -> DiskFiles {
        let own = playbook.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let project = own.join("..");
        let folders = vec![
            own.to_owned(),
            own.join("templates"),
            own.join("files"),
            project.join("templates"),
            project.join("files"),
            project,
        ];
        DiskFiles {
            folders,
            contents: Mutex::default(),
            revisions: Mutex::default(),
            hasher: Hasher::default(),
        }
    }

    pub fn find(&self, path: &str) -> Result<PathBuf, String> {
        let expanded = match path.strip_prefix("~/") {
            Some(rest) => std::env::home_dir().unwrap_or_default().join(rest),
            None => PathBuf::from(path),
        };
        if expanded.is_absolute() {
            return if expanded.exists() {
                Ok(expanded)
            } else {
                Err(format!("there is no {path} on this machine"))
            };
        }
        let found = self.folders.iter().map(|folder| folder.join(&expanded)).find(|path| path.exists());
        found.ok_or_else(|| {
            let own = self.folders.first().map(|folder| folder.display().to_string()).unwrap_or_default();
            let own = if own.is_empty() { "." } else { &own };
            format!("there is no {path} in {own}, nor in a folder templates/ or files/ there or one level up")
        })
    }

    fn hashed(&self, path: &Path) -> std::io::Result<Content> {
        if let Some(content) = self.contents.lock().ok().and_then(|known| known.get(path).cloned()) {
            return Ok(content);
        }
        let mut file = std::fs::File::open(path)?;
        let (len, modified) = (file.metadata()?.len(), file.metadata()?.modified().ok());
        let content = if len <= IN_MEMORY {
            let mut bytes = vec![];
            file.read_to_end(&mut bytes)?;
            Content::bytes(bytes)
        } else {
            let (file, digest) = (LocalFile { path: path.to_owned(), modified }, Arc::default());
            self.hasher.hash(path, len, &digest)?;
            Content::local(file, len, digest)
        };
        if let Ok(mut known) = self.contents.lock() {
            known.insert(path.to_owned(), content.clone());
        }
        Ok(content)
    }

    fn walk(&self, root: &Path, below: &str, entries: &mut Vec<TreeEntry>) -> std::io::Result<()> {
        let mut found: Vec<_> = std::fs::read_dir(root)?.collect::<Result<_, _>>()?;
        found.sort_by_key(std::fs::DirEntry::file_name);
        for entry in found {
            let Some(name) = entry.file_name().to_str().map(ToOwned::to_owned) else {
                return Err(std::io::Error::other(format!(
                    "the name of {} is not UTF-8",
                    entry.path().display()
                )));
            };
            let path = if below.is_empty() { name } else { format!("{below}/{name}") };
            let kind = entry.file_type()?;
            if kind.is_symlink() {
                let target = std::fs::read_link(entry.path())?.to_string_lossy().into_owned();
                entries.push(TreeEntry { path, node: Node::Link { target } });
            } else if kind.is_dir() {
                entries.push(TreeEntry { path: path.clone(), node: Node::Dir });
                self.walk(&entry.path(), &path, entries)?;
            } else if kind.is_file() {
                let node =
                    Node::File { content: self.hashed(&entry.path())?, executable: executable(&entry)? };
                entries.push(TreeEntry { path, node });
            }
            // Sockets, pipes and devices are nobody's content.
        }
        Ok(())
    }
}

#[cfg(unix)]
fn executable(entry: &std::fs::DirEntry) -> std::io::Result<bool> {
    use std::os::unix::fs::PermissionsExt as _;
    Ok(entry.metadata()?.permissions().mode() & 0o100 != 0)
}

impl Files for DiskFiles {
    fn read(&self, path: &str) -> Result<Vec<u8>, String> {
        let found = self.find(path)?;
        std::fs::read(&found).map_err(|error| format!("cannot read {}: {error}", found.display()))
    }

    fn shown(&self, path: &str) -> String {
        let here = std::env::current_dir().unwrap_or_default();
        let near = |found: PathBuf| {
            let below = found.strip_prefix(".").or_else(|_| found.strip_prefix(&here)).unwrap_or(&found);
            below.display().to_string()
        };
        self.find(path).map_or_else(|_| path.to_owned(), near)
    }

    fn content(&self, path: &str) -> Result<Content, String> {
        let found = self.find(path)?;
        if found.is_dir() {
            return Err(format!("{} is a folder; to send a folder, use `upload`", found.display()));
        }
        self.hashed(&found).map_err(|error| format!("cannot read {}: {error}", found.display()))
    }

    fn tree(&self, path: &str) -> Result<Vec<TreeEntry>, String> {
        let found = self.find(path)?;
        let failed = |error: std::io::Error| format!("cannot read {}: {error}", found.display());
        if found.is_file() {
            let entry = Node::File { content: self.hashed(&found).map_err(failed)?, executable: false };
            return Ok(vec![TreeEntry { path: String::new(), node: entry }]);
        }
        let mut entries = vec![];
        self.walk(&found, "", &mut entries).map_err(failed)?;
        Ok(entries)
    }

    fn ignored(&self, path: &str) -> Result<BTreeSet<String>, String> {
        git::ignored(&self.find(path)?)
    }

    fn revision(&self, path: &str) -> Result<String, String> {
        let found = self.find(path)?;
        // A fleet asks once for each host.
        let mut known = self.revisions.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(revision) = known.get(&found) {
            return Ok(revision.clone());
        }
        let revision = revision::of(&found, || self.tree(path))?;
        known.insert(found, revision.clone());
        Ok(revision)
    }
}

type Wanted = (PathBuf, Arc<OnceLock<Digest>>);

/// One thread that hashes the large files, one after the other.
#[derive(Debug, Default)]
struct Hasher(Mutex<Option<Sender<Wanted>>>);

impl Hasher {
    fn hash(&self, path: &Path, len: u64, digest: &Arc<OnceLock<Digest>>) -> std::io::Result<()> {
        let later = len > HASHED_AT_ONCE && self.send((path.to_owned(), digest.clone())).is_some();
        if !later {
            let _ = digest.set(digest_of(path)?);
        }
        Ok(())
    }

    /// `None`: there is no such thread, and no more room for one.
    fn send(&self, wanted: Wanted) -> Option<()> {
        let mut sender = self.0.lock().ok()?;
        if sender.is_none() {
            let (to, from) = std::sync::mpsc::channel::<Wanted>();
            let work = move || {
                for (path, digest) in from {
                    // What cannot be read to its end equals nothing: sending it will say why.
                    let unread = |error| Digest::of(format!("{}: {error}", path.display()).as_bytes());
                    let _ = digest.set(digest_of(&path).unwrap_or_else(unread));
                }
            };
            std::thread::Builder::new().name("hasher".into()).spawn(work).ok()?;
            *sender = Some(to);
        }
        sender.as_ref()?.send(wanted).ok()
    }
}

fn digest_of(path: &Path) -> std::io::Result<Digest> {
    let mut hasher = Sha256::new();
    let mut file = std::fs::File::open(path)?;
    let mut buffer = vec![0; 128 << 10];
    loop {
        match file.read(&mut buffer)? {
            0 => return Ok(Digest::finish(hasher)),
            n => hasher.update(&buffer[..n]),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::DiskFiles;
    use crate::words::content::Files as _;

    #[test]
    fn templates_may_lie_beside_the_folder_of_playbooks() {
        let root = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(root.path().join("playbooks")).unwrap();
        std::fs::create_dir_all(root.path().join("templates")).unwrap();
        std::fs::write(root.path().join("templates/a.hbs"), "text").unwrap();
        let files = DiskFiles::beside(&root.path().join("playbooks/site.toml"));
        assert_eq!(files.read("a.hbs").unwrap(), b"text");
        assert!(files.read("b.hbs").unwrap_err().contains("templates/"));
    }

    #[test]
    fn a_file_is_named_as_seen_from_here() {
        let shown = |playbook: &Path, path: &str| DiskFiles::beside(playbook).shown(path);
        assert_eq!(shown(Path::new("playbooks/site.toml"), "deploy.toml"), "playbooks/deploy.toml");
        assert_eq!(shown(Path::new("Cargo.toml"), "deny.toml"), "deny.toml");
        assert_eq!(shown(&std::env::current_dir().unwrap().join("x.toml"), "deny.toml"), "deny.toml");
        assert_eq!(shown(Path::new("playbooks/site.toml"), "nowhere.toml"), "nowhere.toml");
    }
}
