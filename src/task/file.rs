//! `file`: a file with the content given in the playbook or taken from a local file.

use serde::Deserialize;

use crate::task::place::probes;
use crate::task::write::{Target, Wanted, attributes, content_probes, plan_content};
use crate::task::need::{Need, Sort};
use crate::task::{Inputs, Mistake, Task};
use crate::words::action::{Action, Owner};
use crate::words::content::Content;
use crate::words::error::{Error, Result};
use crate::words::fact::{Facts, NodeKind, Probe, Stat};
use crate::words::names::{FileMode, RemotePath, UserName};
use crate::words::step::{Change, Diff, Step};

/// Writes a file, or removes it, or only sets the mode and owner of one that exists.
///
/// The file is replaced in one moment: nobody ever reads half of it. A symlink in its place is replaced, not
/// followed. Say one of `content`, `src` and `absent`; with none of them only mode and owner are looked at.
///
/// ```toml
/// file = { path = "/etc/motd", content = "Welcome.\n", mode = "0644" }
/// ```
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct File {
    /// Where it is on the host. The folder that holds it must exist.
    path: RemotePath,
    /// The text to hold, exactly; end it with `\n`.
    content: Option<String>,
    /// A file on the operator's side whose bytes it shall hold, not rendered (`template` renders).
    src: Option<String>,
    /// Permissions, such as `"0644"`. Those of the file that is there, else 0644.
    mode: Option<FileMode>,
    /// The account that it belongs to. Left as it is, else the acting user.
    owner: Option<UserName>,
    /// The group that it belongs to. Left as it is, else the acting user's.
    group: Option<UserName>,
    /// Removes the file. A folder is not removed: `directory` does that.
    #[serde(default)]
    absent: bool,
    #[serde(skip)]
    wanted: Option<Wanted>,
}

impl File {
    fn target(&self) -> Target<'_> {
        let owner = Owner { user: self.owner.clone(), group: self.group.clone() };
        Target { path: &self.path, mode: self.mode, owner }
    }

    fn remove(&self, stat: Option<&Stat>) -> Result<Step> {
        let path = self.path.clone();
        match stat.map(|stat| &stat.node) {
            None => Ok(Step::already(format!("{path} is absent"))),
            Some(NodeKind::Dir) => Err(Error::failed(format!("cannot remove {path}"))
                .cause("it is a folder")
                .hint("to remove a folder, use `directory` with `absent = true`")),
            Some(node) => {
                let mut change =
                    Change::default().what(format!("remove {path}")).predict_absent(&path);
                if *node == NodeKind::File {
                    change.diffs.push(Diff { path: path.clone(), new: None, secret: false });
                }
                Ok(Step::Change(change.action(Action::Remove { path, recursive: false })))
            }
        }
    }

    fn plan_existing(&self, stat: Option<&Stat>) -> Result<Step> {
        let path = &self.path;
        let failed = |cause: String| Error::failed(format!("cannot set mode and owner of {path}")).cause(cause);
        let stat = stat.ok_or_else(|| {
            failed("there is no such file".into()).hint("give `content` or `src` to write it")
        })?;
        match &stat.node {
            NodeKind::Dir => {
                Err(failed("it is a folder".into()).hint("use `directory`, which takes mode and owner too"))
            }
            NodeKind::Link { target } => {
                Err(failed(format!("it is a link to {target}")).hint("name the file that the link leads to"))
            }
            _ => Ok(attributes(&self.target(), stat)
                .map_or_else(|| Step::already(format!("{path} is as wanted")), Step::Change)),
        }
    }
}

impl Task for File {
    fn load(&mut self, inputs: &dyn Inputs) -> Result<(), Mistake> {
        let given = [self.content.is_some(), self.src.is_some(), self.absent];
        if given.iter().filter(|given| **given).count() > 1 {
            return Err(Mistake::new("path", "`content`, `src` and `absent` exclude each other")
                .hint("keep the one that says what you want"));
        }
        let attributes = [self.mode.is_some(), self.owner.is_some(), self.group.is_some()];
        if !given.contains(&true) && !attributes.contains(&true) {
            return Err(Mistake::new("path", "nothing is said about the file")
                .hint("give `content` or `src` to write it, `mode`, `owner` or `group` to set them, or `absent = true`"));
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

    fn needs(&self) -> Vec<Need> {
        if self.absent { vec![] } else { vec![Need::place(self.path.as_str(), Sort::File)] }
    }

    fn probes(&self) -> Vec<Probe> {
        if self.wanted.is_some() { content_probes(&self.path) } else { probes(&self.path) }
    }

    fn plan(&self, facts: &Facts) -> Result<Step> {
        match &self.wanted {
            Some(wanted) => plan_content(&self.target(), wanted, facts),
            None if self.absent => self.remove(facts.path(&self.path)?),
            None => self.plan_existing(facts.path(&self.path)?),
        }
    }
}
