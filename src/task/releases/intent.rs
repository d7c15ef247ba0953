//! What a run has begun on its hosts and not ended well: how a host tells of it, and whether it can be gone on with.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::task::releases::state::State;
use crate::words::names::HostName;
use crate::words::plural::list;

/// Names of handlers, by stage.
pub type ByStage = BTreeMap<String, BTreeSet<String>>;

pub type States = BTreeMap<HostName, State>;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Command {
    Deploy,
    Rollback,
    /// A rollback that puts data back as well.
    Restore,
    /// A rollback that takes migrations back.
    Down,
}

impl Command {
    /// What replaces data is not done twice unasked: nobody can say from outside how far it has come.
    pub fn may_go_on(self) -> bool {
        matches!(self, Command::Deploy | Command::Rollback)
    }

    pub fn told(self) -> &'static str {
        match self {
            Command::Deploy => "deploy",
            Command::Rollback => "rollback",
            Command::Restore => "rollback --restore-backup",
            Command::Down => "rollback --migrate-down",
        }
    }
}

/// What it is about to do, in the words of whoever began it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Work {
    pub command: Command,
    /// The file name of the playbook.
    pub playbook: String,
    pub release: String,
    pub revision: String,
    /// The hosts of the run, and what each served when it began.
    pub hosts: BTreeMap<HostName, String>,
    /// Names of variables of the command line; their values may be secret.
    pub set: BTreeSet<String>,
}

/// As a host tells of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Intent {
    pub run: String,
    pub holder: String,
    /// Seconds since it began, by the host's own clock.
    pub age: i64,
    /// `failed`, `interrupted` or `lost`; `None` where nobody came to write it down.
    pub ended: Option<String>,
    #[serde(flatten)]
    pub work: Work,
}

impl Intent {
    /// From the lines that `state` says.
    pub fn parse(text: &str) -> Option<Intent> {
        let value = |key: &str| {
            let own = |line: &'_ str| {
                line.strip_prefix("intent.")?.strip_prefix(key)?.strip_prefix('=').map(str::to_owned)
            };
            text.lines().find_map(own)
        };
        Some(Intent {
            run: value("run").filter(|run| !run.is_empty())?,
            holder: value("holder").unwrap_or_default(),
            age: value("age").and_then(|age| age.parse().ok()).unwrap_or_default(),
            ended: value("ended"),
            work: serde_json::from_str(&value("work")?).ok()?,
        })
    }

    pub fn hosts(&self) -> Vec<&str> {
        self.work.hosts.keys().map(HostName::as_str).collect()
    }

    /// `deploy of 42-1a2b3c4 on web1 and web2`.
    pub fn told(&self) -> String {
        let hosts = list(&self.hosts(), "and");
        format!("{} of {} on {hosts}", self.work.command.told(), self.work.release)
    }

    /// The same work, perhaps of a run that goes on with it.
    pub fn is_same(&self, other: &Intent) -> bool {
        (self.work.command, &self.work.release) == (other.work.command, &other.work.release)
    }

    /// What was done since on one of its hosts, where that keeps it from being gone on with. A host without a word of it
    /// may have been left before anything was written there; then it serves what it did.
    pub fn overtaken(&self, states: &States) -> Option<String> {
        self.work.hosts.iter().find_map(|(host, before)| {
            let state = states.get(host)?;
            match &state.intent {
                Some(other) if self.is_same(other) => return None,
                Some(other) if other.age < self.age => {
                    return Some(format!(
                        "run {} of {} has begun another {}",
                        other.run,
                        other.holder,
                        other.told()
                    ));
                }
                _ => {}
            }
            let known = [before, &self.work.release].contains(&&state.current);
            (!known).then(|| {
                format!(
                    "{host} serves {} since",
                    if state.current.is_empty() { "nothing" } else { &state.current }
                )
            })
        })
    }

    /// A run that holds the lock may be it.
    pub fn is_held(&self, states: &States) -> bool {
        states.values().any(|state| state.lock.as_ref().is_some_and(|lock| lock.run == self.run))
    }
}

/// All that there are, each once: the latest first. Clocks of hosts may differ, ages hardly do.
pub fn begun(states: &States) -> Vec<&Intent> {
    let mut all: Vec<&Intent> = vec![];
    for intent in states.values().filter_map(|state| state.intent.as_ref()) {
        if !all.iter().any(|known| known.run == intent.run) {
            all.push(intent);
        }
    }
    all.sort_by_key(|intent| intent.age);
    all
}

/// The interrupted deploy that another one of the very same goes on with by itself. One that has failed is left: what
/// it has prepared may be why.
pub fn same_deploy<'a>(states: &'a States, wanted: &Work) -> Option<&'a Intent> {
    let intent = *begun(states).first()?;
    let work = &intent.work;
    let is_same = work.command == wanted.command
        && (&work.playbook, &work.revision, &work.set) == (&wanted.playbook, &wanted.revision, &wanted.set)
        && work.hosts.keys().eq(states.keys());
    let open = intent.ended.as_deref() != Some("failed") && !intent.is_held(states);
    (is_same && open && intent.overtaken(states).is_none()).then_some(intent)
}

