//! A plan writes nothing, says what a run does, and a second run has nothing to do.

use std::collections::BTreeMap;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use crate::project::{Ran, Towline};
use crate::support::account::Account;
use crate::support::sshd::Sshd;

/// Every name below `root` with what tells whether it was touched.
fn state(root: &Path) -> BTreeMap<String, (i64, i64, u32, u64)> {
    let mut all = BTreeMap::new();
    let mut open = vec![root.to_owned()];
    while let Some(path) = open.pop() {
        let Ok(meta) = std::fs::symlink_metadata(&path) else { continue };
        all.insert(path.display().to_string(), (meta.mtime(), meta.mtime_nsec(), meta.mode(), meta.len()));
        if meta.is_dir() {
            open.extend(std::fs::read_dir(&path).into_iter().flatten().flatten().map(|entry| entry.path()));
        }
    }
    all
}

const KINDS: &str = r#"
[[stages]]
name = "files"
[[stages.tasks]]
name = "directory"
directory = { path = "~/app", mode = "0750" }
[[stages.tasks]]
name = "file"
file = { path = "~/app/conf", content = "one\nnew\n", mode = "0640" }
notify = ["handler"]
[[stages.tasks]]
name = "template"
template = { src = "t.hbs", dest = "~/app/rendered" }
[[stages.tasks]]
name = "link"
link = { path = "~/app/current", target = "conf" }
[[stages.tasks]]
name = "line"
line = { path = "~/app/conf", line = "ensured" }
[[stages.tasks]]
name = "env"
env = { path = "~/app/.env", vars = { SECRET = "hush hush" } }
[[stages.tasks]]
name = "upload"
upload = { src = "tree", dest = "~/app/tree" }
[[stages.handlers]]
name = "handler"
command = "touch ~/app/handled"
[[stages]]
name = "commands"
[[stages.tasks]]
name = "creates"
command = "touch ~/app/made"
creates = "~/app/made"
[[stages.tasks]]
name = "script"
script = { content = "touch ~/app/scripted" }
creates = "~/app/scripted"
[[stages.tasks]]
name = "behind"
file = { path = "~/app/tree/behind", content = "x" }
[[stages.tasks]]
name = "assert"
assert = { command = "test -e ~/app/made" }
"#;

fn project(sshd: &Sshd, account: &Account) -> Towline {
    let tow = Towline::new();
    std::fs::create_dir_all(tow.path("tree/sub")).unwrap();
    let home = account.home.display().to_string();
    tow.inventory(&format!(
        "{}[hosts.web1]\naddress = \"127.0.0.1\"\n[hosts.web2]\naddress = \"127.0.0.1\"\n",
        crate::project::defaults(sshd, &account.name)
    ))
    .file("t.hbs", "for {{os.kernel}}\n")
    .file("tree/one", "1")
    .file("tree/sub/two", "2")
    .playbook(&KINDS.replace('~', &home))
}

fn named<'a>(ran: &'a Ran, outcome: &str) -> Vec<&'a str> {
    let found =
        ran.of("task_finished").filter(|event| event["host"] == "web1" && event["outcome"] == outcome);
    found.map(|event| event["task"].as_str().unwrap()).collect()
}

