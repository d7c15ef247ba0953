//! Events: all that a run says, as data. Reporters (terminal, plain, JSON) are listeners and see nothing else.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Serialize;

use crate::words::error::Error;
use crate::words::finding::Finding;
use crate::words::names::HostName;

/// Grows by one when a consumer of the JSON stream would have to change.
pub const SCHEMA_VERSION: u32 = 1;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// Shows what would happen and writes nothing on a host.
    Plan,
    Run,
    /// `tow exec`: one command, whose output is the point.
    Exec,
    /// `tow check`: looks at hosts before anything is done.
    Check,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Stream {
    Stdout,
    Stderr,
}

/// Which task on which host. `index` counts from 0 within the stage; handlers come after the tasks.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct TaskRef {
    pub host: HostName,
    pub stage: String,
    pub index: usize,
    pub task: String,
    pub kind: String,
    /// `playbooks/site.toml:12`
    pub origin: String,
}

/// What became of a task on a host. In a plan: what would become of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "outcome", rename_all = "snake_case")]
pub enum Outcome {
    /// Nothing to do, and why: "nginx is running".
    Already {
        why: String,
    },
    /// It was changed (in a plan: it will be), and how, a line each.
    Changed {
        what: Vec<String>,
        #[serde(skip_serializing_if = "Vec::is_empty")]
        diffs: Vec<TextDiff>,
    },
    /// In a plan: it will run, and nobody can say before what that does.
    /// In a run: it ran and says itself that it changed nothing (`changed_when`).
    Unknown {
        what: Vec<String>,
    },
    /// `when` was false, or an earlier task failed.
    Skipped {
        why: String,
    },
    Failed {
        error: Error,
    },
}

/// A unified diff, already masked, neutralised for display and bounded in size.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct TextDiff {
    pub path: String,
    pub text: String,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Tally {
    pub already: usize,
    pub changed: usize,
    /// Ran without a change, or (in a plan) unknown until run.
    pub unknown: usize,
    pub skipped: usize,
    pub failed: usize,
}

/// The verdict on one host.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    Ok,
    /// It was never begun, because the run stopped before.
    NotStarted,
    Interrupted,
    Failed,
    Unreachable,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct HostSummary {
    pub verdict: Verdict,
    #[serde(flatten)]
    pub tally: Tally,
    /// What ended it, when it did not end well.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<Error>,
    /// Handlers that were notified and did not run; the next run runs them at the end of their stage.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub pending: Vec<String>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Event {
    RunStarted {
        version: u32,
        run: String,
        mode: Mode,
        playbook: String,
        hosts: Vec<HostName>,
    },
    /// Connecting begins; `attempt` counts from 1.
    Connecting {
        host: HostName,
        attempt: u32,
    },
    Connected {
        host: HostName,
        #[serde(rename = "elapsed_ms", serialize_with = "millis")]
        elapsed: Duration,
    },
    /// Which release a deploy or a rollback is about: known once every host has said what it has.
    Release {
        release: String,
    },
    /// Something worth saying that is not a failure: a retry, a slow clock, a notice of sshd's.
    Notice {
        #[serde(skip_serializing_if = "Option::is_none")]
        host: Option<HostName>,
        text: String,
    },
    /// `tow check`: what a look at a host found.
    Finding {
        host: HostName,
        #[serde(flatten)]
        finding: Finding,
    },
    StageStarted {
        stage: String,
        hosts: Vec<HostName>,
        /// From 1, of how many.
        wave: usize,
        waves: usize,
        tasks: usize,
    },
    TaskStarted {
        #[serde(flatten)]
        task: TaskRef,
    },
    /// Some of what a command said: whole lines where possible, lossily decoded, masked; escapes NOT neutralised.
    Output {
        #[serde(flatten)]
        task: TaskRef,
        stream: Stream,
        text: String,
    },
    TaskFinished {
        #[serde(flatten)]
        task: TaskRef,
        #[serde(flatten)]
        outcome: Outcome,
        #[serde(rename = "elapsed_ms", serialize_with = "millis")]
        elapsed: Duration,
    },
    StageFinished {
        stage: String,
        wave: usize,
        failed: Vec<HostName>,
    },
    /// The run stops early: "2 of 6 hosts failed in wave 1, and max_failures is 1".
    Stopping {
        why: String,
    },
    HostFinished {
        host: HostName,
        #[serde(flatten)]
        summary: HostSummary,
    },
    RunFinished {
        hosts: BTreeMap<HostName, HostSummary>,
        exit_code: u8,
        #[serde(rename = "elapsed_ms", serialize_with = "millis")]
        elapsed: Duration,
    },
}

fn millis<S: serde::Serializer>(duration: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_u64(u64::try_from(duration.as_millis()).unwrap_or(u64::MAX))
}

/// A listener. Called from one place, in order; must not block for long.
pub trait Listener: Send {
    fn event(&mut self, event: &Event);
}