#[cfg(test)]
mod tests {
    use super::{Command, Intent, States, Work, begun, same_deploy};
    use crate::task::releases::state::State;
    use crate::words::names::HostName;

    fn told(run: &str, release: &str, age: i64, ended: &str) -> String {
        let work = format!(
            "{{\"command\":\"deploy\",\"playbook\":\"deploy.toml\",\"release\":\"{release}\",\"revision\":\"b\",\
             \"hosts\":{{\"web1\":\"1-a\",\"web2\":\"1-a\"}},\"set\":[\"x\"]}}"
        );
        format!(
            "intent.run={run}\nintent.holder=ann@laptop\nintent.at=5\nintent.release={release}\nintent.work={work}\n{ended}intent.age={age}\n"
        )
    }

    fn states(one: &str, two: &str) -> States {
        let host = |name: &str, text: &str| {
            (HostName::new(name).unwrap(), State::parse(&format!("current=1-a\n{text}")))
        };
        [host("web1", one), host("web2", two)].into()
    }

    fn wanted() -> Work {
        Work { release: String::new(), ..Intent::parse(&told("r", "2-b", 1, "")).unwrap().work }
    }

    #[test]
    fn a_host_tells_what_was_begun() {
        let intent = Intent::parse(&told("r1", "2-b", 720, "intent.ended=failed\n")).unwrap();
        assert_eq!((intent.age, intent.ended.as_deref()), (720, Some("failed")));
        assert_eq!(intent.told(), "deploy of 2-b on web1 and web2");
        assert_eq!(intent.work.command, Command::Deploy);
        for text in
            ["", "intent.run=\n", "intent.run=r\n", "intent.run=r\nintent.work={broken\n", "run=r\nwork={}\n"]
        {
            assert_eq!(Intent::parse(text), None, "{text}");
        }
    }

    #[test]
    fn the_latest_comes_first_and_each_once() {
        let all = states(&told("old", "2-b", 900, ""), &told("new", "3-b", 60, ""));
        assert_eq!(begun(&all).iter().map(|intent| intent.run.as_str()).collect::<Vec<_>>(), ["new", "old"]);
        let one = states(&told("r", "2-b", 60, ""), &told("r", "2-b", 61, ""));
        assert_eq!(begun(&one).len(), 1);
    }

    #[test]
    fn the_very_same_deploy_is_gone_on_with() {
        let name =
            |states: &States, wanted: &Work| same_deploy(states, wanted).map(|intent| intent.run.clone());
        let both = states(&told("r", "2-b", 60, ""), &told("r", "2-b", 60, "intent.ended=interrupted\n"));
        assert_eq!(name(&both, &wanted()).as_deref(), Some("r"));
        // Killed before the second host was told.
        assert_eq!(name(&states(&told("r", "2-b", 60, ""), ""), &wanted()).as_deref(), Some("r"));
        for other in [
            Work { revision: "c".into(), ..wanted() },
            Work { set: [].into(), ..wanted() },
            Work { playbook: "other.toml".into(), ..wanted() },
            Work { command: Command::Rollback, ..wanted() },
        ] {
            assert_eq!(name(&both, &other), None, "{other:?}");
        }
        let failed = told("r", "2-b", 60, "intent.ended=failed\n");
        assert_eq!(name(&states(&failed, &failed), &wanted()), None);
        let mut fewer = both.clone();
        fewer.pop_last();
        assert_eq!(name(&fewer, &wanted()), None);
        let held = told("r", "2-b", 60, "held=r\nage=60\n");
        assert_eq!(name(&states(&held, &held), &wanted()), None, "in a plan: it may be at work");
    }

    #[test]
    fn what_was_overtaken_is_not() {
        let intent = Intent::parse(&told("r", "2-b", 60, "")).unwrap();
        let own = told("r", "2-b", 60, "");
        let since = |two: &str| intent.overtaken(&states(&own, two));
        assert_eq!(since(""), None, "nothing was written there, and nothing done");
        assert_eq!(since(&told("old", "1-c", 900, "")), None);
        assert_eq!(since(&told("again", "2-b", 5, "")), None, "it was gone on with");
        assert!(since(&told("new", "3-b", 5, "")).unwrap().contains("run new"));
        let mut all = states(&own, "");
        all.get_mut("web2").unwrap().current = "3-c".into();
        assert_eq!(intent.overtaken(&all).unwrap(), "web2 serves 3-c since");
        all.get_mut("web2").unwrap().current = "2-b".into();
        assert_eq!(intent.overtaken(&all), None, "it was done there");
    }
}
