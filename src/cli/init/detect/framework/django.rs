//! Django: manage.py names its settings, and those name its application.

use crate::cli::init::detect::framework::{Found, Look};
use crate::cli::init::detect::packages::Dependencies;
use crate::cli::init::detect::python::{Source, called, last, lines};
use crate::cli::init::detect::{Entry, Framework, Interface, Place};
use crate::cli::init::tree::{Tree, file_name, join};

/// manage.py nearest to the top.
pub(super) fn manage(tree: &Tree) -> Option<&str> {
    let named = |(path, text): &(&str, &str)| {
        file_name(path) == "manage.py" && text.contains("DJANGO_SETTINGS_MODULE")
    };
    let found = tree.files().filter(named).map(|(path, _)| path);
    found.filter(|path| path.matches('/').count() <= 2).min_by_key(|path| path.matches('/').count())
}

pub(super) fn find(look: &Look, dependencies: &Dependencies) -> Option<Found> {
    let path = manage(look.tree)?;
    let text = look.tree.text(path)?;
    let said = lines(text).into_iter().find_map(|line| settings_of(&line.code))?;
    let settings = for_production(look, &said);
    let applications = Applications::find(look.sources);
    let asgi =
        ["channels", "daphne"].iter().any(|name| dependencies.has(name)) || applications.wsgi.is_none();
    let chosen = if asgi { applications.asgi.or(applications.wsgi) } else { applications.wsgi };
    Some(Found { framework: Framework::Django, entry: chosen, settings: Some(settings) })
}

/// The value that a statement sets DJANGO_SETTINGS_MODULE to.
fn settings_of(code: &str) -> Option<String> {
    let texts = crate::cli::init::detect::python::strings(code);
    let at = texts.iter().position(|(_, text)| *text == "DJANGO_SETTINGS_MODULE")?;
    texts.get(at + 1).map(|(_, text)| (*text).to_owned())
}

/// `config.settings.production` beside `config.settings.local`.
fn for_production(look: &Look, said: &str) -> String {
    let package = |name: &str| {
        let folder = join(look.root, &name.replace('.', "/"));
        look.tree.text(&join(&folder, "__init__.py")).is_some() || look.tree.has_folder(&folder)
    };
    let folder = if package(said) { said } else { said.rsplit_once('.').map_or("", |(folder, _)| folder) };
    let names = ["production", "prod", "settings_production", "settings_prod", "production_settings"];
    let candidates = names
        .iter()
        .map(|name| if folder.is_empty() { (*name).to_owned() } else { format!("{folder}.{name}") });
    let exists = |module: &String| {
        look.tree.text(&join(look.root, &format!("{}.py", module.replace('.', "/")))).is_some()
    };
    candidates.into_iter().find(exists).unwrap_or_else(|| said.to_owned())
}

/// Settings first for production, then what they build on.
pub fn settings_files<'a>(sources: &'a [Source], settings: &str) -> Vec<&'a Source> {
    let package = settings.rsplit_once('.').map_or(settings, |(package, _)| package);
    let own = |source: &&Source| source.module == settings;
    let beside = |source: &&Source| {
        let inside =
            source.module.strip_prefix(package).is_some_and(|rest| rest.starts_with('.') || rest.is_empty());
        source.module != settings
            && inside
            && source.module.contains("settings")
            && !is_for_developers(last(&source.module))
    };
    sources.iter().filter(own).chain(sources.iter().filter(beside)).collect()
}

fn is_for_developers(name: &str) -> bool {
    ["local", "dev", "development", "test", "testing", "ci"].contains(&name)
}

#[derive(Default)]
struct Applications {
    wsgi: Option<Entry>,
    asgi: Option<Entry>,
}

impl Applications {
    /// Objects of `get_wsgi_application()` and its like; those of channels wrap them.
    fn find(sources: &[Source]) -> Applications {
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
                let entry = Entry {
                    name: format!("{}:{name}", source.module),
                    interface,
                    place: Some(Place::new(&source.path, line.number)),
                };
                if slot.is_none() || last(callee) == "ProtocolTypeRouter" {
                    *slot = Some(entry);
                }
            }
        }
        found
    }
}
