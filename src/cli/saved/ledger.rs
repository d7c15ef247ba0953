//! Writes the steps of a plan down as they come: masked, and with digests in place of what is secret.

use std::collections::BTreeMap;
use std::sync::Mutex;

use crate::cli::saved::file::{Entry, Hosts};
use crate::engine::Ledger;
use crate::plan::Decision;
use crate::words::action::Action;
use crate::words::content::Digest;
use crate::words::event::TaskRef;
use crate::words::fact::{Fact, NodeKind, PathFact, Probe};
use crate::words::secret::Mask;
use crate::words::step::{Change, Step};

pub struct Book {
    salt: String,
    mask: Mask,
    hosts: Mutex<Hosts>,
}

impl Book {
    pub fn new(salt: String, mask: Mask) -> Book {
        Book { salt, mask, hosts: Mutex::default() }
    }

    pub fn hosts(&self) -> Hosts {
        self.hosts.lock().map(|hosts| hosts.clone()).unwrap_or_default()
    }

    fn entry(&self, task: &TaskRef, decision: &Decision, seen: &[(&Probe, &Fact)]) -> Entry {
        let (name, what, change) = told(decision);
        let masked = |line: &String| self.mask.apply(line);
        Entry {
            stage: task.stage.clone(),
            task: self.mask.apply(&task.task),
            origin: task.origin.clone(),
            decision: name.to_owned(),
            what: what.iter().map(masked).collect(),
            actions: change
                .iter()
                .flat_map(|change| &change.actions)
                .map(|act| masked(&act.display()))
                .collect(),
            files: change.map(|change| self.files(change)).unwrap_or_default(),
            digest: self.digest(&change.map(|change| canonical(&change.actions)).unwrap_or_default()),
            facts: self.facts(seen),
        }
    }

    /// What is to be in files; a secret one is left out as a whole.
    fn files(&self, change: &Change) -> BTreeMap<String, String> {
        let shown = change.diffs.iter().filter(|diff| !diff.secret);
        let text = shown.filter_map(|diff| {
            let bytes = diff.new.as_ref()?.as_bytes()?;
            let text = std::str::from_utf8(bytes).ok()?;
            Some((self.mask.apply(diff.path.as_ref()), self.mask.apply(text)))
        });
        text.collect()
    }

    /// By place; several may have been asked of the same.
    fn facts(&self, seen: &[(&Probe, &Fact)]) -> BTreeMap<String, String> {
        let mut places: BTreeMap<String, String> = BTreeMap::new();
        for (probe, fact) in seen {
            if let Some(place) = place(probe) {
                let place = self.mask.apply(&place);
                let answer = format!("{:?}\n", settled(fact));
                places.entry(place).or_default().push_str(&answer);
            }
        }
        places.into_iter().map(|(place, answers)| (place, self.digest(&answers))).collect()
    }

    fn digest(&self, text: &str) -> String {
        Digest::of(format!("{}\n{text}", self.salt).as_bytes()).as_str().to_owned()
    }
}

impl Ledger for Book {
    fn planned(&self, task: &TaskRef, decision: &Decision, seen: &[(&Probe, &Fact)]) {
        let entry = self.entry(task, decision, seen);
        if let Ok(mut hosts) = self.hosts.lock() {
            hosts.entry(task.host.to_string()).or_default().push(entry);
        }
    }
}

fn told(decision: &Decision) -> (&'static str, Vec<String>, Option<&Change>) {
    match decision {
        Decision::Skip { why } => ("skip", vec![why.clone()], None),
        Decision::Failed(error) => ("failed", vec![error.to_string()], None),
        Decision::Step(Step::Already { why }) => ("already", vec![why.clone()], None),
        Decision::Step(Step::Change(change)) => ("change", change.what.clone(), Some(change)),
        Decision::Step(Step::Unknown(change)) => ("unknown", change.what.clone(), Some(change)),
    }
}

/// All that the actions will do: the form for programmers has every field, but only the beginning of digests.
fn canonical(actions: &[Action]) -> String {
    let contents = actions.iter().flat_map(Action::contents).map(|content| content.digest().as_str());
    format!("{actions:?}\n{}", contents.collect::<Vec<_>>().join("\n"))
}

/// The place that a probe looks at. What a script says may differ from moment to moment (an age, a process number):
/// there only the step that follows from it counts.
fn place(probe: &Probe) -> Option<String> {
    match probe {
        Probe::Path(path) | Probe::Digest(path) | Probe::Content(path) | Probe::Tree(path) => {
            Some(path.to_string())
        }
        Probe::User(name) => Some(format!("the account {name}")),
        Probe::Shell { .. } => None,
    }
}

/// Without what changes by itself: the size of a folder says how many names it once had.
fn settled(fact: &Fact) -> Fact {
    let mut fact = fact.clone();
    if let Fact::Path(PathFact::Present(stat)) = &mut fact
        && stat.node == NodeKind::Dir
    {
        stat.size = 0;
    }
    fact
}
