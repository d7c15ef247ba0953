//! Where a host really is and how to log in: the inventory first, then `ssh -G`, then ssh's defaults.
//! `ssh -G` is the only reader of ssh_config that agrees with ssh in everything, `Match` included.

use std::path::{Path, PathBuf};

use tokio::process::Command;

use crate::transport::ssh::known_hosts::Name;
use crate::words::error::{Error, Result};

/// What the inventory (or a ProxyJump) says; `None` is looked up.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Wanted {
    pub alias: String,
    pub user: Option<String>,
    pub port: Option<u16>,
    pub key: Option<String>,
    pub jump: Option<String>,
    pub known_hosts: Option<String>,
}

/// Everything that is needed to connect.
#[derive(Clone, Debug)]
pub struct Target {
    pub host: String,
    pub port: u16,
    pub user: String,
    pub lookup: Name,
    pub identities: Identities,
    /// Hops as ProxyJump has them, the nearest first.
    pub jump: Vec<String>,
    /// Instead of the user's own file.
    pub known_hosts: Option<Vec<PathBuf>>,
    /// What the inventory says for this host and therefore for the way to it.
    pub inherited: Inherited,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Inherited {
    pub key: Option<String>,
    pub known_hosts: Option<String>,
}

#[derive(Clone, Debug, Default)]
pub struct Identities {
    pub files: Vec<PathBuf>,
    /// Named by the inventory: then it is the only one, and it must be usable.
    pub explicit: bool,
    /// Offer nothing from the agent but these files' keys.
    pub only: bool,
    pub certificates: Vec<PathBuf>,
    /// The agent's socket; `None` where there is none, or none is to be used.
    pub agent: Option<PathBuf>,
}

/// The answer of `ssh -G`: keywords in lower case, in order, with their values.
#[derive(Clone, Debug, Default)]
pub struct Answers(Vec<(String, String)>);

impl Answers {
    pub fn parse(text: &str) -> Answers {
        let pairs = text.lines().filter_map(|line| line.split_once(' '));
        Answers(pairs.map(|(key, value)| (key.to_ascii_lowercase(), value.trim().to_owned())).collect())
    }
    fn all<'a>(&'a self, key: &'static str) -> impl Iterator<Item = &'a str> {
        self.0.iter().filter(move |(name, _)| name == key).map(|(_, value)| value.as_str())
    }
    fn one(&self, key: &'static str) -> Option<&str> {
        self.all(key).next()
    }
    /// A value that is neither absent nor `none`.
    fn some(&self, key: &'static str) -> Option<&str> {
        self.one(key).filter(|value| !value.eq_ignore_ascii_case("none"))
    }
}

/// Runs `ssh -G`. `Ok(None)` where no ssh is installed.
pub async fn ask_ssh(wanted: &Wanted) -> Result<Option<Answers>> {
    let mut command = Command::new("ssh");
    command.arg("-G").stdin(std::process::Stdio::null()).kill_on_drop(true);
    if let Some(user) = &wanted.user {
        command.args(["-l", user]);
    }
    if let Some(port) = wanted.port {
        command.args(["-p", &port.to_string()]);
    }
    let what = || format!("cannot look up {} in the ssh configuration", wanted.alias);
    match command.arg("--").arg(&wanted.alias).output().await {
        Ok(done) if done.status.success() => Ok(Some(Answers::parse(&String::from_utf8_lossy(&done.stdout)))),
        Ok(done) => Err(Error::config(what())
            .cause(String::from_utf8_lossy(&done.stderr).trim().replace('\n', "; "))
            .hint(format!("`ssh -G {}` shows it", wanted.alias))),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(Error::config(what()).cause(error)),
    }
}

/// Whether any ssh_config could change what the defaults say. 200 hosts × 6.5 ms are worth the look.
pub fn worth_asking(home: &Path) -> bool {
    home.join(".ssh/config").exists() || {
        let text = std::fs::read_to_string("/etc/ssh/ssh_config").unwrap_or_default();
        let extra = std::fs::read_dir("/etc/ssh/ssh_config.d")
            .is_ok_and(|mut entries| entries.any(|entry| entry.is_ok()));
        extra || !is_plain(&text)
    }
}

/// True for the configuration that distributions ship: it concerns nothing that we read.
fn is_plain(text: &str) -> bool {
    const HARMLESS: &[&str] =
        &["sendenv", "hashknownhosts", "gssapiauthentication", "include", "forwardx11trusted"];
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
    lines.into_iter().all(|line| {
        let mut words = line.split([' ', '\t', '=']).filter(|word| !word.is_empty());
        let keyword = words.next().unwrap_or_default().to_ascii_lowercase();
        if keyword == "host" { words.eq(["*"]) } else { HARMLESS.contains(&keyword.as_str()) }
    })
}

/// What stays the same for all hosts of a run.
#[derive(Clone, Debug)]
pub struct Operator {
    pub home: PathBuf,
    pub user: String,
    /// `SSH_AUTH_SOCK`; `None` also where the agent is not to be used.
    pub agent: Option<PathBuf>,
    pub use_agent: bool,
}

impl Operator {
    pub fn of_this_process(use_agent: bool, socket: Option<PathBuf>) -> Operator {
        let uid = nix::unistd::geteuid();
        let account = nix::unistd::User::from_uid(uid).ok().flatten();
        let home = std::env::home_dir().unwrap_or_else(|| "/".into());
        let user = account.map(|account| account.name).or_else(|| std::env::var("USER").ok());
        let named = || std::env::var_os("SSH_AUTH_SOCK").filter(|path| !path.is_empty()).map(PathBuf::from);
        let agent = if use_agent { socket.or_else(named) } else { None };
        Operator { home, user: user.unwrap_or_default(), agent, use_agent }
    }
}

pub fn target(wanted: &Wanted, answers: &Answers, operator: &Operator) -> Result<Target> {
    let host = answers.one("hostname").unwrap_or(&wanted.alias).to_owned();
    let port = wanted.port.or_else(|| answers.one("port").and_then(|port| port.parse().ok())).unwrap_or(22);
    let user = wanted.user.as_deref().or(answers.one("user")).unwrap_or(&operator.user).to_owned();
    if let (Some(command), None) = (answers.some("proxycommand"), &wanted.jump) {
        return Err(Error::config(format!("{host}: the ssh configuration wants a ProxyCommand"))
            .cause(command)
            .hint("name the way as ProxyJump there, or as `jump` in the inventory"));
    }
    let tokens = Tokens { operator, host: &host, user: &user, port };
    let identities = identities(wanted, answers, &tokens);
    let known_hosts = match &wanted.known_hosts {
        Some(file) => Some(vec![tokens.expand(file)]),
        None => configured_known_hosts(answers, &tokens),
    };
    let jump = match wanted.jump.as_deref().or(answers.one("proxyjump")) {
        None => vec![],
        Some(none) if none.is_empty() || none.eq_ignore_ascii_case("none") => vec![],
        Some(chain) => chain.split(',').map(|hop| hop.trim().to_owned()).collect(),
    };
    let lookup = answers.some("hostkeyalias").map_or_else(|| Name::new(&host, port), Name::alias);
    let inherited = Inherited { key: wanted.key.clone(), known_hosts: wanted.known_hosts.clone() };
    Ok(Target { host, port, user, lookup, identities, jump, known_hosts, inherited })
}

fn identities(wanted: &Wanted, answers: &Answers, tokens: &Tokens) -> Identities {
    let operator = tokens.operator;
    let agent = match answers.one("identityagent") {
        _ if !operator.use_agent => None,
        None | Some("SSH_AUTH_SOCK") => operator.agent.clone(),
        Some(none) if none.eq_ignore_ascii_case("none") => None,
        Some(variable) if variable.starts_with('$') => std::env::var_os(&variable[1..]).map(PathBuf::from),
        Some(path) => Some(tokens.expand(path)),
    };
    if let Some(key) = &wanted.key {
        let files = vec![tokens.expand(key)];
        return Identities { files, explicit: true, only: true, certificates: vec![], agent };
    }
    let mut files: Vec<PathBuf> =
        answers.all("identityfile").filter(|f| *f != "none").map(|f| tokens.expand(f)).collect();
    if answers.0.is_empty() {
        files = ["id_ed25519", "id_ecdsa", "id_rsa"].map(|name| operator.home.join(".ssh").join(name)).into();
    }
    let certificates = answers.all("certificatefile").map(|file| tokens.expand(file)).collect();
    let only = answers.one("identitiesonly") == Some("yes");
    Identities { files, explicit: false, only, certificates, agent }
}

/// `None` when it is ssh's default, which the caller's options stand for.
fn configured_known_hosts(answers: &Answers, tokens: &Tokens) -> Option<Vec<PathBuf>> {
    let value = answers.one("userknownhostsfile")?;
    let files: Vec<PathBuf> = value.split_whitespace().map(|file| tokens.expand(file)).collect();
    let own = nix::unistd::User::from_uid(nix::unistd::geteuid()).ok().flatten().map(|account| account.dir);
    let homes = [Some(tokens.operator.home.clone()), own];
    let is_default = homes.iter().flatten().any(|home| {
        files.iter().all(|file| {
            file.parent() == Some(&home.join(".ssh"))
                && file.file_name().is_some_and(|name| name == "known_hosts" || name == "known_hosts2")
        })
    });
    (!is_default).then_some(files)
}

struct Tokens<'a> {
    operator: &'a Operator,
    host: &'a str,
    user: &'a str,
    port: u16,
}

