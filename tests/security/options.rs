//! Values shaped like options stay values, whichever program a kind hands them to.

use towline::task::{Inputs, parse};
use towline::words::content::{Content, Files, TreeEntry};
use towline::words::fact::Probe;

struct Nothing;

impl Files for Nothing {
    fn read(&self, _: &str) -> Result<Vec<u8>, String> {
        Ok(b"x".to_vec())
    }
    fn content(&self, _: &str) -> Result<Content, String> {
        Ok(Content::text("x"))
    }
    fn tree(&self, _: &str) -> Result<Vec<TreeEntry>, String> {
        Ok(vec![])
    }
}

impl Inputs for Nothing {
    fn render(&self, _: &str, text: &str) -> Result<String, String> {
        Ok(text.to_owned())
    }
    fn is_secret(&self, _: &str) -> bool {
        false
    }
}

/// Every place of every kind where a name goes to a program, with `{}` for it.
const PLACES: &[(&str, &str)] = &[
    ("package", "names = '{}'"),
    ("package", "names = ['{}', 'git']"),
    ("service", "name = '{}'\nstate = 'started'"),
    ("user", "name = '{}'"),
    ("user", "name = 'app'\ngroups = ['{}']"),
    ("user", "name = 'app'\ngroup = '{}'"),
    ("user", "name = 'app'\nshell = '{}'"),
    ("user", "name = 'app'\nhome = '{}'"),
    ("user", "name = 'app'\ncomment = '{}'"),
    ("git", "repo = '{}'\ndest = '/srv/x'"),
    ("git", "repo = 'https://x.example/r'\ndest = '/srv/x'\nref = '{}'"),
    ("git", "repo = 'https://x.example/r'\ndest = '{}'"),
    ("pip", "venv = '/srv/v'\npackages = ['{}']"),
    ("pip", "venv = '{}'\npackages = ['a']"),
    ("pip", "venv = '/srv/v'\nrequirements = '{}'"),
    ("venv", "path = '{}'"),
    ("venv", "path = '/srv/v'\npython = '{}'"),
    ("file", "path = '{}'\ncontent = 'x'"),
    ("file", "path = '/x'\ncontent = 'x'\nowner = '{}'"),
    ("directory", "path = '/x'\ngroup = '{}'"),
    ("http", "url = '{}'"),
    ("http", "url = 'http://x/'\nmethod = '{}'"),
    ("http", "url = 'http://x/'\nheaders = { '{}' = 'x' }"),
    ("http", "url = 'http://x/'\nheaders = { A = '{}' }"),
    ("supervisor", "program = '{}'\nroot = '/srv/s'\ncommand = 'true'"),
    ("command", "run = 'true'\nenv = { '{}' = 'x' }"),
];

const SHAPES: &[&str] = &[
    "-rf",
    "--config=/etc/shadow",
    "--upload-pack=touch /tmp/x",
    "-oProxyCommand=x",
    "--",
    "-",
    "$(id)",
    "`id`",
    "a;id",
    "a\nid",
    "a b",
    "a$HOME",
    "../x",
    "ext::sh -c id",
    "a\u{0}b",
    "a\r\nX: y",
    "[x]",
];

/// All shell text that the kind would send before it knows anything.
fn questions(kind: &str, table: &str) -> Option<Vec<String>> {
    let mut task = parse(kind, toml::from_str(table).ok()?)?.ok()?;
    task.load(&Nothing).ok()?;
    Some(
        task.probes()
            .into_iter()
            .filter_map(|probe| if let Probe::Shell { script, .. } = probe { Some(script) } else { None })
            .collect(),
    )
}

/// Row 3: what looks like an option or shell code is refused when the playbook is read, or stands quoted and
/// behind `--` (or as a variable's value); it is never a bare word of a command line.
#[test]
fn no_name_is_taken_for_an_option_or_for_code() {
    let (mut refused, mut bad) = (0, vec![]);
    let mut quoted = 0;
    for (kind, place) in PLACES {
        if questions(kind, &place.replace("{}", fine(place))).is_none() {
            bad.push(format!("{kind}: {place} is no example"));
        }
        for shape in SHAPES {
            let escaped = shape.replace('\n', "\\n").replace('\r', "\\r").replace('\u{0}', "\\u0000");
            let table = place.replace('\'', "\"").replace("{}", &escaped);
            let Some(scripts) = questions(kind, &table) else {
                refused += 1;
                continue;
            };
            for script in scripts {
                assert_inert(kind, place, shape, &script);
                quoted += 1;
            }
        }
    }
    assert!(bad.is_empty(), "{bad:?}");
    assert!(refused > 100 && quoted > 20, "{refused} refused, {quoted} quoted");
}

/// A value that fits the place.
fn fine(place: &str) -> &'static str {
    match place {
        _ if place.contains("shell = '{}'")
            || place.contains("home = '{}'")
            || place.contains("python = '{}'") =>
        {
            "/usr/bin/python3"
        }
        _ if place.contains("url = '{}'") || place.contains("repo = '{}'") => "https://x.example/r",
        _ if place.contains("path = '{}'")
            || place.contains("venv = '{}'")
            || place.contains("dest = '{}'")
            || place.contains("requirements = '{}'") =>
        {
            "/srv/y"
        }
        _ if place.contains("method") => "POST",
        _ => "abc",
    }
}

/// Runs the script with every program replaced by one that tells its arguments: a value that begins with `-` may
/// stand only behind `--`, and none may have run as code.
fn assert_inert(kind: &str, place: &str, shape: &str, script: &str) {
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("log");
    for program in [
        "apt-get",
        "dpkg-query",
        "apt-cache",
        "git",
        "systemctl",
        "getent",
        "curl",
        "python3",
        "supervisorctl",
        "id",
        "touch",
        "ssh",
    ] {
        let path = folder.path().join(program);
        let text = format!(
            "#!/bin/sh\n{{ echo \"> {program}\"; for w; do printf '%s\\n' \"[$w]\"; done; }} >>{}\n",
            log.display()
        );
        std::fs::write(&path, text).unwrap();
        std::fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    }
    let path = format!("{}:{}", folder.path().display(), std::env::var("PATH").unwrap());
    let output = std::process::Command::new("timeout")
        .args(["10", "sh", "-c", script])
        .env("PATH", path)
        .output()
        .unwrap();
    let told = std::fs::read_to_string(&log).unwrap_or_default();
    for run in told.split("> ") {
        let mut words = run.lines();
        let program = words.next().unwrap_or_default();
        assert!(
            program != "touch" && !(program == "id" && words.clone().next().is_none()),
            "{kind} {place} {shape:?} ran code: {told}"
        );
        let words: Vec<&str> = words.collect();
        if shape.starts_with('-') && shape.len() > 2 {
            let own = words.iter().position(|word| *word == format!("[{shape}]"));
            let end = words.iter().position(|word| *word == "[--]");
            assert!(
                own.is_none_or(|own| end.is_some_and(|end| end < own)),
                "{kind} {place} {shape:?}: {told}"
            );
        }
    }
    drop(output);
}
