//! The servers: playbooks run on them through the program itself, and looked at without it.

use std::fs::{self, File};
use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use serde_json::Value;
use tempfile::TempDir;

/// Debian 12 and 13. The third server of the lab is Debian 12 without a route to the outside.
pub const PAIR: [&str; 2] = ["srv1", "srv2"];
pub const ALONE: &str = "srv3";

pub struct Lab {
    /// The lab's own folder: key, known_hosts, inventories, the test CA.
    pub state: PathBuf,
    /// Files of the operator's, beside the playbook.
    pub folder: TempDir,
    /// One test at a time, also where each has a process of its own.
    _turn: File,
    /// Shared by what runs on other servers at the same time.
    machine: File,
}

impl Lab {
    pub fn enter() -> Lab {
        let state = PathBuf::from(text(&script("lab").arg("dir").output().unwrap().stdout).trim());
        assert!(
            state.join("inventory.toml").exists(),
            "there are no servers: docs/testing.md says how to have them"
        );
        let turn = File::create(state.join("turn")).unwrap();
        turn.lock().unwrap();
        let machine = File::create(Path::new(env!("CARGO_TARGET_TMPDIR")).join("machine")).unwrap();
        machine.lock_shared().unwrap();
        Lab { state, folder: tempfile::tempdir().unwrap(), _turn: turn, machine }
    }

    /// From here on no other test of this checkout runs on servers: for who measures how long something takes.
    pub fn undisturbed(&self) {
        self.machine.unlock().unwrap();
        self.machine.lock().unwrap();
    }

    /// `tow` with these arguments; `inventory` is `deploy` (acts as root by sudo) or `inventory` (is root).
    pub fn tow(&self, inventory: &str, arguments: &[&str]) -> Output {
        self.command(inventory, arguments).output().unwrap()
    }

    /// The same on another machine, which knows nothing of what was run here.
    pub fn elsewhere(&self, inventory: &str, arguments: &[&str]) -> Output {
        let state = self.folder.path().join("elsewhere");
        self.command(inventory, arguments).env("XDG_STATE_HOME", state).output().unwrap()
    }

    /// The same, while it goes on; what it tells is read by the caller.
    pub fn begin(&self, inventory: &str, arguments: &[&str]) -> Child {
        self.command(inventory, arguments).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap()
    }

    /// The same with `--json`, for who reads what it tells.
    pub fn tell(&self, inventory: &str, arguments: &[&str]) -> Child {
        let mut command = self.command(inventory, arguments);
        command.arg("--json").stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap()
    }

    fn command(&self, inventory: &str, arguments: &[&str]) -> Command {
        let inventory = self.state.join(inventory).with_extension("toml");
        let mut command = Command::new(env!("CARGO_BIN_EXE_tow"));
        command.args(&arguments[..1]).arg("-i").arg(inventory).args(&arguments[1..]);
        command.current_dir(self.folder.path()).stdin(Stdio::null());
        command
    }

    /// An inventory like the deploy user's for another account; named by it.
    pub fn inventory_as(&self, user: &str) {
        let text = fs::read_to_string(self.state.join("deploy.toml")).unwrap();
        let text = text.replace("user = \"deploy\"", &format!("user = \"{user}\""));
        fs::write(self.state.join(user).with_extension("toml"), text).unwrap();
    }

    /// An inventory like the deploy user's with another value on the line that begins with `key`; named `name`.
    pub fn inventory_with(&self, name: &str, key: &str, value: &Path) {
        let text = fs::read_to_string(self.state.join("deploy.toml")).unwrap();
        let line = |line: &str| {
            if line.starts_with(key) {
                format!("{key}{:?}\n", value.display().to_string())
            } else {
                format!("{line}\n")
            }
        };
        let text: String = text.lines().map(line).collect();
        fs::write(self.state.join(name).with_extension("toml"), text).unwrap();
    }

    /// Of the pair, in the lab's network.
    pub fn addresses(&self) -> [String; 2] {
        PAIR.map(|host| self.address(host))
    }

    pub fn address(&self, host: &str) -> String {
        fs::read_to_string(self.state.join("servers").join(host).join("address")).unwrap().trim().to_owned()
    }

    /// `tow` at a terminal of its own, where somebody answers the prompt; all that the terminal showed.
    pub fn at_a_terminal(&self, inventory: &str, arguments: &[&str], prompt: &str, typed: &str) -> String {
        let inventory = self.state.join(inventory).with_extension("toml").display().to_string();
        let mut line = vec![env!("CARGO_BIN_EXE_tow"), arguments[0], "-i", &inventory];
        line.extend(&arguments[1..]);
        let line = towline::words::shell::join(line);
        let mut command = Command::new("script");
        command.args(["--quiet", "--flush", "--return", "--command", &line, "/dev/null"]);
        let mut child =
            command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("script of util-linux");
        let (mut input, mut output) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
        let (mut said, mut piece) = (String::new(), [0; 4096]);
        loop {
            let length = output.read(&mut piece).unwrap();
            if length == 0 {
                break;
            }
            let asked = said.contains(prompt);
            said += &text(&piece[..length]);
            if !asked && said.contains(prompt) {
                input.write_all(typed.as_bytes()).unwrap();
            }
        }
        child.wait().unwrap();
        said
    }

    fn play(&self, inventory: &str, limit: &str, playbook: &str) -> Run {
        fs::write(self.folder.path().join("playbook.toml"), playbook).unwrap();
        Run::of(&self.tow(inventory, &["run", "playbook.toml", "--json", "--limit", limit]))
    }

