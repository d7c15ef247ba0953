//! Releases of an application: their names, what a host has of them, and the scripts that work on them there. The kinds
//! `release_switch` and `release_finish` share it with the commands `deploy`, `rollback`, `resume`, `status`, `update` and
//! `unlock`.

pub mod backup;
pub mod intent;
pub mod lock;
pub mod look;
pub mod name;
pub mod probe;
pub mod state;

use serde::{Deserialize, Serialize};

use crate::task::Mistake;
use crate::task::nginx_site::script::{ACT, owed};
use crate::words::fact::Probe;
use crate::words::names::RemotePath;
use crate::words::shell::quote;

pub(crate) const HOST: &str = include_str!("host.sh");
pub(crate) const STATE: &str = include_str!("state.sh");

/// What `host.sh` calls as `nginx_site RELEASE tested|served`: nginx only tests the site of that release, or serves it. It
/// is what the kind of that name does.
pub(crate) fn sites() -> String {
    let (etc, owed) = ("/etc/nginx", owed("/etc/nginx"));
    format!(
        "site_owed={owed} site_refused= going_back=\nnginx_site() (\nexec <\"$releases/$1/site\" || exit 1\n\
         root={etc} owed=$site_owed site=$app content=write link=keep until=$2\n\
         [ -L {etc}/sites-enabled/$app ] || link=make\n{ACT})\n"
    )
}

/// An application on a host: its name, and the folder that holds its releases.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct App {
    pub name: String,
    pub root: RemotePath,
}

impl App {
    /// What systemd and the shell take as part of a name.
    pub fn check(&self) -> Result<(), Mistake> {
        let plain = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
        let good = self.name.starts_with(|c: char| c.is_ascii_alphanumeric()) && self.name.chars().all(plain);
        if good {
            return Ok(());
        }
        Err(Mistake::new("app", format!("{:?} is not a name for an application", self.name))
            .hint("use letters, digits, `-`, `_` and `.`"))
    }

    /// Its variables, then the functions that every script needs.
    pub(crate) fn head(&self) -> String {
        format!("app={} root={}\n{HOST}", quote(&self.name), quote(self.root.as_str()))
    }

    /// Asks what the host has of it; [`state::State`] reads the answer.
    pub fn probe(&self) -> Probe {
        Probe::Shell { script: self.state_script(), user: None }
    }

    pub fn state_script(&self) -> String {
        format!("{}{}{STATE}state\n", self.head(), include_str!("lock.sh"))
    }
}
