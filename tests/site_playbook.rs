//! The shipped site playbook: it is read with the example inventory, and what it writes is what nginx and systemd read.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::path::Path;
use std::process::{Command, Output};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The example inventory, but for a host that nobody reaches: loopback, on a port where nothing listens.
fn tow(set: &[&str]) -> Output {
    let folder = tempfile::tempdir().unwrap();
    let inventory = std::fs::read_to_string(root().join("examples/site/inventory.toml")).unwrap();
    let near = inventory.replace("address = \"203.0.113.10\"", "address = \"127.0.0.1\"\nport = 9");
    assert_ne!(inventory, near);
    let file = folder.path().join("inventory.toml");
    std::fs::write(&file, near).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_tow"));
    command.current_dir(root()).args(["plan", "-i"]).arg(file).arg("playbooks/site.toml");
    command.args(set.iter().flat_map(|set| ["--set", set]));
    command.env("DB_PASSWORD", "a database password").env("SECRET_KEY", "k".repeat(40)).output().unwrap()
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&[output.stdout.as_slice(), &output.stderr].concat()).into_owned()
}

/// Everything is rendered and checked before the first connection, and only that fails.
#[test]
fn it_is_read_with_the_example_inventory() {
    for set in
        [&[][..], &["app.repo=https://example.com/me/shop.git"], &["acme.server=https://127.0.0.1:14000/dir"]]
    {
        let output = tow(set);
        assert_eq!(output.status.code(), Some(4), "{set:?}\n{}", said(&output));
        assert!(!said(&output).contains("a database password"), "{}", said(&output));
    }
}

#[test]
fn what_is_missing_is_told_before_any_connection() {
    let output = tow(&["app.domains=shop.example.com"]);
    assert_eq!(output.status.code(), Some(2), "{}", said(&output));
    assert!(said(&output).contains("app.domains"), "{}", said(&output));
}
