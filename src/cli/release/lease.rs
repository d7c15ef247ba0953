//! The lock of an application on every host of a run, and which release the run is about.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use crate::cli::Stop;
use crate::cli::release::back::{Back, Schema};
use crate::cli::release::down::Down;
use crate::cli::release::{UNKNOWN, application, revision::Revision};
use crate::engine::Hold;
use crate::spec::model::Project;
use crate::task::releases::App;
use crate::task::releases::lock::{Claim, Settled, Taken, rejoined, settled, taken};
use crate::task::releases::name::ReleaseName;
use crate::task::releases::state::State;
use crate::words::error::{Error, Kind, Result};
use crate::words::fact::Output;
use crate::words::names::HostName;

/// Which release.
#[derive(Debug)]
pub enum Aim {
    /// A new one, of this.
    Next(Revision),
    /// One that is there.
    Back(Back),
    /// What serves stays.
    Stay,
}

type Load = Box<dyn Fn(&[(String, String)]) -> std::result::Result<Project, Stop> + Send + Sync>;

/// Names of variables and their values.
type Set = Vec<(String, String)>;

pub struct Lease {
    claim: Claim,
    apps: BTreeMap<HostName, App>,
    aim: Aim,
    /// Looks only.
    plan: bool,
    load: Load,
    states: Mutex<BTreeMap<HostName, State>>,
    release: Mutex<Option<String>>,
}

impl Lease {
    pub fn new(claim: Claim, project: &Project, aim: Aim, plan: bool, load: Load) -> Result<Lease> {
        let apps = project.hosts.iter().map(|host| Ok((host.name.clone(), application(host)?)));
        let apps = apps.collect::<Result<_>>()?;
        Ok(Lease { claim, apps, aim, plan, load, states: Mutex::default(), release: Mutex::default() })
    }

    fn script(&self, host: &HostName, script: impl Fn(&Claim, &App) -> String) -> String {
        self.apps.get(host).map(|app| script(&self.claim, app)).unwrap_or_default()
    }

    fn name(&self, host: &HostName) -> &str {
        self.apps.get(host).map_or("the application", |app| app.name.as_str())
    }

    /// Its name, where there is one, and further variables.
    fn release(&self) -> Result<(Option<ReleaseName>, Set)> {
        let states = self.states.lock().unwrap_or_else(PoisonError::into_inner);
        match &self.aim {
            Aim::Next(revision) => {
                let mut set = vec![("revision".to_owned(), revision.whole.clone())];
                set.extend(revision.reference.iter().map(|commit| ("app.ref".to_owned(), commit.clone())));
                Ok((Some(ReleaseName::next(states.values(), &revision.short)), set))
            }
            Aim::Stay => Ok((None, vec![])),
            Aim::Back(back) => {
                let target = back.target(&states)?;
                let revision =
                    states.values().find_map(|state| state.find(&target.to_string())?.finished.clone());
                let revision = revision.map_or_else(String::new, |mark| mark.revision);
                let mut set = vec![("revision".to_owned(), revision)];
                if back.schema == Schema::Restored {
                    set.push(("restore".to_owned(), format!("replaced:{target}")));
                }
                set.extend(back.down(&states, &target)?.map(Down::variables).into_iter().flatten());
                Ok((Some(target), set))
            }
        }
    }
}

impl Hold for Lease {
    fn take(&self, host: &HostName) -> String {
        if self.plan {
            return self.script(host, |_, app| app.state_script());
        }
        self.script(host, Claim::take)
    }

    fn taken(&self, host: &HostName, said: &Output) -> Result<Vec<String>> {
        let notices = match taken(&said.stdout) {
            _ if self.plan => vec![],
            Taken::Yes(notices) => notices,
            Taken::Held(holder) => return Err(holder.refusal(self.name(host))),
            Taken::Error(why) => {
                return Err(Error::failed(format!("cannot lock {}", self.name(host)))
                    .cause(why)
                    .hint("set `become = true` on the host: it needs root"));
            }
        };
        if let Some(settled @ Settled::Bad { .. }) = settled(&said.stdout) {
            return Err(bad(&settled));
        }
        let mut states = self.states.lock().unwrap_or_else(PoisonError::into_inner);
        states.insert(host.clone(), State::parse(&said.stdout));
        Ok(notices)
    }

    fn renew(&self, host: &HostName) -> String {
        self.script(host, Claim::renew)
    }

    fn rejoin(&self, host: &HostName) -> String {
        self.script(host, Claim::rejoin)
    }

    fn rejoined(&self, host: &HostName, said: &Output) -> Result<()> {
        rejoined(&said.stdout, self.name(host))
    }

    fn give_back(&self, host: &HostName, keep: bool) -> String {
        if self.plan {
            return ":".to_owned();
        }
        self.script(host, |claim, app| claim.give_back(app, keep))
    }

    fn given_back(&self, host: &HostName, said: &Output) -> Result<Vec<String>> {
        match settled(&said.stdout) {
            None => {}
            Some(settled @ Settled::Bad { .. }) => return Err(bad(&settled)),
            Some(settled) => return Err(Error::failed(settled.told())),
        }
        let serves = State::parse(&said.stdout).current;
        let release = self.release.lock().unwrap_or_else(PoisonError::into_inner);
        if self.plan || serves.is_empty() || release.is_none() {
            return Ok(vec![]);
        }
        if release.as_ref().is_some_and(|release| *release != serves) {
            return Ok(vec![format!("{serves} serves, as before")]);
        }
        let states = self.states.lock().unwrap_or_else(PoisonError::into_inner);
        let before = states.get(host).map_or("", |state| state.current.as_str());
        Ok(match before {
            "" => vec![format!("{serves} serves")],
            before if before == serves => vec![],
            before => vec![format!("{serves} serves, where {before} did")],
        })
    }

    fn project(&self) -> Result<Project> {
        let (release, mut set) = self.release()?;
        let name = release.map(|name| name.to_string());
        set.push(("release".to_owned(), name.clone().unwrap_or_else(|| UNKNOWN.to_owned())));
        *self.release.lock().unwrap_or_else(PoisonError::into_inner) = name;
        (self.load)(&set).map_err(|stop| match stop {
            Stop::Error(error) => error,
            Stop::Mistakes(text) => Error::config(text.trim().to_owned()),
        })
    }
}

fn bad(settled: &Settled) -> Error {
    Error::new(Kind::Unknown, settled.told())
        .hint("look at the host: systemctl --failed, and the journal of the units")
}
