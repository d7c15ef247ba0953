//! Which Python the application wants, and which release of Debian has it.

use crate::cli::init::detect::listed::Requirement;
use crate::cli::init::detect::python::strings;
use crate::cli::init::detect::{Dependencies, Installer, Place, Trap};
use crate::cli::init::tree::Tree;
use crate::words::python::{DEBIAN, Requires, numbers, series};

const PINNED: &str = ".python-version";

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Version {
    pub wants: Requires,
    pub place: Place,
    /// It says what it needs, not only with which one somebody runs it.
    pub is_strict: bool,
    /// Who wants it, where that is not the application: `Django 6`.
    of: Option<&'static str>,
}

/// The strictest of what is said; where nothing is, what other hosting is told.
pub fn find(tree: &Tree, dependencies: &Dependencies, listed: &[Requirement]) -> Option<Version> {
    let mut strict: Vec<Version> = [
        of_project(tree),
        of_lock(tree),
        pinned(tree, dependencies).filter(|version| version.is_strict),
        of_django(listed),
    ]
    .into_iter()
    .flatten()
    .collect();
    // The first one among those that as many releases do not fit.
    strict.sort_by_key(|version| version.fitting().count());
    let hints = || [pinned(tree, dependencies), of_runtime(tree), of_pipfile(tree), of_image(tree)];
    strict.into_iter().next().or_else(|| hints().into_iter().flatten().next())
}

impl Version {
    fn said(wants: &str, file: &str, line: usize, is_strict: bool) -> Option<Version> {
        let wants = Requires::parse(wants).filter(|wants| !wants.is_any())?;
        Some(Version { wants, place: Place::new(file, line), is_strict, of: None })
    }

    /// A hint is one version: `3.12`.
    pub fn shown(&self) -> String {
        let text = self.wants.to_string();
        if self.is_strict { text } else { text.trim_matches(['=', '*', '.']).to_owned() }
    }

    fn fitting(&self) -> impl Iterator<Item = (&'static str, [u64; 3])> {
        DEBIAN.into_iter().filter(|(_, has)| self.wants.accepts(has))
    }

    /// What to look at, where a release of Debian has another one.
    pub fn trap(&self) -> Option<Trap> {
        let name = |(debian, has): (&str, [u64; 3])| format!("Debian {debian} has {}", series(&has));
        let lacking: Vec<String> =
            DEBIAN.into_iter().filter(|(_, has)| !self.wants.accepts(has)).map(name).collect();
        let other = self.fitting().next();
        let wants = match self.of {
            Some(of) => format!("{of} wants Python {}", self.wants),
            None if self.is_strict => format!("it wants Python {}", self.wants),
            None => format!("it says Python {}", self.shown()),
        };
        let what = match (other, self.is_strict) {
            _ if lacking.is_empty() => return None,
            (_, true) => format!(
                "{wants}; {}, where a deployment would end with the virtual environment",
                lacking.join(", ")
            ),
            (_, false) => format!(
                "{wants}; {}, where some of its packages may not install, or not work",
                lacking.join(", ")
            ),
        };
        let built = "a Python that you have built on the server: `python` in inventory.toml names it";
        let then = match other {
            Some((debian, has)) => {
                format!("take a server with Debian {debian}, which has {}, or {built}", series(&has))
            }
            None if self.is_strict => format!("take {built}"),
            None => format!("try it with theirs, or take {built}"),
        };
        let then = if self.is_strict && self.place.file == PINNED {
            format!("uv holds to that file: change it, if the application runs on others; or {then}")
        } else {
            then
        };
        Some(Trap { place: Some(self.place.clone()), what, then })
    }
}

/// `requires-python`, or Poetry's own way.
fn of_project(tree: &Tree) -> Option<Version> {
    let text = tree.text("pyproject.toml")?;
    let table: toml::Table = text.parse().ok()?;
    let line = |key: &str| {
        let is_key = |line: &str| {
            line.trim_start().strip_prefix(key).is_some_and(|rest| rest.trim_start().starts_with('='))
        };
        text.lines().position(is_key).map_or(0, |at| at + 1)
    };
    let standard = table.get("project").and_then(|project| project.get("requires-python")?.as_str());
    if let Some(wants) = standard {
        return Version::said(wants, "pyproject.toml", line("requires-python"), true);
    }
    let python = table.get("tool")?.get("poetry")?.get("dependencies")?.get("python")?;
    let wants = python.as_str().or_else(|| python.get("version")?.as_str())?;
    Version::said(&of_poetry(wants)?, "pyproject.toml", line("python"), true)
}

