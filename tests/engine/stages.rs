//! Stages are barriers; waves, allowed failures and what happens to the others.

use crate::project::{Ran, Towline};
use crate::support::sshd::Sshd;

fn position(ran: &Ran, event: &str, stage: &str, host: Option<&str>) -> Vec<usize> {
    let found = ran.events.iter().enumerate().filter(|(_, given)| {
        given["event"] == event && given["stage"] == stage && host.is_none_or(|host| given["host"] == host)
    });
    found.map(|(at, _)| at).collect()
}

#[test]
fn a_stage_begins_when_all_hosts_have_ended_the_one_before() {
    let sshd = Sshd::start(&[]);
    let tow = Towline::over(&sshd, &["a", "b", "c"]).playbook(
        r#"
[[stages]]
name = "one"
[[stages.tasks]]
directory = "@/{{host.name}}"
[[stages.tasks]]
command = "test {{host.name}} != b || while ! test -e @/a/x -a -e @/c/x; do sleep 0.05; done; touch @/{{host.name}}/x"
[[stages]]
name = "two"
[[stages.tasks]]
command = "test -e @/a/x && test -e @/b/x && test -e @/c/x"
"#,
    );
    let ran = tow.run(&[]).ends(0);
    let ends = position(&ran, "task_finished", "one", None);
    let begins = position(&ran, "task_started", "two", None);
    assert!(ends.iter().max() < begins.iter().min(), "{ran:#?}");
    assert_eq!((ends.len(), begins.len()), (6, 3));
}

fn waves(extra: &str) -> Towline {
    let hosts = (1..=6).map(|n| format!("[hosts.h{n}]\n")).collect::<Vec<_>>().concat();
    Towline::new().inventory(&format!("[defaults]\nconnection = \"local\"\n{hosts}")).playbook(&format!(
        r#"
[[stages]]
name = "roll"
waves = [1, 2, "50%"]
{extra}
[[stages.tasks]]
name = "work"
command = "echo {{{{host.name}}}} >> @/log; test ! -e @/bad-{{{{host.name}}}}"
[[stages]]
name = "after"
[[stages.tasks]]
name = "more"
command = "true"
"#
    ))
}

#[test]
fn waves_go_one_after_the_other() {
    let tow = waves("");
    let ran = tow.run(&[]).ends(0);
    let sizes: Vec<usize> = ran
        .of("stage_started")
        .filter(|event| event["stage"] == "roll")
        .map(|event| event["hosts"].as_array().unwrap().len())
        .collect();
    assert_eq!(sizes, [1, 2, 3]);
    assert_eq!(tow.read("log").lines().count(), 6);
    assert_eq!(tow.read("log").lines().next(), Some("h1"));
}

#[test]
fn between_waves_there_is_time_to_look() {
    let ran = waves("pause = \"1s\"").run(&[]).ends(0);
    let said: Vec<&str> = ran.of("notice").filter_map(|event| event["text"].as_str()).collect();
    assert_eq!(said, ["1 s until wave 2 of 3 of stage roll", "1 s until wave 3 of 3 of stage roll"]);
}

#[test]
fn nobody_waits_for_a_wave_whose_hosts_have_all_failed() {
    let tow = waves("pause = \"1s\"\nmax_failures = 5");
    let before = "[[stages]]\nname = \"before\"\nmax_failures = 5\n[[stages.tasks]]\ncommand = \"test ! -e @/gone-{{host.name}}\"\n";
    let playbook = format!("{before}{}", tow.read("site.toml"));
    let tow = tow.playbook(&playbook).file("gone-h1", "").file("gone-h2", "").file("gone-h3", "");
    let ran = tow.run(&[]).ends(3);
    assert_eq!(ran.of("notice").count(), 0, "{ran:#?}");
    assert_eq!(tow.read("log").lines().count(), 3);
}

#[test]
fn where_nobody_can_be_asked_the_next_wave_does_not_begin() {
    let tow = waves("pause = \"ask\"");
    let ran = tow.run(&[]).ends(3);
    assert_eq!(tow.read("log").lines().collect::<Vec<_>>(), ["h1"]);
    assert!(format!("{ran:?}").contains("there is no terminal to ask at"), "{ran:#?}");
}

