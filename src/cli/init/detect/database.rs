//! Whether there is a database, how its address is written, and what brings its tables up to date.

use crate::cli::init::detect::packages::Dependencies;
use crate::cli::init::detect::procfile::Procfile;
use crate::cli::init::detect::python::Source;
use crate::cli::init::detect::{Framework, Place, Trap};
use crate::cli::init::tree::{Tree, file_name, join, parent};
use crate::words::shell::quote;

/// What a list of dependencies has to have for an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Driver {
    /// `postgresql+psycopg` of `postgresql+psycopg://…`.
    pub scheme: &'static str,
    /// What is to be installed besides.
    pub lacks: Option<&'static str>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Database {
    pub is_used: bool,
    pub postgresql: Driver,
    pub sqlite: Driver,
}

const LIBRARIES: [&str; 14] = [
    "sqlalchemy",
    "flask-sqlalchemy",
    "django",
    "sqlmodel",
    "tortoise-orm",
    "peewee",
    "databases",
    "psycopg",
    "psycopg2",
    "psycopg2-binary",
    "asyncpg",
    "pg8000",
    "alembic",
    "pony",
];

pub fn find(sources: &[Source], dependencies: &Dependencies, framework: Framework) -> Database {
    let has = |name: &str| dependencies.has(name) || dependencies.postgres_names.contains(name);
    let any = |names: &[&str]| names.iter().any(|name| has(name));
    let mentions =
        |text: &str| sources.iter().flat_map(|source| &source.lines).any(|line| line.code.contains(text));
    let asynchronous = mentions("create_async_engine(") || mentions("sqlite+aiosqlite");
    let alchemy = framework != Framework::Django && any(&["sqlalchemy", "flask-sqlalchemy", "sqlmodel"]);
    let psycopg2 = any(&["psycopg2", "psycopg2-binary"]);
    let psycopg3 = any(&["psycopg", "psycopg-binary", "psycopg-c"]);
    // The application puts the driver into the address itself.
    let rewrites = mentions("postgresql+");
    let scheme = match () {
        () if !alchemy || rewrites => "postgresql",
        () if asynchronous && has("asyncpg") => "postgresql+asyncpg",
        // From SQLAlchemy 2.1 on, an address without a driver means psycopg 3.
        () if !asynchronous && psycopg2 => "postgresql+psycopg2",
        () if !asynchronous && !psycopg3 && has("pg8000") => "postgresql+pg8000",
        () => "postgresql+psycopg",
    };
    let there = match scheme {
        "postgresql+psycopg" => psycopg3,
        _ => psycopg2 || psycopg3 || any(&["asyncpg", "pg8000"]),
    };
    let lacks = match () {
        () if there => None,
        () if mentions("postgresql+psycopg2") => Some("psycopg2-binary"),
        () if mentions("postgresql+asyncpg") => Some("asyncpg"),
        () => Some("psycopg[binary]"),
    };
    let in_async = asynchronous && alchemy;
    Database {
        is_used: framework == Framework::Django || any(&LIBRARIES),
        postgresql: Driver { scheme, lacks },
        sqlite: Driver {
            scheme: if in_async { "sqlite+aiosqlite" } else { "sqlite" },
            lacks: (in_async && !has("aiosqlite")).then_some("aiosqlite"),
        },
    }
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Migrations {
    /// `Flask-Migrate`; empty where there is none.
    pub tool: &'static str,
    pub command: String,
    pub place: Option<Place>,
}

pub fn migrations(
    tree: &Tree,
    root: &str,
    framework: Framework,
    entry: Option<&str>,
    dependencies: &Dependencies,
    traps: &mut Vec<Trap>,
) -> Migrations {
    if framework == Framework::Django {
        let manage = join(root, "manage.py");
        return Migrations {
            tool: "Django",
            command: format!("python {manage} migrate --noinput"),
            place: Some(Place::new(&manage, 0)),
        };
    }
    if dependencies.has("flask-migrate") {
        let app = quote(entry.unwrap_or("app"));
        return flask_migrate(tree, &app, traps);
    }
    let nearest = |name: &str| {
        let found = tree.files().map(|(path, _)| path).filter(|path| file_name(path) == name);
        found.filter(|path| path.matches('/').count() <= 2).min_by_key(|path| path.matches('/').count())
    };
    let configured = nearest("alembic.ini").filter(|_| {
        framework != Framework::Flask
            || !tree.has_folder("migrations/versions")
            || tree.text("alembic.ini").is_some()
    });
    configured.map_or_else(Migrations::default, |ini| alembic(tree, ini, traps))
}

fn flask_migrate(tree: &Tree, app: &str, traps: &mut Vec<Trap>) -> Migrations {
    let env = tree.files().map(|(path, _)| path).find(|path| path.ends_with("migrations/env.py"));
    let Some(env) = env else {
        traps.push(Trap::of_all(
            "Flask-Migrate is installed, and there is no folder migrations/: the database would stay empty",
            format!("`flask --app {app} db init && flask --app {app} db migrate`, commit the folder, then `tow init` again"),
        ));
        return Migrations::default();
    };
    let folder = parent(env);
    let option = if folder == "migrations" { String::new() } else { format!(" -d {}", quote(folder)) };
    if revisions(tree, &join(folder, "versions")) == 0 {
        traps.push(empty(folder, &format!("flask --app {app} db migrate{option}")));
        return Migrations::default();
    }
    Migrations {
        tool: "Flask-Migrate",
        command: format!("flask --app {app} db upgrade{option}"),
        place: Some(Place::new(&format!("{folder}/"), 0)),
    }
}

fn alembic(tree: &Tree, ini: &str, traps: &mut Vec<Trap>) -> Migrations {
    let text = tree.text(ini).unwrap_or_default();
    let value = |key: &str| {
        text.lines().enumerate().find_map(|(at, line)| {
            let (name, value) = line.split_once('=').filter(|(name, _)| name.trim() == key)?;
            let _ = name;
            Some((value.trim(), at + 1))
        })
    };
    let location = value("script_location").map_or("alembic", |(location, _)| location);
    let folder = join(parent(ini), location.trim_start_matches("%(here)s").trim_start_matches('/'));
    let option = if parent(ini).is_empty() { String::new() } else { format!(" -c {}", quote(ini)) };
    let env = tree.text(&join(&folder, "env.py")).unwrap_or_default();
    if let Some((url, line)) =
        value("sqlalchemy.url").filter(|(url, _)| !url.is_empty() && !url.starts_with("%("))
    {
        let own = ["set_main_option", "environ", "getenv", "settings", "config.DATABASE", "engine"];
        if !own.iter().any(|word| env.contains(word))
            || (env.contains("engine_from_config")
                && !env.contains("set_main_option")
                && !env.contains("environ"))
        {
            let url = if url.contains('@') { "an address" } else { url };
            traps.push(Trap::at(
                ini,
                line,
                format!("migrations go to {url} that stands here, and to no other"),
                format!(
                    "in {}: `config.set_main_option(\"sqlalchemy.url\", os.environ[\"DATABASE_URL\"])`",
                    join(&folder, "env.py")
                ),
            ));
        }
    }
    if revisions(tree, &join(&folder, "versions")) == 0 {
        traps.push(empty(&folder, &format!("alembic{option} revision --autogenerate -m first")));
        return Migrations::default();
    }
    Migrations {
        tool: "Alembic",
        command: format!("alembic{option} upgrade head"),
        place: Some(Place::new(ini, 0)),
    }
}

fn revisions(tree: &Tree, folder: &str) -> usize {
    tree.files().filter(|(path, text)| parent(path) == folder && text.contains("def upgrade")).count()
}

fn empty(folder: &str, command: &str) -> Trap {
    Trap::at(
        &format!("{folder}/"),
        0,
        "it holds no migration: the database would stay empty",
        format!("`{command}`, read and commit what it wrote, then `tow init` again"),
    )
}

impl Migrations {
    /// Ends with 0 when the database has all of them; empty where nobody knows how to ask.
    pub fn settled(&self) -> String {
        let same = |of: &str, command: &str| {
            let [heads, current] = ["heads", "current"].map(|word| command.replacen(of, word, 1));
            format!("heads=$({heads}) && test \"$heads\" = \"$({current})\"")
        };
        match self.tool {
            "Django" => self.command.replace("--noinput", "--check"),
            "Flask-Migrate" => same("upgrade", &self.command),
            "Alembic" => same("upgrade head", &self.command),
            _ => String::new(),
        }
    }

    /// What other hosting runs before a release, where no tool was found.
    pub fn or_release(self, procfile: &Procfile, traps: &mut Vec<Trap>) -> Migrations {
        let Some((command, place)) = &procfile.release else { return self };
        let found = !self.command.is_empty();
        let replaces = ["seed", "drop", "reset", "flush"].iter().any(|word| command.contains(word));
        if found && !replaces {
            return self;
        }
        if replaces {
            traps.push(Trap {
                place: Some(place.clone()),
                what: format!(
                    "`{command}` may replace data, so a deployment runs {}",
                    if found { "the migrations alone" } else { "nothing of it" }
                ),
                then: "if it may run every time, write it as `migrate` in inventory.toml".to_owned(),
            });
            return self;
        }
        Migrations { tool: "release", command: command.clone(), place: Some(place.clone()) }
    }
}
