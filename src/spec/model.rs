//! The checked project: hosts, and stages of tasks rendered for each host.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use serde_json::{Map, Value as Json};

use crate::spec::source::{Span, TextFile};
use crate::task::Task;
use crate::words::error::Result;
use crate::words::fact::HostFacts;
use crate::words::names::{HostName, RemotePath, UserName};
use crate::words::secret::Mask;

/// Everything a run needs, checked; nothing can be misspelt from here on.
#[derive(Debug)]
pub struct Project {
    /// For people and for the state kept between runs: `playbooks/site.toml`.
    pub playbook: String,
    /// Selected hosts in the order of the inventory.
    pub hosts: Vec<Host>,
    pub stages: Vec<Stage>,
    /// Knows every secret value of the project.
    pub mask: Mask,
}

impl Project {
    /// The task that makes the playbook one for `tow deploy`. One with `creates` is for a host that has no release yet.
    pub fn switching(&self) -> Option<&TaskSpec> {
        let mut tasks = self.stages.iter().flat_map(|stage| stage.tasks.values()).flatten();
        tasks.find(|task| task.kind == "release_switch" && task.creates.is_none() && task.skip.is_none())
    }
}

#[derive(Clone, Debug)]
pub struct Host {
    pub name: HostName,
    pub groups: Vec<String>,
    pub connection: Connection,
    pub vars: Vars,
}

/// A host's variables, rendered. Secrets are among them: it shows nothing of itself.
#[derive(Clone, Default)]
pub struct Vars(pub Arc<OnceLock<Map<String, Json>>>);

impl Vars {
    /// The text at a path such as `app.name`; `None` where there is none, or something else.
    pub fn text(&self, path: &str) -> Option<&str> {
        self.find(path)?.as_str()
    }

    pub fn is_true(&self, path: &str) -> bool {
        self.find(path) == Some(&Json::Bool(true))
    }

    fn find(&self, path: &str) -> Option<&Json> {
        let mut parts = path.split('.');
        let first = self.0.get()?.get(parts.next()?)?;
        parts.try_fold(first, |value, part| value.get(part))
    }
}

impl fmt::Debug for Vars {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Vars")
    }
}

#[derive(Clone, Debug)]
pub enum Connection {
    Ssh(Ssh),
    /// The operator's own machine.
    Local {
        r#become: bool,
    },
}

impl Connection {
    pub fn r#become(&self) -> bool {
        match self {
            Connection::Ssh(ssh) => ssh.r#become,
            Connection::Local { r#become } => *r#become,
        }
    }
}

/// As the inventory says; what is `None` comes from `~/.ssh/config`, then from ssh's defaults.
#[derive(Clone, Debug, Default)]
pub struct Ssh {
    /// What to connect to; the host's name when the inventory gives no address. Also the alias for `ssh -G`.
    pub address: String,
    pub port: Option<u16>,
    pub user: Option<String>,
    /// A private key's path, `~` expanded by the transport.
    pub key: Option<String>,
    /// Where the inventory names it.
    pub key_at: Option<Place>,
    /// `user@bastion:port`, or a chain with commas, as ProxyJump has it; `Some("none")` forbids one.
    pub jump: Option<String>,
    /// Extra known_hosts file instead of the user's own.
    pub known_hosts: Option<String>,
    /// Act as root by sudo.
    pub r#become: bool,
}

/// A piece of a file of the user's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    pub file: Arc<TextFile>,
    pub span: Span,
}

