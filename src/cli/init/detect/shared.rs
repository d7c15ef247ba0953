//! Folders of the source that the application writes to: they have to outlive the release. And where visitors find them.

mod content;
mod guard;
mod place;

use crate::cli::init::detect::framework::settings_files;
use crate::cli::init::detect::python::{Line, Source, strings};
use crate::cli::init::detect::traps::release;
use crate::cli::init::detect::{App, Place, Statics, Trap, Variable};
use crate::cli::init::tree::{Tree, join, resolve};

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shared {
    /// Below the application's folder.
    pub folder: String,
    /// Whether it is a link of its own; else the settings name the one below `shared/`, or another one has it.
    pub is_in_source: bool,
    /// Where nginx has to serve it: `/media/`
    pub url: Option<String>,
    /// Why nginx must not.
    pub guard: Option<Trap>,
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

pub struct Look<'a> {
    pub tree: &'a Tree,
    pub sources: &'a [Source],
    pub settings: Option<&'a str>,
    pub root: &'a str,
    pub environment: &'a [Variable],
    pub statics: Option<&'a Statics>,
}

pub fn find(look: &Look<'_>) -> Vec<Shared> {
    let media = look.media();
    let place = media.as_ref().map(|media| media.place.clone());
    let mut found: Vec<Shared> =
        media.into_iter().chain(look.sources.iter().flat_map(|source| look.written(source))).collect();
    found.retain(|shared| !shared.is_in_source || look.can_move(&shared.folder));
    // Outer ones first; of the same, the one that visitors find.
    found.sort_by(|a, b| (&a.folder, a.url.is_none()).cmp(&(&b.folder, b.url.is_none())));
    let mut kept: Vec<Shared> = vec![];
    for mut next in found {
        // The outer one has the inner ones; what visitors find keeps its address.
        if kept.iter().any(|outer| outer.is_in_source && outer.has(&next.folder)) {
            if Some(&next.place) != place.as_ref() {
                continue;
            }
            next.is_in_source = false;
        }
        kept.push(next);
    }
    kept
}

impl Shared {
    /// Whether a folder is this one, or below it.
    fn has(&self, folder: &str) -> bool {
        folder.strip_prefix(&self.folder).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    }
}

/// What settings name for uploads, and cannot be moved.
pub fn stays(look: &Look<'_>) -> Vec<Trap> {
    let of = |source: &Source| -> Vec<Trap> {
        let staying = look.named(source).filter(|(folder, _)| !look.can_move(folder));
        let told = staying.map(|(folder, line)| {
            let what = format!("{folder}/ comes with the source, which the application may only read: what it writes there fails");
            let then = "name a folder for it alone, or take it from the environment and set it in inventory.toml below {{root}}/shared";
            Trap::at(&source.path, line, what, then)
        });
        told.collect()
    };
    look.sources.iter().flat_map(of).collect()
}

