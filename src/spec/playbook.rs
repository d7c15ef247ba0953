//! The playbook as written: stages of tasks, every key read and typed, templates compiled, nothing rendered.

use std::sync::Arc;

use crate::spec::handlers;
use crate::spec::include::{self, Others};
use crate::spec::mistake::{Mistake, Mistakes};
use crate::spec::model::{MaxFailures, OnFailure, Pause};
use crate::spec::read::{Reader, Word};
use crate::spec::set::Known;
use crate::spec::source::{self, Entry, Node, Span, TextFile, Value};
use crate::spec::tasks::{self, TaskPlan};
use crate::spec::vars::{Templates, check_reserved};

/// Of a stage that stands for those of another playbook.
pub const INCLUDE: &str = "include";
const SECTIONS: &[&str] = &["name", "vars", "defaults", "stages", "tasks", "handlers"];
const STAGE: &[&str] =
    &["name", "hosts", "waves", "max_failures", "on_failure", "pause", "tasks", "handlers"];

#[derive(Debug)]
pub struct Playbook {
    /// Those of what it includes first.
    pub vars: Vec<(Arc<TextFile>, Node)>,
    /// Below all others, so that the inventory decides.
    pub defaults: Vec<(Arc<TextFile>, Node)>,
    pub stages: Vec<StagePlan>,
}

#[derive(Debug)]
pub struct StagePlan {
    pub file: Arc<TextFile>,
    pub name: String,
    pub hosts: Word,
    pub waves: Vec<Size>,
    pub max_failures: MaxFailures,
    pub on_failure: OnFailure,
    pub pause: Option<Pause>,
    pub tasks: Vec<TaskPlan>,
    pub handlers: Vec<TaskPlan>,
    /// Written without a stage.
    pub top_level: bool,
}

/// Of a wave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Size {
    Hosts(usize),
    /// Of the stage's hosts, rounded up.
    Percent(usize),
}

impl Playbook {
    pub fn load(
        file: &Arc<TextFile>,
        templates: &Templates,
        others: Others<'_>,
        mistakes: &mut Mistakes,
    ) -> Playbook {
        let root = source::parse(file, mistakes);
        let mut playbook = Playbook { vars: vec![], defaults: vec![], stages: vec![] };
        let mut reader = Reader { file, mistakes };
        let (mut plain, mut own, mut below) = (vec![], None, None);
        for entry in root.entries() {
            match entry.key.as_str() {
                "name" => {
                    reader.string(entry);
                }
                "vars" | "defaults" => {
                    if let Some(entries) = reader.table(entry) {
                        check_reserved(entries, &mut reader);
                        let place = if entry.key == "vars" { &mut own } else { &mut below };
                        *place = Some(entry.node.clone());
                    }
                }
                "stages" => {
                    let nodes = reader.tables(entry);
                    for (index, node) in nodes.into_iter().enumerate() {
                        if let Some(entry) = include::entry(node) {
                            playbook.include((node, entry), templates, others, &mut reader);
                            continue;
                        }
                        let stage = stage(node, index, &entry.key_span, templates, &mut reader);
                        playbook.stages.push(stage);
                    }
                }
                "tasks" | "handlers" => plain.push(entry),
                _ => reader.unknown_key(entry, SECTIONS, "the playbook"),
            }
        }
        playbook.vars.extend(own.map(|node| (file.clone(), node)));
        playbook.defaults.extend(below.map(|node| (file.clone(), node)));
        playbook.plain_stage(&plain, templates, &mut reader);
        let empty = playbook.stages.iter().all(|stage| stage.tasks.is_empty());
        if empty && reader.mistakes.is_empty() {
            let mistake = Mistake::whole_file(file, "the playbook has no tasks");
            reader
                .mistakes
                .push(mistake.help("begin with `[[tasks]]`, or with `[[stages]]` and `[[stages.tasks]]`"));
        }
        playbook.check_names(&mut reader);
        playbook
    }

