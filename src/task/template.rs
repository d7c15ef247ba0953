//! `template`: a file rendered from a template on the operator's side.

use serde::Deserialize;

use crate::task::write::{Target, Wanted, content_probes, plan_content};
use crate::task::need::{Need, Sort};
use crate::task::{Inputs, Mistake, Task};
use crate::words::action::Owner;
use crate::words::content::Content;
use crate::words::error::Result;
use crate::words::fact::{Facts, Probe};
use crate::words::names::{FileMode, RemotePath, UserName};
use crate::words::step::Step;

/// Renders a template with the host's variables and writes the result, in one moment.
///
/// Rendering is strict and happens before the first connection: a variable that is not there is a mistake, never
/// an empty place in a file. A diff that would show a secret is not shown.
///
/// ```toml
/// template = { src = "nginx-site.conf.hbs", dest = "/etc/nginx/sites-available/shop", mode = "0644" }
/// ```
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Template {
    /// The template, UTF-8 text with `{{…}}`.
    src: String,
    /// Where the result goes. The folder that holds it must exist.
    dest: RemotePath,
    /// Permissions, such as `"0644"`. Those of the file that is there, else 0644.
    mode: Option<FileMode>,
    /// The account that it belongs to. Left as it is, else the acting user.
    owner: Option<UserName>,
    /// The group that it belongs to. Left as it is, else the acting user's.
    group: Option<UserName>,
    #[serde(skip)]
    wanted: Option<Wanted>,
}

impl Task for Template {
    fn load(&mut self, inputs: &dyn Inputs) -> Result<(), Mistake> {
        let mistake = |why: String| Mistake::new("src", why);
        let bytes = inputs.read(&self.src).map_err(mistake)?;
        let text = String::from_utf8(bytes).map_err(|_| {
            mistake(format!("{} is not UTF-8 text", self.src)).hint("use `file` to write it as it is")
        })?;
        let text = inputs.render(&self.src, &text).map_err(mistake)?;
        self.wanted = Some(Wanted { secret: inputs.is_secret(&text), content: Content::text(text) });
        Ok(())
    }

    fn needs(&self) -> Vec<Need> {
        vec![Need::place(self.dest.as_str(), Sort::File)]
    }

    fn probes(&self) -> Vec<Probe> {
        content_probes(&self.dest)
    }

    fn plan(&self, facts: &Facts) -> Result<Step> {
        let owner = Owner { user: self.owner.clone(), group: self.group.clone() };
        let wanted = self.wanted.as_ref().ok_or_else(|| crate::task::not_loaded("template"))?;
        plan_content(&Target { path: &self.dest, mode: self.mode, owner }, wanted, facts)
    }
}
