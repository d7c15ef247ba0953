//! A secret that comes back from a host is in nothing that is shown or kept.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::bench::{Bench, CANARY, Said, forms, leak, said};

const MASKED: &str = "•••";

/// Says the secret in many forms, on both streams, in pieces, registered and printed again, and in a failure.
const PLAYBOOK: &str = r#"
[[stages]]
name = "all"

[[stages.tasks]]
name = "plain"
command = { run = "cat; env | grep ^S=; env | grep ^S= >&2", stdin = "{{secrets.s}}\n", env = { S = "{{secrets.s}}" } }
register = "said"
notify = ["tell"]

[[stages.tasks]]
name = "encoded"
command = { run = ["python3", "-"], env = { S = "{{secrets.s}}" }, stdin = """
import base64, json, os, shlex, sys, urllib.parse as url
s = os.environ["S"]
for before in ("", "x", "xy"):
    for after in ("", "\\n", "~"):
        print(base64.b64encode((before + s + after).encode()).decode())
        print(base64.urlsafe_b64encode((before + s + after).encode()).decode(), file=sys.stderr)
print(url.quote(s), url.quote(s, safe=""), url.quote_plus(s), json.dumps(s), json.dumps({"a": [s + "-x"]}), shlex.quote(s))
""" }

[[stages.tasks]]
name = "in pieces"
command = { run = ["python3", "-"], env = { S = "{{secrets.s}}" }, stdin = """
import os, sys, time
s = os.environ["S"]
for stream in (sys.stdout, sys.stderr):
    for c in s:
        stream.write(c); stream.flush(); time.sleep(0.01)
    stream.write("\\n")
    for start in (8192, 65536):
        stream.write("y" * (start - 9) + s + "z" * 200000 + s + "\\n"); stream.flush()
""" }
register = "pieces"

[[stages.tasks]]
name = "again"
command = { run = "cat", stdin = "{{said.stdout}}{{said.stderr}}{{pieces.stdout}}" }

[[stages.tasks]]
name = "line"
line = { path = "{D}/conf", line = "key={{secrets.s}}", create = true }

[[stages.tasks]]
name = "template {{secrets.s}}"
template = { src = "conf.hbs", dest = "{D}/rendered" }

[[stages.tasks]]
name = "fails"
command = { run = "cat >&2; exit 3", stdin = "{{said.stdout}}" }

[[stages.handlers]]
name = "tell"
command = { run = "cat; false", stdin = "{{secrets.s}}" }
"#;

fn bench() -> Bench {
    let bench = Bench::local();
    bench.playbook(PLAYBOOK);
    bench.write("conf.hbs", "password = {{json secrets.s}}\nurl = x\nraw = {{secrets.s}}\n");
    bench.write("rendered", "password = old\n");
    bench
}

fn assert_clean(what: &str, text: &str) {
    let forms = forms(CANARY);
    if let Some(form) = leak(text, &forms) {
        let line = text.lines().find(|line| line.contains(form)).unwrap_or(text);
        panic!("{what}: {form} in {}", &line.chars().take(400).collect::<String>());
    }
    // Half of it is a leak as well.
    for part in [&CANARY[..7], &CANARY[CANARY.len() - 7..]] {
        assert!(!text.contains(part), "{what}: {part}");
    }
}

fn all_files(folder: &Path, text: &mut String) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        if entry.file_type().unwrap().is_dir() {
            all_files(&entry.path(), text);
        } else {
            *text += &String::from_utf8_lossy(&fs::read(entry.path()).unwrap());
        }
    }
}

fn assert_failed_without_leak(what: &str, said: &Said) {
    assert_eq!(said.code, Some(3), "{what}: {}", said.text);
    assert!(said.text.contains(MASKED), "{what} says nothing of it: {}", said.text);
    assert_clean(what, &said.text);
}

/// Rows 6 and 7.
#[test]
fn output_errors_and_diffs_show_no_form_of_a_secret() {
    let ways: [&[&str]; 4] = [&["-vvv"], &["--plain", "-v", "--diff"], &["--json"], &["-q"]];
    for way in ways {
        let bench = bench();
        let said = bench.tow(&[&["run", "site.toml"], way].concat());
        assert_failed_without_leak(&way.join(" "), &said);
        let mut kept = String::new();
        all_files(&bench.path("state"), &mut kept);
        assert_clean("state folder", &kept);
    }
}

