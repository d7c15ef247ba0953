//! `tow history` and `tow show`, on real runs against this machine.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value as Json;

struct Bench {
    dir: tempfile::TempDir,
}

struct Said {
    code: Option<i32>,
    out: String,
    err: String,
}

impl Bench {
    fn new(playbook: &str) -> Bench {
        let bench = Bench { dir: tempfile::Builder::new().prefix("tow-history-").tempdir().unwrap() };
        bench.write(
            "inventory.toml",
            "[hosts.\"h[1:2]\"]\nconnection = \"local\"\n[secrets]\ns = { env = \"S\" }\n",
        );
        bench.write("site.toml", playbook);
        bench
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn file(&self) -> PathBuf {
        self.path("state/towline/history.db")
    }

    fn write(&self, name: &str, text: &str) {
        fs::create_dir_all(self.path(name).parent().unwrap()).unwrap();
        fs::write(self.path(name), text).unwrap();
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_tow"));
        command.args(arguments).current_dir(self.dir.path()).stdin(Stdio::null());
        command
            .env("HOME", self.dir.path())
            .env("XDG_STATE_HOME", self.path("state"))
            .env("S", "canary-canary");
        command.env_remove("CI").env_remove("GITHUB_ACTIONS").env_remove("SUDO_USER");
        command
    }

    fn tow(&self, arguments: &[&str]) -> Said {
        let output = self.command(arguments).output().unwrap();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let said = Said { code: output.status.code(), out: text(&output.stdout), err: text(&output.stderr) };
        assert!(!said.err.contains("panicked"), "{}", said.err);
        said
    }

    fn ok(&self, arguments: &[&str]) -> String {
        let said = self.tow(arguments);
        assert_eq!(said.code, Some(0), "{}{}", said.out, said.err);
        said.out
    }

    fn runs(&self) -> Vec<Json> {
        let lines = self.ok(&["history", "--json", "--limit", "1000"]);
        lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }
}

fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !holds() {
        assert!(begun.elapsed() < Duration::from_secs(60), "not in time: {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn a_run_is_written_down_with_all_that_was_said_and_no_secret() {
    let bench = Bench::new(
        "[[tasks]]\nname = \"talks\"\ncommand = { run = \"cat; seq 1 20000; echo \\u001b[31mred >&2\", stdin = \"{{secrets.s}}\\n\" }\n\
         [[tasks]]\nname = \"fails\"\ncommand = \"echo why; test {{host.name}} = h1\"\n",
    );
    assert_eq!(bench.tow(&["history"]).err, "nothing was run from here yet\n");
    assert_eq!(bench.tow(&["show"]).code, Some(2));
    assert_eq!(bench.tow(&["run", "site.toml"]).code, Some(3));
    bench.ok(&["exec", "--limit", "h1", "--", "echo", "from exec"]);
    bench.ok(&["plan", "site.toml"]);
    let runs = bench.runs();
    assert_eq!(runs.len(), 2, "a plan is no run: {runs:?}");
    assert_eq!((&runs[0]["what"], &runs[0]["result"]), (&"echo 'from exec'".into(), &"ok".into()));
    assert_eq!((&runs[1]["what"], &runs[1]["result"]), (&"site.toml".into(), &"failed".into()));
    assert_eq!((&runs[1]["exit_code"], &runs[1]["hosts"]), (&3.into(), &serde_json::json!(["h1", "h2"])));
    assert!(runs[1]["elapsed_ms"].is_u64() && runs[1]["who"].as_str().is_some_and(|who| !who.is_empty()));
    let table = bench.ok(&["history"]);
    assert!(table.contains("exec: echo 'from exec'") && table.lines().count() == 3, "{table}");
    assert_eq!(bench.ok(&["history", "--limit", "1"]).lines().count(), 2);

    let id = runs[1]["run"].as_str().unwrap();
    let shown = bench.ok(&["show", &id[..6]]);
    for part in [
        "h1: ok",
        "h2: failed",
        "~ talks",
        "! fails",
        "    | •••",
        "    | 1\n",
        "    | 20000\n",
        "    | red",
        "    | why",
        "error: ",
    ] {
        assert!(shown.contains(part), "{part} is not in:\n{}", &shown[..2000]);
    }
    assert!(!shown.contains("canary") && !shown.contains('\u{1b}'));
    assert_eq!(shown.lines().filter(|line| line.starts_with("    | ")).count(), 2 * 20_003);
    let one = bench.ok(&["show", id, "--host", "h2"]);
    assert!(one.contains("h2: failed") && !one.contains("h1: ok"));
    let events: Vec<Json> =
        bench.ok(&["show", id, "--json"]).lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!((&events[0]["event"], &events[0]["run"]), (&"run_started".into(), &id.into()));
    assert_eq!(events.last().unwrap()["event"], "run_finished");
    let said: String = events
        .iter()
        .filter(|event| event["event"] == "output" && event["host"] == "h1" && event["stream"] == "stdout")
        .map(|event| event["text"].as_str().unwrap())
        .collect();
    assert!(said.starts_with("•••\n1\n2\n") && said.contains("\n19999\n20000\n"));
    assert!(bench.ok(&["show"]).contains("from exec"), "without an id, the last one");
    for (wrong, says) in [("zzz", "there is no run"), ("", "several runs")] {
        let said = bench.tow(&["show", wrong]);
        assert!(said.code == Some(2) && said.err.contains(says), "{}", said.err);
    }
    let said = bench.tow(&["show", id, "--host", "h9"]);
    assert!(said.code == Some(2) && said.err.contains("h9 took no part"), "{}", said.err);
    let mut kept = vec![];
    for entry in fs::read_dir(bench.path("state/towline")).unwrap().map(|entry| entry.unwrap().path()) {
        if entry.is_file() {
            kept.extend(fs::read(&entry).unwrap());
            assert_eq!(
                fs::metadata(&entry).unwrap().permissions().mode() & 0o777,
                0o600,
                "{}",
                entry.display()
            );
        }
    }
    assert!(!kept.windows(6).any(|window| window == b"canary") && !kept.is_empty());
    assert_eq!(fs::metadata(bench.path("state/towline")).unwrap().permissions().mode() & 0o777, 0o700);
}

#[test]
fn of_endless_output_the_beginning_and_the_end_are_kept() {
    let bench = Bench::new("[[tasks]]\nname = \"talks\"\ncommand = \"seq 1 700000\"\n");
    bench.ok(&["run", "site.toml", "--limit", "h1"]);
    let shown = bench.ok(&["show"]);
    for part in ["    | 1\n", "    | 100000\n", "    | 699990\n", "    | 700000\n", " bytes are not kept]\n"]
    {
        assert!(shown.contains(part), "{part}");
    }
    assert!(!shown.contains("    | 400000\n") && shown.len() < 4 << 20);
}

/// A run that has said something and goes on until it is killed.
fn running(bench: &Bench) -> Child {
    let child = bench.command(&["run", "site.toml", "--limit", "h1"]).stderr(Stdio::null()).spawn().unwrap();
    until("what it said is in the history", || {
        bench.file().exists() && bench.tow(&["show"]).out.contains("    | begun")
    });
    child
}

#[test]
fn a_killed_run_did_not_end() {
    let bench = Bench::new("[[tasks]]\nname = \"waits\"\ncommand = \"echo begun; exec sleep 60\"\n");
    let mut child = running(&bench);
    assert_eq!(bench.runs()[0]["result"], "running");
    child.kill().unwrap();
    child.wait().unwrap();
    let run = &bench.runs()[0];
    assert_eq!(
        (&run["result"], &run["exit_code"], &run["elapsed_ms"]),
        (&"did not end".into(), &Json::Null, &Json::Null)
    );
    assert!(bench.ok(&["history"]).contains("did not end"));
    let shown = bench.ok(&["show"]);
    assert!(
        shown.contains("killed, or this machine went down")
            && shown.contains("? waits: did not end\n    | begun"),
        "{shown}"
    );
    // Interrupted in order, it has an end.
    let mut child = running_again(&bench);
    let pid = nix::unistd::Pid::from_raw(i32::try_from(child.id()).unwrap());
    nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGINT).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(130));
    assert_eq!(bench.runs()[0]["result"], "interrupted");
}

