//! `package`: packages of the operating system. What differs between package managers is behind [`PackageManager`].

mod apt;

use serde::Deserialize;

use crate::task::common::one_or_many;
use crate::task::seconds::Span;
use crate::task::need::Need;
use crate::task::{Inputs, Mistake, Task};
use crate::words::action::{Action, Command};
use crate::words::error::{Error, Result};
use crate::words::fact::{Facts, HostFacts, Probe};
use crate::words::plural;
use crate::words::step::{Change, Step};

/// Installs or removes packages of the operating system; all that are missing in one go.
///
/// ```toml
/// package = ["git", "nginx"]
/// package = { names = "postgresql-15", install_recommends = false }
/// ```
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Package {
    /// One name or several: `"nginx"`, `["git", "nginx=1.22.*"]`. With `=version` that version is kept.
    #[serde(deserialize_with = "one_or_many")]
    names: Vec<String>,
    /// Removes them; configuration files stay, unless `purge`.
    #[serde(default)]
    absent: bool,
    /// With `absent`: removes their configuration files too.
    #[serde(default)]
    purge: bool,
    /// `true`: fetches the package lists before every installation; `false`: never.
    /// When not given: when they are older than `cache_age`, or when a name is not known.
    update_cache: Option<bool>,
    /// Package lists younger than this are good enough (default `"1d"`).
    #[serde(default = "one_day")]
    cache_age: Span,
    /// Whether packages that are only recommended come along. When not given: as the host is configured.
    install_recommends: Option<bool>,
    /// The package manager; `"auto"` (default) chooses by the host's family.
    #[serde(default)]
    manager: Choice,
}

#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
enum Choice {
    #[default]
    Auto,
    Apt,
}

fn one_day() -> Span {
    Span::seconds(86_400)
}

/// A name, and the version when one is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Wanted {
    name: String,
    version: Option<String>,
}

impl Wanted {
    fn parse(text: &str) -> Wanted {
        match text.split_once('=') {
            Some((name, version)) => Wanted { name: name.to_owned(), version: Some(version.to_owned()) },
            None => Wanted { name: text.to_owned(), version: None },
        }
    }
    /// A `*` at the end of the version stands for anything.
    fn accepts(&self, installed: &str) -> bool {
        match self.version.as_deref() {
            None => true,
            Some(version) => match version.strip_suffix('*') {
                Some(prefix) => installed.starts_with(prefix),
                None => installed == version,
            },
        }
    }
    fn display(&self) -> String {
        match &self.version {
            Some(version) => format!("{} {version}", self.name),
            None => self.name.clone(),
        }
    }
}

/// What a host says about packages.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Inventory {
    /// The package manager is there at all.
    usable: bool,
    /// Wanted name → installed version; a package that provides the name counts, with its own version.
    installed: std::collections::BTreeMap<String, String>,
    /// Packages that an interrupted installation left behind.
    broken: Vec<String>,
    /// The lists are there, and young enough.
    lists_fresh: bool,
}

/// How to install and remove.
#[derive(Clone, Debug)]
pub(crate) struct Options {
    /// Fetch the lists first.
    refresh: bool,
    /// Fetch them when a name is not known.
    refresh_when_unknown: bool,
    recommends: Option<bool>,
    purge: bool,
}

/// All that differs between package managers. Pure: scripts out, text in.
pub(crate) trait PackageManager: Sync {
    fn probe(&self, wanted: &[Wanted], lists_age: Span) -> String;
    fn parse(&self, wanted: &[Wanted], stdout: &str) -> Inventory;
    fn install(&self, missing: &[Wanted], options: &Options) -> Command;
    fn remove(&self, names: &[Wanted], options: &Options) -> Command;
    /// What to run by hand after an interrupted installation.
    fn repair(&self) -> &'static str;
    fn valid_name(&self, name: &str) -> bool;
}

