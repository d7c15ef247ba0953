//! What works on a laptop and fails, or loses data, on a server. Each with its place and what to do.

mod built;
mod hosts;
mod once;
mod queue;
pub mod release;

use crate::cli::init::detect::framework::settings_files;
use crate::cli::init::detect::listed::Requirement;
use crate::cli::init::detect::python::{Line, Source, called, last};
use crate::cli::init::detect::{App, Framework, Interface, Place, Trap, secrets};
use crate::cli::init::tree::{Tree, file_name, join, parent};

pub fn find(tree: &Tree, sources: &[Source], listed: &[Requirement], app: &App, traps: &mut Vec<Trap>) {
    for source in sources {
        traps.extend(source.lines.iter().filter_map(|line| in_line(source, line, app)));
    }
    traps.extend(secrets::find(sources, app));
    if app.framework == Framework::Django {
        in_django(tree, sources, app, traps);
    }
    release::find(sources, app, traps);
    traps.extend(once::find(sources, app));
    let manage = (app.framework == Framework::Django).then(|| join(&app.import_root, "manage.py"));
    traps.extend(queue::find(sources, listed, &app.processes, manage.as_deref()));
    traps.extend(built::find(tree));
    seeds(tree, traps);
    if let Some(trap) = no_address(app) {
        traps.push(trap);
    }
    if app.dependencies.hashed && app.lacking().next().is_some() {
        let list = &app.dependencies.list;
        let lacks: Vec<&str> = app.lacking().collect();
        let what = format!("its packages have hashes, and {} would be installed without", lacks.join(", "));
        traps.push(Trap::at(list, 0, what, "add them to the list with their hashes, then `tow init` again"));
    }
}

impl App {
    /// What has to be installed besides the list, whatever the database.
    pub fn lacking(&self) -> impl Iterator<Item = &'static str> {
        let has = |name: &str| self.dependencies.has(name);
        let asgi = self.entry.as_ref().is_some_and(|entry| entry.interface == Interface::Asgi);
        let sockets = asgi && !self.websockets.is_empty() && !has("wsproto");
        [("gunicorn", true), ("uvicorn-worker", asgi), ("websockets", sockets)]
            .into_iter()
            .filter(move |(name, wanted)| *wanted && !has(name))
            .map(|(name, _)| name)
    }

    /// Whether the database's address can be given from outside.
    fn takes_address(&self) -> bool {
        let names = ["DATABASE", "DB_", "POSTGRES", "PGHOST", "SQLALCHEMY", "_DB", "_DSN"];
        self.environment.iter().any(|variable| names.iter().any(|name| variable.name.contains(name)))
    }
}

fn in_line(source: &Source, line: &Line, app: &App) -> Option<Trap> {
    let callee = called(&line.code).map_or("", last);
    if callee == "load_dotenv" && line.code.contains("override=True") {
        let then = "remove `override=True`: what a deployment sets has to win over a file";
        return Some(Trap::at(&source.path, line.number, "a .env file wins over the environment", then));
    }
    if line.indent == 0 && ["drop_all", "create_all"].contains(&callee) && callee == "drop_all" {
        let then = "move it into a command of its own";
        return Some(Trap::at(&source.path, line.number, "importing this file drops all tables", then));
    }
    // Beside a setting from outside it is only what a laptop falls back to.
    if app.takes_address() {
        return None;
    }
    let relative = |text: &&str| {
        let path =
            text.split_once(":///").filter(|(scheme, _)| scheme.starts_with("sqlite")).map(|(_, path)| path);
        path.is_some_and(|path| !path.is_empty() && !path.starts_with(['/', '{', ':']))
    };
    let text = line.strings().into_iter().find(relative)?;
    Some(Trap::at(
        &source.path,
        line.number,
        format!("{text} lies inside the release: its data are lost with the next one"),
        "take the address from DATABASE_URL",
    ))
}

