//! What the application depends on, and from which file it is installed.

use std::collections::BTreeSet;

use crate::cli::init::detect::Trap;
use crate::cli::init::detect::python::strings;
use crate::cli::init::tree::{Tree, file_name, join, parent};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Installer {
    Pip,
    Uv,
}

#[derive(Clone, Debug)]
pub struct Dependencies {
    pub installer: Installer,
    /// What pip reads: a list, or `pyproject.toml`; empty where there is nothing.
    pub list: String,
    /// A list that adds PostgreSQL's driver to the other.
    pub postgres_list: Option<String>,
    pub hashed: bool,
    /// Names of packages, in lower case with `-`.
    pub names: BTreeSet<String>,
    /// What the second list has besides.
    pub postgres_names: BTreeSet<String>,
}

impl Dependencies {
    pub fn has(&self, name: &str) -> bool {
        self.names.contains(name)
    }
}

/// In order of preference; `{}` is below `requirements/` or with `requirements-` and `requirements_` before it.
const FOR_PRODUCTION: [&str; 3] = ["production", "prod", "deploy"];
const FOR_POSTGRES: [&str; 4] = ["postgres", "postgresql", "pg", "psycopg"];
const OTHERS: [&str; 4] =
    ["requirements.txt", "requirements/base.txt", "requirements/requirements.txt", "requirements/main.txt"];

pub fn find(tree: &Tree, traps: &mut Vec<Trap>) -> Dependencies {
    let none = || Dependencies {
        installer: Installer::Pip,
        list: String::new(),
        postgres_list: None,
        hashed: false,
        names: BTreeSet::new(),
        postgres_names: BTreeSet::new(),
    };
    if let Some(lock) = tree.text("uv.lock") {
        return Dependencies {
            installer: Installer::Uv,
            list: "uv.lock".into(),
            names: locked(lock),
            ..none()
        };
    }
    let variants = |names: &'static [&'static str]| {
        names.iter().flat_map(|name| {
            [
                format!("requirements-{name}.txt"),
                format!("requirements_{name}.txt"),
                format!("requirements/{name}.txt"),
            ]
        })
    };
    let present = |path: &String| tree.text(path).is_some();
    let list = variants(&FOR_PRODUCTION).chain(OTHERS.map(str::to_owned)).find(present);
    if let Some(list) = list {
        let mut read = Read::default();
        read.list(tree, &list, 0);
        let postgres_list = variants(&FOR_POSTGRES).find(present);
        let mut further = Read::default();
        if let Some(path) = &postgres_list {
            further.list(tree, path, 0);
        }
        // A list that leaves the other one out would install half of the application.
        let whole = read.names.is_subset(&further.names);
        let hashed = read.hashed;
        return Dependencies {
            list,
            hashed,
            names: read.names,
            postgres_list: postgres_list.filter(|_| whole),
            postgres_names: further.names,
            ..none()
        };
    }
    from_project(tree, none(), traps)
}

fn from_project(tree: &Tree, none: Dependencies, traps: &mut Vec<Trap>) -> Dependencies {
    if let Some(names) = tree.text("pyproject.toml").and_then(declared) {
        if tree.text("poetry.lock").is_some() || tree.text("pdm.lock").is_some() {
            traps.push(Trap::at(
                "pyproject.toml",
                0,
                "its lock file is not read by pip: versions may differ from yours",
                "`poetry export -f requirements.txt -o requirements.txt` writes a list that pins them; then `tow init` again",
            ));
        }
        return Dependencies { list: "pyproject.toml".into(), names, ..none };
    }
    let pipfile = tree.text("Pipfile").is_some();
    let then = if pipfile {
        "`pipenv requirements > requirements.txt` writes one; then `tow init` again"
    } else {
        "write a requirements.txt (`pip freeze > requirements.txt`), then `tow init` again"
    };
    traps.push(Trap::of_all(
        "there is no list of dependencies (requirements.txt, pyproject.toml, uv.lock)",
        then,
    ));
    none
}

#[derive(Default)]
struct Read {
    names: BTreeSet<String>,
    hashed: bool,
}

impl Read {
    /// A list, and those that it includes.
    fn list(&mut self, tree: &Tree, path: &str, depth: usize) {
        let Some(text) = tree.text(path).filter(|_| depth < 8) else { return };
        for line in text.lines().map(str::trim).filter(|line| !line.starts_with('#')) {
            self.hashed |= line.contains("--hash=");
            let included = ["-r ", "--requirement ", "--requirement=", "-r"]
                .iter()
                .find_map(|flag| line.strip_prefix(flag));
            if let Some(included) = included {
                let included = included.split(" #").next().unwrap_or(included).trim();
                self.list(tree, &resolve(parent(path), included), depth + 1);
            } else {
                self.names.extend(name(line));
                // uvicorn's own way to come with them.
                if line.contains("[standard]") {
                    self.names.insert("websockets".to_owned());
                }
            }
        }
    }
}