/// `^3.12` as `>=3.12,<4`; `~3.12` as `>=3.12,<3.13`; `3.12` as that series.
fn of_poetry(text: &str) -> Option<String> {
    let one = |part: &str| {
        let (sign, rest) =
            part.split_at(usize::from(part.starts_with(['^', '~']) && !part.starts_with("~=")));
        let rest = rest.trim_end_matches(".*");
        let version = numbers(rest);
        Some(match (sign, version?.as_slice()) {
            ("^", [major, ..]) | ("~", [major]) => format!(">={rest},<{}", major.saturating_add(1)),
            ("~", [major, minor, ..]) => format!(">={rest},<{major}.{}", minor.saturating_add(1)),
            (_, [_, _]) => format!("=={rest}.*"),
            _ => format!("=={rest}"),
        })
    };
    let parts = text.split(',').map(str::trim).filter(|part| !part.is_empty() && *part != "*");
    let parts =
        parts.map(|part| if Requires::parse(part).is_some() { Some(part.to_owned()) } else { one(part) });
    parts.collect::<Option<Vec<String>>>().map(|parts| parts.join(","))
}

/// What uv has locked for, where the project is one of several.
fn of_lock(tree: &Tree) -> Option<Version> {
    let mut lines = tree.text("uv.lock")?.lines().enumerate().take_while(|(_, line)| !line.starts_with('['));
    let (at, line) = lines.find(|(_, line)| line.starts_with("requires-python"))?;
    Version::said(strings(line).first()?.1, "uv.lock", at + 1, true)
}

/// `.python-version`: uv takes no other one, to the patch; for others it is a hint.
fn pinned(tree: &Tree, dependencies: &Dependencies) -> Option<Version> {
    let mut lines = tree.text(PINNED)?.lines().enumerate();
    let (at, line) =
        lines.find(|(_, line)| !line.trim().is_empty() && !line.trim_start().starts_with('#'))?;
    let version =
        line.trim().trim_start_matches("cpython").trim_start_matches("python").trim_start_matches(['-', '@']);
    let is_strict = dependencies.installer == Installer::Uv;
    let is_patch = numbers(version)?.len() > 2;
    let wants = if is_strict && is_patch { format!("=={version}") } else { exactly(version)? };
    Version::said(&wants, PINNED, at + 1, is_strict)
}

/// `==3.12.*` of `3.12.4`: a later patch of the same series does as well.
fn exactly(version: &str) -> Option<String> {
    match numbers(version)?.as_slice() {
        [major, minor, ..] => Some(format!("=={major}.{minor}.*")),
        _ => None,
    }
}

/// Heroku's: `python-3.12.4`.
fn of_runtime(tree: &Tree) -> Option<Version> {
    let version = tree.text("runtime.txt")?.trim().strip_prefix("python-")?;
    Version::said(&exactly(version)?, "runtime.txt", 1, false)
}

fn of_pipfile(tree: &Tree) -> Option<Version> {
    let (at, line) =
        tree.text("Pipfile")?.lines().enumerate().find(|(_, line)| {
            line.starts_with("python_version") || line.starts_with("python_full_version")
        })?;
    let (_, version) = strings(line).into_iter().next()?;
    Version::said(&exactly(version)?, "Pipfile", at + 1, false)
}

/// `FROM python:3.12-slim`: the last one is the image that runs.
fn of_image(tree: &Tree) -> Option<Version> {
    let tag = |line: &str| {
        let mut words = line.split_whitespace();
        let is_from = words.next()?.eq_ignore_ascii_case("from");
        let image = words.find(|word| !word.starts_with("--")).filter(|_| is_from)?;
        exactly(
            image.trim_start_matches("docker.io/").trim_start_matches("library/").strip_prefix("python:")?,
        )
    };
    let lines = tree.text("Dockerfile")?.lines().enumerate();
    let (at, wants) = lines.filter_map(|(at, line)| Some((at, tag(line)?))).last()?;
    Version::said(&wants, "Dockerfile", at + 1, false)
}

/// Django 6 runs on nothing older than 3.12.
fn of_django(listed: &[Requirement]) -> Option<Version> {
    let django = listed.iter().find(|one| one.name == "django")?;
    let is_six = ["==", ">=", "~="].iter().any(|operator| {
        let version = django.text.split(operator).nth(1).and_then(|rest| numbers(rest.trim()));
        version.is_some_and(|version| version.first() >= Some(&6))
    });
    let place = &django.place;
    let version = Version::said(">=3.12", &place.file, place.line, true).filter(|_| is_six)?;
    Some(Version { of: Some("Django 6"), ..version })
}

#[cfg(test)]
mod tests {
    use super::{find, of_poetry};
    use crate::cli::init::detect::{listed, packages};
    use crate::cli::init::tree::Tree;

