//! Every task kind, shown by data: `tests/cases/<kind>/<what it shows>.toml` is found by walking, never registered.
//!
//! ```toml
//! task = { path = "/etc/motd", content = "hi {{name}}\n" }   # the kind's own table (or a shorthand's value)
//! before = [{ directory = { path = "/srv/a" } }]             # tasks planned before, whose predictions are seen
//! after = [{ line = { path = "/x", line = "a" } }]           # tasks after it, whose questions are asked too
//! host = { user = "root", family = "debian" }                # any of HostFacts; these are the defaults
//! vars = { name = "x" }                                      # what template files may mention
//! secrets = ["hunter2"]                                      # text that holds one of these is secret
//! ignored = ["dist"]                                         # what git ignores below the folder that is uploaded
//!
//! [files]                                                    # the operator's files
//! "motd.hbs" = "hi {{name}}\n"
//! "site/run.sh" = { content = "#!/bin/sh\n", executable = true }
//! "site/large" = { content = "x", unread = true }             # as one that is too large to be kept in memory
//! "site/empty" = { dir = true }
//! "site/now" = { link = "run.sh" }
//!
//! [[facts]]                                                  # one table for each thing that the host knows
//! path = "/etc/motd"                                         # answers Path, Digest and Content. One of:
//! file = "text"                                              #   0644 root:root, or with all that may differ:
//! # file = { content = "text", mode = "0600", owner = "app", group = "app" }
//! # dir = {}  ·  dir = { mode = "0700", owner = "app" }  ·  link = "target"  ·  other = true (a socket)
//! # absent = true  ·  denied = true (the folder may not be searched)
//! #   Folders above a path that is given exist (0755 root:root) unless given themselves; what is below an
//! #   absent path is absent.
//! [[facts]]
//! tree = "/srv/site"                                         # or with `absent = true`
//! entries = { "run.sh" = { content = "x", executable = true }, "d" = { dir = true }, "l" = { link = "x" } }
//! [[facts]]
//! user = "app"                                               # or with `absent = true`
//! uid = 1001                                                 # gid, home, login_shell, comment, groups: have defaults
//! [[facts]]
//! shell = "dpkg-query"                                       # a part of the probe's script, found in one only
//! stdout = "installed"                                       # and code = 0
//!
//! [expect]                                                   # exactly one of already, change, error, mistake
//! already = "/etc/motd is as wanted"
//! # what = ["write /etc/motd"]            and, each where given, compared exactly:
//! # unknown = true                        its effect cannot be predicted
//! # actions = ["install /etc/motd 0644 -:-", "run systemctl reload nginx"]       see tests/case/show.rs
//! # contents = { "/etc/motd" = "hi x\n" } the whole text that an install writes
//! # predicts = ["path /etc/motd = file 0644 root:root 5 bytes"]                  see tests/case/show.rs
//! # secret = true                         no diff of it may be shown
//! # error = "cannot write /x/y: the folder /x does not exist"   and hint = "…"
//! # mistake = "src: no such file"         found while loading (or reading) the task's table; and hint = "…"
//! ```
//!
//! Beyond what a case says, each one that gives a predictable change is planned a second time with what it
//! predicted: that must give `already`. A fact that no task asked for, and a question that no fact answers, fail.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "case/mod.rs"]
mod case;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use case::{Case, Seen};
use towline::task::KINDS;

/// Kinds that run every time: only `creates` and `unless`, which every task may carry, stop them.
const ALWAYS_RUN: &[&str] = &["command", "script"];
/// Kinds that look and never change anything.
const NEVER_CHANGE: &[&str] = &["assert"];

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases")
}

fn entries(folder: &Path) -> Vec<PathBuf> {
    let mut found: Vec<PathBuf> =
        std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    found.sort();
    found
}

fn name(path: &Path) -> &str {
    path.file_name().unwrap().to_str().unwrap()
}

#[test]
fn every_case_holds() {
    let mut failures = vec![];
    let mut seen: BTreeMap<String, Vec<Seen>> = BTreeMap::new();
    let only = std::env::var("CASE").unwrap_or_default();
    for kind in entries(&folder()) {
        for file in entries(&kind) {
            let label = format!("{}/{}", name(&kind), name(&file));
            if !label.contains(&only) {
                continue;
            }
            let text = std::fs::read_to_string(&file).unwrap();
            match Case::parse(&text).and_then(|case| case.check(name(&kind))) {
                Ok(outcome) => seen.entry(name(&kind).to_owned()).or_default().push(outcome),
                Err(why) => failures.push(format!("tests/cases/{label}\n{why}")),
            }
        }
    }
    assert!(failures.is_empty(), "{} failed\n\n{}", failures.len(), failures.join("\n\n"));
    if only.is_empty() {
        every_kind_is_shown(&seen);
    }
}

fn every_kind_is_shown(seen: &BTreeMap<String, Vec<Seen>>) {
    for kind in KINDS {
        let shows = |outcome: Seen| seen.get(*kind).is_some_and(|seen| seen.contains(&outcome));
        let last = if NEVER_CHANGE.contains(kind) { Seen::Error } else { Seen::Change };
        assert!(shows(last), "tests/cases/{kind} shows no {last:?}");
        if !ALWAYS_RUN.contains(kind) {
            assert!(shows(Seen::Already), "tests/cases/{kind} shows no {:?}", Seen::Already);
        }
    }
}

#[test]
fn no_case_is_forgotten() {
    for kind in entries(&folder()) {
        assert!(KINDS.contains(&name(&kind)), "tests/cases/{}: no such kind of task", name(&kind));
        for file in entries(&kind) {
            assert!(
                file.extension().is_some_and(|end| end == "toml"),
                "{}: not a .toml file, nobody reads it",
                file.display()
            );
        }
    }
}
