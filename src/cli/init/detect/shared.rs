//! Folders of the source that the application writes to: they have to outlive the release. And where visitors find them.

use crate::cli::init::detect::framework::settings_files;
use crate::cli::init::detect::python::{Line, Source, strings, words};
use crate::cli::init::detect::traps::release;
use crate::cli::init::detect::{App, Place, Statics, Variable};
use crate::cli::init::tree::{Tree, file_name, is_python, join, parent, resolve};

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shared {
    /// Below the application's folder.
    pub folder: String,
    /// Whether it lies there; else the settings name the one below `shared/`.
    pub is_in_source: bool,
    /// Where nginx has to serve it: `/media/`
    pub url: Option<String>,
    pub place: Place,
}

/// What settings of that kind are called.
const NAMES: [&str; 11] = [
    "MEDIA_ROOT",
    "MEDIA_DIR",
    "MEDIA_FOLDER",
    "UPLOAD_FOLDER",
    "UPLOAD_DIR",
    "UPLOAD_PATH",
    "UPLOAD_DIRECTORY",
    "UPLOADS_FOLDER",
    "UPLOADS_DIR",
    "UPLOADS_PATH",
    "UPLOADS_DIRECTORY",
];
/// What is spelled around a path.
const AROUND: [&str; 11] =
    ["os", "path", "join", "abspath", "realpath", "dirname", "normpath", "Path", "pathlib", "str", "resolve"];

pub struct Look<'a> {
    pub tree: &'a Tree,
    pub sources: &'a [Source],
    pub settings: Option<&'a str>,
    pub root: &'a str,
    pub environment: &'a [Variable],
    pub statics: Option<&'a Statics>,
}

pub fn find(look: &Look<'_>) -> Vec<Shared> {
    let mut found = look.media();
    for source in look.sources {
        let named = source.lines.iter().filter_map(|line| {
            let (_, value) = given(line).filter(|(name, _)| *name != "MEDIA_ROOT" && is_named(name))?;
            Some((look.folder(value, source)?, line.number))
        });
        let made = source.lines.iter().filter(|_| !release::is_run_by_hand(source)).filter_map(|line| {
            let folder =
                release::folder(line).filter(|folder| !folder.contains("log") && !folder.contains(".."))?;
            let folder = resolve("", folder);
            look.is_empty(&folder).then_some((folder, line.number))
        });
        let instance = source.lines.iter().filter(|line| uses_instance(line));
        let instance = instance.map(|line| (join(look.root, "instance"), line.number));
        found.extend(named.chain(made).chain(instance).map(|(folder, line)| Shared {
            folder,
            is_in_source: true,
            url: None,
            place: Place::new(&source.path, line),
        }));
    }
    found.retain(|shared| !shared.is_in_source || look.can_move(&shared.folder));
    // The outer one has the inner ones; of the same, the one that visitors find.
    found.sort_by(|a, b| (&a.folder, a.url.is_none()).cmp(&(&b.folder, b.url.is_none())));
    found.dedup_by(|next, kept| {
        next.folder == kept.folder || next.folder.starts_with(&format!("{}/", kept.folder))
    });
    found
}

