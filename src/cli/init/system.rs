//! What the written inventory says of the server's system: its Python and its packages.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use crate::cli::args::Engine;
use crate::cli::init::detect::{App, System};
use crate::cli::init::settings::wants_redis;

/// What its virtual environment insists on. A hint of other hosting is none.
pub fn python_requires(app: &App) -> String {
    let strict = app.python.as_ref().filter(|version| version.is_strict);
    strict.map(|version| version.wants.to_string()).unwrap_or_default()
}

/// What packages of Python want of Debian, as far as they are installed at all.
fn wanted(app: &App, engine: Engine) -> impl Iterator<Item = &System> {
    let further = app.dependencies.postgres_list.as_ref().filter(|_| engine != Engine::Postgresql);
    app.system.iter().filter(move |system| Some(&system.place.file) != further)
}

pub fn system_packages(app: &App, engine: Engine) -> Vec<&'static str> {
    let redis = wants_redis(app).map(|_| "redis-server");
    let all = wanted(app, engine).flat_map(|system| system.packages.iter().copied());
    all.chain(redis).collect::<BTreeSet<&str>>().into_iter().collect()
}

/// Above the line of these packages: what for.
pub fn about_packages(text: &mut String, line: &str, app: &App, engine: Engine) {
    if line.starts_with("system_packages = ") {
        for System { packages, why, place } in wanted(app, engine) {
            let _ = writeln!(text, "# {}: {why} ({place}).", packages.join(", "));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{about_packages, python_requires, system_packages};
    use crate::cli::args::Engine;
    use crate::cli::init::detect::{App, detect};
    use crate::cli::init::tree::Tree;

    fn app(files: &[(&str, &str)]) -> App {
        let mut tree = Tree::default();
        for (path, text) in files {
            tree.add(path, (*text).to_owned());
        }
        detect(&tree, None)
    }

    #[test]
    fn packages_and_what_for() {
        let lists = [
            ("requirements.txt", "redis\nuwsgi\n"),
            ("requirements-pg.txt", "-r requirements.txt\npsycopg2\n"),
        ];
        let app = app(&lists);
        assert_eq!(system_packages(&app, Engine::Sqlite), ["gcc", "python3-dev"]);
        assert_eq!(system_packages(&app, Engine::Postgresql), ["gcc", "libpq-dev", "python3-dev"]);
        let mut text = String::new();
        about_packages(&mut text, "system_packages = []", &app, Engine::Sqlite);
        assert_eq!(text, "# gcc, python3-dev: uwsgi is compiled (requirements.txt:2).\n");
    }

    #[test]
    fn only_what_is_needed_is_insisted_on() {
        let project = "[project]\nname = \"x\"\nrequires-python = \">=3.12\"\n";
        assert_eq!(python_requires(&app(&[("pyproject.toml", project)])), ">=3.12");
        assert_eq!(python_requires(&app(&[("Dockerfile", "FROM python:3.12\n")])), "");
    }
}
