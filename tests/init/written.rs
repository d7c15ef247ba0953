//! What is written: read unedited, never over somebody's work, all or nothing, and nothing secret in git.

use std::os::unix::fs::PermissionsExt as _;
use std::process::Command;

use crate::project::{Project, fixtures, said};

const APPLICATIONS: [&str; 3] = ["examples/pythonweb", "examples/django", "examples/fastapi"];

/// Everything is rendered and checked before the first connection, and only that fails.
#[test]
fn every_project_is_read_unedited() {
    let mut read = 0;
    for name in fixtures().iter().map(String::as_str).chain(APPLICATIONS) {
        for database in ["postgresql", "sqlite"] {
            let project = Project::of(name);
            if project.init(&["--database", database]).status.code() != Some(0) {
                continue;
            }
            let output = project.tow(&["plan", "site"]);
            assert_eq!(output.status.code(), Some(4), "{name} {database}\n{}", said(&output));
            read += 1;
            // It is of SQLite whatever the server has.
            if database == "sqlite" {
                let output = project.tow(&["plan", "-i", ".tow/local.toml", "local"]);
                assert_eq!(output.status.code(), Some(0), "{name}\n{}", said(&output));
            }
        }
    }
    assert!(read >= 20, "{read}");
}

/// The values of the example's own application must not get into others.
#[test]
fn nothing_of_the_example_is_left() {
    let project = Project::of("flask-factory");
    assert!(project.init(&["--database", "postgresql"]).status.success());
    let inventory = project.read("inventory.toml");
    for foreign in ["pythonweb", "203.0.113", "DB_PASSWORD=", "requirements-postgres", "www.shop"] {
        let lines: Vec<&str> = inventory.lines().filter(|line| line.contains(foreign)).collect();
        assert!(lines.is_empty(), "{lines:?}");
    }
}

#[test]
fn a_second_time_there_is_nothing_to_write() {
    let project = Project::of("flask-factory");
    assert!(project.init(&["--database", "sqlite"]).status.success());
    let key = project.read(".tow/secret_key");
    let output = project.init(&["--database", "sqlite"]);
    assert!(
        output.status.success() && said(&output).contains("Everything is here already"),
        "{}",
        said(&output)
    );
    assert_eq!(project.read(".tow/secret_key"), key);
}

