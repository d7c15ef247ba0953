//! `venv`: a virtual environment of a named Python; one that does not work any more is built again.

use serde::Deserialize;

use crate::task::need::{Need, Sort};
use crate::task::{Inputs, Mistake, Task};
use crate::words::action::{Action, Command};
use crate::words::error::{Error, Result};
use crate::words::fact::{Facts, Probe};
use crate::words::names::RemotePath;
use crate::words::python::{Requires, advice, numbers};
use crate::words::shell::quote;
use crate::words::step::{Change, Step};

/// Makes a virtual environment, and repairs it: after an upgrade of the system's Python, or when it was made with
/// another Python, it is emptied and built again (tasks of kind `pip` then install into it again).
///
/// ```toml
/// venv = "/srv/shop/venv"
/// venv = { path = "/srv/shop/venv", python = "python3.12" }
/// venv = { path = "/srv/shop/venv", requires = ">=3.12,<4" }
/// ```
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Venv {
    /// The folder of the environment.
    path: RemotePath,
    /// The Python that it is made with: a name (`"python3.12"`) or a path. Default `"python3"`.
    #[serde(default = "python3")]
    python: String,
    /// The versions that will do, as PEP 440 writes them (`">=3.12,<4"`): with another one nothing is made, and
    /// `tow check` tells of it before. Empty for any.
    #[serde(default)]
    requires: String,
    /// Whether packages of the system are visible in it (default false).
    #[serde(default)]
    system_site_packages: bool,
}

fn python3() -> String {
    "python3".to_owned()
}

/// A Python as it says of itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Python {
    version: String,
    base: String,
}

impl Python {
    fn parse(text: &str) -> Python {
        let (version, base) = text.split_once(' ').unwrap_or((text, ""));
        Python { version: version.to_owned(), base: base.to_owned() }
    }
}

/// `3.11` of `3.11.2`: what an environment is tied to.
fn series(version: &str) -> &str {
    let end = version.match_indices('.').nth(1).map_or(version.len(), |(at, _)| at);
    &version[..end]
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Place {
    #[default]
    Absent,
    Venv,
    /// Something else is there.
    Foreign,
}

/// What a host says about the environment and its Python.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct State {
    /// Where the wanted Python is.
    found: Option<String>,
    wanted: Option<Python>,
    /// The modules `venv` and `ensurepip` are there; Debian has them in a package of their own.
    has_module: bool,
    place: Place,
    /// The version that it was made with.
    made: Option<String>,
    system: bool,
    /// Its own Python, when it runs.
    runs: Option<Python>,
    has_pip: bool,
}

fn parse(stdout: &str) -> State {
    let mut state = State::default();
    for line in stdout.lines() {
        let (key, value) = line.split_once(' ').unwrap_or((line, ""));
        match key {
            "python" => state.found = Some(value.to_owned()),
            "wanted" => state.wanted = Some(Python::parse(value)),
            "module" => state.has_module = true,
            "place" => state.place = if value == "venv" { Place::Venv } else { Place::Foreign },
            "made" => state.made = Some(value.to_owned()),
            "system" => state.system = value.trim() == "true",
            "runs" => state.runs = Some(Python::parse(value)),
            "pip" => state.has_pip = true,
            _ => {}
        }
    }
    state
}

impl Venv {
    fn probe(&self) -> Probe {
        let (path, python) = (quote(self.path.as_str()), quote(&self.python));
        Probe::Shell {
            script: format!("path={path}\npython={python}\n{}", include_str!("venv/facts.sh")),
            user: None,
        }
    }

    /// What is wrong with the environment; `None` when it is as wanted.
    fn fault(&self, state: &State, wanted: &Python) -> Option<String> {
        let Some(runs) = &state.runs else {
            return Some("its python does not run any more".to_owned());
        };
        let made = state.made.as_deref().unwrap_or(&runs.version);
        if series(made) != series(&runs.version) {
            return Some(format!("it was made for Python {}, which is now {}", series(made), series(&runs.version)));
        }
        if series(&runs.version) != series(&wanted.version) {
            return Some(format!("Python {} → {}", series(&runs.version), series(&wanted.version)));
        }
        if runs.base != wanted.base {
            return Some(format!("Python of {} → {}", runs.base, wanted.base));
        }
        if !state.has_pip {
            return Some("it has no pip".to_owned());
        }
        match (state.system, self.system_site_packages) {
            (false, true) => Some("it shall see the system's packages".to_owned()),
            (true, false) => Some("it shall not see the system's packages".to_owned()),
            _ => None,
        }
    }

    /// The wanted Python is one that what goes into the environment does not run on.
    fn unfit(&self, state: &State) -> Option<Error> {
        let wanted = state.wanted.as_ref()?;
        let fits = Requires::parse(&self.requires)?.accepts(&numbers(&wanted.version)?);
        (!fits).then(|| {
            Error::failed(format!("cannot make the virtual environment {}", self.path))
                .cause(format!("{} is Python {}, and {} is required", self.python, wanted.version, self.requires))
                .hint(advice(&self.requires))
        })
    }

