//! On the operator's side: what is kept is private, and a checkout from elsewhere does nothing by itself.

use std::fs;
use std::path::Path;

use crate::bench::{Bench, mode};

/// Row 36.
#[test]
fn the_state_folder_is_private_whatever_the_umask() {
    for umask in ["000", "022"] {
        let bench = Bench::local().umask(umask);
        bench.playbook(
            "[[stages]]\nname = \"a\"\n[[stages.tasks]]\nfile = { path = \"{D}/x\", content = \"x\" }\nnotify = [\"h\"]\n\
             [[stages.handlers]]\nname = \"h\"\ncommand = \"false\"\n",
        );
        assert_eq!(bench.tow(&["run", "site.toml"]).code, Some(3));
        let pending = bench.path("state/towline/pending");
        let files: Vec<_> = fs::read_dir(&pending).unwrap().flatten().collect();
        assert!(!files.is_empty());
        assert_eq!((mode(&pending), mode(&bench.path("state/towline"))), (0o700, 0o700));
        for file in files {
            assert_eq!(mode(&file.path()), 0o600, "{}", file.path().display());
        }
    }
}

/// Row 36.
#[test]
fn dependencies_are_checked_for_licence_source_and_advisories() {
    let deny: toml::Table =
        fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("deny.toml")).unwrap().parse().unwrap();
    assert_eq!(deny["sources"]["unknown-registry"].as_str(), Some("deny"));
    assert_eq!(deny["sources"]["unknown-git"].as_str(), Some("deny"));
    assert!(deny["licenses"]["allow"].as_array().is_some_and(|allowed| !allowed.is_empty()));
    assert!(deny.contains_key("advisories"));
}

/// Row 35: looking at a playbook runs no program of the checkout's, local host or not.
#[test]
fn a_plan_of_a_checkout_runs_nothing_here() {
    let bench = Bench::local();
    let inventory = "[secrets]\ns = { env = \"S\" }\n[hosts.web1]\nconnection = \"local\"\n";
    for bad in ["s = { command = \"touch {D}/ran\" }", "s = { exec = \"touch {D}/ran\" }"] {
        bench.write("inventory.toml", &inventory.replace("s = { env = \"S\" }", bad));
        bench.playbook("[[tasks]]\ncommand = \"true\"\n");
        assert_eq!(bench.tow(&["plan", "site.toml"]).code, Some(2));
    }
    // An inventory that is a program is a text file that is not TOML.
    bench.write("inventory.toml", "#!/bin/sh\ntouch ran\n");
    fs::set_permissions(bench.path("inventory.toml"), std::os::unix::fs::PermissionsExt::from_mode(0o755))
        .unwrap();
    assert_eq!(bench.tow(&["plan", "site.toml"]).code, Some(2));
    bench.write("inventory.toml", inventory);
    bench.playbook(
        "[[tasks]]\ncommand = \"touch {D}/ran\"\n[[tasks]]\nscript = { content = \"touch {D}/ran\" }\n",
    );
    bench.write(".ssh/config", "Match exec \"touch ran\"\n");
    assert_eq!(bench.tow(&["plan", "site.toml"]).code, Some(0));
    assert!(!bench.path("ran").exists());
}

/// Row 24: what a host says is a value, however it looks.
#[test]
fn what_a_host_says_is_never_rendered_again() {
    let bench = Bench::local();
    bench.playbook(
        "[[tasks]]\ncommand = \"printf '%s' '{''{secrets.s}''} {''{#if x}''} {''{lookup . 1}''}'\"\nregister = \"said\"\n\
         [[tasks]]\nfile = { path = \"{D}/x\", content = \"{{said.stdout}}\" }\n\
         [[tasks]]\ncommand = { run = \"cat\", stdin = \"{{said.stdout}}\" }\nregister = \"again\"\n\
         [[tasks]]\nfile = { path = \"{D}/y\", content = \"{{again.stdout}}\" }\n",
    );
    bench.run();
    for name in ["x", "y"] {
        assert_eq!(fs::read_to_string(bench.path(name)).unwrap(), "{{secrets.s}} {{#if x}} {{lookup . 1}}");
    }
}

/// Row 23: nothing is ever left empty, and nothing is escaped.
#[test]
fn a_missing_variable_stops_before_any_host_is_touched() {
    for text in [
        "{{nothing}}",
        "{{#if nothing}}x{{/if}}",
        "{{#unless a.b}}x{{/unless}}",
        "{{#each nothing}}{{/each}}",
        "{{eq a nothing}}",
    ] {
        let bench = Bench::local();
        bench.write("t.hbs", text);
        bench.playbook("[vars]\na = { c = 1 }\n[[tasks]]\nfile = { path = \"{D}/touched\", content = \"x\" }\n[[tasks]]\ntemplate = { src = \"t.hbs\", dest = \"{D}/x\" }\n");
        let said = bench.tow(&["run", "site.toml"]);
        assert_eq!(said.code, Some(2), "{text}: {}", said.text);
        assert!(!bench.path("touched").exists());
    }
    let bench = Bench::local();
    bench.write("t.hbs", "{{a}}");
    bench.playbook("[vars]\na = \"<&>\\\"'\"\n[[tasks]]\ntemplate = { src = \"t.hbs\", dest = \"{D}/x\" }\n");
    bench.run();
    assert_eq!(fs::read_to_string(bench.path("x")).unwrap(), "<&>\"'");
}
