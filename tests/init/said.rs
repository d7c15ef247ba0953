//! What is found in each application, and what is said of it.

use std::fmt::Write as _;

use crate::project::{Project, fixtures, said};

/// The lines of an inventory that are of the application, without their comments.
fn settings(inventory: &str) -> String {
    let mut text = String::new();
    let mut section = "";
    for line in inventory.lines() {
        if line.starts_with('[') {
            section = line;
        }
        let told =
            ["[vars.app]", "[vars.env]", "[vars.db]"].contains(&section) || line.starts_with("websockets");
        let value = line.split("   #").next().unwrap_or(line).trim_end();
        if told
            && !value.is_empty()
            && !line.starts_with("# W")
            && (!line.starts_with('#') || line.contains(" = \"\""))
        {
            let _ = writeln!(text, "{value}");
        }
    }
    text
}

#[test]
fn of_every_fixture() {
    for name in fixtures() {
        let project = Project::of(&name);
        let output = project.init(&["--database", "postgresql"]);
        let mut text = format!("exit code {}\n{}", output.status.code().unwrap(), said(&output));
        if project.has("inventory.toml") {
            let _ = write!(text, "\n--- inventory.toml\n{}", settings(&project.read("inventory.toml")));
        }
        insta::assert_snapshot!(name.clone(), text);
    }
}

#[test]
fn of_the_examples() {
    for name in ["pythonweb", "django", "fastapi"] {
        let project = Project::of(&format!("examples/{name}"));
        let output = project.init(&["--database", "postgresql"]);
        assert_eq!(output.status.code(), Some(0), "{}", said(&output));
        let found = said(&output).split("\nWritten:").next().unwrap().to_owned();
        insta::assert_snapshot!(
            format!("example-{name}"),
            found + &settings(&project.read("inventory.toml"))
        );
    }
}

#[test]
fn all_that_is_missing_is_listed_at_once() {
    let project = Project::of("flask-factory");
    let output = project.tow(&["init"]);
    assert_eq!(output.status.code(), Some(2));
    let text = said(&output);
    assert!(text.contains("--host, --user, --domain, --email and --database"), "{text}");
    let output = project.tow(&["init", "--yes"]);
    assert!(said(&output).contains("needs --host and --domain"), "{}", said(&output));
    let output = Project::of("nothing").tow(&["init", "--local"]);
    assert!(said(&output).contains("needs --entry"), "{}", said(&output));
    assert!(!project.has("inventory.toml") && !project.has(".tow") && !project.has(".gitignore"));
}

#[test]
fn all_that_is_wrong_is_listed_at_once() {
    let project = Project::of("flask-factory");
    let flags = [
        "init",
        "--yes",
        "--host",
        "me@web",
        "--domain",
        "https://x",
        "--email",
        "nobody",
        "--entry",
        "rm -rf",
    ];
    let output = project.tow(&flags);
    assert_eq!(output.status.code(), Some(2));
    let text = said(&output);
    for flag in ["--host: ", "--domain: ", "--email: ", "--entry: "] {
        assert!(text.contains(flag), "{flag} {text}");
    }
    assert!(!project.has("inventory.toml"));
}

#[test]
fn an_entry_that_is_said_is_not_guessed() {
    let project = Project::of("flask-config");
    let output = project.init(&["--database", "none", "--entry", "shop:create_app('production')"]);
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    assert!(project.read("inventory.toml").contains("entry = \"shop:create_app('production')\""));
}
