//! What an application is, told from its files: values in, values out. It guesses only what it can name a place for.

mod database;
mod environment;
mod framework;
mod health;
mod listed;
mod migrations;
mod packages;
mod procfile;
pub mod python;
mod secrets;
mod shared;
mod statics;
mod system;
mod traps;
mod version;
mod websockets;

use std::fmt;

use crate::cli::init::detect::python::Source;
use crate::cli::init::tree::Tree;

pub use database::Database;
pub use environment::Variable;
pub use migrations::Migrations;
pub use packages::{Dependencies, Installer, has_only_members, is_list, is_workspace, project_name};
pub use procfile::Process;
pub use shared::Shared;
pub use statics::Statics;
pub use system::System;
pub use version::Version;

/// A line of a file; 0 is the file as a whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    pub file: String,
    pub line: usize,
}

impl Place {
    pub fn new(file: &str, line: usize) -> Place {
        Place { file: file.to_owned(), line }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            0 => f.write_str(&self.file),
            line => write!(f, "{}:{line}", self.file),
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Framework {
    Flask,
    Django,
    FastApi,
    Starlette,
    Quart,
    Litestar,
    Bottle,
    Falcon,
    /// Nothing that is known by name.
    Other,
}

impl Framework {
    pub fn name(self) -> &'static str {
        match self {
            Framework::Flask => "Flask",
            Framework::Django => "Django",
            Framework::FastApi => "FastAPI",
            Framework::Starlette => "Starlette",
            Framework::Quart => "Quart",
            Framework::Litestar => "Litestar",
            Framework::Bottle => "Bottle",
            Framework::Falcon => "Falcon",
            Framework::Other => "a Python application",
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Interface {
    Wsgi,
    Asgi,
}

impl Interface {
    pub fn key(self) -> &'static str {
        match self {
            Interface::Wsgi => "wsgi",
            Interface::Asgi => "asgi",
        }
    }
}

/// What gunicorn imports: `wsgi:app`, `shop:create_app()`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    pub name: String,
    pub interface: Interface,
    /// Where it was found; `None` when it was given.
    pub place: Option<Place>,
}

/// Something that works on a laptop and fails, or loses data, on a server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trap {
    pub place: Option<Place>,
    pub what: String,
    pub then: String,
}

impl Trap {
    pub fn at(file: &str, line: usize, what: impl Into<String>, then: impl Into<String>) -> Trap {
        Trap { place: Some(Place::new(file, line)), what: what.into(), then: then.into() }
    }
    pub fn of_all(what: impl Into<String>, then: impl Into<String>) -> Trap {
        Trap { place: None, what: what.into(), then: then.into() }
    }
}

/// All that was found out.
#[derive(Clone, Debug)]
pub struct App {
    pub framework: Framework,
    pub entry: Option<Entry>,
    /// What it could be, where it is not known.
    pub guesses: Vec<String>,
    /// The folder that modules are imported from, where it is not the application's own: `src`.
    pub import_root: String,
    /// Django's settings in production.
    pub settings: Option<String>,
    /// Which Python it wants.
    pub python: Option<Version>,
    pub dependencies: Dependencies,
    /// Packages of Debian that its dependencies want.
    pub system: Vec<System>,
    pub database: Database,
    pub migrations: Migrations,
    pub statics: Option<Statics>,
    /// What it writes to.
    pub shared: Vec<Shared>,
    pub health: Option<(String, Place)>,
    /// Whether something answers at `/`.
    pub has_front: bool,
    pub processes: Vec<Process>,
    pub environment: Vec<Variable>,
    /// Whether gunicorn's own settings file says how many workers there are.
    pub gunicorn_settings: bool,
    /// Where visitors keep connections open.
    pub websockets: Vec<String>,
    pub traps: Vec<Trap>,
}

impl App {
    /// Whether there is anything at all that tells of an application.
    pub fn is_recognised(&self) -> bool {
        self.framework != Framework::Other || self.entry.as_ref().is_some_and(|entry| entry.place.is_some())
    }

    /// What the path of health may answer. Where none is known, whatever comes from the application itself will do: it may
    /// send visitors to a login, and an API may have no front page.
    pub fn healthy(&self) -> Vec<u16> {
        let mut statuses = vec![200];
        if self.health.is_none() {
            statuses.extend([301, 302, 303, 307, 308, 401, 403]);
            statuses.extend(Some(404).filter(|_| !self.has_front));
        }
        statuses
    }

