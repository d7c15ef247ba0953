//! Renders every task for one host after the other.

use std::sync::{Arc, OnceLock};

use handlebars::Context;
use serde_json::{Map, Value as Json};

use crate::spec::cache::Cache;
use crate::spec::fault::{At, Fault};
use crate::spec::keys::{ForEach, Test, Text};
use crate::spec::late::{LateNames, LateTest, Skipped};
use crate::spec::load::Sources;
use crate::spec::mentions::Mentions;
use crate::spec::mistake::{Mistake, Mistakes};
use crate::spec::model::{Body, Registered, TaskSpec};
use crate::spec::resolve::{Poison, poisoned};
use crate::spec::source::Span;
use crate::spec::tasks::TaskPlan;
use crate::spec::vars::{locate, variable_path};
use crate::words::names::{HostName, RemotePath, UserName};

/// Renders for one host after the other.
pub struct Builder<'a> {
    pub sources: Arc<Sources>,
    pub names: LateNames,
    pub shared: Arc<Map<String, Json>>,
    /// `shared`, and while a host has its turn, that host's variables.
    pub context: Context,
    pub poison: Vec<Poison>,
    pub mistakes: &'a mut Mistakes,
    pub cache: Cache,
    pub host: Option<HostName>,
    /// Where the variables of the host go when its turn ends.
    pub vars: Arc<OnceLock<Map<String, Json>>>,
}

pub type Item = Option<(Json, Json)>;

/// A task's own part for one host.
pub struct Made {
    pub body: Body,
    /// What its template files mention.
    pub files: Mentions,
    /// Kind and main value, where the task has no name.
    pub name: Option<String>,
}

/// A mistake was recorded; there is no task to show for it.
pub struct Reported;