#[test]
fn a_plan_writes_nothing_and_agrees_with_the_run() {
    let sshd = Sshd::start(&[]);
    let account = Account::new("/bin/bash");
    let tow = project(&sshd, &account);
    // What a connection itself leaves.
    tow.ended(&["exec", "--", "true"]).ends(0);
    std::fs::create_dir(account.home.join("app")).unwrap();
    account.write("app/conf", "one\nold\n");
    let before = state(&account.home);
    let plan = tow.plan(&["--limit", "web1"]).ends(0);
    assert_eq!(state(&account.home), before);
    let mine = |path: &String| path.contains("/tow-") && path.matches('/').count() == 2;
    let left: Vec<String> =
        state(Path::new("/tmp")).into_keys().filter(mine).filter(|path| owned(path, &account)).collect();
    assert_eq!(left, Vec::<String>::new());
    let changes = ["directory", "file", "template", "link", "line", "env", "upload", "behind"];
    assert_eq!(named(&plan, "changed"), changes);
    assert_eq!(named(&plan, "unknown"), ["handler", "creates", "script", "assert"]);
    let diff = plan.task("web1", "file")["diffs"][0]["text"].as_str().unwrap();
    assert!(diff.contains("-old") && diff.contains("+new") && diff.contains(" one"), "{diff}");
    assert!(!plan.stdout.contains("hush"), "{}", plan.stdout);

    let ran = tow.run(&["--limit", "web1"]).ends(0);
    for task in named(&plan, "changed") {
        assert_eq!(ran.task("web1", task)["outcome"], "changed", "{task}");
    }
    let names = |ran: &Ran| {
        ran.tasks("web1").iter().map(|task| task.split(':').next().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(names(&plan), names(&ran));

    let text = std::fs::read_to_string(account.home.join("app/conf")).unwrap();
    assert_eq!(text, "one\nnew\nensured\n");
}

fn owned(path: &str, account: &Account) -> bool {
    let uid = std::fs::metadata(&account.home).unwrap().uid();
    std::fs::metadata(path).is_ok_and(|meta| meta.uid() == uid)
}

#[test]
fn a_second_run_changes_nothing_and_equal_plans_are_shown_once() {
    let sshd = Sshd::start(&[]);
    let account = Account::new("/bin/bash");
    let tow = project(&sshd, &account);
    let text = KINDS.replace("content = \"one\\nnew\\n\"", "content = \"one\\nensured\\n\"");
    let tow = tow.playbook(&text.replace('~', &account.home.display().to_string()));
    let shown = tow.ended(&["plan", "site.toml", "--plain"]).ends(0);
    assert_eq!(shown.stdout.matches("+ensured").count(), 1, "{}", shown.stdout);
    tow.run(&["--limit", "web1"]).ends(0);
    let before = state(&account.home.join("app"));
    let again = tow.run(&[]).ends(0);
    for host in ["web1", "web2"] {
        assert_eq!(again.host(host)["changed"], 0, "{:#?}", again.tasks(host));
    }
    assert_eq!(state(&account.home.join("app")), before);
    let plan = tow.plan(&[]).ends(0);
    assert_eq!(named(&plan, "changed"), Vec::<&str>::new());
    for event in plan.of("task_finished").filter(|event| event["outcome"] == "already") {
        assert!(!event["why"].as_str().unwrap().is_empty(), "{event}");
    }
    let shown = tow.ended(&["plan", "site.toml", "--plain"]).ends(0);
    assert!(
        shown.stdout.contains("nothing to change") || shown.stdout.contains("already"),
        "{}",
        shown.stdout
    );
}

/// What a task sees through a link that changes, or under another name, is looked at once that is done; a plan says so.
#[test]
fn a_way_that_changes_is_followed_anew() {
    let sshd = Sshd::start(&[]);
    let root = tempfile::tempdir().unwrap();
    let at = |path: &str| root.path().join(path);
    for (path, text) in [
        ("a/conf", "v2\n"),
        ("b/conf", "v1\n"),
        ("a/keep", "other\n"),
        ("b/keep", "important\n"),
        ("b/made", ""),
        ("real/f", "old\n"),
    ] {
        std::fs::create_dir_all(at(path).parent().unwrap()).unwrap();
        std::fs::write(at(path), text).unwrap();
    }
    for (link, target) in [("now", "a"), ("alias", "real")] {
        std::os::unix::fs::symlink(target, at(link)).unwrap();
    }
    let tasks = r#"
link = { path = "@/now", target = "b" }
file = { path = "@/now/conf", content = "v2\n" }
line = { path = "@/now/keep", line = "new" }
command = "touch @/ran"\ncreates = "@/now/made"
line = { path = "@/real/f", line = "one" }
line = { path = "@/alias/f", line = "two" }
"#;
    let task = |line: &str| {
        format!(
            "[[tasks]]\n{}\n",
            line.replace('@', &root.path().display().to_string())
                .replace("\\n", "\n")
                .replace("v2\n\"", "v2\\n\"")
        )
    };
    let playbook: String = tasks.lines().filter(|line| !line.is_empty()).map(task).collect();
    let tow = Towline::over(&sshd, &["a"]).playbook(&playbook);
    let planned = tow.plan(&[]).ends(0).tasks("a");
    let outcomes: Vec<&str> = planned.iter().map(|task| task.rsplit(": ").next().unwrap()).collect();
    assert_eq!(outcomes, ["changed", "unknown", "unknown", "unknown", "changed", "unknown"], "{planned:?}");
    tow.run(&[]).ends(0);
    let read = |path: &str| std::fs::read_to_string(at(path)).unwrap();
    assert_eq!(
        (read("b/conf"), read("b/keep"), read("real/f")),
        ("v2\n".into(), "important\nnew\n".into(), "old\none\ntwo\n".into())
    );
    assert!(!at("ran").exists());
    assert_eq!(read("a/keep"), "other\n");
    let again = tow.run(&[]).ends(0);
    assert!(again.tasks("a").iter().all(|task| task.ends_with(": already")), "{:?}", again.tasks("a"));
}
