//! `tow drift` on this machine: what differs, and whether the host or the playbook has changed since it was applied.

mod support;

use std::fs;
use std::ops::Deref;

use support::project::{Project, Said};

struct Bench(Project);

impl Deref for Bench {
    type Target = Project;
    fn deref(&self) -> &Project {
        &self.0
    }
}

const PLAYBOOK: &str = r#"
[[stages]]
name = "site"
  [[stages.tasks]]
  name = "folder"
  for_each = ["", "/releases", "/releases/{{release}}"]
  directory = { path = "{{root}}{{item}}" }
  [[stages.tasks]]
  name = "motd"
  template = { src = "motd.hbs", dest = "{{root}}/motd" }
  [[stages.tasks]]
  name = "system"
  file = { path = "{{root}}/system", content = "{{os.family}} {{word}}\n" }
  [[stages.tasks]]
  name = "settings"
  env = { path = "{{root}}/releases/{{release}}/.env", vars = { TOKEN = "{{secrets.token}}" } }
  [[stages.tasks]]
  name = "current"
  link = { path = "{{root}}/current", target = "releases/{{release}}" }
  [[stages.tasks]]
  name = "always"
  tags = ["part"]
  changed_when = "false"
  command = "true"
"#;

impl Bench {
    fn new() -> Bench {
        let bench = Bench(Project::new());
        let root = bench.root().display();
        bench.write(
            "inventory.toml",
            &format!(
                "[vars]\nroot = \"{root}/srv\"\nword = \"one\"\nrelease = \"1\"\napp = {{ name = \"tow-test-drift\" }}\n\
                 [secrets]\ntoken = {{ env = \"TOKEN\" }}\n[hosts.here]\nconnection = \"local\"\n"
            ),
        );
        bench.write("motd.hbs", "{{word}} {{host.name}}\n");
        bench.write("site.toml", PLAYBOOK);
        bench
    }

    fn told_as(&self, home: &str, token: &str, args: &[&str]) -> Said {
        self.tow_as(home, &[("TOKEN", token)], args)
    }

    fn tow(&self, args: &[&str]) -> Said {
        self.told_as("home", "s3cr3t-value", args)
    }

    fn drift(&self) -> Said {
        self.tow(&["drift", "site.toml"])
    }
}

#[test]
fn each_side_that_changed_is_named() {
    let bench = Bench::new();
    bench.tow(&["run", "site.toml"]).with(0, &[]);
    bench.drift().with(0, &["here: nothing differs; last run from here", "1 command only a run can tell"]);

    bench.write("srv/motd", "by hand\n");
    let said = bench
        .drift()
        .with(3, &["1 task differs", "changed on the host since run", "by somebody else", "site: motd"]);
    assert!(!said.all.contains("or by a run below") && !said.all.contains("site: system"), "{}", said.all);
    assert_eq!(bench.read("srv/motd"), "by hand\n", "it only looks");

    // What is put right is no drift any more; a variable that changes then is the playbook's side.
    bench.tow(&["run", "site.toml"]).with(0, &[]);
    let said = bench.tow(&["drift", "site.toml", "--set", "word=two"]);
    let said =
        said.with(3, &["2 tasks differ", "the playbook, a template, a file or a variable changed since run"]);
    assert!(!said.all.contains("on the host"), "{}", said.all);
    bench.write("motd.hbs", "three\n");
    bench.write("srv/system", "by hand\n");
    bench
        .drift()
        .with(3, &["changed on the host since run", "site: system", "a template, a file", "site: motd"]);
}

#[test]
fn a_changed_secret_is_the_playbooks_side_and_is_nowhere() {
    let bench = Bench::new();
    bench.tow(&["run", "site.toml"]).with(0, &[]);
    let said = bench.told_as("home", "another-value", &["drift", "site.toml"]);
    let said = said.with(3, &["the playbook, a template, a file or a variable changed", "site: settings"]);
    assert!(!said.all.contains("another-value"), "{}", said.all);
    let folder = bench.path("home/.local/state/towline/applied");
    for file in fs::read_dir(&folder).unwrap() {
        let path = file.unwrap().path();
        assert!(!fs::read_to_string(&path).unwrap().contains("s3cr3t"), "{}", path.display());
    }
}

#[test]
fn who_else_was_at_work_is_told_and_who_never_applied_it_cannot_say() {
    let bench = Bench::new();
    bench.tow(&["run", "site.toml"]).with(0, &[]);
    let motd = bench.path("srv/motd").display().to_string();
    bench.tow(&["exec", "--", &format!("echo exec >{motd}")]).with(0, &[]);
    bench
        .drift()
        .with(3, &["by somebody else or by a run below", "at work there since then", "tow exec: echo exec"]);
    bench
        .told_as("other", "s3cr3t-value", &["drift", "site.toml"])
        .with(3, &["never applied from here", "site: motd"]);
    let said = bench.tow(&["drift", "site.toml", "--json"]).with(3, &[]);
    let line: serde_json::Value = serde_json::from_str(said.out.trim()).unwrap();
    assert_eq!(line["differences"][0]["changed"], "host", "{line}");
    assert_eq!(
        (&line["since"][0]["what"], &line["untold"]),
        (&format!("tow exec: echo exec >{motd}").into(), &1.into())
    );
}

#[test]
fn the_release_that_serves_is_what_is_looked_at() {
    let bench = Bench::new();
    bench.tow(&["run", "site.toml", "--set", "release=7-abc"]).with(0, &[]);
    bench.drift().with(0, &["here: nothing differs"]);
    bench.write("srv/releases/7-abc/.env", "TOKEN=other\n");
    bench.drift().with(3, &["site: settings", "changed on the host"]);
    // Its tasks are known although another release was applied since.
    bench.tow(&["run", "site.toml", "--set", "release=8-def"]).with(0, &[]);
    fs::remove_file(bench.path("srv/current")).unwrap();
    std::os::unix::fs::symlink("releases/7-abc", bench.path("srv/current")).unwrap();
    let said = bench.drift().with(3, &["site: settings", "changed on the host"]);
    assert!(!said.all.contains("site: current") && !said.all.contains("playbook"), "{}", said.all);
}

#[test]
fn who_came_between_two_runs_is_no_less_a_suspect() {
    let bench = Bench::new();
    bench.tow(&["run", "site.toml"]).with(0, &[]);
    let motd = bench.path("srv/motd").display().to_string();
    bench.tow(&["exec", "--", &format!("echo exec >{motd}")]).with(0, &[]);
    // A later run of a part of the playbook has not looked at it.
    bench.tow(&["run", "site.toml", "--tags", "part"]).with(0, &[]);
    bench.drift().with(3, &["or by a run below", "tow exec: echo exec", "site.toml"]);
}
