//! `tow update`: whether there is something new, what it changes, and its deployment.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::Write as _;

use serde_json::json;

use crate::cli::Ended;
use crate::cli::args::{Deploy, Update};
use crate::cli::prompt::Prompt;
use crate::cli::release::changes::{Changes, between};
use crate::cli::release::pending::{Served, Source, Sources};
use crate::cli::release::sight::{self, Seen, Sight};
use crate::cli::release::told;
use crate::report::out;
use crate::report::text::neutralise;
use crate::words::error::{Error, Kind, Result};
use crate::words::names::HostName;
use crate::words::plural::{count, list};

/// There are updates.
const UPDATES: u8 = 10;

pub async fn run(args: &Update) -> Ended {
    let mut app = args.app.clone();
    app.set.extend(args.reference.iter().map(|name| ("app.ref".to_owned(), name.clone())));
    let files = sight::files(&app)?;
    let mut sources = Sources::new(&files);
    let sight = sight::sight(&app, &mut sources).await?;
    if let Some(code) = unseen(&sight) {
        return Ok(code);
    }
    let groups = groups(&sight, &mut sources).await?;
    say(args, &groups);
    let pending: usize = groups.iter().filter(|group| group.pending).map(|group| group.hosts.len()).sum();
    if pending == 0 {
        return Ok(0);
    }
    if args.check || !(args.plan || args.yes || agreed(sight.len())?) {
        return Ok(UPDATES);
    }
    // What was shown, even if the branch moves on meanwhile.
    let shown = groups.iter().find(|group| group.pending).and_then(|group| group.reference.clone());
    let reference = shown.or_else(|| args.reference.clone());
    let app = args.app.clone();
    super::deploy(&Deploy { app, reference, fresh: false, plan: args.plan, output: args.output }).await
}

/// Hosts that could not be asked end it: nobody knows what they serve.
fn unseen(sight: &Sight) -> Option<u8> {
    let mut worst = None;
    for (host, seen) in sight {
        let Err(error) = seen else { continue };
        let _ = writeln!(std::io::stderr(), "error: {host}: {}", neutralise(&error.to_string()));
        worst = worst.max(Some(error.kind.exit_code()));
    }
    worst
}

fn agreed(hosts: usize) -> Result<bool> {
    if !Prompt::possible() {
        return Err(Error::config("nobody can be asked whether to deploy this")
            .cause("there is no terminal")
            .hint("`--yes` deploys without asking, and `--check` only looks"));
    }
    Ok(Prompt::agreed(&format!("\nDeploy it to {}? [yes/no] ", count(hosts, "host"))))
}

/// Hosts that serve the same, and are to have the same.
struct Group {
    hosts: Vec<HostName>,
    served: Served,
    update: super::pending::Update,
    pending: bool,
    /// The commit, where git brings it.
    reference: Option<String>,
    /// Why nobody knows, where nobody does.
    changes: std::result::Result<Changes, String>,
}

async fn groups(sight: &Sight, sources: &mut Sources<'_>) -> Result<Vec<Group>> {
    let mut alike: BTreeMap<(&Source, &Served), Vec<(&HostName, &Seen)>> = BTreeMap::new();
    for (host, seen) in sight.iter().filter_map(|(host, seen)| Some((host, seen.as_ref().ok()?))) {
        alike.entry((&seen.source, &seen.served)).or_default().push((host, seen));
    }
    let mut groups = vec![];
    for ((source, served), hosts) in alike {
        let update = hosts[0].1.update.clone().map_err(|why| {
            Error::new(Kind::Failed, "cannot tell whether there is something new").cause(why)
        })?;
        let target = sources.known(source);
        let changes = match (&target, update.pending) {
            (_, false) => Ok(Changes::default()),
            (None, _) => Err("nobody looked".to_owned()),
            (Some(target), true) => match sources.repo(source).await {
                Ok(repo) => between(repo, served, target).await,
                Err(why) => Err(why),
            },
        };
        groups.push(Group {
            hosts: hosts.iter().map(|(host, _)| (*host).clone()).collect(),
            served: served.clone(),
            pending: update.pending,
            update,
            reference: target.and_then(|target| target.reference),
            changes,
        });
    }
    Ok(groups)
}

/// The events of a run are JSON on stdout: what is said before it goes to stderr then.
fn say(args: &Update, groups: &[Group]) {
    if args.check && args.output.json {
        out::write(&groups.iter().map(line).collect::<String>());
    } else if !args.output.quiet || args.check {
        let text = groups.iter().map(told_group).collect::<String>();
        if args.output.json {
            let _ = std::io::stderr().write_all(text.as_bytes());
        } else {
            out::write(&text);
        }
    }
}

fn line(group: &Group) -> String {
    let (changes, unknown) = match &group.changes {
        Ok(changes) => (Some(changes), None),
        Err(why) => (None, Some(why)),
    };
    let lines = group.hosts.iter().map(|host| {
        let value = json!({
            "host": host, "release": group.served.release, "revision": group.served.revision,
            "update": group.update, "changes": changes, "changes_unknown": unknown,
        });
        format!("{value}\n")
    });
    lines.collect()
}

fn told_group(group: &Group) -> String {
    let names: Vec<&str> = group.hosts.iter().map(HostName::as_str).collect();
    let serves = match group.served.release.as_str() {
        "" => "nothing",
        release => release,
    };
    let update = told::update(&group.update);
    let mut text = format!("{}: serves {serves}; {}\n", list(&names, "and"), neutralise(&update));
    if let (true, Ok(changes)) = (group.pending, &group.changes) {
        text += &told_changes(changes);
    }
    text
}

fn told_changes(changes: &Changes) -> String {
    let mut text = String::new();
    let mut part = |title: &str, lines: &[String]| {
        if !lines.is_empty() {
            let _ = writeln!(text, "  {}", neutralise(title));
        }
        for line in lines {
            let _ = writeln!(text, "    {}", neutralise(line).replace('\n', " "));
        }
    };
    part("commits", &changes.commits);
    part("commits that are taken back", &changes.taken_back);
    part("migrations", &changes.migrations);
    for (file, lines) in &changes.dependencies {
        part(&format!("dependencies in {file}"), lines);
    }
    if changes.uncommitted {
        text.push_str("  and changes in the folder that are not committed\n");
    }
    text
}
