//! A task as written: its kind, its arguments, and the keys that every task may carry.

use std::sync::Arc;
use std::time::Duration;

use crate::spec::args::Arg;
use crate::spec::call::Call;
use crate::spec::foreign;
use crate::spec::keys::{ForEach, Test, Text, detached, for_each, once, register, test, text, word_text};
use crate::spec::mentions::Mentions;
use crate::spec::mistake::Mistake;
use crate::spec::read::{Reader, Word};
use crate::spec::source::{Entry, Node, Span, Value};
use crate::spec::suggest::advice;
use crate::spec::vars::{Templates, variable_path};
use crate::task;

const COMMON: &[&str] = &[
    "name",
    "when",
    "for_each",
    "tags",
    "as",
    "register",
    "creates",
    "unless",
    "notify",
    "timeout",
    "retries",
    "delay",
    "once",
    "changed_when",
    "detached",
];

#[derive(Debug)]
pub struct TaskPlan {
    pub call: Call,
    /// `playbooks/site.toml:12`
    pub origin: Arc<str>,
    pub name: Option<Text>,
    pub when: Option<Test>,
    pub for_each: Option<ForEach>,
    pub tags: Vec<Word>,
    pub user: Option<Text>,
    pub register: Option<Word>,
    pub creates: Option<Text>,
    pub unless: Option<Text>,
    pub notify: Vec<Text>,
    pub timeout: Option<Duration>,
    pub retries: u32,
    pub delay: Duration,
    /// What hosts say alike that run it once between them; `true` is the same text for all.
    pub once: Option<Text>,
    pub changed_when: Option<Test>,
    pub detached: bool,
}

/// `[[tasks]]`, `[[stages.tasks]]` or `[[stages.handlers]]`.
pub fn read(entry: &Entry, templates: &Templates, reader: &mut Reader<'_>) -> Vec<TaskPlan> {
    let nodes = reader.tables(entry);
    nodes.into_iter().filter_map(|node| task(node, &entry.key_span, templates, reader)).collect()
}

fn task(node: &Node, at: &Span, templates: &Templates, reader: &mut Reader<'_>) -> Option<TaskPlan> {
    let (kind, entry) = kind(node, at, reader)?;
    let call = call(kind, entry, templates, reader)?;
    let start = node.entries().first().map_or(at.start, |entry| entry.key_span.start);
    let origin = format!("{}:{}", reader.file.name, reader.file.line(start));
    let mut plan = TaskPlan::new(call, origin.into());
    for entry in node.entries() {
        plan.common(entry, templates, reader);
    }
    Some(plan)
}

/// The one key that is a task kind.
fn kind<'n>(node: &'n Node, at: &Span, reader: &mut Reader<'_>) -> Option<(&'static str, &'n Entry)> {
    let mut kinds = vec![];
    let mut unknown = false;
    for entry in node.entries().iter().filter(|entry| !COMMON.contains(&entry.key.as_str())) {
        if let Some(kind) = task::KINDS.iter().find(|kind| **kind == entry.key) {
            kinds.push((*kind, entry));
        } else {
            unknown = true;
            unknown_key(entry, reader);
        }
    }
    if let [_, (second, entry), ..] = kinds.as_slice() {
        let message = format!("a task does one thing: `{}` and `{second}` are two", kinds[0].0);
        reader.mistake(&entry.key_span, message, "expected in a task of its own");
    }
    // An unknown key was most likely meant as the kind.
    if kinds.is_empty() && !unknown {
        let span = node.entries().first().map_or(at.clone(), |entry| entry.key_span.clone());
        let mistake = Mistake::at(reader.file, span, "the task does not say what to do");
        let help = format!("the kinds are: {}", task::KINDS.join(", "));
        reader.mistakes.push(mistake.label("expected one task kind").help(help));
    }
    kinds.first().copied()
}