impl Look<'_> {
    /// Django's, by its settings alone: those for development have folders of their own.
    fn media(&self) -> Vec<Shared> {
        let Some(settings) = self.settings else { return vec![] };
        let files = settings_files(self.sources, settings);
        let last = |name: &str| {
            files.iter().find_map(|source| {
                let lines = source.lines.iter().rev();
                lines
                    .filter_map(|line| Some((*source, line, line.assigned()?.1)))
                    .find(|(_, line, _)| line.assigned().is_some_and(|(assigned, _)| assigned == name))
            })
        };
        let Some((source, line, value)) = last("MEDIA_ROOT") else { return vec![] };
        let url = last("MEDIA_URL").and_then(|(_, line, _)| served(line.strings().last()?));
        let url = url.filter(|url| self.statics.is_none_or(|statics| statics.url != *url));
        let from_outside = self.environment.iter().any(|variable| variable.key == "MEDIA_ROOT");
        let folder = if from_outside { Some("media".to_owned()) } else { self.folder(value, source) };
        let place = Place::new(&source.path, line.number);
        folder.map(|folder| Shared { folder, is_in_source: !from_outside, url, place }).into_iter().collect()
    }

    /// Below the application's folder, where a value tells that without running it.
    fn folder(&self, value: &str, source: &Source) -> Option<String> {
        let parts: Vec<&str> = strings(value).into_iter().map(|(_, text)| text).collect();
        let odd = |part: &&str| part.starts_with(['/', '~']) || part.contains(['{', '%', ':', '\\', '$']);
        if parts.is_empty() || parts.iter().any(odd) || value.contains("environ") || value.contains("getenv")
        {
            return None;
        }
        let base = self.base(value, source)?;
        let path = parts.join("/");
        let (up, depth) =
            (path.matches("..").count(), base.split('/').filter(|part| !part.is_empty()).count());
        let folder = if up > depth { String::new() } else { resolve(&base, &path) };
        (!folder.is_empty()).then_some(folder)
    }

    /// What the path in a value begins with.
    fn base(&self, value: &str, source: &Source) -> Option<String> {
        if value.contains("__file__") {
            return above(&source.path, value);
        }
        if value.contains("root_path") {
            return Some(parent(&source.path).to_owned());
        }
        if value.contains("instance_path") {
            return Some(join(self.root, "instance"));
        }
        let mut names =
            words(value).map(|(_, word)| word).filter(|word| !AROUND.contains(word) && *word != "parent");
        let Some(name) = names.next() else { return Some(String::new()) };
        let of = |source: &Source| {
            let mut lines = source.lines.iter().filter_map(Line::assigned);
            let (_, value) =
                lines.find(|(assigned, value)| *assigned == name && value.contains("__file__"))?;
            above(&source.path, value)
        };
        let mut others =
            self.settings.map_or_else(Vec::new, |settings| settings_files(self.sources, settings));
        others.insert(0, source);
        names.next().is_none().then(|| others.into_iter().find_map(of))?
    }

    /// What the source has there comes with every release.
    fn is_empty(&self, folder: &str) -> bool {
        let below = format!("{folder}/");
        !self.tree.files().any(|(path, _)| path.starts_with(&below) && !file_name(path).starts_with('.'))
    }

    /// A link in its place hides nothing that a release brings: neither code nor the static files as a whole.
    fn can_move(&self, folder: &str) -> bool {
        let below = format!("{folder}/");
        let code = self.tree.files().any(|(path, _)| path.starts_with(&below) && is_python(path));
        let statics = self.statics.is_some_and(|statics| format!("{}/", statics.folder).starts_with(&below));
        !code && !statics && !folder.is_empty()
    }
}

/// The folder so many steps above a file as a value climbs: `Path(__file__).resolve().parent.parent`.
fn above(path: &str, value: &str) -> Option<String> {
    let nth = value.split(".parents[").skip(1).filter_map(|rest| rest.split(']').next()?.trim().parse().ok());
    let nth: usize = nth.map(|n: usize| n + 1).sum();
    let steps = value.matches("dirname(").count() + value.matches(".parent").count() + nth;
    let steps = steps - value.matches(".parents[").count();
    let mut at = path;
    for _ in 0..steps {
        // Above all that travels.
        (!at.is_empty()).then_some(())?;
        at = parent(at);
    }
    (steps > 0).then(|| at.to_owned())
}

/// `NAME = value`, also `app.config["NAME"] = value`.
fn given(line: &Line) -> Option<(&str, &str)> {
    line.assigned().or_else(|| {
        let (left, value) = line.code.split_once("] = ")?;
        Some((strings(left).last()?.1, value))
    })
}

fn is_named(name: &str) -> bool {
    NAMES.contains(&name.to_ascii_uppercase().as_str())
}

/// Flask's folder beside the package.
fn uses_instance(line: &Line) -> bool {
    let own = ["instance_path=", "instance_path ="].iter().any(|own| line.code.contains(own));
    !own && (line.has_word("instance_path")
        || line.code.replace(' ', "").contains("instance_relative_config=True"))
}

/// `/media/`, as nginx wants it; not another host, nor what is put together at run time.
fn served(url: &str) -> Option<String> {
    let plain = url.trim_matches('/');
    (!plain.is_empty() && !plain.contains([':', '{', '%', ' ', '$', ';'])).then(|| format!("/{plain}/"))
}

