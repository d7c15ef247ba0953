//! `tow plan -o` and `tow apply`, on this machine: done exactly as saved, or refused with what moved.

mod support;

use std::ops::Deref;

use support::project::{Project, Said};

const SECRET: &str = "s3cr3t-\"value\"";

struct Bench(Project);

impl Deref for Bench {
    type Target = Project;
    fn deref(&self) -> &Project {
        &self.0
    }
}

impl Bench {
    fn new() -> Bench {
        let bench = Bench(Project::new());
        let root = bench.root().display();
        bench.write(
            "inventory.toml",
            &format!(
                "[vars]\nroot = \"{root}/site\"\nword = \"one\"\n[secrets]\ntoken = {{ env = \"TOKEN\" }}\n\
                 [hosts.here]\nconnection = \"local\"\n"
            ),
        );
        bench.write("motd.hbs", "{{word}} {{host.name}}\n");
        bench.write(
            "site.toml",
            r#"
[[stages]]
name = "site"
  [[stages.tasks]]
  name = "folder"
  directory = { path = "{{root}}" }
  [[stages.tasks]]
  name = "motd"
  template = { src = "motd.hbs", dest = "{{root}}/motd" }
  [[stages.tasks]]
  name = "settings {{secrets.token}}"
  env = { path = "{{root}}/.env", vars = { TOKEN = "{{secrets.token}}" } }
  [[stages.tasks]]
  name = "count"
  command = "echo run >>{{root}}/count"
"#,
        );
        bench
    }

    fn tow(&self, args: &[&str]) -> Said {
        self.tow_as(".", &[("TOKEN", SECRET)], args)
    }

    fn planned(&self) {
        self.tow(&["plan", "site.toml", "-o", "site.plan"]).with(0, &["tow apply site.plan"]);
    }
}

#[test]
fn a_plan_is_done_as_it_was_saved_and_only_once() {
    let bench = Bench::new();
    bench.planned();
    assert!(!bench.path("site").exists(), "a plan writes nothing");
    bench.tow(&["apply", "site.plan"]).with(0, &["4 changed"]);
    assert_eq!(bench.read("site/motd"), "one here\n");
    bench
        .tow(&["apply", "site.plan"])
        .with(3, &["nothing was changed", "here: \"motd\" was a change, and is done already now"]);
    assert_eq!(bench.read("site/count"), "run\n");
}

#[test]
fn what_moved_on_a_host_is_named_and_nothing_is_done() {
    let bench = Bench::new();
    bench.tow(&["run", "site.toml"]).with(0, &[]);
    bench.write("motd.hbs", "two\n");
    bench.planned();
    bench.write("site/motd", "by hand\n");
    bench
        .tow(&["apply", "site.plan"])
        .with(3, &["here: \"motd\": ", "site/motd changed there", "plan again"]);
    assert_eq!(bench.read("site/motd"), "by hand\n");
    assert_eq!(bench.read("site/count"), "run\n");
}

#[test]
fn what_moved_in_the_project_is_named() {
    let bench = Bench::new();
    bench.planned();
    bench.write("motd.hbs", "three\n");
    bench.tow(&["apply", "site.plan"]).with(3, &["\"motd\" would do something else now", "a template"]);
    let text = bench.read("site.toml");
    bench.write("site.toml", &text.replace("name = \"count\"", "name = \"number\""));
    bench.tow(&["apply", "site.plan"]).with(3, &["\"count\" is not in the playbook any more", "\"number\""]);
    assert!(!bench.path("site").exists());
}

#[test]
fn a_plan_holds_what_will_be_written_but_no_secret() {
    let bench = Bench::new();
    bench.planned();
    let text = bench.read("site.plan");
    let plan: serde_json::Value = serde_json::from_str(&text).unwrap();
    let motd = bench.path("site/motd").display().to_string();
    assert_eq!(plan["hosts"]["here"][1]["files"][&motd], "one here\n", "{text}");
    assert!(!text.contains("s3cr3t"), "{text}");
    // Changed there, the secret is another plan all the same.
    bench.tow_as(".", &[("TOKEN", "another")], &["apply", "site.plan"]).with(3, &[]);
    bench
        .tow(&["plan", "site.toml", "--set", "db.password=x", "-o", "other.plan"])
        .with(2, &["would stand in the plan in the clear", "tow secrets set"]);
}

#[test]
fn what_is_no_plan_is_refused_with_what_to_do() {
    let bench = Bench::new();
    bench.write("no.plan", "[hosts]\n");
    bench.tow(&["apply", "no.plan"]).with(2, &["cannot read the plan no.plan", "tow plan PLAYBOOK -o FILE"]);
    bench.tow(&["apply", "none.plan"]).with(2, &["cannot read the plan none.plan"]);
    bench.planned();
    let text = bench.read("site.plan");
    bench.write(
        "old.plan",
        &text.replace(&format!("\"tow\": \"{}\"", env!("CARGO_PKG_VERSION")), "\"tow\": \"0.0.1\""),
    );
    bench.tow(&["apply", "old.plan"]).with(2, &["a plan of another version", "0.0.1"]);
    bench.write("cut.plan", &text[..text.len() / 2]);
    bench.tow(&["apply", "cut.plan"]).with(2, &["cannot read the plan cut.plan"]);
    // Nothing is written where not all could be planned.
    bench.write("inventory.toml", "[hosts.gone]\naddress = \"127.0.0.1\"\nport = 1\n[vars]\nroot = \"/x\"\nword = \"w\"\n[secrets]\ntoken = { env = \"TOKEN\" }\n");
    bench.tow(&["plan", "site.toml", "-o", "gone.plan"]).with(4, &["The plan is not saved"]);
    assert!(!bench.path("gone.plan").exists());
}
