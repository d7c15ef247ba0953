//! What is read and yet is nothing to be set for a site: names of the system and of requests, files that are not the
//! application, settings that are not in use.

use std::collections::BTreeSet;

use crate::cli::init::detect::python::Source;
use crate::cli::init::tree::{file_name, parent};

/// Those of the system, of tools, of other hosting, or of Towline's own.
const NOT_OURS: [&str; 29] = [
    "PATH",
    "HOME",
    "USER",
    "PWD",
    "LANG",
    "TZ",
    "CI",
    "PORT",
    "HOST",
    "BIND",
    "DJANGO_SETTINGS_MODULE",
    "FLASK_APP",
    "PYTHONPATH",
    "WEB_CONCURRENCY",
    "ENV_FILE",
    "HOSTNAME",
    "VIRTUAL_ENV",
    "TEMP",
    "TMPDIR",
    "SHELL",
    "TERM",
    "EDITOR",
    "DYNO",
    "VERCEL",
    "RENDER",
    "APPDATA",
    "RUN_MAIN",
    "WERKZEUG_RUN_MAIN",
    "GITHUB_ACTIONS",
];
/// Of tests and developers; what other hosting sets by itself.
const PREFIXES: [&str; 8] =
    ["TEST_", "TESTING_", "PYTEST_", "DEV_", "XDG_", "VERCEL_", "RENDER_", "RAILWAY_"];
/// What a server says of a request, in what WSGI calls `environ` too.
const OF_REQUESTS: [&str; 10] = [
    "PATH_INFO",
    "SCRIPT_NAME",
    "REMOTE_ADDR",
    "REMOTE_HOST",
    "REMOTE_USER",
    "REQUEST_METHOD",
    "REQUEST_URI",
    "QUERY_STRING",
    "RAW_URI",
    "SERVER_PROTOCOL",
];

pub fn is_ours(name: &str) -> bool {
    !NOT_OURS.contains(&name)
        && !OF_REQUESTS.contains(&name)
        && !name.ends_with('_')
        && !PREFIXES.iter().any(|prefix| name.starts_with(prefix))
}

/// `environ["HTTP_HOST"]` is of a request; `os.environ["HTTP_PORT"]` is not.
pub fn is_of_request(name: &str, before: &str) -> bool {
    let could = name.starts_with("HTTP_") || ["SERVER_NAME", "SERVER_PORT", "CONTENT_TYPE"].contains(&name);
    could && !before.contains("os.") && !before.contains("getenv")
}

/// Files that nobody runs to serve the site.
pub fn is_aside(source: &Source) -> bool {
    let name = file_name(&source.path);
    let top = !source.path.contains('/');
    let tool = ["fabfile.py", "noxfile.py", "setup.py", "dodo.py", "locustfile.py", "gunicorn.conf.py"];
    let imports = |module: &str| source.lines.iter().any(|line| line.has_word(module));
    let test = |part: &str| {
        part.starts_with("test_")
            || part.starts_with("tests_")
            || part.ends_with("_test")
            || part.ends_with("_tests")
            || ["e2e", "loadtest", "loadtests", "locust"].contains(&part)
    };
    let first = source.path.split('/').next().unwrap_or_default();
    tool.contains(&name)
        || (top && name == "tasks.py" && imports("invoke"))
        || (!top && ["bin", "tools", "ci", "dev", "devtools", "docker"].contains(&first))
        || parent(&source.path).split('/').any(test)
}

/// `DevelopmentConfig`, `TestAppSettings`: classes that no site runs with.
pub fn is_for_developers(class: &str) -> bool {
    let mut words: Vec<String> = vec![];
    for c in class.chars() {
        match words.last_mut() {
            Some(word) if !c.is_uppercase() => word.push(c),
            _ => words.push(c.to_string()),
        }
    }
    let words: Vec<String> = words.iter().map(|word| word.to_lowercase()).collect();
    let theirs = ["dev", "develop", "development", "test", "testing", "tests", "local"];
    let neutral = ["config", "configuration", "settings", "base", "app", "flask"];
    let any = words.iter().any(|word| theirs.contains(&word.as_str()));
    any && words.iter().all(|word| theirs.contains(&word.as_str()) || neutral.contains(&word.as_str()))
}

