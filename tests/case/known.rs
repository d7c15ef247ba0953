//! What the host of a case knows, and how it answers the probes of the tasks.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;
use towline::words::content::{Digest, Node};
use towline::words::fact::{Fact, Facts, NodeKind, Output, PathFact, Probe, Stat, TreeFact, UserFact};
use towline::words::names::{FileMode, RemotePath};

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Entry {
    path: Option<String>,
    tree: Option<String>,
    user: Option<String>,
    shell: Option<String>,

    file: Option<FileEntry>,
    dir: Option<Attributes>,
    link: Option<String>,
    other: bool,
    absent: bool,
    denied: bool,

    entries: BTreeMap<String, super::files::Entry>,

    uid: Option<u32>,
    gid: Option<u32>,
    home: Option<String>,
    login_shell: Option<String>,
    comment: String,
    groups: Vec<String>,

    code: i32,
    stdout: String,
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum FileEntry {
    Text(String),
    Full(FullFile),
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct FullFile {
    content: String,
    mode: Option<FileMode>,
    owner: Option<String>,
    group: Option<String>,
}

impl FullFile {
    fn stat(&self) -> Stat {
        let attributes = Attributes { mode: self.mode, owner: self.owner.clone(), group: self.group.clone() };
        attributes.stat(NodeKind::File, 0o644, self.content.len())
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Attributes {
    mode: Option<FileMode>,
    owner: Option<String>,
    group: Option<String>,
}

#[derive(Debug)]
pub struct Known<'a> {
    entries: &'a [Entry],
    asked: RefCell<BTreeSet<usize>>,
}

impl<'a> Known<'a> {
    pub fn new(entries: &'a [Entry]) -> Known<'a> {
        Known { entries, asked: RefCell::default() }
    }

    /// Answers every probe; fails for one that nothing answers and for a fact that nobody asked for.
    pub fn answer(&self, probes: impl Iterator<Item = Probe>, facts: &mut Facts) -> Result<(), String> {
        for probe in probes {
            let fact = self.fact(&probe).ok_or_else(|| format!("the case has no fact for {probe:?}"))?;
            facts.insert(probe, fact);
        }
        let asked = self.asked.borrow();
        match self.entries.iter().enumerate().find(|(index, _)| !asked.contains(index)) {
            Some((_, entry)) => Err(format!("nobody asked for the fact {entry:?}")),
            None => Ok(()),
        }
    }

    fn find(&self, matches: impl Fn(&Entry) -> bool) -> Option<&'a Entry> {
        let index = self.entries.iter().position(matches)?;
        self.asked.borrow_mut().insert(index);
        Some(&self.entries[index])
    }

    fn fact(&self, probe: &Probe) -> Option<Fact> {
        match probe {
            Probe::Path(path) => self.path(path.as_str()).map(Fact::Path),
            Probe::Digest(path) => {
                self.path(path.as_str())?;
                Some(Fact::Digest(self.text(path).map(|text| Digest::of(text.as_bytes()))))
            }
            Probe::Content(path) => {
                self.path(path.as_str())?;
                Some(Fact::Content(self.text(path).map(|text| text.as_bytes().to_vec())))
            }
            Probe::Tree(path) => {
                let entry = self.find(|entry| entry.tree.as_deref() == Some(path.as_str()))?;
                Some(Fact::Tree((!entry.absent).then(|| entry.tree())))
            }
            Probe::User(name) => {
                let entry = self.find(|entry| entry.user.as_deref() == Some(name.as_str()))?;
                Some(Fact::User((!entry.absent).then(|| entry.account())))
            }
            Probe::Shell { script, .. } => {
                let entry =
                    self.find(|entry| entry.shell.as_ref().is_some_and(|part| script.contains(part)))?;
                Some(Fact::Output(Output { code: entry.code, stdout: entry.stdout.clone() }))
            }
        }
    }

    fn path(&self, path: &str) -> Option<PathFact> {
        if let Some(entry) = self.find(|entry| entry.path.as_deref() == Some(path)) {
            return entry.path_fact();
        }
        let given = || {
            self.entries
                .iter()
                .filter_map(|entry| Some((entry, entry.path.as_ref().or(entry.tree.as_ref())?)))
        };
        let is_below = |below: &str, above: &str| {
            above == "/" || below.strip_prefix(above).is_some_and(|rest| rest.starts_with('/'))
        };
        if given().any(|(entry, above)| entry.absent && is_below(path, above)) {
            return Some(PathFact::Absent);
        }
        let above = path == "/" || given().any(|(_, below)| is_below(below, path));
        above.then(|| PathFact::Present(Attributes::default().stat(NodeKind::Dir, 0o755, 0)))
    }

    fn text(&self, path: &RemotePath) -> Option<&'a str> {
        self.find(|entry| entry.path.as_deref() == Some(path.as_str()))?.text()
    }
}

impl Entry {
    fn text(&self) -> Option<&str> {
        match self.file.as_ref()? {
            FileEntry::Text(text) | FileEntry::Full(FullFile { content: text, .. }) => Some(text),
        }
    }

    fn path_fact(&self) -> Option<PathFact> {
        let plain = Attributes::default();
        let stat = match self {
            Entry { absent: true, .. } => return Some(PathFact::Absent),
            Entry { denied: true, .. } => return Some(PathFact::Denied),
            Entry { file: Some(FileEntry::Text(text)), .. } => plain.stat(NodeKind::File, 0o644, text.len()),
            Entry { file: Some(FileEntry::Full(file)), .. } => file.stat(),
            Entry { dir: Some(attributes), .. } => attributes.stat(NodeKind::Dir, 0o755, 0),
            Entry { link: Some(target), .. } => {
                plain.stat(NodeKind::Link { target: target.clone() }, 0o777, 0)
            }
            Entry { other: true, .. } => plain.stat(NodeKind::Other, 0o644, 0),
            _ => return None,
        };
        Some(PathFact::Present(stat))
    }

    fn tree(&self) -> BTreeMap<String, TreeFact> {
        let fact = |node: Node| match node {
            Node::Dir => TreeFact::Dir,
            Node::File { content, executable } => {
                TreeFact::File { digest: content.digest().clone(), executable }
            }
            Node::Link { target } => TreeFact::Link { target },
        };
        self.entries.iter().map(|(path, entry)| (path.clone(), fact(entry.node()))).collect()
    }

    fn account(&self) -> UserFact {
        let name = self.user.clone().unwrap_or_default();
        UserFact {
            uid: self.uid.unwrap_or(1000),
            gid: self.gid.or(self.uid).unwrap_or(1000),
            home: self.home.clone().unwrap_or_else(|| format!("/home/{name}")),
            shell: self.login_shell.clone().unwrap_or_else(|| "/bin/sh".into()),
            comment: self.comment.clone(),
            groups: if self.groups.is_empty() { vec![name] } else { self.groups.clone() },
        }
    }
}

impl Attributes {
    fn stat(&self, node: NodeKind, mode: u32, size: usize) -> Stat {
        let or_root = |name: &Option<String>| name.clone().unwrap_or_else(|| "root".into());
        Stat {
            node,
            mode: self.mode.unwrap_or(FileMode(mode)),
            owner: or_root(&self.owner),
            group: or_root(&self.group),
            size: size as u64,
        }
    }
}
