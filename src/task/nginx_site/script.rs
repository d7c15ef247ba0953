//! The shell that puts a site of nginx in place: for `nginx_site`, and for the switch of a release, which takes its site
//! along.

use crate::task::nginx_site::{Differs, NginxSite};
use crate::words::shell::quote;

/// Reads the site from its input.
pub(crate) const ACT: &str = include_str!("act.sh");

/// Where a change notes that nginx has to reload, until it has. Gone after a boot, as is the nginx that it is about.
pub(crate) fn owed(folder: &str) -> String {
    quote(&format!("/run/tow-nginx-reload{}", folder.replace('/', "-")))
}

impl NginxSite {
    /// Up to where the site is served, or only to where nginx has tested it.
    pub(super) fn script(&self, differs: Differs) -> String {
        let content = match (differs.content, self.absent) {
            (false, _) => "keep",
            (true, true) => "remove",
            (true, false) => "write",
        };
        let link = match (differs.link, self.is_served()) {
            (false, _) => "keep",
            (true, true) => "make",
            (true, false) => "remove",
        };
        let from = self.from.as_ref().filter(|_| content == "write");
        let from = from.map(|from| format!("exec <{} || exit 1\n", quote(from.as_str()))).unwrap_or_default();
        format!(
            "{from}root={} owed={} site={} content={content} link={link} until={}\n{ACT}",
            quote(self.folder()),
            owed(self.folder()),
            quote(&self.name),
            if self.trial { "tested" } else { "served" },
        )
    }
}
