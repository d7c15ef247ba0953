//! Actions: the things a plan does on a host, as data. `transport::runner` turns them into shell.

use std::time::Duration;

use crate::words::content::Content;
use crate::words::names::{FileMode, RemotePath, UserName};

/// Owner and group to give; `None` leaves what the acting user's files get.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Owner {
    pub user: Option<UserName>,
    pub group: Option<UserName>,
}

impl Owner {
    pub fn is_none(&self) -> bool {
        self.user.is_none() && self.group.is_none()
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// `mkdir`, then mode and owner. Parents must exist.
    MakeDir { path: RemotePath, mode: Option<FileMode>, owner: Owner },
    /// Atomic: a temporary name in the same folder, owner and mode set, fsync, rename.
    /// `mode: None` keeps the mode of the file replaced (0644 for a new one).
    Install { path: RemotePath, content: Content, mode: Option<FileMode>, owner: Owner },
    /// Atomic replacement of whatever link is there.
    Link { path: RemotePath, target: String },
    /// Mode and owner of what exists; never follows a link.
    SetAttributes { path: RemotePath, mode: Option<FileMode>, owner: Owner },
    /// `rm -f`, or `rm -rf` when recursive.
    Remove { path: RemotePath, recursive: bool },
    /// A process of its own group, its output streamed.
    Run(Command),
}

/// A program to run. Nothing secret is ever in its argv: `env` and `stdin` travel on stdin of the shell.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Command {
    pub program: Program,
    /// The account that it runs as, when not the acting one.
    pub user: Option<UserName>,
    pub cwd: Option<RemotePath>,
    pub env: Vec<(String, String)>,
    pub stdin: Option<Content>,
    /// Exit codes that are not a failure.
    pub ok_codes: Vec<i32>,
    /// Killed with its whole group after this long (the engine's default when `None`).
    pub timeout: Option<Duration>,
    /// What errors call it, when the command line itself says less.
    pub label: Option<String>,
    pub detached: Detached,
}

/// Whether a command goes on when the link is lost. That takes systemd on the host, and root.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Detached {
    /// It is a child of the connection's shell.
    #[default]
    No,
    /// It goes on; whoever asks for the same while it runs waits for that one. Once it has ended, what it did can be
    /// seen on the host.
    WhileItRuns,
    /// And when it has ended well and nobody has heard of it, whoever asks for the same hears of that one.
    UntilHeard,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Program {
    Argv(Vec<String>),
    /// Lines for `/bin/sh`.
    Shell(String),
    /// A script that is fed to this interpreter's stdin.
    Script {
        interpreter: Vec<String>,
        args: Vec<String>,
        content: Content,
    },
}

impl Command {
    pub fn new(program: impl Into<String>) -> Command {
        Command::from(Program::Argv(vec![program.into()]))
    }
    pub fn shell(script: impl Into<String>) -> Command {
        Command::from(Program::Shell(script.into()))
    }
    #[must_use]
    pub fn args<I, S>(mut self, args: I) -> Command
    where
        I: IntoIterator<Item = S>,
        S: Into<String>,
    {
        if let Program::Argv(argv) = &mut self.program {
            argv.extend(args.into_iter().map(Into::into));
        }
        self
    }
    #[must_use]
    pub fn user(mut self, user: Option<UserName>) -> Command {
        self.user = user;
        self
    }
    #[must_use]
    pub fn cwd(mut self, cwd: Option<RemotePath>) -> Command {
        self.cwd = cwd;
        self
    }
    #[must_use]
    pub fn env(mut self, name: impl Into<String>, value: impl Into<String>) -> Command {
        self.env.push((name.into(), value.into()));
        self
    }
    #[must_use]
    pub fn label(mut self, label: impl Into<String>) -> Command {
        self.label = Some(label.into());
        self
    }
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Command {
        self.timeout = Some(timeout);
        self
    }
    #[must_use]
    pub fn detached(mut self, detached: Detached) -> Command {
        self.detached = detached;
        self
    }

    /// Its script and its stdin, where they travel as files.
    pub fn contents(&self) -> Vec<&Content> {
        let script = match &self.program {
            Program::Script { content, .. } => Some(content),
            _ => None,
        };
        script.into_iter().chain(&self.stdin).collect()
    }

    /// The command as a person would type it; without environment and stdin, which may be secret.
    pub fn display(&self) -> String {
        match (&self.label, &self.program) {
            (Some(label), _) => label.clone(),
            (None, Program::Argv(argv)) => crate::words::shell::join(argv),
            (None, Program::Shell(script)) => script.trim().to_owned(),
            (None, Program::Script { interpreter, .. }) => {
                format!("{} (script)", crate::words::shell::join(interpreter))
            }
        }
    }
}

impl From<Program> for Command {
    fn from(program: Program) -> Command {
        Command {
            program,
            user: None,
            cwd: None,
            env: vec![],
            stdin: None,
            ok_codes: vec![0],
            timeout: None,
            label: None,
            detached: Detached::No,
        }
    }
}

impl Action {
    /// What errors and `--verbose` call it.
    pub fn display(&self) -> String {
        match self {
            Action::MakeDir { path, .. } => format!("make the folder {path}"),
            Action::Install { path, .. } => format!("write {path}"),
            Action::Link { path, target } => format!("link {path} to {target}"),
            Action::SetAttributes { path, .. } => format!("set mode and owner of {path}"),
            Action::Remove { path, .. } => format!("remove {path}"),
            Action::Run(command) => command.display(),
        }
    }
    /// The content that must be on the host before this action runs.
    pub fn contents(&self) -> Vec<&Content> {
        match self {
            Action::Install { content, .. } => vec![content],
            Action::Run(command) => command.contents(),
            _ => vec![],
        }
    }
}
