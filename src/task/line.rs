//! `line`: one line of a file that others write too.

mod edit;

use serde::Deserialize;

use crate::task::line::edit::{Lines, Place};
use crate::task::write::{Target, Wanted, attributes, install, refuse_unless_file};
use crate::task::{Inputs, Mistake, Task, place};
use crate::words::action::Owner;
use crate::words::content::Content;
use crate::words::error::{Error, Result};
use crate::words::fact::{Facts, NodeKind, Probe, Stat};
use crate::words::names::{FileMode, RemotePath, UserName};
use crate::words::step::Step;

/// Ensures that a file has a line, or has it not. All other bytes of the file stay, its line endings too.
///
/// Where the line is there already, nothing happens. Else the one line that matches `starts_with` or `contains` is
/// replaced by it (several are an error: which one?), and where none matches the line is inserted: at the end, or where
/// `after` or `before` says; a file without a line that holds their text is an error.
///
/// ```toml
/// line = { path = "/etc/ssh/sshd_config", line = "PermitRootLogin no", starts_with = "PermitRootLogin" }
/// line = { path = "/etc/hosts", contains = "old.example.com", absent = true }
/// ```
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(clippy::struct_field_names, reason = "the keys are what users write")]
pub struct Line {
    /// The file, at most 1 MiB.
    path: RemotePath,
    /// The whole line, without a line break.
    line: Option<String>,
    /// Replaces the line that begins with this text; with `absent`, removes all that do.
    starts_with: Option<String>,
    /// Replaces the line that holds this text; with `absent`, removes all that do.
    contains: Option<String>,
    /// Inserts behind the last line that holds this text, instead of at the end.
    after: Option<String>,
    /// Inserts in front of the first line that holds this text.
    before: Option<String>,
    /// Removes the line.
    #[serde(default)]
    absent: bool,
    /// Makes the file where there is none.
    #[serde(default)]
    create: bool,
    /// Permissions of the file. Left as they are, else 0644.
    mode: Option<FileMode>,
    /// The account that the file belongs to. Left as it is.
    owner: Option<UserName>,
    /// The group that the file belongs to. Left as it is.
    group: Option<UserName>,
    #[serde(skip)]
    secret: bool,
}

impl Line {
    fn target(&self) -> Target<'_> {
        let owner = Owner { user: self.owner.clone(), group: self.group.clone() };
        Target { path: &self.path, mode: self.mode, owner }
    }

    fn failed(&self, cause: impl Into<String>) -> Error {
        Error::failed(format!("cannot edit {}", self.path)).cause(cause.into())
    }

    fn matches(&self, text: &[u8]) -> bool {
        let starts = |part: &String| text.starts_with(part.as_bytes());
        let holds = |part: &String| edit::holds(text, part);
        self.starts_with.as_ref().is_some_and(starts) || self.contains.as_ref().is_some_and(holds)
    }

    fn place(&self) -> Place<'_> {
        match (&self.after, &self.before) {
            (Some(text), _) => Place::After(text),
            (_, Some(text)) => Place::Before(text),
            _ => Place::End,
        }
    }

    /// What a message calls the line; one that holds a secret has no name.
    fn quoted(&self) -> String {
        let text = self.line.as_ref().or(self.starts_with.as_ref()).or(self.contains.as_ref());
        if self.secret { "the line".to_owned() } else { format!("the line {:?}", text.map_or("", String::as_str)) }
    }

    /// What is to be done, and the file's new bytes; the reason why not where nothing is.
    fn edited(&self, old: &[u8]) -> Result<std::result::Result<(String, Vec<u8>), String>> {
        let mut lines = Lines::of(old);
        if self.absent {
            let wanted = self.line.as_ref().map(String::as_bytes);
            let count = lines.remove(|text| wanted == Some(text) || self.matches(text));
            return Ok(match count {
                0 => Err(format!("{} does not have {}", self.path, self.quoted())),
                1 => Ok((format!("remove {}", self.quoted()), lines.bytes())),
                more => Ok((format!("remove {more} lines like {}", self.quoted()), lines.bytes())),
            });
        }
        let line = self.line.as_deref().unwrap_or_default();
        if lines.position(|text| text == line.as_bytes()).is_some() {
            return Ok(Err(format!("{} has {}", self.path, self.quoted())));
        }
        let matching = lines.positions(|text| self.matches(text));
        let what = match matching[..] {
            [] => {
                lines.insert(line, &self.place()).map_err(|text| {
                    self.failed(format!("no line holds {text:?}"))
                        .hint("correct `after` or `before`, or leave it out to add the line at the end")
                })?;
                format!("add {}", self.quoted())
            }
            [one] => {
                lines.replace(one, line);
                format!("replace line {} by {}", one + 1, self.quoted())
            }
            [first, second, ..] => {
                return Err(self
                    .failed(format!("lines {} and {} both match", first + 1, second + 1))
                    .hint("make `starts_with` or `contains` longer, so that it fits one line"));
            }
        };
        Ok(Ok((what, lines.bytes())))
    }

    fn plan_absent_file(&self, facts: &Facts) -> Result<Step> {
        if self.absent {
            return Ok(Step::already(format!("{} is absent", self.path)));
        }
        if !self.create {
            return Err(self.failed("there is no such file").hint("set `create = true` to make it"));
        }
        place::needs_parent("write", &self.path, facts)?;
        let text = format!("{}\n", self.line.as_deref().unwrap_or_default());
        let wanted = Wanted { content: Content::text(text), secret: self.secret };
        Ok(Step::Change(install(&self.target(), None, &wanted, facts)))
    }

    fn plan_edit(&self, stat: &Stat, facts: &Facts) -> Result<Step> {
        let old = facts.content(&self.path)?.ok_or_else(|| {
            self.failed("it cannot be read, or is larger than 1 MiB").hint("use `template` to write the whole file")
        })?;
        let target = self.target();
        match self.edited(old)? {
            Err(why) => Ok(attributes(&target, stat).map_or_else(|| Step::already(why), Step::Change)),
            Ok((what, bytes)) => {
                let wanted = Wanted { content: Content::bytes(bytes), secret: self.secret };
                let mut change = install(&target, Some(stat), &wanted, facts);
                change.what[0] = format!("{}: {what}", self.path);
                Ok(Step::Change(change))
            }
        }
    }
}

