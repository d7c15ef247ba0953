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
    lab.inside("srv1", "rm -f /tmp/trace /tmp/away");
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
        // Still under way when the next one comes, or ended while nobody listened.
        for (takes, wait) in [
            (20, ":"),
            (
                2,
                "n=0; while systemctl is-active -q tow-job-test; do n=$((n + 1)); [ $n -lt 300 ]; sleep 0.1; done",
            ),
        ] {
            playbook(&lab, &format!("id -un >>/tmp/trace; sleep {takes}; {end}"));
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

/// A project whose build takes its time and leaves a trace of each time.
const BACKEND: &str = r#"
import os, time, zipfile

ABOUT = "Metadata-Version: 2.1\nName: slow\nVersion: 1.0\n"

def prepare_metadata_for_build_wheel(folder, config_settings=None):
    os.mkdir(os.path.join(folder, "slow-1.0.dist-info"))
    with open(os.path.join(folder, "slow-1.0.dist-info", "METADATA"), "w") as file:
        file.write(ABOUT)
    return "slow-1.0.dist-info"

def build_wheel(folder, config_settings=None, metadata_directory=None):
    with open("/tmp/trace", "a") as file:
        file.write("built\n")
    time.sleep(20)
    with zipfile.ZipFile(os.path.join(folder, "slow-1.0-py3-none-any.whl"), "w") as wheel:
        wheel.writestr("slow.py", "")
        wheel.writestr("slow-1.0.dist-info/METADATA", ABOUT)
        wheel.writestr("slow-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\nGenerator: x\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        wheel.writestr("slow-1.0.dist-info/RECORD", "")
    return "slow-1.0-py3-none-any.whl"
"#;

const PROJECT: &str = "[build-system]\nrequires = []\nbuild-backend = 'backend'\nbackend-path = ['.']\n[project]\nname = 'slow'\nversion = '1.0'\n";

/// The environment, then the installation alone. No network is needed for it.
fn slow_install(lab: &Lab) {
    lab.inside("srv1", "rm -rf /srv/slow /srv/slow-venv");
    lab.write("slow/backend.py", BACKEND);
    lab.write("slow/pyproject.toml", PROJECT);
    let venv = "[[tasks]]\npackage = 'python3-venv'\ntimeout = '10m'\n[[tasks]]\nvenv = '/srv/slow-venv'\n[[tasks]]\nupload = { src = 'slow', dest = '/srv/slow' }\n";
    lab.run_on("srv1", venv).must_succeed();
    lab.write(
        "playbook.toml",
        "[[tasks]]\nname = 'install'\npip = { venv = '/srv/slow-venv', project = '/srv/slow', wheelhouse = '/srv/slow' }\n[[tasks]]\nname = 'behind'\ncommand = '/srv/slow-venv/bin/python -c \"import slow\"'\n",
    );
}

/// What a job has left: a unit, a file, a process.
const LEFT: &str = "systemctl list-units --all --plain --no-legend 'tow-job-*'; ls /run/towline/jobs; pgrep -fa [s]low-venv || :";

/// Ends every connection of `deploy` on the host, as sshd does when it starts again.
pub fn restart_sshd(lab: &Lab, host: &str) {
    lab.inside(
        host,
        "systemctl restart ssh; kill -9 $(ps -eo pid,args | sed -n 's/^ *\\([0-9]*\\) sshd[^:]*: deploy.*/\\1/p')",
    );
}

fn installed(lab: &Lab) -> Run {
    let run = again(lab);
    run.must_succeed();
    run
}

#[test]
#[ignore = "needs real servers: tests/run"]
fn an_installation_goes_on_without_its_link_and_is_done_once() {
    let lab = Lab::enter();
    slow_install(&lab);
    // The run is gone, and the next one waits for what it has begun.
    let mut run = begun(&lab);
    run.kill().unwrap();
    run.wait().unwrap();
    let heard = installed(&lab);
    assert!(heard.story().contains("this was begun before"), "{}", heard.story());
    assert_eq!(lab.inside("srv1", &format!("cat /tmp/trace; {LEFT}")), "built");
    assert!(installed(&lab).story().contains("/srv/slow-venv has /srv/slow"));

    // The link is gone, and the run itself goes on over another one.
    lab.inside("srv1", "echo >>/srv/slow/pyproject.toml");
    let run = begun(&lab);
    restart_sshd(&lab, "srv1");
    let ended = run.wait_with_output().unwrap();
    assert_eq!(ended.status.code(), Some(0), "{}", String::from_utf8_lossy(&ended.stderr));
    assert_eq!(lab.inside("srv1", &format!("cat /tmp/trace; {LEFT}")), "built");
    lab.inside("srv1", "rm -rf /srv/slow /srv/slow-venv /tmp/trace");
}

#[test]
#[ignore = "needs real servers: tests/run"]
fn ctrl_c_ends_an_installation_and_leaves_nothing() {
    let lab = Lab::enter();
    slow_install(&lab);
    let mut run = begun(&lab);
    crate::begun::signal(&run, nix::sys::signal::Signal::SIGINT);
    assert_eq!(run.wait().unwrap().code(), Some(130));
    assert_eq!(lab.inside("srv1", LEFT), "");
    lab.inside("srv1", "rm -rf /srv/slow /srv/slow-venv /tmp/trace");
}

#[test]
#[ignore = "needs real servers: tests/run"]
fn what_fails_while_the_link_is_lost_has_failed_and_is_not_tried_again() {
    let lab = Lab::enter();
    lab.write(
        "playbook.toml",
        "[[tasks]]\ndetached = true\ncommand = 'echo begun >>/tmp/trace; until [ -e /tmp/away ]; do sleep 0.1; done; exit 7'\n",
    );
    let run = begun(&lab);
    // Nobody can connect until it has ended.
    let away = "systemctl stop ssh; kill -9 $(ps -eo pid,args | sed -n 's/^ *\\([0-9]*\\) sshd[^:]*: deploy.*/\\1/p'); touch /tmp/away
        n=0; while systemctl list-units --plain --no-legend 'tow-job-*' | grep -q .; do n=$((n + 1)); [ $n -lt 300 ]; sleep 0.1; done
        systemctl start ssh";
    lab.inside("srv1", away);
    assert_eq!(run.wait_with_output().unwrap().status.code(), Some(3));
    assert_eq!(lab.inside("srv1", "cat /tmp/trace; ls /run/towline/jobs; rm /tmp/trace /tmp/away"), "begun");
}

#[test]
#[ignore = "needs real servers: tests/run"]
fn a_result_that_nobody_has_heard_of_is_heard_once() {
    let lab = Lab::enter();
    let secret = "canary-of-the-job";
    lab.write(
        "playbook.toml",
        &format!(
            "[[tasks]]\nname = 'long'\ndetached = true\nas = 'nobody'\ncommand = {{ run = 'echo begun >>/tmp/trace; until [ -e /tmp/away ]; do sleep 0.1; done; test -n \"$TOKEN\"; id -un; umask', env = {{ TOKEN = '{secret}' }} }}\n"
        ),
    );
    let mut run = begun(&lab);
    let seen = "cat /proc/[0-9]*/cmdline /proc/1/environ | tr '\\0' ' '; systemctl show 'tow-job-*'; ls -ld /run/towline/jobs /run/towline/jobs/*/*";
    let seen = lab.inside("srv1", seen);
    assert!(seen.contains("drwx------ ") && !seen.contains("-rw-r") && !seen.contains(secret), "{seen}");
    run.kill().unwrap();
    run.wait().unwrap();
    lab.inside("srv1", "touch /tmp/away; n=0; while systemctl list-units --plain --no-legend 'tow-job-*' | grep -q .; do n=$((n + 1)); [ $n -lt 300 ]; sleep 0.1; done; ! grep -r canary /run/towline");
    let heard = installed(&lab);
    assert!(heard.story().contains("nobody\\n0022"), "{}", heard.story());
    assert_eq!(lab.inside("srv1", "cat /tmp/trace; ls /run/towline/jobs"), "begun");
    // It was heard of: the next time is another time.
    installed(&lab);
    assert_eq!(lab.inside("srv1", "cat /tmp/trace; ls /run/towline/jobs"), "begun\nbegun");
    lab.inside("srv1", "rm /tmp/trace /tmp/away");
}
