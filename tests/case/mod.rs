//! One case: reads it, plans its task against its facts, and compares. The format is described in `cases.rs`.

mod files;
mod known;
mod show;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Debug;

use files::Local;
use known::Known;
use serde::Deserialize;
use towline::task::{Mistake, Task, parse, shorthand};
use towline::words::error::Error;
use towline::words::fact::{Facts, HostFacts};
use towline::words::step::{Change, Step};

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Case {
    task: toml::Value,
    #[serde(default)]
    before: Vec<BTreeMap<String, toml::Value>>,
    #[serde(default)]
    after: Vec<BTreeMap<String, toml::Value>>,
    #[serde(default)]
    host: Host,
    #[serde(default)]
    vars: toml::Table,
    #[serde(default)]
    secrets: Vec<String>,
    #[serde(default)]
    files: BTreeMap<String, files::Entry>,
    #[serde(default)]
    ignored: BTreeSet<String>,
    #[serde(default)]
    facts: Vec<known::Entry>,
    expect: Expect,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Host {
    family: Option<String>,
    id: Option<String>,
    version: Option<String>,
    codename: Option<String>,
    arch: Option<String>,
    kernel: Option<String>,
    user: Option<String>,
    home: Option<String>,
    hostname: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Expect {
    already: Option<String>,
    what: Option<Vec<String>>,
    #[serde(default)]
    unknown: bool,
    actions: Option<Vec<String>>,
    #[serde(default)]
    contents: BTreeMap<String, String>,
    predicts: Option<Vec<String>>,
    secret: Option<bool>,
    error: Option<String>,
    mistake: Option<String>,
    hint: Option<String>,
}

/// What a case showed of its kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Seen {
    Already,
    Change,
    Error,
    Mistake,
}

enum Outcome {
    Mistake(Mistake),
    Error(Error),
    Step(Step),
}

impl Case {
    pub fn parse(text: &str) -> Result<Case, String> {
        toml::from_str(text).map_err(|error| error.to_string())
    }

    pub fn check(&self, kind: &str) -> Result<Seen, String> {
        let Case { files, vars, secrets, ignored, .. } = self;
        let local = Local { files, vars, secrets, ignored };
        let mut tasks = vec![];
        for (kind, table) in self.before.iter().flatten() {
            tasks.push(load(kind, table, &local).map_err(|mistake| format!("before: {mistake:?}"))?);
        }
        let mut later = vec![];
        for (kind, table) in self.after.iter().flatten() {
            later.push(load(kind, table, &local).map_err(|mistake| format!("after: {mistake:?}"))?);
        }
        let outcome = match load(kind, &self.task, &local) {
            Err(mistake) => Outcome::Mistake(mistake),
            Ok(task) => {
                tasks.push(task);
                self.plan(&tasks, &later)?
            }
        };
        self.compare(&outcome)
    }

    /// Plans all tasks in their order; the last one is what the case is about.
    fn plan(&self, tasks: &[Box<dyn Task>], later: &[Box<dyn Task>]) -> Result<Outcome, String> {
        let mut facts = Facts::new(self.host.facts());
        Known::new(&self.facts)
            .answer(tasks.iter().chain(later).flat_map(|task| task.probes()), &mut facts)?;
        let (last, before) = tasks.split_last().ok_or("no task")?;
        for task in before {
            match task.plan(&facts) {
                Ok(Step::Change(change)) => facts.apply(&change.predicts),
                Ok(Step::Already { .. }) => {}
                Ok(Step::Unknown(_)) => return Err("before: its effect cannot be predicted".into()),
                Err(error) => return Err(format!("before: {error}")),
            }
        }
        let step = match last.plan(&facts) {
            Err(error) => return Ok(Outcome::Error(error)),
            Ok(step) => step,
        };
        if let Step::Change(change) = &step {
            facts.apply(&change.predicts);
            match last.plan(&facts) {
                Ok(Step::Already { .. }) => {}
                other => {
                    return Err(format!(
                        "planned again with its own predictions it is not already: {other:#?}"
                    ));
                }
            }
        }
        Ok(Outcome::Step(step))
    }

    fn compare(&self, outcome: &Outcome) -> Result<Seen, String> {
        let expect = &self.expect;
        match outcome {
            Outcome::Mistake(Mistake { field, message, hint }) => {
                let text = field.map_or(message.clone(), |field| format!("{field}: {message}"));
                same("mistake", &expect.mistake, &Some(text))?;
                self.compare_hint(hint.as_ref())?;
                Ok(Seen::Mistake)
            }
            Outcome::Error(error) => {
                same("error", &expect.error, &Some(error.to_string()))?;
                self.compare_hint(error.hint.as_ref())?;
                Ok(Seen::Error)
            }
            Outcome::Step(Step::Already { why }) => {
                same("already", &expect.already, &Some(why.clone()))?;
                Ok(Seen::Already)
            }
            Outcome::Step(Step::Change(change)) => self.compare_change(change, false),
            Outcome::Step(Step::Unknown(change)) => self.compare_change(change, true),
        }
    }

    fn compare_hint(&self, hint: Option<&String>) -> Result<(), String> {
        if self.expect.hint.is_none() { Ok(()) } else { same("hint", &self.expect.hint.as_ref(), &hint) }
    }

    fn compare_change(&self, change: &Change, unknown: bool) -> Result<Seen, String> {
        let expect = &self.expect;
        same("what", &expect.what, &Some(change.what.clone()))?;
        same("unknown", &expect.unknown, &unknown)?;
        if expect.actions.is_some() {
            same("actions", &expect.actions, &Some(change.actions.iter().map(show::action).collect()))?;
        }
        if expect.predicts.is_some() {
            let predicts =
                change.predicts.iter().map(|(probe, fact)| show::prediction(probe, fact)).collect();
            same("predicts", &expect.predicts, &Some(predicts))?;
        }
        let written = show::contents(&change.actions);
        for (path, text) in &expect.contents {
            same(&format!("contents of {path}"), &Some(text), &written.get(path))?;
        }
        if let Some(secret) = expect.secret {
            same("secret", &secret, &change.diffs.iter().all(|diff| diff.secret))?;
        }
        Ok(Seen::Change)
    }
}

fn load(kind: &str, table: &toml::Value, local: &Local) -> Result<Box<dyn Task>, Mistake> {
    let table = match (table, shorthand(kind)) {
        (toml::Value::Table(_), _) | (_, None) => table.clone(),
        (bare, Some(key)) => toml::Value::Table([(key.to_owned(), bare.clone())].into_iter().collect()),
    };
    let whole = |message: String| Mistake { field: None, message, hint: None };
    let mut task = parse(kind, table)
        .ok_or_else(|| whole(format!("no such kind: {kind}")))?
        .map_err(|error| whole(format!("{}: {}", error.path(), error.inner().message().trim())))?;
    task.load(local)?;
    Ok(task)
}

fn same<T: PartialEq + Debug>(what: &str, wanted: &T, got: &T) -> Result<(), String> {
    if wanted == got { Ok(()) } else { Err(format!("  {what}\n    wanted {wanted:#?}\n    got    {got:#?}")) }
}

impl Host {
    fn facts(&self) -> HostFacts {
        let or = |given: &Option<String>, default: &str| given.clone().unwrap_or_else(|| default.to_owned());
        HostFacts {
            family: or(&self.family, "debian"),
            id: or(&self.id, "debian"),
            version: or(&self.version, "12"),
            codename: or(&self.codename, "bookworm"),
            arch: or(&self.arch, "x86_64"),
            kernel: or(&self.kernel, "Linux"),
            user: or(&self.user, "root"),
            home: or(&self.home, "/root"),
            hostname: or(&self.hostname, "web1"),
        }
    }
}
