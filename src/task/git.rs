//! `git`: a checkout at a branch, tag or commit. The scripts and the parser of their answers are in [`script`].

mod script;

use serde::Deserialize;

use crate::task::common::none_if_empty;
use crate::task::need::{Need, Sort};
use crate::task::{Inputs, Mistake, Task};
use crate::words::action::{Action, Command};
use crate::words::error::{Error, Result};
use crate::words::fact::{Facts, Probe};
use crate::words::names::RemotePath;
use crate::words::step::{Change, Step};

/// Clones a repository, or brings a clone to a branch, tag or commit.
///
/// The checkout is a detached one at exactly the commit that the plan named; commits made on the host are not
/// lost, their branch stays. Files that git does not know are left alone. `tow plan` asks the remote where the
/// branch or tag is (`git ls-remote`); with a full commit id it need not.
///
/// Git refuses to work as root in a folder of another user, rightly: set `as` on the task to that user.
///
/// ```toml
/// git = { repo = "https://github.com/me/shop.git", dest = "/srv/shop/src", ref = "v1.4.2" }
/// git = { repo = "git@github.com:me/shop.git", dest = "/srv/shop/src", ref = "main", key = "{{secrets.deploy_key}}" }
/// ```
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Git {
    /// Where it comes from: `https://…`, `ssh://…`, `git@host:path`, or a path on the host.
    repo: String,
    /// The folder of the checkout.
    dest: RemotePath,
    /// A branch, a tag or a commit (40 digits, or at least 7); the remote's own HEAD when not given.
    #[serde(rename = "ref")]
    reference: Option<String>,
    /// A deploy key, without passphrase: the text of the private key (from a secret), or a path on the operator's
    /// machine. It is handed to an ssh-agent that lives as long as the command; it is never in a file on the host.
    /// `""` is none.
    #[serde(default, deserialize_with = "none_if_empty")]
    key: Option<String>,
    /// An access token for `https://`. Given to git by a credential helper for that one server; never an argument.
    token: Option<String>,
    /// The user name that goes with the token (default `"x-access-token"`, which GitHub, GitLab and Gitea take).
    #[serde(default = "token_user")]
    token_user: String,
    /// Lines of a known_hosts file for the server: only these keys are accepted. When not given: what the host
    /// knows already, and an unknown server is trusted the first time. (Needs OpenSSH 8.5 on the host.)
    known_hosts: Option<String>,
    /// So many commits of history only.
    depth: Option<u32>,
    /// Submodules too, and theirs.
    #[serde(default)]
    submodules: bool,
    /// Throws away changes that somebody made to tracked files, instead of refusing.
    #[serde(default)]
    force: bool,
    #[serde(skip)]
    key_text: Option<String>,
}

fn token_user() -> String {
    "x-access-token".to_owned()
}

/// What a host says about the checkout and its remote.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Checkout {
    has_git: bool,
    has_agent: bool,
    place: Place,
    /// The commit checked out.
    head: Option<String>,
    origin: Option<String>,
    /// Tracked files that differ, as `git status --porcelain` has it; the first few.
    dirty: Vec<String>,
    /// Submodules that are not where the commit wants them.
    submodules_off: bool,
    /// What `ref` means on the host itself; for short commit ids.
    local: Option<String>,
    /// What git said when it would not look at the checkout.
    refused: Vec<String>,
    remote: Remote,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Place {
    #[default]
    Absent,
    /// A folder, with something in it that is not a checkout.
    Foreign,
    Checkout,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) enum Remote {
    /// There was no need.
    #[default]
    NotAsked,
    /// Reached; the refs that match, and their commits.
    Refs(Vec<(String, String)>),
    Failed(Vec<String>),
}

impl Git {
    fn full_commit(&self) -> Option<&str> {
        self.reference.as_deref().filter(|text| text.len() == 40 && is_hex(text))
    }
    fn short_commit(&self) -> Option<&str> {
        self.reference.as_deref().filter(|text| (7..40).contains(&text.len()) && is_hex(text))
    }
    fn probe(&self) -> Probe {
        Probe::Shell { script: script::probe(self), user: None }
    }

