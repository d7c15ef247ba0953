//! `release_finish`: a release that has proven itself is confirmed and marked, and old ones go.

use serde::Deserialize;

use crate::task::release_switch::check_release;
use crate::task::releases::App;
use crate::task::releases::state::State;
use crate::task::{Inputs, Mistake, Task};
use crate::words::action::{Action, Command};
use crate::words::error::{Error, Result};
use crate::words::fact::{Facts, Probe};
use crate::words::names::RemotePath;
use crate::words::shell::quote;
use crate::words::step::{Change, Step};

/// Confirms what `release_switch` has done: from here on nothing takes it back by itself. The release is marked as
/// finished (`release.json` in its folder: who, when, which revision, a digest of what is in `src`, and where the database
/// stood, which is what the file `schema` beside it says, where there is one); only finished releases count for rolling
/// back.
/// Then leftovers of runs that did not end well are removed, and finished releases beyond the newest, with their units;
/// never the one that serves.
///
/// ```toml
/// release_finish = { app = "shop", root = "/srv/shop", release = "{{release}}", keep = 5 }
/// ```
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReleaseFinish {
    /// The name of the application.
    app: String,
    /// The folder that holds `releases/` and `current`.
    root: RemotePath,
    /// Which release: the name of its folder.
    release: String,
    /// What was deployed, for people: the name of a commit.
    #[serde(default)]
    revision: String,
    /// The folder here that the source was sent from: where no `revision` is given, it is the commit of that folder, with a
    /// digest of what differs from it.
    #[serde(default)]
    source: String,
    /// How many finished releases stay (default 5).
    #[serde(default = "five")]
    keep: usize,
}

fn five() -> usize {
    5
}

impl ReleaseFinish {
    fn app(&self) -> App {
        App { name: self.app.clone(), root: self.root.clone() }
    }

    fn script(&self, gone: &[String]) -> String {
        let words = [
            ("release", self.release.as_str()),
            ("revision", &self.revision),
            ("gone", &gone.join(" ")),
        ]
        .map(|(name, value)| format!("{name}={}", quote(value)));
        format!("{}\n{}{}", words.join(" "), self.app().head(), include_str!("releases/finish.sh"))
    }
}

impl Task for ReleaseFinish {
    fn load(&mut self, inputs: &dyn Inputs) -> Result<(), Mistake> {
        self.app().check()?;
        if self.revision.is_empty() && !self.source.is_empty() {
            self.revision = inputs.revision(&self.source).map_err(|why| Mistake::new("source", why))?;
        }
        if self.keep == 0 {
            return Err(Mistake::new("keep", "one release stays at least: the one that serves"));
        }
        check_release(&self.release)
    }

    fn probes(&self) -> Vec<Probe> {
        vec![self.app().probe()]
    }

    fn plan(&self, facts: &Facts) -> Result<Step> {
        let state = State::parse(&facts.output(&self.app().probe())?.stdout);
        let marked = state.find(&self.release).is_some_and(|release| release.finished.is_some());
        let gone = state.gone(&self.release, self.keep);
        if marked && state.pending.is_none() && gone.is_empty() {
            return Ok(Step::already(format!("{} is finished", self.release)));
        }
        if facts.host.user != "root" {
            return Err(Error::failed(format!("cannot finish {}", self.release))
                .cause(format!("{} may not", facts.host.user))
                .hint("set `become = true` on the host"));
        }
        let mut change = Change::default();
        if !marked {
            change = change.what(format!("mark {} as finished", self.release));
        } else if state.pending.is_some() {
            change = change.what(format!("confirm {}", self.release));
        }
        change = gone.iter().fold(change, |change, name| change.what(format!("remove the release {name}")));
        let command = Command::shell(self.script(&gone)).label(format!("finish the release {}", self.release));
        Ok(Step::effects(change.action(Action::Run(command))))
    }
}
