//! Which framework it is, and what gunicorn has to import.

use crate::cli::init::detect::packages::Dependencies;
use crate::cli::init::detect::procfile::Procfile;
use crate::cli::init::detect::python::{Source, called, last};
use crate::cli::init::detect::{Entry, Framework, Interface, Place, Trap};
use crate::cli::init::tree::{Tree, file_name, parent};

pub use django::settings_files;

mod django;
mod factory;

/// What is looked at.
#[derive(Clone, Copy)]
pub struct Look<'a> {
    pub tree: &'a Tree,
    pub sources: &'a [Source],
    pub root: &'a str,
}

pub struct Found {
    pub framework: Framework,
    pub entry: Option<Entry>,
    pub settings: Option<String>,
}

/// Classes whose objects are applications.
const CLASSES: [(&str, Framework, Interface); 10] = [
    ("Flask", Framework::Flask, Interface::Wsgi),
    ("APIFlask", Framework::Flask, Interface::Wsgi),
    ("FastAPI", Framework::FastApi, Interface::Asgi),
    ("Starlette", Framework::Starlette, Interface::Asgi),
    ("Quart", Framework::Quart, Interface::Asgi),
    ("Litestar", Framework::Litestar, Interface::Asgi),
    ("Bottle", Framework::Bottle, Interface::Wsgi),
    ("falcon.App", Framework::Falcon, Interface::Wsgi),
    ("falcon.API", Framework::Falcon, Interface::Wsgi),
    ("falcon.asgi.App", Framework::Falcon, Interface::Asgi),
];

/// An application that gunicorn could import.
#[derive(Clone, Debug)]
pub(super) struct Candidate {
    module: String,
    /// `app` or `create_app()`.
    attribute: String,
    framework: Framework,
    interface: Interface,
    place: Place,
    /// Importing its module reads the arguments of the command line.
    reads_arguments: bool,
}

/// Where modules are imported from: beside manage.py, or by the layout of the folders.
pub fn import_root(tree: &Tree) -> String {
    match django::manage(tree) {
        Some(manage) => parent(manage).to_owned(),
        None => tree.import_root().to_owned(),
    }
}

pub fn find(
    look: &Look,
    dependencies: &Dependencies,
    procfile: &Procfile,
    wanted: Option<&str>,
    traps: &mut Vec<Trap>,
) -> Found {
    let mut found = django::find(look, dependencies).unwrap_or_else(|| by_candidates(look, procfile, traps));
    if let Some(wanted) = wanted {
        let interface = interface_of(look, wanted);
        let same = found.entry.as_ref().filter(|entry| entry.name == wanted).map(|entry| entry.interface);
        found.entry =
            Some(Entry { name: wanted.to_owned(), interface: same.unwrap_or(interface), place: None });
    }
    found
}

fn by_candidates(look: &Look, procfile: &Procfile, traps: &mut Vec<Trap>) -> Found {
    let factories = factory::find(look.sources);
    let mut candidates: Vec<Candidate> =
        look.sources.iter().flat_map(|source| objects(source, &factories)).collect();
    candidates.extend(factories.iter().filter_map(factory::Factory::candidate));
    let hint = procfile.entry.as_ref().map(|(name, _)| name.as_str());
    candidates.sort_by_key(|candidate| (rank(candidate, hint), candidate.place.file.clone()));
    let best = candidates.first();
    if let Some(avoided) = candidates.iter().find(|candidate| candidate.reads_arguments) {
        traps.push(Trap::at(
            &avoided.place.file,
            avoided.place.line,
            format!(
                "importing {} reads the command line (argparse), so gunicorn and `flask` end at once",
                avoided.module
            ),
            match best.filter(|best| !best.reads_arguments) {
                Some(best) => format!("{} is used instead", best.name()),
                None => "move `parse_args()` below `if __name__ == \"__main__\":`".to_owned(),
            },
        ));
    }
    if best.is_none() {
        traps.extend(factories.iter().filter_map(factory::Factory::trap));
    }
    let framework =
        best.map(|best| best.framework).or_else(|| factories.first().map(|factory| factory.framework));
    let unknown = || {
        procfile.entry.as_ref().map(|(name, place)| Entry {
            name: name.clone(),
            interface: interface_of(look, name),
            place: Some(place.clone()),
        })
    };
    Found {
        framework: framework.unwrap_or(Framework::Other),
        entry: best.map(Candidate::entry).or_else(unknown),
        settings: None,
    }
}

