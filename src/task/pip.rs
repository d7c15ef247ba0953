//! `pip`: what a virtual environment has installed. The scripts are in [`script`], what they answer in [`Answer`].

mod script;

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::task::common::{none_if_empty, one_or_many};
use crate::task::need::Need;
use crate::task::{Inputs, Mistake, Task};
use crate::words::action::Action;
use crate::words::content::Digest;
use crate::words::error::{Error, Result};
use crate::words::fact::{Facts, Probe};
use crate::words::names::RemotePath;
use crate::words::plural::count;
use crate::words::step::{Change, Step};

/// Installs into a virtual environment, and checks that what is there fits together (`pip check`).
///
/// After a success a small file in the environment records what was asked (with the content of the requirements
/// files and of those that they include) and what was installed. When either differs, pip runs again.
///
/// ```toml
/// pip = { venv = "/srv/shop/venv", requirements = "/srv/shop/src/requirements.txt" }
/// pip = { venv = "/srv/shop/venv", packages = ["gunicorn", "flask==3.0.3"] }
/// ```
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pip {
    /// The virtual environment; a task of kind `venv` makes it.
    venv: RemotePath,
    /// A requirements file on the host.
    requirements: Option<RemotePath>,
    /// Requirements given here: `"gunicorn"`, `["flask==3.0.3", "celery[redis]>=5"]`.
    #[serde(default, deserialize_with = "one_or_many")]
    packages: Vec<String>,
    /// A project on the host (with pyproject.toml or setup.py) to install with what it depends on.
    project: Option<RemotePath>,
    /// Installs `project` such that its source is used where it is.
    #[serde(default)]
    editable: bool,
    /// A constraints file on the host.
    constraints: Option<RemotePath>,
    /// Whether every package must have a hash, and come as a wheel: `true`, `false`, or `"auto"` (default): when
    /// the requirements file has hashes.
    #[serde(default)]
    hashes: Hashes,
    /// A folder of wheels on the host: nothing is taken from an index, so the host needs no internet. `""` is none.
    #[serde(default, deserialize_with = "none_if_empty")]
    wheelhouse: Option<RemotePath>,
    /// More arguments for `pip install`, such as `["--no-deps"]`. They are seen in the list of processes: credentials
    /// for an index belong into `~/.netrc` of the user.
    #[serde(default)]
    extra_args: Vec<String>,
    /// Whether `pip check` has to succeed afterwards (default true).
    #[serde(default = "yes")]
    check: bool,
}

fn yes() -> bool {
    true
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(try_from = "toml::Value")]
enum Hashes {
    #[default]
    Auto,
    Always,
    Never,
}

impl TryFrom<toml::Value> for Hashes {
    type Error = &'static str;
    fn try_from(value: toml::Value) -> Result<Hashes, &'static str> {
        match value {
            toml::Value::Boolean(true) => Ok(Hashes::Always),
            toml::Value::Boolean(false) => Ok(Hashes::Never),
            toml::Value::String(text) if text == "auto" => Ok(Hashes::Auto),
            _ => Err("expected true, false or \"auto\""),
        }
    }
}

/// What `facts.py` prints.
#[derive(Debug, Deserialize)]
struct Answer {
    /// Names in canonical form, and versions.
    installed: BTreeMap<String, String>,
    /// Over all files and projects that were named.
    asked: String,
    /// SHA-256 of the requirements file itself.
    first: Option<String>,
    /// The first named file or folder that is not there.
    missing: Option<String>,
    marker: Option<Marker>,
}

#[derive(Debug, Deserialize)]
struct Marker {
    asked: String,
    first: Option<String>,
    installed: BTreeMap<String, String>,
}

impl Pip {
    fn probe(&self) -> Probe {
        Probe::Shell { script: script::probe(self), user: None }
    }
    /// The files that it reads; another task of the same plan may be about to write one of them.
    fn files(&self) -> impl Iterator<Item = &RemotePath> {
        self.requirements.iter().chain(&self.constraints)
    }

    /// What it installs, for people.
    fn subject(&self) -> String {
        let named = [&self.requirements, &self.project].into_iter().flatten().map(ToString::to_string);
        let packages = match self.packages.as_slice() {
            [] => None,
            few if few.len() <= 4 => Some(few.join(", ")),
            many => Some(count(many.len(), "package")),
        };
        named.chain(packages).collect::<Vec<_>>().join(" and ")
    }

    /// Packages given by name, or by name and exact version, that are not installed so.
    fn unmet(&self, installed: &BTreeMap<String, String>) -> Option<Vec<String>> {
        let mut unmet = vec![];
        for package in &self.packages {
            let (name, version) = simple(package)?;
            let has = installed.get(&canonical(name));
            if has.is_none_or(|has| version.is_some_and(|version| version != has)) {
                unmet.push(package.clone());
            }
        }
        Some(unmet)
    }

