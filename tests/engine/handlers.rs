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
    assert_eq!(ran.tasks("a"), ["one: changed", "two: changed", "last: unknown", "reload: changed"]);
    assert_eq!(tow.read("a.log"), "task\nreload\n");
    let ran = tow.run(&[]).ends(0);
    assert_eq!(ran.tasks("a"), ["one: already", "two: already", "last: unknown"]);
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
            "link" => 4,
            "kill" => -9,
            _ => 130,
        };
        let ran = ran.ends(code);
        if how != "kill" {
            assert_eq!(ran.host("a")["pending"][0], "reload", "{how}");
        }
        assert_eq!(tow.read("log"), "", "{how}");
        eventually("the command is gone or ours to end", || {
            how == "int" || !crate::project::alive(&pid) || {
                let pid = nix::unistd::Pid::from_raw(pid.trim().parse().unwrap());
                nix::sys::signal::killpg(pid, Signal::SIGKILL).is_ok() || true
            }
        });
        let tow = tow.file("go", "");
        let ran = tow.run(&[]).ends(0);
        assert_eq!(ran.tasks("a"), ["conf: already", "wait: unknown", "reload: changed"], "{how}");
        let ran = tow.run(&[]).ends(0);
        assert_eq!(ran.tasks("a"), ["conf: already", "wait: unknown"], "{how}");
        assert_eq!(tow.read("log"), "reload\n", "{how}");
    }
}
