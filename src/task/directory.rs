//! `directory`: a folder with its mode and owner.

use serde::Deserialize;

use crate::task::Task;
use crate::task::common::{attribute_changes, with_attributes};
use crate::words::action::{Action, Owner};
use crate::words::error::{Error, Result};
use crate::words::fact::{Fact, Facts, NodeKind, PathFact, Probe, Stat};
use crate::words::names::{FileMode, RemotePath, UserName};
use crate::words::step::{Change, Step};

/// Makes a folder, and its parents where they are missing, or removes it with all that is in it.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Directory {
    path: RemotePath,
    mode: Option<FileMode>,
    owner: Option<UserName>,
    group: Option<UserName>,
    /// Removes it, with everything below.
    #[serde(default)]
    absent: bool,
}

impl Directory {
    /// The folder and everything above it, topmost first; `/` needs no asking.
    fn chain(&self) -> Vec<RemotePath> {
        let mut chain: Vec<RemotePath> =
            std::iter::successors(Some(self.path.clone()), RemotePath::parent).collect();
        chain.retain(|path| path.as_str() != "/");
        chain.reverse();
        chain
    }
    fn owner(&self) -> Owner {
        Owner { user: self.owner.clone(), group: self.group.clone() }
    }

    fn remove(&self, stat: Option<&Stat>) -> Step {
        if stat.is_none() {
            return Step::already(format!("{} is absent", self.path));
        }
        Step::Change(
            Change::default()
                .what(format!("remove {} and what is in it", self.path))
                .action(Action::Remove { path: self.path.clone(), recursive: true })
                .predict(Probe::Path(self.path.clone()), Fact::Path(PathFact::Absent)),
        )
    }

    fn make(&self, facts: &Facts) -> Result<Step> {
        let mut change = Change::default();
        for path in self.chain() {
            if facts.path(&path)?.is_some() {
                continue;
            }
            let last = path == self.path;
            let (mode, owner) = if last { (self.mode, self.owner()) } else { (None, Owner::default()) };
            let made = Stat {
                node: NodeKind::Dir,
                mode: FileMode(0o755),
                owner: facts.host.user.clone(),
                group: facts.host.user.clone(),
                size: 0,
            };
            let fact = Fact::Path(PathFact::Present(with_attributes(&made, mode, &owner)));
            change = change
                .what(format!("make the folder {path}"))
                .action(Action::MakeDir { path: path.clone(), mode: mode.or(Some(made.mode)), owner })
                .predict(Probe::Path(path), fact);
        }
        Ok(Step::Change(change))
    }
}

impl Task for Directory {
    fn probes(&self) -> Vec<Probe> {
        if self.absent {
            return vec![Probe::Path(self.path.clone())];
        }
        self.chain().into_iter().map(Probe::Path).collect()
    }

    fn plan(&self, facts: &Facts) -> Result<Step> {
        let stat = facts.path(&self.path)?;
        if self.absent {
            return Ok(self.remove(stat));
        }
        let Some(stat) = stat else { return self.make(facts) };
        if let NodeKind::Link { target } = &stat.node {
            return Ok(Step::already(format!("{} is a link to {target}", self.path)));
        }
        if stat.node != NodeKind::Dir {
            return Err(Error::failed(format!("cannot make the folder {}", self.path))
                .cause("a file is in its place")
                .hint(format!("move the file away: mv {0} {0}.old", self.path)));
        }
        let what = attribute_changes(stat, self.mode, &self.owner());
        if what.is_empty() {
            return Ok(Step::already(format!("{} is a folder", self.path)));
        }
        let after = with_attributes(stat, self.mode, &self.owner());
        Ok(Step::Change(Change {
            what,
            actions: vec![Action::SetAttributes {
                path: self.path.clone(),
                mode: self.mode,
                owner: self.owner(),
            }],
            predicts: vec![(Probe::Path(self.path.clone()), Fact::Path(PathFact::Present(after)))],
            ..Change::default()
        }))
    }
}
