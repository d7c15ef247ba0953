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
