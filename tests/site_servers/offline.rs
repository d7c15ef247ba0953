//! A server with no route to the outside: what Python needs is fetched by the operator and pushed.

use std::path::Path;
use std::process::Command;

use crate::lab::{Lab, text};
use crate::site::{Site, Wish};

const PACKAGES: &str = "python3-venv nginx certbot openssl curl logrotate";

#[test]
#[ignore = "needs real servers: tests/run"]
fn a_wheelhouse_serves_a_server_without_internet() {
    let lab = Lab::enter();
    let site = Site::init(
        &lab,
        &Wish { name: "offline", ..Wish::new("pythonweb", "sqlite", &["srv5"]).at("offline.lab.test") },
    );
    // Somebody has prepared the server; from now on nothing comes in.
    lab.inside("srv5", "apt-get -q update");
    lab.inside("srv5", &format!("DEBIAN_FRONTEND=noninteractive apt-get -q -y install {PACKAGES}"));
    let python = lab.inside("srv5", "python3 -c 'import sys; print(\"%d.%d\" % sys.version_info[:2])'");
    lab.lab(&["cut", "srv5"]);

    let failed = site.run(&[]);
    assert_eq!(failed.code, 3, "{}", failed.story());
    assert!(failed.error("web1").contains("(a wheelhouse)"), "{}", failed.error("web1"));

    let wheels = tempfile::tempdir().unwrap();
    download(&site, &python, wheels.path());
    let wheelhouse = format!("wheelhouse = {:?}", wheels.path().display().to_string());
    site.edit("inventory.toml", "wheelhouse = \"\"", &wheelhouse);
    site.run(&[]).must_succeed();
    site.browser().is_served();
    let token = site.browser().register();
    site.browser().publish("A post", Some(&token));
    assert_eq!(site.browser().titles()[0], "A post");
    site.nothing_is_left(&["web1"]);
    lab.lab(&["uncut", "srv5"]);
}

/// Wheels for the server's Python, whatever this machine's own is.
fn download(site: &Site<'_>, python: &str, wheels: &Path) {
    let mut pip = Command::new("python3");
    pip.args(["-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--dest"]).arg(wheels);
    pip.args(["--requirement"]).arg(site.path("requirements.txt"));
    pip.args(["--only-binary", ":all:", "--python-version", python, "--implementation", "cp"]);
    let machine = format!("_{}", std::env::consts::ARCH);
    for platform in ["manylinux_2_17", "manylinux2014", "manylinux_2_28", "manylinux_2_34"] {
        pip.args(["--platform", &format!("{platform}{machine}")]);
    }
    let output = pip.output().unwrap();
    assert!(output.status.success(), "{}", text(&output.stderr));
}