fn in_django(tree: &Tree, sources: &[Source], app: &App, traps: &mut Vec<Trap>) {
    let files = settings_files(sources, app.settings.as_deref().unwrap_or_default());
    // Only the first that says it counts: settings for production override what they build on.
    let setting = |name: &str| {
        let of = |source: &'_ &Source| lines_of(source, name).next().is_some();
        files.iter().copied().find(of)
    };
    // Wrong in every branch: an override in an `if` may be what a deployment takes.
    let wrongly = |name: &str, wrong: &dyn Fn(&str) -> bool| {
        let source = setting(name)?;
        let all = lines_of(source, name).all(|(_, value)| wrong(value));
        lines_of(source, name).last().filter(|_| all).map(|(line, _)| (source, line))
    };
    let mut look = |name: &str, wrong: &dyn Fn(&str) -> bool, what: &str, then: &str| {
        if let Some((source, line)) = wrongly(name, wrong) {
            traps.push(Trap::at(&source.path, line.number, what, then));
        }
    };
    look(
        "DEBUG",
        &|value| value == "True",
        "DEBUG is on: visitors would see the source and settings",
        "`DEBUG = os.environ.get(\"DEBUG\") == \"1\"`",
    );
    let inside = |value: &str| !value.contains("env") && !value.contains("\"/") && !value.contains("'/");
    let outlives = |place: &Place| app.shared.iter().any(|shared| shared.place == *place);
    let media = wrongly("MEDIA_ROOT", &inside).map(|(source, line)| Place::new(&source.path, line.number));
    traps.extend(media.filter(|place| !outlives(place)).map(|place| Trap {
        place: Some(place),
        what: "MEDIA_ROOT lies inside the release: what visitors upload is lost with the next one".to_owned(),
        then: "take it from the environment, and set it below {{root}}/shared in inventory.toml".to_owned(),
    }));
    traps.extend(app.shared.iter().filter_map(|shared| shared.guard.clone()));
    traps.extend(hosts::find(&files));
    traps.extend(sources.iter().filter_map(|source| unmigrated(tree, source)));
    let sqlite = wrongly("DATABASES", &|value| value.contains("sqlite3") && !value.contains("env"));
    if let Some((source, line)) = sqlite.filter(|_| !app.takes_address()) {
        let what = "the database is a file inside the release: its data are lost with the next one";
        let then = "`dj_database_url.config()` (package dj-database-url) takes the address from DATABASE_URL";
        traps.push(Trap::at(&source.path, line.number, what, then));
    }
}

/// Where a file of settings gives a name a value, also in a branch.
fn lines_of<'a>(source: &'a Source, name: &str) -> impl Iterator<Item = (&'a Line, &'a str)> {
    source.lines.iter().filter_map(move |line| {
        let (_, value) = line.assigned().filter(|(assigned, _)| *assigned == name)?;
        Some((line, value))
    })
}

/// An app with models and without migrations has no tables.
fn unmigrated(tree: &Tree, source: &Source) -> Option<Trap> {
    let beside = parent(&source.path);
    // Migrations stand beside models.py, or beside the package models/.
    let (folder, app) = if file_name(beside) == "models" {
        (parent(beside), source.module.rsplit_once(".models").map_or("", |(app, _)| app))
    } else {
        (beside, source.module.trim_end_matches(".models"))
    };
    let folder = join(folder, "migrations/");
    let any = || {
        tree.files()
            .any(|(path, text)| path.starts_with(&format!("{folder}/")) && text.contains("Migration("))
    };
    (file_name(&source.path) == "models.py" && has_tables(source) && !any()).then(|| {
        let then = format!("`python manage.py makemigrations {}`, and commit what it wrote", last(app));
        Trap::at(&source.path, 0, "its models have no migrations, so they would have no tables", then)
    })
}

/// Whether there is a model that is not only to be inherited from, nor another look at a table.
fn has_tables(source: &Source) -> bool {
    source.lines.iter().enumerate().any(|(at, line)| {
        let mut body = source.lines[at + 1..].iter().take_while(|inner| inner.indent > line.indent);
        let without = |inner: &Line| {
            let code = inner.code.replace(' ', "");
            ["abstract=True", "managed=False", "proxy=True"].contains(&code.as_str())
        };
        line.code.contains("models.Model)") && !body.any(without)
    })
}

