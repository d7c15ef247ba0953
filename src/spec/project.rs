//! Puts a project together: stages, their hosts and waves, and every host's tasks in the same number and order.

use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};

use handlebars::Context;
use serde_json::{Map, Value as Json, json};

use crate::spec::build::Builder;
use crate::spec::cache::Cache;
use crate::spec::inventory::{Entity, Inventory};
use crate::spec::late::LateNames;
use crate::spec::load::Sources;
use crate::spec::mentions::Mentions;
use crate::spec::mistake::{Mistake, Mistakes};
use crate::spec::model::{Body, MaxFailures, OnFailure, Pause, Stage, TaskSpec, Vars};
use crate::spec::order::Tags;
use crate::spec::playbook::StagePlan;
use crate::spec::resolve::Poison;
use crate::spec::source::{Node, TextFile};
use crate::spec::tasks::TaskPlan;
use crate::spec::vars::{Layer, Merge};
use crate::words::names::HostName;

/// A stage with the hosts that take part, by their place in the inventory.
pub struct Chosen {
    pub name: String,
    pub hosts: Vec<usize>,
    waves: Vec<usize>,
    max_failures: MaxFailures,
    on_failure: OnFailure,
    pause: Option<Pause>,
    tasks: Vec<Planned>,
    handlers: Vec<Planned>,
}

struct Planned {
    plan: Arc<TaskPlan>,
    mentions: Mentions,
    /// By host, in the order of the stage's hosts.
    specs: Vec<Vec<TaskSpec>>,
}

impl Planned {
    fn all(plans: Vec<TaskPlan>) -> Vec<Planned> {
        let planned =
            |plan: TaskPlan| Planned { mentions: plan.mentions(), plan: Arc::new(plan), specs: vec![] };
        plans.into_iter().map(planned).collect()
    }
}

impl Chosen {
    pub fn new(mut stage: StagePlan, hosts: Vec<usize>, tags: Tags<'_>) -> Chosen {
        stage.tasks.retain(|task| tags.take(task));
        Chosen {
            waves: stage.wave_sizes(hosts.len()),
            name: stage.name,
            hosts,
            max_failures: stage.max_failures,
            on_failure: stage.on_failure,
            pause: stage.pause,
            tasks: Planned::all(stage.tasks),
            handlers: Planned::all(stage.handlers),
        }
    }
    pub fn tasks_empty(&self) -> bool {
        self.tasks.is_empty()
    }
    pub fn is_empty(&self) -> bool {
        self.hosts.is_empty() || self.tasks.is_empty()
    }
}

/// Everything that rendering needs.
pub struct Render<'a> {
    pub inventory: &'a Inventory,
    pub playbook: &'a Arc<TextFile>,
    /// Of the playbook, those of what it includes first.
    pub vars: &'a [(Arc<TextFile>, Node)],
    pub defaults: &'a [(Arc<TextFile>, Node)],
    pub set: &'a [(Vec<String>, Json)],
    pub sources: Arc<Sources>,
    pub names: LateNames,
}

