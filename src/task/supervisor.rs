//! `supervisor`: a program under a Supervisor of the user's own, without root; for a laptop.

mod files;

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::task::seconds::Span;
use crate::task::{Inputs, Mistake, Task};
use crate::words::action::{Action, Command, Owner};
use crate::words::content::Content;
use crate::words::error::{Error, Result};
use crate::words::fact::{Facts, Probe};
use crate::words::names::{FileMode, RemotePath};
use crate::words::shell::quote;
use crate::words::step::{Change, Diff, Step};

/// Runs a program under a Supervisor that belongs to the acting user: no root, no open port. Supervisor itself comes
/// from PyPI (a task of kind `pip` with `packages = "supervisor"`). A program whose configuration changed is started
/// again (there is a brief gap). It has to be up during the whole settle time; else the task fails with the end of its
/// log. Programs come back after a crash, but not after a reboot.
///
/// ```toml
/// supervisor = { root = "/home/me/run", program = "web", command = ["/home/me/shop/venv/bin/gunicorn", "wsgi:app"], bin = "/home/me/shop/venv/bin" }
/// ```
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Supervisor {
    /// The folder of this Supervisor: configuration, logs, process id and socket. Several programs may share it.
    root: RemotePath,
    /// The name of the program.
    program: String,
    /// What runs: an array (a program and its arguments), or a line for `/bin/sh`. It must stay in the foreground.
    /// Not needed to restart or stop a program that another task describes.
    command: Option<files::Line>,
    /// The folder that it starts in.
    directory: Option<RemotePath>,
    /// Variables that are added to its environment; any text will do.
    #[serde(default)]
    environment: BTreeMap<String, String>,
    /// The folder with `supervisord` and `supervisorctl`, such as `/home/me/app/venv/bin`; PATH when not given.
    bin: Option<RemotePath>,
    /// Where its output goes (default `log/<program>.log` in `root`); rotated at 10 MB.
    stdout_logfile: Option<RemotePath>,
    /// It counts as started when it has run so many seconds (default 1).
    #[serde(default = "one")]
    startsecs: u32,
    /// So many seconds from the stop signal to SIGKILL (default 35, more than gunicorn's graceful timeout).
    #[serde(default = "thirty_five")]
    stopwaitsecs: u32,
    /// The signal that ends it (default `"TERM"`).
    #[serde(default = "term")]
    stopsignal: String,
    /// `"started"` (default), `"restarted"` (acts every time, which suits handlers) or `"stopped"`.
    #[serde(default)]
    state: State,
    /// How long it has to stay up (default `"2s"`).
    #[serde(default = "two_seconds")]
    settle: Span,
    #[serde(skip)]
    secret: bool,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum State {
    #[default]
    Started,
    Restarted,
    Stopped,
}

fn one() -> u32 {
    1
}
fn thirty_five() -> u32 {
    35
}
fn term() -> String {
    "TERM".to_owned()
}
fn two_seconds() -> Span {
    Span::seconds(2)
}

/// A file that Supervisor reads.
struct Wanted {
    path: RemotePath,
    text: String,
    mode: FileMode,
    secret: bool,
}

impl Supervisor {
    fn at(&self, name: &str) -> Result<RemotePath> {
        self.root.join(name).map_err(|why| Error::config("the folder of the Supervisor").cause(why))
    }
    fn log(&self) -> String {
        let own = || format!("{}/log/{}.log", self.root, self.program);
        self.stdout_logfile.as_ref().map_or_else(own, ToString::to_string)
    }
    /// With the slash at its end, or empty for PATH.
    fn bin(&self) -> String {
        self.bin.as_ref().map_or_else(String::new, |bin| format!("{}/", bin.as_str().trim_end_matches('/')))
    }

    /// The configuration of Supervisor, then the program's two files; none without a command.
    fn wanted(&self) -> Result<Vec<Wanted>> {
        let Some(command) = &self.command else { return Ok(vec![]) };
        let command = command.in_place();
        let section = files::Section {
            root: &self.root,
            program: &self.program,
            log: &self.log(),
            startsecs: self.startsecs,
            stopwaitsecs: self.stopwaitsecs,
            stopsignal: &self.stopsignal,
        };
        let file = |name: &str, text: String, mode: u32, secret: bool| {
            Ok::<Wanted, Error>(Wanted { path: self.at(name)?, text, mode: FileMode(mode), secret })
        };
        let start = files::start(&self.environment, self.directory.as_ref(), &command);
        Ok(vec![
            file("supervisord.conf", files::daemon(&self.root), 0o600, false)?,
            file(&format!("conf.d/{}.sh", self.program), start, 0o600, self.secret)?,
            file(&format!("conf.d/{}.conf", self.program), files::program(&section), 0o600, false)?,
        ])
    }

    /// Its folders and everything above them, topmost first.
    fn folders(&self) -> Result<Vec<RemotePath>> {
        if self.command.is_none() {
            return Ok(vec![]);
        }
        let mut folders: Vec<RemotePath> =
            std::iter::successors(Some(self.root.clone()), RemotePath::parent).collect();
        folders.retain(|path| path.as_str() != "/");
        folders.reverse();
        folders.extend([self.at("conf.d")?, self.at("log")?]);
        Ok(folders)
    }

    fn probe(&self) -> Probe {
        let script = format!(
            "bin={} root={} program={}\n\
             command -v \"${{bin}}supervisord\" >/dev/null 2>&1 && command -v \"${{bin}}supervisorctl\" >/dev/null 2>&1 || {{ echo no-supervisor; exit 0; }}\n\
             [ -e \"$root/supervisord.conf\" ] || {{ echo no-configuration; exit 0; }}\n\
             PYTHONDONTWRITEBYTECODE=1 \"${{bin}}supervisorctl\" -c \"$root/supervisord.conf\" status \"$program\" 2>&1 | tail -n 1 | sed 's/  *pid .*//'\n",
            quote(&self.bin()),
            quote(self.root.as_str()),
            quote(&self.program),
        );
        Probe::Shell { script, user: None }
    }

    fn script(&self, action: &str, renew: bool) -> String {
        let polls = self.settle.0.as_millis().div_ceil(500);
        // Three tries with growing pauses between them, before Supervisor gives up.
        let patience = 2 * (4 * u64::from(self.startsecs) + 20);
        let words = [
            ("bin", self.bin()),
            ("root", self.root.to_string()),
            ("program", self.program.clone()),
            ("log", self.log()),
            ("socket_dir", files::socket_folder(&self.root).unwrap_or_default()),
            ("action", action.to_owned()),
            ("renew", if renew { "yes" } else { "no" }.to_owned()),
            ("patience", patience.to_string()),
            ("polls", polls.to_string()),
        ];
        let words = words.map(|(name, value)| format!("{name}={}", quote(&value)));
        format!("{}\n{}", words.join(" "), include_str!("supervisor/act.sh"))
    }

    fn failed(&self) -> Error {
        let verb = match self.state {
            State::Started => "start",
            State::Restarted => "restart",
            State::Stopped => "stop",
        };
        Error::failed(format!("cannot {verb} {} under Supervisor in {}", self.program, self.root))
    }

    fn obstacle(&self, status: &str) -> Result<()> {
        if status == "no-supervisor" {
            let place = self.bin.as_ref().map_or("PATH", RemotePath::as_str);
            return Err(self.failed().cause(format!("there is no supervisord in {place}")).hint(
                "install it first: pip = { venv = \"…\", packages = \"supervisor\" }, and give that environment's `bin`",
            ));
        }
        if self.command.is_none() && self.state == State::Restarted && status == "no-configuration" {
            return Err(self
                .failed()
                .cause("no Supervisor is set up there")
                .hint("describe the program with `command` in this task, or in one that runs before"));
        }
        Ok(())
    }

    /// Folders and files that have to be written first; and which files those are.
    fn configuration(&self, facts: &Facts) -> Result<(Change, Vec<RemotePath>)> {
        let mut change = Change::default();
        for path in self.folders()? {
            if facts.path(&path)?.is_none() {
                let private = path.as_str().starts_with(self.root.as_str());
                let mode = Some(FileMode(if private { 0o700 } else { 0o755 }));
                change = change
                    .what(format!("make the folder {path}"))
                    .action(Action::MakeDir { path, mode, owner: Owner::default() });
            }
        }
        let mut written = vec![];
        for Wanted { path, text, mode, secret } in self.wanted()? {
            let content = Content::text(text);
            let stat = facts.path(&path)?;
            let same = stat.is_some() && facts.digest(&path)? == Some(content.digest());
            if same && stat.is_some_and(|stat| stat.mode == mode) {
                continue;
            }
            change = match stat {
                Some(stat) if same => change.what(format!("{path}: mode {} → {mode}", stat.mode)),
                Some(_) => change.what(format!("rewrite {path}")),
                None => change.what(format!("write {path}")),
            };
            if !same {
                change.diffs.push(Diff { path: path.clone(), new: Some(content.clone()), secret });
                written.push(path.clone());
            }
            change = change.action(Action::Install { path, content, mode: Some(mode), owner: Owner::default() });
        }
        Ok((change, written))
    }
}

impl Task for Supervisor {
    fn load(&mut self, inputs: &dyn Inputs) -> Result<(), Mistake> {
        let word = |text: &str, more: &str| !text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric() || more.contains(c));
        if !word(&self.program, "_-") || self.program.starts_with('-') {
            return Err(Mistake::new("program", format!("{:?} is not the name of a program", self.program))
                .hint("use letters, digits, `-` and `_`"));
        }
        if !word(&self.stopsignal, "") {
            return Err(Mistake::new("stopsignal", format!("{:?} is not a signal, such as \"TERM\"", self.stopsignal)));
        }
        let paths = [("root", Some(&self.root)), ("stdout_logfile", self.stdout_logfile.as_ref())];
        for (field, path) in paths {
            // Supervisor takes what follows for a comment.
            if path.is_some_and(|path| path.as_str().contains([';', '#', ' '])) {
                return Err(Mistake::new(field, "Supervisor knows no paths with blanks, `;` or `#`"));
            }
        }
        if let Some(name) = self.environment.keys().find(|name| !word(name, "_") || name.starts_with(|c: char| c.is_ascii_digit())) {
            return Err(Mistake::new("environment", format!("{name:?} is not the name of a variable")));
        }
        let needed = self.state == State::Started;
        let empty = self.command.as_ref().map_or(needed, files::Line::is_empty);
        if empty {
            return Err(Mistake::new("command", "nothing is said to run").hint("write for example command = [\"gunicorn\", \"app:app\"]"));
        }
        self.secret = self.environment.values().any(|value| inputs.is_secret(value));
        Ok(())
    }

    fn probes(&self) -> Vec<Probe> {
        let mut probes = vec![self.probe()];
        probes.extend(self.folders().unwrap_or_default().into_iter().map(Probe::Path));
        for file in self.wanted().unwrap_or_default() {
            probes.extend([Probe::Path(file.path.clone()), Probe::Digest(file.path)]);
        }
        probes
    }

    fn plan(&self, facts: &Facts) -> Result<Step> {
        let status = facts.output(&self.probe())?.stdout.trim();
        self.obstacle(status)?;
        let is_running = status.split_whitespace().nth(1) == Some("RUNNING");
        if self.state == State::Stopped {
            if !is_running && !status.contains("STARTING") && !status.contains("BACKOFF") {
                return Ok(Step::already(format!("{} is stopped", self.program)));
            }
            let command = Command::shell(self.script("stop", false)).label(format!("supervisorctl stop {}", self.program));
            return Ok(Step::effects(Change::default().what(format!("stop {}", self.program)).action(Action::Run(command))));
        }
        let (mut change, written) = self.configuration(facts)?;
        if is_running && change.is_empty() && self.state == State::Started {
            return Ok(Step::already(format!("{} is running", self.program)));
        }
        let renew = written.iter().any(|path| path.file_name() == "supervisord.conf") && status != "no-configuration";
        let restart = is_running && (!written.is_empty() || self.state == State::Restarted);
        let verb = if restart { "restart" } else { "start" };
        change.what.push(format!("{verb} {}", self.program));
        let command = Command::shell(self.script(verb, renew)).label(format!("supervisorctl {verb} {}", self.program));
        Ok(Step::effects(change.action(Action::Run(command))))
    }
}
