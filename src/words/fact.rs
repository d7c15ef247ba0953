//! Probes (what to ask a host) and facts (what it answered).

use std::collections::BTreeMap;

use crate::words::content::Digest;
use crate::words::error::{Error, Result};
use crate::words::names::{FileMode, RemotePath, UserName};

/// A question that changes nothing on the host. All probes of a stage travel together.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Probe {
    /// `lstat`: what is at this path. → [`Fact::Path`]
    Path(RemotePath),
    /// SHA-256 of a regular file (links followed). → [`Fact::Digest`]
    Digest(RemotePath),
    /// The bytes of a regular file up to 1 MiB. → [`Fact::Content`]
    Content(RemotePath),
    /// Everything below a folder, with digests of files. → [`Fact::Tree`]
    Tree(RemotePath),
    /// An account. → [`Fact::User`]
    User(UserName),
    /// Any read-only POSIX shell snippet. → [`Fact::Output`]
    Shell { script: String, user: Option<UserName> },
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fact {
    Path(PathFact),
    /// `None`: there is no regular file, or it cannot be read.
    Digest(Option<Digest>),
    Content(Option<Vec<u8>>),
    /// Entries by relative path; `None` when the folder is absent.
    Tree(Option<BTreeMap<String, TreeFact>>),
    User(Option<UserFact>),
    Output(Output),
}

#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Output {
    pub code: i32,
    pub stdout: String,
}

