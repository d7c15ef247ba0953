//! A lab of its own, whose run dies: the next `up` takes away what it left, and so does `down`.

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use crate::lab::{Lab, text};

/// Beside the labs that `tests/run` makes; each of those has one of these.
fn number() -> String {
    let of_lab: u32 = std::env::var("TOWLINE_LAB_NUMBER").ok().and_then(|it| it.parse().ok()).unwrap_or(0);
    (250 + of_lab % 6).to_string()
}

/// Whatever a lab may leave: cables, mounts, processes, rules, folders.
const TRACES: &str = r#"cd /; n=$1; first=${n%??}; rest=${n#?}
ls -d /sys/class/net/towlab$n /sys/class/net/vb-tow$n-* /run/systemd/nspawn/propagate/tow$n-* /var/lib/towline-lab/$n 2>/dev/null
nft list tables | grep -x "table ip towline_lab_$n"
grep -lsaE "(towline-lab/|tow)[$first]$rest[-/]" /proc/[0-9]*/mountinfo /proc/[0-9]*/cmdline
find $(findmnt -n -t cgroup2 -o TARGET | head -n 1) -type d -path "*/towline-lab/$n*" 2>/dev/null; :"#;

struct Leftover(String);

impl Leftover {
    fn lab(&self, arguments: &[&str]) -> Command {
        let mut lab = Command::new(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/lab/lab"));
        lab.args(arguments).env("TOWLINE_LAB_NUMBER", &self.0).stdin(Stdio::null());
        lab
    }

    fn done(&self, arguments: &[&str]) {
        let output = self.lab(arguments).output().unwrap();
        assert!(output.status.success(), "{arguments:?}: {}", text(&output.stderr));
    }

    fn traces(&self) -> Vec<String> {
        let output = Command::new("sh").args(["-c", TRACES, "traces", &self.0]).output().unwrap();
        text(&output.stdout).lines().map(str::to_owned).collect()
    }

    fn has_left(&self, sign: &str) {
        let left = self.traces();
        assert!(left.iter().any(|trace| trace.starts_with(sign)), "nothing is left of {sign}: {left:?}");
    }

    /// A process that ended is told of for a moment.
    fn has_left_nothing(&self) {
        let began = Instant::now();
        while !self.traces().is_empty() && began.elapsed() < Duration::from_secs(30) {
            thread::sleep(Duration::from_millis(100));
        }
        assert_eq!(self.traces(), [""; 0]);
    }
}

impl Drop for Leftover {
    fn drop(&mut self) {
        let _ = self.lab(&["down"]).output();
    }
}

/// The process that a lab is for.
fn owner() -> Child {
    let mut sleep = Command::new("sleep");
    sleep.arg("1000").stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
}

fn killed(mut child: Child) {
    child.kill().unwrap();
    child.wait().unwrap();
}

#[test]
#[ignore = "needs real servers: tests/run"]
fn what_a_killed_run_leaves_is_taken_away() {
    let _servers = Lab::enter();
    let lab = Leftover(number());
    let run = owner();
    let up = |owner: &Child| lab.done(&["up", "1", "--acme", "--owner", &owner.id().to_string()]);
    up(&run);
    let refused = lab.lab(&["up", "1"]).output().unwrap();
    assert!(!refused.status.success() && text(&refused.stderr).contains("is up; take it down first"));
    killed(run);
    lab.has_left("/proc/");
    // It finds all of that in its way.
    let next = owner();
    up(&next);
    killed(next);
    lab.has_left("table ip");
    lab.done(&["down"]);
    lab.has_left_nothing();

    // Killed before it was up: nothing has been told to anybody.
    let run = lab.lab(&["up", "1", "--acme"]).stderr(Stdio::null()).spawn().unwrap();
    let pid = format!("/var/lib/towline-lab/{}/servers/srv1/pid", lab.0);
    let begun = Instant::now();
    while !Path::new(&pid).exists() {
        assert!(begun.elapsed() < Duration::from_secs(120), "it never came up");
        thread::sleep(Duration::from_millis(5));
    }
    killed(run);
    lab.has_left("/sys/class/net/");
    lab.done(&["down"]);
    lab.has_left_nothing();
}
