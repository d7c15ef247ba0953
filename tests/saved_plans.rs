//! `tow plan -o` and `tow apply`, on this machine: done exactly as saved, or refused with what moved.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::fs;
use std::path::PathBuf;
use std::process::Command;

const SECRET: &str = "s3cr3t-\"value\"";

struct Bench {
    dir: tempfile::TempDir,
}

struct Said {
    code: Option<i32>,
    err: String,
}

impl Said {
    /// Ended with this code, and said all of `parts`.
    fn with(self, code: i32, parts: &[&str]) {
        assert_eq!(self.code, Some(code), "{}", self.err);
        let words = self.err.split_whitespace().collect::<Vec<_>>().join(" ");
        for part in parts {
            assert!(words.contains(part), "{part:?} is not in:\n{}", self.err);
        }
    }
}

impl Bench {
    fn new() -> Bench {
        let bench = Bench { dir: tempfile::tempdir().unwrap() };
        let root = bench.dir.path().display().to_string();
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

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn write(&self, name: &str, text: &str) {
        fs::write(self.path(name), text).unwrap();
    }

    fn tow(&self, args: &[&str]) -> Said {
        let output = Command::new(env!("CARGO_BIN_EXE_tow"))
            .args(args)
            .current_dir(self.dir.path())
            .env("HOME", self.dir.path())
            .env("TOKEN", SECRET)
            .env("NO_COLOR", "1")
            .env_remove("XDG_STATE_HOME")
            .output()
            .unwrap();
        Said { code: output.status.code(), err: String::from_utf8_lossy(&output.stderr).into_owned() }
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
    assert_eq!(fs::read_to_string(bench.path("site/motd")).unwrap(), "one here\n");
    bench
        .tow(&["apply", "site.plan"])
        .with(3, &["nothing was changed", "here: \"motd\" was a change, and is done already now"]);
    assert_eq!(fs::read_to_string(bench.path("site/count")).unwrap(), "run\n");
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
    assert_eq!(fs::read_to_string(bench.path("site/motd")).unwrap(), "by hand\n");
    assert_eq!(fs::read_to_string(bench.path("site/count")).unwrap(), "run\n");
}

#[test]
fn what_moved_in_the_project_is_named() {
    let bench = Bench::new();
    bench.planned();
    bench.write("motd.hbs", "three\n");
    bench.tow(&["apply", "site.plan"]).with(3, &["\"motd\" would do something else now", "a template"]);
    let text = fs::read_to_string(bench.path("site.toml")).unwrap();
    bench.write("site.toml", &text.replace("name = \"count\"", "name = \"number\""));
    bench.tow(&["apply", "site.plan"]).with(3, &["\"count\" is not in the playbook any more", "\"number\""]);
    assert!(!bench.path("site").exists());
}

#[test]
fn a_plan_holds_what_will_be_written_but_no_secret() {
    let bench = Bench::new();
    bench.planned();
    let text = fs::read_to_string(bench.path("site.plan")).unwrap();
    let plan: serde_json::Value = serde_json::from_str(&text).unwrap();
    let motd = bench.path("site/motd").display().to_string();
    assert_eq!(plan["hosts"]["here"][1]["files"][&motd], "one here\n", "{text}");
    assert!(!text.contains("s3cr3t"), "{text}");
    // Changed there, the secret is another plan all the same.
    let other = Command::new(env!("CARGO_BIN_EXE_tow"))
        .args(["apply", "site.plan"])
        .current_dir(bench.dir.path())
        .env("HOME", bench.dir.path())
        .env("TOKEN", "another")
        .output()
        .unwrap();
    assert_eq!(other.status.code(), Some(3), "{}", String::from_utf8_lossy(&other.stderr));
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
    let text = fs::read_to_string(bench.path("site.plan")).unwrap();
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