impl Look<'_> {
    /// What lines of settings call a folder for uploads, but for Django's own.
    fn named<'a>(&'a self, source: &'a Source) -> impl Iterator<Item = (String, usize)> + 'a {
        source.lines.iter().filter_map(move |line| {
            let (_, value) = given(line).filter(|(name, _)| *name != "MEDIA_ROOT" && is_named(name))?;
            Some((self.folder(value, source)?, line.number))
        })
    }

    /// What a file of the source writes to.
    fn written(&self, source: &Source) -> Vec<Shared> {
        let named = self.named(source);
        let made = source.lines.iter().filter(|_| !release::is_run_by_hand(source)).filter_map(|line| {
            let odd =
                |folder: &str| folder.contains("..") || folder.contains(['{', '}', '%', '$', '\\', '*']);
            let folder = release::folder(line).filter(|folder| !folder.contains("log") && !odd(folder))?;
            let folder = resolve("", folder);
            self.is_empty(&folder).then_some((folder, line.number))
        });
        let instance = source.lines.iter().filter(|line| uses_instance(line));
        let instance = instance.map(|line| (join(self.root, "instance"), line.number));
        let all = named.chain(made).chain(instance).map(|(folder, line)| Shared {
            folder,
            is_in_source: true,
            url: None,
            guard: None,
            place: Place::new(&source.path, line),
        });
        all.collect()
    }

    /// Django's, by its settings alone: those for development have folders of their own.
    fn media(&self) -> Option<Shared> {
        let files = settings_files(self.sources, self.settings?);
        let last = |name: &str| {
            files.iter().find_map(|source| {
                let lines = source.lines.iter().rev();
                lines
                    .filter_map(|line| Some((*source, line, line.assigned()?.1)))
                    .find(|(_, line, _)| line.assigned().is_some_and(|(assigned, _)| assigned == name))
            })
        };
        let (source, line, value) = last("MEDIA_ROOT")?;
        let url = last("MEDIA_URL").and_then(|(_, line, _)| served(line.strings().last()?));
        let url = url.filter(|url| self.statics.is_none_or(|statics| statics.url != *url));
        let from_outside = self.environment.iter().any(|variable| variable.key == "MEDIA_ROOT");
        let folder = if from_outside { "media".to_owned() } else { self.folder(value, source)? };
        let place = Place::new(&source.path, line.number);
        let guard = url.as_ref().and_then(|url| self.guard(url, &folder, &files));
        let url = url.filter(|_| guard.is_none());
        Some(Shared { folder, is_in_source: !from_outside, url, guard, place })
    }
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

/// `/media/`, as nginx wants it; not another host, nor what is put together at run time or named from outside.
fn served(url: &str) -> Option<String> {
    let plain = url.trim_matches('/');
    let is_variable = plain.chars().all(|c| c.is_ascii_uppercase() || c == '_');
    (!plain.is_empty() && !is_variable && !plain.contains([':', '{', '%', ' ', '$', ';']))
        .then(|| format!("/{plain}/"))
}

impl App {
    /// Whether a folder of the source outlives releases.
    pub fn is_shared(&self, folder: &str) -> bool {
        let folder = resolve("", folder);
        self.shared.iter().any(|shared| shared.is_in_source && shared.has(&folder))
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

    /// A project of Django's with these settings, and further files.
    fn project<'a>(settings: &'a str, others: &[(&'a str, &'a str)]) -> Vec<(&'a str, &'a str)> {
        let manage = "os.environ.setdefault('DJANGO_SETTINGS_MODULE', 'shop.settings')\n";
        let wsgi = ("shop/wsgi.py", "application = get_wsgi_application()\n");
        [&[("manage.py", manage), ("shop/settings.py", settings), wsgi], others].concat()
    }

    const MEDIA: &str = "BASE_DIR = Path(__file__).resolve().parent.parent\nMEDIA_URL = 'media/'\nMEDIA_ROOT = BASE_DIR / 'media'\n";

    #[test]
    fn what_static_files_are_collected_from_stays() {
        for dirs in ["[BASE_DIR / 'media']", "[os.path.join(BASE_DIR, 'media/dist')]", "(('m', 'media'),)"] {
            let settings = format!("{MEDIA}STATICFILES_DIRS = {dirs}\n");
            assert!(found(&project(&settings, &[])).is_empty(), "{dirs}");
        }
        let apart = format!("{MEDIA}STATICFILES_DIRS = [BASE_DIR / 'assets']\n");
        assert_eq!(found(&project(&apart, &[])), ["media at /media/"]);
    }

    #[test]
    fn the_outer_one_has_the_inner_ones() {
        let made =
            "for_all = [os.makedirs('media/avatars')]\nos.makedirs('media-cache')\nPath('media').mkdir()\n";
        assert_eq!(found(&[("app.py", made)]), ["media", "media-cache"]);
        let outer = format!("{MEDIA}UPLOAD_DIR = 'data'\n").replace("/ 'media'", "/ 'data' / 'media'");
        let mut tree = Tree::default();
        for (path, text) in project(&outer, &[]) {
            tree.add(path, text.to_owned());
        }
        let app = detect(&tree, None);
        let kept: Vec<_> =
            app.shared.iter().map(|a| (a.folder.as_str(), a.is_in_source, a.url.as_deref())).collect();
        assert_eq!(kept, [("data", true, None), ("data/media", false, Some("/media/"))]);
        assert!(!app.traps.iter().any(|trap| trap.what.contains("MEDIA_ROOT")));
    }