/// Paths of the settings beside Django's that those in use do not build on: `settings/docker.py`.
pub fn unused_settings<'a>(sources: &'a [Source], settings: &str) -> BTreeSet<&'a str> {
    let package = settings.rsplit_once('.').map_or("", |(package, _)| package);
    let inside = if sources.iter().any(|source| source.module.starts_with(&format!("{settings}."))) {
        settings
    } else {
        package
    };
    let beside = |source: &&Source| {
        let rest = source.module.strip_prefix(inside).map(|rest| rest.trim_start_matches('.'));
        let whole = inside.contains("settings");
        rest.is_some_and(|rest| !rest.contains('.') && (whole || rest.contains("settings")))
            && source.module != inside
    };
    let candidates: Vec<&Source> = sources.iter().filter(beside).collect();
    let mut reached = BTreeSet::from([settings.to_owned(), package.to_owned()]);
    loop {
        let before = reached.len();
        let running = sources.iter().filter(|source| reached.contains(&source.module));
        let found: Vec<String> = running.flat_map(imported).collect();
        reached.extend(found);
        if reached.len() == before {
            break;
        }
    }
    candidates.iter().filter(|s| !reached.contains(&s.module)).map(|s| s.path.as_str()).collect()
}

/// Modules that a module may import, also those that are only names in one.
pub fn imported(source: &Source) -> Vec<String> {
    let package = if file_name(&source.path) == "__init__.py" {
        source.module.as_str()
    } else {
        source.module.rsplit_once('.').map_or("", |(package, _)| package)
    };
    let mut found = vec![];
    for line in &source.lines {
        let Some((from, names)) =
            line.code.strip_prefix("from ").and_then(|rest| rest.split_once(" import "))
        else {
            found.extend(line.code.strip_prefix("import ").map(|name| name.trim().to_owned()));
            // `app.config.from_object("shop.settings")`
            if ["from_object(", "import_module("].iter().any(|call| line.code.contains(call)) {
                found.extend(line.strings().into_iter().map(str::to_owned));
            }
            continue;
        };
        let from = from.trim();
        let dots = from.len() - from.trim_start_matches('.').len();
        let mut base = package;
        for _ in 1..dots {
            base = base.rsplit_once('.').map_or("", |(parent, _)| parent);
        }
        let base = if dots == 0 { "" } else { base };
        let module = [base, from.trim_start_matches('.')];
        let module = module.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(".");
        let names =
            names.trim_matches(['(', ')', ' ']).split(',').filter_map(|name| name.split_whitespace().next());
        found.extend(names.map(|name| format!("{module}.{name}")));
        found.push(module);
    }
    found
}

#[cfg(test)]
mod tests {
    use super::{imported, is_for_developers, unused_settings};
    use crate::cli::init::tree::Tree;

    #[test]
    fn settings_that_nobody_imports_are_not_in_use() {
        let mut tree = Tree::default();
        let files = [
            ("shop/settings/__init__.py", ""),
            ("shop/settings/base.py", "from shop.settings import extra\n"),
            ("shop/settings/extra.py", ""),
            ("shop/settings/docker.py", "from .dev import *\n"),
            ("shop/settings/dev.py", "from .base import *\n"),
            ("shop/settings/prod.py", "from .base import *\n"),
            ("shop/views.py", ""),
        ];
        for (path, text) in files {
            tree.add(path, text.to_owned());
        }
        let sources = tree.sources("");
        let unused: Vec<&str> = unused_settings(&sources, "shop.settings.prod").into_iter().collect();
        assert_eq!(unused, ["shop/settings/dev.py", "shop/settings/docker.py"]);
    }

    #[test]
    fn modules_are_imported_by_statements_and_by_name() {
        let mut tree = Tree::default();
        let text = "from . import db\nfrom ..core import x as y\napp.config.from_object('shop.settings')\n";
        tree.add("shop/web/app.py", text.to_owned());
        let expected = ["shop.web.db", "shop.web", "shop.core.x", "shop.core", "shop.settings"];
        assert_eq!(imported(&tree.sources("")[0]), expected);
    }

    #[test]
    fn classes_of_developers_are_told_by_their_words() {
        let of_developers =
            ["DevelopmentConfig", "TestAppSettings", "TestingConfig", "DevConfig", "ConfigTest"];
        assert!(of_developers.into_iter().all(is_for_developers));
        assert!(
            !["Config", "TestimonialSettings", "LocalStorageSettings", "ProdConfig"]
                .into_iter()
                .any(is_for_developers)
        );
    }
}
