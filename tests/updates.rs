//! `tow status` and `tow update` on this machine, with real git repositories: what is to come is told, nothing is touched.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod support;

use std::fs;
use std::ops::Deref;
use std::process::Command;

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
name = "switch"
  [[stages.tasks]]
  directory = "{{root}}/releases/{{release}}"
  [[stages.tasks]]
  name = "source"
  file = { path = "{{root}}/releases/{{release}}/made", content = "{{revision}}\n" }
  [[stages.tasks]]
  name = "the application answers"
  tags = ["switch"]
  http = { url = "http://localhost/healthz", unix = "{{root}}/shop.sock", timeout = "1s" }
"#;

impl Bench {
    /// A repository with two commits; nothing is deployed.
    fn new(source: &str) -> Bench {
        let bench = Bench(Project::new());
        let root = bench.root().display().to_string();
        let source = source.replace("ROOT", &root);
        bench.write(
            "inventory.toml",
            &format!(
                "[vars]\nroot = \"{root}/srv\"\nrevision = \"\"\n[vars.app]\nname = \"tow-test-shop\"\n{source}\n\
                 [hosts.one]\nconnection = \"local\"\nvars = {{ root = \"{root}/one\" }}\n\
                 [hosts.two]\nconnection = \"local\"\nvars = {{ root = \"{root}/two\" }}\n"
            ),
        );
        bench.write("deploy.toml", PLAYBOOK);
        bench.git(&["init", "-q", "-b", "main"]);
        bench.commit("First", &[("app.py", "1\n"), ("requirements.txt", "flask==3.0\ngunicorn==22\n")]);
        bench.commit("Second", &[("app.py", "2\n")]);
        bench
    }

    fn git(&self, args: &[&str]) -> String {
        fs::create_dir_all(self.path("shop")).unwrap();
        let mut command = Command::new("git");
        command.args(["-c", "user.name=Ann", "-c", "user.email=ann@example.com"]).args(args);
        let output = command.current_dir(self.path("shop")).env("HOME", self.root()).output().unwrap();
        assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }

    fn commit(&self, message: &str, files: &[(&str, &str)]) -> String {
        for (name, text) in files {
            self.write(&format!("shop/{name}"), text);
        }
        self.git(&["add", "-A"]);
        self.git(&["commit", "-q", "-m", message]);
        self.git(&["rev-parse", "HEAD"])
    }

    /// The host has finished a release of this revision, an hour ago.
    fn serves(&self, host: &str, number: u32, revision: &str) -> String {
        let name = format!("{number}-{}", &revision[..8]);
        let hour_ago = Command::new("date").args(["-u", "-d", "1 hour ago", "+%Y-%m-%dT%H:%M:%SZ"]).output();
        let finished = String::from_utf8(hour_ago.unwrap().stdout).unwrap();
        let mark = format!(
            "{{\"release\":\"{name}\",\"revision\":\"{revision}\",\"finished\":\"{}\",\"by\":\"ann@laptop\",\"run\":\"ab12\"}}",
            finished.trim()
        );
        self.write(&format!("{host}/releases/{name}/release.json"), &mark);
        self.write(&format!("{host}/releases/{name}/schema"), "0007\n");
        let _ = fs::remove_file(self.path(&format!("{host}/current")));
        std::os::unix::fs::symlink(format!("releases/{name}"), self.path(&format!("{host}/current")))
            .unwrap();
        name
    }

    fn tow(&self, args: &[&str]) -> Said {
        self.tow_as(".", &[], &[&args[..1], &["--playbook", "deploy.toml"], &args[1..]].concat())
    }
}

const FOLDER: &str = "source = \"ROOT/shop\"\nrepo = \"\"";
const REMOTE: &str = "repo = \"ROOT/shop/.git\"\nref = \"main\"";