    /// `[[tasks]]` and `[[handlers]]` without a stage: one for all hosts.
    fn plain_stage(&mut self, entries: &[&Entry], templates: &Templates, reader: &mut Reader<'_>) {
        let Some(first) = entries.first() else { return };
        let hosts = Word { text: "all".into(), span: first.key_span.clone() };
        let mut stage = StagePlan::new(reader.file, "main".into(), hosts);
        for entry in entries {
            let tasks = tasks::read(entry, templates, reader);
            if entry.key == "tasks" { stage.tasks = tasks } else { stage.handlers = tasks }
        }
        if stage.tasks.is_empty() && !self.stages.is_empty() {
            let message = "these handlers belong to no stage: the stages have their own";
            reader.mistake(&first.key_span, message, "write [[stages.handlers]] below its stage");
            return;
        }
        stage.top_level = true;
        self.stages.push(stage);
    }

    /// What its variables define and what all of it mentions.
    pub fn add_to(&self, known: &mut Known, templates: &Templates) {
        self.defaults.iter().chain(&self.vars).for_each(|(_, node)| known.add(node, templates));
        for task in self.stages.iter().flat_map(|stage| stage.tasks.iter().chain(&stage.handlers)) {
            known.mentions.extend(&task.mentions());
        }
    }

    fn check_names(&self, reader: &mut Reader<'_>) {
        for (index, stage) in self.stages.iter().enumerate() {
            if self.stages[..index].iter().any(|other| other.name == stage.name) {
                let message = format!("there are two stages `{}`", stage.name);
                let mistake = Mistake::at(&stage.file, stage.hosts.span.clone(), message);
                reader.mistakes.push(mistake.label("expected another name"));
            }
            // An included stage has been looked at in its own file.
            if !Arc::ptr_eq(&stage.file, reader.file) {
                continue;
            }
            handlers::check(stage, reader);
        }
    }
}

impl StagePlan {
    fn new(file: &Arc<TextFile>, name: String, hosts: Word) -> StagePlan {
        StagePlan {
            file: file.clone(),
            name,
            hosts,
            waves: vec![],
            max_failures: MaxFailures::Count(0),
            on_failure: OnFailure::Stop,
            pause: None,
            tasks: vec![],
            handlers: vec![],
            top_level: false,
        }
    }

    /// Counts that add up to `hosts`; the last size repeats until every host has its wave.
    pub fn wave_sizes(&self, hosts: usize) -> Vec<usize> {
        let Some(last) = self.waves.last() else { return vec![hosts] };
        let (mut sizes, mut left) = (vec![], hosts);
        let mut wanted = self.waves.iter().chain(std::iter::repeat(last));
        while left > 0 {
            let size = match wanted.next() {
                Some(Size::Hosts(count)) => *count,
                Some(Size::Percent(percent)) => (hosts * percent).div_ceil(100),
                None => left,
            };
            let size = size.clamp(1, left);
            sizes.push(size);
            left -= size;
        }
        sizes
    }
}

fn stage(node: &Node, index: usize, at: &Span, templates: &Templates, reader: &mut Reader<'_>) -> StagePlan {
    let hosts = Word {
        text: "all".into(),
        span: node.entries().first().map_or(at.clone(), |first| first.key_span.clone()),
    };
    let mut stage = StagePlan::new(reader.file, format!("stage {}", index + 1), hosts);
    for entry in node.entries() {
        match entry.key.as_str() {
            "name" => stage.name = reader.string(entry).unwrap_or_default(),
            "hosts" => {
                if let Some(text) = reader.string(entry) {
                    stage.hosts = Word { text, span: entry.node.span.clone() };
                }
            }
            "waves" => stage.waves = waves(entry, reader),
            "max_failures" => stage.max_failures = max_failures(entry, reader),
            "on_failure" => stage.on_failure = on_failure(entry, reader),
            "pause" if entry.node.as_str() == Some("ask") => stage.pause = Some(Pause::Ask),
            "pause" => stage.pause = reader.duration(entry).map(Pause::For),
            "tasks" => stage.tasks = tasks::read(entry, templates, reader),
            "handlers" => stage.handlers = tasks::read(entry, templates, reader),
            _ => reader.unknown_key(entry, STAGE, &format!("stage `{}`", stage.name)),
        }
    }
    let on_failure = node.entries().iter().find(|entry| entry.key == "on_failure");
    let switches = stage.tasks.iter().any(|task| task.call.kind == "release_switch");
    let goes_back = matches!(stage.on_failure, OnFailure::Rollback | OnFailure::RollbackWave);
    if let Some(entry) = on_failure.filter(|_| goes_back && !switches) {
        let message = "nothing in this stage can be rolled back: it has no `release_switch`";
        reader.mistake(&entry.node.span, message, "expected \"stop\" or \"continue\"");
    }
    stage
}

