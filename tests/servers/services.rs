//! systemd for real: units written, enabled, started, restarted, and what they say when they do not stay up.

use crate::lab::{Lab, PAIR};

/// A unit that writes its greeting to a file and stays.
fn playbook(greeting: &str) -> String {
    format!(
        r#"
[[stages]]
name = "service"

  [[stages.tasks]]
  name = "unit"
  notify = ["restart"]
  [stages.tasks.file]
  path = "/etc/systemd/system/greeter.service"
  content = """
[Unit]
Description=Greeter
[Service]
ExecStart=/bin/sh -c 'echo {greeting} >/run/greeting; exec sleep infinity'
ExecReload=/bin/sh -c 'echo reloaded >/run/greeting'
[Install]
WantedBy=multi-user.target
"""

  [[stages.tasks]]
  name = "runs"
  service = {{ name = "greeter", enabled = true, state = "started", settle = "1s" }}

  [[stages.handlers]]
  name = "restart"
  service = {{ name = "greeter", state = "restarted", settle = "1s" }}
"#
    )
}

#[test]
#[ignore = "needs real servers: tests/run"]
fn a_unit_is_started_restarted_reloaded_and_stopped() {
    let lab = Lab::enter();
    let run = lab.converge(&playbook("hello"));
    for host in PAIR {
        assert_eq!(run.task(host, "unit")["outcome"], "changed");
    }
    assert_eq!(lab.both("cat /run/greeting; systemctl is-enabled greeter"), "hello\nenabled");
    // A changed unit is read again by systemd before the restart.
    lab.converge(&playbook("goodbye"));
    assert_eq!(
        lab.both("cat /run/greeting; systemctl show -p NeedDaemonReload --value greeter"),
        "goodbye\nno"
    );

    lab.run("[[tasks]]\nservice = { name = 'greeter', state = 'reloaded' }\n").must_succeed();
    assert_eq!(lab.both("cat /run/greeting"), "reloaded");
    lab.converge("[[tasks]]\nservice = { name = 'greeter', state = 'stopped', enabled = false }\n");
    assert_eq!(
        lab.both("systemctl is-active greeter || systemctl is-enabled greeter || true"),
        "inactive\ndisabled"
    );
}

fn broken(command: &str) -> String {
    format!(
        "[[tasks]]\nfile = {{ path = '/etc/systemd/system/broken.service', content = \"[Service]\\nRestart=always\\nRestartSec=100ms\\nStartLimitIntervalSec=0\\nExecStart={command}\\n\" }}\n\
         [[tasks]]\nservice = {{ name = 'broken', state = 'restarted', settle = '2s' }}\n"
    )
}

#[test]
#[ignore = "needs real servers: tests/run"]
fn a_unit_that_does_not_stay_up_shows_its_journal() {
    let lab = Lab::enter();
    let run = lab.run(&broken("/bin/sh -c 'echo cannot open the database; exit 3'"));
    run.must_fail_with(&["| cannot open the database", "does not stay up"]);
    // Longer than systemd calls it started, shorter than it is watched.
    let run = lab.run(&broken("/bin/sh -c 'sleep 1; echo the socket went away; exit 1'"));
    run.must_fail_with(&["| the socket went away", "does not stay up"]);
    let run = lab.run(&broken("/usr/bin/no-such-program"));
    run.must_fail_with(&["no-such-program"]);
    lab.both("systemctl stop broken; rm /etc/systemd/system/broken.service; systemctl daemon-reload; systemctl reset-failed");
}

#[test]
#[ignore = "needs real servers: tests/run"]
fn instances_sockets_and_what_is_not_there() {
    let lab = Lab::enter();
    lab.converge(
        "[[tasks]]\nfile = { path = '/etc/systemd/system/pause@.service', content = \"[Service]\\nExecStart=/bin/sleep %i\\n[Install]\\nWantedBy=multi-user.target\\n\" }\n\
         [[tasks]]\nfor_each = ['1001', '1002']\nservice = { name = 'pause@{{item}}', state = 'started', enabled = true, settle = '1s' }\n",
    );
    assert_eq!(lab.both("systemctl is-active pause@1001 pause@1002"), "active\nactive");
    lab.both("systemctl disable --now pause@1001 pause@1002 2>/dev/null");
    let run = lab.run("[[tasks]]\nservice = 'no-such-unit'\n");
    run.must_fail_with(&[
        "cannot start no-such-unit.service",
        "the host has no such unit",
        "hint: install its package",
    ]);
}