impl Builder<'_> {
    /// The task's specs for the host whose turn it is: one, or one for each item.
    pub fn specs(&mut self, place: usize, plan: &Arc<TaskPlan>, mentions: &Mentions) -> Vec<TaskSpec> {
        let key = self.cache.key(mentions, &self.context, &self.shared);
        if let Some(known) =
            key.as_ref().and_then(|key| self.cache.find(place, key, &self.context, &self.shared))
        {
            return known;
        }
        let Ok(items) = self.items(plan) else { return vec![] };
        let (mut specs, mut seen, mut shareable, mut whole) = (vec![], Mentions::default(), true, true);
        for item in items {
            self.with_item(item.as_ref());
            match self.spec(plan, &item) {
                Ok((spec, files)) => {
                    shareable &= !matches!(spec.body, Body::Late(_)) || spec.skip.is_some();
                    seen.extend(&files);
                    specs.push(spec);
                }
                Err(Reported) => whole = false,
            }
        }
        self.with_item(None);
        let own = seen.everything || seen.roots().any(|root| root == "host");
        if let Some(key) = key.filter(|_| shareable && whole && !own) {
            self.cache.keep(place, key, &seen, &specs, &self.context, &self.shared);
        }
        specs
    }

    fn with_item(&mut self, item: Option<&(Json, Json)>) {
        let Json::Object(map) = self.context.data_mut() else { return };
        if let Some((item, index)) = item {
            map.insert("item".into(), item.clone());
            map.insert("index".into(), index.clone());
        } else {
            map.remove("item");
            map.remove("index");
        }
    }

    pub fn report(&mut self, mistake: Mistake) -> Reported {
        let mistake = match &self.host {
            Some(host) => mistake.on(host),
            None => mistake,
        };
        self.mistakes.push(mistake);
        Reported
    }

    pub fn fault(&mut self, plan: &TaskPlan, span: &Span, fault: &Fault) -> Reported {
        self.report(locate(&plan.call.file, span, fault))
    }

    pub fn check_poison(&mut self, mentions: &Mentions) -> Result<(), Reported> {
        let mistakes: Vec<Mistake> = poisoned(&self.poison, mentions).cloned().collect();
        let mut checked = Ok(());
        for mistake in mistakes {
            checked = Err(self.report(mistake));
        }
        checked
    }

    fn items(&mut self, plan: &Arc<TaskPlan>) -> Result<Vec<Item>, Reported> {
        let (value, span) = match &plan.for_each {
            None => return Ok(vec![None]),
            // Reported when it was read.
            Some(ForEach::Broken) => return Err(Reported),
            Some(ForEach::Variable(word)) => {
                (self.list_variable(plan, &word.text, &word.span)?, word.span.clone())
            }
            Some(ForEach::Given(arg)) => {
                let mentions = arg.mentions();
                self.check_poison(&mentions)?;
                self.check_early(plan, &mentions, &plan.call.kind_span)?;
                let mut faults = vec![];
                let value = arg.render(&self.context, &mut faults);
                if let Some((span, fault)) = faults.first() {
                    return Err(self.fault(plan, span, fault));
                }
                (serde_json::to_value(value).unwrap_or_default(), plan.call.kind_span.clone())
            }
        };
        let numbered = |items: Vec<Json>| {
            items.into_iter().enumerate().map(|(i, item)| Some((item, i.into()))).collect()
        };
        match value {
            Json::Array(items) => Ok(numbered(items)),
            Json::Object(map) => {
                let pair = |(key, value): (String, Json)| serde_json::json!({ "key": key, "value": value });
                Ok(numbered(map.into_iter().map(pair).collect()))
            }
            other => {
                let what = crate::spec::filters::type_name(&other);
                let mistake = Mistake::at(
                    &plan.call.file,
                    span,
                    format!("`for_each` goes over an array or a table, not {what}"),
                );
                Err(self.report(mistake))
            }
        }
    }

    fn list_variable(&mut self, plan: &TaskPlan, name: &str, span: &Span) -> Result<Json, Reported> {
        let Ok(compiled) = self.sources.templates.compile(&format!("{{{{#if {name}}}}}{{{{/if}}}}")) else {
            let mistake = Mistake::at(&plan.call.file, span.clone(), "this is not the name of a variable");
            return Err(
                self.report(mistake.label("expected an array, or the name of a variable that is one"))
            );
        };
        self.check_poison(&compiled.mentions)?;
        self.check_early(plan, &compiled.mentions, span)?;
        if let Err(fault) = compiled.render(&self.context) {
            return Err(self.fault(plan, span, &fault));
        }
        let path = variable_path(name);
        Ok(crate::spec::template::value_at(self.context.data(), &path).cloned().unwrap_or_default())
    }

    /// What must be known before the run must not mention what is not.
    fn check_early(&mut self, plan: &TaskPlan, mentions: &Mentions, span: &Span) -> Result<(), Reported> {
        if self.names.needs(mentions).is_none() {
            return Ok(());
        }
        let late = |root: &&str| *root == "os" || *root == "result" || self.names.registered.contains(*root);
        let name = mentions.roots().find(late).unwrap_or("os").to_owned();
        let message = format!("`{name}` is only known in the run, and this is needed before");
        let fault = Fault::new(message, At::Word(name))
            .label("known in the run only")
            .help("mention it in `when` or in the arguments of the task");
        Err(self.fault(plan, span, &fault))
    }

    fn text(&mut self, plan: &TaskPlan, text: Option<&Text>) -> Result<Option<String>, Reported> {
        let Some(text) = text else { return Ok(None) };
        let Some(compiled) = &text.compiled else { return Ok(Some(text.raw.clone())) };
        self.check_poison(&compiled.mentions)?;
        self.check_early(plan, &compiled.mentions, &text.span)?;
        let rendered = compiled.render(&self.context);
        rendered.map(Some).map_err(|fault| self.fault(plan, &text.span, &fault))
    }

    fn spec(&mut self, plan: &Arc<TaskPlan>, item: &Item) -> Result<(TaskSpec, Mentions), Reported> {
        let mut spec = blank(plan);
        if let Some(when) = &plan.when {
            match self.names.needs(&when.compiled.mentions) {
                Some(needs) => {
                    self.check_late(plan, when, None)?;
                    spec.when = Some(Arc::new(LateTest::new(when, &plan.origin, needs, &self.context)));
                }
                None if !self.holds(plan, when)? => {
                    spec.skip = Some(format!("when {} is false", when.text));
                    spec.name = self.name(plan).unwrap_or(spec.name);
                    // It may want the result of a host that does run it.
                    spec.once = self.text(plan, plan.once.as_ref())?.map(Into::into);
                    return Ok((spec, Mentions::default()));
                }
                None => {}
            }
        }
        let body = self.body(plan, item);
        let main = body.as_ref().ok().and_then(|made| made.name.clone());
        self.fill(plan, &mut spec, main)?;
        let Made { body, files, .. } = body?;
        spec.body = body;
        Ok((spec, files))
    }

    fn holds(&mut self, plan: &TaskPlan, test: &Test) -> Result<bool, Reported> {
        self.check_poison(&test.compiled.mentions)?;
        let holds = test.compiled.holds(&self.context);
        holds.map_err(|fault| self.fault(plan, &test.span, &fault))
    }

    fn fill(
        &mut self,
        plan: &Arc<TaskPlan>,
        spec: &mut TaskSpec,
        main: Option<String>,
    ) -> Result<(), Reported> {
        spec.name = match &plan.name {
            Some(_) => match self.name(plan) {
                Some(name) => name,
                None => self.text(plan, plan.name.as_ref())?.unwrap_or_default(),
            },
            None => main.or_else(|| self.name(plan)).unwrap_or_else(|| plan.call.kind.to_owned()),
        };
        spec.once = self.text(plan, plan.once.as_ref())?.map(Into::into);
        spec.unless = self.text(plan, plan.unless.as_ref())?;
        if let (Some(path), Some(text)) = (self.text(plan, plan.creates.as_ref())?, &plan.creates) {
            spec.creates = Some(self.checked(plan, &text.span, RemotePath::new(path))?);
        }
        if let (Some(name), Some(text)) = (self.text(plan, plan.user.as_ref())?, &plan.user) {
            spec.user = Some(self.checked(plan, &text.span, UserName::new(name))?);
        }
        for notified in &plan.notify {
            spec.notify.extend(self.text(plan, Some(notified))?);
        }
        if let Some(test) = &plan.changed_when {
            let needs = self.names.needs(&test.compiled.mentions).unwrap_or_default();
            self.check_late(plan, test, Some(Registered::default()))?;
            spec.changed_when = Some(Arc::new(LateTest::new(test, &plan.origin, needs, &self.context)));
        }
        Ok(())
    }

    fn checked<T>(&mut self, plan: &TaskPlan, span: &Span, value: Result<T, String>) -> Result<T, Reported> {
        value.map_err(|why| self.report(Mistake::at(&plan.call.file, span.clone(), why)))
    }
}

fn blank(plan: &TaskPlan) -> TaskSpec {
    TaskSpec {
        register: plan.register.as_ref().map(|word| word.text.clone()),
        timeout: plan.timeout,
        retries: plan.retries,
        delay: plan.delay,
        detached: plan.detached,
        ..TaskSpec::new(plan.call.kind, plan.origin.clone(), Body::Late(Arc::new(Skipped)))
    }
}
