//! What `tow init` says: what it found and where, what to look at, what it wrote, what comes next.

use std::fmt::Write as _;

use crate::cli::args::{Engine, Init};
use crate::cli::init::answers::Answers;
use crate::cli::init::detect::{App, Framework, Installer, Place, System};
use crate::cli::init::inventory::{list, packages};
use crate::cli::init::name;
use crate::cli::init::settings::{Setting, Where, settings, wants_redis};
use crate::cli::init::store::{Planned, Was};
use crate::report::out;
use crate::report::text::wrap;
use crate::words::plural::count;

/// Columns of a line, and those behind a label.
const WIDTH: usize = 80;
const ROOM: usize = WIDTH - 16;

/// What is left to do where the server takes the source from behind ssh.
const DEPLOY_KEY: &str = "
The server comes to the repository by ssh, with a key of its own:

  ssh-keygen -t ed25519 -N '' -f .tow/deploy_key
  give .tow/deploy_key.pub to the repository as a deploy key, only to read
  in inventory.toml, [vars.app]:  key = \"{{secrets.deploy_key}}\"
  and below [secrets]:            deploy_key = { file = \".tow/deploy_key\" }
";

/// What detection gives, with places; then the traps.
pub fn found(app: &App, folder: &str) {
    let mut text = String::new();
    if !folder.is_empty() {
        let _ = writeln!(text, "Found in {folder}/:\n");
    } else if app.is_recognised() {
        text.push_str("Found:\n\n");
    } else {
        text.push_str("No framework was recognised here.\n");
    }
    for (label, value) in facts(app) {
        let _ = writeln!(text, "{}", wrap(&format!("  {label:13} {value}"), Some(WIDTH), 16));
    }
    if !app.traps.is_empty() {
        text.push_str("\nLook at these before the first run:\n\n");
    }
    for trap in &app.traps {
        let place = trap.place.as_ref().map(|place| format!("{place}: ")).unwrap_or_default();
        for line in [format!("  ! {place}{}", trap.what), format!("    {}", trap.then)] {
            let _ = writeln!(text, "{}", wrap(&line, Some(WIDTH), 4));
        }
    }
    text.push('\n');
    out(&text);
}

/// Another name than the wanted one.
pub fn called(wanted: &str) {
    if let Some(told) = name::told(wanted) {
        out(&format!("{told}\n\n"));
    }
}

fn facts(app: &App) -> Vec<(&'static str, String)> {
    let mut facts = vec![];
    let at = |place: &Option<Place>| {
        place.as_ref().map_or_else(|| " (given)".to_owned(), |place| format!(" ({place})"))
    };
    if let Some(entry) = &app.entry {
        let kind = entry.interface.key().to_uppercase();
        facts.push((
            "application",
            format!("{}, {kind}, entry {}{}", app.framework.name(), entry.name, at(&entry.place)),
        ));
    } else if app.framework != Framework::Other {
        facts.push((
            "application",
            format!("{}, without an entry that can be imported", app.framework.name()),
        ));
    }
    if let Some(settings) = &app.settings {
        facts.push(("settings", settings.clone()));
    }
    facts.extend(installed(app));
    if !app.migrations.command.is_empty() {
        let tool = if app.migrations.tool == "release" { "" } else { app.migrations.tool };
        let place = at(&app.migrations.place);
        facts.push((
            "migrations",
            format!("{tool}{}{}{place}", if tool.is_empty() { "" } else { ", " }, app.migrations.command),
        ));
    }
    if let Some(statics) = &app.statics {
        facts.push(("static files", format!("{} from {} ({})", statics.url, statics.folder, statics.place)));
    }
    for shared in &app.shared {
        let url = shared.url.as_ref().map(|url| format!(", nginx serves it at {url}")).unwrap_or_default();
        facts.push(("all releases", format!("have the same {}/{url} ({})", shared.folder, shared.place)));
    }
    match &app.health {
        Some((path, place)) => facts.push(("health", format!("{path} ({place})"))),
        None if app.is_recognised() => {
            let asked = "no path for it was found: / is asked, and any answer but an error counts (better: a /healthz \
                         that looks at the database)";
            facts.push(("health", asked.to_owned()));
        }
        None => {}
    }
    if !app.websockets.is_empty() {
        facts.push(("websockets", app.websockets.join(", ")));
    }
    for process in &app.processes {
        facts.push(("process", format!("{}: {} ({})", process.name, process.command, process.place)));
    }
    if let Some(queue) = wants_redis(app) {
        facts.push(("redis", format!("comes besides, for {} ({})", queue.name, queue.place)));
    }
    if !app.environment.is_empty() {
        facts.push(("environment", environment(app)));
    }
    facts
}

/// What it runs on, and what is installed for it.
fn installed(app: &App) -> Vec<(&'static str, String)> {
    let mut facts = vec![];
    if let Some(python) = &app.python {
        facts.push(("python", format!("{} ({})", python.shown(), python.place)));
    }
    if !app.dependencies.list.is_empty() {
        facts.push(("dependencies", dependencies(app)));
    }
    for System { packages, why, place } in &app.system {
        facts.push(("of Debian", format!("{}: {why} ({place})", packages.join(", "))));
    }
    facts
}

/// As many names as the line has room for.
fn environment(app: &App) -> String {
    let names: Vec<&str> = app.environment.iter().map(|variable| variable.name.as_str()).collect();
    let text = |shown: usize| {
        let more = names.len() - shown;
        let rest = if more > 0 { format!(" and {more} more") } else { String::new() };
        names[..shown].join(", ") + &rest
    };
    let fits = |shown: &usize| text(*shown).chars().count() <= ROOM;
    text((1..=names.len()).rev().find(fits).unwrap_or(1))
}

fn dependencies(app: &App) -> String {
    let found = &app.dependencies;
    let mut text = match (found.installer, found.hashed) {
        (Installer::Uv, _) => format!("{} (uv)", found.list),
        (Installer::Pip, true) => format!("{}, with hashes", found.list),
        (Installer::Pip, false) => found.list.clone(),
    };
    if let Some(list) = &found.postgres_list {
        let _ = write!(text, ", with PostgreSQL {list}");
    }
    let lacks: Vec<&str> = app.lacking().collect();
    if !lacks.is_empty() {
        let _ = write!(text, "; besides it {}", lacks.join(" and "));
    }
    text
}

/// Each file, and whether it is new.
pub fn written(planned: &[Planned], were: &[Was]) {
    let about = |path: &str| match path {
        "inventory.toml" => "hosts, and every setting: read it first",
        "playbooks/site.toml" => "from a bare server to HTTPS",
        "playbooks/deploy.toml" => "every release after the first",
        "playbooks/local.toml" => "development on this machine",
        ".tow/local.toml" => "its settings, for this machine alone",
        ".tow/db_password" | ".tow/secret_key" => "a secret, made now: keep a copy with your passwords",
        ".gitignore" => "leaves out .tow/ and backups/",
        _ => "",
    };
    let changed: Vec<(&Planned, &Was)> =
        planned.iter().zip(were).filter(|(_, was)| **was != Was::Same).collect();
    if changed.is_empty() {
        return out("Everything is here already; nothing had to be written.\n");
    }
    let templates = changed.iter().filter(|(file, _)| file.path.contains("/templates/")).count();
    let mut text = "Written:\n\n".to_owned();
    for (file, was) in changed.iter().filter(|(file, _)| !file.path.contains("/templates/")) {
        let replaced = if **was == Was::Different && file.path != ".gitignore" { " (replaced)" } else { "" };
        let line = format!("  {:22} {}{replaced}", file.path, about(&file.path));
        let _ = writeln!(text, "{}", line.trim_end());
    }
    if templates > 0 {
        let _ = writeln!(text, "  {:22} {}", "playbooks/templates/", count(templates, "file"));
    }
    out(&text);
}

/// The commands in their order.
pub fn next(args: &Init, app: &App, answers: &Answers, url: &str) {
    let mut text = String::new();
    if !args.local {
        let engine = answers.engine;
        let besides = packages(app, engine);
        if engine != Engine::None && !besides.is_empty() {
            let (list, besides) = (list(app, engine), besides.join(", "));
            let line = format!("On the server pip installs {list}, and besides: {besides}.");
            let _ = writeln!(text, "\n{}", wrap(&line, Some(WIDTH), 0));
        }
        text.push_str(&left(app, answers));
        if args.repo.as_deref().is_some_and(|repo| repo.starts_with("ssh:") || repo.contains('@')) {
            text.push_str(DEPLOY_KEY);
        }
        text.push_str(
            "\nNext:\n\n  tow check       looks at the server and the domain, and changes nothing\n  \
             tow plan site   shows what would be done\n  \
             tow run site    does it; again at any time\n  \
             tow deploy      from then on: a new release of the application\n\n\
             Commit what was written: a release is called by its commit.\n",
        );
    }
    let _ = write!(
        text,
        "\nOn this machine, for development:\n\n  tow run -i .tow/local.toml local\n\n\
         serves {url} and reloads what you edit. To end it:\n\n  \
         .tow/local/venv/bin/supervisorctl -c .tow/local/run/supervisord.conf shutdown\n",
    );
    out(&text);
}

/// More names than these are read by nobody.
const FEW: usize = 8;

/// What the application reads, and only a person knows: first what it does not start without.
fn left(app: &App, answers: &Answers) -> String {
    let all = settings(app, Where::Server(answers));
    let open = all.into_iter().filter(|setting| setting.value.is_none());
    let (required, open): (Vec<Setting>, Vec<Setting>) = open.partition(|setting| setting.required);
    let mut text = String::new();
    if !required.is_empty() {
        text.push_str("\nFill these in, in [vars.env] of inventory.toml; they have no default:\n\n");
        for Setting { name, place, .. } in &required {
            let place = place.as_ref().map(|place| format!(" ({place})")).unwrap_or_default();
            let _ = writeln!(text, "{}", wrap(&format!("  {name}{place}"), Some(WIDTH), 4));
        }
    }
    let names: Vec<&str> = open.iter().map(|setting| setting.name.as_str()).collect();
    match names.len() {
        0 => {}
        1..=FEW => {
            let names = wrap(&format!("  {}", names.join(", ")), Some(WIDTH), 2);
            let _ = writeln!(text, "\nIn [vars.env] of inventory.toml you may fill in:\n\n{names}");
        }
        more => {
            let line = format!(
                "{more}{} variables may be set: they stand as comments in [vars.env] of inventory.toml, each \
                 with the place that reads it.",
                if required.is_empty() { "" } else { " other" }
            );
            let _ = writeln!(text, "\n{}", wrap(&line, Some(WIDTH), 0));
        }
    }
    text
}

fn out(text: &str) {
    out::write(text);
}
