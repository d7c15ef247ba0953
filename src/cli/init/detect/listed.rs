//! What is installed, one by one, each with the line that says so.

use std::collections::{BTreeMap, BTreeSet};

use toml::{Table, Value};

use crate::cli::init::detect::packages::name;
use crate::cli::init::detect::{Dependencies, Place};
use crate::cli::init::tree::{Tree, parent, resolve};

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Requirement {
    /// In lower case with `-`; empty where only an address is given.
    pub name: String,
    /// `psycopg[binary]>=3.2`
    pub text: String,
    pub place: Place,
}

impl Requirement {
    /// `psycopg[binary]` has the extra `binary`.
    pub fn has_extra(&self, extra: &str) -> bool {
        let inside = self.text.split_once('[').and_then(|(_, rest)| rest.split_once(']'));
        inside.is_some_and(|(extras, _)| extras.split(',').any(|found| found.trim() == extra))
    }
}

pub fn find(tree: &Tree, dependencies: &Dependencies) -> Vec<Requirement> {
    let list = dependencies.list.as_str();
    let text = tree.text(list).unwrap_or_default();
    let mut found = match list {
        "uv.lock" => locked(text).unwrap_or_default(),
        "pyproject.toml" => declared(text).unwrap_or_default(),
        _ => {
            let mut found = vec![];
            for list in [Some(&dependencies.list), dependencies.postgres_list.as_ref()].into_iter().flatten()
            {
                read(tree, list, 0, &mut found);
            }
            found
        }
    };
    // Not for Linux.
    found.retain(|one| {
        let marker = one.text.split_once(';').map_or("", |(_, marker)| marker);
        !["== 'win32'", "== \"win32\"", "=='win32'", "==\"win32\"", "Windows", "darwin"]
            .iter()
            .any(|other| marker.contains(other))
            || marker.contains("!=")
    });
    found
}

/// A list, and those that it includes.
fn read(tree: &Tree, path: &str, depth: usize, found: &mut Vec<Requirement>) {
    let Some(text) = tree.text(path).filter(|_| depth < 8) else { return };
    for (at, line) in text.lines().enumerate() {
        let line = line.split(" #").next().unwrap_or(line).trim();
        let included = ["-r", "--requirement"].iter().find_map(|flag| line.strip_prefix(flag));
        if let Some(included) = included {
            read(tree, &resolve(parent(path), included.trim_start_matches('=').trim()), depth + 1, found);
        } else if name(line).is_some() || (line.contains("git+") && !line.starts_with('#')) {
            let place = Place::new(path, at + 1);
            let named = name(line).filter(|name| !line.starts_with("git+") || name != "git");
            if !found.iter().any(|other| other.place == place) {
                found.push(Requirement { name: named.unwrap_or_default(), text: line.to_owned(), place });
            }
        }
    }
}

/// Of `[project]`, or of Poetry.
fn declared(text: &str) -> Option<Vec<Requirement>> {
    let table: Table = text.parse().ok()?;
    let at = |begin: &str| {
        let begins = |line: &str| line.trim().trim_start_matches(['"', '\'']).starts_with(begin);
        let line =
            text.lines().position(begins).or_else(|| text.lines().position(|line| line.contains(begin)));
        Place::new("pyproject.toml", line.map_or(0, |line| line + 1))
    };
    let listed = table.get("project").and_then(|project| project.get("dependencies")?.as_array());
    if let Some(listed) = listed {
        let texts = listed.iter().filter_map(Value::as_str);
        return Some(
            texts
                .filter_map(|text| {
                    Some(Requirement { name: name(text)?, text: text.to_owned(), place: at(text) })
                })
                .collect(),
        );
    }
    let poetry = table.get("tool")?.get("poetry")?.get("dependencies")?.as_table()?;
    let one = |(key, value): (&String, &Value)| {
        let extras = value.get("extras").and_then(Value::as_array);
        let extras: Vec<&str> = extras.into_iter().flatten().filter_map(Value::as_str).collect();
        let version = value.as_str().or_else(|| value.get("version")?.as_str()).unwrap_or_default();
        let source = value.get("git").and_then(Value::as_str).map(|git| format!(" @ git+{git}"));
        let text = format!("{key}[{}]{version}{}", extras.join(","), source.unwrap_or_default());
        let optional = value.get("optional").and_then(Value::as_bool) == Some(true);
        (!optional).then(|| Some(Requirement { name: name(key)?, text, place: at(key) }))?
    };
    Some(poetry.iter().filter_map(one).collect())
}

