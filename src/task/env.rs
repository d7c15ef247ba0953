//! `env`: a dotenv file that every reader reads alike.

mod quoting;

use serde::Deserialize;

use crate::task::command::is_variable_name;
use crate::task::write::{Target, Wanted, content_probes, plan_content};
use crate::task::need::{Need, Sort};
use crate::task::{Inputs, Mistake, Task};
use crate::words::action::Owner;
use crate::words::content::Content;
use crate::words::error::Result;
use crate::words::fact::{Facts, Probe};
use crate::words::names::{FileMode, RemotePath, UserName};
use crate::words::step::Step;

/// Writes variables to a file that bash (`source`), systemd (`EnvironmentFile=`) and python-dotenv read alike.
///
/// Spaces, `#`, `$`, line breaks and most quotes are fine. A value that those three cannot agree on is a mistake,
/// found before any connection. No diff of the file is ever shown, for it is made to hold secrets.
///
/// ```toml
/// env = { path = "/srv/shop/shared/.env", owner = "shop", vars = { SECRET_KEY = "{{secrets.key}}", PORT = 8000 } }
/// ```
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Env {
    /// Where it is on the host. The folder that holds it must exist. The file holds these variables and no others.
    path: RemotePath,
    /// Names and values, in the order in which they are written. Numbers, `true` and `false` may stand without quotes.
    vars: toml::Table,
    /// Permissions; else `"0600"`, even where the file had others.
    #[serde(default = "private")]
    mode: FileMode,
    /// The account that it belongs to. Left as it is, else the acting user.
    owner: Option<UserName>,
    /// The group that it belongs to. Left as it is, else the acting user's.
    group: Option<UserName>,
    #[serde(skip)]
    wanted: Option<Wanted>,
}

fn private() -> FileMode {
    FileMode(0o600)
}

/// The line of one variable.
fn line(name: &str, value: &toml::Value) -> Result<String, Mistake> {
    if !is_variable_name(name) {
        return Err(Mistake::new("vars", format!("{name:?} is not the name of a variable"))
            .hint("use letters, digits and `_`, and do not begin with a digit"));
    }
    let text = match value {
        toml::Value::String(text) => text.clone(),
        toml::Value::Integer(_) | toml::Value::Float(_) | toml::Value::Boolean(_) => value.to_string(),
        other => {
            return Err(Mistake::new("vars", format!("{name} is {}, not text", kind_of(other)))
                .hint("give text, a number, true or false"));
        }
    };
    let quoted = quoting::quote(&text).map_err(|why| {
        Mistake::new("vars", format!("{name}: {why}"))
            .hint("use another value, or encode this one (base64) and let the application decode it")
    })?;
    Ok(format!("{name}={quoted}\n"))
}

fn kind_of(value: &toml::Value) -> &'static str {
    match value {
        toml::Value::Array(_) => "an array",
        toml::Value::Table(_) => "a table",
        _ => "a date",
    }
}

impl Task for Env {
    fn load(&mut self, _inputs: &dyn Inputs) -> Result<(), Mistake> {
        let text: String = self.vars.iter().map(|(name, value)| line(name, value)).collect::<Result<_, _>>()?;
        self.wanted = Some(Wanted { content: Content::text(text), secret: true });
        Ok(())
    }

    fn needs(&self) -> Vec<Need> {
        vec![Need::place(self.path.as_str(), Sort::Variables)]
    }

    fn probes(&self) -> Vec<Probe> {
        content_probes(&self.path)
    }

    fn plan(&self, facts: &Facts) -> Result<Step> {
        let owner = Owner { user: self.owner.clone(), group: self.group.clone() };
        let wanted = self.wanted.as_ref().ok_or_else(|| crate::task::not_loaded("env"))?;
        plan_content(&Target { path: &self.path, mode: Some(self.mode), owner }, wanted, facts)
    }
}
