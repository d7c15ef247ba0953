//! What becomes of a task: retries, timeouts, conditions, registered results, whose account.

use std::time::{Duration, Instant};

use crate::project::{Towline, alive, eventually};
use crate::support::account::Account;
use crate::support::sshd::Sshd;

#[test]
fn a_failing_task_is_tried_again_and_others_have_tries_of_their_own() {
    let tow = Towline::new().playbook(
        r#"
[[tasks]]
name = "first"
command = "echo x >> @/first; test $(wc -l < @/first) = 3"
retries = 2
[[tasks]]
name = "second"
command = "echo x >> @/second; test $(wc -l < @/second) = 3"
retries = 2
delay = "10ms"
creates = "@/second"
[[tasks]]
name = "third"
command = "echo x >> @/third; false"
retries = 1
[[tasks]]
name = "never"
command = "touch @/never"
"#,
    );
    let ran = tow.run(&[]).ends(3);
    assert_eq!(ran.tasks("here"), ["first: changed", "second: changed", "third: failed"]);
    assert_eq!(tow.read("third").lines().count(), 2);
    assert!(!tow.path("never").exists());
    let error = &ran.task("here", "third")["error"];
    assert!(error["command"].as_str().unwrap().contains("echo x >> "), "{error}");
}

#[test]
fn a_retry_looks_at_the_host_anew() {
    let tow = Towline::new().file("bad", "").playbook(
        r#"
[[tasks]]
name = "clear"
command = "true"
[[tasks]]
name = "assert"
assert = { command = "test ! -e @/bad" }
retries = 200
delay = "20ms"
"#,
    );
    let mut running = tow.start(&["run", "site.toml", "--json"]);
    running.until("again in");
    std::fs::remove_file(tow.path("bad")).unwrap();
    running.wait().ends(0);
}

#[test]
fn a_command_that_takes_too_long_is_ended_with_all_its_children() {
    let sshd = Sshd::start(&[]);
    let tow = Towline::over(&sshd, &["a"]).playbook(
        "[[tasks]]\nname = \"slow\"\ncommand = \"sleep 100 & echo $! > @/pid; wait\"\ntimeout = \"3s\"\n",
    );
    let began = Instant::now();
    let ran = tow.run(&[]).ends(3);
    assert!(began.elapsed() < Duration::from_secs(20));
    eventually("the child ends too", || !alive(&tow.read("pid")));
    let error = &ran.task("a", "slow")["error"];
    assert!(
        error.to_string().contains("3 s") && error["hint"].as_str().unwrap().contains("timeout"),
        "{error}"
    );
    assert!(ran.task("a", "slow")["elapsed_ms"].as_u64().unwrap() >= 3000);
}

#[test]
fn creates_unless_and_when_leave_tasks_out() {
    let sshd = Sshd::start(&[]);
    let tow = Towline::over(&sshd, &["a"]).playbook(
        r#"
[[tasks]]
name = "creates"
command = "touch @/made"
creates = "@/made"
[[tasks]]
name = "unless"
command = "touch @/done"
unless = "test -e @/done"
[[tasks]]
name = "other system"
command = "false"
when = "(eq os.kernel \"Plan9\")"
[[tasks]]
name = "this system"
command = "true"
when = "(eq os.kernel \"Linux\")"
changed_when = "(eq result.code 1)"
"#,
    );
    let skip = ["other system: skipped", "this system: unknown"];
    let ran = tow.run(&[]).ends(0);
    assert_eq!(ran.tasks("a"), [&["creates: changed", "unless: changed"][..], &skip].concat());
    let ran = tow.run(&[]).ends(0);
    assert_eq!(ran.tasks("a"), [&["creates: already", "unless: already"][..], &skip].concat());
}

/// Asked together with all others of its stage, before the file was there.
#[test]
fn unless_is_asked_again_behind_a_change() {
    let sshd = Sshd::start(&[]);
    let playbook = |text: &str| {
        format!(
            "[[tasks]]\nname = \"file\"\nfile = {{ path = \"@/source\", content = \"{text}\" }}\n\
             [[tasks]]\nname = \"copy\"\ncommand = \"cp @/source @/copy\"\n\
             unless = \"cmp -s @/source @/copy || ! test -e @/source\"\n"
        )
    };
    let mut tow = Towline::over(&sshd, &["a"]);
    for text in ["one", "two"] {
        tow = tow.playbook(&playbook(text));
        assert_eq!(tow.run(&[]).ends(0).tasks("a"), ["file: changed", "copy: changed"]);
        assert_eq!(tow.read("copy"), text);
        assert_eq!(tow.run(&[]).ends(0).tasks("a"), ["file: already", "copy: already"]);
    }
}

