//! Hosts that are not as they should be, found out in the midst of a deploy: nothing that serves notices.

use std::time::{Duration, Instant};

use nix::sys::signal::Signal;

use crate::lab::Lab;
use crate::releases::{arguments, begun, must, serves, shop, signal, tow};

const ONE: [&str; 2] = ["--limit", "srv1"];
/// What there is of the application, and when it came; but for what was begun.
const STATE: &str = "find /srv/shop /var/lib/towline/shop /etc/systemd/system ! -name journal.jsonl ! -name guard ! -name intent ! -path /var/lib/towline/shop -printf '%p %s %T@ %l\n' | sort | sha256sum";

#[test]
#[ignore = "needs real servers: tests/run"]
fn sudo_that_no_longer_lets_in_is_known_at_once() {
    let lab = shop();
    must(0, &tow(&lab, "deploy", &ONE));
    let before = lab.inside("srv1", STATE);
    // All is well when one looks; then somebody takes it away.
    must(0, &lab.tow("shop", &[&["check", "playbook.toml", "--set", "release=9"], &ONE[..]].concat()));
    let rule = lab.inside("srv1", "grep -l '^deploy.*NOPASSWD' /etc/sudoers.d/* /etc/sudoers");
    lab.inside(
        "srv1",
        &format!(
            "cp -p {rule} /root/rule; sed -i '/^deploy/s/NOPASSWD://' {rule}; date +@%s >/run/since; sleep 1"
        ),
    );
    lab.undisturbed();
    let began = Instant::now();
    let said = must(4, &tow(&lab, "deploy", &ONE));
    let took = began.elapsed();
    let tries = "journalctl --sync; journalctl --since \"$(cat /run/since)\" -o cat -t sudo | grep -c 'password is required' || true";
    let tries = lab.inside("srv1", tries);
    lab.inside("srv1", &format!("cp -p /root/rule {rule}"));
    assert!(took < Duration::from_secs(5), "{took:?}");
    assert!(said.contains("deploy cannot become root") && said.contains("--ask-become-pass"), "{said}");
    assert_eq!(tries, "1");
    assert_eq!(lab.inside("srv1", STATE), before);
    must(0, &tow(&lab, "deploy", &ONE));
    serves(&lab, "srv1", 2);
}

#[test]
#[ignore = "needs real servers: tests/run"]
fn a_read_only_disk_changes_nothing_and_a_tmp_that_runs_nothing_is_no_matter() {
    let lab = shop();
    must(0, &tow(&lab, "deploy", &ONE));
    let before = lab.inside("srv1", STATE);
    lab.inside("srv1", "mount --bind /srv/shop /srv/shop; mount -o remount,bind,ro /srv/shop");
    let said = must(3, &tow(&lab, "deploy", &ONE));
    serves(&lab, "srv1", 1);
    lab.inside("srv1", "umount /srv/shop");
    assert!(said.contains("Read-only file system") && said.contains("hint: "), "{said}");
    assert_eq!(lab.inside("srv1", STATE), before);

    lab.inside("srv1", "mount -t tmpfs -o size=100m,noexec,mode=1777 tmpfs /tmp");
    let output = tow(&lab, "deploy", &ONE);
    lab.inside("srv1", "umount -l /tmp");
    must(0, &output);
    serves(&lab, "srv1", 2);
}

/// Every `date` that runs there by ssh gets the time so many days off. (More would stand in systemd-run's own way.)
fn off(lab: &Lab, days: &str) {
    let line = format!(
        "export DEBIAN_FRONTEND=noninteractive; {{ dpkg -s libfaketime || {{ apt-get -q update; apt-get -q -y install libfaketime; }}; }} >/dev/null 2>&1
        library=$(dpkg -L libfaketime | grep '/libfaketime.so.1$')
        echo \"SetEnv LD_PRELOAD=$library FAKETIME={days} FAKETIME_ONLY_CMDS=date\" >/etc/ssh/sshd_config.d/late.conf; systemctl restart ssh"
    );
    lab.inside("srv1", &line);
}

#[test]
#[ignore = "needs real servers: tests/run"]
fn a_clock_that_is_a_day_off_orders_nothing() {
    let lab = shop();
    // sudo would not hand the false time on.
    let root = std::fs::read_to_string(lab.state.join("inventory.toml")).unwrap();
    let token =
        format!("\n[secrets]\ntoken = {{ file = \"{}\" }}\n", lab.folder.path().join("token").display());
    std::fs::write(lab.state.join("shop.toml"), root + &token).unwrap();
    must(0, &tow(&lab, "deploy", &ONE));
    off(&lab, "-1d");
    must(0, &tow(&lab, "deploy", &ONE));
    let finished = "grep '\"event\":\"finished\"' /var/lib/towline/shop/journal.jsonl | grep -o '^{\"at\":\"[^T]*' | uniq | wc -l";
    assert_eq!(lab.inside("srv1", finished), "2", "the clock is right");
    serves(&lab, "srv1", 2);
    // Who has the lock since yesterday, or since tomorrow, has it for some seconds.
    let arguments = arguments("deploy", &["--plain", "-v", "--set", "late=300", "--limit", "srv1"]);
    let mut first = begun::until(lab.begin("shop", &arguments), "stage finish");
    off(&lab, "+1d");
    let said = must(5, &tow(&lab, "deploy", &ONE));
    let age = said.split(" for ").nth(1).and_then(|rest| rest.split(' ').next()).unwrap();
    assert!(age.parse::<u32>().unwrap() < 3600, "{said}");
    signal(&first, Signal::SIGINT);
    assert_eq!(first.wait().unwrap().code(), Some(130));
    serves(&lab, "srv1", 2);
    must(0, &tow(&lab, "rollback", &ONE));
    serves(&lab, "srv1", 1);
    must(0, &tow(&lab, "deploy", &ONE));
    // What the interrupted one had left is gone, and so its number is free.
    serves(&lab, "srv1", 3);
    lab.inside("srv1", "rm /etc/ssh/sshd_config.d/late.conf; systemctl restart ssh");
}