impl Task for Line {
    fn load(&mut self, inputs: &dyn Inputs) -> Result<(), Mistake> {
        let texts = [
            ("line", &self.line),
            ("starts_with", &self.starts_with),
            ("contains", &self.contains),
            ("after", &self.after),
            ("before", &self.before),
        ];
        for (field, text) in texts {
            let Some(text) = text else { continue };
            if text.is_empty() || text.contains(['\n', '\r']) {
                let hint = "a text of several lines needs a task for each, or `template` for the whole file";
                return Err(Mistake::new(field, format!("`{field}` must be one line that is not empty")).hint(hint));
            }
        }
        let pattern = self.starts_with.is_some() || self.contains.is_some();
        let exclude = |field, other: &str| {
            Mistake::new(field, format!("`{field}` and `{other}` exclude each other"))
        };
        if self.starts_with.is_some() && self.contains.is_some() {
            return Err(exclude("contains", "starts_with"));
        }
        if self.after.is_some() && self.before.is_some() {
            return Err(exclude("before", "after"));
        }
        if self.absent && (self.after.is_some() || self.before.is_some() || self.create) {
            return Err(Mistake::new("absent", "a line that is removed has no place")
                .hint("leave out `after`, `before` and `create`"));
        }
        if self.line.is_none() && !(self.absent && pattern) {
            return Err(Mistake::new("path", "`line` is missing")
                .hint("give the line to ensure; or `absent = true` and what the lines to remove start with"));
        }
        self.secret = texts.iter().any(|(_, text)| text.as_ref().is_some_and(|text| inputs.is_secret(text)));
        Ok(())
    }

    fn probes(&self) -> Vec<Probe> {
        let mut probes = place::probes(&self.path);
        probes.push(Probe::Content(self.path.clone()));
        probes
    }

    fn plan(&self, facts: &Facts) -> Result<Step> {
        let Some(stat) = facts.path(&self.path)? else { return self.plan_absent_file(facts) };
        if let NodeKind::Link { target } = &stat.node {
            return Err(self
                .failed(format!("it is a link to {target}"))
                .hint("name the file that the link leads to"));
        }
        refuse_unless_file(&self.path, Some(stat))?;
        self.plan_edit(stat, facts)
    }
}
