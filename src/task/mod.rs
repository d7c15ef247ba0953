//! Task kinds. One file each and one line below: the module's name is the kind's name in TOML.
//!
//! A kind is a struct that serde reads from the task's (rendered) table, with two pure methods: what to ask a
//! host, and what follows from the answers. No clock, no I/O, no `&mut`.

use std::fmt;

use crate::task::need::Need;
use crate::words::content::Files;
use crate::words::error::{Error, Result};
use crate::words::fact::{Facts, Probe};
use crate::words::step::Step;

pub mod common;
pub mod need;
pub mod place;
pub mod postgres;
pub mod releases;
pub mod seconds;
pub mod write;

/// Something wrong with the values of a task, found before any connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mistake {
    /// The key in the task's table to point at; the whole table when `None`.
    pub field: Option<&'static str>,
    pub message: String,
    pub hint: Option<String>,
}

impl Mistake {
    pub fn new(field: &'static str, message: impl Into<String>) -> Mistake {
        Mistake { field: Some(field), message: message.into(), hint: None }
    }
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Mistake {
        self.hint = Some(hint.into());
        self
    }
}

/// What a task may ask of the operator's side while it is loaded.
pub trait Inputs: Files {
    /// Renders the text of a template file with this host's variables; `name` is for messages.
    fn render(&self, name: &str, text: &str) -> Result<String, String>;
    /// Whether the rendered text holds a secret, so that its diff must not be shown.
    fn is_secret(&self, text: &str) -> bool;
}

/// A kind was planned without having been loaded.
pub(crate) fn not_loaded(kind: &str) -> Error {
    Error::bug(format!("a task of the kind `{kind}` was planned before it was loaded"))
}

pub trait Task: fmt::Debug + Send + Sync {
    /// Reads what the task needs of the operator's files, and checks what serde cannot.
    fn load(&mut self, _inputs: &dyn Inputs) -> Result<(), Mistake> {
        Ok(())
    }
    /// What it needs of a host and puts there, for `tow check` and `tow guide`.
    fn needs(&self) -> Vec<Need> {
        vec![]
    }
    /// Everything `plan` will look at, in no particular order.
    fn probes(&self) -> Vec<Probe>;
    /// What has to be done, given the facts.
    fn plan(&self, facts: &Facts) -> Result<Step>;
}

macro_rules! tasks {
    ($($module:ident :: $kind:ident $(($short:literal))?),* $(,)?) => {
        $(pub mod $module;)*

        /// Every kind by its TOML name.
        pub const KINDS: &[&str] = &[$(stringify!($module)),*];

        /// The key that a bare value stands for: `command = "true"` is `command = { run = "true" }`.
        pub fn shorthand(kind: &str) -> Option<&'static str> {
            match kind {
                $($(stringify!($module) => Some($short),)?)*
                _ => None,
            }
        }

        /// Reads the table of a task of this kind; `None` for an unknown kind. The error's path is within the table.
        pub fn parse(
            kind: &str,
            table: toml::Value,
        ) -> Option<Result<Box<dyn Task>, serde_path_to_error::Error<toml::de::Error>>> {
            match kind {
                $(stringify!($module) => Some(
                    serde_path_to_error::deserialize::<_, $module::$kind>(table)
                        .map(|task| Box::new(task) as Box<dyn Task>),
                ),)*
                _ => None,
            }
        }
    };
}

tasks! {
    assert::Assert("that"),
    certificate::Certificate,
    command::Command("run"),
    directory::Directory("path"),
    env::Env,
    file::File,
    firewall::Firewall,
    git::Git,
    http::Http("url"),
    line::Line,
    link::Link,
    nginx_site::NginxSite,
    package::Package("names"),
    pip::Pip,
    postgres_db::PostgresDb,
    postgres_role::PostgresRole("name"),
    release_finish::ReleaseFinish,
    release_switch::ReleaseSwitch,
    script::Script("src"),
    service::Service("name"),
    supervisor::Supervisor,
    systemd_unit::SystemdUnit,
    template::Template,
    timer::Timer,
    upload::Upload,
    user::User("name"),
    venv::Venv("path"),
}
