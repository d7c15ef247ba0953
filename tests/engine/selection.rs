//! Variables in effect, ranges, limits, tags, `--set`.

use crate::project::Towline;

const INVENTORY: &str = r#"
[defaults]
connection = "local"
[vars]
a = "vars"
b = "vars"
c = "vars"
d = "vars"
e = "vars"
[groups.outer]
children = ["inner"]
vars = { b = "outer", c = "outer", d = "outer", e = "outer", from = "outer" }
[groups.inner]
vars = { from = "inner" }
[hosts."web[01:03]"]
groups = ["inner", "eu"]
vars = { c = "host", d = "host", e = "host" }
[hosts.db]
groups = ["us"]
"#;

const PLAYBOOK: &str = r#"
[vars]
d = "playbook"
e = "playbook"
[[stages]]
name = "say"
[[stages.tasks]]
name = "first"
tags = ["one"]
command = "echo {{a}} {{b}} {{c}} {{d}} {{e}} {{default from \"-\"}} {{host.name}}"
register = "said"
[[stages.tasks]]
name = "second"
tags = ["two"]
command = "true"
[[stages.tasks]]
name = "third"
command = "true"
tags = ["always"]
"#;

fn output(ran: &crate::project::Ran) -> Vec<String> {
    let mut lines: Vec<String> =
        ran.of("output").map(|event| event["text"].as_str().unwrap().trim().to_owned()).collect();
    lines.sort();
    lines
}

#[test]
fn later_layers_win() {
    let tow = Towline::new().inventory(INVENTORY).playbook(PLAYBOOK);
    let ran = tow.run(&["--limit", "web01:db", "--set", "e=set"]).ends(0);
    assert_eq!(
        output(&ran),
        ["vars outer host playbook set inner web01", "vars vars vars playbook set - db"]
    );
}

#[test]
fn ranges_and_limits_choose_hosts() {
    let tow = Towline::new().inventory(INVENTORY).playbook(PLAYBOOK);
    let chosen = |limit: &str| {
        let ran = tow.ended(&["hosts", "--limit", limit, "--json"]).ends(0);
        let names = ran.events.iter().map(|host| host["host"].as_str().unwrap().to_owned());
        names.collect::<Vec<_>>().join(" ")
    };
    assert_eq!(chosen("all"), "web01 web02 web03 db");
    assert_eq!(chosen("eu:!web03"), "web01 web02");
    assert_eq!(chosen("inner:db:&us"), "db");
    assert_eq!(chosen("web[02:03]"), "web02 web03");
    let ran = tow.run(&["--limit", "web04"]).ends(2);
    assert!(ran.stderr.contains("web04") && ran.stdout.is_empty(), "{ran:?}");
}

#[test]
fn tags_choose_tasks() {
    let tow = Towline::new().inventory(INVENTORY).playbook(PLAYBOOK);
    let tasks = |args: &[&str]| {
        let ran = tow.run(&[&["--limit", "db"], args].concat()).ends(0);
        let done = ran.of("task_started").map(|event| event["task"].as_str().unwrap().to_owned());
        done.collect::<Vec<_>>().join(" ")
    };
    assert_eq!(tasks(&[]), "first second third");
    assert_eq!(tasks(&["--tags", "two"]), "second third");
    assert_eq!(tasks(&["--skip-tags", "two"]), "first third");
    assert_eq!(tasks(&["--tags", "one,two", "--skip-tags", "one"]), "second third");
}

#[test]
fn all_mistakes_of_a_file_come_at_once_and_before_any_connection() {
    let tow = Towline::new().inventory("[hosts.a]\naddress = \"127.0.0.1\"\nport = 1\n").playbook(
        "[[tasks]]\nfile = { path = \"/x\", content = \"{{nobody}}\", mode = 755 }\n[[tasks]]\ncommadn = \"x\"\n",
    );
    let ran = tow.run(&[]).ends(2);
    for text in ["nobody", "755", "did you mean `command`", "site.toml:2", "site.toml:4"] {
        assert!(ran.stderr.contains(text), "{text}: {}", ran.stderr);
    }
    assert_eq!(ran.stdout, "");
}
