//! `tow run` and `tow plan`.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::cli::args::{Playbook, Target};
use crate::cli::conduct::Conduct;
use crate::cli::files::DiskFiles;
use crate::cli::pending::PendingFile;
use crate::cli::secrets::Edge;
use crate::cli::{Ended, Stop};
use crate::engine::Pending;
use crate::spec::mistake::Mistakes;
use crate::spec::model::Project;
use crate::spec::source::TextFile;
use crate::spec::{self, Request};
use crate::transport::Unlocked;
use crate::words::content::Files;
use crate::words::error::{Error, Result};
use crate::words::event::Mode;

pub async fn run(args: &Playbook) -> Ended {
    let playbook = find(&args.file)?;
    let (project, keys) = load(args, &playbook)?;
    let pending = pending(&playbook, &args.target);
    say_where(args);
    let (connection, output) = (&args.connection, args.output);
    Conduct { mode: Mode::Run, diffs: args.diff, connection, output, pending, recorded: true, keys }
        .run(&project)
        .await
}

pub async fn plan(args: &Playbook) -> Ended {
    let playbook = find(&args.file)?;
    let (project, keys) = load(args, &playbook)?;
    let pending = pending(&playbook, &args.target);
    say_where(args);
    let (connection, output) = (&args.connection, args.output);
    Conduct { mode: Mode::Plan, diffs: true, connection, output, pending, recorded: false, keys }
        .run(&project)
        .await
}

/// A forgotten inventory must not pass for a run on the servers.
fn say_where(args: &Playbook) {
    if inventory_path(args.target.inventory.as_deref()).is_none() && !args.output.json && !args.output.quiet {
        let _ = writeln!(std::io::stderr(), "no inventory.toml here: this machine only");
    }
}

/// Reads and checks everything; nothing has been connected to yet. The keys are those that opened the secrets.
pub fn load(args: &Playbook, playbook: &Path) -> Result<(Project, Unlocked), Stop> {
    let request = Request {
        inventory: inventory(&args.target)?,
        playbook: text_file(playbook, "playbook")?,
        limit: args.target.limit.clone(),
        tags: args.tags.clone(),
        skip_tags: args.skip_tags.clone(),
        set: args.set.clone(),
    };
    let files: Arc<dyn Files + Send + Sync> = Arc::new(DiskFiles::beside(playbook));
    let edge = Edge::new(inventory_path(args.target.inventory.as_deref()));
    let project = spec::load(&request, &files, &edge).map_err(|mistakes| stop(&mistakes))?;
    project.mask.join(edge.mask());
    Ok((project, edge.unlocked()))
}

/// A file, or the name of one in `playbooks/`.
fn find(named: &Path) -> Result<PathBuf> {
    let short = Path::new("playbooks").join(named).with_extension("toml");
    if named.is_file() {
        return Ok(named.to_owned());
    }
    if short.is_file() {
        return Ok(short);
    }
    Err(Error::config(format!("there is no playbook {}", named.display()))
        .cause(format!("neither {} nor {} is a file", named.display(), short.display()))
        .hint("name a file, such as `tow run playbooks/site.toml`"))
}

fn pending(playbook: &Path, target: &Target) -> Option<Arc<dyn Pending>> {
    PendingFile::of(playbook, inventory_path(target.inventory.as_deref()))
        .map(|file| Arc::new(file) as Arc<dyn Pending>)
}

/// The inventory that was named, or `inventory.toml` here; `None` where there is none.
pub fn inventory(target: &Target) -> Result<Option<TextFile>> {
    inventory_path(target.inventory.as_deref()).map(|path| text_file(path, "inventory")).transpose()
}

pub fn inventory_path(named: Option<&Path>) -> Option<&Path> {
    let here = Path::new("inventory.toml");
    named.or_else(|| here.is_file().then_some(here))
}

fn text_file(path: &Path, what: &str) -> Result<TextFile> {
    let text = std::fs::read_to_string(path);
    let text = text
        .map_err(|error| Error::config(format!("cannot read the {what} {}", path.display())).cause(error))?;
    let file = TextFile::new(path.display().to_string(), text);
    let folder = std::path::absolute(path).ok().and_then(|path| Some(path.parent()?.display().to_string()));
    Ok(file.in_folder(folder.unwrap_or_default()))
}

pub fn stop(mistakes: &Mistakes) -> Stop {
    let around = crate::report::choose::Surroundings::here();
    let width = usize::from(console::Term::stderr().size().1).clamp(40, 120);
    let width = if around.stderr_terminal { width } else { 100 };
    Stop::Mistakes(mistakes.render(width, around.stderr_terminal && !around.no_color && !around.dumb))
}
