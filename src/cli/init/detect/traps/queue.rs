//! Queues whose jobs nobody would do: their library is there, and no process runs them.

use crate::cli::init::detect::Trap;
use crate::cli::init::detect::listed::Requirement;
use crate::cli::init::detect::procfile::Process;
use crate::cli::init::detect::python::{Source, called, last, strings};

struct Queue {
    package: &'static str,
    module: &'static str,
    /// What a command has that runs it.
    sign: &'static str,
}

/// Those of a framework before what they build on.
const QUEUES: [Queue; 7] = [
    Queue { package: "celery", module: "celery", sign: "celery" },
    Queue { package: "django-rq", module: "django_rq", sign: "rq" },
    Queue { package: "rq", module: "rq", sign: "rq" },
    Queue { package: "huey", module: "huey", sign: "huey" },
    Queue { package: "django-q2", module: "django_q", sign: "qcluster" },
    Queue { package: "django-q", module: "django_q", sign: "qcluster" },
    Queue { package: "dramatiq", module: "dramatiq", sign: "dramatiq" },
];

pub fn find(
    sources: &[Source],
    listed: &[Requirement],
    processes: &[Process],
    manage: Option<&str>,
) -> Option<Trap> {
    let is_run = |queue: &Queue| processes.iter().any(|process| process.command.contains(queue.sign));
    // A package alone may be there for another one's sake.
    let is_used = |queue: &Queue| sources.iter().any(|source| uses(source, queue.module));
    let (queue, place) = QUEUES.iter().find_map(|queue| {
        let place = &listed.iter().find(|one| one.name == queue.package)?.place;
        is_used(queue).then_some((queue, place))
    })?;
    if is_run(queue) {
        return None;
    }
    let (command, further) = command(queue, sources, manage);
    let then = format!(
        "in inventory.toml: `processes = [{{ name = \"worker\", command = \"{command}\" }}]`{further}"
    );
    let what = format!("{} is among its packages, and no process does what it queues", queue.package);
    Some(Trap { place: Some(place.clone()), what, then })
}

/// `from celery import …`, `import rq`; Django names it in INSTALLED_APPS, or has its settings.
fn uses(source: &Source, module: &str) -> bool {
    source.lines.iter().any(|line| {
        let imported = line.code.strip_prefix("from ").or_else(|| line.code.strip_prefix("import "));
        let imported = imported
            .is_some_and(|rest| rest.split([' ', '.', ',']).next().is_some_and(|first| first == module));
        let installed = line.assigned().is_some_and(|(name, _)| name == "INSTALLED_APPS")
            && line.strings().iter().any(|text| text.split('.').any(|part| part == module));
        imported || installed
    })
}

/// What runs it, and what else is to be known.
fn command(queue: &Queue, sources: &[Source], manage: Option<&str>) -> (String, String) {
    let is_django = manage.is_some();
    let manage =
        |command: &str| (format!("python {} {command}", manage.unwrap_or("manage.py")), String::new());
    match queue.module {
        "django_rq" => manage("rqworker"),
        "django_q" => manage("qcluster"),
        "huey" if is_django => manage("run_huey"),
        "huey" => {
            named("huey_consumer", "Huey", sources, |module, name| format!("huey_consumer {module}.{name}"))
        }
        "celery" => {
            let (command, further) =
                named("celery -A", "Celery", sources, |module, _| format!("celery -A {module} worker"));
            let beats = ["beat_schedule", "BEAT_SCHEDULE"];
            let periodic = sources
                .iter()
                .flat_map(|source| &source.lines)
                .any(|line| beats.iter().any(|beat| line.code.contains(beat)));
            let beat = format!(
                "; and one more for what it does by the clock: `{}`",
                command.replace(" worker", " beat")
            );
            (command, further + if periodic { &beat } else { "" })
        }
        "rq" => {
            let queue = sources.iter().flat_map(|source| &source.lines).find_map(|line| {
                let at = line.code.find("Queue(")? + "Queue(".len();
                strings(&line.code)
                    .into_iter()
                    .find(|(place, _)| *place == at)
                    .map(|(_, text)| text.to_owned())
            });
            queue.map_or_else(
                || ("rq worker".to_owned(), ", with the names of its queues behind it".to_owned()),
                |queue| (format!("rq worker {queue}"), String::new()),
            )
        }
        _ => ("dramatiq MODULE".to_owned(), ", with the module of its actors".to_owned()),
    }
}

/// The object that a module has at its top: `app = Celery("shop")`.
fn named(
    program: &str,
    class: &str,
    sources: &[Source],
    command: impl Fn(&str, &str) -> String,
) -> (String, String) {
    let found = sources.iter().find_map(|source| {
        let line = source.lines.iter().filter(|line| line.indent == 0).find_map(|line| {
            let (name, value) = line.assigned()?;
            (last(called(value)?) == class).then_some(name)
        })?;
        Some(command(&source.module, line))
    });
    found.map_or_else(
        || {
            let worker = if class == "Celery" { " worker" } else { "" };
            (format!("{program} MODULE{worker}"), format!(", with the module that has its `{class}(…)`"))
        },
        |command| (command, String::new()),
    )
}

#[cfg(test)]
mod tests {
    use super::find;
    use crate::cli::init::detect::{listed, packages, procfile};
    use crate::cli::init::tree::Tree;

    fn said(list: &str, source: &str, procfile: &str) -> String {
        let mut tree = Tree::default();
        tree.add("requirements.txt", list.to_owned());
        tree.add("shop/tasks.py", source.to_owned());
        tree.add("Procfile", procfile.to_owned());
        let dependencies = packages::find(&tree, &mut vec![]);
        let listed = listed::find(&tree, &dependencies);
        let processes = procfile::read(&tree, &mut vec![]).processes;
        find(&tree.sources(""), &listed, &processes, Some("src/manage.py"))
            .map(|trap| trap.then)
            .unwrap_or_default()
    }

    #[test]
    fn the_line_of_its_process() {
        let celery = "from celery import Celery\napp = Celery('shop')\napp.conf.beat_schedule = {}\n";
        let then = said("celery\n", celery, "");
        assert!(then.contains("command = \"celery -A shop.tasks worker\""), "{then}");
        assert!(then.contains("`celery -A shop.tasks beat`"), "{then}");
        assert_eq!(said("celery\n", celery, "worker: celery -A shop.tasks worker\n"), "");
        assert!(
            said("rq\n", "import rq\nq = rq.Queue('mails', connection=x)\n", "").contains("rq worker mails")
        );
        assert!(
            said("huey\n", "INSTALLED_APPS = ['huey.contrib.djhuey']\n", "")
                .contains("python src/manage.py run_huey")
        );
        assert!(said("django-q2\n", "INSTALLED_APPS = ['django_q']\n", "").contains("manage.py qcluster"));
        assert!(said("celery\n", "from celery import shared_task\n", "").contains("celery -A MODULE worker"));
        assert_eq!(said("celery\n", "import flask\n", ""), "", "nobody uses it");
    }
}
