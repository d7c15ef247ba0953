//! What brings the tables of a database up to date.

use crate::cli::init::detect::packages::Dependencies;
use crate::cli::init::detect::procfile::Procfile;
use crate::cli::init::detect::{Framework, Place, Trap};
use crate::cli::init::tree::{Tree, file_name, join, parent, resolve};
use crate::words::shell::quote;

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Migrations {
    /// `Flask-Migrate`; empty where there is none.
    pub tool: &'static str,
    pub command: String,
    pub place: Option<Place>,
}

pub fn find(
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
    let location = value(text, "script_location").map_or("alembic", |(location, _)| location);
    // It is seen from where alembic runs, unless it says otherwise.
    let of_ini = location.strip_prefix("%(here)s");
    let from_top = resolve("", location);
    let is_from_top = of_ini.is_none() && tree.text(&join(&from_top, "env.py")).is_some();
    let folder = if is_from_top { from_top } else { resolve(parent(ini), of_ini.unwrap_or(location)) };
    let alembic = match parent(ini) {
        "" => "alembic".to_owned(),
        below if of_ini.is_none() && !is_from_top => format!("cd {} && alembic", quote(below)),
        _ => format!("alembic -c {}", quote(ini)),
    };
    traps.extend(fixed_address(tree, ini, &folder));
    if revisions(tree, &join(&folder, "versions")) == 0 {
        traps.push(empty(&folder, &format!("{alembic} revision --autogenerate -m first")));
        return Migrations::default();
    }
    Migrations {
        tool: "Alembic",
        command: format!("{alembic} upgrade head"),
        place: Some(Place::new(ini, 0)),
    }
}

/// A setting of alembic.ini, and its line.
fn value<'a>(text: &'a str, key: &str) -> Option<(&'a str, usize)> {
    text.lines().enumerate().find_map(|(at, line)| {
        let (_, value) = line.split_once('=').filter(|(name, _)| name.trim() == key)?;
        Some((value.trim(), at + 1))
    })
}

/// An address in alembic.ini that nothing of env.py replaces.
fn fixed_address(tree: &Tree, ini: &str, folder: &str) -> Option<Trap> {
    let env = tree.text(&join(folder, "env.py")).unwrap_or_default();
    let (url, line) = value(tree.text(ini)?, "sqlalchemy.url")?;
    let own = ["set_main_option", "environ", "getenv", "settings", "config.DATABASE", "engine"];
    let from_file =
        env.contains("engine_from_config") && !env.contains("set_main_option") && !env.contains("environ");
    if url.is_empty() || url.starts_with("%(") || own.iter().any(|word| env.contains(word)) && !from_file {
        return None;
    }
    let url = if url.contains('@') { "an address" } else { url };
    Some(Trap::at(
        ini,
        line,
        format!("migrations go to {url} that stands here, and to no other"),
        format!(
            "in {}: `config.set_main_option(\"sqlalchemy.url\", os.environ[\"DATABASE_URL\"])`",
            join(folder, "env.py")
        ),
    ))
}

fn revisions(tree: &Tree, folder: &str) -> usize {
    let below = format!("{folder}/");
    tree.files().filter(|(path, text)| path.starts_with(&below) && text.contains("def upgrade")).count()
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

#[cfg(test)]
mod tests {
    use super::alembic;
    use crate::cli::init::tree::Tree;

    /// The command, and how many traps, where `ini` says `location` and `folder` has a migration.
    fn of(ini: &str, location: &str, folder: &str) -> (String, usize) {
        let mut tree = Tree::default();
        tree.add(ini, format!("[alembic]\nscript_location = {location}\n"));
        tree.add(&format!("{folder}/env.py"), String::new());
        tree.add(&format!("{folder}/versions/1_first.py"), "def upgrade(): pass\n".into());
        let mut traps = vec![];
        (alembic(&tree, ini, &mut traps).command, traps.len())
    }

    #[test]
    fn a_location_may_be_written_in_many_ways() {
        for (ini, location, folder, command) in [
            ("alembic.ini", "./db", "db", "alembic upgrade head"),
            ("alembic.ini", "%(here)s/db/", "db", "alembic upgrade head"),
            ("alembic.ini", "app/./db", "app/db", "alembic upgrade head"),
            ("back/alembic.ini", "%(here)s/db", "back/db", "alembic -c back/alembic.ini upgrade head"),
            ("back/alembic.ini", "back/db", "back/db", "alembic -c back/alembic.ini upgrade head"),
            ("back/alembic.ini", "db", "back/db", "cd back && alembic upgrade head"),
        ] {
            assert_eq!(of(ini, location, folder), (command.to_owned(), 0), "{location}");
        }
        assert_eq!(of("alembic.ini", "./other", "db"), (String::new(), 1));
    }
}
