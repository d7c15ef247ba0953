//! What the variables that the application reads are set to, on a server and on this machine.

use crate::cli::args::Engine;
use crate::cli::init::answers::Answers;
use crate::cli::init::detect::{App, Framework, Variable};
use crate::cli::init::tree::join;

/// A line of `[vars.env]`; without a value it is a comment, for a person to fill in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Setting {
    pub name: String,
    pub value: Option<String>,
    /// Where the application reads it.
    pub place: Option<String>,
}

#[derive(Clone, Copy)]
pub enum Where<'a> {
    Server(&'a Answers),
    /// This machine.
    Here,
}

const SECRET_KEYS: [&str; 11] = [
    "SECRET_KEY",
    "DJANGO_SECRET_KEY",
    "FLASK_SECRET_KEY",
    "APP_SECRET_KEY",
    "SECRET",
    "APP_SECRET",
    "SESSION_SECRET",
    "JWT_SECRET",
    "JWT_SECRET_KEY",
    "SECRET_KEY_BASE",
    "DJANGO_SECRET",
];
const STAGES: [&str; 8] =
    ["APP_ENV", "ENV", "ENVIRONMENT", "FLASK_ENV", "DJANGO_ENV", "PYTHON_ENV", "FASTAPI_ENV", "DEPLOY_ENV"];
const REVISIONS: [&str; 6] =
    ["REVISION", "RELEASE", "GIT_SHA", "GIT_COMMIT", "APP_VERSION", "SOURCE_VERSION"];
const BASES: [&str; 6] = ["BASE_URL", "SITE_URL", "PUBLIC_URL", "APP_URL", "EXTERNAL_URL", "ROOT_URL"];
const QUEUES: [&str; 6] =
    ["REDIS_URL", "CELERY_BROKER_URL", "CELERY_RESULT_BACKEND", "BROKER_URL", "RQ_REDIS_URL", "CACHE_URL"];
const UPLOADS: [&str; 5] = ["MEDIA_ROOT", "UPLOAD_FOLDER", "UPLOAD_DIR", "UPLOADS_DIR", "MEDIA_DIR"];

/// All lines, those with a value first.
pub fn settings(app: &App, at: Where) -> Vec<Setting> {
    let mut found = own(app, at);
    // A static root of its own is what collectstatic fills inside the release.
    let read = app.environment.iter().filter(|variable| variable.name != "STATIC_ROOT");
    let read: Vec<Setting> = read.map(|variable| setting(app, variable, at)).collect();
    let has = |name: &str| read.iter().any(|setting| setting.name == name && setting.value.is_some());
    let asks_for_database = read.iter().any(|setting| {
        setting.value.as_deref().is_some_and(|value| value.contains("db.") || value.contains("sqlite"))
    });
    if engine(at) != Engine::None && app.database.is_used && !asks_for_database {
        found.push(plain("DATABASE_URL", database_url(app, at)));
    }
    if matches!(app.framework, Framework::Flask | Framework::Django)
        && !SECRET_KEYS.iter().any(|name| has(name))
    {
        found.push(plain("SECRET_KEY", secret_key(at)));
    }
    let (set, open): (Vec<Setting>, Vec<Setting>) =
        read.into_iter().partition(|setting| setting.value.is_some());
    found.extend(set.into_iter().chain(open));
    found
}

/// Whether the application wants Redis, which is a package of its own.
pub fn wants_redis(app: &App) -> Option<&Variable> {
    app.environment.iter().find(|variable| QUEUES.contains(&variable.key.as_str()))
}

/// What nobody reads by name, and everything depends on.
fn own(app: &App, at: Where) -> Vec<Setting> {
    let mut found = vec![];
    if let (Some(settings), Where::Server(_)) = (&app.settings, at) {
        found.push(plain("DJANGO_SETTINGS_MODULE", settings.clone()));
    }
    if !app.import_root.is_empty() {
        let source = match at {
            Where::Server(_) => "{{root}}/releases/{{release}}/src",
            Where::Here => "{{local.source}}",
        };
        found.push(plain("PYTHONPATH", format!("{source}/{}", join(&app.import_root, ""))));
    }
    found
}

fn plain(name: &str, value: String) -> Setting {
    Setting { name: name.to_owned(), value: Some(value), place: None }
}

fn setting(app: &App, variable: &Variable, at: Where) -> Setting {
    let value = value(app, variable, at);
    Setting { name: variable.name.clone(), value, place: Some(variable.place.to_string()) }
}

