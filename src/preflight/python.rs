//! Python, and its modules that make virtual environments.

use crate::preflight::{Seen, Subject, Topic};
use crate::task::need::Need;
use crate::words::finding::Finding;
use crate::words::python::{DEBIAN, Requires, advice, numbers};
use crate::words::shell::quote;

pub struct Python;

const TOPIC: &str = "python";

/// Of several the one that is asked for its version: the application's own.
fn wanted(subject: &Subject) -> Option<&str> {
    let own = subject.needs.iter().find_map(|need| match need {
        Need::Series { python, .. } => Some(python.as_str()),
        _ => None,
    });
    let any = || {
        subject
            .needs
            .iter()
            .find_map(|need| if let Need::Python(name) = need { Some(name.as_str()) } else { None })
    };
    own.or_else(any)
}

/// What the host's Python will be once the playbook has installed it.
fn of_debian(seen: &Seen<'_>, python: &str) -> Option<String> {
    let is_default = python == "python3" && seen.os.id == "debian" && !seen.has("broken");
    let (_, has) = DEBIAN.iter().find(|(debian, _)| is_default && seen.os.version == *debian)?;
    Some(has.map(|part| part.to_string()).join("."))
}

/// A Python that the application does not run on.
fn unfit(subject: &Subject, python: &str, version: &str) -> Option<Finding> {
    let has = numbers(version)?;
    let unfit = |need: &Need| match need {
        Need::Series { python: of, requires } if of == python => {
            Requires::parse(requires).filter(|wants| !wants.accepts(&has)).map(|_| requires.clone())
        }
        _ => None,
    };
    let requires = subject.needs.iter().find_map(unfit)?;
    Some(
        Finding::problem(TOPIC, format!("Python {version}, and the application wants {requires}"))
            .why("its virtual environment would not be made (`requires`; in [vars.app]: python_requires)")
            .todo(advice(&requires)),
    )
}

/// The package of the modules: `python3.12-venv` for `python3.12`.
fn package(python: &str) -> String {
    let name = python.rsplit('/').next().unwrap_or(python);
    format!("{name}-venv")
}

impl Topic for Python {
    fn script(&self, subject: &Subject) -> Option<String> {
        let python = quote(wanted(subject)?);
        Some(format!(
            "command -v {python} >/dev/null 2>&1 || exit 0\n\
             {python} -I -c 'import sys; print(\"version %d.%d.%d\" % sys.version_info[:3])' 2>/dev/null || echo broken\n\
             {python} -I -B -c 'import venv, ensurepip' 2>/dev/null && echo module"
        ))
    }

    fn findings(&self, subject: &Subject, seen: &Seen<'_>) -> Vec<Finding> {
        let Some(python) = wanted(subject) else { return vec![] };
        let version = seen.first("version").map(str::to_owned).or_else(|| of_debian(seen, python));
        if let Some(unfit) = version.and_then(|version| unfit(subject, python, &version)) {
            return vec![unfit];
        }
        let package = package(python);
        let is_installed_by_us = subject.packages().any(|name| name == package);
        let what = match seen.first("version") {
            Some(version) if seen.has("module") => {
                return vec![Finding::ok(TOPIC, format!("Python {version} with venv"))];
            }
            Some(version) => format!("Python {version} has no module venv or ensurepip"),
            None if seen.has("broken") => format!("{python} does not run"),
            None => format!("there is no {python}"),
        };
        if is_installed_by_us && !seen.has("broken") {
            return vec![Finding::note(TOPIC, format!("{what} yet; the playbook installs {package}"))];
        }
        vec![
            Finding::problem(TOPIC, what)
                .why("the application's packages go into a virtual environment, which Python has to make")
                .todo(format!("apt-get install {package}; or in the playbook: package = [\"{package}\"]")),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::{Python, package};
    use crate::preflight::sample::Sample;
    use crate::task::need::Need;

    #[test]
    fn another_version_than_the_application_runs_on() {
        let series = |requires: &str| Need::Series { python: "python3".into(), requires: requires.into() };
        let said = |requires: &str, answer: &str| {
            Sample::new(&Python, &[Need::Python("python3".into()), series(requires)]).said(answer)
        };
        let old = "version 3.11.2\nmodule\n";
        assert!(said(">=3.12", old)[0].starts_with(
            "problem: Python 3.11.2, and the application wants >=3.12 → take a server with Debian 13"
        ));
        assert!(said(">=3.14", "version 3.13.5\n")[0].contains("→ no Debian that is tested"));
        assert!(said(">=3.14", "")[0].starts_with("problem: Python 3.13.5, and"), "before it is installed");
        assert!(said(">=3.13", "")[0].starts_with("problem: there is no python3"));
        assert_eq!(said(">=3.11,<3.12", old), ["ok: Python 3.11.2 with venv"]);
    }

    #[test]
    fn what_is_missing_is_named_with_its_package() {
        let needs = [Need::Python("python3".into())];
        let sample = Sample::new(&Python, &needs);
        assert_eq!(sample.said("version 3.13.5\nmodule\n"), ["ok: Python 3.13.5 with venv"]);
        assert!(sample.said("version 3.11.2\n")[0].starts_with(
            "problem: Python 3.11.2 has no module venv or ensurepip → apt-get install python3-venv"
        ));
        assert!(
            sample.said("")[0].starts_with("problem: there is no python3 → apt-get install python3-venv")
        );
        let sample = Sample::new(&Python, &[needs[0].clone(), Need::Package("python3-venv".into())]);
        assert_eq!(sample.said(""), ["note: there is no python3 yet; the playbook installs python3-venv"]);
        assert!(sample.said("broken\n")[0].starts_with("problem: python3 does not run"));
        assert_eq!(package("/usr/bin/python3.12"), "python3.12-venv");
    }
}
