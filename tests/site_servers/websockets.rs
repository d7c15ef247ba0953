//! A websocket through nginx to an ASGI application: opened over HTTPS, echoed, and kept while nobody says a word.

use std::path::Path;
use std::process::{Command, Stdio};

use crate::lab::{Lab, text};
use crate::site::{Site, Wish};

/// Seconds: how long nginx waits for an answer elsewhere, and how long nobody says anything here.
const TIMEOUT: u32 = 3;
const SILENCE: u32 = 9;

#[test]
#[ignore = "needs real servers: tests/run"]
fn a_websocket_outlasts_what_nginx_waits_for_answers() {
    let lab = Lab::enter();
    let site = Site::init(&lab, &Wish::new("fastapi", "sqlite", &["srv4"]).at("fastapi.lab.test"));
    site.edit("inventory.toml", "timeout = \"60s\"", &format!("timeout = \"{TIMEOUT}s\""));
    site.run(&[]).must_succeed();
    // Where an earlier test has left a release, that has a site of its own.
    site.told(&["deploy"], &[]).must_succeed();
    site.browser().is_served();

    let mut client = Command::new("python3");
    client.arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/site_servers/websocket.py"));
    client.args([&lab.address("srv4"), site.domain]).arg(lab.state.join("acme/issuer.pem"));
    let output = client.arg(SILENCE.to_string()).stdin(Stdio::null()).output().unwrap();
    assert_eq!(text(&output.stdout), "first\nthe same\n", "{}", text(&output.stderr));
}
