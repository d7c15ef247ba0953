//! How the program ends before it has begun, and where what was asked for cannot be written.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod support;

use std::fs::OpenOptions;
use std::process::{Command, Stdio};

use crate::support::project::Project;

const LOCAL: &str = "[hosts.here]\nconnection = \"local\"\n";

#[test]
fn a_key_that_cannot_be_used_is_found_before_any_host_is_touched() {
    let project = Project::new();
    let touched = project.path("touched");
    project.write(
        "inventory.toml",
        &format!("{LOCAL}\n[hosts.away]\naddress = \"127.0.0.1\"\nport = 1\nkey = \"keys/deploy\"\n"),
    );
    project.write("site.toml", &format!("[[tasks]]\ncommand = \"touch {}\"\n", touched.display()));
    let missing = ["no private key", "keys/deploy: there is no such file", "inventory.toml:7:7"];
    project.tow_as("home", &[], &["run", "site.toml"]).with(2, &missing);
    project.tow_as("home", &[], &["exec", "--", "touch", touched.to_str().unwrap()]).with(2, &missing);
    project.write("keys/deploy", "no key at all\n");
    project.tow_as("home", &[], &["run", "site.toml"]).with(2, &["refused", "lets others read it"]);
    assert!(!touched.exists());
    // It is not wanted for this host.
    project.tow_as("home", &[], &["run", "site.toml", "--limit", "here"]).with(0, &[]);
    assert!(touched.exists());
}

fn tow(project: &Project, args: &[&str], stdout: Stdio) -> (Option<i32>, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tow"));
    command.args(args).current_dir(project.root()).stdin(Stdio::null()).env("HOME", project.root());
    let output = command.stdout(stdout).output().unwrap();
    (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
}

#[test]
fn data_that_cannot_be_written_is_an_error_and_a_reader_who_leaves_is_none() {
    let project = Project::new();
    project.write("inventory.toml", LOCAL);
    project.write("site.toml", "[[tasks]]\ncommand = \"true\"\n");
    project.tow_as(".", &[], &["run", "site.toml"]).with(0, &[]);
    let commands: [&[&str]; 8] = [
        &["completions", "bash"],
        &["hosts"],
        &["hosts", "--json"],
        &["plan", "site.toml"],
        &["run", "--json", "site.toml"],
        &["exec", "--", "echo", "hello"],
        &["history"],
        &["show"],
    ];
    for args in commands {
        let full = OpenOptions::new().write(true).open("/dev/full").unwrap();
        let (code, said) = tow(&project, args, full.into());
        assert_eq!(code, Some(3), "{args:?}: {said}");
        assert!(said.contains("cannot write to standard output: No space left"), "{args:?}: {said}");
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let (code, said) = tow(&project, args, writer.into());
        assert_eq!(code, Some(0), "{args:?}: {said}");
        assert!(!said.contains("standard output") && !said.contains("panicked"), "{args:?}: {said}");
    }
}
