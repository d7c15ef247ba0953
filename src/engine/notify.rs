//! Handlers: who was notified, running them, and never losing one.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use crate::engine::host::{HostRun, Part};
use crate::spec::model::{Stage, TaskSpec};
use crate::words::error::Result;
use crate::words::event::{Mode, Outcome};
use crate::words::plural::list;

pub type ByStage = BTreeMap<String, BTreeSet<String>>;
/// By stage and handler, the tasks that may notify it.
pub type Doubtful = BTreeMap<(String, String), Vec<String>>;

impl HostRun {
    /// Runs the handlers that were notified, in the order in which they stand.
    pub(super) async fn handlers(&mut self, stage: &Stage) -> Result<()> {
        let all = stage.handlers.get(&self.host.name).map_or(&[][..], Vec::as_slice);
        let tasks = stage.tasks.get(&self.host.name).map_or(0, Vec::len);
        for (index, handler) in all.iter().enumerate() {
            let wanted = self.notified.get(&stage.name).is_some_and(|names| names.contains(&handler.name));
            let part =
                Part { stage: &stage.name, specs: std::slice::from_ref(handler), first: tasks + index };
            if !wanted {
                self.doubt(part, &handler.name);
                continue;
            }
            self.tasks(part, None).await?;
            if let Some(names) = self.notified.get_mut(&stage.name) {
                names.remove(&handler.name);
            }
            self.keep_notified();
        }
        self.notified.remove(&stage.name);
        self.keep_notified();
        // They have run: should the host not hear of it, they run once more.
        let _ = self.keep_there(self.notified.clone()).await;
        Ok(())
    }

    /// A plan says that a handler may run, and what that hangs on.
    fn doubt(&mut self, part: Part<'_>, handler: &str) {
        let Some(tasks) = self.doubtful.remove(&(part.stage.to_owned(), handler.to_owned())) else { return };
        let what = vec![format!("runs if {} changed something", list(&tasks, "or"))];
        self.finished(part, 0, Outcome::Unknown { what }, Duration::ZERO);
    }

    pub(super) fn perhaps_notify(&mut self, stage: &str, spec: &TaskSpec) {
        if self.run.options.mode != Mode::Plan {
            return;
        }
        for handler in &spec.notify {
            let tasks = self.doubtful.entry((stage.to_owned(), handler.clone())).or_default();
            tasks.push(format!("`{}`", spec.name));
        }
    }

    pub(super) fn notify(&mut self, stage: &str, spec: &TaskSpec) {
        if !spec.notify.is_empty() {
            self.notified.entry(stage.to_owned()).or_default().extend(spec.notify.iter().cloned());
        }
    }

    /// Before `specs` are performed: what they will notify is kept first. Were this process killed behind the
    /// change and before its answer, the next run would find nothing to change, and the handler would be lost.
    pub(super) async fn expect_notified(&mut self, stage: &str, names: BTreeSet<String>) -> Result<()> {
        let mut notified = self.notified.clone();
        notified.entry(stage.to_owned()).or_default().extend(names);
        self.store(notified.clone());
        self.keep_there(notified).await
    }

    /// Where the run holds something, what waits is kept on the host: whoever holds it next, and from where, has it.
    async fn keep_there(&mut self, mut notified: ByStage) -> Result<()> {
        notified.retain(|_, names| !names.is_empty());
        let Some(hold) = self.run.hold.clone().filter(|_| self.run.options.mode == Mode::Run) else {
            return Ok(());
        };
        if let Some(runner) = self.runner.as_mut().filter(|_| notified != self.kept) {
            runner.ahead(&hold.keep(&self.host.name, &notified)).await?;
            self.kept = notified;
        }
        Ok(())
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
