//! `directory`: a folder with its mode and owner.

use serde::Deserialize;

use crate::task::common::with_attributes;
use crate::task::place::fresh_in;
use crate::task::write::{Target, attributes};
use crate::task::need::{Need, Sort};
use crate::task::{Inputs, Mistake, Task};
use crate::words::action::{Action, Owner};
use crate::words::error::{Error, Result};
use crate::words::fact::{Facts, NodeKind, Probe, Stat};
use crate::words::names::{FileMode, RemotePath, UserName};
use crate::words::step::{Change, Step};

/// Without these no system works; a variable that came out empty must not remove one.
const NEVER_REMOVED: &[&str] = &[
    "/", "/bin", "/boot", "/dev", "/etc", "/home", "/lib", "/lib64", "/opt", "/proc", "/root", "/run", "/sbin",
    "/srv", "/sys", "/tmp", "/usr", "/usr/bin", "/usr/lib", "/usr/local", "/var", "/var/lib", "/var/log",
];

/// Makes a folder, and its parents where they are missing, or removes it with all that is in it.
///
/// Parents that are made get mode 0755 and belong to the acting user; `mode`, `owner` and `group` are for the
/// folder itself. What is in the folder is not touched.
///
/// ```toml
/// directory = "/srv/shop"
/// directory = { path = "/srv/shop/shared", owner = "shop", mode = "0750" }
/// ```
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Directory {
    /// Where it is on the host.
    path: RemotePath,
    /// Permissions, such as `"0750"`. Left as they are, else 0755.
    mode: Option<FileMode>,
    /// The account that it belongs to. Left as it is, else the acting user.
    owner: Option<UserName>,
    /// The group that it belongs to. Left as it is, else the acting user's.
    group: Option<UserName>,
    /// Removes it, with everything below. System folders such as `/etc` are refused.
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

    fn target(&self) -> Target<'_> {
        let owner = Owner { user: self.owner.clone(), group: self.group.clone() };
        Target { path: &self.path, mode: self.mode, owner }
    }

    fn remove(&self, node: Option<&NodeKind>) -> Result<Step> {
        let path = self.path.clone();
        let failed = |cause: &str| Error::failed(format!("cannot remove the folder {path}")).cause(cause);
        match node {
            None => Ok(Step::already(format!("{path} is absent"))),
            Some(NodeKind::Dir) => Ok(Step::Change(
                Change::default()
                    .what(format!("remove {path} and what is in it"))
                    .predict_absent(&path)
                    .action(Action::Remove { path, recursive: true }),
            )),
            Some(NodeKind::Link { .. }) => {
                Err(failed("it is a link").hint("to remove the link, use `link` with `absent = true`"))
            }
            Some(_) => Err(failed("it is a file").hint("to remove a file, use `file` with `absent = true`")),
        }
    }

    fn make(&self, facts: &Facts) -> Result<Step> {
        let mut change = Change::default();
        let mut parent: Option<Stat> = None;
        for path in self.chain() {
            if let Some(stat) = facts.path(&path)? {
                if !matches!(stat.node, NodeKind::Dir | NodeKind::Link { .. }) {
                    return Err(self.in_the_way(&path));
                }
                parent = Some(stat.clone());
                continue;
            }
            let (mode, owner) =
                if path == self.path { (self.mode, self.target().owner) } else { (None, Owner::default()) };
            let mode = mode.unwrap_or(FileMode(0o755));
            let new = fresh_in(parent.as_ref(), NodeKind::Dir, mode, facts);
            let after = with_attributes(&new, None, &owner);
            parent = Some(after.clone());
            change = change
                .what(format!("make the folder {path}"))
                .predict_dir(&path, after)
                .action(Action::MakeDir { path, mode: Some(mode), owner });
        }
        Ok(Step::Change(change))
    }

    fn in_the_way(&self, path: &RemotePath) -> Error {
        Error::failed(format!("cannot make the folder {}", self.path))
            .cause(if *path == self.path { "a file is in its place".to_owned() } else { format!("{path} is a file") })
            .hint(format!("move the file away: mv {path} {path}.old"))
    }
}

impl Task for Directory {
    fn load(&mut self, _inputs: &dyn Inputs) -> Result<(), Mistake> {
        let attributes = self.mode.is_some() || self.owner.is_some() || self.group.is_some();
        if self.absent && attributes {
            return Err(Mistake::new("absent", "a folder that is removed has no mode and no owner")
                .hint("leave out `mode`, `owner` and `group`"));
        }
        if self.absent && NEVER_REMOVED.contains(&self.path.as_str()) {
            return Err(Mistake::new("path", format!("{} is never removed", self.path))
                .hint("is a variable in the path empty?"));
        }
        Ok(())
    }

    fn needs(&self) -> Vec<Need> {
        if self.absent { vec![] } else { vec![Need::place(self.path.as_str(), Sort::Folder)] }
    }

    fn probes(&self) -> Vec<Probe> {
        let paths = if self.path.as_str() == "/" { vec![self.path.clone()] } else { self.chain() };
        paths.into_iter().map(Probe::Path).collect()
    }

    fn plan(&self, facts: &Facts) -> Result<Step> {
        let (path, target) = (&self.path, self.target());
        let stat = facts.path(path)?;
        if self.absent {
            return self.remove(stat.map(|stat| &stat.node));
        }
        let Some(stat) = stat else { return self.make(facts) };
        match &stat.node {
            NodeKind::Dir => Ok(attributes(&target, stat)
                .map_or_else(|| Step::already(format!("{path} is a folder")), Step::Change)),
            NodeKind::Link { target: to } if target.mode.is_none() && target.owner.is_none() => {
                Ok(Step::already(format!("{path} is a link to {to}")))
            }
            NodeKind::Link { target: to } => Err(Error::failed(format!("cannot set mode and owner of {path}"))
                .cause(format!("it is a link to {to}"))
                .hint("name the folder that the link leads to")),
            _ => Err(self.in_the_way(path)),
        }
    }
}
