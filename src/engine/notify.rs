//! Handlers: who was notified, running them, and never losing one.

use std::collections::{BTreeMap, BTreeSet};

use crate::engine::host::{HostRun, Part};
use crate::spec::model::{Stage, TaskSpec};
use crate::words::error::Result;
use crate::words::event::Mode;

pub type ByStage = BTreeMap<String, BTreeSet<String>>;

impl HostRun {
    /// Runs the handlers that were notified, in the order in which they stand.
    pub(super) async fn handlers(&mut self, stage: &Stage) -> Result<()> {
        let all = stage.handlers.get(&self.host.name).map_or(&[][..], Vec::as_slice);
        let tasks = stage.tasks.get(&self.host.name).map_or(0, Vec::len);
        for (index, handler) in all.iter().enumerate() {
            let wanted = self.notified.get(&stage.name).is_some_and(|names| names.contains(&handler.name));
            if !wanted {
                continue;
            }
            let part =
                Part { stage: &stage.name, specs: std::slice::from_ref(handler), first: tasks + index };
            self.tasks(part, None).await?;
            if let Some(names) = self.notified.get_mut(&stage.name) {
                names.remove(&handler.name);
            }
            self.keep_notified();
        }
        self.notified.remove(&stage.name);
        self.keep_notified();
        Ok(())
    }

    pub(super) fn notify(&mut self, stage: &str, spec: &TaskSpec) {
        if !spec.notify.is_empty() {
            self.notified.entry(stage.to_owned()).or_default().extend(spec.notify.iter().cloned());
        }
    }

    /// Before `specs` are performed: what they will notify is kept first. Were this process killed behind the
    /// change and before its answer, the next run would find nothing to change, and the handler would be lost.
    pub(super) fn expect_notified<'a>(&self, stage: &str, specs: impl Iterator<Item = &'a TaskSpec>) {
        let mut notified = self.notified.clone();
        let names = specs.flat_map(|spec| spec.notify.iter().cloned());
        notified.entry(stage.to_owned()).or_default().extend(names);
        self.store(notified);
    }

    pub(super) fn keep_notified(&self) {
        self.store(self.notified.clone());
    }

    fn store(&self, mut notified: ByStage) {
        notified.retain(|_, names| !names.is_empty());
        if let Some(pending) = self.run.pending.as_ref().filter(|_| self.run.options.mode == Mode::Run) {
            pending.store(&self.host.name, &notified);
        }
    }
}
