//! What the variables of a database are set to: its address, or the parts of it.

use crate::cli::args::Engine;
use crate::cli::init::detect::{App, Framework, Variable};
use crate::cli::init::settings::Where;

/// What tells in a name that it is about a database.
const ABOUT: [&str; 8] = ["DB", "DATABASE", "POSTGRES", "POSTGRESQL", "PG", "SQLALCHEMY", "SQL", "DEFAULT"];
/// What may stand before that, and says nothing else.
const BEFORE: [&str; 10] =
    ["APP", "DJANGO", "FLASK", "FASTAPI", "PROD", "PRODUCTION", "MAIN", "PRIMARY", "BACKEND", "ASYNC"];
const PARTS: [&str; 20] = [
    "NAME", "DB", "DATABASE", "USER", "USERNAME", "PASSWORD", "PASS", "PASSWD", "PWD", "HOST", "HOSTNAME",
    "SERVER", "PORT", "ENGINE", "URL", "URI", "DSN", "PATH", "FILE", "TYPE",
];

pub fn engine(at: Where) -> Engine {
    match at {
        Where::Server(answers) => answers.engine,
        Where::Here => Engine::Sqlite,
    }
}

pub fn url(app: &App, at: Where) -> String {
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

/// `DATABASE_URL`, or its parts: `POSTGRES_USER`, `DB_NAME`, `PGHOST`. Nothing for one of several databases.
pub fn value(app: &App, variable: &Variable, at: Where) -> Option<String> {
    let parts = parts(&variable.key);
    let parts: Vec<&str> = parts.iter().map(String::as_str).collect();
    let (last, before) = parts.split_last()?;
    let own = before.iter().skip_while(|part| BEFORE.contains(part)).copied().collect::<Vec<_>>();
    let about = !own.is_empty() && own.iter().all(|part| ABOUT.contains(part)) && own != ["DEFAULT"];
    if *last == "DB" && own.is_empty() || about && ["ENGINE", "TYPE", "BACKEND", "DIALECT"].contains(last) {
        return kind(app, variable, at);
    }
    if !about {
        return None;
    }
    if ["URL", "URI", "DSN"].contains(last) {
        return (engine(at) != Engine::None).then(|| url(app, at));
    }
    let value = match (engine(at), *last) {
        (Engine::Postgresql, "NAME" | "DB" | "DATABASE") => "{{db.name}}",
        (Engine::Postgresql, "USER" | "USERNAME") => "{{db.user}}",
        (Engine::Postgresql, "PASSWORD" | "PASS" | "PASSWD" | "PWD") => "{{secrets.db_password}}",
        (Engine::Postgresql, "HOST" | "HOSTNAME" | "SERVER") => "{{db.host}}",
        (Engine::Postgresql, "PORT") => "5432",
        (Engine::Sqlite, "NAME" | "DB" | "DATABASE" | "PATH" | "FILE") => return Some(sqlite_file(at)),
        _ => return None,
    };
    Some(value.to_owned())
}

/// The words of a name, also where they are written together: `PGHOST`, `DBNAME`.
fn parts(name: &str) -> Vec<String> {
    let apart = |part: &str| {
        let rest = ["PG", "DB"].iter().find_map(|about| Some((*about, part.strip_prefix(about)?)));
        match rest {
            Some((about, rest)) if PARTS.contains(&rest) => vec![about.to_owned(), rest.to_owned()],
            _ => vec![part.to_owned()],
        }
    };
    name.split('_').flat_map(apart).collect()
}

/// The engine as the application spells it: `postgres`, `django.db.backends.postgresql`.
fn kind(app: &App, variable: &Variable, at: Where) -> Option<String> {
    let (short, django) = match engine(at) {
        Engine::Postgresql => ("postgres", "django.db.backends.postgresql"),
        Engine::Sqlite => ("sqlite", "django.db.backends.sqlite3"),
        Engine::None => return None,
    };
    let known = &variable.known;
    // A whole address, with a password perhaps: of a database that is not this one.
    if known.iter().any(|value| value.contains("://")) {
        return Some(url(app, at));
    }
    let modules = known.iter().any(|value| value.starts_with("django.db.backends."));
    if modules || (known.is_empty() && app.framework == Framework::Django && variable.key.ends_with("ENGINE"))
    {
        return Some(django.to_owned());
    }
    let is_name = |value: &&String| value.chars().all(|c| c.is_ascii_alphanumeric() || "_.+-".contains(c));
    known.iter().filter(is_name).find(|value| value.starts_with(short)).cloned()
}
