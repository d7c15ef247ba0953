//! Django: manage.py, its settings, and the module that has its application.

use crate::cli::init::detect::framework::named::NAMES;
use crate::cli::init::detect::framework::{Found, Look, bare, settings};
use crate::cli::init::detect::packages::Dependencies;
use crate::cli::init::detect::python::{Source, called, last};
use crate::cli::init::detect::{Entry, Framework, Interface, Place, Trap};
use crate::cli::init::tree::{Tree, file_name};

/// manage.py nearest to the top. Other tools have one too: this one runs Django's commands.
pub(super) fn manage(tree: &Tree) -> Option<&str> {
    let made =
        || tree.files().any(|(path, text)| path.ends_with("sgi.py") && text.contains("sgi_application("));
    let named = |(path, text): &(&str, &str)| {
        file_name(path) == "manage.py"
            && (text.contains("DJANGO_SETTINGS_MODULE")
                || text.contains("execute_from_command_line") && made())
    };
    let found = tree.files().filter(named).map(|(path, _)| path);
    found.filter(|path| path.matches('/').count() <= 2).min_by_key(|path| path.matches('/').count())
}

pub(super) fn find(look: &Look, dependencies: &Dependencies, traps: &mut Vec<Trap>) -> Option<Found> {
    let path = manage(look.tree)?;
    let applications = Applications::find(look.sources);
    let settings = settings::find(look, path, &applications.sources, traps);
    let asgi =
        ["channels", "daphne"].iter().any(|name| dependencies.has(name)) || applications.wsgi.is_none();
    let chosen = if asgi { applications.asgi.or(applications.wsgi) } else { applications.wsgi };
    Some(Found { framework: Framework::Django, entry: chosen, settings, guesses: vec![] })
}

#[derive(Default)]
struct Applications<'a> {
    wsgi: Option<Entry>,
    asgi: Option<Entry>,
    /// The modules that have them.
    sources: Vec<&'a Source>,
}

impl<'a> Applications<'a> {
    /// Objects of `get_wsgi_application()` and its like; those of channels wrap them.
    fn find(sources: &'a [Source]) -> Applications<'a> {
        let mut found = Applications::default();
        for source in sources {
            for line in source.lines.iter().filter(|line| line.indent == 0) {
                let Some((name, value)) = line.assigned() else { continue };
                let Some(callee) = called(value) else { continue };
                let (slot, interface) = match last(callee) {
                    "get_wsgi_application" => (&mut found.wsgi, Interface::Wsgi),
                    "get_asgi_application" | "ProtocolTypeRouter" => (&mut found.asgi, Interface::Asgi),
                    _ => continue,
                };
                found.sources.push(source);
                let Some((name, number)) = public(source, name, line.number) else { continue };
                let entry = Entry {
                    name: format!("{}:{name}", source.module),
                    interface,
                    place: Some(Place::new(&source.path, number)),
                };
                if slot.is_none() || last(callee) == "ProtocolTypeRouter" {
                    *slot = Some(entry);
                }
            }
        }
        found
    }
}

/// What servers import: where the module keeps Django's own to itself (`_application`), it is what wraps that.
fn public<'a>(source: &'a Source, name: &'a str, number: usize) -> Option<(&'a str, usize)> {
    if !name.starts_with('_') {
        return Some((name, number));
    }
    let top = || source.lines.iter().filter(|line| line.indent == 0);
    let wraps = top().find_map(|line| {
        let name = line.assigned().map(|(name, _)| name).or_else(|| line.function().map(|(name, _)| name))?;
        NAMES.contains(&name).then_some((name, line.number))
    });
    wraps.or_else(|| {
        let place = bare(source)?.place;
        let line = top().find(|line| line.number == place.line)?;
        Some((line.function()?.0, place.line))
    })
}
