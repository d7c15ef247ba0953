//! What it takes to change a site of nginx, and what the host answers afterwards.

use crate::task::nginx_site::{Differs, NginxSite, Places};
use crate::task::place::fresh;
use crate::task::write::Wanted;
use crate::words::action::{Action, Command};
use crate::words::error::Result;
use crate::words::fact::{Fact, Facts, NodeKind, Probe};
use crate::words::names::FileMode;
use crate::words::step::{Change, Diff};

impl NginxSite {
    pub(super) fn change(&self, places: &Places, differs: Differs, facts: &Facts) -> Result<Change> {
        let mut change = Change::default();
        if differs.content {
            let verb = match facts.path(&places.file)? {
                _ if self.absent => "remove",
                Some(_) => "rewrite",
                None => "write",
            };
            change = change.what(format!("{verb} {}", places.file));
            let path = places.file.clone();
            match &self.wanted {
                Some(Wanted { content, secret }) => {
                    change.diffs.push(Diff { path, new: Some(content.clone()), secret: *secret });
                }
                None if self.absent => change.diffs.push(Diff { path, new: None, secret: false }),
                // What a file on the host holds is known there.
                None => {}
            }
        }
        if differs.link {
            let verb = if self.is_served() { "serve" } else { "no longer serve" };
            change = change.what(format!("{verb} the site {}", self.name));
        }
        change = change.what(if differs.reload { "reload nginx, which a run before did not come to" } else { "reload nginx" });
        let command = self.command(differs, format!("put the site {} in place, test nginx, reload it", self.name));
        self.predicted(change.action(Action::Run(command)), places, differs, facts)
    }

    fn predicted(&self, change: Change, places: &Places, differs: Differs, facts: &Facts) -> Result<Change> {
        let stat = || fresh(NodeKind::File, FileMode(0o644), &places.file, facts);
        let change = match (&self.wanted, self.text(facts)?) {
            (Some(wanted), _) if differs.content => change.predict_file(&places.file, stat(), &wanted.content, facts),
            (None, Some(text)) if differs.content => change
                .predict(Probe::Digest(places.file.clone()), Fact::Digest(Some(text.clone())))
                .predict_attributes(&places.file, stat()),
            _ if differs.content => change.predict_absent(&places.file),
            _ => change,
        };
        Ok(match (differs.link, self.is_served()) {
            (false, _) => change,
            (true, true) => change.predict_link(&places.link, places.file.as_str(), facts),
            (true, false) => change.predict_absent(&places.link),
        })
    }

    pub(super) fn command(&self, differs: Differs, label: String) -> Command {
        let stdin = self.wanted.as_ref().filter(|_| differs.content).map(|wanted| wanted.content.clone());
        Command { stdin, ..Command::shell(self.script(differs)).label(label) }
    }
}
