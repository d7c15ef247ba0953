//! Writing a file: the step that `file`, `template`, `upload`, `env` and `line` share.

use crate::task::common::{attribute_changes, with_attributes};
use crate::task::place::{fresh, is_asked_for_unread, needs_parent, probes};
use crate::words::action::{Action, Owner};
use crate::words::content::Content;
use crate::words::error::{Error, Result};
use crate::words::fact::{Facts, NodeKind, Probe, Stat};
use crate::words::names::{FileMode, RemotePath, UserName};
use crate::words::step::{Change, Diff, Step};

/// Where a file goes and with which attributes.
#[derive(Clone, Debug)]
pub struct Target<'a> {
    pub path: &'a RemotePath,
    pub mode: Option<FileMode>,
    pub owner: Owner,
}

/// What a file shall hold.
#[derive(Clone, Debug)]
pub struct Wanted {
    pub content: Content,
    /// No diff of it may be shown.
    pub secret: bool,
}

pub fn content_probes(path: &RemotePath) -> Vec<Probe> {
    let mut probes = probes(path);
    probes.push(Probe::Digest(path.clone()));
    probes
}

/// The step that makes `target` hold what is wanted.
pub fn plan_content(target: &Target, wanted: &Wanted, facts: &Facts) -> Result<Step> {
    let path = target.path;
    let stat = facts.path(path)?;
    refuse_unless_file(path, stat)?;
    // A link is replaced by a file: writing through it could reach anywhere.
    let file = stat.filter(|stat| stat.node == NodeKind::File);
    let Some(file) = file else {
        needs_parent("write", path, facts)?;
        return Ok(written(target, None, wanted, facts));
    };
    if facts.digest(path)? != Some(wanted.content.digest()) {
        return Ok(written(target, Some(file), wanted, facts));
    }
    Ok(attributes(target, file).map_or_else(|| Step::already(format!("{path} is as wanted")), Step::Change))
}

fn written(target: &Target, file: Option<&Stat>, wanted: &Wanted, facts: &Facts) -> Step {
    let change = install(target, file, wanted, facts);
    let foretold = !is_asked_for_unread(target.path, &wanted.content, facts);
    if foretold { Step::Change(change) } else { Step::effects(change) }
}

pub fn refuse_unless_file(path: &RemotePath, stat: Option<&Stat>) -> Result<()> {
    let cause = match stat.map(|stat| &stat.node) {
        Some(NodeKind::Dir) => "a folder is in its place",
        Some(NodeKind::Other) => "a device, socket or pipe is in its place",
        _ => return Ok(()),
    };
    Err(Error::failed(format!("cannot write {path}"))
        .cause(cause)
        .hint(format!("choose another path, or move it away: mv {path} {path}.old")))
}

/// Gives mode and owner to what is there; `None` when it has them.
pub fn attributes(target: &Target, stat: &Stat) -> Option<Change> {
    let what = attribute_changes(stat, target.mode, &target.owner);
    if what.is_empty() {
        return None;
    }
    let after = with_attributes(stat, target.mode, &target.owner);
    let (path, mode, owner) = (target.path.clone(), target.mode, target.owner.clone());
    let action = Action::SetAttributes { path, mode, owner };
    Some(Change { what, ..Change::default() }.action(action).predict_attributes(target.path, after))
}

/// Puts the content there, over `file` where one is.
pub fn install(target: &Target, file: Option<&Stat>, wanted: &Wanted, facts: &Facts) -> Change {
    let path = target.path.clone();
    let new = fresh(NodeKind::File, FileMode(0o644), &path, facts);
    let (mode, owner) = (target.mode.or(file.map(|stat| stat.mode)), kept_owner(target, file, &new, facts));
    let after = with_attributes(&new, mode, &owner);
    let mut what = vec![format!("{} {path}", if file.is_some() { "rewrite" } else { "write" })];
    if let Some(file) = file {
        what.extend(attribute_changes(file, target.mode, &target.owner));
    }
    let diffs = vec![Diff { path: path.clone(), new: Some(wanted.content.clone()), secret: wanted.secret }];
    let change = Change { what, diffs, ..Change::default() };
    let action = Action::Install { path, content: wanted.content.clone(), mode, owner };
    change.action(action).predict_file(target.path, after, &wanted.content, facts)
}

/// A new file takes the place of the old one, so what nobody spoke of must be given to it again. Only root can.
fn kept_owner(target: &Target, file: Option<&Stat>, new: &Stat, facts: &Facts) -> Owner {
    let Some(file) = file.filter(|_| facts.host.user == "root") else { return target.owner.clone() };
    let keep = |wanted: &Option<UserName>, has: &str, default: &str| {
        wanted.clone().or_else(|| (has != default).then(|| UserName::new(has).ok()).flatten())
    };
    Owner {
        user: keep(&target.owner.user, &file.owner, &new.owner),
        group: keep(&target.owner.group, &file.group, &new.group),
    }
}
