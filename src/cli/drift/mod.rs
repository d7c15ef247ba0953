//! `tow drift`: what differs on the hosts from what the last run left, and which side has changed.

mod since;
mod told;
mod watch;

use std::collections::BTreeMap;
use std::io::Write as _;
use std::sync::Arc;

use crate::cli::args::{Colour, Drift, Output, Wanted};
use crate::cli::conduct::Conduct;
use crate::cli::drift::since::{Work, history, since};
use crate::cli::drift::watch::{Difference, Found, Side, Watch};
use crate::cli::playbook::{self, Ready};
use crate::cli::release::{UNKNOWN, ask, pending::Served};
use crate::cli::secrets::Edge;
use crate::cli::{Ended, Stop};
use crate::report::out;
use crate::report::text::neutralise;
use crate::task::releases::look::{Entry, Look};
use crate::task::releases::state::State;
use crate::words::error::{Error, Kind};
use crate::words::event::Mode;
use crate::words::names::HostName;

/// Something differs.
const DIFFERS: u8 = 3;

/// A host after it was looked at.
struct Drifted {
    release: String,
    found: Found,
    since: Vec<Work>,
}

pub async fn run(args: &Drift) -> Ended {
    let edge = playbook::edge(&args.wanted.target);
    let (served, mut code) = serving(args, &edge).await?;
    let mut all = BTreeMap::new();
    let history = history();
    for (group, hosts) in groups(&served) {
        let (found, ended) = look((args, &edge), &group, &hosts).await?;
        code = code.max(ended);
        for (host, found) in found {
            let journal = served.get(&host).map(|(_, journal)| journal.as_slice()).unwrap_or_default();
            // From the oldest change on the host, whose task may have been applied before others.
            let oldest = found.differences.iter().filter(|one| one.changed == Side::Host);
            let oldest = oldest.min_by_key(|one| one.at).map(|one| (one.run.clone(), one.at));
            let since = oldest.and_then(|(run, at)| Some(since(&host, at?, &run?, &history, journal)));
            let release = group.release.clone();
            all.insert(host, Drifted { release, found, since: since.unwrap_or_default() });
        }
    }
    let text: String = all.iter().map(|(host, one)| told::host(host, one, args.json)).collect();
    out::write(&text);
    let differs = all.values().any(|one| !one.found.differences.is_empty());
    Ok(if differs { code.max(DIFFERS) } else { code })
}

type Serving = BTreeMap<HostName, (Served, Vec<Entry>)>;

/// What each host serves, and the end of its journal; nothing of hosts that have no application.
async fn serving(args: &Drift, edge: &Edge) -> Result<(Serving, u8), Stop> {
    let mut wanted = args.wanted.clone();
    // Whoever names a release means that one.
    let named = wanted.set.iter().any(|(name, _)| name == "release");
    if !named {
        wanted.set.push(("release".to_owned(), UNKNOWN.to_owned()));
    }
    let Ready { project, keys } = read(&wanted, edge)?;
    let mut scripts = ask::Scripts::new();
    for host in project.hosts.iter().filter(|_| !named) {
        if let Ok(app) = crate::cli::release::application(host) {
            let journal = format!(
                "tail -n 40 /var/lib/towline/{}/journal.jsonl 2>/dev/null | sed 's/^/entry=/'",
                app.name
            );
            scripts.insert(host.name.clone(), format!("{}{journal}\n", app.look_script(&[])));
        }
    }
    let mut answers = ask::hosts(&project, &args.connection, &keys, scripts).await?;
    let (mut serving, mut code) = (Serving::new(), 0);
    for host in &project.hosts {
        match answers.remove(&host.name) {
            None => drop(serving.insert(host.name.clone(), Default::default())),
            Some(Ok(said)) => drop(serving.insert(host.name.clone(), answered(&said))),
            Some(Err(error)) => {
                let _ =
                    writeln!(std::io::stderr(), "error: {}: {}", host.name, neutralise(&error.to_string()));
                code = error.kind.exit_code().max(code);
            }
        }
    }
    Ok((serving, code))
}

fn answered(said: &str) -> (Served, Vec<Entry>) {
    let served = Served::of(&State::parse(said), &Look::parse(said, &[]));
    let entries = said.lines().filter_map(|line| serde_json::from_str(line.strip_prefix("entry=")?).ok());
    (served, entries.collect())
}

fn read(wanted: &Wanted, edge: &Edge) -> Result<Ready, Stop> {
    playbook::load_with(&wanted.target, &playbook::find(&wanted.file)?, [&[], &[]], &wanted.set, edge)
}

/// Hosts that serve the same are planned together.
fn groups(served: &Serving) -> BTreeMap<Served, Vec<&HostName>> {
    let mut groups: BTreeMap<Served, Vec<&HostName>> = BTreeMap::new();
    for (host, (served, _)) in served {
        groups.entry(served.clone()).or_default().push(host);
    }
    groups
}

/// Plans the playbook with the release that serves, and keeps what differs.
async fn look(
    (args, edge): (&Drift, &Edge),
    served: &Served,
    hosts: &[&HostName],
) -> Result<(BTreeMap<HostName, Found>, u8), Stop> {
    let mut wanted: Wanted = args.wanted.clone();
    let names: Vec<&str> = hosts.iter().map(|host| host.as_str()).collect();
    wanted.target.limit = Some(names.join(":"));
    wanted.set.extend(variables(served));
    let Ready { project, keys } = read(&wanted, edge)?;
    let watch = Arc::new(Watch::new(&project.hosts, project.mask.clone()));
    let output = Output { json: false, plain: true, quiet: true, verbose: 0, color: Colour::Auto };
    let conduct = Conduct {
        ledger: Some(watch.clone() as Arc<_>),
        silent: true,
        ..Conduct::new(Mode::Plan, &args.connection, output, keys)
    };
    let code = conduct.run(&project).await?;
    if code == Kind::Interrupted.exit_code() {
        return Err(Error::new(Kind::Interrupted, "interrupted").into());
    }
    let mut found = watch.found();
    // What went wrong before the first task was told already.
    for host in project.hosts.iter().filter(|_| code == 0) {
        found.entry(host.name.clone()).or_default();
    }
    Ok((found, code))
}

/// As `tow deploy` gives them, so that a branch that has moved on is no drift.
fn variables(served: &Served) -> Vec<(String, String)> {
    let mut set = vec![];
    if served.release.is_empty() {
        return set;
    }
    set.push(("release".to_owned(), served.release.clone()));
    let revision = if served.revision.is_empty() { &served.release } else { &served.revision };
    set.push(("revision".to_owned(), revision.clone()));
    set.extend(served.whole_commit().into_iter().map(|commit| ("app.ref".to_owned(), commit.clone())));
    set
}
