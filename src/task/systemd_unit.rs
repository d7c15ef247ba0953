//! `systemd_unit`: a unit file or a drop-in, checked by systemd before it is in place, and what it describes.

pub(crate) mod files;

use serde::Deserialize;

use crate::task::seconds::Span;
use crate::task::service::{Service, State};
use crate::task::systemd_unit::files::{Files, UnitFile, is_template};
use crate::task::need::{Need, Sort};
use crate::task::{Inputs, Mistake, Task};
use crate::words::action::Action;
use crate::words::error::Result;
use crate::words::fact::{Facts, Probe};
use crate::words::step::{Change, Step};

/// Writes a unit of systemd to `/etc/systemd/system`: a service, socket, timer or any other, or with `drop_in` settings
/// that are added to a unit of somebody else's. `systemd-analyze verify` reads it before it is put in place, so that a
/// misspelt setting is an error and not a line in a journal; its remarks on what is old or not safe are none. systemd then
/// reads its units again.
///
/// With `state` or `enabled` the unit is looked after as `service` does it. What runs goes on with the old settings
/// unless `restart = true`, or a handler restarts it. Everybody can read unit files: secrets belong into a file that
/// `EnvironmentFile=` or `LoadCredential=` names.
///
/// ```toml
/// systemd_unit = { name = "shop.socket", src = "app.socket.hbs", enabled = true, state = "started" }
/// systemd_unit = { name = "nginx.service", drop_in = "limits", content = "[Service]\nLimitNOFILE=8192\n", restart = true, state = "started" }
/// ```
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SystemdUnit {
    /// The unit with its ending: `shop.service`, `shop@.service`, `shop.socket`.
    name: String,
    /// Its text.
    content: Option<String>,
    /// A template on the operator's side, rendered with the host's variables.
    src: Option<String>,
    /// Writes `NAME.d/DROP_IN.conf` beside the unit instead of the unit itself.
    drop_in: Option<String>,
    /// `"started"` or `"stopped"`; not touched when not given.
    state: Option<State>,
    /// Whether it starts at boot; not touched when not given.
    enabled: Option<bool>,
    /// Restarts the unit when its file changed while it was running.
    #[serde(default)]
    restart: bool,
    /// How long it has to stay up once started (default `"3s"`).
    settle: Option<Span>,
    /// Stops and disables the unit and removes its file; a drop-in is just removed.
    #[serde(default)]
    absent: bool,
    #[serde(skip)]
    file: Option<UnitFile>,
}

impl SystemdUnit {
    fn check(&self) -> Result<(), Mistake> {
        files::check_unit(&self.name, "name")?;
        if self.drop_in.as_deref().is_some_and(|name| !files::is_plain(name)) {
            return Err(Mistake::new("drop_in", "use letters, digits, `-` and `_`, without `.conf`"));
        }
        if [self.content.is_some(), self.src.is_some(), self.absent].iter().filter(|given| **given).count() != 1 {
            return Err(Mistake::new("name", "say exactly one of `content`, `src` and `absent = true`"));
        }
        if self.absent && (self.state.is_some() || self.enabled.is_some() || self.restart) {
            return Err(Mistake::new("absent", "a unit that is removed has no state")
                .hint("leave out `state`, `enabled` and `restart`"));
        }
        if is_template(&self.name) && (self.state.is_some() || self.enabled.is_some() || self.restart) {
            return Err(Mistake::new("state", format!("{} is a template: only its instances run", self.name))
                .hint("put a `service` task behind it that names the instance, such as shop@1.service"));
        }
        if matches!(self.state, Some(State::Restarted | State::Reloaded)) {
            return Err(Mistake::new("state", "expected \"started\" or \"stopped\"")
                .hint("`restart = true` restarts it when its file changed; `service` does so always"));
        }
        Ok(())
    }

    fn text(&self, inputs: &dyn Inputs) -> Result<String, Mistake> {
        let text = match (&self.content, &self.src) {
            (Some(text), _) => text.clone(),
            (_, Some(src)) => files::rendered(src, inputs)?,
            _ => String::new(),
        };
        if inputs.is_secret(&text) {
            let field = if self.src.is_some() { "src" } else { "content" };
            return Err(Mistake::new(field, "everybody on the host can read a unit, and this one holds a secret")
                .hint("write it with a task of kind `env`, and name that file by EnvironmentFile="));
        }
        Ok(text)
    }

    fn service(&self, file_changes: bool) -> Option<Service> {
        if self.absent {
            let plain = self.drop_in.is_none() && !is_template(&self.name);
            return plain.then(|| Service::of(&self.name, Some(State::Stopped), Some(false), self.settle));
        }
        let state = match self.state {
            Some(State::Started) if self.restart && file_changes => Some(State::Restarted),
            state => state,
        };
        (state.is_some() || self.enabled.is_some())
            .then(|| Service::of(&self.name, state, self.enabled, self.settle))
    }

    fn remove(&self, file: &UnitFile, facts: &Facts) -> Result<Step> {
        let service = self.service(false).map(|service| service.plan(facts)).transpose()?;
        if facts.path(&file.path)?.is_none() {
            return Ok(match service {
                Some(step @ Step::Unknown(_)) => step,
                _ => Step::already(format!("{} is absent", file.path)),
            });
        }
        let removed = Change::default()
            .what(format!("remove {}", file.path))
            .action(Action::Remove { path: file.path.clone(), recursive: false })
            .action(files::daemon_reload())
            .predict_absent(&file.path);
        Ok(match service {
            Some(Step::Unknown(stopped)) => Step::effects(files::joined(stopped, removed)),
            _ => Step::Change(removed),
        })
    }
}

impl Task for SystemdUnit {
    fn load(&mut self, inputs: &dyn Inputs) -> Result<(), Mistake> {
        self.check()?;
        let file = match &self.drop_in {
            Some(name) => UnitFile::drop_in(&self.name, name, &self.text(inputs)?),
            None => UnitFile::new(&self.name, &self.text(inputs)?),
        };
        self.file = Some(file.map_err(|why| Mistake::new("name", why))?);
        Ok(())
    }

    fn needs(&self) -> Vec<Need> {
        let is_whole = self.drop_in.is_none() && !self.absent;
        let unit = is_whole.then(|| Need::Unit(self.name.clone()));
        let place = self.file.iter().filter(|_| !self.absent).map(|file| Need::place(file.path.as_str(), Sort::File));
        [Need::Systemd, Need::Root].into_iter().chain(unit).chain(place).collect()
    }

    fn probes(&self) -> Vec<Probe> {
        let file = self.file.iter().flat_map(UnitFile::probes);
        file.chain(self.service(false).iter().flat_map(Service::probes)).collect()
    }

    fn plan(&self, facts: &Facts) -> Result<Step> {
        let file = self.file.as_ref().ok_or_else(|| crate::task::not_loaded("systemd_unit"))?;
        if self.absent {
            return self.remove(file, facts);
        }
        let files = Files::plan(std::slice::from_ref(file), facts)?;
        let service = self.service(!files.change.is_empty());
        files.with(service.as_ref())
    }
}
