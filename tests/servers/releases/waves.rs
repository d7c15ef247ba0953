//! Six servers in waves of one, two and the rest.

use std::thread;

use crate::lab::Lab;
use crate::releases::{PLAYBOOK, PROBED, SERVER, load, must, serves, shop_on, sometimes, tow, unload};

/// The third of the lab has no route to the outside, by which Python would come.
const SIX: [&str; 6] = ["srv1", "srv2", "srv4", "srv5", "srv6", "srv7"];
/// Of the second wave.
const SICK: &str = "srv4";

#[track_caller]
fn deploys(lab: &Lab, code: i32) -> String {
    must(code, &tow(lab, "deploy", &["--limit", &SIX.join(":"), "--set", PROBED, "--connect-timeout", "60"]))
}

fn all_serve(lab: &Lab, number: u32) {
    thread::scope(|scope| {
        for host in SIX {
            scope.spawn(move || serves(lab, host, number));
        }
    });
}

/// How many switches a host has seen, and what its journal says last of its releases.
fn journal(lab: &Lab, host: &str) -> String {
    lab.inside(
        host,
        r#"cd /var/lib/towline/shop; grep -c '"event":"switching"' journal.jsonl; grep -v -e '"event":"began"' -e '"event":"failed"' journal.jsonl | tail -n 1"#,
    )
}

#[test]
#[ignore = "needs real servers: tests/run"]
fn what_is_sick_in_the_second_wave_only_leaves_the_old_release_on_all_six() {
    let lab = shop_on(&SIX);
    let waves = PLAYBOOK.replace("waves = [1]", "waves = [1, 2, \"100%\"]");
    assert_ne!(waves, PLAYBOOK);
    lab.write("playbook.toml", &waves);
    deploys(&lab, 0);
    all_serve(&lab, 1);

    lab.write("shop/server.py", &sometimes("os.path.exists('/etc/shop-is-sick')"));
    lab.inside(SICK, "touch /etc/shop-is-sick");
    for host in ["srv1", "srv2"] {
        load(&lab, host);
    }
    let said = deploys(&lab, 3);
    lab.inside(SICK, "rm /etc/shop-is-sick");
    assert!(said.contains(" failed (status 500), p99 "), "{said}");
    all_serve(&lab, 1);
    // Those that had switched went back, and nobody noticed; the third wave never began.
    for host in ["srv1", "srv2"] {
        unload(&lab, host);
        let journal = journal(&lab, host);
        assert!(journal.starts_with("2\n") && journal.contains("\"reverted\""), "{host}: {journal}");
    }
    for host in ["srv5", "srv6", "srv7"] {
        let journal = journal(&lab, host);
        assert!(journal.starts_with("1\n") && journal.contains("\"finished\""), "{host}: {journal}");
    }

    lab.write("shop/server.py", SERVER);
    let said = deploys(&lab, 0);
    assert_eq!(said.matches(" requests meanwhile, 0 failed, p99 ").count(), SIX.len(), "{said}");
    all_serve(&lab, 3);
}