impl Candidate {
    fn name(&self) -> String {
        format!("{}:{}", self.module, self.attribute)
    }
    fn entry(&self) -> Entry {
        Entry { name: self.name(), interface: self.interface, place: Some(self.place.clone()) }
    }
}

/// Smaller is better: what the Procfile names, then files that are made to be imported, at the top.
fn rank(candidate: &Candidate, hint: Option<&str>) -> usize {
    if hint == Some(candidate.name().as_str()) {
        return 0;
    }
    let by_name = match file_name(&candidate.place.file) {
        "wsgi.py" | "asgi.py" => 1,
        "main.py" | "app.py" | "application.py" => 3,
        "run.py" | "server.py" | "__init__.py" => 5,
        _ => 7,
    };
    let called = usize::from(candidate.attribute.ends_with(')')) * 6;
    let depth = candidate.place.file.matches('/').count();
    by_name + called + depth + usize::from(candidate.reads_arguments) * 20
}

/// Applications that a module has once it is imported.
fn objects(source: &Source, factories: &[factory::Factory]) -> Vec<Candidate> {
    let top = || source.lines.iter().filter(|line| line.indent == 0);
    let reads_arguments =
        top().any(|line| line.code.contains("parse_args(") || line.code.contains("parse_known_args("));
    let kind = |value: &str| {
        let callee = called(value)?;
        let by_factory = || {
            factories.iter().find(|factory| factory.name == last(callee)).map(|f| (f.framework, f.interface))
        };
        class(callee).or_else(by_factory)
    };
    let found = top().filter_map(|line| {
        let (name, value) = line.assigned()?;
        let (framework, interface) = kind(value)?;
        let place = Place::new(&source.path, line.number);
        Some(Candidate {
            module: source.module.clone(),
            attribute: name.to_owned(),
            framework,
            interface,
            place,
            reads_arguments,
        })
    });
    // The last one wraps those before it: `app = SocketIO(app)`, `app = CORSMiddleware(app)`.
    let mut found: Vec<Candidate> = found.collect();
    found.extend(bare(source));
    found
}

/// `def application(environ, start_response)` and `async def app(scope, receive, send)`.
fn bare(source: &Source) -> Option<Candidate> {
    source.lines.iter().filter(|line| line.indent == 0).find_map(|line| {
        let (name, parameters) = line.function()?;
        let names: Vec<&str> =
            parameters.split(',').map(|p| p.split(':').next().unwrap_or(p).trim()).collect();
        let interface = match names.as_slice() {
            ["environ", "start_response"] => Interface::Wsgi,
            ["scope", "receive", "send"] => Interface::Asgi,
            _ => return None,
        };
        Some(Candidate {
            module: source.module.clone(),
            attribute: name.to_owned(),
            framework: Framework::Other,
            interface,
            place: Place::new(&source.path, line.number),
            reads_arguments: false,
        })
    })
}

fn class(callee: &str) -> Option<(Framework, Interface)> {
    let fits = |name: &str| callee == name || (!name.contains('.') && last(callee) == name);
    CLASSES.iter().find(|(name, ..)| fits(name)).map(|(_, framework, interface)| (*framework, *interface))
}

/// Of an entry point that somebody named: what its module shows, else its name.
fn interface_of(look: &Look, entry: &str) -> Interface {
    let module = entry.split(':').next().unwrap_or(entry);
    let attribute = entry.split(':').nth(1).unwrap_or("application").trim_end_matches("()");
    let factories = factory::find(look.sources);
    let source = look.sources.iter().find(|source| source.module == module);
    let object =
        source.and_then(|source| objects(source, &factories).into_iter().find(|o| o.attribute == attribute));
    let made = factories.iter().find(|factory| factory.module == module && factory.name == attribute);
    object
        .map(|object| object.interface)
        .or(made.map(|factory| factory.interface))
        .unwrap_or(if last(module) == "asgi" { Interface::Asgi } else { Interface::Wsgi })
}
