//! `tow init`: looks at an application, asks what it cannot know, and writes inventory, playbooks and templates.

mod answers;
mod detect;
mod disk;
mod entry;
mod inventory;
mod local;
mod name;
mod settings;
mod store;
mod system;
mod tell;
mod tree;

use std::path::Path;

use crate::cli::args::Init;
use crate::cli::init::answers::Answers;
use crate::cli::init::detect::{App, detect};
use crate::cli::init::disk::Checkout;
use crate::cli::init::inventory::About;
use crate::cli::init::local::Here;
use crate::cli::init::store::{Planned, Was};
use crate::cli::init::tree::{Tree, file_name, join, parent};
use crate::cli::prompt::Prompt;
use crate::cli::{Ended, shipped};
use crate::words::error::{Error, Result};

/// Secrets, and what is of this machine alone: neither in git nor on the server.
const PRIVATE: &str = ".tow";
/// The inventory of development on this machine.
const LOCAL: &str = ".tow/local.toml";

pub fn run(args: &Init) -> Ended {
    let project = std::env::current_dir()
        .map_err(|error| Error::config("cannot tell in which folder this is").cause(error))?;
    let checkout = Checkout::open(args.repo.as_deref(), args.reference.as_deref())?;
    let tree = checkout.read()?;
    let folder = application_folder(&tree, args)?;
    let tree = if folder.is_empty() { tree } else { below(&tree, &folder) };
    let mut app = detect(&tree, args.entry.as_deref());
    tell::found(&app, &folder);
    let answers = Answers::collect(args, &app)?;
    if let Some(entry) = &answers.entry {
        app = detect(&tree, Some(entry));
    }
    let wanted = name::wanted(args, &tree, &project);
    tell::called(&wanted);
    let about = About {
        name: name::fitting(&wanted),
        source: if folder.is_empty() { "..".to_owned() } else { format!("../{folder}") },
        repo: args
            .repo
            .clone()
            .map(|repo| (repo, args.reference.clone().or(checkout.branch).unwrap_or_default())),
    };
    let mut planned = if args.local { vec![] } else { for_servers(&app, &answers, &about, &project) };
    let here = this_machine(&about, &project, &folder)?;
    planned.extend(for_this_machine(&app, &about, &here));
    planned.extend(ignored(&project));
    let were = store::look(&project, &planned)?;
    if !may_write(args, &planned, &were)? {
        Prompt::say("Nothing was written.\n");
        return Ok(0);
    }
    let changed: Vec<Planned> = planned
        .iter()
        .zip(&were)
        .filter(|(_, was)| **was != Was::Same)
        .map(|(file, _)| file.clone())
        .collect();
    store::write(&project, &changed)?;
    tell::written(&planned, &were);
    tell::next(args, &app, &answers, &here.url());
    Ok(0)
}

/// Where the application is: here, or in the one folder below that has one.
fn application_folder(tree: &Tree, args: &Init) -> Result<String> {
    let marks = |path: &str| detect::is_list(path) || ["manage.py", "Procfile"].contains(&file_name(path));
    let mut folders: Vec<&str> =
        tree.files().map(|(path, _)| path).filter(|path| marks(path)).map(parent).collect();
    folders.dedup();
    if let Some(template) = tree.template().filter(|_| args.entry.is_none()) {
        return Err(Error::config(format!("{template}/ is a template of applications, and none itself"))
            .hint("make a project of it (cookiecutter, copier), and run `tow init` there"));
    }
    // What only holds a workspace together is no application: its members are.
    let has_only_members = detect::has_only_members(tree);
    if (folders.contains(&"") || args.entry.is_some()) && !has_only_members {
        return Ok(String::new());
    }
    folders.retain(|folder| {
        !folder.is_empty() && folder.matches('/').count() <= 1 && !folder.ends_with("requirements")
    });
    folders.sort_unstable();
    folders.dedup();
    folders.retain(|folder| detect(&tree.below(folder), None).is_recognised());
    match folders.as_slice() {
        [] => Ok(String::new()),
        [only] if args.repo.is_some() => {
            Err(Error::config(format!("the application is in the folder {only} of the repository"))
                .cause("the server can take one by git only where it lies at the top")
                .hint("clone it on this machine and run `tow init` there: the source is then sent from here"))
        }
        [only] => Ok((*only).to_owned()),
        several => Err(Error::config(format!("there are several applications here: {}", several.join(", ")))
            .hint("run `tow init` in the folder of one of them")),
    }
}

