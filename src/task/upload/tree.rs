//! A tree compared with the one on the host: what is made, written, linked and removed.

use std::borrow::Borrow;
use std::collections::{BTreeMap, BTreeSet};

use crate::task::common::with_attributes;
use crate::task::place::{fresh, is_asked_for_unread, needs_parent};
use crate::task::upload::Upload;
use crate::task::write::{Target, Wanted, attributes, install};
use crate::words::action::{Action, Owner};
use crate::words::content::Node;
use crate::words::error::{Error, Result};
use crate::words::fact::{Fact, Facts, NodeKind, Probe, Stat, TreeFact};
use crate::words::names::{FileMode, RemotePath};
use crate::words::plural::count;
use crate::words::step::{Change, Step};

/// More lines than this are summed up.
const LINES: usize = 12;

/// One entry of the folder on the operator's side.
#[derive(Debug)]
pub struct Item {
    /// The path below the folder.
    pub name: String,
    pub node: Node,
    pub mode: FileMode,
    pub secret: bool,
}

impl Item {
    fn executable(&self) -> bool {
        self.mode.0 & 0o100 != 0
    }
}

#[derive(Debug)]
pub struct Tree<'a> {
    pub dest: &'a RemotePath,
    pub items: &'a [(RemotePath, Item)],
    pub owner: &'a Owner,
    pub upload: &'a Upload,
    pub facts: &'a Facts,
}

/// What changes, and the tree as it will be.
#[derive(Debug)]
struct Work {
    change: Change,
    after: BTreeMap<String, TreeFact>,
}

impl Work {
    fn add(&mut self, change: Change) {
        self.change.what.extend(change.what);
        self.change.diffs.extend(change.diffs);
        self.change.actions.extend(change.actions);
        self.change.predicts.extend(change.predicts);
    }
}

