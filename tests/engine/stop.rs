//! Ctrl-C.

use nix::sys::signal::Signal;

use crate::project::{Towline, alive, eventually};
use crate::support::sshd::Sshd;

fn waiting(command: &str) -> String {
    format!(
        r#"
[[tasks]]
name = "before"
command = "true"
[[tasks]]
name = "wait"
command = "echo $$ > @/{{{{host.name}}}}.pid; {command}"
[[tasks]]
name = "behind"
command = "touch @/behind"
"#
    )
}

#[test]
fn remote_process_groups_end_and_what_was_done_is_said() {
    let sshd = Sshd::start(&[]);
    let tow =
        Towline::over(&sshd, &["a", "b"]).playbook(&waiting("sleep 100 & touch @/{{host.name}}.waits; wait"));
    for json in [true, false] {
        let running = tow.start(&["run", "site.toml", if json { "--json" } else { "--plain" }]);
        eventually("both wait", || ["a", "b"].iter().all(|host| tow.path(&format!("{host}.waits")).exists()));
        running.signal(Signal::SIGINT);
        let ran = running.wait().ends(130);
        for host in ["a", "b"] {
            assert!(!alive(&tow.read(&format!("{host}.pid"))), "{ran:#?}");
            std::fs::remove_file(tow.path(&format!("{host}.waits"))).unwrap();
        }
        assert!(!tow.path("behind").exists());
        if json {
            assert_eq!(ran.host("a")["verdict"], "interrupted");
            assert_eq!(ran.host("a")["changed"], 1);
            assert_eq!(ran.task("b", "wait")["error"]["kind"], "interrupted");
        } else {
            for text in ["interrupted", "1 changed", "wait", "run the same command again"] {
                assert!(ran.stderr.contains(text), "{text}: {}", ran.stderr);
            }
        }
    }
}

#[test]
fn what_ignores_it_is_killed() {
    let sshd = Sshd::start(&[]);
    let tow = Towline::over(&sshd, &["a"])
        .playbook(&waiting("trap '' TERM INT; echo waits; while :; do sleep 0.1; done"));
    let mut running = tow.start(&["run", "site.toml", "--json"]);
    running.until("waits");
    running.signal(Signal::SIGINT);
    running.wait().ends(130);
    assert!(!alive(&tow.read("a.pid")));
}

#[test]
fn the_second_ends_at_once() {
    let tow = Towline::new()
        .playbook(&waiting("trap 'echo asked' TERM; trap '' INT; echo waits; while :; do sleep 0.1; done"));
    let mut running = tow.start(&["run", "site.toml", "--json"]);
    running.until("waits");
    running.signal(Signal::SIGINT);
    let pid = tow.read("here.pid");
    // The first has been taken: the signals of one kind do not queue.
    running.until("asked");
    let began = std::time::Instant::now();
    running.signal(Signal::SIGINT);
    running.wait().ends(130);
    assert!(began.elapsed() < std::time::Duration::from_secs(4));
    eventually("the first has asked for its end all the same", || !alive(&pid));
}

#[test]
fn a_child_left_in_the_background_holds_nobody_up() {
    let sshd = Sshd::start(&[]);
    let tow = Towline::over(&sshd, &["a"]).playbook(
        "[[tasks]]\nname = \"x\"\ncommand = \"sleep 60 & echo $! > @/pid; echo said\"\n\
         [[tasks]]\nname = \"y\"\ncommand = \"true\"\n",
    );
    let began = std::time::Instant::now();
    let ran = tow.run(&[]).ends(0);
    assert!(began.elapsed() < std::time::Duration::from_secs(20));
    assert_eq!(ran.tasks("a"), ["x: changed", "y: changed"]);
    let pid = tow.read("pid");
    assert!(alive(&pid), "a command may leave a daemon behind");
    nix::sys::signal::kill(nix::unistd::Pid::from_raw(pid.trim().parse().unwrap()), Signal::SIGKILL).unwrap();
}

#[test]
fn a_question_that_takes_long_is_not_waited_for() {
    let tow = Towline::new().playbook(
        "[[tasks]]\nname = \"before\"\ncommand = \"true\"\n[[tasks]]\ncommand = \"true\"\nunless = \"touch @/asked; exec sleep 60\"\n",
    );
    let began = std::time::Instant::now();
    let running = tow.start(&["run", "site.toml", "--json"]);
    eventually("it is asked", || tow.path("asked").exists());
    running.signal(Signal::SIGINT);
    running.wait().ends(130);
    assert!(began.elapsed() < std::time::Duration::from_secs(20));
}

#[test]
fn nohup_outlives_its_terminal() {
    let tow = Towline::new().playbook(&waiting("echo waits; while ! test -e @/go; do sleep 0.05; done"));
    let mut running = tow.start_ignoring_hangup(&["run", "site.toml", "--json"]);
    running.until("waits");
    running.signal(Signal::SIGHUP);
    std::fs::write(tow.path("go"), "").unwrap();
    running.wait().ends(0);
    assert!(tow.path("behind").exists());
}
