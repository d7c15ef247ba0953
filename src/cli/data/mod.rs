//! `tow backup`, `tow backups` and `tow restore`. What is done on a host its script does, by tasks of the playbook.

mod fetch;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::Write as _;

use crate::cli::args::{Application, Backup, Backups, Restore};
use crate::cli::conduct::Conduct;
use crate::cli::playbook::Ready;
use crate::cli::prompt::Prompt;
use crate::cli::release::ask::{self, Answers};
use crate::cli::release::{self, Reader, application, first};
use crate::cli::{Ended, Stop};
use crate::report::out;
use crate::report::text::neutralise;
use crate::task::releases::backup::{self, Backups as Found, LATEST};
use crate::words::error::{Error, Result};
use crate::words::event::Mode;
use crate::words::names::HostName;

/// Tasks with this tag see to the script on the hosts and its timer.
const BACKUP: &str = "backup";
/// And those make one now.
const TAKE: &str = "take";

pub async fn backup(args: &Backup) -> Ended {
    // Before anything is done: whether it could be encrypted at all.
    let fetch = args.fetch.as_deref().map(|folder| fetch::Fetch::new(args, folder)).transpose()?;
    let tags = vec![BACKUP.to_owned(), TAKE.to_owned()];
    let Ready { project, keys } = Reader::new(args.app.clone(), tags)?.read(&[])?;
    let conduct = Conduct::new(Mode::Run, &args.app.connection, args.output, keys.clone());
    let code = conduct.run(&project).await?;
    match fetch {
        Some(fetch) if code == 0 => fetch.run(&args.app, &Ready { project, keys }).await,
        _ => Ok(code),
    }
}

async fn everywhere(app: &Application) -> std::result::Result<BTreeMap<HostName, Result<Found>>, Stop> {
    let answers: Answers = ask::everywhere(app, Some(BACKUP), &|app| app.saver(&["list"])).await?;
    Ok(answers.into_iter().map(|(host, said)| (host, said.map(|said| Found::parse(&said)))).collect())
}

pub async fn list(args: &Backups) -> Ended {
    let (mut text, mut aside, mut code) = (String::new(), String::new(), 0);
    for (host, found) in everywhere(&args.app).await? {
        match found {
            Ok(found) => {
                let line = |backup| {
                    if args.json { json(&host, backup) } else { format!("{host}  {}\n", told(backup)) }
                };
                text.extend(found.whole.iter().map(line));
                if found.whole.is_empty() {
                    let _ = writeln!(aside, "{host}: no backup");
                }
                for name in found.damaged {
                    let _ = writeln!(
                        aside,
                        "{host}: {} is damaged and is not offered: it is not what was verified",
                        neutralise(&name)
                    );
                }
            }
            Err(error) => {
                code = error.kind.exit_code().max(code);
                let _ = writeln!(aside, "{host}: {error}");
            }
        }
    }
    out::write(&text);
    let _ = std::io::stderr().write_all(aside.as_bytes());
    Ok(code)
}

fn told(backup: &backup::Backup) -> String {
    let backup::Backup { name, at, kind, release, schema, tables, rows, files, digest, .. } = backup;
    let schema = if schema.is_empty() { String::new() } else { format!(", schema {schema}") };
    neutralise(&format!(
        "{name}  {at}  {:>9}  {kind:7}  verified: {tables} tables, {rows} rows, {files} files  {:.12}  release {release}{schema}",
        size(backup.bytes),
        digest
    ))
}

fn size(bytes: u64) -> String {
    let (mut tenths, mut unit) = (bytes.saturating_mul(10), "B");
    for next in ["KiB", "MiB", "GiB", "TiB"] {
        if tenths < 10240 {
            break;
        }
        (tenths, unit) = (tenths / 1024, next);
    }
    if unit == "B" { format!("{bytes} B") } else { format!("{}.{} {unit}", tenths / 10, tenths % 10) }
}

fn json(host: &HostName, backup: &backup::Backup) -> String {
    let mut value = serde_json::json!(backup);
    value["host"] = serde_json::json!(host);
    format!("{value}\n")
}

pub async fn restore(args: &Restore) -> Ended {
    let mut app = args.app.clone();
    app.set.push(("restore".to_owned(), args.backup.clone()));
    if args.other_schema {
        app.set.push(("other_schema".to_owned(), "true".to_owned()));
    }
    let (mut meant, mut damaged) = (vec![], vec![]);
    for (host, found) in everywhere(&app).await? {
        let found = found?;
        let _ = std::io::stderr().write_all(skipped(args, &host, &found).as_bytes());
        damaged.extend(found.damaged.iter().filter(|name| **name == args.backup).map(|_| host.to_string()));
        meant.extend(found.find(&args.backup).map(|backup| format!("{host}  {}\n", told(backup))));
    }
    if !damaged.is_empty() {
        return Err(refused(args).cause(format!("it is damaged on {}", damaged.join(", "))).into());
    }
    if meant.is_empty() {
        return Err(refused(args).cause("no host of the run has it").into());
    }
    let checked = Reader::new(app.clone(), vec![BACKUP.to_owned()])?.read(&[])?.project;
    agree(args, &application(first(&checked)?)?.name, &meant.concat())?;
    release::restore(&app, args.output).await
}

/// Nobody finds out afterwards that older data came than were meant.
fn skipped(args: &Restore, host: &HostName, found: &Found) -> String {
    if args.backup != LATEST {
        return String::new();
    }
    let taken = found.find(LATEST);
    let instead = taken.map_or("no other is there", |backup| backup.name.as_str());
    let line = |name: &str| {
        format!(
            "warning: {host}: {} is newer, but damaged: it is not what was verified; taken: {}\n",
            neutralise(name),
            neutralise(instead)
        )
    };
    found.skipped(taken).map(line).collect()
}

fn refused(args: &Restore) -> Error {
    Error::failed(format!("cannot restore {}", args.backup)).hint("see what can be restored: tow backups")
}

/// Whoever restores types what it is that is replaced.
fn agree(args: &Restore, name: &str, meant: &str) -> Result<()> {
    let answer = args.yes.clone().or_else(|| {
        Prompt::ask(&format!(
            "{meant}The data of {name} are replaced by these, and it does not answer meanwhile. What is there now is backed up first.\n\
             Type the name of the application: "
        ))
    });
    match answer {
        Some(answer) if answer.trim() == name => Ok(()),
        Some(answer) => Err(Error::config("nothing was restored")
            .cause(format!("the application is called {name}, not {:?}", answer.trim()))),
        None => Err(Error::config("nothing was restored")
            .cause("nobody is there to say which application it is about")
            .hint(format!("without a terminal: --yes {name}"))),
    }
}