#[test]
fn what_somebody_edited_is_not_replaced_without_a_word() {
    let project = Project::of("flask-factory");
    assert!(project.init(&["--database", "sqlite"]).status.success());
    let (mine, key) = (project.read("inventory.toml") + "# mine\n", project.read(".tow/secret_key"));
    std::fs::write(project.folder.join("inventory.toml"), &mine).unwrap();
    let output = project.init(&["--database", "sqlite"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(
        said(&output).contains("inventory.toml") && said(&output).contains("--force"),
        "{}",
        said(&output)
    );
    assert_eq!(project.read("inventory.toml"), mine);
    assert!(project.init(&["--database", "postgresql", "--force"]).status.success());
    assert!(project.read("inventory.toml").contains("engine = \"postgresql\""));
    assert_eq!(project.read(".tow/secret_key"), key, "a secret that a server may have stays");
}

#[test]
fn secrets_are_private_and_ignored_by_git() {
    let project = Project::of("flask-factory");
    std::fs::write(project.folder.join(".gitignore"), "*.pyc").unwrap();
    let git = |args: &[&str]| {
        let output = Command::new("git").current_dir(&project.folder).args(args).output().unwrap();
        String::from_utf8(output.stdout).unwrap()
    };
    git(&["init", "-q"]);
    assert!(project.init(&["--database", "postgresql"]).status.success());
    assert_eq!(project.read(".gitignore"), "*.pyc\n/.tow/\n/backups/\n");
    let untracked = git(&["status", "--porcelain", "-uall"]);
    assert!(untracked.contains("inventory.toml") && !untracked.contains(".tow"), "{untracked}");
    let (password, key) = (project.read(".tow/db_password"), project.read(".tow/secret_key"));
    assert!(password.trim().len() == 64 && key.trim().len() == 64 && password != key);
    for (path, mode) in [(".tow", 0o700), (".tow/db_password", 0o600), (".tow/secret_key", 0o600)] {
        let found = project.folder.join(path).metadata().unwrap().permissions().mode() & 0o777;
        assert_eq!(found, mode, "{path}");
    }
    // Nor does it travel to the server with the source.
    let plan = said(&project.tow(&["plan", "site"]));
    assert!(!plan.contains(password.trim()) && !plan.contains(key.trim()));
    assert!(project.read("playbooks/deploy.toml").contains("\".tow\""));
}

#[test]
fn all_or_nothing() {
    let project = Project::of("flask-factory");
    // A file where a folder has to be.
    std::fs::write(project.folder.join("playbooks"), "mine").unwrap();
    let output = project.init(&["--database", "postgresql"]);
    assert_ne!(output.status.code(), Some(0), "{}", said(&output));
    assert!(
        !project.has("inventory.toml") && !project.has(".tow") && !project.has(".gitignore"),
        "{}",
        said(&output)
    );
}

#[test]
fn several_servers_and_a_database_of_its_own() {
    let project = Project::of("flask-factory");
    let flags = ["--host", "127.0.0.2:9", "--db-host", "127.0.0.3:9", "--domain", "www.shop.example.com"];
    let output = project.init(&[&flags[..], &["--database", "postgresql"]].concat());
    assert!(output.status.success(), "{}", said(&output));
    let inventory = project.read("inventory.toml");
    let tail = inventory.split("[groups.db]").nth(1).unwrap();
    insta::assert_snapshot!("servers", tail);
    assert!(inventory.contains("networks = [\"127.0.0.1/32\", \"127.0.0.2/32\"]"), "{inventory}");
    assert!(inventory.contains("redirects = [\"www.shop.example.com\"]"), "{inventory}");
    let output = project.tow(&["plan", "site"]);
    assert_eq!(output.status.code(), Some(4), "{}", said(&output));
}

#[test]
fn several_servers_share_the_database_of_the_first() {
    let project = Project::of("flask-factory");
    let output = project.init(&["--host", "127.0.0.2:9", "--database", "postgresql"]);
    assert!(output.status.success(), "{}", said(&output));
    let inventory = project.read("inventory.toml");
    for line in [
        "networks = [\"127.0.0.1/32\", \"127.0.0.2/32\"]",
        "peers = [\"127.0.0.1\", \"127.0.0.2\"]",
        "host = \"127.0.0.1\"",
    ] {
        assert!(inventory.contains(line), "{line}\n{inventory}");
    }
}

#[test]
fn from_a_repository() {
    let origin = Project::of("flask-factory");
    for args in [
        &["init", "-q", "-b", "trunk"][..],
        &["add", "."],
        &["-c", "user.name=a", "-c", "user.email=a@example.com", "commit", "-qm", "first"],
    ] {
        assert!(Command::new("git").current_dir(&origin.folder).args(args).status().unwrap().success());
    }
    let project = Project::of("nothing");
    let repo = format!("file://{}", origin.folder.display());
    let output = project.init(&["--database", "postgresql", "--repo", &repo]);
    assert!(output.status.success(), "{}", said(&output));
    let inventory = project.read("inventory.toml");
    assert!(
        inventory.contains(&format!("repo = \"{repo}\"")) && inventory.contains("ref = \"trunk\""),
        "{inventory}"
    );
    assert!(inventory.contains("name = \"flask-factory\""), "{inventory}");
    let output = project.tow(&["plan", "site"]);
    assert_eq!(output.status.code(), Some(4), "{}", said(&output));
    let output = project.init(&["--repo", "file:///nonexistent", "--database", "none"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(said(&output).contains("cannot clone"), "{}", said(&output));
    let output = project.init(&["--repo", "https://me:hunter2@127.0.0.1:9/shop.git", "--database", "none"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(!said(&output).contains("hunter2"), "{}", said(&output));
}
