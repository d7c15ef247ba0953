//! Handlers: once, at the end, also after failures, and never lost.

use nix::sys::signal::Signal;

use crate::project::{Towline, eventually};
use crate::support::sshd::Sshd;

const PLAYBOOK: &str = r#"
[[stages]]
name = "site"
max_failures = 9
[[stages.tasks]]
name = "one"
file = { path = "@/{{host.name}}.conf", content = "{{default word \"x\"}}" }
notify = ["reload"]
[[stages.tasks]]
name = "two"
file = { path = "@/{{host.name}}.more", content = "y" }
notify = ["reload"]
[[stages.tasks]]
name = "last"
command = "sh -c 'echo task >> @/{{host.name}}.log; test ! -e @/bad-{{host.name}}'"
changed_when = "false"
[[stages.tasks]]
name = "left out"
when = "(eq host.name \"nobody\")"
command = "true"
notify = ["never"]
[[stages.handlers]]
name = "never"
command = "echo never >> @/{{host.name}}.log"
[[stages.handlers]]
name = "reload"
command = "echo reload >> @/{{host.name}}.log"
"#;

#[test]
fn they_run_once_at_the_end_and_only_after_a_change() {
    let sshd = Sshd::start(&[]);
    let tow = Towline::over(&sshd, &["a"]).playbook(PLAYBOOK);
    let ran = tow.run(&[]).ends(0);
    assert_eq!(
        ran.tasks("a"),
        ["one: changed", "two: changed", "last: unknown", "left out: skipped", "reload: changed"]
    );
    assert_eq!(tow.read("a.log"), "task\nreload\n");
    let ran = tow.run(&[]).ends(0);
    assert_eq!(ran.tasks("a"), ["one: already", "two: already", "last: unknown", "left out: skipped"]);
}

#[test]
fn they_run_also_when_a_later_task_failed_here_or_elsewhere() {
    let sshd = Sshd::start(&[]);
    let tow = Towline::over(&sshd, &["a", "b"]).playbook(&PLAYBOOK.replace("= 9", "= 0")).file("bad-a", "");
    let ran = tow.run(&[]).ends(3);
    for host in ["a", "b"] {
        assert_eq!(tow.read(&format!("{host}.log")), "task\nreload\n", "{ran:#?}");
    }
    assert_eq!(ran.host("a")["verdict"], "failed");
}

const SLOW: &str = r#"
[[tasks]]
name = "conf"
file = { path = "@/conf", content = "x" }
notify = ["reload"]
[[tasks]]
name = "wait"
command = "echo $$ > @/pid.new; mv @/pid.new @/pid; echo waits; test -e @/go || exec sleep 100"
changed_when = "false"
[[handlers]]
name = "reload"
command = "echo reload >> @/log"
"#;

#[test]
fn a_lost_link_a_kill_and_ctrl_c_lose_none() {
    for how in ["link", "kill", "int"] {
        let sshd = Sshd::start(&[]);
        let playbook =
            SLOW.replace("[[tasks]]", "[[stages.tasks]]").replace("[[handlers]]", "[[stages.handlers]]");
        let tow = Towline::over(&sshd, &["a"]).playbook(&format!("[[stages]]\nname = \"s\"\n{playbook}"));
        let mut running = tow.start(&["run", "site.toml", "--json"]);
        running.until("waits");
        let pid = tow.read("pid");
        match how {
            "link" => crate::faults::cut(&pid),
            "kill" => running.signal(Signal::SIGKILL),
            _ => running.signal(Signal::SIGINT),
        }
        let ran = running.wait();
        let code = match how {
            "link" => 6,
            "kill" => -9,
            _ => 130,
        };
        let ran = ran.ends(code);
        if how != "kill" {
            assert_eq!(ran.host("a")["pending"][0], "reload", "{how}");
        }
        assert_eq!(tow.read("log"), "", "{how}");
        if how != "int" {
            // Nobody was left to end it, so that is ours to do.
            let group = nix::unistd::Pid::from_raw(pid.trim().parse().unwrap());
            let _ = nix::sys::signal::killpg(group, Signal::SIGKILL);
        }
        eventually("the command is gone", || !crate::project::alive(&pid));
        let tow = tow.file("go", "");
        let ran = tow.run(&[]).ends(0);
        assert_eq!(ran.tasks("a"), ["conf: already", "wait: unknown", "reload: changed"], "{how}");
        let ran = tow.run(&[]).ends(0);
        assert_eq!(ran.tasks("a"), ["conf: already", "wait: unknown"], "{how}");
        assert_eq!(tow.read("log"), "reload\n", "{how}");
    }
}

