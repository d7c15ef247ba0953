//! `tow status`, `tow update` and `tow drift` of an application that runs on real servers.

use std::process::Command;

use serde_json::Value;

use crate::lab::{Lab, text};
use crate::releases::{PLAYBOOK, SERVER, must, serves, shop, tow};

/// In the checkout that is the source.
fn git(lab: &Lab, args: &[&str]) {
    let mut command = Command::new("git");
    command.args(["-c", "user.name=Ann", "-c", "user.email=ann@example.com"]).args(args);
    let output = command.current_dir(lab.folder.path().join("shop")).output().unwrap();
    assert!(output.status.success(), "{args:?}: {}", text(&output.stderr));
}

fn commit(lab: &Lab, message: &str, files: &[(&str, &str)]) {
    for (name, content) in files {
        lab.write(&format!("shop/{name}"), content);
    }
    git(lab, &["add", "-A"]);
    git(lab, &["commit", "-q", "-m", message]);
}

const GATE: &str = r#"
  [[stages.tasks]]
  name = "the application answers"
  tags = ["switch"]
  http = { url = "http://localhost/", unix = "/run/shop.sock" }

[[stages]]
name = "finish"
"#;

#[test]
#[ignore = "needs real servers: tests/run"]
fn what_is_to_come_is_told_then_deployed_and_drift_is_seen() {
    let lab = shop();
    let playbook = PLAYBOOK
        .replace("\n[[stages]]\nname = \"finish\"\n", GATE)
        .replace("dest = \"{{here}}/src\" }", "dest = \"{{here}}/src\", exclude = [\".git\"] }");
    lab.write("playbook.toml", &playbook);
    git(&lab, &["init", "-q", "-b", "main"]);
    commit(&lab, "First", &[("server.py", SERVER), ("requirements.txt", "flask==3.0\n")]);
    assert!(must(10, &tow(&lab, "update", &["--check"])).contains("serves nothing"));
    must(0, &tow(&lab, "update", &["--yes"]));
    let said = must(0, &tow(&lab, "status", &[]));
    for part in ["active for ", "good: status 200", "none: it serves what", " free of ", "finished 1-"] {
        assert_eq!(said.matches(part).count(), 2, "{part}: {said}");
    }

    commit(&lab, "Prices", &[("migrations/0001_prices.py", ""), ("requirements.txt", "flask==3.1\n")]);
    let said = must(10, &tow(&lab, "update", &["--check"]));
    for part in [
        "srv1 and srv2: serves 1-",
        "1 commit behind",
        "Prices (Ann)",
        "+ migrations/0001_prices.py",
        "+ flask==3.1",
    ] {
        assert!(said.contains(part), "{part}: {said}");
    }
    serves(&lab, "srv1", 1);
    planned(&lab);
    must(0, &tow(&lab, "update", &["--yes", "--limit", "srv1"]));
    let said = must(10, &tow(&lab, "update", &["--check"]));
    assert!(said.contains("srv1: serves 2-") && said.contains("srv2: serves 1-"), "{said}");
    must(0, &tow(&lab, "update", &["--yes"]));
    for host in ["srv1", "srv2"] {
        serves(&lab, host, 3);
    }
    must(0, &tow(&lab, "update", &["--check"]));
    let output = tow(&lab, "status", &["--json"]);
    for line in text(&output.stdout).lines() {
        let host: Value = serde_json::from_str(line).unwrap();
        assert_eq!((&host["healthy"], &host["update"]["pending"]), (&true.into(), &false.into()), "{host}");
        assert_eq!((&host["last"]["event"], &host["lock"]), (&"finished".into(), &Value::Null), "{host}");
    }
    drift(&lab);

    // What the units say is no secret of the host's: it is asked, not remembered.
    lab.inside("srv2", "systemctl stop shop.socket 'shop@*'");
    let said = must(0, &tow(&lab, "status", &["--limit", "srv2"]));
    assert!(
        said.contains("inactive") && said.contains("bad: \"the application answers\": no answer"),
        "{said}"
    );
}

/// The plan of a deploy shows what differs from what serves, and not what only root may read.
fn planned(lab: &Lab) {
    let plan = || must(0, &tow(lab, "deploy", &["--plan", "--limit", "srv1"]));
    let said = plan();
    for part in ["-flask==3.0\n", "+flask==3.1\n", "1 of 3 files as in release 1-"] {
        assert!(said.contains(part), "{part}: {said}");
    }
    lab.inside(
        "srv1",
        "cd /srv/shop/current/src; mv requirements.txt kept; ln -s /etc/shadow requirements.txt",
    );
    let said = plan();
    assert!(said.contains("and not shown") && !said.contains("root:"), "{said}");
    lab.inside("srv1", "cd /srv/shop/current/src; mv kept requirements.txt");
}

fn drift(lab: &Lab) {
    let look = || lab.tow("shop", &["drift", "playbook.toml", "--limit", "srv1:srv2"]);
    let said = must(0, &look());
    assert_eq!(said.matches("nothing differs; last run from here").count(), 2, "{said}");
    lab.inside("srv1", "echo x >>/srv/shop/current/src/requirements.txt");
    let said = must(3, &look());
    assert!(said.contains("srv1: 1 task differs") && said.contains("by somebody else"), "{said}");
    assert!(said.contains("srv2: nothing differs"), "{said}");
    // Another run on the host, which this machine did not make.
    let line = r#"{"at":"2999-01-01T00:00:00Z","run":"feed","by":"them@there","event":"switched","release":"3-x","before":"","why":""}"#;
    lab.inside("srv1", &format!("echo '{line}' >>/var/lib/towline/shop/journal.jsonl"));
    let said = must(3, &look());
    assert!(said.contains("or by a run below") && said.contains("by them@there: switched 3-x"), "{said}");
    must(0, &tow(lab, "deploy", &[]));
    must(0, &look());
}
