//! What goes on when the link is lost, as migrations do: it ends by itself, is heard of later, and is never run twice.

use std::process::Child;

use crate::lab::{Lab, Run};

/// The shipped script, with a command that leaves a trace of each time it runs.
fn playbook(lab: &Lab, command: &str) {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/templates/detached.sh");
    lab.write(
        "playbook.toml",
        &format!(
            "[[tasks]]\nname = \"long\"\nscript = {{ src = \"{script}\", args = [\"test\", \"nobody\", \"/tmp\", \"300\", {command:?}] }}\n"
        ),
    );
}

/// A run that has begun its command.
fn begun(lab: &Lab) -> Child {
    lab.inside("srv1", "rm -f /tmp/trace");
    let run = lab.begin("deploy", &["run", "--json", "--limit", "srv1", "playbook.toml"]);
    lab.inside("srv1", "n=0; until [ -s /tmp/trace ]; do n=$((n + 1)); [ $n -lt 300 ]; sleep 0.1; done");
    run
}

fn again(lab: &Lab) -> Run {
    Run::of(&lab.tow("deploy", &["run", "--json", "--limit", "srv1", "playbook.toml"]))
}

const TRACES: &str = "cat /tmp/trace; systemctl is-active tow-job-test || :";

#[test]
#[ignore = "needs real servers: tests/run"]
fn what_a_lost_run_has_begun_ends_by_itself_and_its_result_is_heard_by_the_next() {
    let lab = Lab::enter();
    for (end, code) in [("true", 0), ("echo it was wrong; exit 7", 3)] {
        playbook(&lab, &format!("id -un >>/tmp/trace; sleep 5; {end}"));
        // Still under way when the next one comes, or ended while nobody listened.
        for wait in [
            ":",
            "n=0; while systemctl is-active -q tow-job-test; do n=$((n + 1)); [ $n -lt 300 ]; sleep 0.1; done",
        ] {
            lab.inside("srv1", "rm -rf /var/lib/towline/jobs");
            let mut run = begun(&lab);
            run.kill().unwrap();
            run.wait().unwrap();
            lab.inside("srv1", wait);
            let heard = again(&lab);
            assert_eq!(heard.code, code, "{}", heard.story());
            assert!(heard.story().contains("a run before"), "{}", heard.story());
            // What failed is tried again, when it has ended.
            let times = if code == 0 || wait == ":" { 1 } else { 2 };
            assert_eq!(lab.inside("srv1", TRACES), format!("{}inactive", "nobody\n".repeat(times)));
        }
    }
    lab.inside("srv1", "rm -rf /var/lib/towline/jobs /tmp/trace");
}

#[test]
#[ignore = "needs real servers: tests/run"]
fn ctrl_c_ends_it() {
    let lab = Lab::enter();
    playbook(&lab, "echo begun >>/tmp/trace; sleep 200");
    let mut run = begun(&lab);
    nix::sys::signal::kill(
        nix::unistd::Pid::from_raw(i32::try_from(run.id()).unwrap()),
        nix::sys::signal::Signal::SIGINT,
    )
    .unwrap();
    assert_eq!(run.wait().unwrap().code(), Some(130));
    assert_eq!(lab.inside("srv1", TRACES), "begun\ninactive");
    lab.inside("srv1", "rm -rf /var/lib/towline/jobs /tmp/trace");
}