impl Output {
    pub fn success(&self) -> bool {
        self.code == 0
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PathFact {
    Absent,
    /// The folder that holds it may not be searched by us.
    Denied,
    Present(Stat),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stat {
    pub node: NodeKind,
    pub mode: FileMode,
    /// By name; the number where it has no name.
    pub owner: String,
    pub group: String,
    pub size: u64,
}

impl Stat {
    /// Whether another account than ours and root has put this link there.
    pub fn is_others_link(&self, host: &HostFacts) -> bool {
        let trusted = self.owner == "root" || self.owner == host.user || self.owner.is_empty();
        matches!(self.node, NodeKind::Link { .. }) && !trusted
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NodeKind {
    File,
    Dir,
    Link {
        target: String,
    },
    /// Socket, device, pipe.
    Other,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TreeFact {
    Dir,
    File { digest: Digest, executable: bool },
    Link { target: String },
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UserFact {
    pub uid: u32,
    pub gid: u32,
    pub home: String,
    pub shell: String,
    pub comment: String,
    /// Names of every group, the primary one first.
    pub groups: Vec<String>,
}

/// Who we are on the host and what it runs; known for every host from its first answer on.
#[derive(Clone, Debug, PartialEq, Eq, Default, serde::Serialize)]
pub struct HostFacts {
    /// `debian` for Debian and its descendants, else the id itself; `darwin` on macOS.
    pub family: String,
    /// `debian`, `ubuntu`, `fedora` …
    pub id: String,
    /// `12`, `24.04` …
    pub version: String,
    /// `bookworm` …
    pub codename: String,
    /// As `uname -m` says: `x86_64`, `aarch64`.
    pub arch: String,
    /// `Linux`, `Darwin`.
    pub kernel: String,
    /// The account that tasks act as: `root` with `become`.
    pub user: String,
    pub home: String,
    pub hostname: String,
}

/// What is known of a host while planning. Asking for what was not probed is a mistake of the task kind.
#[derive(Clone, Debug, Default)]
pub struct Facts {
    pub host: HostFacts,
    pub(super) answers: BTreeMap<Probe, Fact>,
    /// The next task looks at something whose answer a planned change has made doubtful.
    doubted: bool,
}

impl Facts {
    pub fn new(host: HostFacts) -> Facts {
        Facts { host, ..Facts::default() }
    }
    pub fn insert(&mut self, probe: Probe, fact: Fact) {
        self.answers.insert(probe, fact);
    }
    pub fn contains(&self, probe: &Probe) -> bool {
        self.answers.contains_key(probe)
    }
    /// Drops every answer: something ran whose effect nobody can predict.
    pub fn forget(&mut self) {
        self.answers.clear();
        self.doubted = false;
    }
    pub fn doubt(&mut self) {
        self.doubted = true;
    }
    pub fn is_doubted(&self) -> bool {
        self.doubted
    }
    pub fn knows_links(&self) -> bool {
        let is_link = |fact: &Fact| {
            matches!(fact, Fact::Path(PathFact::Present(Stat { node: NodeKind::Link { .. }, .. })))
        };
        self.answers.values().any(is_link)
    }
    pub fn raw(&self, probe: &Probe) -> Option<&Fact> {
        self.answers.get(probe)
    }

    fn missing<T>(probe: &Probe) -> Result<T> {
        Err(Error::bug(format!("a task asked for a fact that it did not probe: {probe:?}")))
    }

    /// The first folder above `path`, as far as is known, that is a link of another account than ours and root.
    fn others_link_above(&self, path: &RemotePath) -> Option<(RemotePath, &str)> {
        let mut above = std::iter::successors(path.parent(), RemotePath::parent);
        above.find_map(|folder| match self.answers.get(&Probe::Path(folder.clone()))? {
            Fact::Path(PathFact::Present(stat)) if stat.is_others_link(&self.host) => {
                Some((folder, stat.owner.as_str()))
            }
            _ => None,
        })
    }

    /// `Denied` becomes an error here, so that no kind mistakes "may not look" for "absent"; and so does a way that
    /// somebody else could lead anywhere, so that none follows it.
    pub fn path(&self, path: &RemotePath) -> Result<Option<&Stat>> {
        if let Some((link, owner)) = self.others_link_above(path) {
            return Err(Error::failed(format!("cannot trust the way to {path}"))
                .cause(format!("{link} is a link that belongs to {owner}, who may lead it anywhere"))
                .hint(format!(
                    "name the folder that it leads to, or act as that account: as = \"{owner}\""
                )));
        }
        self.found(path)
    }
    /// What is there, whoever leads the way.
    pub fn found(&self, path: &RemotePath) -> Result<Option<&Stat>> {
        let probe = Probe::Path(path.clone());
        match self.answers.get(&probe) {
            Some(Fact::Path(PathFact::Absent)) => Ok(None),
            Some(Fact::Path(PathFact::Present(stat))) => Ok(Some(stat)),
            Some(Fact::Path(PathFact::Denied)) => Err(Error::failed(format!("cannot look at {path}"))
                .cause("permission denied")
                .hint("set `become = true` on the host, or connect as a user who may read it")),
            _ => Self::missing(&probe),
        }
    }
    pub fn digest(&self, path: &RemotePath) -> Result<Option<&Digest>> {
        let probe = Probe::Digest(path.clone());
        match self.answers.get(&probe) {
            Some(Fact::Digest(digest)) => Ok(digest.as_ref()),
            _ => Self::missing(&probe),
        }
    }
    pub fn content(&self, path: &RemotePath) -> Result<Option<&[u8]>> {
        let probe = Probe::Content(path.clone());
        match self.answers.get(&probe) {
            Some(Fact::Content(content)) => Ok(content.as_deref()),
            _ => Self::missing(&probe),
        }
    }
    pub fn tree(&self, path: &RemotePath) -> Result<Option<&BTreeMap<String, TreeFact>>> {
        let probe = Probe::Tree(path.clone());
        match self.answers.get(&probe) {
            Some(Fact::Tree(tree)) => Ok(tree.as_ref()),
            _ => Self::missing(&probe),
        }
    }
    pub fn user(&self, name: &UserName) -> Result<Option<&UserFact>> {
        let probe = Probe::User(name.clone());
        match self.answers.get(&probe) {
            Some(Fact::User(user)) => Ok(user.as_ref()),
            _ => Self::missing(&probe),
        }
    }
    pub fn output(&self, probe: &Probe) -> Result<&Output> {
        match self.answers.get(probe) {
            Some(Fact::Output(output)) => Ok(output),
            _ => Self::missing(probe),
        }
    }
}
