//! `user`: an account of the host.

use serde::Deserialize;

use crate::task::need::Need;
use crate::task::{Inputs, Mistake, Task};
use crate::words::action::{Action, Command};
use crate::words::error::{Error, Result};
use crate::words::fact::{Fact, Facts, Probe, UserFact};
use crate::words::names::{RemotePath, UserName};
use crate::words::step::{Change, Step};

/// Makes an account, brings its properties in line, or removes it. What is not said stays as it is.
///
/// ```toml
/// user = "shop"
/// user = { name = "shop", system = true, home = "/srv/shop", shell = "/usr/sbin/nologin", groups = ["www-data"] }
/// ```
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct User {
    /// The account's name.
    name: UserName,
    /// Its home folder. An account that exists is told its new home; the files stay where they are.
    home: Option<RemotePath>,
    /// Its login shell.
    shell: Option<RemotePath>,
    /// Its primary group, which must exist; else a new group of the account's name.
    group: Option<UserName>,
    /// Groups that it shall be a member of, besides those that it is in already. They must exist.
    groups: Option<Vec<UserName>>,
    /// A new account gets a number from the range of services, and no home folder is made for it.
    #[serde(default)]
    system: bool,
    /// The full name, or what the account is for.
    comment: Option<String>,
    /// Removes the account. Its home folder stays.
    #[serde(default)]
    absent: bool,
}

impl User {
    fn groups(&self) -> &[UserName] {
        self.groups.as_deref().unwrap_or_default()
    }

    fn create(&self) -> Step {
        let mut command = Command::new("useradd");
        if self.system {
            command = command.args(["--system", "--no-create-home"]);
        } else {
            command = command.args(["--create-home"]);
        }
        command = command.args(self.options());
        if !self.groups().is_empty() {
            command = command.args(["--groups".to_owned(), self.listed()]);
        }
        let change = Change::default().what(format!("add the account {}", self.name));
        // Its number, and who owns files that have that number already, only the host knows.
        Step::effects(change.action(self.named(command)))
    }

    fn listed(&self) -> String {
        self.groups().iter().map(UserName::as_str).collect::<Vec<_>>().join(",")
    }

    /// The options that `useradd` and `usermod` have in common.
    fn options(&self) -> Vec<String> {
        let option = |name: &str, value: Option<String>| value.map(|value| [name.to_owned(), value]);
        [
            option("--home-dir", self.home.as_ref().map(ToString::to_string)),
            option("--shell", self.shell.as_ref().map(ToString::to_string)),
            option("--gid", self.group.as_ref().map(ToString::to_string)),
            option("--comment", self.comment.clone()),
        ]
        .into_iter()
        .flatten()
        .flatten()
        .collect()
    }

    fn named(&self, command: Command) -> Action {
        Action::Run(command.args(["--", self.name.as_str()]))
    }

    fn adjust(&self, user: &UserFact) -> Step {
        let (mut command, mut what, mut after) = (Command::new("usermod"), vec![], user.clone());
        let texts = [
            ("home", "--home", self.home.as_ref().map(ToString::to_string), &mut after.home),
            ("shell", "--shell", self.shell.as_ref().map(ToString::to_string), &mut after.shell),
            ("comment", "--comment", self.comment.clone(), &mut after.comment),
        ];
        for (name, option, wanted, has) in texts {
            let Some(wanted) = wanted.filter(|wanted| wanted != has) else { continue };
            what.push(format!("{name} {} → {wanted}", or_none(has)));
            command = command.args([option, &wanted]);
            *has = wanted;
        }
        let primary = user.groups.first().cloned().unwrap_or_default();
        let other_group = self.group.as_ref().filter(|group| group.as_str() != primary);
        if let Some(group) = other_group {
            what.push(format!("primary group {} → {group}", or_none(&primary)));
            command = command.args(["--gid", group.as_str()]);
        }
        let joined: Vec<&str> =
            self.groups().iter().map(UserName::as_str).filter(|name| !user.groups.iter().any(|has| has == name)).collect();
        if !joined.is_empty() {
            what.push(format!("member of {}", joined.join(", ")));
            command = command.args(["--append", "--groups", &joined.join(",")]);
            after.groups.extend(joined.iter().map(ToString::to_string));
        }
        if what.is_empty() {
            return Step::already(format!("the account {} exists", self.name));
        }
        let change = Change { what, ..Change::default() }.action(self.named(command));
        if other_group.is_some() {
            // The number of the group, and which files follow the account into it, only the host knows.
            return Step::effects(change);
        }
        Step::Change(change.predict(Probe::User(self.name.clone()), Fact::User(Some(after))))
    }

    fn remove(&self) -> Step {
        let change = Change::default().what(format!("remove the account {}", self.name));
        // Its files then belong to a number, and its group goes with it or stays: only the host knows.
        Step::effects(change.action(self.named(Command::new("userdel"))))
    }
}

fn or_none(text: &str) -> &str {
    if text.is_empty() { "(none)" } else { text }
}

impl Task for User {
    fn load(&mut self, _inputs: &dyn Inputs) -> Result<(), Mistake> {
        if self.comment.as_ref().is_some_and(|text| text.contains([':', '\n', '\r'])) {
            return Err(Mistake::new("comment", "a comment must not contain `:` or a line break")
                .hint("it becomes a field of /etc/passwd"));
        }
        let said = self.home.is_some() || self.shell.is_some() || self.group.is_some() || self.groups.is_some();
        if self.absent && (said || self.system || self.comment.is_some()) {
            return Err(Mistake::new("absent", "an account that is removed has no properties")
                .hint("leave out everything but `name` and `absent`"));
        }
        if self.absent && self.name.as_str() == "root" {
            return Err(Mistake::new("name", "root is never removed"));
        }
        Ok(())
    }

    fn needs(&self) -> Vec<Need> {
        let account = (!self.absent).then(|| Need::Account(self.name.to_string()));
        [Need::Root].into_iter().chain(account).collect()
    }

    fn probes(&self) -> Vec<Probe> {
        vec![Probe::User(self.name.clone())]
    }

    fn plan(&self, facts: &Facts) -> Result<Step> {
        let step = match facts.user(&self.name)? {
            None if self.absent => return Ok(Step::already(format!("there is no account {}", self.name))),
            None => self.create(),
            Some(_) if self.absent => self.remove(),
            Some(user) => self.adjust(user),
        };
        let failed = |cause: &str| Error::failed(format!("cannot change the account {}", self.name)).cause(cause);
        match step.change() {
            Some(_) if facts.host.kernel == "Darwin" => Err(failed("macOS keeps its accounts elsewhere")
                .hint("add the account in System Settings, or use `command` with dscl")),
            Some(_) if facts.host.user != "root" => {
                Err(failed(&format!("{} may not", facts.host.user)).hint("set `become = true` on the host"))
            }
            _ => Ok(step),
        }
    }
}
