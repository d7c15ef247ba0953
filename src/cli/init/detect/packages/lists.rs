//! requirements.txt and its like: which of them is installed, and what it holds.

use std::collections::{BTreeMap, BTreeSet};

use crate::cli::init::detect::Trap;
use crate::cli::init::detect::packages::{Dependencies, requirement};
use crate::cli::init::tree::{Tree, file_name, parent, resolve};
use crate::words::plural;

/// In order of preference; `{}` is below `requirements/` or with `requirements-` and `requirements_` before it.
pub const FOR_PRODUCTION: [&str; 3] = ["production", "prod", "deploy"];
const FOR_POSTGRES: [&str; 4] = ["postgres", "postgresql", "pg", "psycopg"];
const OTHERS: [&str; 4] =
    [TOP, "requirements/base.txt", "requirements/requirements.txt", "requirements/main.txt"];
/// What other hosting installs.
const TOP: &str = "requirements.txt";
/// How words begin that are in the names of lists for developers.
const FOR_DEVELOPERS: [&str; 8] = ["dev", "test", "lint", "doc", "local", "typing", "mypy", "debug"];

pub fn find(tree: &Tree, traps: &mut Vec<Trap>) -> Option<Dependencies> {
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
    let list = variants(&FOR_PRODUCTION).chain(OTHERS.map(str::to_owned)).find(present)?;
    let list = whole(tree, list, traps);
    let read = Read::of(tree, &list);
    let postgres_list = variants(&FOR_POSTGRES).find(present);
    let further = postgres_list.as_deref().map_or_else(Read::default, |path| Read::of(tree, path));
    // A list that leaves the other one out would install half of the application.
    let whole = read.names.is_subset(&further.names);
    Some(Dependencies {
        list,
        hashed: read.hashed,
        names: read.names,
        versions: read.versions,
        postgres_list: postgres_list.filter(|_| whole),
        postgres_names: further.names,
        ..Dependencies::none()
    })
}

/// A list for production may be a part of what is installed: the one at the top then includes it beside others.
fn whole(tree: &Tree, list: String, traps: &mut Vec<Trap>) -> String {
    let (part, all) = (Read::of(tree, &list), Read::of(tree, TOP));
    if !all.files.contains(&list) {
        beside(tree, &list, &part, traps);
        return list;
    }
    if all.names.is_subset(&part.names) {
        return list;
    }
    let further = all.files.difference(&part.files).map(String::as_str).filter(|path| *path != TOP);
    let (for_developers, needed): (Vec<&str>, Vec<&str>) = further.partition(|path| is_for_developers(path));
    if for_developers.is_empty() {
        return TOP.to_owned();
    }
    if needed.is_empty() {
        return list;
    }
    let too = plural::list(&for_developers, "and");
    let what = format!(
        "it is installed, because {list} alone lacks {}; with it comes {too}",
        plural::list(&needed, "and")
    );
    traps.push(Trap::at(TOP, 0, what, one_list(&list, &needed)));
    TOP.to_owned()
}

/// `pip install -r requirements/deploy.txt -r requirements/main.txt` of a Dockerfile.
fn beside(tree: &Tree, list: &str, part: &Read, traps: &mut Vec<Trap>) {
    let text = tree.text("Dockerfile").unwrap_or_default();
    let lists: Vec<(usize, &str)> = text
        .lines()
        .enumerate()
        .flat_map(|(at, line)| {
            let words: Vec<&str> = line.split_whitespace().collect();
            let named = words.windows(2).filter(|pair| ["-r", "--requirement"].contains(&pair[0]));
            let plain = named.map(|pair| pair[1].trim_start_matches("./").trim_matches(['"', '\'', ';']));
            plain.map(|path| (at + 1, path)).collect::<Vec<_>>()
        })
        .collect();
    let Some((line, _)) = lists.iter().find(|(_, path)| *path == list) else { return };
    let own =
        |path: &&str| tree.text(path).is_some() && !is_for_developers(path) && !part.files.contains(*path);
    let mut others: Vec<&str> = lists.iter().map(|(_, path)| *path).filter(own).collect();
    others.dedup();
    if !others.is_empty() {
        let what = format!(
            "it installs {} beside {list}, and one list is all that is installed here",
            plural::list(&others, "and")
        );
        traps.push(Trap::at("Dockerfile", *line, what, one_list(list, &others)));
    }
}

