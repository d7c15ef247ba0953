//! `service`: a unit of systemd: enabled, running, and still running a while later.

mod unit;

use serde::Deserialize;

use crate::task::seconds::Span;
use crate::task::service::unit::{Unit, parse};
use crate::task::need::Need;
use crate::task::{Inputs, Mistake, Task};
use crate::words::action::{Action, Command};
use crate::words::error::{Error, Result};
use crate::words::fact::{Facts, Probe};
use crate::words::names::RemotePath;
use crate::words::shell::quote;
use crate::words::step::{Change, Step};

/// Starts, stops, restarts or reloads a unit of systemd, and enables or disables it. What was started has to be up,
/// with the same process, during the whole settle time; else the task fails with the end of the unit's journal.
///
/// ```toml
/// service = { name = "nginx", state = "started", enabled = true }
/// service = { name = "shop", state = "restarted", settle = "10s" }
/// ```
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Service {
    /// The unit; `nginx` is `nginx.service`.
    name: String,
    /// `"started"`, `"stopped"`, `"restarted"` or `"reloaded"`; the last two act every time, which suits handlers.
    /// `"started"` when neither this nor `enabled` is given.
    state: Option<State>,
    /// Whether it starts at boot (for `scope = "user"`: with the user's systemd); not touched when not given.
    enabled: Option<bool>,
    /// `true`: systemd reads its units again first; `false`: never. When not given: when systemd says that it has to.
    daemon_reload: Option<bool>,
    /// How long it has to stay up (default `"3s"`).
    #[serde(default = "three_seconds")]
    settle: Span,
    /// `"system"` (default), or `"user"` for a unit of the acting user's own systemd.
    #[serde(default)]
    scope: Scope,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum State {
    Started,
    Stopped,
    Restarted,
    Reloaded,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Scope {
    #[default]
    System,
    User,
}

fn three_seconds() -> Span {
    Span::seconds(3)
}

const NEEDS_SYSTEMD: &str = "[ -d /run/systemd/system ] && command -v systemctl >/dev/null 2>&1 || { echo no-systemd; exit 0; }";
/// A user's systemd is found by this variable, which is not set in a session without PAM.
const FIND_USER_BUS: &str = "export XDG_RUNTIME_DIR=\"${XDG_RUNTIME_DIR:-/run/user/$(id -u)}\"";

impl Service {
    /// For kinds that bring their own units.
    pub(crate) fn of(unit: &str, state: Option<State>, enabled: Option<bool>, settle: Option<Span>) -> Service {
        let (name, settle) = (unit.to_owned(), settle.unwrap_or_else(three_seconds));
        Service { name, state, enabled, daemon_reload: None, settle, scope: Scope::System }
    }

    fn unit(&self) -> String {
        const TYPES: [&str; 7] = [".service", ".socket", ".timer", ".target", ".path", ".mount", ".slice"];
        let typed = TYPES.iter().any(|ending| self.name.ends_with(ending));
        if typed { self.name.clone() } else { format!("{}.service", self.name) }
    }
    fn state(&self) -> Option<State> {
        self.state.or_else(|| self.enabled.is_none().then_some(State::Started))
    }
    fn user_option(&self) -> &'static str {
        if self.scope == Scope::User { " --user" } else { "" }
    }

    fn probe(&self) -> Probe {
        let bus = if self.scope == Scope::User { format!("{FIND_USER_BUS}\n") } else { String::new() };
        let script = format!(
            "{NEEDS_SYSTEMD}\n{bus}systemctl{} show -p LoadState,ActiveState,SubState,UnitFileState -- {} 2>/dev/null || echo no-answer\n",
            self.user_option(),
            quote(&self.unit())
        );
        Probe::Shell { script, user: None }
    }

    /// Where an earlier task of the same plan may be about to write the unit.
    fn unit_files(&self) -> Vec<RemotePath> {
        let unit = self.unit();
        let template = unit.split_once('@').and_then(|(name, rest)| Some(format!("{name}@.{}", rest.rsplit_once('.')?.1)));
        let names = [Some(unit), template].into_iter().flatten();
        names.filter_map(|name| RemotePath::new(format!("/etc/systemd/system/{name}")).ok()).collect()
    }

    fn failed(&self) -> Error {
        let verb = match (self.state(), self.enabled) {
            (Some(State::Started), _) => "start",
            (Some(State::Stopped), _) => "stop",
            (Some(State::Restarted), _) => "restart",
            (Some(State::Reloaded), _) => "reload",
            (None, Some(false)) => "disable",
            (None, _) => "enable",
        };
        Error::failed(format!("cannot {verb} {}", self.unit()))
    }

    fn obstacle(&self, answer: &str, unit: &Unit, facts: &Facts) -> Result<Option<Error>> {
        if answer.contains("no-systemd") {
            return Ok(Some(
                self.failed()
                    .cause("this host is not run by systemd")
                    .hint("use the kind `supervisor` there, or skip the task with `when`"),
            ));
        }
        if answer.contains("no-answer") {
            let hint = match self.scope {
                Scope::User => "let the user's systemd run without a session: loginctl enable-linger, with the user's name",
                Scope::System => "look at the host: systemctl is-system-running",
            };
            return Ok(Some(self.failed().cause("systemd does not answer").hint(hint)));
        }
        if unit.load == "masked" {
            let hint = format!("run `systemctl unmask {}` on the host if it should run", self.unit());
            return Ok((self.state() != Some(State::Stopped)).then(|| self.failed().cause("it is masked").hint(hint)));
        }
        if unit.load != "not-found" || self.is_gone_as_wanted() {
            return Ok(None);
        }
        for path in self.unit_files() {
            if self.scope == Scope::System && facts.path(&path)?.is_some() {
                return Ok(None);
            }
        }
        Ok(Some(
            self.failed()
                .cause("the host has no such unit")
                .hint("install its package first, or write its unit file; names are listed by: systemctl list-unit-files"),
        ))
    }

    /// What does not exist neither runs nor starts at boot.
    fn is_gone_as_wanted(&self) -> bool {
        self.state.is_none_or(|state| state == State::Stopped) && self.enabled != Some(true) && (self.state.is_some() || self.enabled.is_some())
    }

    /// The verb of systemctl for the state, and the line for people.
    fn transition(&self, unit: &Unit) -> Option<(&'static str, String)> {
        let name = self.unit();
        let verb = match (self.state()?, unit.is_up()) {
            (State::Started, true) => return None,
            (State::Stopped, _) if unit.is_down() => return None,
            (State::Stopped, _) => "stop",
            (State::Restarted, true) => "restart",
            (State::Reloaded, true) => "reload",
            // What is down has nothing to reload, but is meant to be up.
            (_, false) => "start",
        };
        Some(match (verb, unit.active.as_str()) {
            ("start", "activating") => (verb, format!("wait until {name} is up ({})", unit.sub)),
            ("start", "failed") => (verb, format!("start {name}, which has failed")),
            _ => (verb, format!("{verb} {name}")),
        })
    }

    fn boot(&self, unit: &Unit) -> Option<&'static str> {
        let (wanted, has) = (self.enabled?, unit.enabled()?);
        (wanted != has).then_some(if wanted { "enable" } else { "disable" })
    }

    fn script(&self, enable: &str, verb: &str) -> String {
        let user = self.user_option();
        let bus = if self.scope == Scope::User { format!("{FIND_USER_BUS}\n") } else { String::new() };
        let reload = match self.daemon_reload {
            None => "auto",
            Some(true) => "yes",
            Some(false) => "no",
        };
        let polls = self.settle.0.as_millis().div_ceil(500);
        format!(
            "{bus}unit={} ctl='systemctl{user}' journal='journalctl{user}' daemon_reload={reload} enable={} verb={} polls={polls}\n{}",
            quote(&self.unit()),
            quote(enable),
            quote(verb),
            include_str!("service/act.sh")
        )
    }
}