#[test]
fn updates_are_told_and_hosts_that_differ_are_told_apart() {
    for source in [FOLDER, REMOTE] {
        let bench = Bench::new(source);
        let old = bench.git(&["rev-parse", "HEAD~1"]);
        let new = bench.commit(
            "Prices, \u{1b}[31mred",
            &[
                ("migrations/versions/0008_prices.py", "x\n"),
                ("requirements.txt", "flask==3.1\ngunicorn==22\n"),
                ("uv.lock", "[[package]]\nname = \"flask\"\nversion = \"3.1\"\n"),
            ],
        );
        bench.serves("one", 1, &old);
        bench.serves("two", 2, &new);
        let said = bench.tow(&["update", "--check"]);
        let said = said.with(
            10,
            &[
                "one: serves 1-",
                ": serves 2-",
                "2 commits behind ",
                "none: it serves what ",
                "Prices, red (Ann)",
                "Second (Ann)",
                "+ migrations/versions/0008_prices.py",
                "dependencies in requirements.txt\n    - flask==3.0\n    + flask==3.1\n",
                "dependencies in uv.lock\n    + flask 3.1\n",
            ],
        );
        assert!(!said.all.contains("First") && !said.all.contains("gunicorn"), "{}", said.all);
        let lines = bench.tow(&["update", "--check", "--json"]).with(10, &[]).json();
        assert_eq!(lines.len(), 2);
        let one = lines.iter().find(|line| line["host"] == "one").unwrap();
        assert_eq!(one["update"]["behind"], 2, "{one}");
        assert_eq!(one["update"]["revision"], new.as_str());
        assert_eq!(one["changes"]["migrations"][0], "+ migrations/versions/0008_prices.py");
        bench.tow(&["update", "--check", "--limit", "two"]).with(0, &["none: it serves what"]);
        bench.tow(&["update", "--limit", "two", "--yes"]).with(0, &["none: it serves what"]);
        // It goes the way of `tow deploy`, and only shows it here.
        bench.tow(&["update", "--plan"]).with(0, &["releases/3-", "Prices"]);
        bench.tow(&["update"]).with(2, &["nobody can be asked", "--yes"]);
        assert!(!bench.path("one/releases/3").exists());
    }
}

#[test]
fn what_is_not_committed_and_what_is_taken_back_is_said() {
    let bench = Bench::new(FOLDER);
    let new = bench.git(&["rev-parse", "HEAD"]);
    for host in ["one", "two"] {
        bench.serves(host, 1, &new);
    }
    bench.tow(&["update", "--check"]).with(0, &["one and two: serves"]);
    bench.write("shop/blog/migrations/0001_x.py", "");
    bench.write("shop/requirements.txt", "flask==3.0\n");
    bench
        .tow(&["update", "--check"])
        .with(10, &["changes that are not committed", "+ blog/migrations/0001_x.py", "- gunicorn==22"]);
    fs::remove_dir_all(bench.path("shop/blog")).unwrap();
    bench.git(&["reset", "-q", "--hard", "HEAD~1"]);
    bench.tow(&["update", "--check"]).with(10, &["1 commit ahead of", "taken back", "Second (Ann)"]);
    // Of a revision that is nowhere, nobody can say how far away it is; but that it is another one.
    bench.serves("one", 3, "00112233445566778899aabbccddeeff00112233");
    bench.tow(&["update", "--check", "--limit", "one"]).with(10, &["unknown", "is not among its commits"]);
}

#[test]
fn a_ref_that_is_not_there_is_an_error_and_status_says_unknown() {
    let bench = Bench::new(REMOTE);
    let new = bench.git(&["rev-parse", "HEAD"]);
    bench.serves("one", 1, &new);
    bench.tow(&["update", "--check", "--ref", "nowhere"]).with(3, &["no such branch or tag"]);
    fs::rename(bench.path("shop"), bench.path("away")).unwrap();
    bench.tow(&["status"]).with(0, &["update      unknown", "serves      1-"]);
    bench.tow(&["update", "--check"]).with(3, &["cannot tell whether there is something new"]);
}

#[test]
fn status_tells_all_of_a_host() {
    let bench = Bench::new(REMOTE);
    // Whoever looks, or goes back, needs no source.
    let finish = "[[stages.tasks]]\ntags = [\"switch\"]\nrelease_finish = { app = \"x\", root = \"{{root}}\", release = \"{{release}}\", revision = \"{{revision}}\", source = \"nowhere\" }\n";
    bench.write("deploy.toml", &format!("{PLAYBOOK}{finish}"));
    let old = bench.git(&["rev-parse", "HEAD~1"]);
    let name = bench.serves("one", 7, &old);
    let said = bench.tow(&["status"]).with(
        0,
        &[
            &format!("serves      {name}"),
            "deployed    60 min ago by ann@laptop (run ab12)",
            "schema      0007",
            "health      bad: \"the application answers\": no answer",
            "update      1 commit behind main",
            "certificate none",
            "free of",
            "serves      nothing: no release was deployed",
        ],
    );
    assert!(said.out.lines().all(|line| line.chars().count() <= 80), "{}", said.out);
    let lines = bench.tow(&["status", "--json"]).with(0, &[]).json();
    let one = &lines[0];
    assert_eq!((&one["host"], &one["release"]), (&"one".into(), &name.as_str().into()));
    assert_eq!((&one["update"]["behind"], &one["healthy"]), (&1.into(), &false.into()));
    assert_eq!((&one["schema"], &one["certificate_days"]), (&"0007".into(), &serde_json::Value::Null));
    assert!(one["disk_kib"]["free"].as_u64().unwrap() > 0, "{one}");
    assert!((3600..3700).contains(&one["deployed_seconds"].as_u64().unwrap()), "{one}");
    assert_eq!(lines[1]["release"], "");
}