fn unknown_key(entry: &Entry, reader: &mut Reader<'_>) {
    let kinds = task::KINDS.iter().copied();
    let message = format!("unknown key `{}` in a task", entry.key);
    // A table is most likely meant as a kind.
    let help = match &entry.node.value {
        Value::Table(_) => advice(&entry.key, kinds.chain(COMMON.iter().copied()), "the kinds are"),
        _ => advice(&entry.key, COMMON.iter().copied().chain(kinds), "the keys and kinds are"),
    };
    let help = foreign::task_key(&entry.key).map(str::to_owned).or(help);
    reader.mistakes.push(
        Mistake::at(reader.file, entry.key_span.clone(), message)
            .label("neither a task kind nor a key of tasks")
            .maybe_help(help),
    );
}

fn call(kind: &'static str, entry: &Entry, templates: &Templates, reader: &mut Reader<'_>) -> Option<Call> {
    let node = match (&entry.node.value, task::shorthand(kind)) {
        (Value::Table(_), _) => entry.node.clone(),
        (_, Some(key)) => {
            let only =
                Entry { key: key.to_owned(), key_span: entry.key_span.clone(), node: entry.node.clone() };
            Node { span: entry.node.span.clone(), value: Value::Table(vec![only]) }
        }
        _ => {
            reader.wrong_type(&format!("`{kind}`"), &entry.node, "a table: { … }");
            return None;
        }
    };
    let args = Arg::new(&node, reader.file, templates, reader.mistakes);
    let mentions = args.mentions();
    Some(Call { kind, file: reader.file.clone(), kind_span: entry.key_span.clone(), node, args, mentions })
}

impl TaskPlan {
    fn new(call: Call, origin: Arc<str>) -> TaskPlan {
        TaskPlan {
            call,
            origin,
            name: None,
            when: None,
            for_each: None,
            tags: vec![],
            user: None,
            register: None,
            creates: None,
            unless: None,
            notify: vec![],
            timeout: None,
            retries: 0,
            delay: Duration::from_secs(1),
            once: None,
            changed_when: None,
            detached: false,
        }
    }

    fn common(&mut self, entry: &Entry, templates: &Templates, reader: &mut Reader<'_>) {
        match entry.key.as_str() {
            "name" => self.name = text(entry, templates, reader),
            "when" => self.when = test(entry, reader),
            "changed_when" => self.changed_when = test(entry, reader),
            "for_each" => self.for_each = Some(for_each(entry, templates, reader)),
            "tags" => self.tags = reader.words(entry),
            "as" => self.user = text(entry, templates, reader),
            "register" => self.register = register(entry, reader),
            "creates" => self.creates = text(entry, templates, reader),
            "unless" => self.unless = text(entry, templates, reader),
            "notify" => {
                let words = reader.words(entry);
                self.notify =
                    words.into_iter().filter_map(|word| word_text(word, templates, reader)).collect();
            }
            "timeout" => self.timeout = reader.duration(entry),
            "delay" => self.delay = reader.duration(entry).unwrap_or(self.delay),
            "retries" => self.retries = reader.integer(entry, "a number from 0").unwrap_or(0),
            "once" => self.once = once(entry, templates, reader),
            "detached" => self.detached = detached(entry, self.call.kind, reader),
            _ => {}
        }
    }

    /// Texts that are rendered before the run.
    pub fn texts(&self) -> impl Iterator<Item = &Text> {
        [&self.name, &self.user, &self.creates, &self.unless, &self.once]
            .into_iter()
            .flatten()
            .chain(&self.notify)
    }

    /// Everything that is needed to render the task before the run.
    pub fn mentions(&self) -> Mentions {
        let mut mentions = self.call.mentions.clone();
        self.texts()
            .filter_map(|text| text.compiled.as_ref())
            .for_each(|text| mentions.extend(&text.mentions));
        for test in [&self.when, &self.changed_when].into_iter().flatten() {
            mentions.extend(&test.compiled.mentions);
        }
        match &self.for_each {
            Some(ForEach::Given(arg)) => mentions.extend(&arg.mentions()),
            Some(ForEach::Variable(word)) => {
                mentions.paths.insert(variable_path(&word.text));
            }
            Some(ForEach::Broken) | None => {}
        }
        mentions
    }
}
