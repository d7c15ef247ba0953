//! The part of a task that its kind defines, for one host: rendered now, or waiting for the run.

use std::collections::BTreeSet;
use std::sync::Arc;

use handlebars::Context;

use crate::spec::args::Arg;
use crate::spec::build::{Builder, Item, Made, Reported};
use crate::spec::fault::{At, Fault};
use crate::spec::keys::Test;
use crate::spec::late::{LateTask, add_live, placeholders, remove_live};
use crate::spec::load::{Failed, faulty_keys, instantiate, unnamed};
use crate::spec::mentions::Mentions;
use crate::spec::model::{Body, Registered};
use crate::spec::source::Span;
use crate::spec::tasks::TaskPlan;
use crate::task;

/// What says most about a task whose kind has no shorthand, the best first.
const TELLING: &[&str] = &[
    "path",
    "dest",
    "name",
    "program",
    "url",
    "requirements",
    "packages",
    "project",
    "domains",
    "allow",
    "command",
];

impl TaskPlan {
    /// The argument that says most about the task: `directory /srv/app`.
    pub fn main_key(&self) -> Option<&'static str> {
        // Of a condition only its value would be left, which is "true" or "false".
        let short = task::shorthand(self.call.kind).filter(|key| *key != "that");
        short.into_iter().chain(TELLING.iter().copied()).find(|key| self.call.node.entry(key).is_some())
    }
}

impl Builder<'_> {
    /// The given name, or kind and main value; `None` when it cannot be rendered before the run.
    pub fn name(&self, plan: &TaskPlan) -> Option<String> {
        if let Some(name) = &plan.name {
            let Some(compiled) = &name.compiled else { return Some(name.raw.clone()) };
            let late = self.names.needs(&compiled.mentions).is_some();
            return if late { Some(name.raw.clone()) } else { compiled.render(&self.context).ok() };
        }
        let key = plan.main_key()?;
        let value = match &plan.call.args {
            Arg::Fixed(table) => table.get(key)?.clone(),
            args => args.get(key)?.render(&self.context, &mut vec![]),
        };
        self.name_from(plan, &value)
    }

    fn name_from(&self, plan: &TaskPlan, value: &toml::Value) -> Option<String> {
        let value = match value {
            toml::Value::Array(words) => {
                words.iter().filter_map(toml::Value::as_str).collect::<Vec<_>>().join(" ")
            }
            other => other.as_str()?.to_owned(),
        };
        // A command line may hold what nobody should see; half of it, once it is cut.
        let value = self.sources.mask.apply(value.trim());
        let short: String = value.lines().next().unwrap_or("").chars().take(60).collect();
        let cut = if short.len() < value.len() { "…" } else { "" };
        Some(format!("{} {short}{cut}", plan.call.kind).trim().to_owned())
    }

    pub fn body(&mut self, plan: &Arc<TaskPlan>, item: &Item) -> Result<Made, Reported> {
        let mentions = &plan.call.mentions;
        self.check_poison(mentions)?;
        if let Some(needs) = self.names.needs(mentions) {
            self.check_late_args(plan)?;
            self.check_late_files(plan)?;
            return Ok(self.late(plan, item, needs));
        }
        match instantiate(plan, &self.context, &self.poison, Some(&self.names), &self.sources) {
            Ok(loaded) => {
                let unnamed = plan.name.is_none();
                let name = loaded.main.filter(|_| unnamed).and_then(|value| self.name_from(plan, &value));
                Ok(Made { body: Body::Ready(loaded.task), files: loaded.mentions, name })
            }
            Err(Failed { mistakes, late: Some(needs) }) if mistakes.is_empty() => {
                self.check_late_files(plan)?;
                Ok(self.late(plan, item, needs))
            }
            Err(failed) => {
                for mistake in failed.mistakes {
                    self.report(mistake);
                }
                Err(Reported)
            }
        }
    }

    fn late(&self, plan: &Arc<TaskPlan>, item: &Item, needs: Vec<String>) -> Made {
        let body = Body::Late(Arc::new(LateTask {
            plan: plan.clone(),
            sources: self.sources.clone(),
            shared: self.shared.clone(),
            vars: self.vars.clone(),
            item: item.clone(),
            needs,
            poison: self.poison.clone(),
        }));
        Made { body, files: Mentions::default(), name: None }
    }

    fn with_placeholders<T>(&mut self, result: Option<Registered>, look: impl FnOnce(&Context) -> T) -> T {
        let live = placeholders(&self.names, result);
        add_live(self.context.data_mut(), &live);
        let seen = look(&self.context);
        remove_live(self.context.data_mut(), &live);
        seen
    }

    /// Only names can be checked before the run, so only they are.
    pub fn check_late(
        &mut self,
        plan: &TaskPlan,
        test: &Test,
        result: Option<Registered>,
    ) -> Result<(), Reported> {
        let compiled = &test.compiled;
        self.check_poison(&compiled.mentions)?;
        let fault = self.with_placeholders(result, |context| compiled.render(context).err());
        match fault.filter(|fault| matches!(fault.at, At::Word(_))) {
            Some(fault) => Err(self.fault(plan, &test.span, &fault)),
            None => Ok(()),
        }
    }

    /// And in template files.
    fn check_late_files(&mut self, plan: &TaskPlan) -> Result<(), Reported> {
        let (poison, sources) = (self.poison.clone(), self.sources.clone());
        let mistakes = self.with_placeholders(None, |context| unnamed(plan, context, &poison, &sources));
        let mut ok = Ok(());
        for mistake in mistakes {
            ok = Err(self.report(mistake));
        }
        ok
    }

    /// Names in all arguments, types in those that are known already.
    fn check_late_args(&mut self, plan: &TaskPlan) -> Result<(), Reported> {
        let mut late: Vec<(Span, Fault)> = vec![];
        let nothing = Fault::new("", At::Whole);
        plan.call.args.each_text(&mut |compiled, span| {
            if self.names.needs(&compiled.mentions).is_some() {
                late.push((span.clone(), nothing.clone()));
            }
        });
        let mut faults = vec![];
        let rendered = self.with_placeholders(None, |context| plan.call.args.render(context, &mut faults));
        faults.retain(|(_, fault)| matches!(fault.at, At::Word(_)));
        late.extend(faults.iter().cloned());
        let mut ok = Ok(());
        for (span, fault) in &faults {
            ok = Err(self.fault(plan, span, fault));
        }
        let ignored: BTreeSet<String> = faulty_keys(plan, &late);
        if let toml::Value::Table(table) = rendered {
            for mistake in plan.call.parse(table, ignored).err().unwrap_or_default() {
                ok = Err(self.report(mistake));
            }
        }
        ok
    }
}