impl Tokens<'_> {
    /// `~`, and the tokens that `ssh -G` leaves for later.
    fn expand(&self, text: &str) -> PathBuf {
        let home = self.operator.home.to_string_lossy();
        let text = match text.strip_prefix("~/") {
            Some(rest) => format!("{home}/{rest}"),
            None => text.to_owned(),
        };
        let mut out = String::new();
        let mut characters = text.chars();
        while let Some(c) = characters.next() {
            match (c, if c == '%' { characters.next() } else { None }) {
                ('%', Some('d')) => out.push_str(&home),
                ('%', Some('u')) => out.push_str(&self.operator.user),
                ('%', Some('h')) => out.push_str(self.host),
                ('%', Some('r')) => out.push_str(self.user),
                ('%', Some('p')) => out.push_str(&self.port.to_string()),
                ('%', Some('%') | None) => out.push('%'),
                ('%', Some(other)) => out.extend(['%', other]),
                (c, _) => out.push(c),
            }
        }
        PathBuf::from(out)
    }
}

/// `user@host:port`, `ssh://user@host:port`, `[::1]:22`.
pub fn hop(text: &str) -> Result<Wanted> {
    let bad = || {
        Error::config(format!("{text:?} is not a jump host"))
            .hint("write `host`, `user@host`, `host:port` or `user@host:port`")
    };
    let text = text.strip_prefix("ssh://").unwrap_or(text);
    let (user, place) = match text.rsplit_once('@') {
        Some((user, place)) => (Some(user.to_owned()), place),
        None => (None, text),
    };
    let (host, port) = match place.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((host, "")) => (host, None),
        Some((host, port)) => (host, Some(port.strip_prefix(':').ok_or_else(bad)?)),
        None if place.matches(':').count() > 1 => (place, None),
        None => place.split_once(':').map_or((place, None), |(host, port)| (host, Some(port))),
    };
    let port = port.map(|port| port.parse::<u16>().map_err(|_| bad())).transpose()?;
    if host.is_empty() || host.starts_with('-') || user.as_deref().is_some_and(str::is_empty) {
        return Err(bad());
    }
    Ok(Wanted { alias: host.to_owned(), user, port, ..Wanted::default() })
}
