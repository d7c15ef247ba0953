//! What the user wrote: inventory, playbook, variables, selection. Text in, checked types out.
//!
//! Nothing here reads the disk (a [`crate::words::content::Files`] is handed in) or knows of a connection.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};

use crate::spec::inventory::Inventory;
use crate::spec::load::Sources;
use crate::spec::mistake::{Mistake, Mistakes};
use crate::spec::model::{Body, Host, MaxFailures, OnFailure, Project, Stage, TaskSpec};
use crate::spec::order::Tags;
use crate::spec::playbook::Playbook;
use crate::spec::project::{Chosen, Render};
use crate::spec::secrets::{Fetched, Secrets, Wanted};
use crate::spec::source::TextFile;
use crate::spec::vars::Templates;
use crate::words::content::Files;
use crate::words::secret::Mask;

mod args;
mod bodies;
mod build;
mod cache;
mod call;
mod fault;
mod filters;
mod foreign;
mod groups;
mod handlers;
mod hidden;
mod include;
mod inventory;
mod keys;
mod late;
mod load;
mod mentions;
pub mod mistake;
pub mod model;
mod order;
mod playbook;
mod project;
mod range;
mod read;
mod resolve;
mod secrets;
mod select;
mod set;
mod settings;
pub mod source;
pub mod suggest;
mod tasks;
mod template;
mod vars;
pub mod vault;

pub use crate::spec::secrets::Providers;

/// What to run, where, and with which variables.
#[derive(Clone, Debug)]
pub struct Request {
    /// Without one there is a single host, `localhost`.
    pub inventory: Option<TextFile>,
    pub playbook: TextFile,
    /// `--limit 'web:&eu:!web3'`.
    pub limit: Option<String>,
    pub tags: Vec<String>,
    pub skip_tags: Vec<String>,
    /// `--set app.ref=main`: path and value.
    pub set: Vec<(String, String)>,
}

/// Reads, checks and renders everything, for every host; or says everything that is wrong.
///
/// Which secrets are used shows only when everything is rendered: what turns out to be wanted is fetched, and all is
/// done again with it.
pub fn load(
    request: &Request,
    files: &Arc<dyn Files + Send + Sync>,
    providers: &dyn Providers,
) -> Result<Project, Mistakes> {
    let mut fetched = Fetched::default();
    loop {
        let loaded = load_with(request, files, (providers, &fetched));
        let mistakes = loaded.as_ref().err().map_or(&[][..], |mistakes| &mistakes.list);
        let wanted: BTreeSet<Wanted> = mistakes.iter().filter_map(|mistake| mistake.wanted.clone()).collect();
        if wanted.is_empty() || mistakes.iter().any(|mistake| mistake.wanted.is_none()) {
            return loaded.map_err(Mistakes::without_wanted);
        }
        // Each is wanted once: what was fetched is there from now on, as a value or as a reason.
        for wanted in wanted {
            fetched.fetch(wanted, providers);
        }
    }
}

fn load_with(
    request: &Request,
    files: &Arc<dyn Files + Send + Sync>,
    providers: (&dyn Providers, &Fetched),
) -> Result<Project, Mistakes> {
    let mut mistakes = Mistakes::default();
    let inventory = read_inventory(request.inventory.as_ref(), &mut mistakes);
    // With a broken inventory, the playbook is still checked for what does not depend on it.
    let sound = mistakes.is_empty();
    let inventory = if !sound && inventory.hosts.is_empty() { Inventory::localhost() } else { inventory };
    let entries = inventory.secrets.as_slice();
    let secrets = Secrets::load(&inventory.file, entries, files.as_ref(), providers);
    let (mask, templates) = (secrets.mask(), Templates::default());
    let file = Arc::new(request.playbook.clone());
    let playbook = Playbook::load(&file, &templates, Some(files.as_ref()), &mut mistakes);
    let tags = Tags { only: &request.tags, skip: &request.skip_tags };
    tags.check(&playbook, &mut mistakes);
    let names = order::late_names(&playbook, tags, &mut mistakes);
    let set = set::values(&request.set, &mut mistakes);
    let limited = limited(&inventory, request.limit.as_deref(), &mut mistakes);
    let (vars, defaults) = (playbook.vars.clone(), playbook.defaults.clone());
    let mut known = inventory.known(&templates);
    playbook.add_to(&mut known, &templates);
    let set = known.fitting(set, &mut mistakes);
    let chosen = choose(&inventory, playbook, (&limited, tags), sound, &mut mistakes);
    let taking_part: Vec<usize> = (0..inventory.hosts.len())
        .filter(|host| chosen.iter().any(|stage| stage.hosts.contains(host)))
        .collect();
    let render = Render {
        inventory: &inventory,
        playbook: &file,
        vars: &vars,
        defaults: &defaults,
        set: &set,
        sources: Arc::new(Sources {
            files: files.clone(),
            templates,
            secrets,
            mask: mask.clone(),
            mentioned: Mutex::default(),
        }),
        names,
    };
    let sources = render.sources.clone();
    let (stages, mut vars) = render.stages(chosen, &mut mistakes);
    let whole = request.limit.is_none() && request.tags.is_empty() && request.skip_tags.is_empty();
    let sure = whole && mistakes.is_empty() && !project::has_unread(&stages);
    known.mentions.extend(&sources.mentioned.lock().unwrap_or_else(PoisonError::into_inner));
    known.check(&set, sure, &mut mistakes);
    if !sound {
        mistakes.list.retain(|mistake| mistake.label != fault::NOT_FOUND);
    }
    let host = |at: &usize| {
        let vars = vars.remove(at).unwrap_or_default();
        Host { vars, ..inventory.resolved(&inventory.hosts[*at]) }
    };
    let hosts = taking_part.iter().map(host).collect();
    let project = Project { playbook: file.name.clone(), hosts, stages, mask: mask.clone() };
    mistakes.finish(taking_part.len(), &mask).or(project)
}