/// What `uv sync --no-dev` installs: all that follows from the project itself.
fn locked(text: &str) -> Option<Vec<Requirement>> {
    let table: Table = text.parse().ok()?;
    let packages = table.get("package")?.as_array()?;
    let mut by_name: BTreeMap<&str, &Value> = BTreeMap::new();
    for package in packages {
        by_name.entry(package.get("name")?.as_str()?).or_insert(package);
    }
    let is_own = |package: &&Value| {
        let source = package.get("source");
        let path = source.and_then(|source| source.get("editable").or_else(|| source.get("virtual")));
        path.and_then(Value::as_str) == Some(".")
    };
    let own = packages.iter().find(is_own)?.get("name")?.as_str()?;
    let mut extras: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    let mut left = vec![(own, None)];
    let mut seen = BTreeSet::new();
    while let Some((package, extra)) = left.pop() {
        extras.entry(package).or_default().extend(extra);
        let Some(entry) = by_name.get(package).filter(|_| seen.insert((package, extra))) else { continue };
        let listed = match extra {
            None => entry.get("dependencies"),
            Some(extra) => entry.get("optional-dependencies").and_then(|all| all.get(extra)),
        };
        for one in listed.and_then(Value::as_array).into_iter().flatten().filter(|one| is_for_linux(one)) {
            let Some(name) = one.get("name").and_then(Value::as_str) else { continue };
            left.push((name, None));
            let of = one.get("extra").and_then(Value::as_array).into_iter().flatten();
            left.extend(of.filter_map(|extra| Some((name, Some(extra.as_str()?)))));
        }
    }
    extras.remove(own);
    let one = |(package, extras): (&str, BTreeSet<&str>)| {
        let entry = by_name.get(package)?;
        let version = entry.get("version").and_then(Value::as_str).unwrap_or_default();
        let git = entry.get("source").and_then(|source| source.get("git")?.as_str());
        let from = git.map(|git| format!(" @ git+{git}")).unwrap_or_default();
        let extras: Vec<&str> = extras.into_iter().collect();
        let text_of = format!("{package}[{}]=={version}{from}", extras.join(","));
        let header = format!("name = \"{package}\"");
        let line = text.lines().position(|line| line == header).map_or(0, |line| line + 1);
        Some(Requirement { name: name(package)?, text: text_of, place: Place::new("uv.lock", line) })
    };
    Some(extras.into_iter().filter_map(one).collect())
}

fn is_for_linux(dependency: &Value) -> bool {
    let marker = dependency.get("marker").and_then(Value::as_str).unwrap_or_default();
    marker.contains(" or ")
        || !["== 'win32'", "== 'darwin'", "== 'Windows'"].iter().any(|other| marker.contains(other))
}

#[cfg(test)]
mod tests {
    use super::{declared, find, locked};
    use crate::cli::init::detect::packages;
    use crate::cli::init::tree::Tree;

    #[test]
    fn lists_and_those_that_they_include() {
        let mut tree = Tree::default();
        tree.add(
            "requirements.txt",
            "-r requirements/base.txt\n# x\nuwsgi>=2  # server\npywin32; sys_platform == 'win32'\n".into(),
        );
        tree.add(
            "requirements/base.txt",
            "Django==6.0 \\\n    --hash=sha256:a\n-e git+https://x/y.git#egg=y\npush @ git+https://x/z\n"
                .into(),
        );
        let dependencies = packages::find(&tree, &mut vec![]);
        let found: Vec<String> =
            find(&tree, &dependencies).iter().map(|one| format!("{} {}", one.name, one.place)).collect();
        assert_eq!(
            found,
            [
                "django requirements/base.txt:1",
                " requirements/base.txt:3",
                "push requirements/base.txt:4",
                "uwsgi requirements.txt:3"
            ]
        );
    }

    #[test]
    fn projects_of_both_sorts() {
        let found =
            declared("[project]\nname = \"x\"\ndependencies = [\n  \"psycopg[binary,pool]>=3\",\n]\n")
                .unwrap();
        assert!(found[0].has_extra("pool") && !found[0].has_extra("c"));
        assert_eq!(found[0].place.to_string(), "pyproject.toml:4");
        let text = "[tool.poetry.dependencies]\npython = \"^3.12\"\npsycopg = { version = \"~3.3\", extras = [\"c\"] }\n";
        let found = declared(text).unwrap();
        assert!(found.iter().any(|one| one.name == "psycopg" && one.has_extra("c") && one.place.line == 3));
    }

    #[test]
    fn a_lock_is_followed_from_the_project() {
        let text = r#"
[[package]]
name = "shop"
source = { virtual = "." }
dependencies = [{ name = "psycopg", extra = ["c"] }, { name = "colorama", marker = "sys_platform == 'win32'" }]
[package.optional-dependencies]
mysql = [{ name = "mysqlclient" }]
[[package]]
name = "psycopg"
version = "3.3"
[package.optional-dependencies]
c = [{ name = "psycopg-c" }]
[[package]]
name = "psycopg-c"
version = "3.3"
[[package]]
name = "mysqlclient"
version = "2"
"#;
        let found = locked(text).unwrap();
        let names: Vec<&str> = found.iter().map(|one| one.name.as_str()).collect();
        assert_eq!(names, ["psycopg", "psycopg-c"]);
        assert!(found[0].has_extra("c") && found[0].place.to_string() == "uv.lock:9", "{found:?}");
    }
}