/// A folder of the tree, which knows the lock file that it shares.
fn below(tree: &Tree, folder: &str) -> Tree {
    let mut below = tree.below(folder);
    if detect::is_workspace(tree) && tree.text("uv.lock").is_some() {
        below.set_lock_above(format!("{}uv.lock", "../".repeat(folder.split('/').count())));
    }
    below
}

fn for_servers(app: &App, answers: &Answers, about: &About, project: &Path) -> Vec<Planned> {
    let mut planned = vec![open("inventory.toml", inventory::write(app, answers, about))];
    planned.extend(shipped::SITE.iter().map(|file| open(file.path, file.text.to_owned())));
    // One that is there stays, whatever is said: a server may have it already.
    let secret = |name: &str| format!("{PRIVATE}/{name}");
    let missing = inventory::secrets(answers)
        .into_iter()
        .map(secret)
        .filter(|path| store::read(project, path).is_none());
    planned.extend(missing.map(|path| Planned { path, text: format!("{}\n", random()), private: true }));
    planned
}

/// Paths and port of development here.
fn this_machine(about: &About, project: &Path, folder: &str) -> Result<Here> {
    let text = |path: &Path| {
        let text = path.to_str().map(str::to_owned);
        text.ok_or_else(|| Error::config(format!("the path {} is not UTF-8", path.display())))
    };
    let root = text(&project.join(PRIVATE).join("local"))?;
    let source =
        if about.repo.is_some() { join_text(&root, "src") } else { join_text(&text(project)?, folder) };
    let known = store::read(project, LOCAL).and_then(|text| port(&text));
    Ok(Here { root, source, port: known.unwrap_or_else(disk::free_port) })
}

fn for_this_machine(app: &App, about: &About, here: &Here) -> Vec<Planned> {
    let settings = Planned { path: LOCAL.to_owned(), text: local::write(app, about, here), private: true };
    let shipped = shipped::LOCAL.iter().map(|file| open(file.path, file.text.to_owned()));
    std::iter::once(settings).chain(shipped).collect()
}

fn join_text(folder: &str, name: &str) -> String {
    if name.is_empty() {
        folder.to_owned()
    } else {
        format!("{}/{}", folder.trim_end_matches('/'), join(name, ""))
    }
}

/// The port of a run before: its own server may be what listens there now.
fn port(inventory: &str) -> Option<u16> {
    let url = inventory.lines().find_map(|line| line.strip_prefix("url = \"http://127.0.0.1:"))?;
    url.split('"').next()?.parse().ok()
}

/// Lines for `.gitignore`, where they are missing: private files, and backups that were brought here.
fn ignored(project: &Path) -> Option<Planned> {
    let before = store::read(project, ".gitignore").unwrap_or_default();
    let lacks = |name: &&str| !before.lines().any(|found| found.trim().trim_matches('/') == *name);
    let missing: Vec<&str> = [PRIVATE, "backups"].into_iter().filter(|name| lacks(name)).collect();
    if missing.is_empty() {
        return None;
    }
    let newline = if before.is_empty() || before.ends_with('\n') { "" } else { "\n" };
    Some(open(".gitignore", format!("{before}{newline}/{}/\n", missing.join("/\n/"))))
}

fn open(path: &str, text: String) -> Planned {
    Planned { path: path.to_owned(), text, private: false }
}

/// 256 bits that nobody can guess, of letters and digits that need no quotes anywhere.
fn random() -> String {
    format!("{:032x}{:032x}", rand::random::<u128>(), rand::random::<u128>())
}

/// Files that somebody may have edited are replaced only when that is wanted.
fn may_write(args: &Init, planned: &[Planned], were: &[Was]) -> Result<bool> {
    let differ =
        planned.iter().zip(were).filter(|(file, was)| **was == Was::Different && file.path != ".gitignore");
    let differ: Vec<&str> = differ.map(|(file, _)| file.path.as_str()).collect();
    if differ.is_empty() || args.force {
        return Ok(true);
    }
    let shown = differ.join("\n  ");
    if !Prompt::possible() {
        return Err(Error::config("files are here already, and differ from what would be written")
            .cause(differ.join(", "))
            .hint("--force replaces them; nothing was written"));
    }
    let question = format!(
        "\nThese are here already, and differ from what would be written:\n\n  {shown}\n\nReplace them? [yes/no] "
    );
    Ok(Prompt::ask(&question).is_some_and(|answer| answer.trim().eq_ignore_ascii_case("yes")))
}