    fn obstacle(&self, state: &State, facts: &Facts) -> Option<Error> {
        let failed = || Error::failed(format!("cannot make the virtual environment {}", self.path));
        let debian = facts.host.family == "debian";
        if state.place == Place::Foreign {
            return Some(
                failed()
                    .cause("something is there that is not a virtual environment")
                    .hint(format!("move it away: mv {0} {0}.old", self.path)),
            );
        }
        if state.wanted.is_none() {
            let cause = match &state.found {
                Some(path) => format!("{path} does not run"),
                None => format!("there is no {} on this host", self.python),
            };
            let hint = if debian {
                "install it first: package = [\"python3\", \"python3-venv\"]".to_owned()
            } else {
                format!("install {}, or name another with `python`", self.python)
            };
            return Some(failed().cause(cause).hint(hint));
        }
        (!state.has_module).then(|| {
            let hint = if debian {
                // Only the system's default series has the package without a number.
                let name = self.python.rsplit('/').next().unwrap_or_default();
                let package = if name.contains('.') { format!("{name}-venv") } else { "python3-venv".to_owned() };
                format!("install it first: package = \"{package}\"")
            } else {
                "install a Python that has the modules venv and ensurepip".to_owned()
            };
            failed().cause(format!("{} has no module venv", self.python)).hint(hint)
        })
    }
}

impl Task for Venv {
    fn load(&mut self, _inputs: &dyn Inputs) -> Result<(), Mistake> {
        let odd = self.python.is_empty() || self.python.starts_with('-') || self.python.chars().any(char::is_control);
        let relative = self.python.contains('/') && !self.python.starts_with('/');
        if odd || relative {
            return Err(Mistake::new("python", format!("{:?} is not the name or path of a Python", self.python))
                .hint("write a name such as \"python3.12\", or an absolute path"));
        }
        if Requires::parse(&self.requires).is_none() {
            return Err(Mistake::new("requires", format!("{:?} says no versions of Python", self.requires))
                .hint("write them as pyproject.toml does: \">=3.12\", \"==3.12.*\", \">=3.11,<4\""));
        }
        Ok(())
    }

    fn needs(&self) -> Vec<Need> {
        let series = (!self.requires.is_empty())
            .then(|| Need::Series { python: self.python.clone(), requires: self.requires.clone() });
        let plain = [Need::Python(self.python.clone()), Need::place(self.path.as_str(), Sort::Environment)];
        plain.into_iter().chain(series).collect()
    }

    fn probes(&self) -> Vec<Probe> {
        vec![self.probe()]
    }

    fn plan(&self, facts: &Facts) -> Result<Step> {
        let state = parse(&facts.output(&self.probe())?.stdout);
        if let Some(error) = self.unfit(&state) {
            return Err(error);
        }
        let fault = match &state.wanted {
            Some(wanted) if state.place == Place::Venv => match self.fault(&state, wanted) {
                Some(fault) => Some(fault),
                None => return Ok(Step::already(format!("{} has Python {}", self.path, wanted.version))),
            },
            _ => None,
        };
        if let Some(error) = self.obstacle(&state, facts) {
            return Err(error);
        }
        let version = state.wanted.map(|python| python.version).unwrap_or_default();
        let what = match fault {
            Some(fault) => format!("build the virtual environment {} again with Python {version}: {fault}", self.path),
            None => format!("make the virtual environment {} with Python {version}", self.path),
        };
        // `--clear` also takes care of what an interrupted attempt left behind.
        let mut command = Command::new(&self.python).args(["-m", "venv", "--clear"]);
        if self.system_site_packages {
            command = command.args(["--system-site-packages"]);
        }
        let command = command.args([self.path.as_str()]);
        Ok(Step::effects(Change::default().what(what).action(Action::Run(command))))
    }
}

#[cfg(test)]
mod tests {
    use super::{Place, Python, State, Venv, parse, series};

    fn venv() -> Venv {
        toml::from_str("path = '/srv/v'").unwrap()
    }
    fn python(version: &str) -> Python {
        Python { version: version.into(), base: "/usr".into() }
    }

    #[test]
    fn reads_what_a_host_says() {
        let state = parse(
            "python /usr/bin/python3\nwanted 3.11.2 /usr\nmodule\nplace venv\nsystem false\nmade 3.11.2\nruns 3.11.2 /usr\npip\n",
        );
        assert_eq!(state.wanted, Some(python("3.11.2")));
        assert!(state.has_module && state.place == Place::Venv && !state.system && state.has_pip);
        assert_eq!(venv().fault(&state, &python("3.11.4")), None);
    }

    #[test]
    fn names_what_is_broken() {
        let good = State { place: Place::Venv, made: Some("3.11.2".into()), runs: Some(python("3.11.2")), has_pip: true, ..State::default() };
        let upgraded = State { runs: Some(python("3.13.1")), ..good.clone() };
        let dead = State { runs: None, ..good.clone() };
        let fault = |state: &State| venv().fault(state, &python("3.13.1")).unwrap();
        assert_eq!(fault(&upgraded), "it was made for Python 3.11, which is now 3.13");
        assert_eq!(fault(&dead), "its python does not run any more");
        assert_eq!(fault(&good), "Python 3.11 → 3.13");
        assert_eq!(series("3.11"), "3.11");
    }
}
