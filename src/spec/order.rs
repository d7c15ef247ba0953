//! Which tasks take part, and whether the results they mention come from tasks before them.

use std::collections::BTreeMap;

use crate::spec::fault::{At, Fault};
use crate::spec::late::LateNames;
use crate::spec::mistake::{Mistake, Mistakes};
use crate::spec::playbook::Playbook;
use crate::spec::suggest::advice;
use crate::spec::tasks::TaskPlan;
use crate::spec::vars::locate;

/// `--tags` and `--skip-tags`. `always` runs unless it is skipped by name; `never` runs when it is asked for.
#[derive(Clone, Copy, Debug)]
pub struct Tags<'a> {
    pub only: &'a [String],
    pub skip: &'a [String],
}

impl Tags<'_> {
    pub fn take(&self, task: &TaskPlan) -> bool {
        let has = |wanted: &[String]| task.tags.iter().any(|tag| wanted.contains(&tag.text));
        let tagged = |name: &str| task.tags.iter().any(|tag| tag.text == name);
        let asked = has(self.only);
        let wanted = asked || tagged("always") || (self.only.is_empty() && !tagged("never"));
        wanted && !has(self.skip)
    }

    /// A tag that no task carries is a misspelt one.
    pub fn check(&self, playbook: &Playbook, mistakes: &mut Mistakes) {
        let tasks = || playbook.stages.iter().flat_map(|stage| stage.tasks.iter().chain(&stage.handlers));
        let mut known: Vec<&str> = tasks().flat_map(|task| &task.tags).map(|tag| tag.text.as_str()).collect();
        known.sort_unstable();
        known.dedup();
        for tag in self.only.iter().chain(self.skip) {
            if !known.contains(&tag.as_str()) && !["always", "never"].contains(&tag.as_str()) {
                let mistake = Mistake::argument(format!("no task of the playbook has the tag `{tag}`"));
                mistakes.push(mistake.maybe_help(advice(tag, known.iter().copied(), "the tags are")));
            }
        }
        let any = tasks().next().is_some();
        if mistakes.is_empty()
            && any
            && !playbook.stages.iter().flat_map(|stage| &stage.tasks).any(|task| self.take(task))
        {
            mistakes
                .push(Mistake::argument("no task is left: `--tags` and `--skip-tags` take all of them away"));
        }
    }
}

/// A registered result: the place of its task in the playbook, and whether that takes part.
struct Origin {
    place: usize,
    taken: bool,
}

/// The names that a run gives; mentions of those that come too late, or not at all, are mistakes.
pub fn late_names(playbook: &Playbook, tags: Tags<'_>, mistakes: &mut Mistakes) -> LateNames {
    let mut origins: BTreeMap<&str, Origin> = BTreeMap::new();
    let in_order = || {
        let stages = playbook.stages.iter();
        stages.flat_map(|stage| {
            let tasks = stage.tasks.iter().map(|task| (task, false));
            tasks.chain(stage.handlers.iter().map(|task| (task, true)))
        })
    };
    for (place, (task, handler)) in in_order().enumerate() {
        if let Some(name) = &task.register {
            let taken = handler || tags.take(task);
            let origin = origins.entry(&name.text).or_insert(Origin { place, taken });
            origin.taken |= taken;
        }
    }
    for (place, (task, handler)) in in_order().enumerate() {
        if !handler && !tags.take(task) {
            continue;
        }
        for root in task.mentions().roots() {
            let Some(origin) = origins.get(root) else { continue };
            let wrong = if origin.place >= place {
                "is registered by a later task"
            } else if !origin.taken {
                "is registered by a task that `--tags` or `--skip-tags` takes away"
            } else {
                continue;
            };
            let fault = Fault::new(format!("`{root}` {wrong}"), At::Word(root.to_owned()))
                .label("not known yet here");
            mistakes.push(locate(&task.call.file, &mention_span(task, root), &fault));
        }
    }
    LateNames { registered: origins.into_keys().map(str::to_owned).collect() }
}

fn mention_span(task: &TaskPlan, root: &str) -> std::ops::Range<usize> {
    let mut found = None;
    task.call.args.each_text(&mut |compiled, span| {
        if compiled.mentions.roots().any(|name| name == root) {
            found.get_or_insert(span.clone());
        }
    });
    let tests = [&task.when, &task.changed_when].into_iter().flatten();
    let tests = tests.map(|test| (&test.compiled, &test.span));
    let others = task.texts().filter_map(|text| Some((text.compiled.as_ref()?, &text.span)));
    let other = tests.chain(others).find(|(compiled, _)| compiled.mentions.roots().any(|name| name == root));
    found.or_else(|| other.map(|(_, span)| span.clone())).unwrap_or_else(|| task.call.kind_span.clone())
}