fn running_again(bench: &Bench) -> Child {
    let before = bench.runs().len();
    let child = bench.command(&["run", "site.toml", "--limit", "h1"]).stderr(Stdio::null()).spawn().unwrap();
    until("it says something", || {
        bench.runs().len() > before && bench.tow(&["show"]).out.contains("    | begun")
    });
    child
}

#[test]
fn runs_at_once_are_all_written_down() {
    let bench = Bench::new("[[tasks]]\ncommand = \"seq 1 2000\"\n");
    let children: Vec<Child> = (0..8)
        .map(|_| bench.command(&["run", "site.toml"]).stderr(Stdio::piped()).spawn().unwrap())
        .collect();
    for child in children {
        let output = child.wait_with_output().unwrap();
        let err = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success() && !err.contains("history"), "{err}");
    }
    let runs = bench.runs();
    assert_eq!(runs.len(), 8);
    for run in runs {
        assert_eq!(run["result"], "ok");
        assert_eq!(bench.ok(&["show", run["run"].as_str().unwrap()]).matches("    | 2000\n").count(), 2);
    }
}

/// Runs well, and says once why it is in no history.
fn runs_without(bench: &Bench, why: &str) {
    for way in [&["run", "site.toml", "--plain"][..], &["run", "site.toml", "--json"]] {
        let said = bench.tow(way);
        let all = format!("{}{}", said.out, said.err);
        assert_eq!(said.code, Some(0), "{all}");
        assert_eq!(all.matches("is not in the history").count(), 1, "{why}: {all}");
        assert!(all.contains(why), "{why}: {all}");
        if way.contains(&"--json") {
            let events: Vec<Json> =
                said.out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
            assert_eq!(events[0]["event"], "run_started");
            assert_eq!(events.last().unwrap()["event"], "run_finished");
        }
    }
}

