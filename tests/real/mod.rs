//! A small host of this machine's own: answers probes, and does what a step says, by the real shells and tools.

use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use towline::task::{self, Inputs, Task};
use towline::words::action::{Action, Program};
use towline::words::content::{Content, Digest, Files, TreeEntry};
use towline::words::error::Result;
use towline::words::fact::{self, Fact, Facts, HostFacts, NodeKind, PathFact, Probe, Stat};
use towline::words::names::{FileMode, RemotePath};
use towline::words::step::Step;

struct Disk;

impl Files for Disk {
    fn read(&self, path: &str) -> Result<Vec<u8>, String> {
        std::fs::read(path).map_err(|error| error.to_string())
    }
    fn content(&self, path: &str) -> Result<Content, String> {
        self.read(path).map(Content::bytes)
    }
    fn tree(&self, _path: &str) -> Result<Vec<TreeEntry>, String> {
        Err("no kind here needs trees".into())
    }
}

impl Inputs for Disk {
    fn render(&self, _name: &str, text: &str) -> Result<String, String> {
        Ok(text.to_owned())
    }
    fn is_secret(&self, text: &str) -> bool {
        text.contains("hunter2")
    }
}

/// The task as a playbook would give it.
pub fn task(kind: &str, table: &str) -> Box<dyn Task> {
    let mut task = task::parse(kind, toml::from_str(table).unwrap()).expect("a known kind").unwrap();
    task.load(&Disk).unwrap();
    task
}

pub fn plan(task: &dyn Task) -> Result<Step> {
    let me = String::from_utf8(sh(&["sh"], "id -un", &[]).stdout).unwrap().trim().to_owned();
    let mut facts = Facts::new(HostFacts { family: "debian".into(), user: me, ..HostFacts::default() });
    for probe in task.probes() {
        let fact = answer(&probe);
        facts.insert(probe, fact);
    }
    task.plan(&facts)
}

/// Why there is nothing to do.
pub fn already(task: &dyn Task) -> String {
    match plan(task).unwrap() {
        Step::Already { why } => why,
        step => panic!("expected nothing to do, not {step:?}"),
    }
}

/// Plans, does it, and says what it was; then it must have nothing to do.
pub fn converge(task: &dyn Task) -> Vec<String> {
    let step = plan(task).unwrap();
    let change = step.change().unwrap_or_else(|| panic!("expected a change, not {step:?}"));
    assert!(matches!(step, Step::Change(_)) || change.definite || !change.changes, "{step:?}");
    apply(&step).unwrap();
    already(task);
    change.what.clone()
}

/// What the failing command said.
pub fn apply(step: &Step) -> Result<(), String> {
    for action in &step.change().unwrap().actions {
        match action {
            Action::MakeDir { path, .. } => std::fs::create_dir(path.as_str()).unwrap(),
            Action::Install { path, content, mode, .. } => {
                std::fs::write(path.as_str(), content.as_bytes().unwrap()).unwrap();
                let mode = mode.map_or(0o600, |mode| mode.0);
                std::fs::set_permissions(path.as_str(), std::os::unix::fs::PermissionsExt::from_mode(mode))
                    .unwrap();
            }
            Action::Run(command) => {
                let stdin = command.stdin.as_ref().and_then(Content::as_bytes).unwrap_or_default();
                let output = match &command.program {
                    Program::Shell(script) => fed(&["sh"], script, &command.env, stdin),
                    Program::Argv(argv) => {
                        fed(&["sh"], &towline::words::shell::join(argv), &command.env, stdin)
                    }
                    Program::Script { .. } => unreachable!("no kind here has scripts"),
                };
                if !output.status.success() {
                    return Err(
                        String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned()
                    );
                }
            }
            other => unreachable!("{other:?}"),
        }
    }
    Ok(())
}

/// Every shell that servers have must give the same answer.
fn answer(probe: &Probe) -> Fact {
    match probe {
        Probe::Shell { script, .. } => {
            let answers: Vec<fact::Output> =
                [&["sh"][..], &["dash"], &["bash", "--posix"], &["busybox", "sh"]]
                    .into_iter()
                    .filter(|shell| exists(shell[0]))
                    .map(|shell| run(shell, script))
                    .collect();
            assert!(
                answers.iter().all(|answer| timeless(answer) == timeless(&answers[0])),
                "shells differ: {answers:?}\n{script}"
            );
            Fact::Output(answers[0].clone())
        }
        Probe::Path(path) => Fact::Path(stat(path)),
        Probe::Digest(path) => {
            Fact::Digest(std::fs::read(path.as_str()).ok().map(|bytes| Digest::of(&bytes)))
        }
        other => unreachable!("{other:?}"),
    }
}

/// Without the line that tells the host's time.
fn timeless(answer: &fact::Output) -> (i32, String) {
    let lines = answer.stdout.split_inclusive('\n').filter(|line| !line.starts_with("now "));
    (answer.code, lines.collect())
}

fn run(shell: &[&str], script: &str) -> fact::Output {
    let output = sh(shell, script, &[]);
    fact::Output {
        code: output.status.code().unwrap_or(-1),
        stdout: String::from_utf8(output.stdout).unwrap(),
    }
}

fn stat(path: &RemotePath) -> PathFact {
    use std::os::unix::fs::PermissionsExt as _;
    let Ok(found) = std::fs::symlink_metadata(path.as_str()) else { return PathFact::Absent };
    let node = match std::fs::read_link(path.as_str()) {
        Ok(target) => NodeKind::Link { target: target.display().to_string() },
        Err(_) if found.is_dir() => NodeKind::Dir,
        Err(_) => NodeKind::File,
    };
    let mode = FileMode(found.permissions().mode() & 0o7777);
    PathFact::Present(Stat { node, mode, owner: String::new(), group: String::new(), size: found.len() })
}

pub fn exists(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|folder| folder.join(program).exists())
}

pub fn sh(shell: &[&str], script: &str, env: &[(String, String)]) -> Output {
    fed(shell, script, env, b"")
}

/// The whole input goes in before any output is read: it is small.
fn fed(shell: &[&str], script: &str, env: &[(String, String)], stdin: &[u8]) -> Output {
    let mut child = Command::new(shell[0])
        .args(&shell[1..])
        .args(["-c", script])
        .current_dir("/")
        .env("LC_ALL", "C")
        .envs(env.iter().cloned())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // What reads nothing has closed it.
    let _ = child.stdin.take().unwrap().write_all(stdin);
    child.wait_with_output().unwrap()
}

/// A command that has to succeed; what it printed.
pub fn must(script: &str, folder: &Path) -> String {
    let env = [("D".to_owned(), folder.display().to_string())];
    let output = sh(&["sh"], &format!("set -e; cd \"$D\"; {script}"), &env);
    assert!(output.status.success(), "{script}\n{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}
