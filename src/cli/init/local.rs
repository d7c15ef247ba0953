//! The inventory of development on this machine: `.tow/local.toml`, with the paths of this machine.

use std::fmt::Write as _;

use crate::cli::args::Engine;
use crate::cli::init::detect::{App, Framework, Installer};
use crate::cli::init::inventory::{About, env, list, packages, quoted};
use crate::cli::init::settings::{Where, settings};
use crate::words::shell::quote;

/// This machine.
#[derive(Clone, Debug)]
pub struct Here {
    /// The folder of data, environment and log files: `.tow/local` of the project.
    pub root: String,
    pub source: String,
    pub port: u16,
}

impl Here {
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }
}

pub fn write(app: &App, about: &About, here: &Here) -> String {
    let (repo, reference) = about.repo.clone().unwrap_or_default();
    let installer = if app.dependencies.installer == Installer::Uv { "uv" } else { "pip" };
    let (run, needs) = server(app, here.port);
    let mut packages = packages(app, Engine::Sqlite);
    packages.retain(|name| !["gunicorn", "uvicorn-worker"].contains(name));
    let needs = needs.filter(|name| !app.dependencies.has(name));
    packages.extend(needs.into_iter().chain(["supervisor==4.3.0"]));
    let packages: Vec<String> = packages.iter().map(|name| quoted(name)).collect();
    let health = app.health.as_ref().map_or("/", |(path, _)| path);
    let list = list(app, Engine::Sqlite);
    let mut text = format!(
        "# {} on this machine, for development: `tow run -i .tow/local.toml local`. Written by `tow init --local`.\n\
         # It is not in git, because its paths are those of this machine.\n\n\
         [defaults]\nconnection = \"local\"\n\n[vars.local]\n",
        about.name
    );
    let lines = [
        ("root", here.root.clone(), "environment, settings, database and log files"),
        ("source", here.source.clone(), "used where it is; with `repo`, where the clone is"),
        ("repo", repo, "git: cloned, and brought up to date by every run"),
        (
            "ref",
            if reference.is_empty() { "main".to_owned() } else { reference },
            "its branch, tag or commit",
        ),
        ("installer", installer.to_owned(), "\"pip\", or \"uv\" with a uv.lock"),
        ("requirements", list, ""),
        ("migrate", app.migrations.command.clone(), ""),
        ("run", run, "reloads when the source changes"),
        ("url", here.url(), ""),
        ("health", health.to_owned(), ""),
    ];
    for (key, value, comment) in lines {
        let line = format!("{key} = {}", quoted(&value));
        let _ = match comment {
            "" => writeln!(text, "{line}"),
            comment => writeln!(text, "{line:47} # {comment}"),
        };
    }
    let _ = write!(text, "packages = [{}]\n\n[vars.local.env]\n", packages.join(", "));
    env(&mut text, &settings(app, Where::Here));
    text.push_str("[hosts.laptop]\n");
    text
}

/// The development server, and the package that it comes from.
fn server(app: &App, port: u16) -> (String, Option<&'static str>) {
    let entry = quote(app.entry.as_ref().map_or("", |entry| entry.name.as_str()));
    let asgi = app.is_asgi();
    let manage = app.migrations.command.split_whitespace().nth(1).unwrap_or("manage.py");
    match app.framework {
        Framework::Django if !asgi => (format!("python {manage} runserver 127.0.0.1:{port}"), None),
        Framework::Flask => (format!("flask --app {entry} run --debug --port {port}"), None),
        _ if asgi => {
            let factory = if entry.contains("()") { "--factory " } else { "" };
            let entry = entry.replace("()", "");
            (format!("uvicorn --reload {factory}--port {port} {entry}"), Some("uvicorn"))
        }
        _ => (format!("gunicorn --reload --bind 127.0.0.1:{port} {entry}"), Some("gunicorn")),
    }
}