#[test]
fn results_are_used_by_later_tasks_and_stages_and_once_is_everybodys() {
    let sshd = Sshd::start(&[]);
    let tow = Towline::over(&sshd, &["a", "b"]).playbook(
        r#"
[[stages]]
name = "ask"
[[stages.tasks]]
name = "once"
command = "echo x >> @/once; printf {{host.name}}"
register = "leader"
once = true
[[stages.tasks]]
name = "own"
command = "printf own-{{host.name}}"
register = "own"
[[stages.tasks]]
name = "use"
file = { path = "@/{{host.name}}", content = "{{leader.stdout}} {{own.stdout}} {{own.changed}}" }
when = "(eq own.code 0)"
[[stages.tasks]]
name = "not"
command = "false"
when = "(ne leader.stdout \"a\")"
[[stages]]
name = "later"
[[stages.tasks]]
name = "across"
command = "printf '%s {{own.stdout}}' later > @/{{host.name}}.later"
when = "own.changed"
"#,
    );
    for parallel in ["1", "8"] {
        let ran = tow.run(&["--parallel", parallel]).ends(0);
        assert_eq!(tow.read("a"), "a own-a true");
        assert_eq!(tow.read("b"), "a own-b true");
        assert_eq!(tow.read("b.later"), "later own-b");
        assert!(ran.tasks("b").contains(&"once: skipped".to_owned()), "{:?}", ran.tasks("b"));
        assert!(ran.tasks("b").contains(&"not: skipped".to_owned()), "{:?}", ran.tasks("b"));
    }
    assert_eq!(tow.read("once").lines().count(), 2);
    let plan = tow.plan(&[]).ends(0);
    assert_eq!(
        plan.tasks("a"),
        ["once: unknown", "own: unknown", "use: unknown", "not: unknown", "across: unknown"]
    );
}

/// Two databases, each with two hosts; and one that says nothing to others.
#[test]
fn once_is_shared_by_those_who_say_the_same() {
    let sshd = Sshd::start(&[]);
    let inventory = crate::project::defaults(&sshd, "root");
    let host = |name: &str, db: &str| {
        format!("[hosts.{name}]\naddress = \"127.0.0.1\"\nvars = {{ db = \"{db}\" }}\n")
    };
    let hosts =
        [("a", "one"), ("b", "two"), ("c", "one"), ("d", "two"), ("e", "")].map(|(name, db)| host(name, db));
    let tow = Towline::new().inventory(&format!("{inventory}{}", hosts.concat())).playbook(
        r#"
[[tasks]]
name = "migrate"
once = "{{db}}"
when = "db"
register = "migrated"
command = "echo {{db}} >> @/once.{{host.name}}; printf {{db}}-by-{{host.name}}"
[[tasks]]
name = "use"
file = { path = "@/{{host.name}}", content = "{{migrated.stdout}}" }
"#,
    );
    for parallel in ["1", "8"] {
        let ran = tow.run(&["--parallel", parallel]).ends(0);
        assert_eq!(
            ["a", "b", "c", "d", "e"].map(|host| tow.read(host)),
            ["one-by-a", "two-by-b", "one-by-a", "two-by-b", ""]
        );
        assert_eq!(ran.tasks("d")[0], "migrate: skipped");
    }
    assert_eq!((tow.read("once.a"), tow.read("once.b")), ("one\none\n".to_owned(), "two\ntwo\n".to_owned()));
}

#[test]
fn once_goes_to_a_host_that_can_be_worked_on() {
    let sshd = Sshd::start(&[]);
    let inventory = crate::project::defaults(&sshd, "root");
    let tow = Towline::new()
        .inventory(&format!("{inventory}[hosts.gone]\nport = 1\naddress = \"127.0.0.1\"\n[hosts.a]\naddress = \"127.0.0.1\"\n[hosts.b]\naddress = \"127.0.0.1\"\n"))
        .playbook(
            "[[stages]]\nname = \"s\"\nmax_failures = 1\n[[stages.tasks]]\nname = \"o\"\nonce = true\ncommand = \"echo {{host.name}} >> @/once\"\n",
        );
    tow.run(&[]).ends(4);
    assert_eq!(tow.read("once"), "a\n");
}

