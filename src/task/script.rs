//! `script`: runs a script of the operator's on the host. Its effect cannot be predicted.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::task::command::{check_codes, check_env};
use crate::task::common::one_or_many;
use crate::task::{Inputs, Mistake, Task};
use crate::words::action::{Action, Command, Program};
use crate::words::content::Content;
use crate::words::error::Result;
use crate::words::fact::{Facts, Probe};
use crate::words::names::RemotePath;
use crate::words::step::Step;

/// Runs a script on the host. It travels beside the commands and is read by its interpreter from stdin, so nothing
/// of it is left behind and nothing of it shows in a list of processes.
///
/// It runs every time: let `creates` or `unless` say when it is not needed. Say one of `src` and `content`.
///
/// ```toml
/// script = { src = "scripts/tune.sh", args = ["--fast"] }
/// script = { content = "print('hello')", interpreter = "python3" }
/// ```
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Script {
    /// The script's file on the operator's side, not rendered.
    src: Option<String>,
    /// The script itself.
    content: Option<String>,
    /// The program that reads it, with its options: `"python3"` or `["bash", "-eu"]`. Else its first line says so
    /// with `#!`, else it is `/bin/sh`.
    #[serde(default, deserialize_with = "one_or_many")]
    interpreter: Vec<String>,
    /// What the script is given as its arguments. They show in a list of processes: secrets belong into `env`.
    #[serde(default)]
    args: Vec<String>,
    /// The folder that it runs in; else the home of the account.
    cwd: Option<RemotePath>,
    /// Variables of its environment.
    #[serde(default)]
    env: BTreeMap<String, String>,
    /// Exit codes that are not a failure.
    #[serde(default = "crate::task::command::zero")]
    ok_codes: Vec<i32>,
    #[serde(skip)]
    loaded: Option<Content>,
}

/// The interpreter that a first line `#!…` names, and its options as the kernel splits them: at most one.
fn shebang(content: &Content) -> Option<Vec<String>> {
    let line = content.as_bytes()?.strip_prefix(b"#!")?.split(|&byte| byte == b'\n').next()?;
    let line = std::str::from_utf8(line).ok()?.trim();
    let (program, option) = line.split_once([' ', '\t']).unwrap_or((line, ""));
    let words = [program, option.trim()].into_iter().filter(|word| !word.is_empty());
    Some(words.map(ToOwned::to_owned).collect::<Vec<_>>()).filter(|words| !words.is_empty())
}

impl Task for Script {
    fn load(&mut self, inputs: &dyn Inputs) -> Result<(), Mistake> {
        check_codes(&self.ok_codes)?;
        check_env(&self.env)?;
        let content = match (&self.src, &self.content) {
            (Some(_), Some(_)) => {
                return Err(Mistake::new("content", "`src` and `content` exclude each other")
                    .hint("keep the one that holds the script"));
            }
            (None, None) => {
                return Err(Mistake::new("args", "there is no script")
                    .hint("give `src`, a file, or `content`, its text"));
            }
            (Some(src), _) => inputs.content(src).map_err(|why| Mistake::new("src", why))?,
            (_, Some(text)) => Content::text(text),
        };
        if self.interpreter.first().is_some_and(String::is_empty) {
            return Err(Mistake::new("interpreter", "the interpreter is empty"));
        }
        if self.interpreter.is_empty() {
            self.interpreter = shebang(&content).unwrap_or_else(|| vec!["/bin/sh".to_owned()]);
        }
        self.loaded = Some(content);
        Ok(())
    }

    fn probes(&self) -> Vec<Probe> {
        vec![]
    }

    fn plan(&self, _facts: &Facts) -> Result<Step> {
        let content = self.loaded.clone().ok_or_else(|| crate::task::not_loaded("script"))?;
        let program =
            Program::Script { interpreter: self.interpreter.clone(), args: self.args.clone(), content };
        let run = Command {
            cwd: self.cwd.clone(),
            env: self.env.clone().into_iter().collect(),
            ok_codes: self.ok_codes.clone(),
            ..Command::from(program)
        };
        let name = self.src.clone().unwrap_or_else(|| format!("a script with {}", self.interpreter.join(" ")));
        Ok(Step::run(format!("run {name}"), Action::Run(run.label(name))))
    }
}
