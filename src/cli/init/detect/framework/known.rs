//! What makes applications here: classes and functions, and what an entry is by them.

use crate::cli::init::detect::framework::classes::{self, Classes};
use crate::cli::init::detect::framework::factory::{self, Factory};
use crate::cli::init::detect::framework::{Candidate, Found, Look, bare, is_importable, named};
use crate::cli::init::detect::packages::Dependencies;
use crate::cli::init::detect::python::{Source, called, last};
use crate::cli::init::detect::{Entry, Framework, Interface, Place, Trap};

pub struct Known {
    classes: Classes,
    pub factories: Vec<Factory>,
}

impl Known {
    pub fn find(look: &Look) -> Known {
        let classes = Classes::find(look.sources);
        let factories = factory::find(look.sources, &classes);
        Known { classes, factories }
    }

    pub fn candidates(&self, look: &Look, dependencies: &Dependencies) -> Vec<Candidate> {
        let mut found: Vec<Candidate> = vec![];
        for source in look.sources {
            let made = self.objects(source);
            // Only where nothing shows how it is made.
            if made.is_empty() {
                found.extend(named::conventional(source, dependencies));
            }
            found.extend(made);
        }
        found.extend(self.factories.iter().filter_map(Factory::candidate));
        found.retain(|candidate| is_importable(&candidate.module) && !candidate.attribute.starts_with('_'));
        found
    }

    /// Applications that a module has once it is imported.
    fn objects(&self, source: &Source) -> Vec<Candidate> {
        let top = || source.lines.iter().filter(|line| line.indent == 0);
        let reads_arguments =
            top().any(|line| line.code.contains("parse_args(") || line.code.contains("parse_known_args("));
        let kind = |value: &str| {
            let callee = called(value)?;
            let made = || self.factories.iter().find(|factory| factory.name == last(callee));
            self.classes.made(value).or_else(|| made().map(|factory| (factory.framework, factory.interface)))
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

    /// What an entry is that somebody named: by its module, else by a function of its name.
    fn kind(&self, look: &Look, entry: &str) -> Option<(Framework, Interface)> {
        let (module, attribute) = entry.split_once(':').unwrap_or((entry, "application"));
        let attribute = attribute.split('(').next().unwrap_or(attribute);
        let source = look.sources.iter().find(|source| source.module == module);
        let objects = source.map(|source| self.objects(source)).unwrap_or_default();
        let object = objects.iter().find(|object| object.attribute == attribute);
        let made = |factory: &&Factory| factory.name == attribute;
        let factory = self.factories.iter().filter(made).find(|factory| factory.module == module);
        object.map(|object| (object.framework, object.interface)).or_else(|| {
            let factory = factory.or_else(|| self.factories.iter().find(made))?;
            Some((factory.framework, factory.interface))
        })
    }

    /// Of an entry point that somebody named: what its module shows, else its name.
    pub fn interface_of(&self, look: &Look, entry: &str) -> Interface {
        let module = entry.split(':').next().unwrap_or(entry);
        let by_name = if last(module) == "asgi" { Interface::Asgi } else { Interface::Wsgi };
        self.kind(look, entry).map_or(by_name, |(_, interface)| interface)
    }

    /// The entry is what somebody says it is; the framework is found all the same.
    pub fn wanted(
        &self,
        look: &Look,
        dependencies: &Dependencies,
        wanted: &str,
        found: &mut Found,
        traps: &mut Vec<Trap>,
    ) {
        let same = found.entry.as_ref().filter(|entry| entry.name == wanted).map(|entry| entry.interface);
        let installed = classes::installed(dependencies);
        let mut interface = self.interface_of(look, wanted);
        if found.framework != Framework::Django {
            let shown = self.kind(look, wanted).filter(|(framework, _)| *framework != Framework::Other);
            let kind = shown
                .or(installed
                    .filter(|(framework, _)| [Framework::Other, *framework].contains(&found.framework)));
            if let Some((framework, of_framework)) = kind {
                (found.framework, interface) = (framework, of_framework);
            }
        }
        if found.framework == Framework::Other && !dependencies.has("django") {
            traps.push(Trap::of_all(
                format!("the framework of {wanted} was not recognised, so nothing is known of its migrations and static files"),
                "in inventory.toml, write `migrate`, `collectstatic` and `static` where it has them",
            ));
        }
        let interface = same.unwrap_or(interface);
        found.entry = Some(Entry { name: wanted.to_owned(), interface, place: None });
    }
}
