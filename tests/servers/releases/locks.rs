//! Several operators, and locks that nobody gave back.

use nix::sys::signal::Signal;

use crate::lab::PAIR;
use crate::releases::{arguments, must, serves, shop, signal, tow, until};

#[test]
#[ignore = "needs real servers: tests/run"]
fn one_of_two_operators_wins_and_ctrl_c_gives_back() {
    let lab = shop();
    must(0, &tow(&lab, "deploy", &[]));
    let mut first = until(&lab, &["--set", "late=300"], "stage finish");
    let said = must(5, &tow(&lab, "deploy", &[]));
    assert!(said.contains("shop is locked") && said.contains("tow unlock"), "{said}");
    assert!(must(0, &tow(&lab, "status", &[])).contains("not confirmed"));
    signal(&first, Signal::SIGINT);
    assert_eq!(first.wait().unwrap().code(), Some(130));
    for host in PAIR {
        serves(&lab, host, 1);
    }
    let said = must(0, &tow(&lab, "status", &[]));
    assert!(said.contains("unfinished") && said.contains("tow resume"), "{said}");
    // With other settings it is another deploy; the very same goes on.
    let said = must(0, &tow(&lab, "deploy", &["--set", "late=0"]));
    assert_eq!(said.matches("goes on with the deploy of 2-").count(), 2, "{said}");
    for host in PAIR {
        serves(&lab, host, 2);
    }
    let said = must(0, &tow(&lab, "resume", &[]));
    assert!(said.contains("nothing to go on with"), "{said}");
}

#[test]
#[ignore = "needs real servers: tests/run"]
fn of_two_at_the_same_moment_exactly_one_wins() {
    let lab = shop();
    must(0, &tow(&lab, "deploy", &[]));
    for round in 2..5 {
        let more = ["--set", "early=4"];
        let both = [(); 2].map(|()| lab.begin("shop", &arguments("deploy", &more)));
        let mut codes = both.map(|mut child| child.wait().unwrap().code());
        codes.sort_unstable();
        assert_eq!(codes, [Some(0), Some(5)], "in round {round}");
        for host in PAIR {
            serves(&lab, host, round);
        }
    }
}

#[test]
#[ignore = "needs real servers: tests/run"]
fn a_lock_whose_holder_may_live_is_taken_away_by_name_only() {
    let lab = shop();
    must(0, &tow(&lab, "deploy", &[]));
    let held = "d=/var/lib/towline/shop/lock; mkdir $d; cut -d. -f1 /proc/uptime >$d/beat; \
         printf 'run=%s\\nholder=them@there\\nboot=%s\\nat=0\\n' abc \"$(cat /proc/sys/kernel/random/boot_id)\" >$d/info";
    lab.inside("srv2", held);
    let said = must(5, &tow(&lab, "deploy", &[]));
    assert!(said.contains("them@there"), "{said}");
    assert!(must(5, &tow(&lab, "unlock", &["other"])).contains("another run"));
    assert!(must(0, &tow(&lab, "unlock", &["abc"])).contains("unlocked"));
    lab.inside("srv2", &format!("{held}; echo 0 >$d/info.x; sed -i 's/^boot=.*/boot=before/' $d/info"));
    assert!(must(0, &tow(&lab, "deploy", &[])).contains("started anew"));
    for host in PAIR {
        serves(&lab, host, 2);
    }
}
