//! What only a run can know: conditions and tasks that wait for the host's answers. Answers are values, never text
//! to render.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::{Arc, OnceLock};

use handlebars::Context;
use serde_json::{Map, Value as Json};

use crate::spec::keys::Test;
use crate::spec::load::{Loaded, Sources, instantiate};
use crate::spec::mentions::Mentions;
use crate::spec::mistake::Mistake;
use crate::spec::model::{Condition, Late, Live, Registered};
use crate::spec::resolve::Poison;
use crate::spec::tasks::TaskPlan;
use crate::task::Task;
use crate::words::error::{Error, Result};
use crate::words::fact::HostFacts;

/// Which names a run gives, and which of those a template mentions.
#[derive(Clone, Debug, Default)]
pub struct LateNames {
    pub registered: BTreeSet<String>,
}

impl LateNames {
    /// The registered names that it mentions; `None` when it can be rendered before the run.
    pub fn needs(&self, mentions: &Mentions) -> Option<Vec<String>> {
        let mut needs = vec![];
        let mut late = false;
        for root in mentions.roots() {
            late |= root == "os" || root == "result";
            if self.registered.contains(root) && !needs.iter().any(|known| known == root) {
                needs.push(root.to_owned());
            }
        }
        (late || !needs.is_empty()).then_some(needs)
    }
}

/// Answers as they would look, for checking names before the run. `result` is for `changed_when` only.
pub fn placeholders(names: &LateNames, result: Option<Registered>) -> Live {
    let mut live = Live { os: HostFacts::default(), result, ..Live::default() };
    live.registered = names.registered.iter().map(|name| (name.clone(), Registered::default())).collect();
    live
}

pub fn add_live(data: &mut Json, live: &Live) {
    let Json::Object(map) = data else { return };
    let json = |value: &Registered| serde_json::to_value(value).unwrap_or_default();
    map.insert("os".into(), serde_json::to_value(&live.os).unwrap_or_default());
    map.extend(live.registered.iter().map(|(name, value)| (name.clone(), whole(value, json(value)))));
    if let Some(result) = &live.result {
        map.insert("result".into(), json(result));
    }
}

const STREAMS: [&str; 2] = ["stdout", "stderr"];

/// Half of an output never gets into a file: what was cut is not there.
fn whole(value: &Registered, mut json: Json) -> Json {
    for (stream, _) in STREAMS.iter().zip(value.cut).filter(|(_, cut)| *cut > 0) {
        json.as_object_mut().map(|map| map.remove(*stream));
    }
    json
}

/// The first of `names` whose output was cut; `uses` says whether it matters.
fn cut(live: &Live, names: &[String], uses: impl Fn(&str, &str) -> bool) -> Option<Error> {
    names.iter().find_map(|name| {
        let result = live.registered.get(name)?;
        let mut streams = STREAMS.iter().zip(result.cut);
        let (stream, bytes) = streams.find(|(stream, cut)| *cut > 0 && uses(name, stream))?;
        let error = Error::failed(format!("{stream} of the result `{name}` is not whole"));
        Some(error.cause(format!("the task wrote {bytes} bytes, and 128 KiB of them are kept")).hint(
            "let the command write to a file on the host and read that there, or let it say only what is needed",
        ))
    })
}

pub fn remove_live(data: &mut Json, live: &Live) {
    let Json::Object(map) = data else { return };
    map.remove("os");
    map.remove("result");
    live.registered.keys().for_each(|name| {
        map.remove(name);
    });
}

/// `when` or `changed_when`, with the variables that it mentions and no others.
pub struct LateTest {
    test: Test,
    origin: Arc<str>,
    vars: Map<String, Json>,
    needs: Vec<String>,
}

impl LateTest {
    pub fn new(test: &Test, origin: &Arc<str>, needs: Vec<String>, context: &Context) -> LateTest {
        let mut vars = Map::new();
        if let Json::Object(map) = context.data() {
            if test.compiled.mentions.everything {
                vars.clone_from(map);
            }
            for root in test.compiled.mentions.roots() {
                vars.extend(map.get(root).map(|value| (root.to_owned(), value.clone())));
            }
        }
        LateTest { test: test.clone(), origin: origin.clone(), vars, needs }
    }
}