/// `../base.txt` as seen from a folder.
pub(super) fn resolve(folder: &str, path: &str) -> String {
    let mut folder = folder;
    let mut path = path.trim_start_matches("./");
    while let Some(rest) = path.strip_prefix("../") {
        (folder, path) = (parent(folder), rest);
    }
    join(folder, path)
}

/// `psycopg` of `psycopg[binary]>=3.2 ; python_version > "3"`.
pub(super) fn name(requirement: &str) -> Option<String> {
    let plain = requirement.trim();
    let end = plain.find(|c: char| !(c.is_ascii_alphanumeric() || "-_.".contains(c))).unwrap_or(plain.len());
    let name = &plain[..end];
    let begins = name.starts_with(|c: char| c.is_ascii_alphanumeric());
    begins.then(|| name.to_ascii_lowercase().replace(['_', '.'], "-"))
}

fn locked(lock: &str) -> BTreeSet<String> {
    let names = lock.lines().filter_map(|line| line.strip_prefix("name = "));
    names.filter_map(|text| name(strings(text).first()?.1)).collect()
}

/// Dependencies of `[project]` or Poetry; `None` when the file is about other tools only.
fn declared(text: &str) -> Option<BTreeSet<String>> {
    let table: toml::Table = text.parse().ok()?;
    let project = table.get("project").and_then(|project| project.as_table());
    let listed = project.and_then(|project| project.get("dependencies")?.as_array());
    let poetry = table.get("tool").and_then(|tool| tool.get("poetry")?.as_table());
    let of_poetry = poetry.and_then(|poetry| poetry.get("dependencies")?.as_table());
    if project.is_none() && poetry.is_none() {
        return None;
    }
    let listed = listed.into_iter().flatten().filter_map(|item| name(item.as_str()?));
    let of_poetry = of_poetry.into_iter().flat_map(|table| table.keys()).filter_map(|key| name(key));
    Some(listed.chain(of_poetry.filter(|name| name != "python")).collect())
}

/// What `[project]` calls the application.
pub fn project_name(tree: &Tree) -> Option<String> {
    let table: toml::Table = tree.text("pyproject.toml")?.parse().ok()?;
    let of = |table: Option<&toml::Value>| Some(table?.get("name")?.as_str()?.to_owned());
    of(table.get("project")).or_else(|| of(table.get("tool").and_then(|tool| tool.get("poetry"))))
}

/// Whether a file says what is installed: what marks the folder of an application.
pub fn is_list(path: &str) -> bool {
    let name = file_name(path);
    matches!(name, "pyproject.toml" | "uv.lock" | "Pipfile" | "setup.py")
        || (name.starts_with("requirements") && has_ending(name, "txt"))
}

fn has_ending(name: &str, ending: &str) -> bool {
    name.rsplit_once('.').is_some_and(|(_, found)| found == ending)
}

#[cfg(test)]
mod tests {
    use super::{declared, name, resolve};

    #[test]
    fn names_of_requirements() {
        assert_eq!(name("psycopg[binary]==3.2 ; python_version > '3'").as_deref(), Some("psycopg"));
        assert_eq!(name("Flask_SQLAlchemy>=3").as_deref(), Some("flask-sqlalchemy"));
        assert_eq!(name("--hash=sha256:abc"), None);
        assert_eq!(name(""), None);
        assert_eq!(resolve("requirements", "../base.txt"), "base.txt");
        assert_eq!(resolve("requirements", "base.txt"), "requirements/base.txt");
    }

    #[test]
    fn pyproject_of_both_sorts() {
        let names =
            declared("[project]\nname = \"x\"\ndependencies = [\"Flask>=3\", \"gunicorn\"]\n").unwrap();
        assert!(names.contains("flask") && names.contains("gunicorn"));
        let names = declared("[tool.poetry.dependencies]\npython = \"^3.11\"\nfastapi = \"*\"\n").unwrap();
        assert_eq!(names.into_iter().collect::<Vec<_>>(), ["fastapi"]);
        assert!(declared("[tool.ruff]\nline-length = 100\n").is_none());
        assert!(declared("not toml [").is_none());
    }
}
