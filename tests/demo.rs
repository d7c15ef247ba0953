//! What `tow demo` stands on: the folder it makes, hosts that can be reached with it, and their end.

#![expect(clippy::expect_used, reason = "a test fails by panicking")]

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Command, Output};

use tokio::runtime::Runtime;
use towline::cli::demo::{Demo, check_pages, make_folder, prepare};

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn ssh(demo: &Demo, host: usize, script: &str) -> Output {
    let known = format!("UserKnownHostsFile={}", demo.known_hosts.display());
    let mut command = Command::new("ssh");
    command.args(["-F", "none", "-o", "BatchMode=yes", "-o", "StrictHostKeyChecking=yes", "-o", &known]);
    command.args(["-o", "IdentitiesOnly=yes", "-o", "IdentityAgent=none", "-i"]).arg(&demo.key);
    command.args(["-p", &demo.hosts[host].ssh_port.to_string(), "127.0.0.1", script]);
    command.output().expect("ssh")
}

fn mode(path: &Path) -> u32 {
    path.metadata().expect("a file").permissions().mode() & 0o777
}

#[test]
fn the_folder_has_all_that_is_needed_and_nothing_outlives_it() {
    let runtime = Runtime::new().expect("a runtime");
    let parent = tempfile::tempdir().expect("a folder");
    let folder = make_folder(Some(parent.path())).expect("the demo's folder");
    let demo = runtime.block_on(prepare(&folder)).expect("the demo");
    assert_eq!([mode(&folder), mode(&demo.key), mode(&demo.inventory)], [0o700, 0o600, 0o600]);

    let inventory: toml::Table =
        std::fs::read_to_string(&demo.inventory).expect("the inventory").parse().expect("TOML");
    let playbook: toml::Table =
        std::fs::read_to_string(&demo.playbook).expect("the playbook").parse().expect("TOML");
    assert_eq!(playbook["stages"].as_array().map(Vec::len), Some(2));
    for (index, host) in demo.hosts.iter().enumerate() {
        let output = ssh(&demo, index, "printf %s \"$HOME\"");
        assert_eq!(text(&output.stdout), host.home.display().to_string(), "{}", text(&output.stderr));
        let written = &inventory["hosts"][&host.name];
        assert_eq!(written["port"].as_integer(), Some(i64::from(host.ssh_port)));
        assert_eq!(written["vars"]["web_port"].as_integer(), Some(i64::from(host.web_port)));
    }
    assert!(demo.source.join("app/__init__.py").is_file());

    let nobody = runtime.block_on(check_pages(&demo)).expect_err("nothing is deployed");
    assert!(nobody.to_string().contains("web1: http://127.0.0.1:"), "{nobody}");

    let port = demo.hosts[0].ssh_port;
    runtime.block_on(demo.shutdown(false)).expect("a clean end");
    assert!(!folder.exists());
    std::net::TcpStream::connect(("127.0.0.1", port)).expect_err("nobody listens");
}

#[test]
fn a_folder_too_deep_for_a_socket_is_refused_at_once() {
    let parent = tempfile::tempdir().expect("a folder");
    let deep = parent.path().join("a".repeat(60));
    std::fs::create_dir(&deep).expect("a deep folder");
    let error = make_folder(Some(&deep)).expect_err("too deep");
    assert!(error.hint.expect("a hint").contains("--dir"));
}
