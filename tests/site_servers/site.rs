//! An application on the operator's machine, with what `tow init` writes for it, and `tow` run in its folder.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use tempfile::TempDir;

use crate::lab::{Lab, Run, text};

pub struct Site<'a> {
    pub lab: &'a Lab,
    pub name: &'static str,
    pub domain: &'static str,
    /// Where the application runs, in the order of the inventory's `web1`, `web2`, …
    pub servers: Vec<&'static str>,
    folder: PathBuf,
    _parent: TempDir,
}

/// What an operator says to `tow init`.
pub struct Wish {
    /// A folder of examples/.
    pub example: &'static str,
    pub name: &'static str,
    pub domain: &'static str,
    pub database: &'static str,
    pub servers: &'static [&'static str],
    /// Where the database is, when it is a server of its own.
    pub db_server: Option<&'static str>,
    /// From where the server takes the source; then nothing of it is in the operator's folder.
    pub repo: Option<String>,
}

impl Wish {
    pub fn new(example: &'static str, database: &'static str, server: &'static [&'static str]) -> Wish {
        Wish { example, name: example, domain: "", database, servers: server, db_server: None, repo: None }
    }

    pub fn at(self, domain: &'static str) -> Wish {
        Wish { domain, ..self }
    }
}

impl<'a> Site<'a> {
    /// Copies the example into a repository of its own, runs `tow init` by flags, and adds what only the lab needs.
    pub fn init(lab: &'a Lab, wish: &Wish) -> Site<'a> {
        let parent = tempfile::tempdir().unwrap();
        let folder = parent.path().join(wish.name);
        match wish.repo {
            Some(_) => fs::create_dir(&folder).unwrap(),
            None => copy(&example(wish.example), &folder),
        }
        assert!(Command::new("git").args(["init", "-q"]).current_dir(&folder).status().unwrap().success());
        let (name, domain, servers) = (wish.name, wish.domain, wish.servers.to_vec());
        let site = Site { lab, name, domain, servers, folder, _parent: parent };

        let addresses: Vec<String> = wish.servers.iter().map(|server| lab.address(server)).collect();
        let mut flags = vec!["init", "--user", "deploy", "--email", "admin@example.com"];
        flags.extend(["--name", wish.name, "--domain", wish.domain, "--database", wish.database]);
        flags.extend(addresses.iter().flat_map(|address| ["--host", address]));
        let database = wish.db_server.map(|server| lab.address(server));
        flags.extend(database.iter().flat_map(|address| ["--db-host", address]));
        flags.extend(wish.repo.iter().flat_map(|repo| ["--repo", repo]));
        let output = site.command(&flags).output().unwrap();
        assert!(output.status.success(), "{}{}", text(&output.stdout), text(&output.stderr));

        site.tell_of_the_lab();
        site.lead(wish.domain, wish.servers[0]);
        site
    }

    /// The lab's key, its servers' keys, and its certificate authority.
    fn tell_of_the_lab(&self) {
        let state = self.lab.state.display();
        self.edit(
            "inventory.toml",
            "[defaults]\n",
            &format!("[defaults]\nkey = \"{state}/key\"\nknown_hosts = \"{state}/known_hosts\"\n"),
        );
        let gateway = self.gateway();
        self.edit(
            "inventory.toml",
            "\nserver = \"\"",
            &format!("\nserver = \"https://{gateway}:14000/dir\""),
        );
        self.edit("inventory.toml", "\nca = \"\"", &format!("\nca = \"{state}/acme/ca.pem\""));
    }

    /// What the authority's DNS says of a name.
    pub fn lead(&self, name: &str, server: &str) {
        self.lab.lab(&["dns", name, &self.lab.address(server)]);
    }

    /// Replaces what stands once in a file of the operator's.
    pub fn edit(&self, file: &str, from: &str, to: &str) {
        let path = self.folder.join(file);
        let content = fs::read_to_string(&path).unwrap();
        assert_eq!(content.matches(from).count(), 1, "{file} has not one {from:?}:\n{content}");
        fs::write(path, content.replace(from, to)).unwrap();
    }

    pub fn path(&self, file: &str) -> PathBuf {
        self.folder.join(file)
    }

    pub fn write(&self, file: &str, content: &str) {
        let path = self.path(file);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_tow"));
        command.args(arguments).current_dir(&self.folder).stdin(Stdio::null());
        command.env("XDG_STATE_HOME", self.folder.with_file_name("state"));
        command.env("GIT_SSH_COMMAND", ssh(self.lab));
        command
    }

    pub fn check(&self) -> Run {
        Run::of(&self.command(&["check", "--json"]).output().unwrap())
    }

    /// The same where this machine asks the lab's DNS, as if it were the public one.
    pub fn check_with_the_labs_dns(&self) -> Run {
        let resolv = self.folder.with_file_name("resolv.conf");
        fs::write(&resolv, format!("nameserver {}\n", self.gateway())).unwrap();
        let check = self.command(&["check", "--json"]);
        let mut command = Command::new("unshare");
        command
            .args(["--mount", "sh", "-ec", "mount --bind \"$0\" /etc/resolv.conf; exec \"$@\""])
            .arg(&resolv);
        command
            .arg(check.get_program())
            .args(check.get_args())
            .current_dir(&self.folder)
            .stdin(Stdio::null());
        Run::of(&command.output().unwrap())
    }

    /// The lab's side of the bridge.
    pub fn gateway(&self) -> String {
        format!("{}.1", self.lab.address("srv1").rsplit_once('.').unwrap().0)
    }

    /// `tow run site`, with `--set` for each of `set`.
    pub fn run(&self, set: &[&str]) -> Run {
        self.told(&["run", "site"], set)
    }

    /// `tow deploy`, or another command about releases.
    pub fn told(&self, command: &[&str], set: &[&str]) -> Run {
        let mut arguments = [command, &["--json"]].concat();
        arguments.extend(set.iter().flat_map(|set| ["--set", set]));
        Run::of(&self.command(&arguments).output().unwrap())
    }

    /// A command that somebody will end before it has ended.
    pub fn begin(&self, command: &[&str]) -> Child {
        self.command(command).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
    }

    /// The same again finds nothing to do on any of these hosts of the inventory.
    pub fn nothing_is_left(&self, hosts: &[&str]) {
        let run = self.run(&[]);
        run.must_succeed();
        for host in hosts {
            assert_eq!(run.count(host, "changed"), 0, "something to do on {host}:\n{}", run.story());
            let ran = run.tasks_that(host, "unknown");
            assert!(ran.is_empty(), "{host}: {ran:?}\n{}", run.story());
        }
    }
}

impl Run {
    /// The names of a host's tasks with this outcome.
    pub fn tasks_that(&self, host: &str, outcome: &str) -> Vec<String> {
        let of_host =
            self.events.iter().filter(|event| event["event"] == "task_finished" && event["host"] == host);
        let found = of_host.filter(|event| event["outcome"] == outcome);
        found.map(|event| event["task"].as_str().unwrap_or_default().to_owned()).collect()
    }
}

/// How git of the operator's comes to the lab's servers.
pub fn ssh(lab: &Lab) -> String {
    let state = lab.state.display();
    format!("ssh -i {state}/key -o IdentitiesOnly=yes -o UserKnownHostsFile={state}/known_hosts")
}

/// A folder of examples/, or one beside it.
pub fn example(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("examples").join(name)
}

pub fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap();
        match path.is_dir() {
            true if name == "__pycache__" || name == "venv" => {}
            true => copy(&path, &to.join(name)),
            false => drop(fs::copy(&path, to.join(name)).unwrap()),
        }
    }
}
