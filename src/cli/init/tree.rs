//! An application's files as values: what detection reads. Nothing here touches a disk.

use std::collections::{BTreeMap, BTreeSet};

use crate::cli::init::detect::python::{Source, lines};

/// Files by their path below the application's folder, `/` between the parts.
#[derive(Clone, Debug, Default)]
pub struct Tree {
    texts: BTreeMap<String, String>,
    /// What is there besides, and is not read.
    others: BTreeSet<String>,
    /// Every folder, also those without a file that is read.
    folders: BTreeSet<String>,
    /// The lock file of the workspace that this folder is a member of: `../uv.lock`.
    lock_above: Option<String>,
}

/// Folders whose Python is not the application's own, or is not run by it.
const ASIDE: [&str; 12] = [
    "tests",
    "test",
    "testing",
    "migrations",
    "alembic",
    "docs",
    "examples",
    "scripts",
    "benchmarks",
    "node_modules",
    "build",
    "dist",
];

impl Tree {
    pub fn add(&mut self, path: &str, text: String) {
        self.add_folder(parent(path));
        self.texts.insert(path.to_owned(), text);
    }

    pub fn add_folder(&mut self, path: &str) {
        let mut path = path;
        while !path.is_empty() && self.folders.insert(path.to_owned()) {
            path = parent(path);
        }
    }

    /// A file that is not read, or a folder that nobody looks into.
    pub fn add_unread(&mut self, path: &str) {
        self.add_folder(parent(path));
        self.others.insert(path.to_owned());
    }

    pub fn text(&self, path: &str) -> Option<&str> {
        self.texts.get(path).map(String::as_str)
    }

    pub fn set_lock_above(&mut self, path: String) {
        self.lock_above = Some(path);
    }

    pub fn lock_above(&self) -> Option<&str> {
        self.lock_above.as_deref()
    }

    /// A folder at the top that gets its name by cookiecutter and its like.
    pub fn template(&self) -> Option<&str> {
        self.folders.iter().map(String::as_str).find(|path| path.starts_with("{{") && !path.contains('/'))
    }

    pub fn has_folder(&self, path: &str) -> bool {
        self.folders.contains(path)
    }

    pub fn files(&self) -> impl Iterator<Item = (&str, &str)> {
        self.texts.iter().map(|(path, text)| (path.as_str(), text.as_str()))
    }

    /// Of all that is there.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.texts.keys().chain(&self.others).map(String::as_str)
    }

    /// What is below a folder, as a tree of its own.
    pub fn below(&self, folder: &str) -> Tree {
        let strip = |path: &str| path.strip_prefix(folder)?.strip_prefix('/').map(str::to_owned);
        let texts = self.texts.iter().filter_map(|(path, text)| Some((strip(path)?, text.clone())));
        let folders = self.folders.iter().filter_map(|path| strip(path));
        let others = self.others.iter().filter_map(|path| strip(path));
        Tree {
            texts: texts.collect(),
            others: others.collect(),
            folders: folders.collect(),
            lock_above: None,
        }
    }

    /// The application's own Python. `root` is the folder that its modules are imported from.
    pub fn sources(&self, root: &str) -> Vec<Source> {
        let own = self.files().filter(|(path, _)| is_python(path) && !is_aside(path));
        own.map(|(path, text)| Source {
            path: path.to_owned(),
            module: module(path, root),
            lines: lines(text),
        })
        .collect()
    }

    /// `src` where modules lie below it and nobody imports them as `src.…`.
    pub fn import_root(&self) -> &'static str {
        let has =
            |ending: &str| self.files().any(|(path, _)| path.starts_with("src/") && path.ends_with(ending));
        let as_package = |(_, text): (&str, &str)| {
            text.lines().any(|line| line.starts_with("from src.") || line.starts_with("import src."))
        };
        let layout = has(".py") && self.text("src/__init__.py").is_none() && !self.files().any(as_package);
        if layout { "src" } else { "" }
    }
}

pub fn parent(path: &str) -> &str {
    path.rsplit_once('/').map_or("", |(parent, _)| parent)
}

pub fn file_name(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}

/// `a/b`, also where one of them is empty.
pub fn join(folder: &str, name: &str) -> String {
    match (folder.trim_matches('/'), name.trim_matches('/')) {
        ("", name) => name.to_owned(),
        (folder, "") => folder.to_owned(),
        (folder, name) => format!("{folder}/{name}"),
    }
}

/// `../base.txt` and `./db` as seen from a folder.
pub fn resolve(folder: &str, path: &str) -> String {
    let mut parts: Vec<&str> = folder.split('/').filter(|part| !part.is_empty()).collect();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop()),
            name => parts.push(name),
        }
    }
    parts.join("/")
}

pub fn is_python(path: &str) -> bool {
    path.rsplit_once('.').is_some_and(|(_, ending)| ending == "py")
}

fn is_aside(path: &str) -> bool {
    let name = file_name(path);
    let test = name.starts_with("test_")
        || name.ends_with("_test.py")
        || name == "conftest.py"
        || name == "tests.py";
    test || parent(path).split('/').any(|part| ASIDE.contains(&part))
}

/// What a file is imported as.
fn module(path: &str, root: &str) -> String {
    let below = path
        .strip_prefix(root)
        .and_then(|rest| if root.is_empty() { Some(rest) } else { rest.strip_prefix('/') });
    let stem = below.unwrap_or(path).trim_end_matches(".py");
    let stem = stem.strip_suffix("/__init__").unwrap_or(stem);
    stem.replace('/', ".")
}

#[cfg(test)]
mod tests {
    use super::{Tree, resolve};

    fn tree(files: &[(&str, &str)]) -> Tree {
        let mut tree = Tree::default();
        for (path, text) in files {
            tree.add(path, (*text).to_owned());
        }
        tree
    }

    #[test]
    fn modules_are_named_from_where_they_are_imported() {
        let tree = tree(&[("src/shop/__init__.py", ""), ("src/shop/wsgi.py", ""), ("tests/test_a.py", "")]);
        assert_eq!(tree.import_root(), "src");
        let modules: Vec<String> = tree.sources("src").into_iter().map(|source| source.module).collect();
        assert_eq!(modules, ["shop", "shop.wsgi"]);
        assert!(tree.has_folder("src") && tree.has_folder("src/shop"));
        assert_eq!(tree.below("src").text("shop/wsgi.py"), Some(""));
    }

    #[test]
    fn paths_are_seen_from_a_folder() {
        assert_eq!(resolve("requirements", "../base.txt"), "base.txt");
        assert_eq!(resolve("requirements", "base.txt"), "requirements/base.txt");
        assert_eq!(resolve("", "./app/./db/"), "app/db");
    }

    #[test]
    fn a_package_called_src_is_no_layout() {
        assert_eq!(tree(&[("src/main.py", "from src.db import x\n"), ("src/db.py", "")]).import_root(), "");
    }
}
