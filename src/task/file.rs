//! `file`: a file with the content given in the playbook or taken from a local file.

use serde::Deserialize;

use crate::task::common::{attribute_changes, with_attributes};
use crate::task::{Inputs, Mistake, Task};
use crate::words::action::{Action, Owner};
use crate::words::content::Content;
use crate::words::error::{Error, Result};
use crate::words::fact::{Fact, Facts, NodeKind, PathFact, Probe, Stat};
use crate::words::names::{FileMode, RemotePath, UserName};
use crate::words::step::{Change, Diff, Step};

/// Writes a file, or removes it, or only sets the mode and owner of one that exists.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct File {
    path: RemotePath,
    /// The text to hold.
    content: Option<String>,
    /// A file on the operator's side whose bytes it shall hold.
    src: Option<String>,
    mode: Option<FileMode>,
    owner: Option<UserName>,
    group: Option<UserName>,
    #[serde(default)]
    absent: bool,
    #[serde(skip)]
    wanted: Option<Wanted>,
}

#[derive(Debug)]
struct Wanted {
    content: Content,
    secret: bool,
}

impl File {
    fn owner(&self) -> Owner {
        Owner { user: self.owner.clone(), group: self.group.clone() }
    }
}

impl Task for File {
    fn load(&mut self, inputs: &dyn Inputs) -> Result<(), Mistake> {
        let given = [self.content.is_some(), self.src.is_some(), self.absent].iter().filter(|given| **given).count();
        if given > 1 {
            return Err(Mistake::new("path", "`content`, `src` and `absent` exclude each other")
                .hint("keep the one that says what you want"));
        }
        self.wanted = match (&self.content, &self.src) {
            (Some(text), _) => Some(Wanted { content: Content::text(text), secret: inputs.is_secret(text) }),
            (_, Some(src)) => {
                let content = inputs.content(src).map_err(|why| Mistake::new("src", why))?;
                Some(Wanted { content, secret: false })
            }
            _ => None,
        };
        Ok(())
    }

    fn probes(&self) -> Vec<Probe> {
        content_probes(&self.path, self.wanted.is_some())
    }

    fn plan(&self, facts: &Facts) -> Result<Step> {
        let Some(wanted) = &self.wanted else { return plan_existing(self, facts) };
        let target = Target { path: &self.path, mode: self.mode, owner: self.owner() };
        plan_content(&target, &wanted.content, wanted.secret, facts)
    }
}

/// Where a file goes and with which attributes; `template` and `env` plan with it too.
#[derive(Debug)]
pub struct Target<'a> {
    pub path: &'a RemotePath,
    pub mode: Option<FileMode>,
    pub owner: Owner,
}

pub fn content_probes(path: &RemotePath, with_content: bool) -> Vec<Probe> {
    let mut probes = vec![Probe::Path(path.clone())];
    if with_content {
        probes.push(Probe::Digest(path.clone()));
    }
    probes
}

/// The step that makes `target` hold `content`.
pub fn plan_content(target: &Target, content: &Content, secret: bool, facts: &Facts) -> Result<Step> {
    let stat = facts.path(target.path)?;
    if stat.is_some_and(|stat| stat.node == NodeKind::Dir) {
        return Err(Error::failed(format!("cannot write {}", target.path)).cause("a folder is in its place"));
    }
    // A link is replaced by a file: writing through it could reach anywhere.
    let file = stat.filter(|stat| stat.node == NodeKind::File);
    let same = file.is_some() && facts.digest(target.path)? == Some(&content.digest);
    let attributes = file.map_or_else(Vec::new, |stat| attribute_changes(stat, target.mode, &target.owner));
    if same && attributes.is_empty() {
        return Ok(Step::already(format!("{} is as wanted", target.path)));
    }
    let base = file.cloned().unwrap_or_else(|| Stat {
        node: NodeKind::File,
        mode: FileMode(0o644),
        owner: facts.host.user.clone(),
        group: facts.host.user.clone(),
        size: 0,
    });
    let after = Stat { size: content.len, ..with_attributes(&base, target.mode, &target.owner) };
    let mut change =
        Change { what: attributes, ..Change::default() }.predict(Probe::Path(target.path.clone()), Fact::Path(PathFact::Present(after)));
    let (path, mode, owner) = (target.path.clone(), target.mode, target.owner.clone());
    if same {
        return Ok(Step::Change(change.action(Action::SetAttributes { path, mode, owner })));
    }
    change.what.insert(0, format!("{} {path}", if stat.is_some() { "rewrite" } else { "write" }));
    change.diffs.push(Diff { path: path.clone(), new: Some(content.clone()), secret });
    change = change.predict(Probe::Digest(path.clone()), Fact::Digest(Some(content.digest.clone())));
    Ok(Step::Change(change.action(Action::Install { path, content: content.clone(), mode, owner })))
}

fn plan_existing(file: &File, facts: &Facts) -> Result<Step> {
    let stat = facts.path(&file.path)?;
    let path = file.path.clone();
    match stat {
        None if file.absent => Ok(Step::already(format!("{path} is absent"))),
        Some(stat) if file.absent => {
            if stat.node == NodeKind::Dir {
                return Err(Error::failed(format!("cannot remove {path}"))
                    .cause("it is a folder")
                    .hint("to remove a folder, use `directory` with `absent = true`"));
            }
            let change = Change::default()
                .what(format!("remove {path}"))
                .predict(Probe::Path(path.clone()), Fact::Path(PathFact::Absent));
            Ok(Step::Change(Change {
                diffs: vec![Diff { path: path.clone(), new: None, secret: false }],
                ..change.action(Action::Remove { path, recursive: false })
            }))
        }
        None => Err(Error::failed(format!("cannot set mode and owner of {path}"))
            .cause("there is no such file")
            .hint("give `content` or `src` to write it")),
        Some(stat) => {
            let what = attribute_changes(stat, file.mode, &file.owner());
            if what.is_empty() {
                return Ok(Step::already(format!("{path} is as wanted")));
            }
            let after = Fact::Path(PathFact::Present(with_attributes(stat, file.mode, &file.owner())));
            let action = Action::SetAttributes { path: path.clone(), mode: file.mode, owner: file.owner() };
            Ok(Step::Change(Change { what, ..Change::default() }.action(action).predict(Probe::Path(path), after)))
        }
    }
}
