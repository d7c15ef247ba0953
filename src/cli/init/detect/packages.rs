//! What the application depends on, and from which file it is installed.

use std::collections::{BTreeMap, BTreeSet};

use crate::cli::init::detect::Trap;
use crate::cli::init::detect::python::strings;
use crate::cli::init::tree::{Tree, file_name};
use crate::words::plural;

mod lists;
mod lock;
mod versions;

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
    /// The versions that are allowed, as the list has them: `==1.4.41`, or what is locked: `1.4.41`.
    pub versions: BTreeMap<String, String>,
}

impl Dependencies {
    fn none() -> Dependencies {
        Dependencies {
            installer: Installer::Pip,
            list: String::new(),
            postgres_list: None,
            hashed: false,
            names: BTreeSet::new(),
            postgres_names: BTreeSet::new(),
            versions: BTreeMap::new(),
        }
    }

    pub fn has(&self, name: &str) -> bool {
        self.names.contains(name)
    }

    /// Whether a package is surely older than a version.
    pub fn has_before(&self, name: &str, version: &[u32]) -> bool {
        self.versions.get(name).is_some_and(|allowed| versions::are_below(allowed, version))
    }
}

pub fn find(tree: &Tree, traps: &mut Vec<Trap>) -> Dependencies {
    if has_only_members(tree) {
        traps.push(Trap::at(
            "pyproject.toml",
            0,
            format!("it only holds a workspace together, so nothing of {} would be installed", members(tree)),
            "run `tow init` in the folder of the member that is the application",
        ));
    }
    if let Some(lock) = tree.text("uv.lock") {
        let locked = lock::read(lock, tree.text("pyproject.toml").unwrap_or_default());
        if let Some((group, names)) = locked.left_out {
            traps.push(Trap::at(
                "uv.lock",
                0,
                format!("its group `{group}` is not installed: {}", plural::list(&names, "and")),
                format!("`default-groups = [\"dev\", \"{group}\"]` below [tool.uv] in pyproject.toml has it installed on servers; then `tow init` again"),
            ));
        }
        return Dependencies {
            installer: Installer::Uv,
            list: "uv.lock".into(),
            names: locked.names,
            versions: locked.versions,
            ..Dependencies::none()
        };
    }
    lists::find(tree, traps).unwrap_or_else(|| from_project(tree, traps))
}