#[test]
fn a_task_failing_in_the_middle_is_named_and_those_behind_it_are_not_run() {
    let sshd = Sshd::start(&[]);
    let tow = Towline::over(&sshd, &["a"]).playbook(
        r#"
[[tasks]]
name = "folder"
directory = "@/d"
[[tasks]]
name = "in the way"
link = { path = "/proc/nothing-here", target = "x" }
[[tasks]]
name = "behind"
file = { path = "@/d/f", content = "x" }
"#,
    );
    let ran = tow.run(&[]).ends(3);
    assert_eq!(ran.tasks("a"), ["folder: changed", "in the way: failed"]);
    assert!(tow.path("d").is_dir() && !tow.path("d/f").exists());
    let text = tow.ended(&["run", "site.toml", "--plain"]).ends(3);
    assert!(text.stderr.contains("in the way") && text.stderr.contains("site.toml:6"), "{text:?}");
}

#[test]
fn a_task_acts_as_another_account() {
    let sshd = Sshd::start(&[]);
    let account = Account::new("/bin/sh");
    let tow = Towline::over(&sshd, &["a"]).playbook(&format!(
        r#"
[[tasks]]
name = "who"
command = "id -un; pwd"
as = "{0}"
[[tasks]]
name = "file"
file = {{ path = "{1}/f", content = "x" }}
as = "{0}"
[[tasks]]
name = "unless"
command = "false"
unless = "test $(id -un) = {0} && test -z \"$LC_ALL\""
as = "{0}"
"#,
        account.name,
        account.home.display()
    ));
    let ran = tow.run(&[]).ends(0);
    let said: String = ran.of("output").map(|event| event["text"].as_str().unwrap()).collect();
    assert_eq!(said, format!("{}\n{}\n", account.name, account.home.display()));
    let owner = std::os::unix::fs::MetadataExt::uid(&std::fs::metadata(account.home.join("f")).unwrap());
    assert_ne!(owner, 0);
    assert_eq!(ran.tasks("a")[2], "unless: already");
}

#[test]
fn who_waits_for_another_hosts_result_does_nothing_behind_it_before() {
    let sshd = Sshd::start(&[]);
    let tow = Towline::over(&sshd, &["a", "b"]).playbook(
        r#"
[[tasks]]
name = "migrate"
once = true
register = "migrated"
command = "sleep 0.5; echo 2 > @/schema; echo by {{host.name}}"
[[tasks]]
name = "look"
command = "cat @/schema > @/seen.{{host.name}}"
[[tasks]]
name = "asked"
command = "touch @/asked.{{host.name}}"
unless = "test -e @/schema"
[[tasks]]
name = "cleared"
when = "migrated.changed"
file = { path = "@/cleared.{{host.name}}", content = "{{migrated.stdout}}" }
[[tasks]]
name = "and so on"
assert = "{{contains migrated.stdout \"by a\"}}"
"#,
    );
    // Nobody knows the result before, on neither host.
    let planned = tow.plan(&[]).ends(0);
    for host in ["a", "b"] {
        assert_eq!(planned.tasks(host)[3..], ["cleared: unknown", "and so on: unknown"], "{host}");
    }
    tow.run(&[]).ends(0);
    assert_eq!((tow.read("seen.a"), tow.read("seen.b")), ("2\n".into(), "2\n".into()));
    assert!(!tow.path("asked.b").exists() && tow.path("cleared.b").exists());
}

#[test]
fn a_result_has_no_line_break_at_its_end() {
    let tow = Towline::new().playbook(
        r#"
[[tasks]]
command = "printf 'srv1\n\n'; echo why >&2"
register = "h"
[[tasks]]
name = "equal"
command = "true"
when = '(and (eq h.stdout "srv1") (eq h.stderr "why"))'
"#,
    );
    assert_eq!(tow.run(&[]).ends(0).host("here")["skipped"], 0);
}

#[test]
fn half_of_an_output_gets_into_no_file_and_decides_nothing() {
    let long = "[[tasks]]\nname = \"long\"\ncommand = \"head -c 300000 /dev/zero | tr '\\\\0' x\"\nregister = \"long\"\n";
    let with = |task: &str| Towline::new().playbook(&format!("{long}[[tasks]]\n{task}\n"));
    for task in [
        "file = { path = \"@/made\", content = \"{{long.stdout}}\" }",
        "command = \"touch @/made\"\nwhen = '(contains long.stdout \"x\")'",
    ] {
        let tow = with(task);
        let ran = format!("{:?}", tow.run(&[]).ends(3));
        assert!(ran.contains("stdout of the result `long` is not whole"), "{ran}");
        assert!(ran.contains("300000 bytes") && ran.contains("write to a file on the host"), "{ran}");
        assert!(!tow.path("made").exists());
    }
    with("command = \"true\"\nwhen = \"(eq long.code 0)\"").run(&[]).ends(0);
}
