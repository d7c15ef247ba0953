//! Tasks with `once`: of the hosts of a stage that say the same, one runs them, and the others see their results.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use tokio::sync::watch;

use crate::engine::host::Shared;
use crate::engine::host::{HostRun, Part, cancelled, interrupted};
use crate::spec::model::{Registered, Stage, TaskSpec};
use crate::words::error::{Error, Result};
use crate::words::event::Mode;
use crate::words::names::HostName;

/// The index of a task, and what the hosts say alike that run it once between them.
type Share = (usize, Arc<str>);

/// Of one stage.
#[derive(Debug)]
pub struct Once {
    carriers: BTreeMap<Share, HostName>,
    /// All hosts go in one wave: whoever is kept from a task can wait for whoever is not.
    together: bool,
    state: watch::Sender<State>,
}

#[derive(Debug, Default)]
struct State {
    results: BTreeMap<Share, Registered>,
    /// Carriers whose part in the stage is over.
    ended: BTreeSet<HostName>,
}

fn shares(specs: &[TaskSpec]) -> impl Iterator<Item = Share> {
    specs.iter().enumerate().filter_map(|(index, spec)| Some((index, spec.once.clone()?)))
}

impl Once {
    /// `able` hosts can be worked on; the first of those that share a task, and that its `when` does not keep from it,
    /// carries it.
    pub fn new(stage: &Stage, able: &[HostName]) -> Once {
        let mut carriers = BTreeMap::new();
        for host in able {
            let specs = stage.tasks.get(host).map_or(&[][..], Vec::as_slice);
            for share in shares(specs).filter(|(index, _)| specs[*index].skip.is_none()) {
                carriers.entry(share).or_insert_with(|| host.clone());
            }
        }
        Once { carriers, together: stage.waves.len() == 1, state: watch::Sender::new(State::default()) }
    }

    /// Carriers first: who waits for one may hold the only place to work at.
    pub fn order(&self, hosts: &mut [(HostName, Shared)]) {
        hosts.sort_by_key(|(name, _)| !self.carriers.values().any(|carrier| carrier == name));
    }

    /// The tasks as they are for `host`: what another one carries is skipped.
    pub fn tasks<'a>(&self, host: &HostName, specs: &'a [TaskSpec]) -> Cow<'a, [TaskSpec]> {
        let mut own = Cow::Borrowed(specs);
        for share in shares(specs).filter(|share| self.carriers.get(share) != Some(host)) {
            let kept = specs[share.0].skip.is_some();
            let own = &mut own.to_mut()[share.0];
            match self.carriers.get(&share) {
                Some(carrier) if self.together || !kept => {
                    own.skip = Some(format!("it runs once, on {carrier}"));
                }
                _ if kept => own.once = None,
                _ => {}
            }
        }
        own
    }

    /// The first task from `at` on whose result `host` waits for: what stands behind it comes after it.
    pub fn waits(&self, host: &HostName, specs: &[TaskSpec], at: usize) -> Option<usize> {
        let mut shares = shares(specs).filter(|(index, _)| *index >= at && specs[*index].register.is_some());
        shares
            .find(|share| self.carriers.get(share).is_some_and(|carrier| carrier != host))
            .map(|(index, _)| index)
    }

    fn carrier(&self, share: &Share) -> &str {
        self.carriers.get(share).map_or("no host", HostName::as_str)
    }

    /// Told when `host` has ended the stage, however it did.
    pub fn ended(&self, host: &HostName) {
        self.state.send_modify(|state| {
            state.ended.insert(host.clone());
        });
    }

    async fn result(&self, share: &Share) -> Option<Registered> {
        let carrier = self.carriers.get(share)?;
        let mut state = self.state.subscribe();
        let known =
            state.wait_for(|state| state.ended.contains(carrier) || state.results.contains_key(share)).await;
        known.ok()?.results.get(share).cloned()
    }
}

impl HostRun {
    /// Gives away, or waits for, the registered results of the tasks `from..to` that run once. A carrier comes before
    /// those who wait for it, so it never waits for a place that they hold.
    pub(super) async fn share(&mut self, part: Part<'_>, from: usize, to: usize, once: &Once) -> Result<()> {
        if self.run.options.mode == Mode::Plan {
            return Ok(());
        }
        for share in shares(part.specs).filter(|(index, _)| (from..to).contains(index)) {
            let spec = &part.specs[share.0];
            let Some(name) = &spec.register else { continue };
            if once.carriers.get(&share) == Some(&self.host.name) {
                if let Some(result) = self.live.registered.get(name).cloned() {
                    once.state.send_modify(|state| drop(state.results.insert(share, result)));
                }
                continue;
            }
            let mut cancel = self.run.cancel.clone();
            let result = tokio::select! {
                result = once.result(&share) => result,
                () = cancelled(&mut cancel) => return Err(interrupted()),
            };
            let carrier = once.carrier(&share);
            let result = result.ok_or_else(|| {
                Error::failed(format!("there is no result of `{}`", spec.name))
                    .cause(format!("it runs once, on {carrier}, where it did not end well"))
                    .hint(format!("look at what failed on {carrier}, then run again"))
            })?;
            self.live.registered.insert(name.clone(), result);
            // What was asked before is of the time before that.
            self.facts.forget();
        }
        Ok(())
    }
}