impl Render<'_> {
    /// The stages, and the variables of the hosts by their place in the inventory.
    pub fn stages(
        self,
        mut chosen: Vec<Chosen>,
        mistakes: &mut Mistakes,
    ) -> (Vec<Stage>, BTreeMap<usize, Vars>) {
        let shared = shared(self.inventory, &self.sources);
        let common = self.sources.secrets.poison.clone();
        let mut builder = Builder {
            sources: self.sources.clone(),
            names: self.names.clone(),
            context: Context::from(Json::Object(shared.clone())),
            shared: Arc::new(shared),
            poison: vec![],
            mistakes,
            cache: Cache::default(),
            host: None,
            vars: Arc::default(),
        };
        let mut vars = BTreeMap::new();
        for (index, host) in self.inventory.hosts.iter().enumerate() {
            if chosen.iter().any(|stage| stage.hosts.contains(&index)) {
                self.host(index, host, &common, &mut builder, &mut chosen);
                vars.insert(index, Vars(builder.vars.clone()));
            }
        }
        (chosen.into_iter().map(|stage| finish(self.inventory, stage)).collect(), vars)
    }

    fn host(
        &self,
        index: usize,
        host: &Entity,
        common: &[Poison],
        builder: &mut Builder<'_>,
        chosen: &mut [Chosen],
    ) {
        let merge = self.merge(host, builder);
        if let Json::Object(data) = builder.context.data_mut() {
            let hosts = builder.shared.get("hosts").and_then(|hosts| hosts.get(host.name.as_str()));
            data.insert("host".into(), hosts.cloned().unwrap_or_default());
        }
        let (names, own) = merge.resolve(&mut builder.context, common, builder.mistakes);
        builder.poison = [common, &own].concat();
        builder.cache.next_host();
        builder.host = Some(host.name.clone());
        builder.vars = Arc::new(OnceLock::new());
        let mut place = 0;
        for stage in chosen {
            let here = stage.hosts.contains(&index);
            for planned in stage.tasks.iter_mut().chain(&mut stage.handlers) {
                place += 1;
                if here {
                    planned.specs.push(builder.specs(place, &planned.plan, &planned.mentions));
                }
            }
        }
        let mut vars = Map::new();
        if let Json::Object(data) = builder.context.data_mut() {
            vars.extend(
                names.iter().map(String::as_str).chain(["host"]).filter_map(|name| data.remove_entry(name)),
            );
        }
        // Nobody else fills it: each host has its own.
        let _ = builder.vars.set(vars);
    }

    /// The playbook's `[defaults]`; `[vars]`, groups from the outermost, the host, the playbook, `--set`.
    fn merge(&self, host: &Entity, builder: &mut Builder<'_>) -> Merge {
        let mut merge = Merge::default();
        let file = &self.inventory.file;
        let groups = host.member_of.iter().map(|group| self.inventory.groups[*group].vars.as_ref());
        let inventory =
            std::iter::once(self.inventory.vars.as_ref()).chain(groups).chain([host.vars.as_deref()]);
        let layers = inventory.flatten().map(|node| Layer { file, node });
        let [below, playbook] =
            [self.defaults, self.vars].map(|vars| vars.iter().map(|(file, node)| Layer { file, node }));
        for layer in below.chain(layers).chain(playbook) {
            merge.layer(layer, &self.sources.templates, builder.mistakes);
        }
        self.set.iter().for_each(|(path, value)| merge.set(path, value));
        for name in &self.names.registered {
            if merge.has(name) {
                let message = format!("`{name}` is a variable and the name of a result");
                builder.mistakes.push(
                    Mistake::at(self.playbook, 0..0, message).help("register the result under another name"),
                );
            }
        }
        merge
    }
}

/// Whether some task's template files have not been looked at.
pub fn has_unread(stages: &[Stage]) -> bool {
    let specs = stages.iter().flat_map(|stage| stage.tasks.values().chain(stage.handlers.values())).flatten();
    specs.into_iter().any(|spec| matches!(spec.body, Body::Late(_)))
}

/// What every host sees alike: `hosts`, `groups` (with `all`) and `secrets`.
fn shared(inventory: &Inventory, sources: &Sources) -> Map<String, Json> {
    let mut groups: Map<String, Json> = Map::new();
    let known = inventory.groups.iter().map(|group| group.name.as_str()).chain(["all"]);
    groups.extend(known.map(|name| (name.to_owned(), Json::Array(vec![]))));
    let mut hosts = Map::new();
    for host in &inventory.hosts {
        let names = inventory.group_names(host);
        let short = json!({ "name": host.name, "address": host.address });
        for name in names.iter().map(String::as_str).chain(["all"]) {
            if let Some(Json::Array(members)) = groups.get_mut(name) {
                members.push(short.clone());
            }
        }
        let full = json!({ "name": host.name, "address": host.address, "groups": names });
        hosts.insert(host.name.to_string(), full);
    }
    let secrets = Json::Object(sources.secrets.json.clone());
    [
        ("hosts".into(), Json::Object(hosts)),
        ("groups".into(), Json::Object(groups)),
        ("secrets".into(), secrets),
    ]
    .into_iter()
    .collect()
}

fn finish(inventory: &Inventory, stage: Chosen) -> Stage {
    let hosts: Vec<HostName> = stage.hosts.iter().map(|host| inventory.hosts[*host].name.clone()).collect();
    Stage {
        name: stage.name,
        tasks: aligned(stage.tasks, &hosts),
        handlers: aligned(stage.handlers, &hosts),
        hosts,
        waves: stage.waves,
        max_failures: stage.max_failures,
        on_failure: stage.on_failure,
        pause: stage.pause,
    }
}

/// The same number and order of tasks on each host, although `for_each` may differ.
fn aligned(tasks: Vec<Planned>, hosts: &[HostName]) -> BTreeMap<HostName, Vec<TaskSpec>> {
    let mut all: Vec<Vec<TaskSpec>> = vec![vec![]; hosts.len()];
    for planned in tasks {
        let longest = planned.specs.iter().max_by_key(|specs| specs.len()).cloned().unwrap_or_default();
        for (list, mut specs) in all.iter_mut().zip(planned.specs) {
            for extra in longest.iter().skip(specs.len()) {
                let skip = Some("this host has fewer items".into());
                specs.push(TaskSpec { skip, once: None, ..extra.clone() });
            }
            list.extend(specs);
        }
    }
    hosts.iter().cloned().zip(all).collect()
}