/// Rows 6 and 7.
#[test]
fn the_live_view_shows_no_form_of_a_secret() {
    let bench = bench();
    let tow = bench.command(&["run", "site.toml", "-v", "--diff"]);
    let mut live = Command::new("script");
    let tow_line = format!("{} run site.toml -v --diff", env!("CARGO_BIN_EXE_tow"));
    live.args(["-qefc", &tow_line, "/dev/null"])
        .current_dir(bench.dir.path())
        .stdin(std::process::Stdio::null());
    live.env("TERM", "xterm-256color").envs(tow.get_envs().filter_map(|(name, value)| Some((name, value?))));
    live.env_remove("SSH_AUTH_SOCK").env_remove("CI").env_remove("GITHUB_ACTIONS");
    assert_failed_without_leak("live", &said(&live.output().unwrap()));
}

/// Row 6.
#[test]
fn a_plan_shows_no_form_of_a_secret() {
    for way in [&["-v"][..], &["--json"]] {
        let said = bench().tow(&[&["plan", "site.toml"], way].concat());
        assert_eq!(said.code, Some(0), "{}", said.text);
        assert_clean(&format!("plan {}", way.join(" ")), &said.text);
    }
}

/// Row 6.
#[test]
fn mistakes_show_no_secret() {
    let bench = Bench::local();
    bench.playbook(
        "[[tasks]]\nfile = { path = \"{{secrets.s}}\", content = \"x\", mode = \"{{secrets.s}}\" }\n\
         [[tasks]]\nfor_each = \"{{secrets.s}}\"\ncommand = \"{{item}}\"\n\
         [[tasks]]\ntemplate = { src = \"{{secrets.s}}\", dest = \"/x\", owner = \"{{secrets.s}}\" }\n\
         [[tasks]]\nenv = { path = \"/x\", vars = { A = \"{{secrets.s}}${A}\" } }\n\
         [[tasks]]\nhttp = \"{{secrets.s}}\"\n[[tasks]]\nhttp = { url = \"http://x/\", timeout = \"{{secrets.s}}\" }\n\
         [[tasks]]\ncommand = \"true\"\nwhen = \"(eq secrets.s nothing)\"\n",
    );
    for way in [&["run"][..], &["plan"], &["plan", "--json"]] {
        let said = bench.tow(&[way, &["site.toml"]].concat());
        assert_eq!(said.code, Some(2), "{}", said.text);
        assert_clean("mistakes", &said.text);
        assert!(said.text.contains(MASKED), "{}", said.text);
    }
}

/// Rows 6 and 7: a key of several lines, as whole, line by line, and as JSON.
#[test]
fn no_line_of_a_key_is_shown() {
    let lines: Vec<String> = (0..6).map(|n| format!("canaryKEYline{n}AAAAbbbbCCCC/+{n}")).collect();
    let key = format!(
        "-----BEGIN OPENSSH PRIVATE KEY-----\n{}\n-----END OPENSSH PRIVATE KEY-----\n",
        lines.join("\n")
    );
    let bench = Bench::local().secret(&key);
    bench.playbook(
        r#"
[[tasks]]
name = "lines"
command = { run = "cat; sed -n 3p ~/key; python3 -c 'import json; print(json.dumps(open(\"key\").read()))'; base64 -w0 key; head -n 4 key >&2; sed 's/^/   > /' key; false", cwd = "{D}", stdin = "{{secrets.s}}" }
"#,
    );
    bench.write("key", &key);
    for way in [&["-v"][..], &["--json"]] {
        let said = bench.tow(&[&["run", "site.toml"], way].concat());
        assert_eq!(said.code, Some(3), "{}", said.text);
        assert!(said.text.contains(MASKED) && !said.text.contains("canaryKEY"), "{}", said.text);
        let encoded = forms("canaryKEYline3AAAAbbbbCCCC");
        assert_eq!(leak(&said.text, &encoded), None, "{}", said.text);
    }
}
