//! The shell of `pip`: what is installed, and how to install.

use crate::task::pip::{Hashes, Pip};
use crate::words::action::{Command, Detached};
use crate::words::content::Digest;
use crate::words::shell::{join, quote};

const FACTS: &str = include_str!("facts.py");

/// Arguments for `facts.py`: the marker, then every file and project.
fn operands(pip: &Pip) -> String {
    let operands = [("r", &pip.requirements), ("c", &pip.constraints), ("p", &pip.project)];
    let named = operands.into_iter().filter_map(|(kind, path)| Some(format!("{kind}:{}", path.as_ref()?)));
    join(std::iter::once(marker(pip)).chain(named))
}

/// One marker for each set of questions, so that several tasks may share an environment.
fn marker(pip: &Pip) -> String {
    let asked = format!(
        "{:?} {:?} {:?} {} {:?} {:?} {:?} {:?}",
        pip.requirements,
        pip.packages,
        pip.project,
        pip.editable,
        pip.constraints,
        pip.hashes,
        pip.wheelhouse,
        pip.extra_args
    );
    format!("{}/.tow-pip-{}.json", pip.venv.as_str().trim_end_matches('/'), Digest::of(asked.as_bytes()).short())
}

pub(crate) fn probe(pip: &Pip) -> String {
    let python = quote(&format!("{}/bin/python", pip.venv));
    format!(
        "{python} -I -B -c '' >/dev/null 2>&1 || {{ echo no-venv; exit 0; }}\n{python} -I -B - {} 2>/dev/null <<'TOW_END'\n{FACTS}TOW_END\n",
        operands(pip)
    )
}

pub(crate) fn install(pip: &Pip) -> Command {
    let python = quote(&format!("{}/bin/python", pip.venv));
    let mut arguments: Vec<String> = vec![];
    if let Some(folder) = &pip.wheelhouse {
        arguments.push("--no-index".to_owned());
        arguments.extend(["--find-links".to_owned(), folder.to_string()]);
    }
    if let Some(file) = &pip.constraints {
        arguments.extend(["-c".to_owned(), file.to_string()]);
    }
    arguments.extend(pip.extra_args.iter().cloned());
    if let Some(file) = &pip.requirements {
        arguments.extend(["-r".to_owned(), file.to_string()]);
    }
    if let Some(folder) = &pip.project {
        arguments.extend(pip.editable.then(|| "-e".to_owned()));
        arguments.push(folder.to_string());
    }
    arguments.extend(pip.packages.iter().cloned());
    let strict = "set -- --require-hashes --only-binary :all:";
    let hashes = match (pip.hashes, &pip.requirements) {
        (Hashes::Always, _) => format!("{strict}\n"),
        (Hashes::Auto, Some(file)) => {
            format!("if grep -q -e '--hash=' -- {}; then {strict}; fi\n", quote(file.as_str()))
        }
        _ => String::new(),
    };
    let check = if pip.check { format!("{python} -m pip --no-cache-dir check\n") } else { String::new() };
    let script = format!(
        "set -e\nset --\n{hashes}{python} -m pip install --no-input \"$@\" {}\n{check}{python} -I -B - record {} <<'TOW_END'\n{FACTS}TOW_END\n",
        join(&arguments),
        operands(pip)
    );
    Command::shell(script)
        .env("PIP_DISABLE_PIP_VERSION_CHECK", "1")
        .env("PIP_ROOT_USER_ACTION", "ignore")
        .env("PIP_NO_INPUT", "1")
        .env("PIP_PROGRESS_BAR", "off")
        .label(format!("{}/bin/pip install {}", pip.venv, join(&arguments)))
        .detached(Detached::WhileItRuns)
}
