//! `tow deploy`, `tow rollback` and what they share with `tow resume`: the shipped playbook, run while the application is
//! locked, with the release that follows from what the hosts have.

mod aim;
mod alive;
pub mod ask;
mod back;
mod changes;
mod down;
mod git;
mod lease;
pub mod pending;
pub mod resume;
mod revision;
mod sight;
pub mod status;
mod told;
pub mod unlock;
pub mod update;

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;

use crate::cli::args::{Application, Deploy, Output, Rollback};
use crate::cli::conduct::{Conduct, run_name};
use crate::cli::files::DiskFiles;
use crate::cli::playbook::Ready;
use crate::cli::release::aim::{Aim, Order};
use crate::cli::release::alive::Alive;
use crate::cli::release::back::{Back, Schema};
use crate::cli::release::lease::Lease;
use crate::cli::secrets::Edge;
use crate::cli::{Ended, Stop, playbook};
use crate::engine::Hold;
use crate::spec::model::{Host, Project};
use crate::task::releases::App;
use crate::task::releases::lock::Claim;
use crate::words::error::{Error, Kind, Result};
use crate::words::event::Mode;
use crate::words::names::RemotePath;

/// Tasks with this tag are what a rollback needs.
pub const SWITCH: &str = "switch";
/// Tasks with this tag put data back.
const RESTORE: &str = "restore";
/// And those take migrations back.
const DOWN: &str = "down";
/// Stands for the name of a release until the hosts have said what they have.
pub const UNKNOWN: &str = "0";

pub async fn deploy(args: &Deploy) -> Ended {
    let mut app = args.app.clone();
    app.set.extend(args.reference.iter().map(|name| ("app.ref".to_owned(), name.clone())));
    let reader = Reader::new(app, vec![])?;
    let checked = reader.read(&[])?;
    if let Some(name) = &args.reference {
        revision::of_repository(first(&checked.project)?, name)?;
    }
    let revision = revision::of(first(&checked.project)?, &DiskFiles::beside(&reader.file)).await?;
    let aim = if args.fresh { Aim::Fresh(revision) } else { Aim::Next(revision) };
    run(reader, (args.output, args.plan), checked, aim).await
}

pub async fn rollback(args: &Rollback) -> Ended {
    let mut reader = Reader::new(args.app.clone(), vec![SWITCH.to_owned()])?;
    let mut checked = reader.read(&[])?;
    let serving = checked.project.hosts.iter().map(|host| host.name.clone()).collect();
    let mut schema = Schema::of(&checked.project.hosts);
    let data = [(args.restore_backup, Schema::Restored, RESTORE), (args.migrate_down, Schema::Down, DOWN)];
    if let Some((_, way, tag)) = data.into_iter().find(|(asked, ..)| *asked) {
        schema = way;
        reader.tags.push(tag.to_owned());
        checked = reader.read(&[])?;
        nobody_is_left_out(&args.app, tag, &checked.project)?;
    }
    let back = Back { to: args.to.clone(), schema, serving };
    run(reader, (args.output, args.plan), checked, Aim::Back(back)).await
}

/// The data of a backup, named by the variable `restore`, in the place of what is there.
pub async fn restore(app: &Application, output: Output) -> Ended {
    let reader = Reader::new(app.clone(), vec![RESTORE.to_owned()])?;
    let checked = reader.read(&[])?;
    nobody_is_left_out(app, RESTORE, &checked.project)?;
    run(reader, (output, false), checked, Aim::Stay).await
}

/// Whoever shares a database with a host of the run has to take part when that changes.
fn nobody_is_left_out(app: &Application, tag: &str, limited: &Project) -> std::result::Result<(), Stop> {
    if app.target.limit.is_none() {
        return Ok(());
    }
    let mut all = app.clone();
    all.target.limit = None;
    let all = Reader::new(all, vec![tag.to_owned()])?.read(&[])?.project;
    let takes_part = |host: &Host| limited.hosts.iter().any(|other| other.name == host.name);
    let database = |host: &Host| host.vars.text("database").map(str::to_owned);
    let shared: Vec<String> = limited.hosts.iter().filter_map(database).collect();
    let is_out =
        |host: &&Host| !takes_part(host) && database(host).is_some_and(|name| shared.contains(&name));
    let names: Vec<&str> = all.hosts.iter().filter(is_out).map(|host| host.name.as_str()).collect();
    if names.is_empty() {
        return Ok(());
    }
    let (what, why) = match tag {
        DOWN => ("take migrations back", "would go on with a release that does not fit it"),
        _ => ("restore", "would go on writing to what is replaced"),
    };
    Err(Error::config(format!("cannot {what} without {}", names.join(", ")))
        .cause(format!("they have the same database, and {why}"))
        .hint("leave --limit out, or select them too")
        .into())
}

