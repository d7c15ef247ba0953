//! `upload`: a folder of the operator's, or one file, as it is. Only what differs travels.

mod glob;
mod tree;

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;

use crate::task::upload::glob::excluded;
use crate::task::upload::tree::{Item, Tree};
use crate::task::write::{Target, Wanted, content_probes, plan_content};
use crate::task::need::{Need, Sort};
use crate::task::{Inputs, Mistake, Task, place};
use crate::words::action::Owner;
use crate::words::content::{Content, Node};
use crate::words::error::Result;
use crate::words::fact::{Facts, Probe, TreeFact};
use crate::words::names::{FileMode, RemotePath, UserName};
use crate::words::step::Step;

/// Copies a folder with everything below it, or one file, to the host. What is equal there does not travel.
///
/// Folders get mode 0755, files 0644, or 0755 where the operator may execute them; symlinks stay symlinks. Each
/// file is replaced in one moment, the tree as a whole is not: for that, upload to a new folder and `link` to it.
///
/// ```toml
/// upload = { src = "site", dest = "/srv/shop/site", owner = "shop", delete = true }
/// ```
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Upload {
    /// The folder or the file on the operator's side.
    src: String,
    /// What it becomes on the host: the folder's contents go into this folder, a file gets this name. The folder
    /// that holds it must exist.
    dest: RemotePath,
    /// The account that everything belongs to; else what is written belongs to the acting user.
    owner: Option<UserName>,
    /// The group that everything belongs to; else what is written belongs to the acting user's.
    group: Option<UserName>,
    /// Permissions of files. Those that can be executed may be executed by whoever may read them.
    mode: Option<FileMode>,
    /// Removes what is in `dest` and not in `src`, but nothing that is excluded. Also lets a file take the place of
    /// a folder.
    #[serde(default)]
    delete: bool,
    /// What is left out, on both sides: names (`"*.pyc"`), or paths below `src` (`"media/cache"`). `*` is any text
    /// without `/`, `?` one character. In place of `[".git", "__pycache__", "*.pyc"]`.
    #[serde(default = "not_sources")]
    exclude: Vec<String>,
    /// Leaves out, on both sides, what git ignores too, where `src` is in a checkout and this machine has git.
    #[serde(default)]
    gitignore: bool,
    /// Paths below `src` that may be links on the host. Where one is, it stays, and nothing is sent behind it.
    #[serde(default)]
    linked: Vec<String>,
    /// Below `src`; a folder stands for all that is in it.
    #[serde(skip)]
    ignored: BTreeSet<String>,
    #[serde(skip)]
    loaded: Option<Loaded>,
}

#[derive(Debug)]
enum Loaded {
    File(Wanted),
    /// Below the folder, parents first.
    Tree(Vec<(RemotePath, Item)>),
}

fn not_sources() -> Vec<String> {
    [".git", "__pycache__", "*.pyc"].map(ToOwned::to_owned).to_vec()
}

impl Upload {
    fn owner(&self) -> Owner {
        Owner { user: self.owner.clone(), group: self.group.clone() }
    }

    /// Whether a path below `src` is left as it is, on both sides.
    fn leaves_out(&self, path: &str) -> bool {
        let mut ends = path.match_indices('/').map(|(at, _)| at).chain([path.len()]);
        excluded(&self.exclude, path) || !self.ignored.is_empty() && ends.any(|end| self.ignored.contains(&path[..end]))
    }

    /// The links on the host that stay.
    fn links_kept(&self, there: &BTreeMap<String, TreeFact>) -> BTreeSet<String> {
        let is_link = |path: &&str| matches!(there.get(*path), Some(TreeFact::Link { .. }));
        let linked = self.linked.iter().map(|path| path.trim_matches('/'));
        linked.filter(is_link).map(ToOwned::to_owned).collect()
    }

    /// Whether mode and owner of every entry must be looked at; the tree itself tells only who may execute.
    fn looks_closely(&self) -> bool {
        self.mode.is_some() || !self.owner().is_none()
    }

    /// The mode of a file; whoever may read what can be executed may execute it.
    fn file_mode(&self, executable: bool) -> FileMode {
        let mode = self.mode.unwrap_or(FileMode(0o644));
        if executable { FileMode(mode.0 | (mode.0 & 0o444) >> 2) } else { mode }
    }

    fn item(&self, path: String, node: Node, inputs: &dyn Inputs) -> Result<(RemotePath, Item), Mistake> {
        let at = self.dest.join(&path).map_err(|why| Mistake::new("src", why))?;
        let mode = match &node {
            Node::File { executable, .. } => self.file_mode(*executable),
            _ => FileMode(0o755),
        };
        let secret = match &node {
            Node::File { content, .. } => is_secret(content, inputs),
            _ => false,
        };
        Ok((at, Item { name: path, node, mode, secret }))
    }
}

fn is_secret(content: &Content, inputs: &dyn Inputs) -> bool {
    content.as_bytes().is_some_and(|bytes| inputs.is_secret(&String::from_utf8_lossy(bytes)))
}

impl Task for Upload {
    fn load(&mut self, inputs: &dyn Inputs) -> Result<(), Mistake> {
        let no_tree = match inputs.tree(&self.src) {
            // The file itself, where there is no folder.
            Ok(entries) if entries.iter().any(|entry| entry.path.is_empty()) => String::new(),
            Ok(entries) => {
                if self.gitignore {
                    let hint = "mend that, or set `gitignore = false`: then only `exclude` leaves something out";
                    self.ignored = inputs.ignored(&self.src).map_err(|why| Mistake::new("gitignore", why).hint(hint))?;
                }
                let wanted = entries.into_iter().filter(|entry| !self.leaves_out(&entry.path));
                let items = wanted.map(|entry| self.item(entry.path, entry.node, inputs));
                self.loaded = Some(Loaded::Tree(items.collect::<Result<_, _>>()?));
                return Ok(());
            }
            Err(why) => why,
        };
        let content = inputs.content(&self.src).map_err(|why| {
            let both = format!("neither a folder ({no_tree}) nor a file ({why})");
            Mistake::new("src", if no_tree == why || no_tree.is_empty() { why } else { both })
        })?;
        if self.delete {
            return Err(Mistake::new("delete", format!("{} is a file: there is nothing to delete", self.src))
                .hint("leave out `delete`"));
        }
        self.loaded = Some(Loaded::File(Wanted { secret: is_secret(&content, inputs), content }));
        Ok(())
    }

    fn needs(&self) -> Vec<Need> {
        vec![Need::place(self.dest.as_str(), Sort::Source)]
    }

    fn probes(&self) -> Vec<Probe> {
        let Some(Loaded::Tree(items)) = &self.loaded else { return content_probes(&self.dest) };
        let mut probes = place::probes(&self.dest);
        probes.push(Probe::Tree(self.dest.clone()));
        if self.looks_closely() {
            probes.extend(items.iter().map(|(path, _)| Probe::Path(path.clone())));
        }
        probes
    }

    fn plan(&self, facts: &Facts) -> Result<Step> {
        match self.loaded.as_ref().ok_or_else(|| crate::task::not_loaded("upload"))? {
            Loaded::File(wanted) => {
                let target = Target { path: &self.dest, mode: self.mode, owner: self.owner() };
                plan_content(&target, wanted, facts)
            }
            Loaded::Tree(items) => {
                let owner = self.owner();
                Tree { dest: &self.dest, items, owner: &owner, upload: self, facts }.plan()
            }
        }
    }
}
