//! What is found in each application, and what is said of it.

use std::fmt::Write as _;

use crate::project::{FLAGS, Project, fixtures, said};

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

/// What is worth asking about is named where nobody can be asked.
#[test]
fn what_the_entry_could_be_is_named() {
    let project = Project::of("nothing");
    std::fs::write(
        project.folder.join("web.py"),
        "from kit import make\n\n\ndef create_app():\n    return make()\n",
    )
    .unwrap();
    let output = project.init(&["--database", "none"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(said(&output).contains("perhaps --entry 'web:create_app()'"), "{}", said(&output));
    std::fs::create_dir(project.folder.join("{{cookiecutter.name}}")).unwrap();
    let output = project.init(&["--database", "none"]);
    assert!(said(&output).contains("is a template of applications"), "{}", said(&output));
}

/// The lock file of a workspace is not in the folder that travels.
#[test]
fn a_member_of_a_workspace_knows_the_lock_above() {
    let project = Project::of("uv-workspace");
    let output = project.tow_in("backend", &[&["init", "--database", "postgresql"], &FLAGS[..]].concat());
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    assert!(said(&output).contains("is in ../uv.lock"), "{}", said(&output));
}
