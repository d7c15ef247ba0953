//! `command`: runs a program or a shell line. Its effect cannot be predicted.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::task::{Inputs, Mistake, Task};
use crate::words::action::{Action, Command as Run, Program};
use crate::words::content::Content;
use crate::words::error::Result;
use crate::words::fact::{Facts, Probe};
use crate::words::names::RemotePath;
use crate::words::step::Step;

/// Runs a command. A string is a line for `/bin/sh`; an array is a program and its arguments, with no shell.
///
/// It runs every time: let `creates` or `unless` say when it is not needed, and `changed_when` whether it changed
/// something.
///
/// ```toml
/// command = "sysctl --system"
/// command = { run = ["make", "install"], cwd = "/usr/src/thing", env = { PREFIX = "/opt/thing" } }
/// ```
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Command {
    /// The line, or the program and its arguments.
    run: Line,
    /// The folder that it runs in; else the home of the account.
    cwd: Option<RemotePath>,
    /// Variables of its environment. Unlike arguments they do not show in a list of processes.
    #[serde(default)]
    env: BTreeMap<String, String>,
    /// What the command reads; else its stdin is empty.
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

pub(crate) fn zero() -> Vec<i32> {
    vec![0]
}

/// Names that every shell can export.
pub(crate) fn check_env(env: &BTreeMap<String, String>) -> Result<(), Mistake> {
    match env.keys().find(|name| !is_variable_name(name)) {
        Some(name) => Err(Mistake::new("env", format!("{name:?} is not the name of a variable"))
            .hint("use letters, digits and `_`, and do not begin with a digit")),
        None => Ok(()),
    }
}

/// What a process can end with.
pub(crate) fn check_codes(codes: &[i32]) -> Result<(), Mistake> {
    match codes.iter().find(|code| !(0..=255).contains(*code)) {
        Some(code) => Err(Mistake::new("ok_codes", format!("no command ends with code {code}"))
            .hint("exit codes are from 0 to 255; one that signal N ended has 128 + N")),
        None if codes.is_empty() => Err(Mistake::new("ok_codes", "there is no code that is not a failure")
            .hint("name one, such as ok_codes = [0, 1]")),
        None => Ok(()),
    }
}

pub(crate) fn is_variable_name(name: &str) -> bool {
    let word = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    name.bytes().all(word) && name.bytes().next().is_some_and(|first| !first.is_ascii_digit())
}

impl Task for Command {
    fn load(&mut self, _inputs: &dyn Inputs) -> Result<(), Mistake> {
        let empty = match &self.run {
            Line::Shell(line) => line.trim().is_empty(),
            Line::Argv(argv) => argv.first().is_none_or(String::is_empty),
        };
        if empty {
            return Err(Mistake::new("run", "there is nothing to run")
                .hint("write a shell line, or an array of a program and its arguments"));
        }
        check_codes(&self.ok_codes)?;
        check_env(&self.env)
    }

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
