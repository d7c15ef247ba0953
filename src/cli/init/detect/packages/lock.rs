//! uv.lock: what `uv sync --no-dev` installs of it. It also names what is of groups and extras, which nobody asked for.

use std::collections::{BTreeMap, BTreeSet};

use toml::{Table, Value};

use crate::cli::init::detect::packages::lists::FOR_PRODUCTION;
use crate::cli::init::detect::packages::{name, strings};

#[derive(Default)]
pub struct Locked {
    pub names: BTreeSet<String>,
    pub versions: BTreeMap<String, String>,
    /// A group that is made for servers and not installed, with what it names.
    pub left_out: Option<(String, Vec<String>)>,
}

/// `groups` are those that pyproject.toml says are always installed.
pub fn read(lock: &str, project: &str) -> Locked {
    let table: Table = lock.parse().unwrap_or_default();
    let packages: Vec<&Table> = list(&table, "package").filter_map(Value::as_table).collect();
    let root = packages.iter().find(|package| is_root(package));
    let Some(root) = root else {
        let names = lock.lines().filter_map(|line| line.strip_prefix("name = "));
        let names = names.filter_map(|text| name(strings(text).first()?.1)).collect();
        return Locked { names, ..Locked::default() };
    };
    let mut walk = Walk { packages: &packages, seen: BTreeSet::new(), found: Locked::default() };
    walk.take(root, "");
    let groups = root.get("dev-dependencies").and_then(Value::as_table);
    let wanted = default_groups(project);
    for (group, listed) in groups.into_iter().flatten() {
        if group != "dev" && wanted(group) {
            walk.all(listed);
        } else if FOR_PRODUCTION.contains(&group.as_str()) {
            let names = listed
                .as_array()
                .into_iter()
                .flatten()
                .filter_map(|item| Some(text(item.as_table()?, "name")));
            walk.found.left_out = Some((group.clone(), names.map(str::to_owned).collect()));
        }
    }
    walk.found
}

fn list<'a>(table: &'a Table, key: &str) -> impl Iterator<Item = &'a Value> {
    table.get(key).and_then(Value::as_array).into_iter().flatten()
}

fn text<'a>(table: &'a Table, key: &str) -> &'a str {
    table.get(key).and_then(Value::as_str).unwrap_or_default()
}

/// The project itself, not a member of its workspace.
fn is_root(package: &Table) -> bool {
    let source = package.get("source").and_then(Value::as_table);
    source.is_some_and(|source| {
        ["editable", "virtual", "directory"].iter().any(|kind| text(source, kind) == ".")
    })
}

/// `default-groups` of `[tool.uv]`: `dev` where it says nothing, and that one is left out by `--no-dev`.
fn default_groups(project: &str) -> impl Fn(&str) -> bool {
    let table: Table = project.parse().unwrap_or_default();
    let uv = table.get("tool").and_then(|tool| tool.get("uv")?.as_table());
    let groups = uv.and_then(|uv| uv.get("default-groups")).cloned();
    move |group| match &groups {
        Some(Value::String(all)) => all == "all",
        Some(Value::Array(groups)) => groups.iter().any(|item| item.as_str() == Some(group)),
        _ => false,
    }
}

struct Walk<'a> {
    packages: &'a [&'a Table],
    /// Names with an extra, or with none.
    seen: BTreeSet<(String, String)>,
    found: Locked,
}

impl<'a> Walk<'a> {
    fn take(&mut self, package: &'a Table, extra: &str) {
        let called = text(package, "name");
        if extra.is_empty() {
            let Some(called) = name(called) else { return };
            self.found.versions.insert(called.clone(), text(package, "version").to_owned());
            self.found.names.insert(called);
            package.get("dependencies").into_iter().for_each(|listed| self.all(listed));
        } else {
            let extras = package.get("optional-dependencies").and_then(Value::as_table);
            extras.and_then(|extras| extras.get(extra)).into_iter().for_each(|listed| self.all(listed));
        }
    }

    /// Packages of a list, with the extras that it wants of them.
    fn all(&mut self, listed: &'a Value) {
        let packages = self.packages;
        for item in listed.as_array().into_iter().flatten().filter_map(Value::as_table) {
            let extras = list(item, "extra").filter_map(Value::as_str);
            for extra in std::iter::once("").chain(extras) {
                if !self.seen.insert((text(item, "name").to_owned(), extra.to_owned())) {
                    continue;
                }
                for package in packages.iter().filter(|package| text(package, "name") == text(item, "name")) {
                    self.take(package, extra);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::read;

    const LOCK: &str = r#"
version = 1
[[package]]
name = "shop"
version = "0.1"
source = { virtual = "." }
dependencies = [{ name = "django" }, { name = "celery", extra = ["redis"] }]
[package.optional-dependencies]
mysql = [{ name = "mysqlclient" }]
[package.dev-dependencies]
dev = [{ name = "psycopg" }]
prod = [{ name = "redis" }]
server = [{ name = "gunicorn" }]
[[package]]
name = "django"
version = "6.0.7"
dependencies = [{ name = "asgiref" }]
[[package]]
name = "asgiref"
[[package]]
name = "celery"
[package.optional-dependencies]
redis = [{ name = "redis" }]
[[package]]
name = "redis"
[[package]]
name = "psycopg"
[[package]]
name = "gunicorn"
[[package]]
name = "mysqlclient"
"#;

    fn names(project: &str) -> Vec<String> {
        read(LOCK, project).names.into_iter().collect()
    }

    #[test]
    fn groups_and_extras_are_not_installed() {
        assert_eq!(names(""), ["asgiref", "celery", "django", "redis", "shop"]);
        let found = read(LOCK, "");
        assert_eq!(found.versions["django"], "6.0.7");
        assert_eq!(found.left_out, Some(("prod".to_owned(), vec!["redis".to_owned()])));
    }

    #[test]
    fn groups_of_every_install_are() {
        let with = names("[tool.uv]\ndefault-groups = [\"dev\", \"server\"]\n");
        assert!(with.contains(&"gunicorn".to_owned()) && !with.contains(&"psycopg".to_owned()), "{with:?}");
        assert!(names("[tool.uv]\ndefault-groups = \"all\"\n").contains(&"gunicorn".to_owned()));
    }

    #[test]
    fn without_a_project_all_names_count() {
        assert!(read("[[package]]\nname = \"flask\"\n", "").names.contains("flask"));
        assert!(read("not toml [\nname = \"flask\"\n", "").names.contains("flask"));
    }
}
