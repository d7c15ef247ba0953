//! What every host of an application has and does, asked in one round trip each; and what would be deployed there.

use std::collections::BTreeMap;

use crate::cli::Stop;
use crate::cli::args::Application;
use crate::cli::files::DiskFiles;
use crate::cli::playbook::{self, Ready};
use crate::cli::release::ask::{self, Scripts};
use crate::cli::release::pending::{Served, Source, Sources, Update};
use crate::cli::release::{Reader, SWITCH, alive, application};
use crate::spec::model::{Body, Host, Project};
use crate::task::releases::look::{Look, Question};
use crate::task::releases::state::State;
use crate::words::error::Result;
use crate::words::fact::Probe;
use crate::words::names::HostName;

/// One host, as it answered.
#[derive(Debug)]
pub struct Seen {
    pub state: State,
    pub look: Look,
    pub served: Served,
    pub source: Source,
    /// Whoever has the lock was a run of this machine, and lives no more.
    pub ended: bool,
    /// Why it cannot be told, where it cannot.
    pub update: std::result::Result<Update, String>,
}

pub type Sight = BTreeMap<HostName, Result<Seen>>;

/// Reads the playbook, asks all hosts, and finds out what would be deployed now.
pub async fn sight(args: &Application, sources: &mut Sources<'_>) -> std::result::Result<Sight, Stop> {
    let Ready { project, keys } = Reader::new(args.clone(), vec![SWITCH.to_owned()])?.read(&[])?;
    let (mut scripts, mut questions) = (Scripts::new(), BTreeMap::new());
    for host in &project.hosts {
        let asked = gates(&project, host);
        scripts.insert(host.name.clone(), application(host)?.look_script(&asked));
        questions.insert(host.name.clone(), asked);
    }
    let answers = ask::hosts(&project, &args.connection, &keys, scripts).await?;
    let mut sight = Sight::new();
    for (name, said) in answers {
        let Some(host) = project.hosts.iter().find(|host| host.name == name) else { continue };
        let seen = match said {
            Ok(said) => Ok(seen(host, &said, &questions[&name], sources).await),
            Err(error) => Err(error),
        };
        sight.insert(name, seen);
    }
    Ok(sight)
}

/// The operator's files, as the playbook sees them.
pub fn files(args: &Application) -> Result<DiskFiles> {
    Ok(DiskFiles::beside(&playbook::find(&args.playbook)?))
}

async fn seen(host: &Host, said: &str, questions: &[Question], sources: &mut Sources<'_>) -> Seen {
    let (state, look) = (State::parse(said), Look::parse(said, questions));
    let served = Served::of(&state, &look);
    let update = sources.update(host, &served).await;
    let ended = state.lock.as_ref().is_some_and(|lock| alive::ended().contains(&lock.run));
    Seen { state, look, served, source: Source::of(host), ended, update }
}

/// What a switch has to answer before it counts: the `http` tasks of the playbook, asked the same way.
fn gates(project: &Project, host: &Host) -> Vec<Question> {
    let specs = project.stages.iter().filter_map(|stage| stage.tasks.get(&host.name)).flatten();
    let asked = specs.filter(|spec| spec.kind == "http" && spec.skip.is_none() && spec.when.is_none());
    let questions = asked.filter_map(|spec| {
        let Body::Ready(task) = &spec.body else { return None };
        let Some(Probe::Shell { script, .. }) = task.probes().pop() else { return None };
        Some(Question { name: spec.name.clone(), unless: spec.unless.clone(), script })
    });
    questions.collect()
}
