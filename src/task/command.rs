//! `command`: runs a program or a shell line. Its effect cannot be predicted.

use serde::Deserialize;

use crate::task::Task;
use crate::words::action::{Action, Command as Run, Program};
use crate::words::content::Content;
use crate::words::error::Result;
use crate::words::fact::{Facts, Probe};
use crate::words::names::RemotePath;
use crate::words::step::Step;

/// Runs a command. A string is a line for `/bin/sh`; an array is a program and its arguments, with no shell.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Command {
    run: Line,
    cwd: Option<RemotePath>,
    #[serde(default)]
    env: std::collections::BTreeMap<String, String>,
    /// What the command reads.
    stdin: Option<String>,
    /// Exit codes that are not a failure.
    #[serde(default = "zero")]
    ok_codes: Vec<i32>,
}

#[derive(Debug, Deserialize)]
#[serde(untagged, expecting = "a shell line (a string), or a program and its arguments (an array of strings)")]
enum Line {
    Shell(String),
    Argv(Vec<String>),
}

fn zero() -> Vec<i32> {
    vec![0]
}

impl Task for Command {
    fn probes(&self) -> Vec<Probe> {
        vec![]
    }

    fn plan(&self, _facts: &Facts) -> Result<Step> {
        let program = match &self.run {
            Line::Shell(line) => Program::Shell(line.clone()),
            Line::Argv(argv) => Program::Argv(argv.clone()),
        };
        let run = Run {
            cwd: self.cwd.clone(),
            env: self.env.clone().into_iter().collect(),
            stdin: self.stdin.as_ref().map(Content::text),
            ok_codes: self.ok_codes.clone(),
            ..Run::from(program)
        };
        Ok(Step::run(format!("run {}", run.display()), Action::Run(run)))
    }
}
