//! Steps: what planning a task gave.

use crate::words::action::Action;
use crate::words::content::Content;
use crate::words::error::Error;
use crate::words::fact::{Fact, Probe};
use crate::words::names::RemotePath;

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// Nothing to do; says why: "nginx is running".
    Already { why: String },
    /// Its actions lead to exactly the state it predicts.
    Change(Change),
    /// It runs, and nobody can say before what that does: what follows is probed and planned again.
    Unknown(Change),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// For people, one line each: "mode 0644 → 0640".
    pub what: Vec<String>,
    /// Files whose content changes; `tow plan` shows them as unified diffs.
    pub diffs: Vec<Diff>,
    pub actions: Vec<Action>,
    /// What the host would answer once the actions are done; the next task plans upon it.
    pub predicts: Vec<(Probe, Fact)>,
    /// In a [`Step::Unknown`]: it surely changes the host, only the consequences cannot be predicted (packages
    /// get installed). A plan shows it as a change, not as "unknown until run".
    pub definite: bool,
    /// False for actions that only wait or look: they never count as a change, whatever they did.
    pub changes: bool,
    /// The host has to be reached by a new connection before the actions are done; what failed where it is not.
    pub reached_anew: Option<Box<Error>>,
}

impl Default for Change {
    fn default() -> Change {
        Change {
            what: vec![],
            diffs: vec![],
            actions: vec![],
            predicts: vec![],
            definite: false,
            changes: true,
            reached_anew: None,
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diff {
    pub path: RemotePath,
    /// `None`: the file goes away.
    pub new: Option<Content>,
    /// Content that nobody should see, such as a dotenv file: only names of keys, or nothing, is shown.
    pub secret: bool,
}

impl Step {
    pub fn already(why: impl Into<String>) -> Step {
        Step::Already { why: why.into() }
    }
    /// A step that runs `action` for the reason `what`, with an effect that nobody can predict.
    pub fn run(what: impl Into<String>, action: Action) -> Step {
        Step::Unknown(Change { what: vec![what.into()], actions: vec![action], ..Change::default() })
    }
    /// A step that surely changes the host, in ways that cannot all be predicted.
    pub fn effects(change: Change) -> Step {
        Step::Unknown(Change { definite: true, ..change })
    }
    /// A step that waits or looks, and changes nothing.
    pub fn wait(what: impl Into<String>, action: Action) -> Step {
        Step::Unknown(Change {
            what: vec![what.into()],
            actions: vec![action],
            changes: false,
            ..Change::default()
        })
    }
    pub fn change(&self) -> Option<&Change> {
        match self {
            Step::Already { .. } => None,
            Step::Change(change) | Step::Unknown(change) => Some(change),
        }
    }
}

impl Change {
    #[must_use]
    pub fn what(mut self, line: impl Into<String>) -> Change {
        self.what.push(line.into());
        self
    }
    #[must_use]
    pub fn action(mut self, action: Action) -> Change {
        // Most changes are one action, an action is large, and a fleet has thousands of them.
        if self.actions.is_empty() {
            self.actions.reserve_exact(1);
        }
        self.actions.push(action);
        self
    }
    #[must_use]
    pub fn predict(mut self, probe: Probe, fact: Fact) -> Change {
        self.predicts.push((probe, fact));
        self
    }
    pub fn is_empty(&self) -> bool {
        self.actions.is_empty()
    }
}