#[derive(Debug)]
pub struct Stage {
    pub name: String,
    /// Hosts of this stage in the order of the inventory.
    pub hosts: Vec<HostName>,
    /// Sizes of the waves, already resolved to counts that add up to `hosts.len()`. One entry: all at once.
    pub waves: Vec<usize>,
    /// The run goes on while no more hosts than this have failed.
    pub max_failures: MaxFailures,
    pub on_failure: OnFailure,
    /// Before each wave but the first.
    pub pause: Option<Pause>,
    /// Tasks as rendered for each host; the same number and order on each.
    pub tasks: BTreeMap<HostName, Vec<TaskSpec>>,
    pub handlers: BTreeMap<HostName, Vec<TaskSpec>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MaxFailures {
    Count(usize),
    /// Of the stage's hosts.
    Percent(u8),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pause {
    For(Duration),
    /// Until the operator says yes.
    Ask,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OnFailure {
    /// More failures than allowed end the run after the wave.
    #[default]
    Stop,
    /// Failed hosts are left behind; the others go on.
    Continue,
    /// As `Stop`; and what the run has switched goes back, on any host.
    Rollback,
    /// The same on the hosts of that wave; those before it stay.
    RollbackWave,
}

/// A task for one host.
#[derive(Clone, Debug)]
pub struct TaskSpec {
    pub name: String,
    pub kind: &'static str,
    /// `playbooks/site.toml:12`
    pub origin: Arc<str>,
    pub body: Body,
    /// False: skipped. `None` where it was decided before (true) or was not given.
    pub when: Option<Arc<dyn Condition>>,
    /// Decided already: `when` was false (why).
    pub skip: Option<String>,
    /// For one host of those that say the same: the first that can still be worked on when the stage begins.
    pub once: Option<Arc<str>>,
    /// Nothing to do where this exists.
    pub creates: Option<RemotePath>,
    /// Nothing to do where this shell line ends with 0.
    pub unless: Option<String>,
    /// `as`: the account that it acts as.
    pub user: Option<UserName>,
    /// Its result becomes a variable of later tasks: `stdout`, `stderr`, `code`, `changed`.
    pub register: Option<String>,
    /// Whether it changed something, judged by `result.stdout`, `result.stderr`, `result.code`.
    pub changed_when: Option<Arc<dyn Condition>>,
    pub notify: Vec<String>,
    pub timeout: Option<Duration>,
    pub retries: u32,
    /// Between tries.
    pub delay: Duration,
    /// Its command goes on when the link is lost.
    pub detached: bool,
}

impl TaskSpec {
    /// A task without any of the keys that every task may carry.
    pub fn new(kind: &'static str, origin: Arc<str>, body: Body) -> TaskSpec {
        TaskSpec {
            name: kind.to_owned(),
            kind,
            origin,
            body,
            when: None,
            skip: None,
            once: None,
            creates: None,
            unless: None,
            user: None,
            register: None,
            changed_when: None,
            notify: vec![],
            timeout: None,
            retries: 0,
            delay: Duration::ZERO,
            detached: false,
        }
    }
}

/// A task's own part.
#[derive(Clone)]
pub enum Body {
    Ready(Arc<dyn Task>),
    /// Mentions what only a run can know (`os.…`, a registered name): rendered when that is known.
    Late(Arc<dyn Late>),
}

impl fmt::Debug for Body {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Body::Ready(task) => task.fmt(f),
            Body::Late(_) => f.write_str("Late"),
        }
    }
}

pub trait Late: Send + Sync {
    /// Names of registered results that it mentions; `os` is always known.
    fn needs(&self) -> &[String];
    fn render(&self, live: &Live) -> Result<Arc<dyn Task>>;
}

pub trait Condition: Send + Sync + fmt::Debug {
    fn needs(&self) -> &[String];
    fn holds(&self, live: &Live) -> Result<bool>;
    /// As the user wrote it, for "skipped: …".
    fn text(&self) -> &str;
}

/// What becomes known while running. Put into variables as values; never rendered again.
#[derive(Clone, Debug, Default)]
pub struct Live {
    pub os: HostFacts,
    pub registered: BTreeMap<String, Registered>,
    /// The result of the task itself, for `changed_when`.
    pub result: Option<Registered>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct Registered {
    pub stdout: String,
    pub stderr: String,
    pub code: i32,
    pub changed: bool,
    pub skipped: bool,
    /// How many bytes of `stdout` and `stderr` there were, where not all of them are kept; else 0.
    #[serde(skip)]
    pub cut: [u64; 2],
}

impl MaxFailures {
    pub fn count(self, hosts: usize) -> usize {
        match self {
            MaxFailures::Count(count) => count,
            MaxFailures::Percent(percent) => hosts * usize::from(percent) / 100,
        }
    }
}
