//! `tow run` and `tow plan`.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::cli::args::{Output, Playbook, Target, Wanted};
use crate::cli::conduct::Conduct;
use crate::cli::files::DiskFiles;
use crate::cli::pending::PendingFile;
use crate::cli::secrets::Edge;
use crate::cli::{Ended, Stop};
use crate::engine::Pending;
use crate::spec::mistake::Mistakes;
use crate::spec::model::Project;
use crate::spec::source::TextFile;
use crate::spec::suggest;
use crate::spec::{self, Request};
use crate::transport::Unlocked;
use crate::words::content::Files;
use crate::words::error::{Error, Result};
use crate::words::event::Mode;
use crate::words::shell::quote;

pub async fn run(args: &Playbook) -> Ended {
    begin(args, Mode::Run).await
}

pub async fn plan(args: &Playbook) -> Ended {
    begin(args, Mode::Plan).await
}

async fn begin(args: &Playbook, mode: Mode) -> Ended {
    let playbook = find(&args.file)?;
    let Ready { project, keys } = load(args, &playbook)?;
    let pending = pending(&playbook, &args.target);
    say_where(&args.target, args.output);
    Conduct {
        diffs: args.diff || mode == Mode::Plan,
        pending,
        ..Conduct::new(mode, &args.connection, args.output, keys)
    }
    .run(&project)
    .await
}

/// A forgotten inventory must not pass for a run on the servers.
pub fn say_where(target: &Target, output: Output) {
    if inventory_path(target.inventory.as_deref()).is_none() && !output.json && !output.quiet {
        let _ = writeln!(std::io::stderr(), "no inventory.toml here: this machine only");
    }
}

/// Read and checked; nothing has been connected to yet.
pub struct Ready {
    pub project: Project,
    /// Those that opened its secrets.
    pub keys: Unlocked,
}

/// Reads and checks everything.
pub fn load(args: &Playbook, playbook: &Path) -> Result<Ready, Stop> {
    let ready =
        load_with(&args.target, playbook, [&args.tags, &args.skip_tags], &args.set, &edge(&args.target))?;
    only_the_first(&ready.project, &args.file)?;
    Ok(ready)
}

/// A release takes the place of another only where somebody holds the application and gives the release its name.
fn only_the_first(project: &Project, named: &Path) -> Result<()> {
    let Some(task) = project.switching() else { return Ok(()) };
    let playbook = match named.to_string_lossy().as_ref() {
        "deploy" | "playbooks/deploy.toml" => String::new(),
        other => format!(" --playbook {}", quote(other)),
    };
    Err(Error::config("this playbook switches an application to a release")
        .cause(format!(
            "{}: without a lock and a name for the release, what serves would be changed in its place",
            task.origin
        ))
        .hint(format!("tow deploy{playbook}; tow deploy{playbook} --plan shows what it would do")))
}

/// Where its secrets come from. What opened them once, for one reading, is not asked for at the next.
pub fn edge(target: &Target) -> Edge {
    Edge::new(inventory_path(target.inventory.as_deref()))
}

/// The same, from its parts; `tags` are those wanted and those to leave out.
pub fn load_with(
    target: &Target,
    playbook: &Path,
    tags: [&[String]; 2],
    set: &[(String, String)],
    edge: &Edge,
) -> Result<Ready, Stop> {
    let request =
        Request { tags: tags[0].to_vec(), skip_tags: tags[1].to_vec(), ..request(target, playbook, set)? };
    load_request(&request, playbook, edge)
}

/// The same for commands that speak of a playbook as a whole.
pub fn load_whole(wanted: &Wanted) -> Result<Ready, Stop> {
    load_wanted(wanted, |edge| edge)
}

/// The same where nobody will see a secret: no variable, file or program has to give one.
pub fn load_without_secrets(wanted: &Wanted) -> Result<Project, Stop> {
    load_wanted(wanted, Edge::with_placeholders).map(|ready| ready.project)
}

fn load_wanted(wanted: &Wanted, change: impl FnOnce(Edge) -> Edge) -> Result<Ready, Stop> {
    let playbook = find(&wanted.file)?;
    let edge = change(edge(&wanted.target));
    load_request(&request(&wanted.target, &playbook, &wanted.set)?, &playbook, &edge)
}

fn request(target: &Target, playbook: &Path, set: &[(String, String)]) -> Result<Request> {
    Ok(Request {
        inventory: inventory(target)?,
        playbook: text_file(playbook, "playbook")?,
        limit: target.limit.clone(),
        tags: vec![],
        skip_tags: vec![],
        set: set.to_vec(),
    })
}

fn load_request(request: &Request, playbook: &Path, edge: &Edge) -> Result<Ready, Stop> {
    let files: Arc<dyn Files + Send + Sync> = Arc::new(DiskFiles::beside(playbook));
    let project = spec::load(request, &files, edge).map_err(|mistakes| stop(&mistakes))?;
    project.mask.join(edge.mask());
    Ok(Ready { project, keys: edge.unlocked() })
}

/// A file, or the name of one in `playbooks/`.
pub fn find(named: &Path) -> Result<PathBuf> {
    let short = Path::new("playbooks").join(named).with_extension("toml");
    if named.is_file() {
        return Ok(named.to_owned());
    }
    if short.is_file() {
        return Ok(short);
    }
    let hint = suggest::advice(&named.display().to_string(), here().iter().map(String::as_str), "here are");
    let hint = hint.unwrap_or_else(|| {
        "there is no folder `playbooks` here: are you in the application's folder? `tow init` writes what it needs".into()
    });
    Err(Error::config(format!("there is no playbook {}", named.display()))
        .cause(format!("neither {} nor {} is a file", named.display(), short.display()))
        .hint(hint))
}

/// The names of the playbooks in `playbooks/`.
fn here() -> Vec<String> {
    let found = std::fs::read_dir("playbooks").into_iter().flatten().flatten().map(|entry| entry.path());
    let playbooks = found.filter(|path| path.extension().is_some_and(|end| end == "toml"));
    let mut names: Vec<String> =
        playbooks.filter_map(|path| Some(path.file_stem()?.to_str()?.to_owned())).collect();
    names.sort();
    names
}

pub fn pending(playbook: &Path, target: &Target) -> Option<Arc<dyn Pending>> {
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

pub fn text_file(path: &Path, what: &str) -> Result<TextFile> {
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
