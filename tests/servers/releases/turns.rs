//! Releases that take turns under load, and those that do not get their turn.

use crate::lab::PAIR;
use crate::releases::{PLAYBOOK, PROBED, SERVER, load, must, serves, shop, sometimes, tow, unload};

#[test]
#[ignore = "needs real servers: tests/run"]
fn releases_take_turns_under_load_and_no_request_is_lost() {
    let lab = shop();
    must(0, &tow(&lab, "deploy", &[]));
    serves(&lab, "srv1", 1);
    lab.undisturbed();
    load(&lab, "srv1");
    for number in 2..=5 {
        // One of them takes its time: whoever comes meanwhile is answered by the one before.
        let slow = SERVER.replace("server = Server(", "__import__('time').sleep(3)\nserver = Server(");
        lab.write("shop/server.py", if number == 4 { &slow } else { SERVER });
        let said = must(0, &tow(&lab, "deploy", &["--limit", "srv1", "--set", PROBED]));
        assert!(said.contains(" requests meanwhile, 0 failed, p99 "), "{said}");
        serves(&lab, "srv1", number);
    }
    must(0, &tow(&lab, "rollback", &["--limit", "srv1"]));
    serves(&lab, "srv1", 4);
    let slowest = unload(&lab, "srv1");
    // A machine that is shared may stand still for a moment; a gap would be as long as the slow start.
    assert!(slowest < 2000, "{slowest} ms");
    // Of the finished ones three stay; the newest is kept although it does not serve.
    assert_eq!(lab.inside("srv1", "ls /srv/shop/releases | cut -d- -f1 | xargs"), "3 4 5");
    assert_eq!(lab.inside("srv1", "ls -d /etc/systemd/system/shop@*.service | wc -l"), "3");
    // A host that has another release keeps the others from going back to it.
    assert!(must(3, &tow(&lab, "rollback", &[])).contains("nothing to go back to"));
    let status = must(0, &tow(&lab, "status", &["--json"]));
    assert!(status.contains("\"unit\":\"active\"") && status.contains("\"lock\":null"), "{status}");
}

#[test]
#[ignore = "needs real servers: tests/run"]
fn a_release_that_fails_some_of_its_requests_does_not_stay() {
    let lab = shop();
    must(0, &tow(&lab, "deploy", &[]));
    lab.write("shop/server.py", &sometimes("True"));
    let said = must(3, &tow(&lab, "deploy", &["--set", PROBED]));
    for part in [
        "does not answer as it has to",
        " failed (status 500), p99 ",
        "at most 1 % may fail",
        "serves, as before",
    ] {
        assert!(said.contains(part), "{part} is not said: {said}");
    }
    let last =
        lab.inside("srv1", "grep -v '\"event\":\"failed\"' /var/lib/towline/shop/journal.jsonl | tail -n 1");
    assert!(last.contains("\"reverted\"") && last.contains("requests meanwhile"), "{last}");
    for host in PAIR {
        serves(&lab, host, 1);
    }
    // Where it was deployed without anybody asking, what mends it can be deployed.
    must(0, &tow(&lab, "deploy", &[]));
    lab.write("shop/server.py", SERVER);
    let said = must(0, &tow(&lab, "deploy", &["--set", PROBED]));
    assert!(said.contains("requests failed before the switch too"), "{said}");
    // Nobody to ask with is no reason not to switch.
    lab.inside("srv1", "mv /usr/bin/curl /usr/bin/curl.away");
    let output = tow(&lab, "deploy", &["--set", PROBED]);
    lab.inside("srv1", "mv /usr/bin/curl.away /usr/bin/curl");
    assert!(must(0, &output).contains("there is no curl on this host"));
}

#[test]
#[ignore = "needs real servers: tests/run"]
fn what_does_not_come_up_or_is_sick_leaves_the_old_release_everywhere() {
    let lab = shop();
    must(0, &tow(&lab, "deploy", &[]));
    lab.write("shop/server.py", "raise SystemExit('no such setting: COLOUR')\n");
    let said = must(3, &tow(&lab, "deploy", &[]));
    assert!(said.contains("no such setting: COLOUR"), "{said}");
    for host in PAIR {
        serves(&lab, host, 1);
    }
    lab.write("shop/server.py", SERVER);
    let said = must(3, &tow(&lab, "deploy", &["--set", "sick=srv2"]));
    assert!(said.contains("it is sick") && said.contains("serves again"), "{said}");
    for host in PAIR {
        serves(&lab, host, 1);
    }
    // What they left behind goes with the next one that does well.
    must(0, &tow(&lab, "deploy", &[]));
    assert_eq!(lab.both("ls /srv/shop/releases | cut -d- -f1 | xargs"), "1 4");
    // Where only the wave that fails goes back, the host before it keeps the new release.
    lab.write("playbook.toml", &PLAYBOOK.replace("\"rollback\"", "\"rollback_wave\""));
    let said = must(3, &tow(&lab, "deploy", &["--set", "sick=srv2"]));
    assert!(said.contains("srv2") && said.contains("serves again"), "{said}");
    serves(&lab, "srv1", 5);
    serves(&lab, "srv2", 4);
    // And counts for it: a rollback could go back to it.
    lab.inside("srv1", "grep -q '\"revision\":\"[0-9a-f]' /srv/shop/current/release.json");
}
