//! The inventory that is written: the shipped example with this application's values in it, so that both always have
//! the same variables and the same comments.

use std::fmt::Write as _;
use std::net::IpAddr;

use crate::cli::args::Engine;
use crate::cli::init::answers::{Address, Answers};
use crate::cli::init::detect::{App, Installer};
use crate::cli::init::settings::{Setting, Where, settings};
use crate::cli::init::system::{about_packages, python_requires, system_packages};
use crate::cli::shipped;

/// What the files are about besides what was found and answered.
#[derive(Clone, Debug)]
pub struct About {
    pub name: String,
    /// The application's folder, as seen from `playbooks/`.
    pub source: String,
    /// Address and branch, when the server takes it by git.
    pub repo: Option<(String, String)>,
}

/// Where comments begin in the example.
const COMMENTS: usize = 48;

pub fn write(app: &App, answers: &Answers, about: &About) -> String {
    let changes = changes(app, answers, about);
    let mut text = head(about);
    // Its head, and what only a host or a person can say, is written anew.
    let of_example = sections(shipped::INVENTORY);
    let kept = of_example.iter().skip_while(|section| section.name != "defaults");
    for section in kept.take_while(|section| section.name != "secrets") {
        for line in &section.lines {
            about_packages(&mut text, line, app, answers.engine);
            let _ = writeln!(text, "{}", changed(line, section.name, &changes));
            if section.name == "vars.env" && line.starts_with('[') {
                env(&mut text, &settings(app, Where::Server(answers)));
                break;
            }
        }
    }
    tail(&mut text, answers);
    text
}

/// A table of the example, with the comments before it.
struct Section<'a> {
    name: &'a str,
    lines: Vec<&'a str>,
}

fn sections(text: &str) -> Vec<Section<'_>> {
    let mut found = vec![Section { name: "", lines: vec![] }];
    for line in text.lines() {
        let header = line.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
        if let (Some(name), Some(before)) = (header, found.last_mut()) {
            let own = before.lines.iter().rposition(|line| !line.starts_with('#')).map_or(0, |last| last + 1);
            let lines = before.lines.split_off(own);
            found.push(Section { name, lines });
        }
        if let Some(section) = found.last_mut() {
            section.lines.push(line);
        }
    }
    found
}

fn head(about: &About) -> String {
    format!(
        "# How {} is deployed: `tow check`, `tow plan site`, `tow run site`. Written by `tow init`; edit it freely.\n\
         # Every variable stands here, also those at rest: \"\" and [] are for \"none\". A group or a host may have its own.\n\n",
        about.name
    )
}

type Changes = Vec<(&'static str, &'static str, String)>;

/// Section, key, and its value in TOML.
fn changes(app: &App, answers: &Answers, about: &About) -> Changes {
    let (domains, redirects) = answers.domains_and_redirects();
    let (repo, reference) = about.repo.clone().unwrap_or_default();
    let database = about.name.replace('-', "_");
    let entry = app.entry.as_ref().map_or("", |entry| entry.name.as_str());
    // One that others have to reach: on a server of its own, or on the first of several.
    let shared = answers.db_host.as_ref().or_else(|| {
        answers.hosts.first().filter(|_| answers.hosts.len() > 1 && answers.engine == Engine::Postgresql)
    });
    let networks: Vec<String> = shared.iter().flat_map(|_| &answers.hosts).filter_map(network).collect();
    let networks: Vec<&str> = networks.iter().map(String::as_str).collect();
    let peers: Vec<&str> = answers.hosts.iter().map(|host| host.name.as_str()).collect();
    let mut changes = vec![
        ("defaults", "user", quoted(&answers.user)),
        ("defaults", "become", (answers.user != "root").to_string()),
        ("vars.app", "name", quoted(&about.name)),
        ("vars.app", "user", quoted(&about.name)),
        ("vars.app", "domains", array(&domains)),
        ("vars.app", "redirects", array(&redirects)),
        ("vars.app", "source", quoted(&about.source)),
        ("vars.app", "repo", quoted(&repo)),
        ("vars.app", "ref", quoted(if reference.is_empty() { "main" } else { &reference })),
        ("vars.app", "entry", quoted(entry)),
        ("vars.app", "requirements", quoted(&list(app, answers.engine))),
        ("vars.app", "packages", array(&packages(app, answers.engine))),
        ("vars.app", "python_requires", quoted(&python_requires(app))),
        ("vars.app", "system_packages", array(&system_packages(app, answers.engine))),
        ("vars.db", "engine", quoted(if answers.engine == Engine::None { "" } else { answers.engine.key() })),
        ("vars.db", "name", quoted(&database)),
        ("vars.db", "user", quoted(&database)),
        ("vars.db", "host", quoted(shared.map_or("127.0.0.1", |host| &host.name))),
        ("vars.db", "networks", array(&networks)),
        ("vars.acme", "domains", array(&answers.domains.iter().map(String::as_str).collect::<Vec<_>>())),
        ("vars.acme", "email", quoted(&answers.email)),
        ("vars.acme", "peers", array(if peers.len() > 1 { &peers } else { &[] })),
    ];
    changes.extend(how_it_runs(app));
    changes
}

