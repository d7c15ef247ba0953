//! `release_switch`: one release takes the place of another on the socket that both share.

use serde::Deserialize;

use crate::task::releases::name::ReleaseName;
use crate::task::releases::probe::SwitchProbe;
use crate::task::releases::state::State;
use crate::task::releases::{App, HOST, sites};
use crate::task::seconds::Span;
use crate::task::{Inputs, Mistake, Task};
use crate::words::action::{Action, Command};
use crate::words::content::Content;
use crate::words::error::{Error, Result};
use crate::words::fact::{Facts, Probe};
use crate::words::names::RemotePath;
use crate::words::shell::quote;
use crate::words::step::{Change, Step};

/// Switches an application to one of its releases, `ROOT/releases/RELEASE`, without losing a request. The unit
/// `APP@RELEASE.service` is started beside that of the release before, on the same `APP.socket`. When it is ready and
/// stays up, `ROOT/current` leads to it, it starts at boot, and the release before ends, after what it has under way.
/// The file `units` in the folder of a release names its units, one a line; its workers and timers change with it. Where
/// it has a file `site` and nginx serves the application, nginx takes that as its site: tested before anything starts, put
/// in place and reloaded once the release is up, and that of the release before again wherever the switch is undone.
///
/// Where the release does not come up, or nginx does not take its site, the one before goes on serving, and the task fails
/// with the end of its journal, or with what nginx says.
/// A switch is provisional until `release_finish` confirms it: a run that does not end well undoes it, and where the run
/// itself is gone, the host does so.
///
/// With `probe` the host itself asks for a URL about twenty times a second, from before the switch until after it, on a
/// connection that stays and on new ones. No answer within ten seconds and a status of 500 and more are failed requests.
/// How many requests, how many failed, the 99th percentile and the slowest are told at the end of the run and stand in
/// the journal. Where too many failed, what served before serves again, and the task fails. It only tells where requests
/// failed before the switch already, so that what mends this can be deployed; the first release has no probe. It needs
/// curl, 7.84 or newer, on the host; without, the switch goes on and says so.
///
/// ```toml
/// release_switch = { app = "shop", root = "/srv/shop", release = "{{release}}" }
/// release_switch = { app = "shop", root = "/srv/shop", release = "{{release}}", probe = { url = "https://shop.example.com/healthz", connect = ["127.0.0.1:443", "/run/shop.sock"], max_failed = "0.5%", max_p99 = "800ms" } }
/// ```
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReleaseSwitch {
    /// The name of the application, by which its units are called.
    app: String,
    /// The folder that holds `releases/` and `current`.
    root: RemotePath,
    /// Which release: the name of its folder, such as `42-1a2b3c4`.
    release: String,
    /// How long it has to stay up before the one before ends (default `"2s"`).
    #[serde(default = "two_seconds")]
    settle: Span,
    /// The built-in probe, a table. `url`: what is asked for; `""` for no probe. `connect`: `"HOST:PORT"` or the path of a
    /// socket to connect to instead of the URL's host and port, whatever the certificate is; of several, the first that
    /// answers; over a socket it is plain HTTP, with the URL's scheme in `X-Forwarded-Proto`. `max_failed`: which share of
    /// the requests may fail (default `"1%"`). `max_p99`: how long 99 % of them may take at most; no limit without.
    #[serde(default)]
    probe: SwitchProbe,
}

fn two_seconds() -> Span {
    Span::seconds(2)
}

pub(crate) fn check_release(release: &str) -> Result<(), Mistake> {
    match ReleaseName::parse(release) {
        Some(_) => Ok(()),
        None => Err(Mistake::new("release", format!("{release:?} is not the name of a release"))
            .hint("it begins with a number, which grows: 42 or 42-1a2b3c4")),
    }
}

impl ReleaseSwitch {
    fn app(&self) -> App {
        App { name: self.app.clone(), root: self.root.clone() }
    }

    fn unit(&self) -> String {
        format!("{}@{}.service", self.app, self.release)
    }

    /// The script stays on the host while the switch is provisional: the watchdog runs from it.
    fn command(&self) -> Command {
        let script = format!(
            "app={} root={} release={} settle={}\n{}\n{HOST}{}{}{}",
            quote(&self.app),
            quote(self.root.as_str()),
            quote(&self.release),
            self.settle.whole_seconds(),
            self.probe.variables(),
            sites(),
            include_str!("releases/probe.sh"),
            include_str!("releases/switch.sh")
        );
        let start = format!("app={}\n{}", quote(&self.app), include_str!("releases/begin.sh"));
        let label = format!("switch {} to {}", self.app, self.release);
        Command { stdin: Some(Content::text(&script)), ..Command::shell(start).label(label) }
    }
}

impl Task for ReleaseSwitch {
    fn load(&mut self, _inputs: &dyn Inputs) -> Result<(), Mistake> {
        self.app().check()?;
        self.probe.check()?;
        check_release(&self.release)
    }

    fn probes(&self) -> Vec<Probe> {
        vec![self.app().probe()]
    }

    fn plan(&self, facts: &Facts) -> Result<Step> {
        let state = State::parse(&facts.output(&self.app().probe())?.stdout);
        if state.current == self.release && state.unit == "active" {
            return Ok(Step::already(format!("{} serves", self.unit())));
        }
        if facts.host.user != "root" {
            return Err(Error::failed(format!("cannot switch {} to {}", self.app, self.release))
                .cause(format!("{} may not start and stop units", facts.host.user))
                .hint("set `become = true` on the host"));
        }
        let before = if state.current.is_empty() { "nothing" } else { &state.current };
        let change = Change::default()
            .what(format!("switch from {before} to {}", self.release))
            .action(Action::Run(self.command()));
        Ok(Step::effects(change))
    }
}
