//! Planning: tasks and facts in, steps out. Pure: no clock, no connection.

mod acting;
mod ways;

use std::sync::Arc;

use crate::plan::ways::Touched;
use crate::spec::model::{Body, Live, TaskSpec};
use crate::task::{Task, place};
use crate::words::action::{Action, Detached};
use crate::words::error::{Error, Result};
use crate::words::fact::{Facts, HostFacts, Probe};
use crate::words::names::UserName;
use crate::words::step::{Change, Step};

/// What is to be done about one task on one host.
#[derive(Clone, Debug)]
pub enum Decision {
    Skip { why: String },
    Step(Step),
    Failed(Error),
}

#[derive(Clone, Debug)]
pub struct Planned {
    /// Of the task within the stage.
    pub index: usize,
    pub decision: Decision,
    /// A step before it has effects that nobody can predict, so this is only what it looks like now.
    pub tentative: bool,
    /// A step before it surely changes what it looks at, in a way that is not known here.
    pub unknowable: bool,
}

/// Tasks that can be probed together: everything they mention is known.
#[derive(Debug)]
pub struct Window {
    pub items: Vec<Item>,
    /// The index of the first task behind it.
    pub end: usize,
}

#[derive(Debug)]
pub struct Item {
    pub index: usize,
    ready: Ready,
}

#[derive(Debug)]
enum Ready {
    Skip(String),
    Task(Arc<dyn Task>),
    Failed(Error),
}

/// The longest run of tasks from `from` on whose variables are known. `live` is `None` before the host has said
/// what it is.
pub fn window(specs: &[TaskSpec], from: usize, live: Option<&Live>) -> Window {
    let mut items = vec![];
    for (index, spec) in specs.iter().enumerate().skip(from) {
        match ready(spec, live) {
            Some(ready) => items.push(Item { index, ready }),
            None => break,
        }
    }
    let end = from + items.len();
    Window { items, end }
}

/// `None`: it mentions what is not known yet.
fn ready(spec: &TaskSpec, live: Option<&Live>) -> Option<Ready> {
    if let Some(why) = &spec.skip {
        return Some(Ready::Skip(why.clone()));
    }
    let known = |needs: &[String]| {
        live.is_some_and(|live| needs.iter().all(|name| live.registered.contains_key(name)))
    };
    if let Some(when) = &spec.when {
        // What only asks for `os` may be probed at once and decided when the answers are there.
        if !when.needs().is_empty() && !known(when.needs()) {
            return None;
        }
        match live.map(|live| when.holds(live)) {
            Some(Ok(false)) => return Some(Ready::Skip(format!("when {} is false", when.text()))),
            Some(Err(error)) => return Some(Ready::Failed(error)),
            Some(Ok(true)) | None => {}
        }
    }
    match (&spec.body, live) {
        (Body::Ready(task), _) => Some(Ready::Task(task.clone())),
        (Body::Late(late), Some(live)) if known(late.needs()) => {
            Some(late.render(live).map_or_else(Ready::Failed, Ready::Task))
        }
        (Body::Late(_), _) => None,
    }
}

impl Item {
    fn probes(&self, specs: &[TaskSpec]) -> Vec<Probe> {
        let Ready::Task(task) = &self.ready else { return vec![] };
        let spec = &specs[self.index];
        let mut probes: Vec<Probe> = spec.creates.as_ref().map(place::probes).unwrap_or_default();
        probes.extend(spec.unless.as_ref().map(|line| unless_probe(line, spec.user.as_ref())));
        probes.extend(task.probes().into_iter().map(|probe| as_user(probe, spec.user.as_ref())));
        probes
    }
}

impl Window {
    /// Nothing behind the task at this place.
    #[must_use]
    pub fn until(mut self, last: usize) -> Window {
        self.items.retain(|item| item.index <= last);
        self.end = self.end.min(last + 1);
        self
    }

    /// Everything the tasks will look at.
    pub fn probes(&self, specs: &[TaskSpec]) -> Vec<Probe> {
        let mut probes: Vec<Probe> = self.items.iter().flat_map(|item| item.probes(specs)).collect();
        probes.sort();
        probes.dedup();
        probes
    }

    /// All that the task at this place asks for, in the form for programmers: the same text is the same wish.
    pub fn wanted(&self, specs: &[TaskSpec], index: usize) -> Option<String> {
        let item = self.items.iter().find(|item| item.index == index)?;
        let (Ready::Task(task), spec) = (&item.ready, &specs[index]) else { return None };
        Some(format!("{task:?} {:?} {:?} {:?}", spec.user, spec.creates, spec.unless))
    }

    /// What the task at this place looks at.
    pub fn looked_at(&self, specs: &[TaskSpec], index: usize) -> Vec<Probe> {
        self.items.iter().filter(|item| item.index == index).flat_map(|item| item.probes(specs)).collect()
    }
}