fn from_project(tree: &Tree, traps: &mut Vec<Trap>) -> Dependencies {
    if let Some(versions) = tree.text("pyproject.toml").and_then(declared) {
        if tree.text("poetry.lock").is_some() || tree.text("pdm.lock").is_some() {
            traps.push(Trap::at(
                "pyproject.toml",
                0,
                "its lock file is not read by pip: versions may differ from yours",
                "`poetry export -f requirements.txt -o requirements.txt` writes a list that pins them; then `tow init` again",
            ));
        }
        if let Some(lock) = tree.lock_above() {
            traps.push(Trap::at(
                "pyproject.toml",
                0,
                format!("what the workspace has locked is in {lock}, and only this folder travels to the server: versions may differ from yours"),
                "`uv export --no-dev --no-hashes --no-emit-workspace -o requirements.txt` in this folder writes a list that pins them; then `tow init` again",
            ));
        }
        let names = versions.keys().cloned().collect();
        return Dependencies { list: "pyproject.toml".into(), names, versions, ..Dependencies::none() };
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
    Dependencies::none()
}

/// `psycopg` of `psycopg[binary]>=3.2 ; python_version > "3"`.
pub(super) fn name(requirement: &str) -> Option<String> {
    let plain = requirement.trim();
    let end = plain.find(|c: char| !(c.is_ascii_alphanumeric() || "-_.".contains(c))).unwrap_or(plain.len());
    let name = &plain[..end];
    let begins = name.starts_with(|c: char| c.is_ascii_alphanumeric());
    begins.then(|| name.to_ascii_lowercase().replace(['_', '.'], "-"))
}

/// A line of a list: the name, and the versions that it allows, as they are written.
fn requirement(line: &str) -> Option<(String, String)> {
    let name = name(line)?;
    let rest = &line.trim()[name.len()..];
    let rest = if rest.starts_with('[') { rest.split_once(']').map_or("", |(_, rest)| rest) } else { rest };
    let end =
        [";", " #", "\\", " --", "@"].iter().filter_map(|sign| rest.find(sign)).min().unwrap_or(rest.len());
    Some((name, rest[..end].trim().to_owned()))
}

/// Dependencies of `[project]` or Poetry; `None` when the file is about other tools only.
fn declared(text: &str) -> Option<BTreeMap<String, String>> {
    let table: toml::Table = text.parse().ok()?;
    let project = table.get("project").and_then(|project| project.as_table());
    let listed = project.and_then(|project| project.get("dependencies")?.as_array());
    let poetry = table.get("tool").and_then(|tool| tool.get("poetry")?.as_table());
    let of_poetry = poetry.and_then(|poetry| poetry.get("dependencies")?.as_table());
    if project.is_none() && poetry.is_none() {
        return None;
    }
    let listed = listed.into_iter().flatten().filter_map(|item| requirement(item.as_str()?));
    let version = |value: &toml::Value| {
        let version = value.as_str().or_else(|| value.get("version")?.as_str());
        version.unwrap_or_default().to_owned()
    };
    let of_poetry = of_poetry.into_iter().flatten().filter_map(|(key, value)| {
        let optional = value.get("optional").and_then(toml::Value::as_bool) == Some(true);
        let name = name(key).filter(|name| name != "python" && !optional)?;
        Some((name, version(value)))
    });
    Some(listed.chain(of_poetry).collect())
}

/// Whether the folder is the root of a workspace of uv.
pub fn is_workspace(tree: &Tree) -> bool {
    project(tree)
        .is_some_and(|table| table.get("tool").and_then(|tool| tool.get("uv")?.get("workspace")).is_some())
}

/// Whether it is no project itself: `uv sync` installs no application there.
pub fn has_only_members(tree: &Tree) -> bool {
    is_workspace(tree) && project(tree).is_some_and(|table| !table.contains_key("project"))
}

/// As the workspace names them: `backend`, `packages/*`.
fn members(tree: &Tree) -> String {
    let table = project(tree).unwrap_or_default();
    let workspace =
        table.get("tool").and_then(|tool| tool.get("uv")?.get("workspace")?.get("members")?.as_array());
    let names: Vec<&str> = workspace.into_iter().flatten().filter_map(toml::Value::as_str).collect();
    if names.is_empty() { "its members".to_owned() } else { plural::list(&names, "and") }
}

fn project(tree: &Tree) -> Option<toml::Table> {
    tree.text("pyproject.toml")?.parse().ok()
}

/// What `[project]` calls the application.
pub fn project_name(tree: &Tree) -> Option<String> {
    let table = project(tree)?;
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
    use super::{declared, find, has_only_members, is_workspace, name, requirement};
    use crate::cli::init::tree::Tree;

    #[test]
    fn names_of_requirements() {
        assert_eq!(name("psycopg[binary]==3.2 ; python_version > '3'").as_deref(), Some("psycopg"));
        assert_eq!(name("Flask_SQLAlchemy>=3").as_deref(), Some("flask-sqlalchemy"));
        assert_eq!(name("--hash=sha256:abc"), None);
        assert_eq!(name(""), None);
        let of = |line: &str| requirement(line).unwrap().1;
        assert_eq!(of("psycopg[binary]==3.2 ; python_version > '3'"), "==3.2");
        assert_eq!(of("bytecode==0.18.1 \\"), "==0.18.1");
        assert_eq!(of("Flask_SQLAlchemy >=3, <4  # why"), ">=3, <4");
        assert_eq!(of("shop @ https://example.com/shop-1.0.zip"), "");
    }

    #[test]
    fn members_of_a_workspace_are_named() {
        let mut tree = Tree::default();
        tree.add("pyproject.toml", "[tool.uv.workspace]\nmembers = [\"back\", \"lib/*\"]\n".into());
        let mut traps = vec![];
        find(&tree, &mut traps);
        assert!(traps[0].what.contains("nothing of back and lib/*"), "{traps:?}");
        assert!(is_workspace(&tree) && has_only_members(&tree));
        tree.add("pyproject.toml", "[project]\nname = \"x\"\n[tool.uv.workspace]\nmembers = []\n".into());
        assert!(is_workspace(&tree) && !has_only_members(&tree));
    }

    #[test]
    fn pyproject_of_both_sorts() {
        let names =
            declared("[project]\nname = \"x\"\ndependencies = [\"Flask>=3\", \"gunicorn\"]\n").unwrap();
        assert!(names["flask"] == ">=3" && names.contains_key("gunicorn"));
        let names = declared("[tool.poetry.dependencies]\npython = \"^3.11\"\nfastapi = \"*\"\nasyncpg = { version = \"1\", optional = true }\n").unwrap();
        assert_eq!(names.into_keys().collect::<Vec<_>>(), ["fastapi"]);
        assert!(declared("[tool.ruff]\nline-length = 100\n").is_none());
        assert!(declared("not toml [").is_none());
    }
}
