//! `timer`: a command on a schedule, as a service and a timer of systemd.

mod units;

use serde::Deserialize;

use crate::task::common::one_or_many;
use crate::task::seconds::Span;
use crate::task::service::{Service, State};
use crate::task::systemd_unit::files::{Files, UnitFile, daemon_reload, is_plain, joined};
use crate::task::timer::units::Line;
use crate::task::need::Need;
use crate::task::{Inputs, Mistake, Task};
use crate::words::action::Action;
use crate::words::error::Result;
use crate::words::fact::{Facts, Probe};
use crate::words::names::{RemotePath, UserName};
use crate::words::step::{Change, Step};

/// Runs a command on a schedule. What it prints goes to the journal (`journalctl -u NAME`), two runs never overlap, and
/// a run that was missed while the host was off is made up for.
///
/// ```toml
/// timer = { name = "shop-report", command = ["/srv/shop/current/venv/bin/flask", "report"], at = "03:30", user = "shop" }
/// timer = { name = "shop-poll", command = "curl -fsS http://127.0.0.1:8000/poll >/dev/null", every = "5m", user = "shop" }
/// ```
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Timer {
    /// What its units are called: `NAME.timer` and `NAME.service`.
    name: String,
    /// What runs: an array (a program by its absolute path, and its arguments), or a line for `/bin/sh`.
    command: Option<Line>,
    /// When: `"daily"`, `"03:30"`, `"Mon *-*-* 06:00"`, or several; see `man systemd.time`. The host's time zone.
    #[serde(default, deserialize_with = "one_or_many")]
    at: Vec<String>,
    /// Instead of `at`: how long after its last run, and after the boot.
    every: Option<Span>,
    /// Spreads the start at random over this long, so that many hosts do not start at once.
    spread: Option<Span>,
    /// The account that it runs as; else root.
    user: Option<UserName>,
    /// The folder that it runs in.
    cwd: Option<RemotePath>,
    /// A file of variables, as `env` writes it.
    env_file: Option<RemotePath>,
    /// It is ended after this long (default `"1h"`).
    #[serde(default = "hour")]
    limit: Span,
    /// What `systemctl list-timers` calls it.
    description: Option<String>,
    /// Stops it and removes its units.
    #[serde(default)]
    absent: bool,
    /// The service, then the timer.
    #[serde(skip)]
    files: Vec<UnitFile>,
}

fn hour() -> Span {
    Span::seconds(3600)
}

impl Timer {
    fn check(&self) -> Result<(), Mistake> {
        if !is_plain(&self.name) {
            return Err(Mistake::new("name", format!("{:?} is not a name for a timer", self.name))
                .hint("use letters, digits, `-` and `_`; the endings .timer and .service are added"));
        }
        if self.absent {
            return Ok(());
        }
        if self.at.is_empty() == self.every.is_none() {
            return Err(Mistake::new("at", "say either `at` or `every`")
                .hint("for example at = \"03:30\" or every = \"15m\""));
        }
        if self.every.is_some_and(|every| every.0.as_secs() == 0) {
            return Err(Mistake::new("every", "shorter than a second"));
        }
        let texts = self.at.iter().chain(&self.description);
        if let Some(text) = texts.into_iter().find(|text| text.chars().any(char::is_control) || text.trim().is_empty()) {
            return Err(Mistake::new("at", format!("{text:?} does not fit on a line of a unit")));
        }
        if let Some(at) = self.at.iter().find(|at| at.split_whitespace().any(units::is_no_time)) {
            return Err(Mistake::new("at", format!("{at:?}: there is no such time of day"))
                .hint("from 00:00 to 23:59; `systemd-analyze calendar` says when a time would be"));
        }
        self.command.as_ref().map_or(Err("nothing is said to run".to_owned()), Line::check).map_err(|why| {
            Mistake::new("command", why).hint("write for example command = [\"/usr/bin/true\"] or a shell line")
        })
    }

    fn texts(&self) -> (String, String) {
        let description = self.description.as_deref().unwrap_or(&self.name);
        let service = units::Job {
            description,
            command: self.command.as_ref(),
            user: self.user.as_ref(),
            cwd: self.cwd.as_ref(),
            env_file: self.env_file.as_ref(),
            limit: self.limit,
        };
        (units::service(&service), units::timer(description, &self.at, self.every, self.spread))
    }

    fn unit(&self) -> String {
        format!("{}.timer", self.name)
    }

    fn remove(&self, facts: &Facts) -> Result<Step> {
        let stopped = Service::of(&self.unit(), Some(State::Stopped), Some(false), None).plan(facts)?;
        let mut removed = Change::default();
        for file in &self.files {
            if facts.path(&file.path)?.is_some() {
                let action = Action::Remove { path: file.path.clone(), recursive: false };
                removed = removed.what(format!("remove {}", file.path)).action(action).predict_absent(&file.path);
            }
        }
        if !removed.is_empty() {
            removed = removed.action(daemon_reload());
        }
        Ok(match stopped {
            Step::Unknown(stopped) => Step::effects(joined(stopped, removed)),
            _ if removed.is_empty() => Step::already(format!("there is no timer {}", self.name)),
            _ => Step::Change(removed),
        })
    }
}

impl Task for Timer {
    fn load(&mut self, inputs: &dyn Inputs) -> Result<(), Mistake> {
        self.check()?;
        let (service, timer) = self.texts();
        if inputs.is_secret(&service) {
            return Err(Mistake::new("command", "everybody on the host can read a unit, and this one holds a secret")
                .hint("write it with a task of kind `env`, and name that file by `env_file`"));
        }
        let file = |ending: &str, text: &str| UnitFile::new(&format!("{}.{ending}", self.name), text);
        self.files = [file("service", &service), file("timer", &timer)]
            .into_iter()
            .collect::<Result<_, _>>()
            .map_err(|why| Mistake::new("name", why))?;
        Ok(())
    }

    fn needs(&self) -> Vec<Need> {
        let units = ["timer", "service"].map(|ending| Need::Unit(format!("{}.{ending}", self.name)));
        let units = if self.absent { vec![] } else { units.to_vec() };
        [vec![Need::Systemd, Need::Root], units].concat()
    }

    fn probes(&self) -> Vec<Probe> {
        let service = Service::of(&self.unit(), None, Some(true), None);
        self.files.iter().flat_map(UnitFile::probes).chain(service.probes()).collect()
    }

    fn plan(&self, facts: &Facts) -> Result<Step> {
        if self.absent {
            return self.remove(facts);
        }
        let files = Files::plan(&self.files, facts)?;
        // A timer that runs keeps its old times until it is started again.
        let renewed = self.files.last().is_some_and(|timer| files.writes(&timer.path));
        let state = if renewed { State::Restarted } else { State::Started };
        files.with(Some(&Service::of(&self.unit(), Some(state), Some(true), Some(Span::seconds(0)))))
    }
}