/// Plans the tasks of `window` one upon the other. Stops behind the first whose effects cannot be predicted, and
/// before what was asked when a change planned here was still to come: an `unless`, or a place that the change leads
/// elsewhere; but not when `tentative` is there,
/// which says whether (and from now on, that) something unpredictable has been planned already.
/// Gives the index of the first task that was not planned.
pub fn steps(
    window: &Window,
    specs: &[TaskSpec],
    facts: &mut Facts,
    live: &Live,
    mut tentative: Option<&mut bool>,
) -> (Vec<Planned>, usize) {
    let mut planned = vec![];
    let (mut changes, mut touched) = (false, Touched::default());
    for item in &window.items {
        let is_task = matches!(item.ready, Ready::Task(_));
        let moved = changes && is_task && touched.reaches(&item.probes(specs), facts);
        let stale = changes && is_task && specs[item.index].unless.is_some();
        if (stale || moved) && tentative.is_none() {
            facts.doubt();
            return (planned, item.index);
        }
        let decision = match &item.ready {
            Ready::Skip(why) => Decision::Skip { why: why.clone() },
            Ready::Failed(error) => Decision::Failed(error.clone()),
            Ready::Task(task) => decide(&specs[item.index], task.as_ref(), facts, live),
        };
        if let Decision::Step(step) = &decision
            && let Some(change) = step.change()
        {
            touched.note(change, facts);
            facts.apply(&change.predicts);
        }
        let (unknown, failed) =
            (matches!(decision, Decision::Step(Step::Unknown(_))), matches!(decision, Decision::Failed(_)));
        changes |= matches!(decision, Decision::Step(Step::Change(_)));
        let doubtful = stale || tentative.as_ref().is_some_and(|tentative| **tentative);
        planned.push(Planned { index: item.index, decision, tentative: doubtful, unknowable: moved });
        match &mut tentative {
            Some(tentative) => **tentative |= unknown,
            None if unknown || failed => return (planned, item.index + 1),
            None => {}
        }
    }
    if tentative.is_none() && touched.leads_elsewhere(facts) {
        facts.doubt();
    }
    (planned, window.end)
}

fn decide(spec: &TaskSpec, task: &dyn Task, facts: &Facts, live: &Live) -> Decision {
    match try_decide(spec, task, facts, live) {
        Ok(decision) => decision,
        Err(error) => Decision::Failed(error),
    }
}

fn try_decide(spec: &TaskSpec, task: &dyn Task, facts: &Facts, live: &Live) -> Result<Decision> {
    // Before the host had said what it is, this could not be decided.
    if let Some(when) = &spec.when
        && !when.holds(live)?
    {
        return Ok(Decision::Skip { why: format!("when {} is false", when.text()) });
    }
    if let Some(path) = &spec.creates
        && facts.found(path)?.is_some()
    {
        return Ok(Decision::Step(Step::already(format!("{path} exists"))));
    }
    if let Some(line) = &spec.unless
        && facts.output(&unless_probe(line, spec.user.as_ref()))?.success()
    {
        return Ok(Decision::Step(Step::already(format!("`{}` succeeds", line.trim()))));
    }
    let host = &facts.host;
    let facts = UserFacts { facts, user: spec.user.as_ref() };
    Ok(Decision::Step(match facts.plan(task)? {
        Step::Already { why } => Step::Already { why },
        Step::Change(change) => Step::Change(with_common(change, spec, host)),
        Step::Unknown(change) => Step::Unknown(with_common(change, spec, host)),
    }))
}

/// It is the user's own, in the language of the host, which the task itself will run in as well.
fn unless_probe(line: &str, user: Option<&UserName>) -> Probe {
    Probe::Shell { script: format!("unset LC_ALL\n{line}"), user: user.cloned() }
}

/// A snippet of a kind is asked as the account that the task acts as.
fn as_user(probe: Probe, user: Option<&UserName>) -> Probe {
    match (probe, user) {
        (Probe::Shell { script, user: None }, Some(user)) => {
            Probe::Shell { script, user: Some(user.clone()) }
        }
        (probe, _) => probe,
    }
}

/// The facts as a task sees them that acts as another account: its snippets were asked as that account.
struct UserFacts<'a> {
    facts: &'a Facts,
    user: Option<&'a UserName>,
}

impl UserFacts<'_> {
    fn plan(&self, task: &dyn Task) -> Result<Step> {
        let Some(user) = self.user else { return task.plan(self.facts) };
        let mut facts = self.facts.clone();
        facts.host.user = user.to_string();
        for probe in task.probes() {
            let asked = as_user(probe.clone(), self.user);
            if let Some(fact) = self.facts.raw(&asked) {
                facts.insert(probe, fact.clone());
            }
        }
        task.plan(&facts)
    }
}

/// Applies the task's common keys to what its kind planned.
fn with_common(mut change: Change, spec: &TaskSpec, host: &HostFacts) -> Change {
    for action in &mut change.actions {
        if let Action::Run(command) = action {
            command.user = command.user.take().or_else(|| spec.user.clone());
            if spec.detached {
                // Where it has to be done was asked; else nobody knows but by its result.
                let is_seen = spec.creates.is_some() || spec.unless.is_some();
                command.detached = if is_seen { Detached::WhileItRuns } else { Detached::UntilHeard };
            }
        }
    }
    if let Some(user) = spec.user.as_ref().filter(|user| user.as_ref() != host.user) {
        change.actions = acting::as_account(change.actions, user, &host.kernel);
    }
    for action in &mut change.actions {
        if let Action::Run(command) = action {
            command.timeout = spec.timeout.or(command.timeout);
        }
    }
    change
}
