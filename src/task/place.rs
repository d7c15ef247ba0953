//! Places on a host: is there a folder to write in, what does a new thing get, what will probes then answer.

use crate::words::content::Content;
use crate::words::error::{Error, Result};
use crate::words::fact::{Fact, Facts, NodeKind, PathFact, Probe, Stat};
use crate::words::names::{FileMode, RemotePath};
use crate::words::step::Change;

/// The largest file whose bytes a probe brings.
const CONTENT_LIMIT: u64 = 1 << 20;

/// The path itself and the folders above it: one of them may be a link.
pub fn probes(path: &RemotePath) -> Vec<Probe> {
    std::iter::successors(Some(path.clone()), RemotePath::parent).map(Probe::Path).collect()
}

/// Fails unless the folder that holds `path` exists; `verb` says what cannot be done otherwise: "write".
pub fn needs_parent(verb: &str, path: &RemotePath, facts: &Facts) -> Result<()> {
    let Some(parent) = path.parent() else { return Ok(()) };
    let failed = |cause: String| Error::failed(format!("cannot {verb} {path}")).cause(cause);
    match facts.path(&parent)?.map(|stat| &stat.node) {
        // What a link leads to is not known; the host decides.
        Some(NodeKind::Dir | NodeKind::Link { .. }) => Ok(()),
        Some(_) => Err(failed(format!("{parent} is not a folder"))),
        None => Err(failed(format!("the folder {parent} does not exist"))
            .hint(format!("put a task before it that makes the folder: directory = \"{parent}\""))),
    }
}

/// Whether a task of this stage asks for bytes at `path` that are not in memory here: then nobody can foretell them.
pub fn is_asked_for_unread(path: &RemotePath, content: &Content, facts: &Facts) -> bool {
    let unread = content.as_bytes().is_none() && content.len <= CONTENT_LIMIT;
    unread && facts.contains(&Probe::Content(path.clone()))
}

/// What something that the acting user makes at `path` looks like at first.
pub fn fresh(node: NodeKind, mode: FileMode, path: &RemotePath, facts: &Facts) -> Stat {
    let parent = path.parent().and_then(|parent| facts.path(&parent).ok().flatten());
    fresh_in(parent, node, mode, facts)
}

/// The same, in a folder of which this is known.
pub fn fresh_in(parent: Option<&Stat>, node: NodeKind, mode: FileMode, facts: &Facts) -> Stat {
    // In a setgid folder, and everywhere on BSD, new things get the group of the folder.
    let inherits = |parent: &&Stat| facts.host.kernel == "Darwin" || parent.mode.0 & 0o2000 != 0;
    let group = parent.filter(inherits).map_or_else(|| facts.host.user.clone(), |stat| stat.group.clone());
    Stat { node, mode, owner: facts.host.user.clone(), group, size: 0 }
}

impl Change {
    /// Nothing will be at `path`, nor below it.
    #[must_use]
    pub fn predict_absent(self, path: &RemotePath) -> Change {
        self.predict(Probe::Path(path.clone()), Fact::Path(PathFact::Absent)).predict_no_file(path)
    }

    #[must_use]
    pub fn predict_dir(self, path: &RemotePath, stat: Stat) -> Change {
        self.predict_attributes(path, stat).predict_no_file(path)
    }

    /// Only mode and owner change; what the file holds stays.
    #[must_use]
    pub fn predict_attributes(self, path: &RemotePath, stat: Stat) -> Change {
        self.predict(Probe::Path(path.clone()), Fact::Path(PathFact::Present(stat)))
    }

    #[must_use]
    pub fn predict_file(self, path: &RemotePath, stat: Stat, content: &Content, facts: &Facts) -> Change {
        let change = self
            .predict(Probe::Digest(path.clone()), Fact::Digest(Some(content.digest().clone())))
            .predict_attributes(path, Stat { size: content.len, ..stat });
        let probe = Probe::Content(path.clone());
        // All probes of a stage travel together: what nobody has asked for by now, nobody will.
        if !facts.contains(&probe) || is_asked_for_unread(path, content, facts) {
            return change;
        }
        let bytes = content.as_bytes().filter(|_| content.len <= CONTENT_LIMIT);
        change.predict(probe, Fact::Content(bytes.map(<[u8]>::to_vec)))
    }

    #[must_use]
    pub fn predict_link(self, path: &RemotePath, target: &str, facts: &Facts) -> Change {
        let node = NodeKind::Link { target: target.to_owned() };
        let stat = Stat { size: target.len() as u64, ..fresh(node, FileMode(0o777), path, facts) };
        // What it leads to may be a file: no kind looks there without having seen the link.
        self.predict_attributes(path, stat).predict_no_file(path)
    }

    fn predict_no_file(self, path: &RemotePath) -> Change {
        self.predict(Probe::Digest(path.clone()), Fact::Digest(None))
            .predict(Probe::Content(path.clone()), Fact::Content(None))
    }
}