impl App {
    /// Whether a folder of the source outlives releases.
    pub fn is_shared(&self, folder: &str) -> bool {
        let folder = resolve("", folder);
        self.shared.iter().any(|shared| {
            shared.is_in_source
                && (folder == shared.folder || folder.starts_with(&format!("{}/", shared.folder)))
        })
    }
}

#[cfg(test)]
mod tests {
    use crate::cli::init::detect::detect;
    use crate::cli::init::tree::Tree;

    /// `folder`, or `folder at /url/`.
    fn found(files: &[(&str, &str)]) -> Vec<String> {
        let mut tree = Tree::default();
        for (path, text) in files {
            tree.add(path, (*text).to_owned());
        }
        let shared = detect(&tree, None).shared.into_iter();
        shared
            .map(|shared| shared.folder + &shared.url.map(|url| format!(" at {url}")).unwrap_or_default())
            .collect()
    }

    fn django(settings: &str) -> Vec<String> {
        let manage = "os.environ.setdefault('DJANGO_SETTINGS_MODULE', 'shop.settings')\n";
        found(&[
            ("manage.py", manage),
            ("shop/settings.py", settings),
            ("shop/wsgi.py", "application = get_wsgi_application()\n"),
        ])
    }

    #[test]
    fn djangos_media() {
        let base = "BASE_DIR = Path(__file__).resolve().parent.parent\nMEDIA_URL = 'media/'\n";
        assert_eq!(django(&format!("{base}MEDIA_ROOT = BASE_DIR / 'media'\n")), ["media at /media/"]);
        assert_eq!(django(&format!("{base}MEDIA_ROOT = BASE_DIR / 'var' / \"up\"\n")), ["var/up at /media/"]);
        let older =
            "BASE_DIR = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))\nMEDIA_URL = '/up'\n";
        assert_eq!(
            django(&format!("{older}MEDIA_ROOT = os.path.join(BASE_DIR, 'media')\n")),
            ["media at /up/"]
        );
        assert_eq!(
            django("MEDIA_ROOT = os.path.join(os.path.dirname(__file__), '..', 'media')\n"),
            ["media"]
        );
        let outside = format!("{base}MEDIA_ROOT = os.environ.get('MEDIA_ROOT', BASE_DIR / 'media')\n");
        assert_eq!(django(&outside), ["media at /media/"], "its place on the server is in the environment");
        for other in [
            "MEDIA_ROOT = '/srv/media'\n",
            "MEDIA_ROOT = storage.root('media')\n",
            "MEDIA_ROOT = BASE_DIR / 'shop'\n",
        ] {
            assert!(django(&format!("{base}{other}")).is_empty(), "{other}");
        }
    }

    #[test]
    fn folders_of_flask_and_others() {
        let app = |text: &str| {
            found(&[
                ("shop/__init__.py", &format!("app = Flask(__name__)\n{text}")),
                ("shop/static/a.css", ""),
            ])
        };
        assert_eq!(app("app.config['UPLOAD_FOLDER'] = 'uploads'\n"), ["uploads"]);
        assert_eq!(
            app("UPLOAD_FOLDER = os.path.join(app.root_path, 'static', 'pictures')\n"),
            ["shop/static/pictures"]
        );
        assert_eq!(app("HERE = Path(__file__).parents[1]\nUPLOAD_DIR = str(HERE / 'files')\n"), ["files"]);
        assert_eq!(app("os.makedirs('data/in', exist_ok=True)\nPath('data').mkdir()\n"), ["data"]);
        assert_eq!(app("DB = os.path.join(app.instance_path, 'a.sqlite')\n"), ["instance"]);
        for other in [
            "UPLOAD_FOLDER = os.path.join(app.root_path, 'static')\n",
            "UPLOAD_FOLDER = 'shop'\n",
            "UPLOAD_FOLDER = '/srv/up'\n",
            "UPLOAD_FOLDER = f'{X}/up'\n",
            "UPLOAD_FOLDER = os.path.join(where(), 'up')\n",
            "UPLOAD_FOLDER = os.environ['UPLOAD_FOLDER']\n",
            "os.makedirs('logs')\n",
            "os.makedirs('../data')\n",
            "os.makedirs('shop/static')\n",
            "UPLOAD_FOLDER = '../up'\n",
            "app = Flask(__name__, instance_path='/srv/x')\n",
        ] {
            assert!(app(other).is_empty(), "{other}");
        }
    }
}
