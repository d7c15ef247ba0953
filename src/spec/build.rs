//! Renders every task for every host. What does not differ between hosts is rendered once.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, OnceLock};

use handlebars::Context;
use serde_json::{Map, Value as Json};

use crate::spec::late::{LateNames, LateTask, LateTest, Skipped, add_live, placeholders, remove_live};
use crate::spec::load::{Failed, Sources, faulty_keys, instantiate};
use crate::spec::mistake::{Mistake, Mistakes};
use crate::spec::model::{Body, TaskSpec};
use crate::spec::source::Span;
use crate::spec::tasks::{ForEach, TaskPlan, Test, Text, variable_path};
use crate::spec::template::{At, Compiled, Fault, Mentions};
use crate::spec::vars::{Poison, locate, poisoned};
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

type Item = Option<(Json, Json)>;

/// A mistake was recorded; there is no task to show for it.
struct Reported;

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
        if let Some(key) = key.filter(|_| shareable && whole && !seen.everything) {
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

    fn report(&mut self, mistake: Mistake) -> Reported {
        let mistake = match &self.host {
            Some(host) => mistake.on(host),
            None => mistake,
        };
        self.mistakes.push(mistake);
        Reported
    }

    fn fault(&mut self, plan: &TaskPlan, span: &Span, fault: &Fault) -> Reported {
        self.report(locate(&plan.call.file, span, fault))
    }

    fn check_poison(&mut self, mentions: &Mentions) -> Result<(), Reported> {
        let mistake = poisoned(&self.poison, mentions).cloned();
        mistake.map_or(Ok(()), |mistake| Err(self.report(mistake)))
    }

    fn items(&mut self, plan: &Arc<TaskPlan>) -> Result<Vec<Item>, Reported> {
        let (value, span) = match &plan.for_each {
            None => return Ok(vec![None]),
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
        let compiled = match self.sources.templates.compile(&format!("{{{{#if {name}}}}}{{{{/if}}}}")) {
            Ok(compiled) => compiled,
            Err(_) => {
                let mistake =
                    Mistake::at(&plan.call.file, span.clone(), "this is not the name of a variable");
                return Err(
                    self.report(mistake.label("expected an array, or the name of a variable that is one"))
                );
            }
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
        let fault = Fault {
            message: format!("`{name}` is only known in the run, and this is needed before"),
            help: Some("mention it in `when` or in the arguments of the task".into()),
            at: At::Word(name),
        };
        Err(self.fault(plan, span, &fault))
    }

    fn text(&mut self, plan: &TaskPlan, text: Option<&Text>) -> Result<Option<String>, Reported> {
        let Some(text) = text else { return Ok(None) };
        let Some(compiled) = &text.compiled else { return Ok(Some(text.text.clone())) };
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
                    self.check_late(plan, &when.compiled, &when.span)?;
                    spec.when = Some(Arc::new(LateTest::new(when, &plan.origin, needs, &self.context)));
                }
                None if !self.holds(plan, when)? => {
                    spec.skip = Some(format!("when {} is false", when.text));
                    spec.name = self.name(plan).unwrap_or(spec.name);
                    return Ok((spec, Mentions::default()));
                }
                None => {}
            }
        }
        let body = self.body(plan, item);
        self.fill(plan, &mut spec)?;
        let (body, files) = body?;
        spec.body = body;
        Ok((spec, files))
    }

    fn holds(&mut self, plan: &TaskPlan, test: &Test) -> Result<bool, Reported> {
        self.check_poison(&test.compiled.mentions)?;
        let holds = test.compiled.holds(&self.context);
        holds.map_err(|fault| self.fault(plan, &test.span, &fault))
    }

    fn fill(&mut self, plan: &Arc<TaskPlan>, spec: &mut TaskSpec) -> Result<(), Reported> {
        spec.name = match &plan.name {
            Some(_) => match self.name(plan) {
                Some(name) => name,
                None => self.text(plan, plan.name.as_ref())?.unwrap_or_default(),
            },
            None => self.name(plan).unwrap_or_else(|| plan.call.kind.to_owned()),
        };
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
            self.check_late(plan, &test.compiled, &test.span)?;
            spec.changed_when = Some(Arc::new(LateTest::new(test, &plan.origin, needs, &self.context)));
        }
        Ok(())
    }

    fn checked<T>(&mut self, plan: &TaskPlan, span: &Span, value: Result<T, String>) -> Result<T, Reported> {
        value.map_err(|why| self.report(Mistake::at(&plan.call.file, span.clone(), why)))
    }

    /// The given name, or kind and main value; `None` when it cannot be rendered before the run.
    fn name(&self, plan: &TaskPlan) -> Option<String> {
        if let Some(name) = &plan.name {
            let Some(compiled) = &name.compiled else { return Some(name.text.clone()) };
            let late = self.names.needs(&compiled.mentions).is_some();
            return if late { Some(name.text.clone()) } else { compiled.render(&self.context).ok() };
        }
        let value = match plan.main_value()?.render(&self.context, &mut vec![]) {
            toml::Value::Array(words) => {
                words.iter().filter_map(toml::Value::as_str).collect::<Vec<_>>().join(" ")
            }
            other => other.as_str()?.to_owned(),
        };
        let line = value.trim().lines().next().unwrap_or("");
        let short: String = line.chars().take(60).collect();
        let cut = if short.len() < value.trim().len() { "…" } else { "" };
        // A command line may hold what nobody should see.
        Some(
            format!("{} {}{cut}", plan.call.kind, self.sources.secrets.mask().apply(&short))
                .trim()
                .to_owned(),
        )
    }

    fn body(&mut self, plan: &Arc<TaskPlan>, item: &Item) -> Result<(Body, Mentions), Reported> {
        let mentions = plan.call.args.mentions();
        self.check_poison(&mentions)?;
        if let Some(needs) = self.names.needs(&mentions) {
            self.check_late_args(plan)?;
            return Ok((self.late(plan, item, needs), Mentions::default()));
        }
        match instantiate(plan, &self.context, &self.poison, Some(&self.names), &self.sources) {
            Ok(loaded) => Ok((Body::Ready(loaded.task), loaded.mentions)),
            Err(Failed { mistakes, late: Some(needs) }) if mistakes.is_empty() => {
                Ok((self.late(plan, item, needs), Mentions::default()))
            }
            Err(failed) => {
                for mistake in failed.mistakes {
                    self.report(mistake);
                }
                Err(Reported)
            }
        }
    }

    fn late(&self, plan: &Arc<TaskPlan>, item: &Item, needs: Vec<String>) -> Body {
        Body::Late(Arc::new(LateTask {
            plan: plan.clone(),
            sources: self.sources.clone(),
            shared: self.shared.clone(),
            vars: self.vars.clone(),
            item: item.clone(),
            needs,
        }))
    }

    fn with_placeholders<T>(&mut self, look: impl FnOnce(&Context) -> T) -> T {
        let live = placeholders(&self.names);
        add_live(self.context.data_mut(), &live);
        let seen = look(&self.context);
        remove_live(self.context.data_mut(), &live);
        seen
    }

    /// Only names can be checked before the run, so only they are.
    fn check_late(&mut self, plan: &TaskPlan, compiled: &Compiled, span: &Span) -> Result<(), Reported> {
        self.check_poison(&compiled.mentions)?;
        let fault = self.with_placeholders(|context| compiled.render(context).err());
        match fault.filter(|fault| matches!(fault.at, At::Word(_))) {
            Some(fault) => Err(self.fault(plan, span, &fault)),
            None => Ok(()),
        }
    }

    /// Names in all arguments, types in those that are known already.
    fn check_late_args(&mut self, plan: &TaskPlan) -> Result<(), Reported> {
        let mut late: Vec<(Span, Fault)> = vec![];
        let nothing = Fault { message: String::new(), help: None, at: At::Whole };
        plan.call.args.each_text(&mut |compiled, span| {
            if self.names.needs(&compiled.mentions).is_some() {
                late.push((span.clone(), nothing.clone()));
            }
        });
        let mut faults = vec![];
        let rendered = self.with_placeholders(|context| plan.call.args.render(context, &mut faults));
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

fn blank(plan: &TaskPlan) -> TaskSpec {
    TaskSpec {
        name: plan.call.kind.to_owned(),
        kind: plan.call.kind,
        origin: plan.origin.clone(),
        body: Body::Late(Arc::new(Skipped)),
        when: None,
        skip: None,
        creates: None,
        unless: None,
        user: None,
        register: plan.register.as_ref().map(|word| word.text.clone()),
        changed_when: None,
        notify: vec![],
        timeout: plan.timeout,
        retries: plan.retries,
        delay: plan.delay,
    }
}

/// Specs by the values of the variables that they were rendered from.
#[derive(Default)]
pub struct Cache {
    values: HashMap<String, u32>,
    /// Of the host whose turn it is.
    roots: HashMap<String, u32>,
    lines: HashMap<(usize, Vec<u32>), Line>,
}

#[derive(Default)]
struct Line {
    /// Variables that only the template files mention.
    roots: Vec<String>,
    specs: HashMap<Vec<u32>, Vec<TaskSpec>>,
}

impl Cache {
    pub fn next_host(&mut self) {
        self.roots.clear();
    }

    fn key(
        &mut self,
        mentions: &Mentions,
        context: &Context,
        shared: &Map<String, Json>,
    ) -> Option<Vec<u32>> {
        if mentions.everything {
            return None;
        }
        let mut roots: Vec<&str> = mentions.roots().collect();
        roots.dedup();
        Some(roots.into_iter().map(|root| self.id(root, context, shared)).collect())
    }

    fn id(&mut self, root: &str, context: &Context, shared: &Map<String, Json>) -> u32 {
        if shared.contains_key(root) {
            return 1;
        }
        if let Some(id) = self.roots.get(root) {
            return *id;
        }
        let next = u32::try_from(self.values.len()).unwrap_or(u32::MAX - 2) + 2;
        let id =
            context.data().get(root).map_or(0, |value| *self.values.entry(value.to_string()).or_insert(next));
        self.roots.insert(root.to_owned(), id);
        id
    }

    fn find(
        &mut self,
        place: usize,
        key: &[u32],
        context: &Context,
        shared: &Map<String, Json>,
    ) -> Option<Vec<TaskSpec>> {
        let roots = self.lines.get(&(place, key.to_vec()))?.roots.clone();
        let more: Vec<u32> = roots.iter().map(|root| self.id(root, context, shared)).collect();
        self.lines.get(&(place, key.to_vec()))?.specs.get(&more).cloned()
    }

    fn keep(
        &mut self,
        place: usize,
        key: Vec<u32>,
        seen: &Mentions,
        specs: &[TaskSpec],
        context: &Context,
        shared: &Map<String, Json>,
    ) {
        let mut roots: Vec<String> = seen.roots().map(str::to_owned).collect();
        roots.dedup();
        let more: Vec<u32> = roots.iter().map(|root| self.id(root, context, shared)).collect();
        let line = self.lines.entry((place, key)).or_default();
        line.roots = roots;
        line.specs.insert(more, specs.to_vec());
    }
}