fn value(app: &App, variable: &Variable, at: Where) -> Option<String> {
    let name = variable.key.as_str();
    let server = matches!(at, Where::Server(_));
    let on_server = |value: &str| server.then(|| value.to_owned());
    if SECRET_KEYS.contains(&name) {
        return Some(secret_key(at));
    }
    if let Some(value) = of_database(app, name, at) {
        return Some(value);
    }
    let short = variable.code.contains("\"prod\"") || variable.code.contains("'prod'");
    match name {
        _ if STAGES.contains(&name) => on_server(if short { "prod" } else { "production" }),
        _ if name.ends_with("ALLOWED_HOSTS") || name.ends_with("TRUSTED_HOSTS") => Some(hosts(variable, at)),
        _ if name.ends_with("TRUSTED_ORIGINS") || name.starts_with("CORS_") && name.contains("ORIGINS") => {
            on_server("https://{{join app.domains \",https://\"}}")
        }
        _ if BASES.contains(&name) => on_server("https://{{lookup app.domains 0}}"),
        _ if REVISIONS.contains(&name) => on_server("{{release}}"),
        _ if QUEUES.contains(&name) => on_server("redis://127.0.0.1:6379/0"),
        _ if UPLOADS.contains(&name) => on_server("{{root}}/shared/media"),
        // The journal keeps what is logged; a file would be inside the release.
        "TRUSTED_PROXIES" | "PROXY_COUNT" | "NUM_PROXIES" | "LOG_TO_STDOUT" => on_server("1"),
        "LOG_DIR" => on_server("{{root}}/shared/log"),
        "DEBUG" | "FLASK_DEBUG" | "DJANGO_DEBUG" | "APP_DEBUG" if is_parsed(&variable.code) => {
            Some(if server { "0" } else { "1" }.to_owned())
        }
        _ => None,
    }
}

fn hosts(variable: &Variable, at: Where) -> String {
    let separator = if variable.code.contains(".split()") { " " } else { "," };
    match at {
        Where::Server(_) => format!("{{{{join app.domains \"{separator}\"}}}}"),
        Where::Here => format!("localhost{separator}127.0.0.1"),
    }
}

/// Whether `0` means no: where any text counts as yes, it must not be set at all.
fn is_parsed(code: &str) -> bool {
    ["==", " in ", "int(", "bool", "strtobool", "flag("].iter().any(|sign| code.contains(sign))
        && !code.contains("bool(os.")
}

fn secret_key(at: Where) -> String {
    match at {
        Where::Server(_) => "{{secrets.secret_key}}".to_owned(),
        Where::Here => "for development on this machine, and for nothing else".to_owned(),
    }
}

fn engine(at: Where) -> Engine {
    match at {
        Where::Server(answers) => answers.engine,
        Where::Here => Engine::Sqlite,
    }
}

fn database_url(app: &App, at: Where) -> String {
    match engine(at) {
        Engine::Postgresql => {
            let scheme = app.database.postgresql.scheme;
            format!(
                "{scheme}://{{{{db.user}}}}:{{{{secrets.db_password}}}}@{{{{db.host}}}}:5432/{{{{db.name}}}}"
            )
        }
        _ => format!("{}:///{}", app.database.sqlite.scheme, sqlite_file(at)),
    }
}

fn sqlite_file(at: Where) -> String {
    match at {
        Where::Server(_) => "{{root}}/shared/app.db".to_owned(),
        Where::Here => "{{local.root}}/app.db".to_owned(),
    }
}

/// `DATABASE_URL`, or its parts: `POSTGRES_USER`, `DB_NAME`, `PGHOST`.
fn of_database(app: &App, name: &str, at: Where) -> Option<String> {
    let name = name
        .strip_prefix("PG")
        .map_or_else(|| name.to_owned(), |rest| format!("DB_{}", rest.trim_start_matches('_')));
    let parts: Vec<&str> = name.split('_').collect();
    let about = ["DB", "DATABASE", "POSTGRES", "POSTGRESQL", "SQLALCHEMY", "SQL", "PG"];
    let (last, before) = parts.split_last()?;
    if !before.iter().any(|part| about.contains(part)) || before.contains(&"TEST") {
        return None;
    }
    if ["URL", "URI", "DSN"].contains(last) {
        return (engine(at) != Engine::None).then(|| database_url(app, at));
    }
    let value = match (engine(at), *last) {
        (Engine::Postgresql, "NAME" | "DB" | "DATABASE") => "{{db.name}}",
        (Engine::Postgresql, "USER" | "USERNAME") => "{{db.user}}",
        (Engine::Postgresql, "PASSWORD" | "PASS") => "{{secrets.db_password}}",
        (Engine::Postgresql, "HOST" | "HOSTNAME" | "SERVER") => "{{db.host}}",
        (Engine::Postgresql, "PORT") => "5432",
        (Engine::Postgresql, "ENGINE") => "django.db.backends.postgresql",
        (Engine::Sqlite, "ENGINE") => "django.db.backends.sqlite3",
        (Engine::Sqlite, "NAME" | "DB" | "DATABASE" | "PATH" | "FILE") => return Some(sqlite_file(at)),
        _ => return None,
    };
    Some(value.to_owned())
}
