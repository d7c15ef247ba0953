//! Handlers and those who notify them: each has its part within the stage, or nothing comes of it.

use crate::spec::mistake::Mistake;
use crate::spec::playbook::StagePlan;
use crate::spec::read::Reader;
use crate::spec::suggest::advice;

pub fn check(stage: &StagePlan, reader: &mut Reader<'_>) {
    let notified: Vec<_> = stage.tasks.iter().chain(&stage.handlers).flat_map(|task| &task.notify).collect();
    let names: Vec<&str> =
        stage.handlers.iter().filter_map(|h| Some(h.name.as_ref()?.raw.as_str())).collect();
    let all_exist = notified.iter().all(|by| names.contains(&by.raw.as_str()));
    for handler in &stage.handlers {
        let Some(name) = &handler.name else {
            let help = "tasks notify it by its name";
            reader.mistake(&handler.call.kind_span, "a handler must have a `name`", help);
            continue;
        };
        // A name that is spelled wrong is told of below.
        if all_exist && !notified.iter().any(|by| by.raw == name.raw) {
            let message = format!("no task of stage `{}` notifies the handler `{}`", stage.name, name.raw);
            let mistake = Mistake::at(reader.file, name.span.clone(), message).label("it would never run");
            let help = format!("add `notify = [{:?}]` to the tasks after which it has to run", name.raw);
            reader.mistakes.push(mistake.help(help));
        }
    }
    for notified in notified {
        if names.contains(&notified.raw.as_str()) {
            continue;
        }
        let help = advice(&notified.raw, names.iter().copied(), "the handlers are");
        let help = help.unwrap_or_else(|| {
            let below = if stage.top_level { "handlers" } else { "stages.handlers" };
            format!("add it as `[[{below}]]` with this `name`")
        });
        let message = format!("stage `{}` has no handler `{}`", stage.name, notified.raw);
        let mistake = Mistake::at(reader.file, notified.span.clone(), message);
        reader.mistakes.push(mistake.label("not the name of a handler").help(help));
    }
}