    /// The commit to be at; `None` for a short id that only a fetch can resolve.
    fn target(&self, checkout: &Checkout) -> Result<Option<String>> {
        if let Some(commit) = self.full_commit() {
            return Ok(Some(commit.to_ascii_lowercase()));
        }
        let refs = match &checkout.remote {
            Remote::Refs(refs) => refs,
            Remote::NotAsked => return Ok(checkout.local.clone()),
            Remote::Failed(output) => return Err(self.unreachable(output)),
        };
        let wanted = self.reference.as_deref().unwrap_or("HEAD");
        // A branch wins over a tag of the same name; `^{}` is the commit behind an annotated tag.
        let names = [
            wanted.to_owned(),
            format!("refs/heads/{wanted}"),
            format!("refs/tags/{wanted}^{{}}"),
            format!("refs/tags/{wanted}"),
        ];
        let found = names.iter().find_map(|name| refs.iter().find(|(reference, _)| reference == name));
        match found {
            Some((_, commit)) => Ok(Some(commit.clone())),
            None if self.short_commit().is_some() => Ok(checkout.local.clone()),
            None => Err(Error::failed(format!("cannot check out {wanted} of {}", self.repo))
                .cause("the repository has no branch and no tag of that name")
                .hint("see what it has: git ls-remote --heads --tags, with its address")),
        }
    }

    fn unreachable(&self, output: &[String]) -> Error {
        let said = output.join("\n");
        let hint = if said.contains("Permission denied") || said.contains("Authentication failed") || said.contains("could not read Username") {
            "give a deploy key with `key`, or an access token with `token`"
        } else if said.contains("Host key verification failed") {
            "the server's key is not the known one: compare it, then correct `known_hosts`"
        } else if said.contains("incorrect passphrase") || said.contains("error in libcrypto") {
            "the deploy key must be a private key without a passphrase"
        } else {
            "try the same on the host: git ls-remote, with the address"
        };
        Error::failed(format!("cannot reach {}", self.repo))
            .cause(script::reason(output).unwrap_or("git ls-remote failed"))
            .hint(hint)
            .output(output.to_vec())
    }

    fn obstacle(&self, checkout: &Checkout, facts: &Facts) -> Option<Error> {
        let failed = || Error::failed(format!("cannot check out {} in {}", self.repo, self.dest));
        if !checkout.has_git {
            return Some(failed().cause("there is no git on this host").hint("install it first: package = \"git\""));
        }
        if self.key_text.is_some() && !checkout.has_agent {
            return Some(
                failed().cause("there is no ssh-agent on this host").hint("install it first: package = \"openssh-client\""),
            );
        }
        if !checkout.refused.is_empty() {
            let other = checkout.refused.iter().any(|line| line.contains("dubious ownership"));
            let hint = if other { "set `as` on the task to the user whom the folder belongs to" } else { "look at the folder by hand" };
            let cause = if other {
                format!("the folder belongs to another user than {}", facts.host.user)
            } else {
                checkout.refused.last().cloned().unwrap_or_default()
            };
            return Some(failed().cause(cause).hint(hint).output(checkout.refused.clone()));
        }
        match checkout.place {
            Place::Foreign => Some(
                failed()
                    .cause("something is there that is not a checkout")
                    .hint(format!("move it away: mv {0} {0}.old", self.dest)),
            ),
            Place::Checkout if !checkout.dirty.is_empty() && !self.force => Some(
                failed()
                    .cause("somebody changed files there")
                    .hint("save the changes, or set `force = true` to throw them away")
                    .output(checkout.dirty.clone()),
            ),
            _ => None,
        }
    }