/// A file on which another is mounted: it can be read, and nothing can be renamed over it.
struct Covered(std::path::PathBuf);

impl Covered {
    fn mount(path: std::path::PathBuf) -> Covered {
        let mounted =
            std::process::Command::new("mount").arg("--bind").args([&path, &path]).status().unwrap();
        assert!(mounted.success(), "this test mounts a file: run it as root");
        Covered(path)
    }
}

impl Drop for Covered {
    fn drop(&mut self) {
        let _ = std::process::Command::new("umount").arg("-l").arg(&self.0).status();
    }
}

#[test]
fn a_file_that_was_replaced_before_its_neighbour_failed_notifies() {
    for retries in [0, 1] {
        let tow = Towline::new().file("two", "old").playbook(&format!(
            r#"
[[stages]]
name = "s"
[[stages.tasks]]
name = "one"
file = {{ path = "@/one", content = "x" }}
notify = ["reload"]
[[stages.tasks]]
name = "two"
file = {{ path = "@/two", content = "y" }}
retries = {retries}
delay = "10ms"
[[stages.handlers]]
name = "reload"
command = "echo reload >> @/log"
"#
        ));
        let covered = Covered::mount(tow.path("two"));
        let ran = tow.run(&[]).ends(3);
        assert_eq!(tow.read("one"), "x", "{ran:#?}");
        assert_eq!(tow.read("log"), "reload\n", "{ran:#?}");
        drop(covered);
        let ran = tow.run(&[]).ends(0);
        assert_eq!(ran.tasks("here"), ["one: already", "two: changed"]);
        assert_eq!(tow.read("log"), "reload\n");
    }
}

/// Files travel together; one that cannot be written keeps those before it from nothing, and notifies nobody for those
/// behind it.
#[test]
fn a_file_that_cannot_be_written_takes_none_before_it_along() {
    let sshd = Sshd::start(&[]);
    let wrong = "[[tasks]]\nname = \"wrong\"\nfile = { path = \"@/wrong\", content = \"x\", owner = \"no-such-account\" }\n";
    let right = |name: &str| {
        format!(
            "[[tasks]]\nname = \"{name}\"\nfile = {{ path = \"@/{name}\", content = \"x\" }}\nnotify = [\"{name} changed\"]\n"
        )
    };
    let handler = |name: &str| {
        format!("[[handlers]]\nname = \"{name} changed\"\ncommand = \"touch @/handled.{name}\"\n")
    };
    let tasks = ["one", "two"].map(right).concat() + wrong + &["three", "four"].map(right).concat();
    let tow = Towline::over(&sshd, &["a"])
        .playbook(&(tasks + &["one", "two", "three", "four"].map(handler).concat()));
    let ran = tow.run(&[]).ends(3);
    let told = ran.tasks("a");
    assert_eq!(told[..3], ["one: changed", "two: changed", "wrong: failed"], "{told:?}");
    let there =
        ["one", "two", "wrong", "three", "handled.one", "handled.two", "handled.three", "handled.four"];
    assert_eq!(
        there.map(|name| tow.path(name).exists()),
        [true, true, false, false, true, true, false, false]
    );
    let error = ran.task("a", "wrong").to_string();
    assert!(error.contains("no-such-account"), "{error}");
    let said: Vec<&str> = ran.of("output").map(|event| event["task"].as_str().unwrap()).collect();
    assert_eq!(said, ["wrong"], "{said:?}");
}
