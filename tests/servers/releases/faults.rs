//! Faults brought about for real, each in the midst of a deploy: whatever happens, the host serves a complete release,
//! and the next deploy does well.

use std::io::{BufRead as _, BufReader};
use std::process::Child;
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;
use serde_json::Value;

use crate::detached::restart_sshd;
use crate::lab::{Lab, PAIR};
use crate::releases::{
    PLAYBOOK, TOKEN, arguments, load, must, serves, serving, shop, signal, tow, unload, until,
};

const ONE: [&str; 2] = ["--limit", "srv1"];

/// What holds after any fault and the deploy that followed it.
#[track_caller]
fn all_is_well(lab: &Lab, host: &str) {
    // A complete release serves, and nobody holds anything (I1).
    let number = serving(lab, host);
    serves(lab, host, number);
    lab.inside(host, "test -s /srv/shop/current/release.json -a -s /srv/shop/current/src/server.py");
    // What is told is true: the journal can be read, and its last word is this release (I4).
    let journal = lab.inside(host, "cat /var/lib/towline/shop/journal.jsonl");
    let journal: Vec<Value> = journal.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let last = journal.iter().rev().find(|line| line["event"] == "finished").unwrap();
    assert!(last["release"].as_str().unwrap().starts_with(&format!("{number}-")), "{last}");
    // Nothing is left over: no unfinished release, no unit of a release that is gone, nothing of ours that runs, no
    // temporary file (I5).
    let orphans = r#"cd /srv/shop/releases
        for name in *; do [ -s $name/release.json ] || echo "unfinished: $name"; done
        for unit in /etc/systemd/system/shop@*.service; do
          name=${unit#*@}; [ -d ${name%.service} ] || echo "of no release: $unit"
        done
        find /srv/shop /var/lib/towline /tmp /var/tmp /etc/systemd/system -name '.tow-*' -o -name 'tow-*' -o -name '.pending' -o -name '.current' -o -name '.lock' -o -name '.intent' -o -name '.handlers'
        ls /var/lib/towline/shop/intent /var/lib/towline/shop/handlers 2>/dev/null || true
        n=0; while [ $n -lt 50 ] && systemctl list-units --plain --no-legend 'tow-*' | grep -q .; do n=$((n + 1)); sleep 0.1; done
        systemctl list-units --plain --no-legend 'tow-*'"#;
    assert_eq!(lab.inside(host, orphans), "", "{host}");
    // The secret is where it belongs, for its owner alone, and nowhere else.
    let told = format!(
        "find /srv/shop -name .env ! -perm 0600; grep -rl --exclude=.env {TOKEN} /srv/shop /var/lib/towline /tmp /etc || true; \
         journalctl --no-pager | grep -F {TOKEN} || true"
    );
    assert_eq!(lab.inside(host, &told), "", "{host}: the secret is there");
}

/// The next deploy, and all that holds then.
#[track_caller]
fn recovers(lab: &Lab) {
    must(0, &tow(lab, "deploy", &ONE));
    all_is_well(lab, "srv1");
}

/// What was begun on the host and has not ended well: the number of its release.
fn begun(lab: &Lab) -> u32 {
    let name = lab.inside("srv1", "sed -n 's/^release=//p' /var/lib/towline/shop/intent");
    name.split('-').next().unwrap().parse().unwrap()
}

/// `tow resume`, or a deploy of the same, goes on with the release that was begun.
#[track_caller]
fn goes_on(lab: &Lab, command: &str, more: &[&str]) {
    let number = begun(lab);
    let said = must(0, &tow(lab, command, &[&ONE[..], more].concat()));
    assert!(said.contains(&format!("goes on with the deploy of {number}-")), "{said}");
    all_is_well(lab, "srv1");
    assert_eq!(serving(lab, "srv1"), number);
}

/// How it ended, and what it told.
struct Struck {
    code: Option<i32>,
    events: Vec<String>,
}

/// A deploy gets a signal when its `nth` task has finished; `None` where it has fewer tasks.
fn strike(lab: &Lab, nth: usize, with: Signal) -> Option<Struck> {
    let mut child = lab.tell("shop", &arguments("deploy", &ONE));
    let (mut events, mut finished, mut struck) = (vec![], 0, false);
    for line in BufReader::new(child.stdout.take().unwrap()).lines() {
        events.push(line.unwrap());
        finished += usize::from(events.last().unwrap().contains("\"event\":\"task_finished\""));
        if finished == nth && !struck {
            signal(&child, with);
            struck = true;
        }
    }
    let code = child.wait().unwrap().code();
    struck.then_some(Struck { code, events })
}

#[test]
#[ignore = "needs real servers: tests/run"]
fn killed_behind_any_task_the_next_deploy_does_well() {
    let lab = shop();
    must(0, &tow(&lab, "deploy", &ONE));
    load(&lab, "srv1");
    let mut boundaries = 0;
    while strike(&lab, boundaries + 1, Signal::SIGKILL).is_some() {
        boundaries += 1;
        // The unit that switches comes to its end by itself.
        let done = "n=0; while systemctl is-active -q tow-switch-shop; do n=$((n + 1)); [ $n -lt 600 ]; sleep 0.1; done";
        lab.inside("srv1", done);
        serving(&lab, "srv1");
        // Else the next one that is killed finds what this one has left.
        let is_begun = || lab.try_inside("srv1", "test -e /var/lib/towline/shop/intent").status.success();
        if boundaries % 3 == 0 && is_begun() {
            goes_on(&lab, if boundaries % 2 == 0 { "resume" } else { "deploy" }, &[]);
        }
    }
    // The last one was not struck any more, and has ended well.
    all_is_well(&lab, "srv1");
    recovers(&lab);
    unload(&lab, "srv1");
    assert!(boundaries > 12, "only {boundaries} tasks");
}

#[test]
#[ignore = "needs real servers: tests/run"]
fn ctrl_c_behind_any_task_leaves_nothing_held() {
    let lab = shop();
    must(0, &tow(&lab, "deploy", &ONE));
    let (mut nth, mut codes) = (1, vec![]);
    while let Some(struck) = strike(&lab, nth, Signal::SIGINT) {
        let last: Value = serde_json::from_str(struck.events.last().unwrap()).unwrap();
        assert_eq!(last["exit_code"].as_i64(), struck.code.map(i64::from), "behind task {nth}: {last}");
        codes.push(struck.code);
        assert!(!struck.events.iter().any(|event| event.contains(TOKEN)));
        let number = serving(&lab, "srv1");
        serves(&lab, "srv1", number);
        nth += 2;
    }
    // Only at the end it may come too late.
    assert!(codes.len() > 6 && codes[..codes.len() - 2].iter().all(|code| *code == Some(130)), "{codes:?}");
    recovers(&lab);
}

/// Nothing of the host reaches the operator any more, and nobody is told so.
fn cut(lab: &Lab, host: &str) {
    lab.inside(host, &format!("ip route add blackhole {}", operator(lab)));
}

fn mend(lab: &Lab, host: &str) {
    lab.inside(host, &format!("ip route del blackhole {}", operator(lab)));
}

fn operator(lab: &Lab) -> String {
    format!("{}.1", lab.address("srv1").rsplit_once('.').unwrap().0)
}

/// What it ended with, and that this did not take forever.
fn ends(mut child: Child, within: u64) -> i32 {
    let began = Instant::now();
    while began.elapsed() < Duration::from_secs(within) {
        if let Some(status) = child.try_wait().unwrap() {
            eprintln!("ended with {status} after {:.0} s", began.elapsed().as_secs_f32());
            return status.code().unwrap_or(-1);
        }
        std::thread::sleep(Duration::from_millis(100));
    }
    signal(&child, Signal::SIGKILL);
    child.wait().unwrap();
    panic!("it did not end within {within} s");
}

#[test]
#[ignore = "needs real servers: tests/run"]
fn a_link_that_is_cut_is_noticed_and_the_host_puts_itself_in_order() {
    let lab = shop();
    must(0, &tow(&lab, "deploy", &ONE));
    load(&lab, "srv1");
    let before = until(&lab, &[&ONE[..], &["--set", "early=300"]].concat(), "units");
    cut(&lab, "srv1");
    assert_eq!(ends(before, 400), 4);
    mend(&lab, "srv1");
    serving(&lab, "srv1");
    recovers(&lab);

    // A switch that was undone is made again by whoever goes on.
    let number = serving(&lab, "srv1");
    let behind = until(&lab, &[&ONE[..], &["--set", "late=300"]].concat(), "stage finish");
    cut(&lab, "srv1");
    let undone =
        "n=0; while [ -e /var/lib/towline/shop/pending ]; do n=$((n + 1)); [ $n -lt 100 ]; sleep 1; done";
    lab.inside("srv1", undone);
    assert_eq!(serving(&lab, "srv1"), number);
    assert_eq!(ends(behind, 400), 4);
    mend(&lab, "srv1");
    goes_on(&lab, "resume", &["--set", "late=0"]);
    unload(&lab, "srv1");
}

#[test]
#[ignore = "needs real servers: tests/run"]
fn a_deploy_goes_on_when_sshd_starts_again() {
    let lab = shop();
    must(0, &tow(&lab, "deploy", &ONE));
    load(&lab, "srv1");
    let lasting = PLAYBOOK.replace("name = \"early\"", "name = \"early\"\n  detached = true");
    lab.write("playbook.toml", &lasting.replace("settle = \"1s\"", "settle = \"4s\""));
    let child = lab.tell("shop", &arguments("deploy", &[&ONE[..], &["--set", "early=14"]].concat()));
    // In what goes on by itself; then in the switch, which comes to its end.
    for unit in ["'tow-job-*'", "tow-switch-shop.service"] {
        let runs = format!(
            "n=0; until systemctl list-units --plain --no-legend {unit} | grep -q running; do n=$((n + 1)); [ $n -lt 600 ]; sleep 0.1; done"
        );
        lab.inside("srv1", &runs);
        restart_sshd(&lab, "srv1");
    }
    // Signs of life come over the new link.
    let events = String::from_utf8(child.wait_with_output().unwrap().stdout).unwrap();
    let events: Vec<Value> = events.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let last = events.last().unwrap();
    assert_eq!(last["exit_code"], 0, "{events:#?}");
    let again = events
        .iter()
        .filter(|event| event["text"].as_str().is_some_and(|text| text.contains("connected again")));
    assert_eq!(again.count(), 2, "{events:#?}");
    let finished = events.iter().filter(|event| event["event"] == "task_finished");
    let told: Vec<_> = finished.map(|event| (event["stage"].to_string(), event["index"].as_u64())).collect();
    let mut once = told.clone();
    once.dedup();
    assert_eq!(told, once);
    assert_eq!(serving(&lab, "srv1"), 2);
    all_is_well(&lab, "srv1");
    unload(&lab, "srv1");
}

/// The first wave has switched and waits for the others: nobody would notice that its link is gone but the host, which
/// takes a run that is silent for a minute for dead.
#[test]
#[ignore = "needs real servers: tests/run"]
fn a_host_that_waits_for_others_hears_of_the_run_over_another_link() {
    let lab = shop();
    must(0, &tow(&lab, "deploy", &[]));
    let switch = "  [[stages.tasks]]\n  name = \"switch\"";
    let long = "  [[stages.tasks]]\n  name = \"long\"\n  when = \"(eq host.name \\\"srv2\\\")\"\n  changed_when = \"false\"\n  command = \"sleep 80\"\n\n";
    let playbook = PLAYBOOK.replace(switch, &format!("{long}{switch}"));
    assert_ne!(playbook, PLAYBOOK);
    lab.write("playbook.toml", &playbook);
    let child = lab.begin("shop", &arguments("deploy", &["--plain"]));
    lab.inside(
        "srv2",
        "n=0; until ps ax | grep -q '[s]leep 80'; do n=$((n + 1)); [ $n -lt 900 ]; sleep 0.1; done",
    );
    restart_sshd(&lab, "srv1");
    assert_eq!(ends(child, 300), 0);
    for host in PAIR {
        serves(&lab, host, 2);
        all_is_well(&lab, host);
    }
    assert!(!lab.inside("srv1", "cat /var/lib/towline/shop/journal.jsonl").contains("reverted"));
}

#[test]
#[ignore = "needs real servers: tests/run"]
fn a_host_that_starts_anew_serves_a_complete_release() {
    let lab = shop();
    must(0, &tow(&lab, "deploy", &ONE));
    for task in ["early", "late"] {
        // It has to be back within a minute.
        lab.undisturbed();
        // It goes down slowly: sshd lets in again for a while, although what was under way has been ended.
        lab.inside("srv1", "systemd-run -q --unit=slow -p RemainAfterExit=yes -p After=ssh.service -p ExecStop='/bin/sleep 4' true");
        let long = format!("{task}=300");
        let mut child = lab.tell("shop", &arguments("deploy", &[&ONE[..], &["--set", &long]].concat()));
        let mut said = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
        let sign = format!("\"task\":\"{task}\"");
        assert!(said.any(|line| line.contains("\"task_started\"") && line.contains(&sign)), "{task}");
        lab.lab(&["reboot", "srv1"]);
        // The run notices, puts in order what it can, and says so.
        let said: Vec<String> = said.collect();
        assert_eq!(ends(child, 400), 3, "{said:#?}");
        let noticed = said.iter().any(|line| line.contains("has started anew in the middle of the run"));
        assert!(noticed, "{said:#?}");
        serving(&lab, "srv1");
        recovers(&lab);
    }
}

#[test]
#[ignore = "needs real servers: tests/run"]
fn a_full_disk_changes_nothing_that_serves() {
    let lab = shop();
    lab.inside("srv1", "mkdir -p /srv/shop /var/lib/towline/shop /mnt/small; mount -t tmpfs -o size=4m,mode=755 small /mnt/small; \
        mkdir /mnt/small/root /mnt/small/state; mount --bind /mnt/small/root /srv/shop; mount --bind /mnt/small/state /var/lib/towline/shop");
    must(0, &tow(&lab, "deploy", &ONE));
    // Not even a lock can be written; then the lock, but not the source.
    lab.inside("srv1", "cat /dev/zero >/mnt/small/zero 2>/dev/null || true");
    for left in ["nothing", "a little"] {
        let said = must(3, &tow(&lab, "deploy", &ONE));
        assert!(said.contains("No space left") || said.contains("cannot write"), "{left}: {said}");
        serves(&lab, "srv1", 1);
        lab.write("shop/large", &"0123456789abcdef".repeat(40_000));
        lab.inside("srv1", "truncate -s -200K /mnt/small/zero");
    }
    lab.inside("srv1", "rm /mnt/small/zero");
    recovers(&lab);
    lab.inside("srv1", "cd /; umount /srv/shop /var/lib/towline/shop || umount -l /srv/shop /var/lib/towline/shop; umount -l /mnt/small");
}

#[test]
#[ignore = "needs real servers: tests/run"]
fn a_migration_that_fails_switches_nothing() {
    let lab = shop();
    must(0, &tow(&lab, "deploy", &[]));
    must(3, &tow(&lab, "deploy", &["--set", "migrate=false"]));
    for host in PAIR {
        serves(&lab, host, 1);
    }
    recovers(&lab);
}

#[test]
#[ignore = "needs real servers: tests/run"]
fn a_run_that_is_killed_is_undone_by_the_host_or_by_the_next_run() {
    let lab = shop();
    must(0, &tow(&lab, "deploy", &[]));
    for undone_by_the_host in [true, false] {
        let mut killed = until(&lab, &["--set", "late=300"], "stage finish");
        signal(&killed, Signal::SIGKILL);
        killed.wait().unwrap();
        if undone_by_the_host {
            for host in PAIR {
                let gone = "n=0; while [ -e /var/lib/towline/shop/pending ]; do n=$((n + 1)); [ $n -lt 100 ]; sleep 1; done";
                lab.inside(host, gone);
                assert!(
                    lab.inside(host, "tail -n 1 /var/lib/towline/shop/journal.jsonl")
                        .contains("nobody confirmed it")
                );
                lab.inside(host, "rm -rf /var/lib/towline/shop/lock");
                serves(&lab, host, 1);
            }
        }
    }
    // The second one has gone on with the release of the first.
    let said = must(0, &tow(&lab, "resume", &["--set", "late=0"]));
    assert!(said.contains("took the lock over") && said.contains("was not confirmed"), "{said}");
    for host in PAIR {
        serves(&lab, host, 2);
    }
}

/// Somebody removes `current`: what answers all the same is what the next switch ends, or goes back to.
#[test]
#[ignore = "needs real servers: tests/run"]
fn without_current_no_two_releases_stay_beside_each_other() {
    let lab = shop();
    must(0, &tow(&lab, "deploy", &ONE));
    let before = serving(&lab, "srv1");
    lab.inside("srv1", "rm /srv/shop/current");
    must(0, &tow(&lab, "deploy", &ONE));
    let at_work = "systemctl list-units --plain --no-legend --state=active 'shop@*.service' | wc -l; \
        ls /etc/systemd/system/*.wants | grep -c '^shop@'";
    assert_eq!(lab.inside("srv1", at_work), "1\n1");
    all_is_well(&lab, "srv1");
    must(0, &tow(&lab, "rollback", &ONE));
    serves(&lab, "srv1", before);
    // A release that somebody has started by hand.
    let other = serving(&lab, "srv1") + 1;
    lab.inside(
        "srv1",
        &format!("cd /etc/systemd/system && systemctl enable -q --now shop@{other}-*.service"),
    );
    must(0, &tow(&lab, "deploy", &ONE));
    assert_eq!(lab.inside("srv1", at_work), "1\n1");
    all_is_well(&lab, "srv1");
}
