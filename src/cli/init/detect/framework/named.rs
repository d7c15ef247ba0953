//! Applications by what they are called, where nothing shows how they are made: the convention of wsgi.py, and what is
//! only worth asking about.

use crate::cli::init::detect::framework::factory::required;
use crate::cli::init::detect::framework::{Candidate, Look, classes, is_script};
use crate::cli::init::detect::packages::Dependencies;
use crate::cli::init::detect::python::{Line, Source, called, last};
use crate::cli::init::detect::{Framework, Interface, Place};
use crate::cli::init::tree::file_name;

/// What an application is called, the usual name first.
pub const NAMES: [&str; 2] = ["application", "app"];
const FACTORIES: [&str; 9] = [
    "create_app",
    "make_app",
    "build_app",
    "get_app",
    "init_app",
    "create_application",
    "make_application",
    "get_application",
    "app_factory",
];
/// Objects that are called `app` as well.
const OTHERS: [&str; 4] = ["Celery", "Typer", "QApplication", "Dramatiq"];
/// So many are worth naming.
const MOST: usize = 3;

/// `app = create_app()` in wsgi.py: nobody writes that for anything else.
pub fn conventional(source: &Source, dependencies: &Dependencies) -> Option<Candidate> {
    let asgi = match file_name(&source.path) {
        "wsgi.py" => false,
        "asgi.py" => true,
        _ => return None,
    };
    let (line, name) = source.lines.iter().rev().find_map(assigned)?;
    let by_file = if asgi { Interface::Asgi } else { Interface::Wsgi };
    let (framework, interface) = classes::installed(dependencies).unwrap_or((Framework::Other, by_file));
    Some(Candidate {
        module: source.module.clone(),
        attribute: name.to_owned(),
        framework,
        interface,
        place: Place::new(&source.path, line.number),
        reads_arguments: false,
    })
}

/// `application = …(…)` at the top of a module.
fn assigned(line: &Line) -> Option<(&Line, &str)> {
    let (name, value) = line.assigned().filter(|_| line.indent == 0)?;
    let other = called(value).is_some_and(|callee| OTHERS.contains(&last(callee)));
    (NAMES.contains(&name) && value.contains('(') && !other).then_some((line, name))
}

/// What could be meant, where nobody can say: to be asked about, never to be taken.
pub fn guesses(look: &Look, scripts: &[Candidate]) -> Vec<String> {
    let mut found: Vec<(usize, String)> = look
        .sources
        .iter()
        .filter(|source| super::is_importable(&source.module))
        .flat_map(|source| {
            let depth = source.path.matches('/').count() + usize::from(is_script(&source.path)) * 20;
            let rank = if matches!(file_name(&source.path), "wsgi.py" | "asgi.py") { 0 } else { 2 } + depth;
            let object = source.lines.iter().find_map(assigned).map(|(_, name)| (rank, name.to_owned()));
            let factory = source.lines.iter().filter(|line| line.indent == 0).find_map(|line| {
                let (name, parameters) = line.function().filter(|(name, _)| FACTORIES.contains(name))?;
                match required(parameters).len() {
                    0 => Some(format!("{name}()")),
                    // What is wanted is nearly always the name of a configuration.
                    1 => Some(format!("{name}('production')")),
                    _ => None,
                }
            });
            object
                .into_iter()
                .chain(factory.map(|call| (rank + 1, call)))
                .map(|(rank, name)| (rank, format!("{}:{name}", source.module)))
        })
        .collect();
    found.extend(scripts.iter().map(|script| (30, script.name())));
    found.sort();
    let mut names: Vec<String> = found.into_iter().map(|(_, name)| name).collect();
    let mut seen = std::collections::BTreeSet::new();
    names.retain(|name| seen.insert(name.clone()));
    names.truncate(MOST);
    names
}