impl Tree<'_> {
    pub fn plan(&self) -> Result<Step> {
        let there = self.facts.tree(self.dest)?;
        let mut work = Work { change: Change::default(), after: there.cloned().unwrap_or_default() };
        let kept = self.upload.links_kept(&work.after);
        self.folder(there.is_some(), &mut work)?;
        if self.upload.delete {
            self.remove_others(&kept, &mut work)?;
        }
        // All folders first: the files of all of them are then put in place together.
        let (folders, others): (Vec<_>, Vec<_>) =
            self.sent(&kept).partition(|(_, item)| item.node == Node::Dir);
        for (path, item) in folders.into_iter().chain(others) {
            self.entry(path, item, &mut work)?;
        }
        let Work { mut change, after } = work;
        if change.is_empty() {
            return Ok(Step::already(format!("{} is as {}", self.dest, self.upload.src)));
        }
        if change.what.len() > LINES {
            change.what = vec![self.summary(&change)];
        }
        let change = change.predict(Probe::Tree(self.dest.clone()), Fact::Tree(Some(after)));
        let unforetold = |(path, item): &(RemotePath, Item)| match &item.node {
            Node::File { content, .. } => is_asked_for_unread(path, content, self.facts),
            _ => false,
        };
        Ok(if self.sent(&kept).any(unforetold) { Step::effects(change) } else { Step::Change(change) })
    }

    /// What is not behind a link that stays.
    fn sent<'a>(&'a self, kept: &'a BTreeSet<String>) -> impl Iterator<Item = &'a (RemotePath, Item)> {
        self.items.iter().filter(|(_, item)| !kept.contains(&item.name) && !is_in(kept, &item.name))
    }

    /// The folder itself.
    fn folder(&self, is_folder: bool, work: &mut Work) -> Result<()> {
        match self.facts.path(self.dest)? {
            None => {
                needs_parent("upload to", self.dest, self.facts)?;
                work.add(self.make_dir(self.dest, FileMode(0o755)));
            }
            Some(_) if !is_folder => {
                return Err(Error::failed(format!("cannot upload to {}", self.dest))
                    .cause("it is not a folder")
                    .hint(format!("move it away: mv {0} {0}.old", self.dest)));
            }
            // What follows it would be written, and removed, wherever that account wants.
            Some(stat) if stat.is_others_link(&self.facts.host) => {
                return Err(Error::failed(format!("cannot upload to {}", self.dest))
                    .cause(format!("it is a link that belongs to {}", stat.owner))
                    .hint(format!("name the folder that the link leads to, or act as that account: as = \"{}\"", stat.owner)));
            }
            Some(stat) if stat.node == NodeKind::Dir => {
                let target = Target { path: self.dest, mode: None, owner: self.owner.clone() };
                if let Some(change) = attributes(&target, stat) {
                    work.add(named(change, self.dest));
                }
            }
            Some(_) => {}
        }
        Ok(())
    }

    fn make_dir(&self, path: &RemotePath, mode: FileMode) -> Change {
        let after = with_attributes(&fresh(NodeKind::Dir, mode, path, self.facts), None, self.owner);
        let (path, owner) = (path.clone(), self.owner.clone());
        let change = Change::default().what(format!("make the folder {path}")).predict_dir(&path, after);
        change.action(Action::MakeDir { path, mode: Some(mode), owner })
    }

    fn entry(&self, path: &RemotePath, item: &Item, work: &mut Work) -> Result<()> {
        let there = work.after.get(&item.name).cloned();
        if there == Some(TreeFact::Dir) && item.node != Node::Dir {
            self.remove_folder(path, &item.name, work)?;
        }
        let after = match &item.node {
            Node::Dir => {
                self.dir(path, item, there.as_ref(), work)?;
                TreeFact::Dir
            }
            Node::Link { target } => {
                let after = TreeFact::Link { target: target.clone() };
                if there.as_ref() != Some(&after) {
                    let change = Change::default().what(format!("link {path} to {target}"));
                    let change = change.predict_link(path, target, self.facts);
                    work.add(change.action(Action::Link { path: path.clone(), target: target.clone() }));
                }
                after
            }
            Node::File { content, .. } => {
                let wanted = Wanted { content: content.clone(), secret: item.secret };
                self.file(path, item, there.as_ref(), &wanted, work)?;
                TreeFact::File { digest: content.digest().clone(), executable: item.executable() }
            }
        };
        work.after.insert(item.name.clone(), after);
        Ok(())
    }

    fn dir(&self, path: &RemotePath, item: &Item, there: Option<&TreeFact>, work: &mut Work) -> Result<()> {
        if there == Some(&TreeFact::Dir) {
            return self.owned(path, None, work);
        }
        if there.is_some() {
            work.add(remove(path, false));
        }
        work.add(self.make_dir(path, item.mode));
        Ok(())
    }

    fn file(
        &self,
        path: &RemotePath,
        item: &Item,
        there: Option<&TreeFact>,
        wanted: &Wanted,
        work: &mut Work,
    ) -> Result<()> {
        let target = Target { path, mode: Some(item.mode), owner: self.owner.clone() };
        let closely = self.upload.looks_closely();
        match there {
            Some(TreeFact::File { digest, .. }) if digest == wanted.content.digest() && closely => {
                return self.owned(path, Some(item.mode), work);
            }
            Some(TreeFact::File { digest, executable }) if digest == wanted.content.digest() => {
                if *executable != item.executable() {
                    work.add(self.set_mode(path, item.mode)?);
                }
            }
            there => {
                let known = if closely { self.facts.path(path)? } else { None };
                let mut change =
                    install(&target, known.filter(|stat| stat.node == NodeKind::File), wanted, self.facts);
                change.what = vec![format!("{} {path}", if there.is_some() { "rewrite" } else { "write" })];
                work.add(change);
            }
        }
        Ok(())
    }

    /// Who may execute is all that differs. More is known of the file only when another task asks.
    fn set_mode(&self, path: &RemotePath, mode: FileMode) -> Result<Change> {
        let action = Action::SetAttributes { path: path.clone(), mode: Some(mode), owner: Owner::default() };
        let change = Change::default().what(format!("{path}: mode {mode}")).action(action);
        if !self.facts.contains(&Probe::Path(path.clone())) {
            return Ok(change);
        }
        Ok(match self.facts.path(path)? {
            Some(stat) => change.predict_attributes(path, Stat { mode, ..stat.clone() }),
            None => change,
        })
    }

    /// Mode and owner of what is there already, where they are looked at.
    fn owned(&self, path: &RemotePath, mode: Option<FileMode>, work: &mut Work) -> Result<()> {
        if !self.upload.looks_closely() {
            return Ok(());
        }
        let target = Target { path, mode, owner: self.owner.clone() };
        if let Some(change) = self.facts.path(path)?.and_then(|stat| attributes(&target, stat)) {
            work.add(named(change, path));
        }
        Ok(())
    }

    fn remove_folder(&self, path: &RemotePath, name: &str, work: &mut Work) -> Result<()> {
        let below = format!("{name}/");
        let kept = work.after.keys().any(|at| at.starts_with(&below) && self.upload.leaves_out(at));
        if !self.upload.delete || kept {
            let why = if kept { "a folder with excluded files is in its place" } else { "a folder is in its place" };
            return Err(Error::failed(format!("cannot write {path}"))
                .cause(why)
                .hint(if kept { "move the folder away" } else { "set `delete = true` to replace the folder" }));
        }
        work.after.retain(|at, _| !at.starts_with(&below));
        work.add(remove(path, true));
        Ok(())
    }

    /// Removes what is on the host only. Folders that hold something excluded stay, for that must stay.
    fn remove_others(&self, links: &BTreeSet<String>, work: &mut Work) -> Result<()> {
        let ours: BTreeSet<&str> = self.items.iter().map(|(_, item)| item.name.as_str()).collect();
        let is_excluded = |name: &str| self.upload.leaves_out(name);
        let mut kept: BTreeSet<&str> = BTreeSet::new();
        let names: Vec<String> = work.after.keys().cloned().collect();
        for name in names.iter().filter(|name| is_excluded(name) || links.contains(*name)) {
            kept.extend(name.match_indices('/').map(|(at, _)| &name[..at]));
        }
        let mut gone: BTreeSet<&str> = BTreeSet::new();
        for name in &names {
            let stays = ours.contains(name.as_str()) || kept.contains(name.as_str()) || is_excluded(name) || links.contains(name);
            if stays || is_in(&gone, name) {
                continue;
            }
            let path = self.dest.join(name).map_err(|why| {
                Error::failed(format!("cannot remove {name:?} in {}", self.dest)).cause(why)
            })?;
            work.add(remove(&path, work.after[name] == TreeFact::Dir));
            gone.insert(name);
        }
        work.after.retain(|name, _| !gone.contains(name.as_str()) && !is_in(&gone, name));
        Ok(())
    }

    fn summary(&self, change: &Change) -> String {
        let counted = |matches: fn(&Action) -> bool| change.actions.iter().filter(|action| matches(action)).count();
        let parts = [
            ("write", "file", counted(|action| matches!(action, Action::Install { .. }))),
            ("make", "folder", counted(|action| matches!(action, Action::MakeDir { .. }))),
            ("make", "link", counted(|action| matches!(action, Action::Link { .. }))),
            ("set mode and owner of", "path", counted(|action| matches!(action, Action::SetAttributes { .. }))),
            ("remove", "path", counted(|action| matches!(action, Action::Remove { .. }))),
        ];
        let parts = parts.iter().filter(|(_, _, n)| *n > 0);
        let parts: Vec<String> = parts.map(|(verb, noun, n)| format!("{verb} {}", count(*n, noun))).collect();
        format!("{}: {}", self.dest, parts.join(", "))
    }
}

/// Whether one of the folders above `name` is among these.
fn is_in<T: Borrow<str> + Ord>(folders: &BTreeSet<T>, name: &str) -> bool {
    name.match_indices('/').any(|(at, _)| folders.contains(&name[..at]))
}

/// The lines about mode and owner do not say whose they are.
fn named(change: Change, path: &RemotePath) -> Change {
    let what = change.what.iter().map(|line| format!("{path}: {line}")).collect();
    Change { what, ..change }
}

fn remove(path: &RemotePath, recursive: bool) -> Change {
    let change = Change::default().what(format!("remove {path}")).predict_absent(path);
    change.action(Action::Remove { path: path.clone(), recursive })
}