/// Reads and checks everything: before any connection, and again when the release has its name.
pub struct Reader {
    app: Application,
    file: PathBuf,
    tags: Vec<String>,
    edge: Edge,
}

impl Reader {
    pub fn new(app: Application, tags: Vec<String>) -> Result<Reader> {
        let (file, edge) = (playbook::find(&app.playbook)?, playbook::edge(&app.target));
        Ok(Reader { app, file, tags, edge })
    }

    fn playbook(&self) -> String {
        self.file.file_name().unwrap_or_default().to_string_lossy().into_owned()
    }

    /// Of the variables of the command line. Which commit a ref means is known without one.
    fn names(&self) -> BTreeSet<String> {
        let names = self.app.set.iter().map(|(name, _)| name.clone());
        names.filter(|name| name != "app.ref").collect()
    }

    /// With further variables above those of the command line.
    pub fn read(&self, set: &[(String, String)]) -> std::result::Result<Ready, Stop> {
        // Nor has anybody to read the source for it: who goes back does not need any.
        let stand_in = ["release", "revision"].map(|name| (name.to_owned(), UNKNOWN.to_owned()));
        let set = [self.app.set.as_slice(), &stand_in, set].concat();
        playbook::load_with(&self.app.target, &self.file, [&self.tags, &[]], &set, &self.edge)
    }
}

async fn run(reader: Reader, (output, plan): (Output, bool), checked: Ready, aim: Aim) -> Ended {
    let Ready { project: mut checked, keys } = checked;
    // For the reports and the history: the same playbook deploys, goes back and restores.
    checked.playbook = format!("{}: {}", aim.told(), checked.playbook);
    let name = run_name();
    let alive = Alive::begin(&name);
    let claim = Claim { run: name.clone(), holder: alive::operator(), dead: alive.dead() };
    let connection = reader.app.connection.clone();
    let order = Order { claim, aim, plan, playbook: reader.playbook(), set: reader.names() };
    let load = move |set: &[(String, String)]| reader.read(set).map(|ready| ready.project);
    let lease = Arc::new(Lease::new(order, &checked, Box::new(load))?);
    let mode = if plan { Mode::Plan } else { Mode::Run };
    let hold = Some((name.clone(), lease.clone() as Arc<dyn Hold>));
    let conduct = Conduct { hold, ..Conduct::new(mode, &connection, output, keys) };
    let code = conduct.run(&checked).await?;
    if let Some(work) = lease.left().filter(|_| code != 0 && !plan && !output.json && !output.quiet) {
        resume::advise(&work, code);
    }
    // A host that was lost may still have our lock: the next run shall know that nobody stands behind it.
    let lost = [Kind::Unreachable, Kind::Unknown, Kind::Interrupted].map(Kind::exit_code);
    if !lost.contains(&code) {
        alive.end(&name);
    }
    Ok(code)
}

pub fn first(project: &Project) -> Result<&Host> {
    project.hosts.first().ok_or_else(|| Error::config("no host takes part"))
}

/// The application of a host, as its variables name it.
pub fn application(host: &Host) -> Result<App> {
    let text = |path: &str| {
        host.vars.text(path).ok_or_else(|| {
            Error::config(format!("{} has no variable `{path}`", host.name))
                .hint("`app.name` and `root` say which application it is: set them in the inventory")
        })
    };
    let root = RemotePath::new(text("root")?).map_err(|why| Error::config("`root` is no path").cause(why))?;
    let app = App { name: text("app.name")?.to_owned(), root };
    app.check().map_err(|mistake| Error::config(mistake.message))?;
    Ok(app)
}