/// For `tow hosts`: the hosts that `limit` selects.
pub fn load_inventory(inventory: Option<&TextFile>, limit: Option<&str>) -> Result<Vec<Host>, Mistakes> {
    let mut mistakes = Mistakes::default();
    let inventory = read_inventory(inventory, &mut mistakes);
    let limited = if mistakes.is_empty() { limited(&inventory, limit, &mut mistakes) } else { vec![] };
    let selected = inventory.hosts.iter().zip(limited).filter(|(_, selected)| *selected);
    let hosts = selected.map(|(host, _)| inventory.resolved(host)).collect();
    mistakes.finish(inventory.hosts.len(), &Mask::default()).or(hosts)
}

/// For `tow exec`: one command on the selected hosts. A single word is a shell line, several are an argv.
pub fn exec_project(
    inventory: Option<&TextFile>,
    limit: Option<&str>,
    argv: &[String],
) -> Result<Project, Mistakes> {
    let hosts = load_inventory(inventory, limit)?;
    let run = match argv {
        [] => return Err(Mistakes::argument("no command is given: write it behind `--`")),
        [line] => toml::Value::from(line.as_str()),
        words => toml::Value::from(words.to_vec()),
    };
    let table = toml::Value::Table([("run".to_owned(), run)].into_iter().collect());
    let task = match crate::task::parse("command", table) {
        Some(Ok(task)) => Body::Ready(Arc::from(task)),
        Some(Err(error)) => return Err(Mistakes::argument(error.to_string())),
        None => return Err(Mistakes::argument("there is no kind `command`")),
    };
    let name = if let [line] = argv { line.clone() } else { crate::words::shell::join(argv) };
    let spec = TaskSpec { name, ..TaskSpec::new("command", "tow exec".into(), task) };
    let names: Vec<_> = hosts.iter().map(|host| host.name.clone()).collect();
    let stage = Stage {
        name: "exec".into(),
        waves: vec![names.len()],
        max_failures: MaxFailures::Count(names.len()),
        on_failure: OnFailure::Continue,
        pause: None,
        tasks: names.iter().map(|name| (name.clone(), vec![spec.clone()])).collect(),
        handlers: names.iter().map(|name| (name.clone(), vec![])).collect::<BTreeMap<_, _>>(),
        hosts: names,
    };
    Ok(Project { playbook: "tow exec".into(), hosts, stages: vec![stage], mask: Mask::default() })
}

fn read_inventory(file: Option<&TextFile>, mistakes: &mut Mistakes) -> Inventory {
    let Some(file) = file else { return Inventory::localhost() };
    let file = Arc::new(file.clone());
    let inventory = Inventory::parse(&file, mistakes);
    if inventory.hosts.is_empty() && mistakes.is_empty() {
        let mistake = Mistake::whole_file(&file, "the inventory has no hosts");
        mistakes
            .push(mistake.help("add one: [hosts.web1] and, on the next line, address = \"203.0.113.10\""));
    }
    inventory
}

fn limited(inventory: &Inventory, limit: Option<&str>, mistakes: &mut Mistakes) -> Vec<bool> {
    let all = vec![true; inventory.hosts.len()];
    // Without hosts every pattern would be wrong, and the reason has been given.
    let Some(pattern) = limit.filter(|_| !inventory.hosts.is_empty()) else { return all };
    select::select(inventory, pattern).unwrap_or_else(|wrong| {
        mistakes.push(Mistake::argument(format!("--limit: {}", wrong.message)).maybe_help(wrong.help));
        all
    })
}

fn choose(
    inventory: &Inventory,
    Playbook { stages, .. }: Playbook,
    (limited, tags): (&[bool], Tags<'_>),
    sound: bool,
    mistakes: &mut Mistakes,
) -> Vec<Chosen> {
    let mut chosen = vec![];
    let before = mistakes.list.len();
    for stage in stages {
        let matched = match select::select(inventory, &stage.hosts.text) {
            Ok(matched) => matched,
            Err(wrong) => {
                if sound {
                    let start = stage.hosts.span.start + 1;
                    let span = start + wrong.at.start..start + wrong.at.end;
                    let mistake = Mistake::at(&stage.file, span, wrong.message);
                    mistakes.push(mistake.label("selects the hosts of the stage").maybe_help(wrong.help));
                }
                vec![true; inventory.hosts.len()]
            }
        };
        let both = matched.iter().zip(limited).map(|(matched, limited)| *matched && *limited);
        let hosts = both.enumerate().filter(|(_, both)| *both).map(|(host, _)| host).collect();
        chosen.push(Chosen::new(stage, hosts, tags));
    }
    let any = chosen.iter().any(|stage| !stage.tasks_empty());
    chosen.retain(|stage| !stage.is_empty());
    if any && chosen.is_empty() && sound && mistakes.list.len() == before && mistakes.is_empty() {
        let message = "no host is left: `--limit` and the `hosts` of the stages have none in common";
        mistakes.push(Mistake::argument(message));
    }
    chosen
}
