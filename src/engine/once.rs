//! Tasks with `once`: one host of a stage runs them, and the others see their results.

use std::borrow::Cow;
use std::collections::BTreeMap;

use tokio::sync::watch;

use crate::engine::host::{HostRun, Part, cancelled, interrupted};
use crate::spec::model::{Registered, TaskSpec};
use crate::words::error::{Error, Result};
use crate::words::event::Mode;
use crate::words::names::HostName;

/// Of one stage.
#[derive(Debug)]
pub struct Once {
    /// `None` in a stage without hosts.
    carrier: Option<HostName>,
    state: watch::Sender<State>,
}

#[derive(Debug, Default)]
struct State {
    /// By the index of the task.
    results: BTreeMap<usize, Registered>,
    /// The carrier's part in the stage is over.
    ended: bool,
}

impl Once {
    pub fn new(carrier: Option<HostName>) -> Once {
        Once { carrier, state: watch::Sender::new(State::default()) }
    }

    /// The tasks as they are for `host`: the others' `once` is skipped.
    pub fn tasks<'a>(&self, host: &HostName, specs: &'a [TaskSpec]) -> Cow<'a, [TaskSpec]> {
        if Some(host) == self.carrier.as_ref() || !specs.iter().any(|spec| spec.once) {
            return Cow::Borrowed(specs);
        }
        let mut specs = specs.to_vec();
        for spec in specs.iter_mut().filter(|spec| spec.once) {
            spec.skip = Some(format!("it runs once, on {}", self.carrier()));
        }
        Cow::Owned(specs)
    }

    fn carrier(&self) -> &str {
        self.carrier.as_ref().map_or("no host", HostName::as_str)
    }

    /// Told when `host` has ended the stage, however it did.
    pub fn ended(&self, host: &HostName) {
        if Some(host) == self.carrier.as_ref() {
            self.state.send_modify(|state| state.ended = true);
        }
    }

    async fn result(&self, index: usize) -> Option<Registered> {
        let mut state = self.state.subscribe();
        let known = state.wait_for(|state| state.ended || state.results.contains_key(&index)).await;
        known.ok()?.results.get(&index).cloned()
    }
}

impl HostRun {
    /// Gives away, or waits for, the registered results of the tasks `from..to` that run once. The carrier is
    /// the first host of the stage, so it never waits for a place that the others hold.
    pub(super) async fn share(&mut self, part: Part<'_>, from: usize, to: usize, once: &Once) -> Result<()> {
        if self.run.options.mode == Mode::Plan {
            return Ok(());
        }
        for (index, spec) in part.specs.iter().enumerate().take(to).skip(from).filter(|(_, spec)| spec.once) {
            let Some(name) = &spec.register else { continue };
            if Some(&self.host.name) == once.carrier.as_ref() {
                if let Some(result) = self.live.registered.get(name).cloned() {
                    once.state.send_modify(|state| drop(state.results.insert(index, result)));
                }
                continue;
            }
            let mut cancel = self.run.cancel.clone();
            let result = tokio::select! {
                result = once.result(index) => result,
                () = cancelled(&mut cancel) => return Err(interrupted()),
            };
            let result = result.ok_or_else(|| {
                Error::failed(format!("there is no result of `{}`", spec.name))
                    .cause(format!("it runs once, on {}, where it did not end well", once.carrier()))
                    .hint(format!("look at what failed on {}, then run again", once.carrier()))
            })?;
            self.live.registered.insert(name.clone(), result);
        }
        Ok(())
    }
}
