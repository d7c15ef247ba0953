//! The lock of an application on every host of a run, and which release the run is about.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use crate::cli::Stop;
use crate::cli::release::aim::{Aim, Order};
use crate::cli::release::back::Schema;
use crate::cli::release::down::Down;
use crate::cli::release::told::span;
use crate::cli::release::{UNKNOWN, application, revision::Revision};
use crate::engine::{Basis, Hold, Left};
use crate::spec::model::Project;
use crate::task::releases::App;
use crate::task::releases::intent::{ByStage, Command, Intent, Work, same_deploy};
use crate::task::releases::lock::{Claim, Settled, Taken, rejoined, settled, taken};
use crate::task::releases::name::ReleaseName;
use crate::task::releases::state::State;
use crate::words::error::{Error, Kind, Result};
use crate::words::fact::Output;
use crate::words::names::HostName;

type Load = Box<dyn Fn(&[(String, String)]) -> std::result::Result<Project, Stop> + Send + Sync>;

/// Names of variables and their values.
type Set = Vec<(String, String)>;

pub struct Lease {
    order: Order,
    apps: BTreeMap<HostName, App>,
    load: Load,
    states: Mutex<BTreeMap<HostName, State>>,
    release: Mutex<Option<String>>,
    /// What the hosts are told that the run is about to do.
    work: Mutex<Option<Work>>,
}

impl Lease {
    pub fn new(order: Order, project: &Project, load: Load) -> Result<Lease> {
        let apps = project.hosts.iter().map(|host| Ok((host.name.clone(), application(host)?)));
        let apps = apps.collect::<Result<_>>()?;
        let (states, release, work) = (Mutex::default(), Mutex::default(), Mutex::default());
        Ok(Lease { order, apps, load, states, release, work })
    }

    fn script(&self, host: &HostName, script: impl Fn(&Claim, &App) -> String) -> String {
        self.apps.get(host).map(|app| script(&self.order.claim, app)).unwrap_or_default()
    }

    fn name(&self, host: &HostName) -> &str {
        self.apps.get(host).map_or("the application", |app| app.name.as_str())
    }

    /// But for the name of its release.
    fn work(&self, revision: String, states: &BTreeMap<HostName, State>) -> Work {
        Work {
            command: self.order.command().unwrap_or(Command::Deploy),
            playbook: self.order.playbook.clone(),
            release: String::new(),
            revision,
            hosts: states.iter().map(|(host, state)| (host.clone(), state.current.clone())).collect(),
            set: self.order.set.clone(),
        }
    }