fn how_it_runs(app: &App) -> Changes {
    let interface = app.entry.as_ref().map_or("wsgi", |entry| entry.interface.key());
    let workers = match interface {
        _ if app.gunicorn_settings => "",
        "asgi" => "--workers 2",
        _ => "--workers 2 --threads 4",
    };
    let processes = app.processes.iter().map(|process| {
        format!("{{ name = {}, command = {} }}", quoted(&process.name), quoted(&literal(&process.command)))
    });
    let statics = app.statics.as_ref().map_or_else(
        || quoted(""),
        |found| {
            format!(
                "{{ url = {}, folder = {} }}",
                quoted(&found.url),
                quoted(&format!("src/{}", found.folder))
            )
        },
    );
    let shared: Vec<&str> =
        app.shared.iter().filter(|shared| shared.is_in_source).map(|shared| shared.folder.as_str()).collect();
    let media = app.shared.iter().filter_map(|shared| {
        Some(format!("{{ url = {}, folder = {} }}", quoted(shared.url.as_deref()?), quoted(&shared.folder)))
    });
    let collect = app.statics.as_ref().and_then(|found| found.collect.clone()).unwrap_or_default();
    vec![
        ("vars.app", "interface", quoted(interface)),
        ("vars.app", "gunicorn", quoted(workers)),
        ("vars.app", "health", quoted(app.health.as_ref().map_or("/", |(path, _)| path))),
        ("vars.app", "health_status", format!("{:?}", app.healthy())),
        ("vars.app", "processes", format!("[{}]", processes.collect::<Vec<_>>().join(", "))),
        (
            "vars.app",
            "installer",
            quoted(if app.dependencies.installer == Installer::Uv { "uv" } else { "pip" }),
        ),
        ("vars.app", "migrate", quoted(&literal(&app.migrations.command))),
        ("vars.app", "migrated", quoted(&literal(&app.migrations.settled()))),
        ("vars.app", "collectstatic", quoted(&collect)),
        ("vars.app", "shared", array(&shared)),
        ("vars.app", "media", format!("[{}]", media.collect::<Vec<_>>().join(", "))),
        ("vars.app", "static", statics),
        ("vars.site", "websockets", array(&app.websockets.iter().map(String::as_str).collect::<Vec<_>>())),
    ]
}

/// What pip reads. Where nothing was found, what a person is told to write.
pub fn list(app: &App, engine: Engine) -> String {
    let found = &app.dependencies;
    match &found.postgres_list {
        Some(list) if engine == Engine::Postgresql => list.clone(),
        _ if found.list.is_empty() => "requirements.txt".to_owned(),
        _ => found.list.clone(),
    }
}

/// What that list lacks.
pub fn packages(app: &App, engine: Engine) -> Vec<&'static str> {
    let driver = match engine {
        Engine::Postgresql => app.database.postgresql.lacks.filter(|_| app.database.is_used),
        Engine::Sqlite => app.database.sqlite.lacks,
        Engine::None => None,
    };
    app.lacking().chain(driver).collect()
}

/// The one address that another server sees.
fn network(host: &Address) -> Option<String> {
    match host.name.parse().ok()? {
        IpAddr::V4(address) => Some(format!("{address}/32")),
        IpAddr::V6(address) => Some(format!("{address}/128")),
    }
}