type Break<'a> = &'a dyn Fn(&Path);

#[test]
fn a_history_that_cannot_be_written_fails_no_run() {
    let playbook = "[[tasks]]\ncommand = \"true\"\n";
    let broken: [(&str, Break<'_>); 3] = [
        ("not a database", &|file| fs::write(file, "x".repeat(5000)).unwrap()),
        ("directory", &|file| fs::create_dir(file).unwrap()),
        ("a newer tow", &|file| {
            rusqlite::Connection::open(file).unwrap().pragma_update(None, "user_version", 99).unwrap();
        }),
    ];
    for (why, break_it) in broken {
        let bench = Bench::new(playbook);
        fs::create_dir_all(bench.path("state/towline")).unwrap();
        break_it(&bench.file());
        runs_without(&bench, why);
        let said = bench.tow(&["history"]);
        assert!(
            said.code == Some(3)
                && said.err.contains("cannot read the history")
                && said.err.contains("hint: "),
            "{}",
            said.err
        );
    }
    let bench = Bench::new(playbook);
    bench.write("state", "a file where the folder should be");
    runs_without(&bench, "Not a directory");
    // Somebody holds it for longer than we wait.
    let bench = Bench::new(playbook);
    bench.ok(&["run", "site.toml"]);
    let held = rusqlite::Connection::open(bench.file()).unwrap();
    held.execute_batch("BEGIN IMMEDIATE").unwrap();
    runs_without(&bench, "locked");
    held.execute_batch("COMMIT").unwrap();
    bench.ok(&["run", "site.toml"]);
    assert_eq!(bench.runs().len(), 2);
}
