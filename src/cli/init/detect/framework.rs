//! Which framework it is, and what gunicorn has to import.

use crate::cli::init::detect::framework::factory::Factory;
use crate::cli::init::detect::framework::known::Known;
use crate::cli::init::detect::packages::Dependencies;
use crate::cli::init::detect::procfile::Procfile;
use crate::cli::init::detect::python::{Source, is_name};
use crate::cli::init::detect::{Entry, Framework, Interface, Place, Trap};
use crate::cli::init::tree::{Tree, file_name, parent};

pub use settings::settings_files;

mod classes;
mod django;
mod factory;
mod known;
mod named;
mod settings;

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
    /// What the entry could be, where it is not known.
    pub guesses: Vec<String>,
}

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
    let known = Known::find(look);
    let mut found = django::find(look, dependencies, traps)
        .unwrap_or_else(|| by_candidates(look, &known, dependencies, procfile, wanted, traps));
    if let Some(wanted) = wanted {
        known.wanted(look, dependencies, wanted, &mut found, traps);
    }
    if found.framework == Framework::Other && found.entry.is_some() && dependencies.has("django") {
        traps.push(Trap::of_all(
            "Django is installed, and there is no manage.py that runs its commands: nothing is known of its settings, \
             migrations and static files",
            "run `tow init` in the folder of manage.py; else write `migrate`, `collectstatic`, `static` and \
             DJANGO_SETTINGS_MODULE into inventory.toml",
        ));
    }
    found
}

fn by_candidates(
    look: &Look,
    known: &Known,
    dependencies: &Dependencies,
    procfile: &Procfile,
    wanted: Option<&str>,
    traps: &mut Vec<Trap>,
) -> Found {
    let hint = procfile.entry.as_ref().map(|(name, _)| name.as_str());
    let mut candidates = known.candidates(look, dependencies);
    candidates.sort_by_key(|candidate| (rank(candidate, hint), candidate.place.file.clone()));
    // What is beside the application is no application, unless somebody says so.
    let (scripts, candidates): (Vec<Candidate>, Vec<Candidate>) = candidates
        .into_iter()
        .partition(|candidate| is_script(&candidate.place.file) && hint != Some(candidate.name().as_str()));
    let best = candidates.first();
    traps.extend(avoided(&candidates, wanted));
    if best.is_none() && wanted.is_none() {
        traps.extend(known.factories.iter().filter_map(Factory::trap));
    }
    let framework = best.or(scripts.first()).map(|candidate| candidate.framework);
    let framework = framework.or_else(|| known.factories.first().map(|factory| factory.framework));
    let unknown = || {
        procfile.entry.as_ref().map(|(name, place)| Entry {
            name: name.clone(),
            interface: known.interface_of(look, name),
            place: Some(place.clone()),
        })
    };
    Found {
        framework: framework.unwrap_or(Framework::Other),
        entry: best.map(Candidate::entry).or_else(unknown),
        settings: None,
        guesses: named::guesses(look, &scripts),
    }
}

/// One that cannot be imported, and what is done instead.
fn avoided(candidates: &[Candidate], wanted: Option<&str>) -> Option<Trap> {
    let meant = |candidate: &&Candidate| wanted.is_none_or(|wanted| candidate.name() == wanted);
    let avoided = candidates.iter().filter(meant).find(|candidate| candidate.reads_arguments)?;
    Some(Trap::at(
        &avoided.place.file,
        avoided.place.line,
        format!(
            "importing {} reads the command line (argparse), so gunicorn and `flask` end at once",
            avoided.module
        ),
        match candidates.first().filter(|best| !best.reads_arguments && wanted.is_none()) {
            Some(best) => format!("{} is used instead", best.name()),
            None => "move `parse_args()` below `if __name__ == \"__main__\":`".to_owned(),
        },
    ))
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
    let unusual = usize::from(called == 0 && !named::NAMES.contains(&candidate.attribute.as_str()));
    let depth = candidate.place.file.matches('/').count();
    by_name + called + unusual + depth + usize::from(candidate.reads_arguments) * 20
}

/// Folders of tools that belong to an application and are none.
fn is_script(path: &str) -> bool {
    let folders = path.rsplit_once('/').map_or("", |(folders, _)| folders);
    folders.split('/').any(|folder| folder == "bin")
        || ["tools", "contrib"].contains(&folders.split('/').next().unwrap_or_default())
}