    pub fn is_asgi(&self) -> bool {
        self.entry.as_ref().is_some_and(|entry| entry.interface == Interface::Asgi)
    }
}

/// Looks at everything. `entry` is what the operator says, and then nothing is guessed of it.
pub fn detect(tree: &Tree, entry: Option<&str>) -> App {
    let root = framework::import_root(tree);
    let sources = tree.sources(&root);
    let mut traps = vec![];
    let procfile = procfile::read(tree, &mut traps);
    let dependencies = packages::find(tree, &mut traps);
    let listed = listed::find(tree, &dependencies);
    let python = version::find(tree, &dependencies, &listed);
    traps.extend(python.as_ref().and_then(Version::trap));
    let found = framework::find(
        &framework::Look { tree, sources: &sources, root: &root },
        &dependencies,
        &procfile,
        entry,
        &mut traps,
    );
    let database = database::find(&sources, &dependencies, found.framework);
    let named = found.entry.as_ref().map(|entry| entry.name.as_str());
    let migrations = migrations::find(tree, &root, found.framework, named, &dependencies, &mut traps);
    let migrations = migrations.or_release(&procfile, &mut traps);
    let statics =
        statics::find(tree, &sources, found.framework, &root, found.settings.as_deref(), &mut traps);
    let environment = environment::find(&environment::Reads {
        tree,
        sources: &sources,
        settings: found.settings.as_deref(),
        entry: found.entry.as_ref().map(|entry| entry.name.as_str()),
    });
    let settings = found.settings.as_deref();
    let (tells, files) = (&environment, statics.as_ref());
    let look =
        shared::Look { tree, sources: &sources, settings, root: &root, environment: tells, statics: files };
    let shared = shared::find(&look);
    traps.extend(shared::stays(&look));
    let mut app = App {
        framework: found.framework,
        entry: found.entry,
        guesses: found.guesses,
        settings: found.settings,
        python,
        system: system::find(&listed),
        database,
        migrations,
        statics,
        shared,
        health: health::find(&sources),
        has_front: health::has_front(&sources),
        processes: procfile.processes,
        environment,
        gunicorn_settings: says_workers(tree),
        websockets: websockets::find(&sources, &dependencies),
        import_root: root,
        dependencies,
        traps: vec![],
    };
    traps::find(tree, &sources, &listed, &app, &mut traps);
    app.traps = traps;
    app
}

fn says_workers(tree: &Tree) -> bool {
    let text = tree.text("gunicorn.conf.py").unwrap_or_default();
    python::lines(text).iter().any(|line| line.assigned().is_some_and(|(name, _)| name == "workers"))
}

/// The first line of all sources for which something can be said.
fn first<T>(sources: &[Source], look: impl Fn(&python::Line) -> Option<T>) -> Option<(T, Place)> {
    sources.iter().find_map(|source| {
        let found = source.lines.iter().find_map(|line| Some((look(line)?, line.number)));
        found.map(|(value, line)| (value, Place::new(&source.path, line)))
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::detect;
    use crate::cli::init::tree::Tree;

    /// What detection looks for, in any order.
    const PIECES: [&str; 49] = [
        "app",
        " = ",
        "Flask(",
        "FastAPI(",
        "__name__",
        ")",
        "\n",
        "\n    ",
        "def create_app(",
        "config",
        "):",
        "@app.get(",
        "\"/healthz\"",
        "'",
        "\"",
        "\"\"\"",
        "#",
        "\\",
        "os.environ[",
        "\"DATABASE_URL\"",
        "]",
        "class S(BaseSettings):",
        "url: str",
        "StaticFiles(directory=",
        "\"static\"",
        "DJANGO_SETTINGS_MODULE",
        "env_prefix=",
        "sqlite:///",
        "ü",
        "\0",
        "web: gunicorn ",
        "release: ",
        ":",
        "-r ",
        "--hash=sha256:",
        "[project]",
        "dependencies = [",
        "include(",
        "url_prefix=",
        "STATIC_ROOT",
        "{",
        "}",
        ",",
        ".websocket(",
        "MEDIA_ROOT",
        "__file__",
        ".parents[",
        "dirname(",
        "\"..\"",
    ];
    const FILES: [&str; 10] = [
        "app.py",
        "shop/__init__.py",
        "config/settings.py",
        "manage.py",
        "requirements.txt",
        "pyproject.toml",
        "Procfile",
        "alembic.ini",
        "migrations/env.py",
        ".env.example",
    ];

    proptest! {
        #[test]
        fn no_text_is_too_odd(texts in prop::collection::vec(prop::collection::vec(0..PIECES.len(), 0..40), FILES.len())) {
            let mut tree = Tree::default();
            for (path, pieces) in FILES.iter().zip(texts) {
                tree.add(path, pieces.into_iter().map(|piece| PIECES[piece]).collect());
            }
            let app = detect(&tree, None);
            prop_assert!(app.entry.is_none_or(|entry| entry.name.contains(':')));
            let _ = detect(&tree, Some("shop:create_app()"));
        }
    }
}
