//! What predicted facts mean for the others that are known: a folder that goes takes with it what is below.

use crate::words::fact::{Fact, Facts, NodeKind, PathFact, Probe, Stat, TreeFact};
use crate::words::names::RemotePath;

impl Facts {
    /// Takes over what a change predicts, so that the next task plans on the host as it will be then.
    pub fn apply(&mut self, predicts: &[(Probe, Fact)]) {
        // In order: what goes may come back as something else.
        for (probe, fact) in predicts {
            self.insert(probe.clone(), fact.clone());
            match (probe, fact) {
                (Probe::Path(path), Fact::Path(PathFact::Absent)) => self.gone(path),
                (Probe::Path(path), Fact::Path(PathFact::Present(stat))) => self.there(path, stat),
                (Probe::Digest(path), _) => {
                    if let Ok(Some(stat)) = self.path(path).map(Option::<&Stat>::cloned) {
                        self.there(path, &stat);
                    }
                }
                _ => {}
            }
        }
    }

    /// Nothing at `path` and below exists any more.
    fn gone(&mut self, path: &RemotePath) {
        for (probe, fact) in &mut self.answers {
            match (probe, fact) {
                (Probe::Path(at), Fact::Path(known)) if at == path || below(at, path).is_some() => {
                    *known = PathFact::Absent;
                }
                (Probe::Digest(at), Fact::Digest(known)) if at == path || below(at, path).is_some() => {
                    *known = None;
                }
                (Probe::Content(at), Fact::Content(known)) if at == path || below(at, path).is_some() => {
                    *known = None;
                }
                (Probe::Tree(at), Fact::Tree(known)) if at == path || below(at, path).is_some() => {
                    *known = None;
                }
                (Probe::Tree(root), Fact::Tree(Some(entries))) => {
                    if let Some(entry) = below(path, root) {
                        entries.retain(|name, _| {
                            name != entry
                                && !name.strip_prefix(entry).is_some_and(|rest| rest.starts_with('/'))
                        });
                    }
                }
                _ => {}
            }
        }
    }

    /// `path` became this; the trees that hold it show it.
    fn there(&mut self, path: &RemotePath, stat: &Stat) {
        let digest = match self.answers.get(&Probe::Digest(path.clone())) {
            Some(Fact::Digest(digest)) => digest.clone(),
            _ => None,
        };
        for (probe, fact) in &mut self.answers {
            let (Probe::Tree(root), Fact::Tree(tree)) = (probe, fact) else { continue };
            if root == path && stat.node == NodeKind::Dir {
                tree.get_or_insert_default();
            }
            let (Some(entries), Some(name)) = (tree, below(path, root)) else { continue };
            let known = match entries.get(name) {
                Some(TreeFact::File { digest, .. }) => Some(digest.clone()),
                _ => None,
            };
            let entry = match &stat.node {
                NodeKind::Dir => Some(TreeFact::Dir),
                NodeKind::Link { target } => Some(TreeFact::Link { target: target.clone() }),
                NodeKind::File => digest
                    .clone()
                    .or(known)
                    .map(|digest| TreeFact::File { digest, executable: stat.mode.0 & 0o100 != 0 }),
                NodeKind::Other => None,
            };
            if let Some(entry) = entry {
                entries.insert(name.to_owned(), entry);
            }
        }
    }
}

/// The part of `path` below `folder`.
fn below<'a>(path: &'a RemotePath, folder: &RemotePath) -> Option<&'a str> {
    if folder.as_str() == "/" {
        return path.as_str().strip_prefix('/').filter(|rest| !rest.is_empty());
    }
    path.as_str().strip_prefix(folder.as_str())?.strip_prefix('/')
}

#[cfg(test)]
mod tests {
    use crate::words::content::Digest;
    use crate::words::fact::{Fact, Facts, NodeKind, PathFact, Probe, Stat, TreeFact};
    use crate::words::names::{FileMode, RemotePath};

    fn path(text: &str) -> RemotePath {
        RemotePath::new(text).unwrap()
    }
    fn stat(node: NodeKind, mode: u32) -> Fact {
        let mode = FileMode(mode);
        Fact::Path(PathFact::Present(Stat {
            node,
            mode,
            owner: "root".into(),
            group: "root".into(),
            size: 0,
        }))
    }

    #[test]
    fn a_folder_that_goes_takes_everything_below_with_it() {
        let mut facts = Facts::default();
        facts.insert(Probe::Path(path("/srv/a/b")), stat(NodeKind::Dir, 0o755));
        facts.insert(Probe::Path(path("/srv/ab")), stat(NodeKind::Dir, 0o755));
        facts.insert(Probe::Digest(path("/srv/a/b/c")), Fact::Digest(Some(Digest::of(b""))));
        let tree = ["a", "a/b", "ab"].map(|name| (name.to_owned(), TreeFact::Dir));
        facts.insert(Probe::Tree(path("/srv")), Fact::Tree(Some(tree.into_iter().collect())));

        facts.apply(&[(Probe::Path(path("/srv/a")), Fact::Path(PathFact::Absent))]);

        assert_eq!(facts.path(&path("/srv/a/b")).unwrap(), None);
        assert!(facts.path(&path("/srv/ab")).unwrap().is_some());
        assert_eq!(facts.digest(&path("/srv/a/b/c")).unwrap(), None);
        assert_eq!(facts.tree(&path("/srv")).unwrap().unwrap().keys().collect::<Vec<_>>(), ["ab"]);
    }

    #[test]
    fn a_file_that_appears_shows_in_the_tree_above() {
        let mut facts = Facts::default();
        facts.insert(Probe::Tree(path("/srv/a")), Fact::Tree(None));
        facts.apply(&[
            (Probe::Path(path("/srv/a")), stat(NodeKind::Dir, 0o755)),
            (Probe::Path(path("/srv/a/run")), stat(NodeKind::File, 0o755)),
            (Probe::Digest(path("/srv/a/run")), Fact::Digest(Some(Digest::of(b"x")))),
        ]);
        let tree = facts.tree(&path("/srv/a")).unwrap().unwrap();
        assert_eq!(tree["run"], TreeFact::File { digest: Digest::of(b"x"), executable: true });
    }
}