fn one_list(list: &str, others: &[&str]) -> String {
    let lines: Vec<String> =
        std::iter::once(&list).chain(others).map(|path| format!("`-r {path}`")).collect();
    let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
    format!("write a requirements-production.txt of {}, then `tow init` again", plural::list(&lines, "and"))
}

fn is_for_developers(path: &str) -> bool {
    let words = file_name(path).trim_end_matches(".txt").split(['-', '_', '.']);
    words.into_iter().any(|word| word == "ci" || FOR_DEVELOPERS.iter().any(|begin| word.starts_with(begin)))
}

#[derive(Default)]
struct Read {
    /// The list, and those that it includes.
    files: BTreeSet<String>,
    names: BTreeSet<String>,
    versions: BTreeMap<String, String>,
    hashed: bool,
}

impl Read {
    fn of(tree: &Tree, path: &str) -> Read {
        let mut read = Read::default();
        read.list(tree, path);
        read
    }

    fn list(&mut self, tree: &Tree, path: &str) {
        let Some(text) = tree.text(path).filter(|_| !self.files.contains(path)) else { return };
        self.files.insert(path.to_owned());
        for line in text.lines().map(str::trim).filter(|line| !line.starts_with('#')) {
            self.hashed |= line.contains("--hash=");
            let included = ["-r ", "--requirement ", "--requirement=", "-r"]
                .iter()
                .find_map(|flag| line.strip_prefix(flag));
            if let Some(included) = included {
                let included = included.split(" #").next().unwrap_or(included).trim();
                self.list(tree, &resolve(parent(path), included));
            } else if let Some((name, version)) = requirement(line) {
                // uvicorn's own way to come with them.
                if line.contains("[standard]") {
                    self.names.insert("websockets".to_owned());
                }
                self.versions.entry(name.clone()).or_insert(version);
                self.names.insert(name);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::find;
    use crate::cli::init::tree::Tree;

    fn of(files: &[(&str, &str)]) -> (String, Vec<String>, Vec<String>) {
        let mut tree = Tree::default();
        for (path, text) in files {
            tree.add(path, (*text).to_owned());
        }
        let mut traps = vec![];
        let found = find(&tree, &mut traps).unwrap();
        let said = traps.into_iter().map(|trap| format!("{} {}", trap.what, trap.then)).collect();
        (found.list, found.names.into_iter().collect(), said)
    }

    #[test]
    fn the_list_at_the_top_may_have_more() {
        let prod = ("requirements/prod.txt", "flask\n");
        let (list, names, said) = of(&[
            ("requirements.txt", "-r requirements/heroku.txt\n"),
            ("requirements/heroku.txt", "-r prod.txt\ngunicorn\n"),
            prod,
        ]);
        assert_eq!((list.as_str(), said.len()), ("requirements.txt", 0));
        assert_eq!(names, ["flask", "gunicorn"]);
        let (list, ..) = of(&[("requirements.txt", "-r requirements/prod.txt\n"), prod]);
        assert_eq!(list, "requirements/prod.txt");
        let tests = ("requirements/tests.txt", "pytest\n");
        let (list, ..) =
            of(&[("requirements.txt", "-r requirements/prod.txt\n-r requirements/tests.txt\n"), prod, tests]);
        assert_eq!(list, "requirements/prod.txt");
    }

    #[test]
    fn half_of_an_application_is_not_installed() {
        let parts = [
            ("requirements/deploy.txt", "gunicorn\n"),
            ("requirements/main.txt", "flask\n"),
            ("requirements/lint.txt", "ruff\n"),
        ];
        let top = (
            "requirements.txt",
            "-r requirements/main.txt\n-r requirements/deploy.txt\n-r requirements/lint.txt\n",
        );
        let (list, names, said) = of(&[&parts[..], &[top]].concat());
        assert_eq!((list.as_str(), names.len()), ("requirements.txt", 3));
        assert!(
            said[0].contains("requirements/main.txt") && said[0].contains("`-r requirements/deploy.txt`"),
            "{said:?}"
        );
        let docker = (
            "Dockerfile",
            "RUN pip install \\\n  -r requirements/deploy.txt \\\n  -r requirements/main.txt -r requirements/lint.txt\n",
        );
        let (list, _, said) = of(&[&parts[..], &[docker]].concat());
        assert_eq!(list, "requirements/deploy.txt");
        assert!(said[0].contains("beside requirements/deploy.txt") && !said[0].contains("lint"), "{said:?}");
    }
}
