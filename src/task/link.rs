//! `link`: a symbolic link.

use serde::Deserialize;

use crate::task::place::{needs_parent, probes};
use crate::task::need::{Need, Sort};
use crate::task::{Inputs, Mistake, Task};
use crate::words::action::Action;
use crate::words::error::{Error, Result};
use crate::words::fact::{Facts, NodeKind, Probe};
use crate::words::names::RemotePath;
use crate::words::step::{Change, Step};

/// Makes a symbolic link, or removes it. A link that leads elsewhere is replaced in one moment.
///
/// ```toml
/// link = { path = "/etc/nginx/sites-enabled/shop", target = "../sites-available/shop" }
/// ```
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Link {
    /// Where the link is. The folder that holds it must exist.
    path: RemotePath,
    /// What it leads to, as it is stored: absolute, or relative to the link's folder. It need not exist.
    target: Option<String>,
    /// Replaces a file that is in the link's place. A folder is never replaced.
    #[serde(default)]
    force: bool,
    /// Removes the link; what it leads to stays.
    #[serde(default)]
    absent: bool,
}

impl Link {
    fn remove(&self, node: Option<&NodeKind>) -> Result<Step> {
        let path = self.path.clone();
        match node {
            None => Ok(Step::already(format!("{path} is absent"))),
            Some(NodeKind::Link { target }) => Ok(Step::Change(
                Change::default()
                    .what(format!("remove the link {path} to {target}"))
                    .predict_absent(&path)
                    .action(Action::Remove { path, recursive: false }),
            )),
            Some(_) => Err(Error::failed(format!("cannot remove the link {path}"))
                .cause("it is not a link")
                .hint("to remove a file use `file`, to remove a folder `directory`, with `absent = true`")),
        }
    }

    fn make(&self, target: &str, node: Option<&NodeKind>, facts: &Facts) -> Result<Step> {
        let path = self.path.clone();
        let failed = |cause: &str| Error::failed(format!("cannot link {path} to {target}")).cause(cause);
        let what = match node {
            None => {
                needs_parent("link", &path, facts)?;
                format!("link {path} to {target}")
            }
            Some(NodeKind::Link { target: has }) if has == target => {
                return Ok(Step::already(format!("{path} leads to {target}")));
            }
            Some(NodeKind::Link { target: has }) => format!("link {path} to {target}, no longer to {has}"),
            Some(NodeKind::Dir) => {
                return Err(failed("a folder is in its place")
                    .hint(format!("move the folder away: mv {path} {path}.old")));
            }
            Some(_) if self.force => format!("replace the file {path} by a link to {target}"),
            Some(_) => {
                return Err(failed("a file is in its place")
                    .hint("set `force = true` to replace the file, or move it away"));
            }
        };
        let change = Change::default().what(what).predict_link(&path, target, facts);
        Ok(Step::Change(change.action(Action::Link { path, target: target.to_owned() })))
    }
}

impl Task for Link {
    fn load(&mut self, _inputs: &dyn Inputs) -> Result<(), Mistake> {
        match &self.target {
            Some(_) if self.absent => Err(Mistake::new("absent", "`absent` and `target` exclude each other")
                .hint("leave out `target` to remove the link")),
            None if !self.absent => Err(Mistake::new("path", "`target` is missing")
                .hint("say what the link shall lead to, or `absent = true` to remove it")),
            Some(target) if target.is_empty() || target.chars().any(char::is_control) => {
                Err(Mistake::new("target", format!("{target:?} is not a path")))
            }
            _ => Ok(()),
        }
    }

    fn needs(&self) -> Vec<Need> {
        if self.absent { vec![] } else { vec![Need::place(self.path.as_str(), Sort::Link)] }
    }

    fn probes(&self) -> Vec<Probe> {
        probes(&self.path)
    }

    fn plan(&self, facts: &Facts) -> Result<Step> {
        let node = facts.path(&self.path)?.map(|stat| &stat.node);
        match &self.target {
            Some(target) => self.make(target, node, facts),
            None => self.remove(node),
        }
    }
}