/// Whether `import` can name a module.
fn is_importable(module: &str) -> bool {
    module.split('.').all(is_name)
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

#[cfg(test)]
mod tests {
    use crate::cli::init::detect::{App, Framework, detect};
    use crate::cli::init::tree::Tree;

    fn of(files: &[(&str, &str)], wanted: Option<&str>) -> App {
        let mut tree = Tree::default();
        for (path, text) in files {
            tree.add(path, (*text).to_owned());
        }
        detect(&tree, wanted)
    }

    fn entry(files: &[(&str, &str)]) -> Option<String> {
        of(files, None).entry.map(|entry| entry.name)
    }

    const LIST: (&str, &str) = ("requirements.txt", "flask\n");
    const SHOP: (&str, &str) = (
        "shop/app.py",
        "class Shop(Flask): pass\ndef make_app(testing=False):\n    app = Shop(__name__)\n    return app\n",
    );
    const BIN: (&str, &str) = ("bin/utils/proxy.py", "app = Flask(__name__)\n");

    #[test]
    fn an_own_class_is_followed() {
        let wsgi = ("wsgi.py", "from shop.app import make_app\napp = make_app()\n");
        assert_eq!(entry(&[LIST, SHOP, wsgi]).as_deref(), Some("wsgi:app"));
        assert_eq!(entry(&[LIST, SHOP, BIN]).as_deref(), Some("shop.app:make_app()"));
    }

    #[test]
    fn wsgi_py_is_believed() {
        let wsgi = ("shop/wsgi.py", "from elsewhere import create_app\napp = create_app()\n");
        let app = of(&[LIST, wsgi], None);
        assert_eq!((app.framework, app.entry.unwrap().name.as_str()), (Framework::Flask, "shop.wsgi:app"));
    }

    #[test]
    fn a_tool_is_asked_about_and_not_taken() {
        let app = of(&[LIST, BIN], None);
        assert_eq!((app.entry, app.guesses), (None, vec!["bin.utils.proxy:app".to_owned()]));
        let other = ("web.py", "import x\ndef create_app(): return x.make()\nqueue = app = Celery()\n");
        assert_eq!(of(&[LIST, other], None).guesses, ["web:create_app()"]);
        assert_eq!(entry(&[("a.py", "_app = Flask(__name__)\n")]), None);
        assert_eq!(entry(&[("{{x}}/a.py", "app = Flask(__name__)\n")]), None);
    }

    const MANAGE: (&str, &str) = (
        "manage.py",
        "from django.core.management import execute_from_command_line\nexecute_from_command_line(a)\n",
    );
    const WSGI: (&str, &str) = ("shop/wsgi.py", "application = get_wsgi_application()\n");
    const BASE: (&str, &str) = ("shop/settings/base.py", "INSTALLED_APPS = []\n");

    #[test]
    fn django_without_named_settings() {
        let test = ("shop/settings/test.py", "from .base import *\n");
        let app = of(&[("requirements.txt", "django\n"), MANAGE, WSGI, BASE, test], None);
        assert_eq!(app.framework, Framework::Django);
        assert_eq!(app.settings.as_deref(), Some("shop.settings.base"));
        assert!(app.traps.iter().any(|trap| trap.what.contains("and there is shop.settings.test")));
        let app = of(&[MANAGE, WSGI, test], Some("shop.wsgi:application"));
        assert_eq!((app.framework, app.settings), (Framework::Django, None));
        let named = (
            "shop/wsgi.py",
            "os.environ.setdefault('DJANGO_SETTINGS_MODULE', 'shop.live')\napplication = get_wsgi_application()\n",
        );
        assert_eq!(of(&[MANAGE, named, BASE], None).settings.as_deref(), Some("shop.live"));
        assert_ne!(of(&[MANAGE, ("app.py", "app = Flask(__name__)\n")], None).framework, Framework::Django);
    }

    #[test]
    fn django_without_manage_py_is_said() {
        let app = of(&[("requirements.txt", "django\n"), WSGI], None);
        assert_eq!(app.entry.unwrap().name, "shop.wsgi:application");
        assert!(app.traps.iter().any(|trap| trap.what.contains("no manage.py")));
    }

    #[test]
    fn what_wraps_django_is_imported() {
        let manage = ("manage.py", "os.environ.setdefault('DJANGO_SETTINGS_MODULE', 'shop.settings')\n");
        let text = "_application = get_wsgi_application()\ndef application(environ, start_response): pass\n";
        assert_eq!(entry(&[manage, ("shop/wsgi.py", text)]).as_deref(), Some("shop.wsgi:application"));
    }

    #[test]
    fn a_given_entry_keeps_its_framework() {
        let app = of(&[LIST, ("shop.py", "from x import made\napp = made()\n")], Some("shop:app"));
        assert_eq!((app.framework, app.is_asgi()), (Framework::Flask, false));
        let app = of(&[("requirements.txt", "fastapi\n")], Some("shop:app"));
        assert_eq!((app.framework, app.is_asgi()), (Framework::FastApi, true));
        let app = of(&[("requirements.txt", "pyramid\n")], Some("shop:app"));
        assert!(app.framework == Framework::Other && app.traps[0].what.contains("not recognised"));
    }
}