impl Package {
    fn wanted(&self) -> Vec<Wanted> {
        self.names.iter().map(|name| Wanted::parse(name)).collect()
    }
    /// The only manager so far; which one it is on this host is decided in `plan`.
    fn manager(&self) -> &'static dyn PackageManager {
        match self.manager {
            Choice::Auto | Choice::Apt => &apt::Apt,
        }
    }
    fn probe(&self) -> Probe {
        Probe::Shell { script: self.manager().probe(&self.wanted(), self.cache_age), user: None }
    }
    fn verb(&self) -> &'static str {
        if self.absent { "remove" } else { "install" }
    }
    fn subject(&self) -> String {
        plural::list(&self.names, "and")
    }

    fn unusable(&self, host: &HostFacts) -> Error {
        let system = if host.id.is_empty() { "this system" } else { host.id.as_str() };
        Error::failed(format!("cannot {} {}", self.verb(), self.subject()))
            .cause(format!("there is no apt on this host ({system})"))
            .hint("this kind knows Debian, Ubuntu and their relatives; elsewhere use `command`, or skip it with `when = \"(eq os.family \\\"debian\\\")\"`")
    }

    fn change(&self, names: &[Wanted], command: Command, facts: &Facts) -> Result<Step> {
        if facts.host.user != "root" {
            return Err(Error::failed(format!("cannot {} {}", self.verb(), self.subject()))
                .cause(format!("{} may not, only root may", facts.host.user))
                .hint("set `become = true` on the host"));
        }
        let shown: Vec<String> = names.iter().map(Wanted::display).collect();
        Ok(Step::effects(
            Change::default()
                .what(format!("{} {}", self.verb(), plural::list(&shown, "and")))
                .action(Action::Run(command)),
        ))
    }
}

impl Task for Package {
    fn load(&mut self, _inputs: &dyn Inputs) -> Result<(), Mistake> {
        if self.names.is_empty() {
            return Err(Mistake::new("names", "no package is named"));
        }
        for wanted in self.wanted() {
            let version_ok = wanted.version.as_ref().is_none_or(|version| {
                !version.is_empty() && version.chars().all(|c| c.is_ascii_alphanumeric() || ".+-:~*".contains(c))
            });
            if !self.manager().valid_name(&wanted.name) || !version_ok {
                return Err(Mistake::new("names", format!("{:?} is not the name of a package", wanted.display()))
                    .hint("write `name` or `name=version`"));
            }
        }
        if self.purge && !self.absent {
            return Err(Mistake::new("purge", "`purge` belongs to `absent = true`"));
        }
        Ok(())
    }

    fn needs(&self) -> Vec<Need> {
        let names = self.names.iter().map(|name| Wanted::parse(name).name);
        let installed = if self.absent { vec![] } else { names.map(Need::Package).collect() };
        [installed, vec![Need::Root]].concat()
    }

    fn probes(&self) -> Vec<Probe> {
        vec![self.probe()]
    }

    fn plan(&self, facts: &Facts) -> Result<Step> {
        let wanted = self.wanted();
        let inventory = self.manager().parse(&wanted, &facts.output(&self.probe())?.stdout);
        if !inventory.usable {
            return Err(self.unusable(&facts.host));
        }
        let (good, other): (Vec<Wanted>, Vec<Wanted>) = wanted.into_iter().partition(|wanted| {
            let installed = inventory.installed.get(&wanted.name);
            if self.absent { installed.is_none() } else { installed.is_some_and(|v| wanted.accepts(v)) }
        });
        if other.is_empty() {
            let shown: Vec<String> = good.iter().map(|wanted| shown(wanted, &inventory)).collect();
            let (verb, state) = (if good.len() == 1 { "is" } else { "are" }, if self.absent { "absent" } else { "installed" });
            return Ok(Step::already(format!("{} {verb} {state}", plural::list(&shown, "and"))));
        }
        if !inventory.broken.is_empty() {
            return Err(Error::failed(format!("cannot {} {}", self.verb(), self.subject()))
                .cause(format!("an earlier installation was interrupted: {} half done", plural::list(&inventory.broken, "and")))
                .hint(format!("run `{}` on the host, then run again", self.manager().repair())));
        }
        let options = Options {
            refresh: self.update_cache.unwrap_or(!inventory.lists_fresh),
            refresh_when_unknown: self.update_cache.is_none(),
            recommends: self.install_recommends,
            purge: self.purge,
        };
        let command = if self.absent {
            self.manager().remove(&other, &options)
        } else {
            self.manager().install(&other, &options)
        };
        self.change(&other, command, facts)
    }
}

fn shown(wanted: &Wanted, inventory: &Inventory) -> String {
    match inventory.installed.get(&wanted.name) {
        Some(version) => format!("{} {version}", wanted.name),
        None => wanted.name.clone(),
    }
}
