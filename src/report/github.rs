//! Annotations for GitHub Actions: one `::error` for each distinct failure, at the line of the playbook.

use crate::report::hosts::compact;
use crate::report::record::{Failure, Record};
use crate::report::sink::Sink;
use crate::report::text::neutralise;
use crate::words::event::{Event, Listener};
use crate::words::plural::count;

#[derive(Debug)]
pub struct Annotations {
    record: Record,
    sink: Sink,
}

impl Annotations {
    pub fn new(sink: Sink) -> Annotations {
        Annotations { record: Record::default(), sink }
    }
}

impl Listener for Annotations {
    fn event(&mut self, event: &Event) {
        self.record.event(event);
        if matches!(event, Event::RunFinished { .. }) {
            for failure in self.record.failures() {
                self.sink.raw(&annotation(&failure));
            }
        }
    }
}

fn annotation(failure: &Failure) -> String {
    let hosts = match failure.hosts.as_slice() {
        [only] => only.to_string(),
        many => format!("{} ({})", compact(many, "…", 6), count(many.len(), "host")),
    };
    let mut properties = String::new();
    let mut title = hosts;
    if let Some(task) = &failure.task {
        if let Some((file, line)) =
            task.origin.rsplit_once(':').filter(|(_, line)| line.parse::<u32>().is_ok())
        {
            properties = format!("file={},line={line},", property(file));
        }
        title = format!("{title}: {} › {}", task.stage, task.task);
    }
    let error = &failure.error;
    let hint = error.hint.iter().map(|hint| format!("\nhint: {hint}"));
    let text = error.to_string() + &hint.collect::<String>();
    format!("::error {properties}title={}::{}\n", property(&title), data(&text))
}

fn data(text: &str) -> String {
    neutralise(text).replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}

#[cfg(test)]
mod tests {
    use super::annotation;
    use crate::report::record::Record;
    use crate::report::sample::{Sample, broken_nginx};
    use crate::words::event::Mode;

    #[test]
    fn one_for_each_failure_and_escaped() {
        let mut error = broken_nginx();
        error.what = "100% wrong:\n::add-mask::x".into();
        let sample = Sample::new(Mode::Run, 6).fails(1..5, &error).end(3);
        let mut record = Record::default();
        sample.events.iter().for_each(|event| record.event(event));
        let lines: Vec<String> = record.failures().iter().map(annotation).collect();
        assert_eq!(
            lines,
            ["::error file=playbooks/deploy.toml,line=15,title=web2…web5 (4 hosts)%3A switch › nginx site::\
              100%25 wrong:%0A::add-mask::x: exit code 1%0Ahint: correct the template, then run the playbook \
              again\n"]
        );
    }
}
