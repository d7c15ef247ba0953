//! apt for real: installed, removed, lists fetched, locks waited for.

use crate::lab::{ALONE, Lab, PAIR};

#[test]
#[ignore = "needs real servers: tests/run"]
fn packages_come_and_go() {
    let lab = Lab::enter();
    lab.both("apt-get -y -q purge tree jq >/dev/null 2>&1 || true");
    let run = lab.converge("[[tasks]]\nname = 'tools'\npackage = ['tree', 'jq']\n");
    for host in PAIR {
        assert_eq!(run.task(host, "tools")["what"][0], "install tree and jq");
    }
    assert_eq!(lab.both("echo '{\"a\": 1}' | jq .a"), "1");
    lab.converge("[[tasks]]\npackage = { names = ['jq', 'tree'], absent = true, purge = true }\n");
    assert_eq!(lab.both("dpkg-query -W -f='${db:Status-Abbrev}' tree 2>/dev/null || echo gone"), "gone");
}

#[test]
#[ignore = "needs real servers: tests/run"]
fn lists_are_fetched_when_there_are_none_and_when_they_are_old() {
    let lab = Lab::enter();
    lab.both("rm -rf /var/lib/apt/lists/*; apt-get -y -q purge hello >/dev/null 2>&1 || true");
    lab.converge("[[tasks]]\npackage = 'hello'\n");
    lab.both("apt-get -y -q purge hello >/dev/null; touch -d '3 days ago' /var/lib/apt/lists");
    lab.converge("[[tasks]]\npackage = 'hello'\n");
    assert_eq!(lab.both("find /var/lib/apt/lists -maxdepth 0 -mmin -5"), "/var/lib/apt/lists");

    let run = lab.run("[[tasks]]\npackage = 'no-such-package'\n");
    run.must_fail_with(&["Unable to locate package no-such-package", "hint: look for the name"]);
}

#[test]
#[ignore = "needs real servers: tests/run"]
fn another_apt_is_waited_for() {
    let lab = Lab::enter();
    // As on a fresh server, whose own timers fetch lists and install upgrades.
    for (hold, task) in [
        (
            "-o APT::Update::Pre-Invoke::='touch /run/held; sleep 4' update",
            "{ names = 'sl', update_cache = true }",
        ),
        ("-y -o DPkg::Pre-Invoke::='touch /run/held; sleep 4' install --reinstall hostname", "'sl'"),
    ] {
        lab.both(&format!(
            "apt-get -y -q purge sl >/dev/null 2>&1 || true; rm -f /run/held
             setsid apt-get {hold} >/run/holder 2>&1 </dev/null & n=0; until [ -e /run/held ]; do n=$((n + 1)); [ $n -lt 600 ]; sleep 0.1; done"
        ));
        lab.converge(&format!("[[tasks]]\npackage = {task}\n"));
        assert_eq!(lab.both("dpkg-query -W -f='${db:Status-Status}' sl"), "installed");
    }
}

#[test]
#[ignore = "needs real servers: tests/run"]
fn a_server_without_a_route_says_what_it_lacks() {
    let lab = Lab::enter();
    let run = lab.run_on(ALONE, "[[tasks]]\npackage = 'hello'\n");
    assert_eq!(run.code, 3, "{}", run.story());
    let error = run.error(ALONE);
    assert!(
        error.contains("Temporary failure resolving")
            && error.contains("hint: the host cannot resolve names"),
        "{error}"
    );
}
