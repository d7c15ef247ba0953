//! Actions and predictions as the lines that cases compare. `-` stands for "not said".

use std::collections::BTreeMap;
use std::fmt::Write as _;

use towline::words::action::{Action, Command, Owner, Program};
use towline::words::content::Content;
use towline::words::fact::{Fact, NodeKind, PathFact, Probe, Stat, TreeFact};
use towline::words::names::FileMode;
use towline::words::shell;

/// - `mkdir /srv/app 0755 app:app`
/// - `install /etc/motd 0644 root:-`
/// - `link /etc/x -> /etc/y`
/// - `set /etc/motd 0600 -:-`
/// - `remove /etc/motd`, `remove -r /srv/old`
/// - `run useradd --system -- app`, `run sh: a && b`, `run script: /bin/sh -s -- x`; then, where given,
///   ` as app`, ` in /srv`, ` with A=1 B=2`, ` reading "text"`, ` or 3` (other good codes), ` within 30s`
pub fn action(action: &Action) -> String {
    match action {
        Action::MakeDir { path, mode, owner } => format!("mkdir {path} {}", attributes(*mode, owner)),
        Action::Install { path, mode, owner, .. } => format!("install {path} {}", attributes(*mode, owner)),
        Action::Link { path, target } => format!("link {path} -> {target}"),
        Action::SetAttributes { path, mode, owner } => format!("set {path} {}", attributes(*mode, owner)),
        Action::Remove { path, recursive: true } => format!("remove -r {path}"),
        Action::Remove { path, recursive: false } => format!("remove {path}"),
        Action::Run(run) => format!("run {}", command(run)),
    }
}

fn attributes(mode: Option<FileMode>, owner: &Owner) -> String {
    let or_none = |text: Option<String>| text.unwrap_or_else(|| "-".into());
    let name = |name: &Option<_>| or_none(name.as_ref().map(ToString::to_string));
    format!("{} {}:{}", or_none(mode.map(|mode| mode.to_string())), name(&owner.user), name(&owner.group))
}

fn command(run: &Command) -> String {
    let mut line = match &run.program {
        Program::Argv(argv) => shell::join(argv),
        Program::Shell(script) => format!("sh: {script}"),
        Program::Script { interpreter, args, .. } => {
            format!("script: {}", shell::join(interpreter.iter().chain(args)))
        }
    };
    if let Some(user) = &run.user {
        let _ = write!(line, " as {user}");
    }
    if let Some(cwd) = &run.cwd {
        let _ = write!(line, " in {cwd}");
    }
    if !run.env.is_empty() {
        let pairs: Vec<String> = run.env.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let _ = write!(line, " with {}", pairs.join(" "));
    }
    let script = match &run.program {
        Program::Script { content, .. } => Some(content),
        _ => None,
    };
    for content in script.into_iter().chain(&run.stdin) {
        let _ = write!(line, " reading {:?}", text(content));
    }
    for code in run.ok_codes.iter().filter(|code| **code != 0) {
        let _ = write!(line, " or {code}");
    }
    if let Some(timeout) = run.timeout {
        let _ = write!(line, " within {timeout:?}");
    }
    line
}

fn text(content: &Content) -> String {
    String::from_utf8_lossy(content.as_bytes().unwrap_or(b"(not in memory)")).into_owned()
}

/// What the installs among these actions write, by path.
pub fn contents(actions: &[Action]) -> BTreeMap<String, String> {
    let installs = actions.iter().filter_map(|action| match action {
        Action::Install { path, content, .. } => Some((path.to_string(), text(content))),
        _ => None,
    });
    installs.collect()
}

/// - `path /etc/motd = file 0644 root:root 5 bytes`, `= dir …`, `= link to /x`, `= absent`
/// - `digest /etc/motd = 2cf24dba5fb0`, `content /etc/motd = "hi\n"`, both `= none`
/// - `tree /srv = a (file), b (dir)`, `= absent`
/// - `user app = 1001:1001 /home/app /bin/sh`, `= absent`
/// - `shell test -e /x = 0 "stdout"`
pub fn prediction(probe: &Probe, fact: &Fact) -> String {
    let question = match probe {
        Probe::Path(path) => format!("path {path}"),
        Probe::Digest(path) => format!("digest {path}"),
        Probe::Content(path) => format!("content {path}"),
        Probe::Tree(path) => format!("tree {path}"),
        Probe::User(name) => format!("user {name}"),
        Probe::Shell { script, .. } => format!("shell {script}"),
    };
    let answer = match fact {
        Fact::Path(PathFact::Absent) | Fact::Tree(None) | Fact::User(None) => "absent".into(),
        Fact::Path(PathFact::Denied) => "denied".into(),
        Fact::Path(PathFact::Present(stat)) => node(stat),
        Fact::Digest(None) | Fact::Content(None) => "none".into(),
        Fact::Digest(Some(digest)) => digest.short().to_owned(),
        Fact::Content(Some(bytes)) => format!("{:?}", String::from_utf8_lossy(bytes)),
        Fact::Tree(Some(entries)) => tree(entries),
        Fact::User(Some(user)) => format!("{}:{} {} {}", user.uid, user.gid, user.home, user.shell),
        Fact::Output(output) => format!("{} {:?}", output.code, output.stdout),
    };
    format!("{question} = {answer}")
}

fn node(stat: &Stat) -> String {
    let attributes = format!("{} {}:{}", stat.mode, stat.owner, stat.group);
    match &stat.node {
        NodeKind::File => format!("file {attributes} {} bytes", stat.size),
        NodeKind::Dir => format!("dir {attributes}"),
        NodeKind::Link { target } => format!("link to {target}"),
        NodeKind::Other => format!("other {attributes}"),
    }
}

fn tree(entries: &BTreeMap<String, TreeFact>) -> String {
    let entries = entries.iter().map(|(path, entry)| match entry {
        TreeFact::Dir => format!("{path} (dir)"),
        TreeFact::File { executable: true, .. } => format!("{path} (executable)"),
        TreeFact::File { .. } => format!("{path} (file)"),
        TreeFact::Link { target } => format!("{path} (link to {target})"),
    });
    entries.collect::<Vec<_>>().join(", ")
}
