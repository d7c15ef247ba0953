//! What a host prints commands neither the terminal nor the CI system that shows it.

use std::process::{Command, Stdio};

use crate::bench::{Bench, Said, said};

const PLAYBOOK: &str = r###"
[[tasks]]
name = "hostile"
command = { run = ["python3", "-"], stdin = """
import sys
bad = ["\\x1b]0;title\\x07", "\\x1b]52;c;cHduZWQ=\\x07", "\\x1b]8;;http://evil.example/\\x1b\\\\\\\\click\\x1b]8;;\\x1b\\\\\\\\",
    "\\x9b31mred", "\\x9d0;t\\x9c", "\\x1bP+q544e\\x1b\\\\\\\\", "\\x1b[2J\\x1b[1;1H", "\\x1b[?1049h", "\\x1b[6n", "good\\rOK: evil",
    "\\u202egnp.exe", "\\x1bc", "\\x07\\x08\\x08", "::add-mask::evil", "  ::set-output name=x::y", "##vso[task.setvariable variable=x]y",
    "##[error]evil", "::stop-commands::t", "\\x1b", "\\x1b]52;c;unterminated"]
for text in bad:
    sys.stdout.buffer.write((text + "\\n").encode()); sys.stderr.buffer.write((text + "\\n").encode())
sys.stdout.buffer.write(b"\\x9b5n \\xff\\xfe\\n")
sys.exit(7)
""" }
"###;

fn assert_harmless(said: &Said) {
    assert_eq!(said.code, Some(3), "{}", said.text);
    let text = &said.text;
    for bad in [
        "\u{9b}",
        "\u{9d}",
        "\u{90}",
        "\u{7}",
        "\u{8}",
        "\u{202e}",
        "\x1b]",
        "\x1bP",
        "\x1bc",
        "\x1b[6n",
        "\x1b[2J",
        "\x1b[?1049h",
    ] {
        assert!(!text.contains(bad), "{bad:?} in {text:?}");
    }
}

fn assert_quiet(text: &str) {
    for line in text.lines() {
        let start = line.trim_start();
        assert!(!start.starts_with("::"), "{line:?}");
        assert!(!line.contains("##vso[") && !line.contains("##[error]"), "{line:?}");
    }
}

/// Rows 28 and 29.
#[test]
fn plain_lines_obey_no_host() {
    let bench = Bench::local();
    bench.playbook(PLAYBOOK);
    for ci in [None, Some("GITHUB_ACTIONS"), Some("TF_BUILD")] {
        let mut tow = bench.command(&["run", "site.toml", "-v", "--plain"]);
        tow.env("CI", "true").envs(ci.map(|name| (name, "true")));
        let said = said(&tow.output().unwrap());
        // GitHub's own annotation is ours; a message is one line, and percent-encoded.
        let text = said
            .text
            .lines()
            .filter(|line| ci.is_none() || !line.starts_with("::error"))
            .map(|line| format!("{line}\n"));
        let said = Said { text: text.collect(), code: said.code };
        assert!(!said.text.contains('\u{1b}') || ci.is_some(), "{:?}", said.text);
        assert_harmless(&said);
        assert_quiet(&said.text);
    }
}

/// Row 28.
#[test]
fn json_lines_hold_no_raw_control() {
    let bench = Bench::local();
    bench.playbook(PLAYBOOK);
    let said = bench.tow(&["run", "site.toml", "--json"]);
    assert_eq!(said.code, Some(3));
    assert!(said.text.chars().all(|c| c == '\n' || !c.is_ascii_control()), "{:?}", said.text);
}

/// Row 28.
#[test]
fn the_live_view_obeys_no_host() {
    let bench = Bench::local();
    bench.playbook(PLAYBOOK);
    let tow = bench.command(&[]);
    let mut live = Command::new("script");
    let tow_line = format!("{} run site.toml -v", env!("CARGO_BIN_EXE_tow"));
    live.args(["-qefc", &tow_line, "/dev/null"]).current_dir(bench.dir.path()).stdin(Stdio::null());
    live.envs(tow.get_envs().filter_map(|(name, value)| Some((name, value?)))).env("TERM", "xterm-256color");
    live.env_remove("CI").env_remove("GITHUB_ACTIONS");
    assert_harmless(&said(&live.output().unwrap()));
}