#[test]
fn a_failure_in_a_wave_stops_the_waves_behind_it() {
    let tow = waves("").file("bad-h2", "");
    let ran = tow.run(&[]).ends(3);
    let mut done: Vec<String> = tow.read("log").lines().map(ToOwned::to_owned).collect();
    done.sort();
    assert_eq!(done, ["h1", "h2", "h3"]);
    assert!(ran.of("stopping").next().unwrap()["why"].as_str().unwrap().contains("max_failures is 0"));
    assert_eq!(ran.host("h2")["verdict"], "failed");
    assert_eq!(ran.host("h6")["verdict"], "not_started");
    assert_eq!(ran.tasks("h1"), ["work: changed"]);
}

#[test]
fn as_many_failures_as_allowed_are_survived() {
    for (allowed, code_lines) in
        [("max_failures = 1", 6), ("max_failures = \"17%\"", 6), ("max_failures = \"10%\"", 3)]
    {
        let tow = waves(allowed).file("bad-h2", "");
        let ran = tow.run(&[]).ends(3);
        assert_eq!(tow.read("log").lines().count(), code_lines, "{allowed}");
        let more =
            if code_lines == 6 { vec!["work: changed", "more: changed"] } else { vec!["work: changed"] };
        // The second stage allows none, and none fails in it.
        assert_eq!(ran.tasks("h1"), more, "{allowed}");
        assert!(ran.tasks("h2").iter().all(|task| task.starts_with("work")), "{allowed}");
    }
}

#[test]
fn continue_leaves_failed_hosts_behind() {
    let tow = waves("on_failure = \"continue\"").file("bad-h1", "").file("bad-h2", "");
    let ran = tow.run(&[]).ends(3);
    assert_eq!(tow.read("log").lines().count(), 6);
    // Also in the stages behind it, which did not say so themselves.
    assert_eq!(ran.tasks("h3"), ["work: changed", "more: changed"]);
    assert_eq!(ran.tasks("h1"), ["work: failed"]);
    assert_eq!(ran.of("stopping").count(), 0);
}

#[test]
fn a_failure_of_its_own_stops_a_stage_behind_one_that_continues() {
    let tow = waves("on_failure = \"continue\"").file("bad-h1", "").file("worse-h2", "");
    let playbook =
        tow.read("site.toml").replace("command = \"true\"", "command = \"test ! -e @/worse-{{host.name}}\"");
    let last = "\n[[stages]]\nname = \"last\"\n[[stages.tasks]]\nname = \"end\"\ncommand = \"true\"\n";
    let ran = tow.playbook(&format!("{playbook}{last}")).run(&[]).ends(3);
    assert_eq!(ran.tasks("h3"), ["work: changed", "more: changed"]);
    let why = ran.of("stopping").next().unwrap()["why"].as_str().unwrap().to_owned();
    assert_eq!(why, "1 of 6 hosts failed in stage after, and max_failures is 0");
}

#[test]
fn a_stage_without_hosts_and_one_without_tasks_are_no_trouble() {
    let tow = Towline::new()
        .inventory("[defaults]\nconnection = \"local\"\n[groups.none]\n[hosts.a]\ngroups = [\"some\"]\n[hosts.b]\n")
        .playbook(
            "[[stages]]\nname = \"none\"\nhosts = \"some\"\n[[stages.tasks]]\ncommand = \"true\"\n\
             [[stages]]\nname = \"empty\"\n[[stages]]\nname = \"last\"\n[[stages.tasks]]\nname = \"x\"\ncommand = \"true\"\n",
        );
    let ran = tow.run(&["--limit", "b"]).ends(0);
    assert_eq!(ran.tasks("b"), ["x: changed"]);
    let ran = tow.plan(&["--limit", "b"]).ends(0);
    assert_eq!(ran.tasks("b"), ["x: unknown"]);
}