/// Scripts that fill an empty database are for developers. A command of Django's has tables of its own.
fn seeds(tree: &Tree, traps: &mut Vec<Trap>) {
    for (path, text) in tree.files() {
        let name = file_name(path);
        let python = path.rsplit_once('.').is_some_and(|(_, ending)| ending == "py");
        let seed = python
            && !parent(path).ends_with("management/commands")
            && ["seed", "reset_db", "init_db", "populate"].iter().any(|word| name.contains(word));
        let what = if text.contains("drop_all(") { "all tables" } else { "tables" };
        if seed && (text.contains("drop_all(") || text.contains("DROP TABLE")) {
            let then = "nothing to do; run it by hand, never on the server";
            traps.push(Trap::at(path, 0, format!("it drops {what}, so no playbook runs it"), then));
        }
    }
}

fn no_address(app: &App) -> Option<Trap> {
    let silent = app.database.is_used && !app.takes_address() && app.framework != Framework::Other;
    silent.then(|| {
        Trap::of_all(
            "nothing was found that takes the database's address from the environment",
            "let the application read DATABASE_URL, which inventory.toml sets where there is a database",
        )
    })
}

#[cfg(test)]
mod tests {
    use super::unmigrated;
    use crate::cli::init::detect::detect;
    use crate::cli::init::tree::Tree;

    fn said(files: &[(&str, &str)]) -> Vec<String> {
        let mut tree = Tree::default();
        for (path, text) in files {
            tree.add(path, (*text).to_owned());
        }
        detect(&tree, None).traps.into_iter().map(|trap| format!("{} → {}", trap.what, trap.then)).collect()
    }

    const MANAGE: (&str, &str) =
        ("manage.py", "os.environ.setdefault('DJANGO_SETTINGS_MODULE', 'shop.settings')\n");

    #[test]
    fn a_command_that_drops_a_table_of_its_own() {
        let text = "cursor.execute('DROP TABLE IF EXISTS search')\n";
        let drops = |path: &str| said(&[(path, text)]).iter().any(|said| said.starts_with("it drops tables"));
        assert!(drops("populate.py") && !drops("hc/management/commands/populate_search.py"));
    }

    #[test]
    fn an_address_however_it_is_laid_out() {
        let settings = "DATABASES = {\n    \"default\": dj_database_url.config(\n        env=\"DATABASE_URL\",\n        ssl_require=True,\n    )\n}\n";
        let said = said(&[MANAGE, ("shop/settings.py", settings)]);
        assert!(!said.iter().any(|said| said.contains("database's address")), "{said:?}");
    }

    #[test]
    fn static_files_beside_a_base_that_is_text() {
        let advice = |base: &str| {
            let said = said(&[MANAGE, ("shop/settings.py", base)]);
            said.into_iter().find(|said| said.contains("no STATIC_ROOT")).unwrap()
        };
        assert!(
            advice("BASE_DIR = Path(__file__).parent\n")
                .contains("`STATIC_ROOT = BASE_DIR / \"staticfiles\"`")
        );
        assert!(
            advice("BASE_DIR = os.path.dirname(__file__)\n")
                .contains("`STATIC_ROOT = os.path.join(BASE_DIR, \"staticfiles\")`")
        );
    }

    /// Whether something is said of a file with models, where migrations are in `folder`.
    fn is_said(path: &str, text: &str, folder: &str) -> bool {
        let mut tree = Tree::default();
        tree.add(path, text.to_owned());
        tree.add(&format!("{folder}/0001_first.py"), "class Migration(migrations.Migration): pass\n".into());
        tree.sources("").iter().any(|source| unmigrated(&tree, source).is_some())
    }

    #[test]
    fn only_tables_need_migrations() {
        let model = "class Cart(models.Model):\n    n = models.IntegerField()\n";
        let base = "class Base(models.Model):\n    n = 1\n\n    class Meta:\n        abstract = True\n";
        assert!(is_said("shop/models.py", model, "blog/migrations"));
        assert!(is_said("shop/models.py", &format!("{base}{model}"), "blog/migrations"));
        assert!(!is_said("shop/models.py", base, "blog/migrations"));
        assert!(!is_said("shop/models.py", model, "shop/migrations"));
        assert!(!is_said("shop/models/models.py", model, "shop/migrations"));
    }
}