/// Without the variables, which may be secret.
impl fmt::Debug for LateTest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "LateTest({})", self.test.text)
    }
}

impl Condition for LateTest {
    fn needs(&self) -> &[String] {
        &self.needs
    }
    fn holds(&self, live: &Live) -> Result<bool> {
        let mentions = &self.test.compiled.mentions;
        let uses = |name: &str, stream: &str| {
            let whole = |path: &Vec<String>| path.len() == 1 || path[1] == stream;
            mentions.everything || mentions.paths.iter().any(|path| path[0] == name && whole(path))
        };
        if let Some(error) = cut(live, &self.needs, uses) {
            let what = format!("cannot decide `{}` ({}): {}", self.test.text, self.origin, error.what);
            return Err(Error { what, ..error });
        }
        let mut data = Json::Object(self.vars.clone());
        add_live(&mut data, live);
        self.test.compiled.holds(&Context::from(data)).map_err(|fault| {
            let error = Error::config(format!("cannot decide `{}` ({})", self.test.text, self.origin));
            with_help(error.cause(fault.message), fault.help)
        })
    }
    fn text(&self) -> &str {
        &self.test.text
    }
}

fn with_help(error: Error, help: Option<String>) -> Error {
    match help {
        Some(help) => error.hint(help),
        None => error,
    }
}

/// A task whose arguments mention what only a run can know.
pub struct LateTask {
    pub plan: Arc<TaskPlan>,
    pub sources: Arc<Sources>,
    /// `hosts`, `groups`, `secrets`.
    pub shared: Arc<Map<String, Json>>,
    /// The host's variables, given once all of its tasks have been seen.
    pub vars: Arc<OnceLock<Map<String, Json>>>,
    pub item: Option<(Json, Json)>,
    pub needs: Vec<String>,
    /// What a template file that is first read in the run must not use.
    pub poison: Vec<Poison>,
}

impl Late for LateTask {
    fn needs(&self) -> &[String] {
        &self.needs
    }
    fn render(&self, live: &Live) -> Result<Arc<dyn Task>> {
        let mut data = Map::clone(&self.shared);
        data.extend(self.vars.get().cloned().unwrap_or_default());
        if let Some((item, index)) = &self.item {
            data.insert("item".into(), item.clone());
            data.insert("index".into(), index.clone());
        }
        let mut data = Json::Object(data);
        add_live(&mut data, live);
        match instantiate(&self.plan, &Context::from(data), &self.poison, None, &self.sources) {
            Ok(Loaded { task, .. }) => Ok(task),
            Err(failed) => Err(match cut(live, &self.needs, |_, _| true) {
                Some(error) => {
                    let what = format!(
                        "cannot prepare the {} of {}: {}",
                        self.plan.call.kind, self.plan.origin, error.what
                    );
                    Error { what, ..error }
                }
                None => self.error(&failed.mistakes),
            }),
        }
    }
}

impl LateTask {
    fn error(&self, mistakes: &[Mistake]) -> Error {
        let what = format!("cannot prepare the {} of {}", self.plan.call.kind, self.plan.origin);
        let mask = &self.sources.mask;
        let error = mistakes.iter().fold(Error::config(what), |error, mistake| {
            let label =
                if mistake.label.is_empty() { String::new() } else { format!(" ({})", mistake.label) };
            error.cause(mask.apply(&format!("{}{label}", mistake.message)))
        });
        with_help(error, mistakes.iter().find_map(|mistake| mistake.help.clone()))
    }
}

/// In place of a task that is skipped: nothing ever asks for it.
pub struct Skipped;

impl Late for Skipped {
    fn needs(&self) -> &[String] {
        &[]
    }
    fn render(&self, _live: &Live) -> Result<Arc<dyn Task>> {
        Err(Error::bug("a skipped task was asked for its actions"))
    }
}
