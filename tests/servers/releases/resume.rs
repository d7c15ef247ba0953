//! What was begun on one machine and goes on from another.

use nix::sys::signal::Signal;

use crate::begun;
use crate::lab::{Lab, PAIR, Run};
use crate::releases::{PLAYBOOK, arguments, must, serves, shop, signal, tow, until};

/// Stands in the playbook for what follows it, which every shell would take for something else.
const HARD: &str = "say 'it' \"so\" $(touch /run/slipped)";

/// The shop with a handler, and a name for its source.
fn telling() -> Lab {
    let lab = shop();
    let handler = format!(
        "  [[stages.handlers]]\n  name = {HARD:?}\n  command = \"echo told >>{{{{root}}}}/told\"\n\n[[stages]]\nname = \"migrate\"\n"
    );
    let units = "file = { path = \"{{here}}/units\"";
    let playbook = PLAYBOOK
        .replace("[[stages]]\nname = \"migrate\"\n", &handler)
        .replace(units, &format!("notify = [{HARD:?}]\n  {units}"))
        .replace("  upload = {", "  name = \"source\"\n  upload = {");
    lab.write("playbook.toml", &playbook);
    lab
}

fn elsewhere(lab: &Lab, code: i32, command: &str, more: &[&str]) -> String {
    must(code, &lab.elsewhere("shop", &arguments(command, more)))
}

/// Its process is gone, and nobody gave anything back.
fn killed(mut child: std::process::Child) {
    signal(&child, Signal::SIGKILL);
    child.wait().unwrap();
}

#[test]
#[ignore = "needs real servers: tests/run"]
fn a_killed_deploy_goes_on_from_another_machine_with_its_handlers() {
    let lab = telling();
    must(0, &tow(&lab, "deploy", &[]));
    assert_eq!(lab.both("cat /srv/shop/told; ls /var/lib/towline/shop/handlers 2>/dev/null || true"), "told");
    let begun = until(&lab, &["--set", "early=300"], "units");
    // Each has its source, and is behind it.
    lab.both("n=0; until ps ax | grep -q '[s]leep 300'; do n=$((n + 1)); [ $n -lt 600 ]; sleep 0.1; done");
    killed(begun);

    // There, nobody knows that it is dead.
    assert!(elsewhere(&lab, 5, "resume", &["--set", "early=0"]).contains("tow unlock"));
    let run = lab.inside("srv1", "sed -n 's/^run=//p' /var/lib/towline/shop/lock/info");
    elsewhere(&lab, 0, "unlock", &[&run]);
    let said = elsewhere(&lab, 0, "status", &[]);
    assert!(
        said.contains("deploy of 2-") && said.contains(&run) && said.contains("wait for the next"),
        "{said}"
    );

    // It has to be the same that was begun.
    assert!(elsewhere(&lab, 2, "resume", &[]).contains("--set early=…"));
    assert!(elsewhere(&lab, 2, "resume", &["--set", "early=0", "--limit", "srv1"]).contains("srv2"));
    assert!(elsewhere(&lab, 3, "resume", &["feedfeed"]).contains(&run));
    lab.write("shop/more.txt", "more");
    let said = elsewhere(&lab, 2, "resume", &["--set", "early=0"]);
    assert!(said.contains("it was of revision") && said.contains("tow deploy"), "{said}");
    std::fs::remove_file(lab.folder.path().join("shop/more.txt")).unwrap();

    let resume = arguments("resume", &[&run[..6], "--set", "early=0", "--json"]);
    let resumed = Run::of(&lab.elsewhere("shop", &resume));
    resumed.must_succeed();
    assert_eq!(resumed.task("srv1", "source")["outcome"], "already", "{}", resumed.story());
    for host in PAIR {
        serves(&lab, host, 2);
    }
    // The handler ran once for each of the two, and nothing is left of what happened but the journal's word.
    let left =
        "cat /srv/shop/told; cd /var/lib/towline/shop; ls intent handlers /run/slipped 2>/dev/null || true
        grep -c 'goes on with run' journal.jsonl";
    assert_eq!(lab.both(left), "told\ntold\n1");
}

#[test]
#[ignore = "needs real servers: tests/run"]
fn a_killed_rollback_goes_on_as_one() {
    let lab = shop();
    must(0, &tow(&lab, "deploy", &[]));
    must(0, &tow(&lab, "deploy", &[]));
    // The first of the two has switched.
    let child = lab.begin("shop", &arguments("rollback", &["--plain", "-v"]));
    killed(begun::until(child, "gate"));
    let said = must(0, &tow(&lab, "resume", &[]));
    assert!(said.contains("rollback of 1-") && said.contains("srv1 and srv2"), "{said}");
    for host in PAIR {
        serves(&lab, host, 1);
    }
    assert!(must(0, &tow(&lab, "resume", &[])).contains("nothing to go on with"));

    // One that was overtaken on a host is not.
    killed(until(&lab, &["--set", "late=300"], "stage finish"));
    must(0, &tow(&lab, "deploy", &["--limit", "srv1"]));
    let said = must(3, &tow(&lab, "resume", &["--set", "late=0"]));
    assert!(said.contains("srv1 serves 4-"), "{said}");
    must(0, &tow(&lab, "deploy", &[]));
    for host in PAIR {
        serves(&lab, host, 5);
    }
}