/// A line of the example with another value; its comment stays.
fn changed(line: &str, section: &str, changes: &Changes) -> String {
    let Some((key, rest)) = line.split_once(" = ") else { return line.to_owned() };
    let Some((.., value)) = changes.iter().find(|(of, name, _)| *of == section && *name == key) else {
        return line.to_owned();
    };
    let comment = comment(rest);
    let line = format!("{key} = {value}");
    if comment.is_empty() {
        return line;
    }
    let column = if line.chars().count() < COMMENTS { COMMENTS } else { 0 };
    format!("{line:column$}{}{comment}", if column == 0 { "   " } else { "" })
}

/// What stands behind a value, from its `#`.
fn comment(rest: &str) -> &str {
    let mut quoted = false;
    for (at, c) in rest.char_indices() {
        match c {
            '"' => quoted = !quoted,
            '#' if !quoted => return &rest[at..],
            _ => {}
        }
    }
    ""
}

/// The lines of an environment.
pub fn env(text: &mut String, settings: &[Setting]) {
    for setting in settings.iter().filter(|setting| setting.value.is_some()) {
        let _ = writeln!(text, "{} = {}", setting.name, quoted(setting.value.as_deref().unwrap_or_default()));
    }
    let open = settings.iter().filter(|setting| setting.value.is_none());
    let (required, open): (Vec<&Setting>, Vec<&Setting>) = open.partition(|setting| setting.required);
    let heads = [
        "# These have no default: it does not start before they are filled in.\n",
        "# It also reads these; a secret is named in [secrets] and used as \"{{secrets.name}}\".\n",
    ];
    for (head, settings) in heads.into_iter().zip([required, open]) {
        if !settings.is_empty() {
            text.push_str(head);
        }
        for setting in settings {
            let line = format!("# {} = \"\"", setting.name);
            match &setting.place {
                Some(place) => drop(writeln!(text, "{line:COMMENTS$}# {place}")),
                None => drop(writeln!(text, "{line}")),
            }
        }
    }
    text.push('\n');
}

/// Secrets, groups and hosts.
fn tail(text: &mut String, answers: &Answers) {
    text.push_str("# Files of this machine, never in git: keep a copy where you keep passwords. Or { env = \"NAME\" }.\n[secrets]\n");
    for name in secrets(answers) {
        let _ = writeln!(text, "{name} = {{ file = \".tow/{name}\" }}");
    }
    text.push_str("\n[groups.web]\n\n[groups.db]\n");
    // A group of the playbook has to have a host, also where there is nothing to do for it.
    let alone = answers.db_host.is_none();
    for (at, address) in answers.hosts.iter().enumerate() {
        let groups: &[&str] = if alone && at == 0 { &["web", "db"] } else { &["web"] };
        host(text, &format!("web{}", at + 1), address, groups);
    }
    if let Some(address) = &answers.db_host {
        host(text, "db1", address, &["db"]);
    }
}

pub fn secrets(answers: &Answers) -> Vec<&'static str> {
    let database = (answers.engine == Engine::Postgresql).then_some("db_password");
    database.into_iter().chain(["secret_key"]).collect()
}

fn host(text: &mut String, name: &str, address: &Address, groups: &[&str]) {
    let _ = write!(text, "\n[hosts.{name}]\naddress = {}\n", quoted(&address.name));
    if let Some(port) = address.port {
        let _ = writeln!(text, "port = {port}");
    }
    let _ = writeln!(text, "groups = {}", array(groups));
}

/// Text that somebody else wrote is no template.
fn literal(text: &str) -> String {
    text.replace("{{", "\\{{")
}

/// Text as TOML has it. A value that holds quotes is clearest between single ones.
pub fn quoted(text: &str) -> String {
    let plain =
        text.contains('"') && !text.contains(['\'', '\n', '\\']) && !text.chars().any(char::is_control);
    if plain { format!("'{text}'") } else { toml::Value::String(text.to_owned()).to_string() }
}

fn array(items: &[&str]) -> String {
    let items: Vec<String> = items.iter().map(|item| quoted(item)).collect();
    format!("[{}]", items.join(", "))
}