    fn said(files: &[(&str, &str)]) -> (String, String) {
        let mut tree = Tree::default();
        for (path, text) in files {
            tree.add(path, (*text).to_owned());
        }
        let dependencies = packages::find(&tree, &mut vec![]);
        let found = find(&tree, &dependencies, &listed::find(&tree, &dependencies));
        let shown = found.as_ref().map(|version| format!("{} ({})", version.shown(), version.place));
        let trap =
            found.and_then(|version| version.trap()).map(|trap| format!("{} → {}", trap.what, trap.then));
        (shown.unwrap_or_default(), trap.unwrap_or_default())
    }

    #[test]
    fn what_a_project_needs() {
        let project = |wants: &str| {
            said(&[("pyproject.toml", &format!("[project]\nname = \"x\"\nrequires-python = \"{wants}\"\n"))])
        };
        assert_eq!(project(">=3.9"), (">=3.9 (pyproject.toml:3)".to_owned(), String::new()));
        let (_, trap) = project(">=3.14");
        assert!(
            trap.contains("Debian 12 has 3.11, Debian 13 has 3.13")
                && trap.contains("→ take a Python that you"),
            "{trap}"
        );
        let (_, trap) = project(">=3.12");
        assert!(
            !trap.contains("Debian 13 has") && trap.contains("with Debian 13, which has 3.13, or"),
            "{trap}"
        );
        assert!(project(">=3.11,<3.12").1.contains("with Debian 12, which has 3.11, or"));
        assert_eq!(project("no version").0, "");
        let poetry = said(&[("pyproject.toml", "[tool.poetry.dependencies]\npython = \"^3.9\"\n")]);
        assert_eq!(poetry, (">=3.9,<4 (pyproject.toml:2)".to_owned(), String::new()));
    }

    #[test]
    fn poetry_has_signs_of_its_own() {
        for (text, wants) in [
            ("^3.12", ">=3.12,<4"),
            ("~3.12", ">=3.12,<3.13"),
            ("~=3.12", "~=3.12"),
            (">=3.9,<4.0", ">=3.9,<4.0"),
            ("3.12.*", "==3.12.*"),
            ("3.12", "==3.12.*"),
            ("*", ""),
        ] {
            assert_eq!(of_poetry(text).as_deref(), Some(wants), "{text}");
        }
        assert_eq!(of_poetry("^x"), None);
    }

    #[test]
    fn hints_of_other_hosting_need_nothing() {
        assert_eq!(said(&[(".python-version", "# the one\n3.13\n")]).0, "3.13 (.python-version:2)");
        assert_eq!(said(&[("runtime.txt", "python-3.12.4\n")]).0, "3.12 (runtime.txt:1)");
        assert_eq!(said(&[("Pipfile", "[requires]\npython_version = \"3.7\"\n")]).0, "3.7 (Pipfile:2)");
        let image = "ARG X=1\nFROM node:20 AS css\nFROM --platform=linux/amd64 python:3.11-slim AS run\n";
        let (shown, trap) = said(&[("Dockerfile", image)]);
        assert_eq!(shown, "3.11 (Dockerfile:3)");
        assert!(trap.contains("it says Python 3.11; Debian 13 has 3.13, where some"), "{trap}");
        for none in ["FROM python:slim\n", "FROM python\n", "FROM\n", "RUN python:3.11\n"] {
            assert_eq!(said(&[("Dockerfile", none)]).0, "");
        }
    }

    #[test]
    fn the_strictest_counts() {
        let django = ("requirements.txt", "django>=6.0,<6.1\n");
        let (shown, trap) = said(&[django, (".python-version", "3.14\n")]);
        assert_eq!(shown, ">=3.12 (requirements.txt:1)");
        assert!(trap.starts_with("Django 6 wants Python >=3.12; Debian 12 has 3.11"), "{trap}");
        assert_eq!(said(&[("requirements.txt", "django>=4.2,<7\n")]).0, "");
        // uv takes no other Python than that of the file.
        let project = ("pyproject.toml", "[project]\nname = \"x\"\nrequires-python = \">=3.11\"\n");
        let files = [("uv.lock", "version = 1\n"), project, (".python-version", "3.12\n")];
        let (shown, trap) = said(&files);
        assert_eq!(shown, "==3.12.* (.python-version:1)");
        assert!(trap.contains("→ uv holds to that file: change it"), "{trap}");
        let lock = ("uv.lock", "version = 1\nrequires-python = \">=3.14\"\n\n[[package]]\n");
        assert_eq!(said(&[lock, (".python-version", "3.14\n")]).0, ">=3.14 (uv.lock:2)");
        assert_eq!(
            said(&[("uv.lock", ""), (".python-version", "3.13.1\n")]).0,
            "==3.13.1 (.python-version:1)"
        );
    }
}
