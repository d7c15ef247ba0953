//! `assert`: ends the run on a host where something does not hold.

use serde::Deserialize;

use crate::task::common::one_or_many;
use crate::task::{Inputs, Mistake, Task};
use crate::words::error::{Error, Result};
use crate::words::fact::{Facts, Probe};
use crate::words::names::RemotePath;
use crate::words::step::Step;

/// Looks, and fails the host where what is asserted does not hold. It never changes anything, and `tow plan`
/// fails on it too. Say at least one of `that`, `path` and `command`; all that are said must hold.
///
/// ```toml
/// assert = { that = "{{eq os.codename \"bookworm\"}}", message = "this playbook is for Debian 12" }
/// assert = { path = "/srv/shop/current", message = "deploy the shop first" }
/// assert = { command = "test $(df --output=avail -m / | tail -1) -gt 500" }
/// ```
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Assert {
    /// A condition or several, each an expression in `{{…}}`: false are "", "false", "0" and "no".
    #[serde(default, deserialize_with = "one_or_many")]
    that: Vec<String>,
    /// What must exist on the host, whatever it is.
    path: Option<RemotePath>,
    /// A line for `/bin/sh` that must end with 0. It runs in every plan, so it must only look.
    command: Option<String>,
    /// What the failure says; else it names what does not hold.
    message: Option<String>,
}

impl Assert {
    fn command_probe(&self) -> Option<Probe> {
        self.command.as_ref().map(|script| Probe::Shell { script: script.clone(), user: None })
    }

    fn fails(&self, cause: String) -> Error {
        match &self.message {
            Some(message) => Error::failed(message.clone()).cause(cause),
            None => Error::failed(cause).hint("give `message` to say what that means and what to do"),
        }
    }
}

fn is_false(text: &str) -> bool {
    matches!(text.trim(), "" | "false" | "0" | "no")
}

impl Task for Assert {
    fn load(&mut self, _inputs: &dyn Inputs) -> Result<(), Mistake> {
        if self.that.is_empty() && self.path.is_none() && self.command.is_none() {
            return Err(Mistake::new("message", "nothing is asserted").hint("give `that`, `path` or `command`"));
        }
        // As in `when`; here it would be text, and text is true.
        if let Some(bare) = self.that.iter().find(|text| text.trim_start().starts_with('(')) {
            let inner = bare.trim().trim_start_matches('(').trim_end_matches(')');
            return Err(Mistake::new("that", format!("{bare:?} is text, not a condition"))
                .hint(format!("put it in braces: {{{{{inner}}}}}")));
        }
        Ok(())
    }

    fn probes(&self) -> Vec<Probe> {
        self.path.clone().map(Probe::Path).into_iter().chain(self.command_probe()).collect()
    }

    fn plan(&self, facts: &Facts) -> Result<Step> {
        let mut holds = vec![];
        for (index, condition) in self.that.iter().enumerate() {
            if is_false(condition) {
                let which = if self.that.len() == 1 { String::new() } else { format!(" {}", index + 1) };
                return Err(self.fails(format!("the condition{which} is false")));
            }
        }
        match self.that.len() {
            0 => {}
            1 => holds.push("the condition holds".to_owned()),
            count => holds.push(format!("all {count} conditions hold")),
        }
        if let Some(path) = &self.path {
            if facts.path(path)?.is_none() {
                return Err(self.fails(format!("{path} does not exist")));
            }
            holds.push(format!("{path} exists"));
        }
        if let (Some(probe), Some(command)) = (self.command_probe(), &self.command) {
            let code = facts.output(&probe)?.code;
            if code != 0 {
                return Err(self.fails(format!("`{}` ended with {code}", command.trim())));
            }
            holds.push(format!("`{}` ends with 0", command.trim()));
        }
        Ok(Step::already(holds.join(", ")))
    }
}