    /// What is said of media, with these lines more of the settings and of urls.py.
    fn said(settings: &str, urls: &str) -> (Vec<String>, Vec<String>) {
        let (settings, mut tree) = (format!("{MEDIA}{settings}"), Tree::default());
        for (path, text) in project(&settings, &[("shop/urls.py", urls)]) {
            tree.add(path, text.to_owned());
        }
        let app = detect(&tree, None);
        let traps = app.traps.into_iter().map(|trap| trap.what).filter(|what| what.contains("nginx"));
        (app.shared.into_iter().filter_map(|shared| shared.url).collect(), traps.collect())
    }

    #[test]
    fn media_that_the_application_guards_stay_with_it() {
        for urls in [
            "urlpatterns = [\n    path('media/<path:path>', views.media),\n]\n",
            "urlpatterns = [re_path(r'^media/(?P<path>.*)$', login_required(serve), {'a': 1})]\n",
            "urlpatterns = [re_path(r'^%s(?P<path>.*)$' % settings.MEDIA_URL[1:], protected)]\n",
            "urlpatterns = [path('media/', include('files.urls'))]\n",
            "from own import serve\nurlpatterns = [path('media/<path>', serve)]\n",
        ] {
            let (addresses, traps) = said("", urls);
            assert!(addresses.is_empty() && traps.len() == 1, "{urls}: {traps:?}");
            assert_eq!(
                traps[0],
                "the application answers at /media/ itself, so nginx is not told to serve media/ there"
            );
        }
        for urls in [
            "urlpatterns = [path('', home)] + static(settings.MEDIA_URL, document_root=settings.MEDIA_ROOT)\n",
            "from django.views.static import serve\nurlpatterns = [re_path(r'^media/(?P<path>.*)$', serve, {'document_root': settings.MEDIA_ROOT})]\n",
            "urlpatterns = [path('', include('shop.urls')), path('mediathek/', all)]\n",
        ] {
            assert_eq!(said("", urls), (vec!["/media/".to_owned()], vec![]), "{urls}");
        }
        let inside = "DATABASES = {'default': {'ENGINE': 'django.db.backends.sqlite3', 'NAME': MEDIA_ROOT / 'shop.sqlite3'}}\n";
        let (addresses, traps) = said(inside, "");
        assert!(addresses.is_empty() && traps[0].starts_with("a database may lie in media/"), "{traps:?}");
    }

    #[test]
    fn another_folder_says_nothing_of_media() {
        let settings =
            format!("{MEDIA}UPLOAD_FOLDER = 'uploads'\n").replace("BASE_DIR / 'media'", "storage('media')");
        let mut tree = Tree::default();
        for (path, text) in project(&settings, &[]) {
            tree.add(path, text.to_owned());
        }
        let app = detect(&tree, None);
        assert_eq!(app.shared.len(), 1);
        assert!(
            app.traps.iter().any(|trap| trap.what.starts_with("MEDIA_ROOT lies inside")),
            "{:?}",
            app.traps
        );
    }

    #[test]
    fn odd_names_are_no_folders() {
        for text in [
            "os.makedirs('uploads/%s' % x)\n",
            "os.makedirs('tmp{}'.format(x))\n",
            "Path('{{ name }}').mkdir()\n",
            "UPLOAD_FOLDER = Path(__file__).parents[18446744073709551615] / 'a'\n",
            "UPLOAD_FOLDER = Path(__file__).parents[18446744073709551614].parents[3] / 'a'\n",
        ] {
            assert!(found(&[("app.py", text)]).is_empty(), "{text}");
        }
        let outside = MEDIA.replace("'media/'", "os.environ[\"MEDIA_URL\"]");
        assert_eq!(found(&project(&outside, &[])), ["media"]);
    }
}