    /// `tow check` of it; `inventory` as for `tow`.
    pub fn check(&self, inventory: &str, limit: &str, playbook: &str) -> Run {
        fs::write(self.folder.path().join("playbook.toml"), playbook).unwrap();
        Run::of(&self.tow(inventory, &["check", "playbook.toml", "--json", "--limit", limit]))
    }

    /// Runs it on the pair as the deploy user.
    pub fn run(&self, playbook: &str) -> Run {
        self.play("deploy", &PAIR.join(":"), playbook)
    }

    pub fn run_on(&self, host: &str, playbook: &str) -> Run {
        self.play("deploy", host, playbook)
    }

    /// It succeeds, and the second run finds nothing to do on any host. What the first run said.
    pub fn converge(&self, playbook: &str) -> Run {
        self.converge_on(&PAIR, playbook)
    }

    pub fn converge_on(&self, hosts: &[&str], playbook: &str) -> Run {
        let limit = hosts.join(":");
        let first = self.play("deploy", &limit, playbook);
        first.must_succeed();
        let second = self.play("deploy", &limit, playbook);
        second.must_succeed();
        for host in hosts {
            let tally = (second.count(host, "changed"), second.count(host, "unknown"));
            assert_eq!(tally, (0, 0), "the second run has something to do on {host}:\n{}", second.story());
        }
        first
    }

    /// What a shell line prints inside a server, as root and without ssh; it has to succeed.
    pub fn inside(&self, host: &str, line: &str) -> String {
        let output = self.try_inside(host, line);
        assert!(output.status.success(), "{host}: {line}\n{}{}", text(&output.stdout), text(&output.stderr));
        text(&output.stdout).trim_end().to_owned()
    }

    #[expect(clippy::unused_self, reason = "who does not have the turn must not touch the servers")]
    pub fn try_inside(&self, host: &str, line: &str) -> Output {
        script("lab").args(["run-in", host, "sh", "-ec", line]).output().unwrap()
    }

    /// The same on both servers, with the same answer.
    pub fn both(&self, line: &str) -> String {
        let [one, two] = PAIR.map(|host| self.inside(host, line));
        assert_eq!(one, two, "{line}");
        one
    }

    #[expect(clippy::unused_self, reason = "who does not have the turn must not touch the servers")]
    pub fn lab(&self, arguments: &[&str]) {
        assert!(script("lab").args(arguments).status().unwrap().success(), "{arguments:?}");
    }

    /// A file of the operator's.
    pub fn write(&self, name: &str, content: &str) {
        let path = self.folder.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }
}

fn script(name: &str) -> Command {
    let mut command = Command::new(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/lab").join(name));
    command.stdin(Stdio::null());
    command
}

pub fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// What a run said, event by event.
pub struct Run {
    pub code: i32,
    pub events: Vec<Value>,
    stderr: String,
}

impl Run {
    pub fn of(output: &Output) -> Run {
        let events = text(&output.stdout).lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        Run { code: output.status.code().unwrap_or(-1), events, stderr: text(&output.stderr) }
    }

    pub fn must_succeed(&self) {
        assert_eq!(self.code, 0, "{}", self.story());
    }

    pub fn count(&self, host: &str, what: &str) -> u64 {
        let last = self.events.iter().rev().find(|event| event["event"] == "run_finished");
        last.unwrap_or_else(|| panic!("{}", self.story()))["hosts"][host][what].as_u64().unwrap()
    }

    /// What became of a task, as its event says.
    pub fn task(&self, host: &str, name: &str) -> &Value {
        let found = self.events.iter().find(|event| {
            event["event"] == "task_finished" && event["host"] == host && event["task"] == name
        });
        found.unwrap_or_else(|| panic!("nothing is said of {name} on {host}:\n{}", self.story()))
    }

    /// The error of a host in one text: what, why, output, hint.
    pub fn error(&self, host: &str) -> String {
        let last =
            self.events.iter().find(|event| event["event"] == "host_finished" && event["host"] == host);
        let error = &last.unwrap_or_else(|| panic!("{}", self.story()))["error"];
        let lines = |key: &str| {
            error[key]
                .as_array()
                .into_iter()
                .flatten()
                .map(|line| line.as_str().unwrap_or_default().to_owned())
                .collect::<Vec<_>>()
        };
        let mut all = vec![error["what"].as_str().unwrap_or_default().to_owned()];
        all.extend(lines("causes").into_iter().map(|cause| format!("cause: {cause}")));
        all.extend(lines("output").into_iter().map(|line| format!("| {line}")));
        all.extend(error["hint"].as_str().map(|hint| format!("hint: {hint}")));
        all.join("\n")
    }

    /// What `tow check` found of a host: `level topic: what → todo`.
    pub fn findings(&self, host: &str) -> Vec<String> {
        let of_host = self.events.iter().filter(|event| event["event"] == "finding" && event["host"] == host);
        let text = |event: &Value, key: &str| event[key].as_str().unwrap_or_default().to_owned();
        let line = |event: &Value| {
            let [level, topic, what, todo] = ["level", "topic", "what", "todo"].map(|key| text(event, key));
            format!("{level} {topic}: {what} → {todo}")
        };
        of_host.map(line).collect()
    }

    /// It failed on both servers with exit code 3, and said all of this.
    pub fn must_fail_with(&self, parts: &[&str]) {
        assert_eq!(self.code, 3, "{}", self.story());
        for host in PAIR {
            let error = self.error(host);
            for part in parts {
                assert!(error.contains(part), "{host} does not say {part:?}:\n{error}");
            }
        }
    }

    pub fn story(&self) -> String {
        let events: Vec<String> = self.events.iter().map(ToString::to_string).collect();
        format!("exit code {}\n{}\n{}", self.code, events.join("\n"), self.stderr)
    }
}
