//! A project of a test: a folder with inventory and playbook, and the program run in it.

use std::io::{BufRead as _, BufReader, Read as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value as Json;
use tempfile::TempDir;

use crate::support::sshd::Sshd;

/// Nothing here takes longer, even on a busy machine.
pub const LONG: Duration = Duration::from_secs(90);

pub struct Towline {
    dir: TempDir,
}

/// How the program ended.
#[derive(Debug)]
pub struct Ran {
    pub code: i32,
    pub stdout: String,
    pub stderr: String,
    pub events: Vec<Json>,
    /// The most memory that it had, in KiB.
    pub memory: u64,
}

/// The program at work.
pub struct Running {
    child: Child,
    lines: Receiver<String>,
    stderr: std::thread::JoinHandle<String>,
    seen: Vec<String>,
}

impl Towline {
    pub fn new() -> Towline {
        let dir = tempfile::Builder::new().prefix("tow-engine-").tempdir().unwrap();
        Towline { dir }.file("inventory.toml", "[hosts.here]\nconnection = \"local\"\n")
    }

    /// With these hosts, all of them on `sshd`.
    pub fn over(sshd: &Sshd, hosts: &[&str]) -> Towline {
        let hosts: Vec<String> =
            hosts.iter().map(|host| format!("[hosts.{host}]\naddress = \"127.0.0.1\"\n")).collect();
        let hosts = hosts.concat();
        Towline::new().inventory(&format!("{}{hosts}", defaults(sshd, "root")))
    }

    pub fn inventory(self, text: &str) -> Towline {
        self.file("inventory.toml", text)
    }

    pub fn playbook(self, text: &str) -> Towline {
        self.file("site.toml", text)
    }

    /// Writes a file of the project; `@` stands for the project's folder.
    pub fn file(self, name: &str, text: &str) -> Towline {
        let text = text.replace('@', &self.dir.path().display().to_string());
        std::fs::write(self.path(name), text).unwrap();
        self
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.path(name)).unwrap_or_default()
    }

    pub fn run(&self, more: &[&str]) -> Ran {
        self.ended(&[&["run", "site.toml", "--json"], more].concat())
    }

    pub fn plan(&self, more: &[&str]) -> Ran {
        self.ended(&[&["plan", "site.toml", "--json"], more].concat())
    }

    pub fn ended(&self, args: &[&str]) -> Ran {
        self.start(args).wait()
    }

    pub fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_tow"));
        command.args(args).current_dir(self.dir.path()).stdin(Stdio::null());
        command.env("HOME", self.dir.path()).env_remove("SSH_AUTH_SOCK").env_remove("GITHUB_ACTIONS");
        command.env_remove("XDG_STATE_HOME").env("NO_COLOR", "1");
        command
    }

    pub fn start(&self, args: &[&str]) -> Running {
        Towline::started(self.command(args))
    }

    /// As `nohup` starts it.
    pub fn start_ignoring_hangup(&self, args: &[&str]) -> Running {
        let command = self.command(&[]);
        let program = command.get_program().to_owned();
        let mut nohup = Command::new("/bin/sh");
        nohup.args(["-c", "trap '' HUP; exec \"$@\"", "sh"]).arg(program).args(args);
        nohup.envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))));
        nohup.env_remove("XDG_STATE_HOME").current_dir(self.dir.path()).stdin(Stdio::null());
        Towline::started(nohup)
    }

    fn started(mut command: Command) -> Running {
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let (heard, lines) = channel();
        let mut out = BufReader::new(child.stdout.take().unwrap());
        std::thread::spawn(move || {
            let mut line = vec![];
            while out.read_until(b'\n', &mut line).is_ok_and(|n| n > 0) {
                let _ = heard.send(String::from_utf8(std::mem::take(&mut line)).unwrap());
            }
        });
        let mut err = child.stderr.take().unwrap();
        let stderr = std::thread::spawn(move || {
            let mut text = String::new();
            let _ = err.read_to_string(&mut text);
            text
        });
        Running { child, lines, stderr, seen: vec![] }
    }
}

/// How to reach `sshd` as `user`.
pub fn defaults(sshd: &Sshd, user: &str) -> String {
    format!(
        "[defaults]\nuser = \"{user}\"\nport = {}\nkey = \"{}\"\nknown_hosts = \"{}\"\n",
        sshd.port,
        sshd.key_path.display(),
        sshd.known_hosts_path.display()
    ) + "[groups.everyone]\n"
}

impl Running {
    /// Waits for a line of output that contains `text`.
    pub fn until(&mut self, text: &str) -> String {
        loop {
            let Ok(line) = self.lines.recv_timeout(LONG) else {
                panic!("{text} never came; only:\n{}", self.seen.concat());
            };
            self.seen.push(line.clone());
            if line.contains(text) {
                return line;
            }
        }
    }

    pub fn signal(&self, signal: Signal) {
        kill(Pid::from_raw(self.child.id().cast_signed()), signal).unwrap();
    }

    pub fn wait(mut self) -> Ran {
        use std::os::unix::process::ExitStatusExt as _;
        let mut memory = 0;
        while let Ok(line) = self.lines.recv_timeout(LONG) {
            if self.seen.len().is_multiple_of(64) {
                memory = high_water(self.child.id()).max(memory);
            }
            self.seen.push(line);
        }
        let status = self.child.wait().unwrap();
        let stdout = self.seen.concat();
        let events = stdout.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
        let code = status.code().unwrap_or_else(|| -status.signal().unwrap_or(0));
        Ran { code, stdout, stderr: self.stderr.join().unwrap(), events, memory }
    }
}

pub fn high_water(pid: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line.and_then(|line| line.split_whitespace().next()?.parse().ok()).unwrap_or(0)
}

impl Ran {
    /// `task: outcome` of a host, in order.
    pub fn tasks(&self, host: &str) -> Vec<String> {
        let finished = self.of("task_finished").filter(|event| event["host"] == host);
        finished
            .map(|event| {
                format!("{}: {}", event["task"].as_str().unwrap(), event["outcome"].as_str().unwrap())
            })
            .collect()
    }

    pub fn of(&self, name: &'static str) -> impl Iterator<Item = &Json> {
        self.events.iter().filter(move |event| event["event"] == name)
    }

    pub fn task(&self, host: &str, task: &str) -> &Json {
        self.of("task_finished")
            .find(|event| event["host"] == host && event["task"] == task)
            .unwrap_or_else(|| panic!("{task} did not finish on {host}: {self:#?}"))
    }

    /// How a host ended.
    pub fn host(&self, host: &str) -> &Json {
        self.of("host_finished")
            .find(|event| event["host"] == host)
            .unwrap_or_else(|| panic!("{host} did not end: {self:#?}"))
    }

    #[track_caller]
    pub fn ends(self, code: i32) -> Ran {
        assert_eq!(self.code, code, "{}\n{}", self.stdout, self.stderr);
        self
    }
}

/// Whether the process is there and not a zombie.
pub fn alive(pid: &str) -> bool {
    assert!(!pid.trim().is_empty(), "nobody has written down which process");
    let stat = std::fs::read_to_string(Path::new("/proc").join(pid.trim()).join("stat"));
    stat.is_ok_and(|stat| !stat.contains(") Z "))
}

/// Waits for something that happens by itself.
#[track_caller]
pub fn eventually(what: &str, holds: impl Fn() -> bool) {
    let began = std::time::Instant::now();
    while !holds() {
        assert!(began.elapsed() < Duration::from_secs(30), "{what}: does not happen");
        std::thread::sleep(Duration::from_millis(20));
    }
}