impl Task for Service {
    fn load(&mut self, _inputs: &dyn Inputs) -> Result<(), Mistake> {
        let plain = |c: char| c.is_ascii_alphanumeric() || ":-_.\\@".contains(c);
        if self.name.is_empty() || self.name.starts_with(['-', '.']) || !self.name.chars().all(plain) {
            return Err(Mistake::new("name", format!("{:?} is not the name of a unit", self.name)));
        }
        Ok(())
    }

    fn needs(&self) -> Vec<Need> {
        vec![Need::Systemd]
    }

    fn probes(&self) -> Vec<Probe> {
        let mut probes = vec![self.probe()];
        probes.extend(self.unit_files().into_iter().map(Probe::Path));
        probes
    }

    fn plan(&self, facts: &Facts) -> Result<Step> {
        let answer = &facts.output(&self.probe())?.stdout;
        let unit = parse(answer);
        if let Some(error) = self.obstacle(answer, &unit, facts)? {
            return Err(error);
        }
        let (transition, boot) = (self.transition(&unit), self.boot(&unit));
        if transition.is_none() && boot.is_none() {
            return Ok(Step::already(self.why(&unit)));
        }
        let mut change = Change::default();
        change.what.extend(boot.map(|verb| format!("{verb} {}", self.unit())));
        let verb = transition.map_or("", |(verb, what)| {
            change.what.push(what);
            verb
        });
        let words: Vec<&str> = [boot.unwrap_or_default(), verb].into_iter().filter(|word| !word.is_empty()).collect();
        let label = format!("systemctl{} {} {}", self.user_option(), words.join(" and "), self.unit());
        let command = Command::shell(self.script(boot.unwrap_or_default(), verb)).label(label);
        Ok(Step::effects(change.action(Action::Run(command))))
    }
}

impl Service {
    fn why(&self, unit: &Unit) -> String {
        let running = match self.state() {
            Some(State::Stopped) => Some("stopped"),
            Some(_) => Some(if unit.sub == "running" || unit.sub.is_empty() { "running" } else { unit.sub.as_str() }),
            None => None,
        };
        let boot = match (self.enabled, unit.enabled()) {
            (Some(_), None) => Some(unit.file.as_str()),
            (Some(true), _) => Some("enabled"),
            (Some(false), _) => Some("disabled"),
            (None, _) => None,
        };
        let words: Vec<&str> = running.into_iter().chain(boot).collect();
        format!("{} is {}", self.unit(), words.join(" and "))
    }
}

#[cfg(test)]
mod tests {
    use super::Service;

    fn service(table: &str) -> Service {
        toml::from_str(table).unwrap()
    }

    #[test]
    fn the_script_is_told_everything_in_its_first_line() {
        let service = service("name = 'app@1'\nstate = 'restarted'\nsettle = '1250ms'");
        let script = service.script("enable", "restart");
        assert_eq!(
            script.lines().next().unwrap(),
            "unit=app@1.service ctl='systemctl' journal='journalctl' daemon_reload=auto enable=enable verb=restart polls=3"
        );
        let paths: Vec<String> = service.unit_files().iter().map(ToString::to_string).collect();
        assert_eq!(paths, ["/etc/systemd/system/app@1.service", "/etc/systemd/system/app@.service"]);
    }
}