    /// Why pip has to run; `None` when it need not.
    fn reason(&self, answer: &Answer, files_changed: Option<&RemotePath>) -> Option<String> {
        if let Some(file) = files_changed {
            return Some(format!("{file} changes"));
        }
        let plain = self.requirements.is_none() && self.project.is_none() && self.constraints.is_none();
        let unmet = self.unmet(&answer.installed);
        if let Some(unmet) = unmet.as_ref().filter(|unmet| !unmet.is_empty()) {
            return Some(format!("{} not installed", unmet.join(", ")));
        }
        let Some(marker) = &answer.marker else {
            // Somebody else installed just these.
            let met = plain && unmet.is_some() && self.extra_args.is_empty();
            return (!met).then(|| "not installed by tow before".to_owned());
        };
        if marker.first != answer.first {
            return self.requirements.as_ref().map(|file| format!("{file} changed"));
        }
        if marker.asked != answer.asked {
            return Some(if self.project.is_some() { "the project changed" } else { "a file that it includes changed" }.to_owned());
        }
        let strayed: Vec<&str> = (marker.installed.iter())
            .filter(|(name, version)| answer.installed.get(*name) != Some(version))
            .map(|(name, _)| name.as_str())
            .collect();
        match strayed.as_slice() {
            [] => None,
            [only] => Some(format!("{only} was changed or removed")),
            many => Some(format!("{} were changed or removed", count(many.len(), "package"))),
        }
    }

    fn failed(&self) -> Error {
        Error::failed(format!("cannot install {} into {}", self.subject(), self.venv))
    }
}

/// A name with at most an exact version: what can be judged by looking at what is installed.
fn simple(package: &str) -> Option<(&str, Option<&str>)> {
    let (name, version) = match package.split_once("==") {
        Some((name, version)) => (name.trim(), Some(version.trim())),
        None => (package.trim(), None),
    };
    let plain = |text: &str, more: &str| text.chars().all(|c| c.is_ascii_alphanumeric() || more.contains(c));
    (plain(name, "-_.") && version.is_none_or(|version| plain(version, ".+!"))).then_some((name, version))
}

fn canonical(name: &str) -> String {
    let mut out = String::new();
    for c in name.chars() {
        if !"-_.".contains(c) {
            out.push(c.to_ascii_lowercase());
        } else if !out.ends_with('-') {
            out.push('-');
        }
    }
    out
}

impl Task for Pip {
    fn load(&mut self, _inputs: &dyn Inputs) -> Result<(), Mistake> {
        if self.requirements.is_none() && self.packages.is_empty() && self.project.is_none() {
            return Err(Mistake::new("venv", "nothing is asked to be installed")
                .hint("give `requirements`, `packages` or `project`"));
        }
        let odd = |text: &String| text.trim().is_empty() || text.trim().starts_with('-') || text.chars().any(char::is_control);
        if let Some(bad) = self.packages.iter().find(|text| odd(text)) {
            return Err(Mistake::new("packages", format!("{bad:?} is not a requirement"))
                .hint("options of pip go into `extra_args`"));
        }
        if self.editable && self.project.is_none() {
            return Err(Mistake::new("editable", "`editable` belongs to `project`"));
        }
        Ok(())
    }

    fn needs(&self) -> Vec<Need> {
        let is_offline = self.wheelhouse.is_some() || self.extra_args.iter().any(|arg| arg == "--no-index");
        if is_offline { vec![] } else { vec![Need::Index] }
    }

    fn probes(&self) -> Vec<Probe> {
        let digests = self.files().map(|path| Probe::Digest(path.clone()));
        std::iter::once(self.probe()).chain(digests).collect()
    }

    fn plan(&self, facts: &Facts) -> Result<Step> {
        let output = facts.output(&self.probe())?;
        if output.stdout.trim() == "no-venv" {
            return Err(self
                .failed()
                .cause("there is no virtual environment, or its python does not run")
                .hint(format!("make it first: venv = {{ path = \"{}\" }}", self.venv)));
        }
        let answer: Answer = serde_json::from_str(&output.stdout).map_err(|_| {
            self.failed()
                .cause(format!("{}/bin/python could not say what is installed", self.venv))
                .hint("Python 3.8 or newer is needed there")
        })?;
        // The digest is the predicted one where a task before this writes the file.
        let seen = answer.first.as_deref().and_then(Digest::parse);
        let mut coming = None;
        if let Some(file) = &self.requirements {
            let now = facts.digest(file)?;
            coming = (now != seen.as_ref() && now.is_some()).then_some(file);
        }
        if let Some(missing) = &answer.missing {
            let known = self.files().find(|path| path.as_str() == missing);
            let predicted = known.map(|path| facts.digest(path)).transpose()?.flatten().is_some();
            if !predicted {
                return Err(self
                    .failed()
                    .cause(format!("there is no {missing} on the host"))
                    .hint("bring it there first, with `git`, `upload` or `file`"));
            }
        }
        let Some(reason) = self.reason(&answer, coming) else {
            return Ok(Step::already(format!("{} has {}", self.venv, self.subject())));
        };
        Ok(Step::effects(
            Change::default()
                .what(format!("install {} into {}: {reason}", self.subject(), self.venv))
                .action(Action::Run(script::install(self))),
        ))
    }
}