    fn changes(&self, checkout: &Checkout, target: Option<&str>) -> Vec<String> {
        let name = match (&self.reference, target) {
            (Some(name), Some(commit)) if !commit.starts_with(name.as_str()) => format!("{name} ({})", short(commit)),
            (Some(name), _) => name.chars().take(12).collect(),
            (None, Some(commit)) => format!("HEAD ({})", short(commit)),
            (None, None) => "HEAD".to_owned(),
        };
        let Some(head) = &checkout.head else {
            return vec![format!("clone {} at {name} into {}", self.repo, self.dest)];
        };
        let mut what = vec![];
        if checkout.origin.as_deref() != Some(self.repo.as_str()) {
            let old = checkout.origin.as_deref().unwrap_or("none");
            what.push(format!("origin {old} → {}", self.repo));
        }
        if target != Some(head.as_str()) {
            what.push(format!("{}: {} → {name}", self.dest, short(head)));
        }
        if !checkout.dirty.is_empty() {
            what.push(format!("throw away changes to {} in {}", crate::words::plural::count(checkout.dirty.len(), "file"), self.dest));
        }
        if checkout.submodules_off {
            what.push("update the submodules".to_owned());
        }
        what
    }
}

fn is_hex(text: &str) -> bool {
    text.bytes().all(|b| b.is_ascii_hexdigit())
}

fn short(commit: &str) -> &str {
    commit.get(..12).unwrap_or(commit)
}

impl Task for Git {
    fn load(&mut self, inputs: &dyn Inputs) -> Result<(), Mistake> {
        let odd = |text: &str| text.is_empty() || text.starts_with('-') || text.chars().any(char::is_control);
        if odd(&self.repo) || self.repo.contains("::") {
            return Err(Mistake::new("repo", format!("{:?} is not the address of a repository", self.repo)));
        }
        let authority = self.repo.split_once("://").map(|(_, rest)| rest.split('/').next().unwrap_or_default());
        if authority.and_then(|a| a.split_once('@')).is_some_and(|(user, _)| user.contains(':')) {
            return Err(Mistake::new("repo", "the address holds a password, which would be seen in the list of processes")
                .hint("take it out of the address, and give it as `token`"));
        }
        if let Some(reference) = &self.reference {
            let bad = odd(reference) || reference.contains("..") || reference.contains([' ', '~', '^', ':', '?', '*', '[', '\\']);
            if bad {
                return Err(Mistake::new("ref", format!("{reference:?} is not a branch, tag or commit")));
            }
        }
        if self.token.is_some() && !self.repo.starts_with("https://") {
            return Err(Mistake::new("token", "a token goes with an address that begins with https://"));
        }
        if self.depth == Some(0) {
            return Err(Mistake::new("depth", "the least depth is 1"));
        }
        self.key_text = match &self.key {
            Some(text) if text.contains("PRIVATE KEY-----") => Some(text.clone()),
            Some(path) => {
                let bytes = inputs.read(path).map_err(|why| Mistake::new("key", why))?;
                let text = String::from_utf8(bytes).ok().filter(|text| text.contains("PRIVATE KEY-----"));
                Some(text.ok_or_else(|| Mistake::new("key", format!("{path} is not a private key")))?)
            }
            None => None,
        };
        Ok(())
    }

    fn needs(&self) -> Vec<Need> {
        let server = Need::server(&self.repo, "the repository");
        server.into_iter().chain([Need::place(self.dest.as_str(), Sort::Source)]).collect()
    }

    fn probes(&self) -> Vec<Probe> {
        vec![self.probe()]
    }

    fn plan(&self, facts: &Facts) -> Result<Step> {
        let checkout = script::parse(&facts.output(&self.probe())?.stdout);
        if let Some(error) = self.obstacle(&checkout, facts) {
            return Err(error);
        }
        let target = self.target(&checkout)?;
        let what = self.changes(&checkout, target.as_deref());
        if what.is_empty() {
            let at = short(checkout.head.as_deref().unwrap_or_default());
            let name = self.reference.as_deref().filter(|_| self.full_commit().or(self.short_commit()).is_none());
            return Ok(Step::already(match name {
                Some(name) => format!("{} is at {name} ({at})", self.dest),
                None => format!("{} is at {at}", self.dest),
            }));
        }
        let command = Command::shell(script::update(self, target.as_deref()));
        let label = format!("git checkout of {} in {}", self.repo, self.dest);
        let command = script::environment(self).into_iter().fold(command.label(label), |c, (k, v)| c.env(k, v));
        Ok(Step::effects(Change { what, ..Change::default() }.action(Action::Run(command))))
    }
}