    /// What has been begun and not ended, for whoever is told at the end.
    pub fn left(&self) -> Option<Work> {
        self.work.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Its name, where there is one, and further variables.
    fn decided(&self) -> Result<(Option<ReleaseName>, Set)> {
        let states = self.states.lock().unwrap_or_else(PoisonError::into_inner);
        match &self.order.aim {
            Aim::Next(revision) => {
                let again = same_deploy(&states, &self.work(revision.whole.clone(), &states));
                let again = again.and_then(|intent| ReleaseName::parse(&intent.work.release));
                let next = || ReleaseName::next(states.values(), &revision.short);
                Ok((Some(again.unwrap_or_else(next)), variables(revision)))
            }
            Aim::Fresh(revision) => {
                Ok((Some(ReleaseName::next(states.values(), &revision.short)), variables(revision)))
            }
            Aim::Again(intent, revision) => Ok((Some(still_open(intent, &states)?), variables(revision))),
            Aim::Stay => Ok((None, vec![])),
            Aim::Back(back) => {
                let target = back.target(&states)?;
                let revision =
                    states.values().find_map(|state| state.find(&target.to_string())?.finished.clone());
                let revision = revision.map(|mark| mark.revision).filter(|revision| !revision.is_empty());
                let revision = revision.unwrap_or_else(|| target.to_string());
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
        if self.order.plan {
            return self.script(host, |_, app| app.state_script());
        }
        self.script(host, Claim::take)
    }

    fn taken(&self, host: &HostName, said: &Output) -> Result<Vec<String>> {
        let notices = match taken(&said.stdout) {
            _ if self.order.plan => vec![],
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

    fn begin(&self, host: &HostName) -> String {
        let work = self.left();
        work.map(|work| self.script(host, |claim, app| claim.begin(app, &work))).unwrap_or_default()
    }

    fn begun(&self, host: &HostName, said: &Output) -> Result<Vec<String>> {
        if let Some(why) = said.stdout.lines().find_map(|line| line.strip_prefix("error=")) {
            let what = format!("cannot note what is about to be done to {}", self.name(host));
            return Err(Error::failed(what).cause(why));
        }
        let states = self.states.lock().unwrap_or_else(PoisonError::into_inner);
        let before = states.get(host).and_then(|state| state.intent.as_ref());
        let (Some(before), Some(work)) = (before, self.left()) else { return Ok(vec![]) };
        let run = format!("which run {} of {} began {} ago", before.run, before.holder, span(before.age));
        let (what, release) = (before.work.command.told(), &before.work.release);
        Ok(vec![if (before.work.command, release) == (work.command, &work.release) {
            format!("goes on with the {what} of {release}, {run}")
        } else {
            format!("the {what} of {release}, {run}, was not ended, and is not gone on with")
        }])
    }

    fn waiting(&self, host: &HostName) -> ByStage {
        let states = self.states.lock().unwrap_or_else(PoisonError::into_inner);
        states.get(host).map(|state| state.handlers.clone()).unwrap_or_default()
    }

    fn keep(&self, host: &HostName, handlers: &ByStage) -> String {
        self.script(host, |claim, app| claim.keep(app, handlers))
    }

    fn give_back(&self, host: &HostName, left: Left<'_>) -> String {
        if self.order.plan {
            return ":".to_owned();
        }
        self.script(host, |claim, app| claim.give_back(app, left.keep, left.end, left.handlers))
    }

    fn given_back(&self, host: &HostName, said: &Output) -> Result<Vec<String>> {
        match settled(&said.stdout) {
            None => {}
            Some(settled @ Settled::Bad { .. }) => return Err(bad(&settled)),
            Some(settled) => return Err(Error::failed(settled.told())),
        }
        let State { current: serves, probed, .. } = State::parse(&said.stdout);
        let release = self.release.lock().unwrap_or_else(PoisonError::into_inner);
        if self.order.plan || serves.is_empty() || release.is_none() {
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
            before if probed.is_empty() => vec![format!("{serves} serves, where {before} did")],
            before => vec![format!("{serves} serves, where {before} did; {probed}")],
        })
    }

    fn release(&self) -> Option<String> {
        self.release.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn basis(&self, host: &HostName) -> Option<Basis> {
        let new = Hold::release(self)?;
        let states = self.states.lock().unwrap_or_else(PoisonError::into_inner);
        let old = states.get(host).map(|state| state.current.clone())?;
        (!old.is_empty() && old != new).then_some(Basis { new, old })
    }

    fn project(&self) -> Result<Project> {
        let (release, mut set) = self.decided()?;
        let name = release.map(|name| name.to_string());
        if let (Some(name), Some(_)) = (&name, self.order.command()) {
            let revision = set.iter().find(|(key, _)| key == "revision").map(|(_, value)| value.clone());
            let states = self.states.lock().unwrap_or_else(PoisonError::into_inner);
            let work = Work { release: name.clone(), ..self.work(revision.unwrap_or_default(), &states) };
            *self.work.lock().unwrap_or_else(PoisonError::into_inner) = Some(work);
        }
        set.push(("release".to_owned(), name.clone().unwrap_or_else(|| UNKNOWN.to_owned())));
        *self.release.lock().unwrap_or_else(PoisonError::into_inner) = name;
        (self.load)(&set).map_err(|stop| match stop {
            Stop::Error(error) => error,
            Stop::Mistakes(text) => Error::config(text.trim().to_owned()),
        })
    }
}

fn variables(revision: &Revision) -> Set {
    let mut set = vec![("revision".to_owned(), revision.whole.clone())];
    set.extend(revision.reference.iter().map(|commit| ("app.ref".to_owned(), commit.clone())));
    set
}

/// The release of a run that is gone on with, now that nobody else can.
fn still_open(intent: &Intent, states: &BTreeMap<HostName, State>) -> Result<ReleaseName> {
    let gone = |why: String| {
        Error::failed(format!("cannot go on with run {}", intent.run))
            .cause(why)
            .hint("see what there is: tow status")
    };
    let known = states.values().filter_map(|state| state.intent.as_ref()).any(|other| intent.is_same(other));
    match intent.overtaken(states) {
        Some(why) => Err(gone(why)),
        None if !known => Err(gone("it was ended meanwhile".to_owned())),
        None => ReleaseName::parse(&intent.work.release)
            .ok_or_else(|| gone(format!("{:?} is not the name of a release", intent.work.release))),
    }
}

fn bad(settled: &Settled) -> Error {
    Error::new(Kind::Unknown, settled.told())
        .hint("look at the host: systemctl --failed, and the journal of the units")
}