fn size(node: &Node) -> Option<Size> {
    match &node.value {
        Value::Integer(count) => usize::try_from(*count).ok().filter(|count| *count > 0).map(Size::Hosts),
        Value::String(text) => percent(text).filter(|percent| *percent > 0).map(Size::Percent),
        _ => None,
    }
}

fn percent(text: &str) -> Option<usize> {
    text.strip_suffix('%')?.trim().parse().ok().filter(|percent| *percent <= 100)
}

fn waves(entry: &Entry, reader: &mut Reader<'_>) -> Vec<Size> {
    let nodes = match &entry.node.value {
        Value::Array(items) => items.as_slice(),
        _ => std::slice::from_ref(&entry.node),
    };
    let mut sizes = vec![];
    for node in nodes {
        match size(node) {
            Some(size) => sizes.push(size),
            None => reader.mistake(
                &node.span,
                "this is not the size of a wave",
                "expected a number from 1, or \"25%\"",
            ),
        }
    }
    sizes
}

fn max_failures(entry: &Entry, reader: &mut Reader<'_>) -> MaxFailures {
    let found = match &entry.node.value {
        Value::Integer(count) => usize::try_from(*count).ok().map(MaxFailures::Count),
        Value::String(text) => {
            percent(text).and_then(|percent| u8::try_from(percent).ok()).map(MaxFailures::Percent)
        }
        _ => None,
    };
    found.unwrap_or_else(|| {
        reader.mistake(
            &entry.node.span,
            "`max_failures` is not a number of hosts",
            "expected a number from 0, or \"10%\"",
        );
        MaxFailures::Count(0)
    })
}

fn on_failure(entry: &Entry, reader: &mut Reader<'_>) -> OnFailure {
    match entry.node.as_str() {
        Some("stop") => return OnFailure::Stop,
        Some("continue") => return OnFailure::Continue,
        Some("rollback") => return OnFailure::Rollback,
        Some("rollback_wave") => return OnFailure::RollbackWave,
        _ => reader.mistake(
            &entry.node.span,
            "`on_failure` is \"stop\", \"continue\", \"rollback\" or \"rollback_wave\"",
            "expected one of these",
        ),
    }
    OnFailure::Stop
}

#[cfg(test)]
mod tests {
    use super::{Size, StagePlan};
    use std::sync::Arc;

    use crate::spec::read::Word;
    use crate::spec::source::TextFile;

    #[test]
    fn waves_add_up() {
        let word = Word { text: "all".into(), span: 0..0 };
        let mut stage = StagePlan::new(&Arc::new(TextFile::new("x", "")), "x".into(), word);
        assert_eq!(stage.wave_sizes(7), [7]);
        stage.waves = vec![Size::Hosts(1), Size::Percent(25), Size::Percent(100)];
        assert_eq!(stage.wave_sizes(10), [1, 3, 6]);
        assert_eq!(stage.wave_sizes(1), [1]);
        stage.waves = vec![Size::Hosts(2)];
        assert_eq!(stage.wave_sizes(5), [2, 2, 1]);
        assert_eq!(stage.wave_sizes(0), Vec::<usize>::new());
    }
}
