//! `tow check` and `tow guide` without servers: what the files give away, this machine, and the guide as it is written.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::process::{Command, Output};

use insta::assert_snapshot;
use tempfile::TempDir;

const INVENTORY: &str = r#"
[defaults]
user = "deploy"
become = true

[secrets]
key = { env = "TOWLINE_TEST_KEY" }

[hosts."web[1:2]"]
address = "203.0.113.[11:12]"
vars = { name = "shop" }
groups = ["web"]

[hosts.db1]
address = "2001:db8::5"
port = 2222
"#;

const PLAYBOOK: &str = r#"
[[stages]]
name = "site"
hosts = "web"

  [[stages.tasks]]
  package = ["nginx", "python3-venv"]
  [[stages.tasks]]
  directory = "/srv/{{name}}"
  [[stages.tasks]]
  name = "settings"
  env = { path = "/srv/{{name}}/.env", vars = { SECRET_KEY = "{{secrets.key}}" } }
  [[stages.tasks]]
  venv = "/srv/{{name}}/venv"
  [[stages.tasks]]
  systemd_unit = { name = "{{name}}@.service", content = "[Service]\nExecStart=/bin/true\n" }
  [[stages.tasks]]
  nginx_site = { name = "{{name}}", content = "server { listen 80; }" }
  [[stages.tasks]]
  when = "(eq host.name \"web1\")"
  certificate = { domains = ["shop.example.com"], webroot = "/var/www/acme", email = "me@example.com" }

[[stages]]
name = "database"
hosts = "db1"

  [[stages.tasks]]
  postgres_db = { name = "shop", owner = "shop" }
"#;

fn folder() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("playbooks")).unwrap();
    std::fs::write(folder.path().join("inventory.toml"), INVENTORY).unwrap();
    std::fs::write(folder.path().join("playbooks/site.toml"), PLAYBOOK).unwrap();
    folder
}

fn tow(folder: &TempDir, arguments: &[&str], key: Option<&str>) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tow"));
    command.current_dir(folder.path()).args(arguments).env_remove("TOWLINE_TEST_KEY").env("NO_COLOR", "1");
    command.envs(key.map(|key| ("TOWLINE_TEST_KEY", key))).output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[test]
fn placeholders_are_told_of_and_not_connected_to() {
    let output = tow(&folder(), &["check"], Some("a secret key"));
    let said = text(&output.stdout);
    assert_eq!(output.status.code(), Some(3), "{said}{}", text(&output.stderr));
    let (findings, _) = said.rsplit_once("\n\n").unwrap();
    assert_snapshot!("check_of_placeholders", findings);
}

#[test]
fn mistakes_in_the_files_come_first() {
    let folder = folder();
    let output = tow(&folder, &["check"], None);
    assert_eq!(output.status.code(), Some(2));
    assert!(text(&output.stderr).contains("TOWLINE_TEST_KEY"), "{}", text(&output.stderr));
    let output = tow(&folder, &["check", "--set", "nmae=x"], Some("a secret key"));
    assert_eq!(output.status.code(), Some(2), "{}", text(&output.stdout));
}

#[test]
fn the_files_alone_need_neither_a_host_nor_a_secret() {
    let folder = folder();
    let output = tow(&folder, &["check", "--offline"], None);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    assert!(text(&output.stderr).contains("nothing was connected to"), "{}", text(&output.stderr));
    let output = tow(&folder, &["check", "--offline", "--set", "nmae=x"], None);
    assert_eq!(output.status.code(), Some(2), "{}", text(&output.stderr));
}

#[test]
fn this_machine_is_looked_at_too() {
    let folder = folder();
    std::fs::write(folder.path().join("inventory.toml"), "[hosts.here]\nconnection = \"local\"\n").unwrap();
    std::fs::write(folder.path().join("playbooks/site.toml"), "[[tasks]]\nvenv = '/tmp/v'\n").unwrap();
    let output = tow(&folder, &["check", "--json"], None);
    let events: Vec<serde_json::Value> =
        text(&output.stdout).lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let of = |topic: &str| events.iter().find(|event| event["topic"] == topic);
    assert_eq!(of("access").unwrap()["level"], "ok", "{}", text(&output.stdout));
    assert_eq!(of("clock").unwrap()["level"], "ok", "{}", text(&output.stdout));
    assert_eq!(events.last().unwrap()["event"], "run_finished");
}

#[test]
fn the_guide_needs_no_secret_and_is_the_same_each_time() {
    let folder = folder();
    let output = tow(&folder, &["guide"], None);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    let guide = text(&output.stdout);
    assert_snapshot!("guide", guide);
    let output = tow(&folder, &["guide", "-i", "inventory.toml", "-o", "GUIDE.md"], Some("a secret key"));
    assert_eq!((output.status.code(), text(&output.stdout).as_str()), (Some(0), ""));
    let written = std::fs::read_to_string(folder.path().join("GUIDE.md")).unwrap();
    assert_eq!(written.replace(" -i inventory.toml", ""), guide);
    assert!(!written.contains("a secret key"));

    for origin in ["{ file = \"no-such-file\" }", "{ command = [\"no-such-program\"] }"] {
        let inventory = INVENTORY.replace("{ env = \"TOWLINE_TEST_KEY\" }", origin);
        assert_ne!(inventory, INVENTORY);
        std::fs::write(folder.path().join("inventory.toml"), inventory).unwrap();
        let output = tow(&folder, &["guide"], None);
        assert_eq!(
            (output.status.code(), text(&output.stdout)),
            (Some(0), guide.clone()),
            "{origin}: {output:?}"
        );
    }
}
