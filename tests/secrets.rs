//! `tow secrets` and playbooks that use what it keeps, with real keys of ssh-keygen, in a home of their own.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

const VALUE: &str = r#"can'ary "p@ss" 1"#;

struct Bench {
    dir: tempfile::TempDir,
}

struct Said {
    code: Option<i32>,
    out: String,
    err: String,
}

impl Said {
    fn ok(self) -> String {
        assert_eq!(self.code, Some(0), "{}{}", self.out, self.err);
        self.out
    }
    /// Failed as a mistake of the user's, and said all of `parts`.
    fn refused(self, parts: &[&str]) {
        assert_eq!(self.code, Some(2), "{}{}", self.out, self.err);
        // Long messages are wrapped.
        let words: Vec<&str> = self.err.split_whitespace().filter(|word| *word != "│").collect();
        for part in parts {
            assert!(words.join(" ").contains(part), "{part:?} is not in:\n{}", self.err);
        }
        assert!(!self.err.contains("panicked") && !self.err.contains(VALUE), "{}", self.err);
    }
}

impl Bench {
    /// One recipient: this home's own ed25519 key.
    fn new() -> Bench {
        let bench = Bench { dir: tempfile::Builder::new().prefix("tow-age-").tempdir().unwrap() };
        bench.key("home/.ssh/id_ed25519", "ed25519", "");
        bench.write("inventory.toml", "[hosts.here]\nconnection = \"local\"\n");
        bench.recipients(&["home/.ssh/id_ed25519"]);
        bench
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn write(&self, name: &str, text: &str) {
        fs::create_dir_all(self.path(name).parent().unwrap()).unwrap();
        fs::write(self.path(name), text).unwrap();
    }

    fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap()
    }

    fn script(&self, name: &str, text: &str) -> String {
        self.write(name, &format!("#!/bin/sh\n{text}"));
        fs::set_permissions(self.path(name), fs::Permissions::from_mode(0o755)).unwrap();
        self.path(name).display().to_string()
    }

    fn key(&self, name: &str, kind: &str, passphrase: &str) {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        let bits: &[&str] = if kind == "rsa" { &["-b", "2048"] } else { &[] };
        let mut made = Command::new("ssh-keygen");
        made.args(["-q", "-t", kind, "-N", passphrase, "-C", "somebody", "-f"]).arg(&path).args(bits);
        assert!(made.stdin(Stdio::null()).status().unwrap().success());
    }

    fn recipients(&self, keys: &[&str]) {
        let text: String = keys.iter().map(|key| self.read(&format!("{key}.pub"))).collect();
        self.write("secrets.recipients", &format!("# who may read\n\n{text}"));
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_tow"));
        command.args(arguments).current_dir(self.dir.path()).env("HOME", self.path("home"));
        command.env("XDG_STATE_HOME", self.path("state")).env("XDG_RUNTIME_DIR", self.path("run"));
        fs::create_dir_all(self.path("run")).unwrap();
        for name in
            ["SSH_AUTH_SOCK", "CI", "GITHUB_ACTIONS", "VISUAL", "EDITOR", "TOW_AGE_KEY", "TOW_AGE_KEY_FILE"]
        {
            command.env_remove(name);
        }
        // The tests trust their own programs; one asks what happens without.
        command.env("TOW_TRUST_COMMANDS", "1");
        command
    }

    fn tow(&self, arguments: &[&str]) -> Said {
        self.with(arguments, &[], "")
    }

    fn with(&self, arguments: &[&str], env: &[(&str, &str)], stdin: &str) -> Said {
        let mut command = self.command(arguments);
        command.envs(env.iter().copied()).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        // It may have ended without having read.
        let _ = child.stdin.take().unwrap().write_all(stdin.as_bytes());
        let output = child.wait_with_output().unwrap();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        Said { code: output.status.code(), out: text(&output.stdout), err: text(&output.stderr) }
    }

    fn set(&self, name: &str, value: &str) -> Said {
        self.with(&["secrets", "set", name], &[], value)
    }

    fn get(&self, name: &str) -> Said {
        self.tow(&["secrets", "get", name])
    }

    /// At a terminal, by `script`: what is typed and what is seen.
    fn at_terminal(&self, arguments: &[&str], typed: &str) -> (Option<i32>, String) {
        let line = format!("{} {}", env!("CARGO_BIN_EXE_tow"), arguments.join(" "));
        let tow = self.command(arguments);
        let mut command = Command::new("script");
        command.args(["-qefc", &line, "/dev/null"]).current_dir(self.dir.path());
        command.envs(tow.get_envs().filter_map(|(name, value)| Some((name, value?)))).env("TERM", "dumb");
        command.env_remove("SSH_AUTH_SOCK").env_remove("CI").env_remove("TOW_AGE_KEY");
        command.env("TOW_TRUST_COMMANDS", "");
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let mut stdin = child.stdin.take().unwrap();
        let mut seen = vec![];
        let mut out = child.stdout.take().unwrap();
        // Typed only once it is asked for, or the terminal would echo it.
        let mut byte = [0];
        while std::io::Read::read(&mut out, &mut byte).unwrap() == 1 {
            seen.push(byte[0]);
            if seen.ends_with(b": ") && !seen.contains(&b'\n') || seen.ends_with(b"[yes/no] ") {
                stdin.write_all(typed.as_bytes()).unwrap();
            }
        }
        (child.wait().unwrap().code(), String::from_utf8_lossy(&seen).into_owned())
    }

    fn left_over(&self) -> Vec<PathBuf> {
        fs::read_dir(self.path("run")).unwrap().map(|entry| entry.unwrap().path()).collect()
    }
}

#[test]
fn what_is_set_is_had_again_and_names_alone_are_listed() {
    let bench = Bench::new();
    bench.set("db_password", &format!("{VALUE}\n")).ok();
    let key = "-----BEGIN X-----\nabc\n-----END X-----\n";
    bench.set("tls_key", &format!("{key}\n")).ok();
    assert_eq!(bench.get("db_password").ok(), format!("{VALUE}\n"));
    assert_eq!(bench.get("tls_key").ok(), key);
    assert_eq!(bench.tow(&["secrets", "list"]).ok(), "db_password\ntls_key\n");
    let sealed = bench.read("secrets.age");
    assert!(sealed.starts_with("-----BEGIN AGE ENCRYPTED FILE-----\n") && !sealed.contains("db_password"));
    // Everything else is kept, and so is the mode.
    fs::set_permissions(bench.path("secrets.age"), fs::Permissions::from_mode(0o640)).unwrap();
    bench.set("db_password", "another value").ok();
    bench.tow(&["secrets", "rm", "tls_key"]).ok();
    assert_eq!(bench.get("db_password").ok(), "another value\n");
    assert_eq!(fs::metadata(bench.path("secrets.age")).unwrap().permissions().mode() & 0o777, 0o640);
    bench.get("db_pasword").refused(&["no secret `db_pasword`", "did you mean `db_password`?"]);
    bench.tow(&["secrets", "rm", "tls_key"]).refused(&["no secret `tls_key`"]);
    let left: Vec<_> =
        fs::read_dir(bench.dir.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert!(left.iter().all(|name| !name.to_string_lossy().starts_with(".secrets-")), "{left:?}");
}

#[test]
fn a_value_that_cannot_be_kept_is_refused() {
    let bench = Bench::new();
    bench.set("a", "abc\n").refused(&["shorter than 4"]);
    bench.set("a", "").refused(&["it is empty"]);
    bench.set("a b", VALUE).refused(&["no name of a secret"]);
    bench.with(&["secrets", "set", "a", VALUE], &[], "").refused(&["is no argument", "standard input"]);
    assert!(!bench.path("secrets.age").exists());
    bench.get("a").refused(&["there is no secrets.age", "tow secrets set NAME"]);
}

#[test]
fn every_recipient_can_open_it_and_nobody_else() {
    let bench = Bench::new();
    bench.key("other/.ssh/id_rsa", "rsa", "");
    bench.key("stranger/.ssh/id_ed25519", "ed25519", "");
    bench.recipients(&["home/.ssh/id_ed25519", "other/.ssh/id_rsa"]);
    bench.set("a", VALUE).ok();
    let as_ = |home: &str| {
        let home = bench.path(home).display().to_string();
        bench.with(&["secrets", "get", "a"], &[("HOME", &home)], "")
    };
    assert_eq!(as_("home").ok(), format!("{VALUE}\n"));
    assert_eq!(as_("other").ok(), format!("{VALUE}\n"));
    as_("stranger").refused(&["not encrypted to the key in ~/.ssh/id_ed25519", "secrets.recipients"]);
    as_("nobody")
        .refused(&["there is no private key in ~/.ssh/id_ed25519 and ~/.ssh/id_rsa", "TOW_AGE_KEY_FILE"]);
    // Who is taken out of the list is out with the next write; nobody locks himself out.
    bench.recipients(&["home/.ssh/id_ed25519"]);
    bench.with(&["secrets", "edit"], &[("EDITOR", "true")], "").ok();
    as_("other").refused(&["not encrypted to the key"]);
    bench.recipients(&["stranger/.ssh/id_ed25519"]);
    let before = bench.read("secrets.age");
    bench.set("a", "something else").refused(&["you could not open it any more", "add your public key"]);
    assert_eq!(bench.read("secrets.age"), before);
    fs::set_permissions(bench.path("home/.ssh/id_ed25519"), fs::Permissions::from_mode(0o644)).unwrap();
    bench.get("a").refused(&["lets others read it", "chmod 600"]);
}

#[test]
fn a_ci_system_brings_its_own_key() {
    let bench = Bench::new();
    let identity = age::x25519::Identity::generate();
    let public = identity.to_public();
    let secret = age::secrecy::ExposeSecret::expose_secret(&identity.to_string()).to_owned();
    let ssh = bench.read("home/.ssh/id_ed25519.pub");
    bench.write("secrets.recipients", &format!("{public}\n{ssh}"));
    bench.set("a", VALUE).ok();
    let home = bench.path("nobody").display().to_string();
    let get = |env: &[(&str, &str)]| {
        bench.with(&["secrets", "get", "a"], &[env, &[("HOME", home.as_str())]].concat(), "")
    };
    assert_eq!(get(&[("TOW_AGE_KEY", &secret)]).ok(), format!("{VALUE}\n"));
    assert_eq!(get(&[("TOW_AGE_KEY", &bench.read("home/.ssh/id_ed25519"))]).ok(), format!("{VALUE}\n"));
    bench.write("key.txt", &format!("# created: today\n# public key: {public}\n{secret}\n"));
    assert_eq!(get(&[("TOW_AGE_KEY_FILE", "key.txt")]).ok(), format!("{VALUE}\n"));
    assert_eq!(get(&[("TOW_AGE_KEY_FILE", "home/.ssh/id_ed25519")]).ok(), format!("{VALUE}\n"));
    get(&[("TOW_AGE_KEY", "nonsense")]).refused(&["cannot use the key in TOW_AGE_KEY", "age-keygen"]);
    get(&[("TOW_AGE_KEY_FILE", "none")]).refused(&["cannot read the key none"]);
    let other = age::x25519::Identity::generate().to_string();
    get(&[("TOW_AGE_KEY", age::secrecy::ExposeSecret::expose_secret(&other))])
        .refused(&["not encrypted to the key in TOW_AGE_KEY"]);
}

#[test]
fn a_key_with_a_passphrase_is_asked_for_once_and_only_if_it_helps() {
    let bench = Bench::new();
    bench.key("locked/.ssh/id_ed25519", "ed25519", "open sesame");
    bench.recipients(&["locked/.ssh/id_ed25519", "home/.ssh/id_ed25519"]);
    bench.set("a", VALUE).ok();
    fs::remove_dir_all(bench.path("home")).unwrap();
    fs::rename(bench.path("locked"), bench.path("home")).unwrap();
    bench.get("a").refused(&["no terminal to ask for its passphrase", "TOW_AGE_KEY_FILE"]);
    let (code, seen) = bench.at_terminal(&["secrets", "get", "a"], "open sesame\n");
    assert_eq!((code, seen.contains(VALUE)), (Some(0), true), "{seen}");
    assert!(!seen.contains("sesame"), "{seen}");
    // The value is typed unseen too, and needs no private key at first.
    fs::remove_file(bench.path("secrets.age")).unwrap();
    let (code, seen) = bench.at_terminal(&["secrets", "set", "a"], "hunter22 typed\n");
    assert_eq!((code, seen.contains("hunter22")), (Some(0), false), "{seen}");
    // Somebody else's file: no passphrase could help.
    bench.key("else/id", "ed25519", "");
    bench.recipients(&["else/id"]);
    fs::remove_file(bench.path("secrets.age")).unwrap();
    bench.set("a", VALUE).ok();
    let (code, seen) = bench.at_terminal(&["secrets", "get", "a"], "never read\n");
    assert!(
        code == Some(2) && !seen.contains("passphrase") && seen.contains("not encrypted to the key"),
        "{seen}"
    );
}

#[test]
fn a_damaged_file_or_list_says_what_to_do() {
    let bench = Bench::new();
    bench.set("a", VALUE).ok();
    let good = bench.read("secrets.age");
    let mut lines: Vec<&str> = good.lines().collect();
    let middle = lines.len() - 2;
    lines.remove(middle);
    let conflict = format!("<<<<<<< ours\n{good}=======\n{good}>>>>>>> theirs\n");
    for (bad, says) in [
        (lines.join("\n") + "\n", "damaged"),
        ("hello\n".to_owned(), "no age file"),
        (String::new(), "no age file"),
        (conflict, "merge conflict"),
    ] {
        bench.write("secrets.age", &bad);
        bench.get("a").refused(&["cannot open secrets.age", says, "git checkout"]);
        bench.set("b", VALUE).refused(&["cannot open secrets.age"]);
        assert_eq!(bench.read("secrets.age"), bad);
    }
    bench.write("secrets.age", &good);
    bench.key("ecdsa", "ecdsa", "");
    let private = bench.read("home/.ssh/id_ed25519");
    for (list, says) in [
        (bench.read("ecdsa.pub"), "line 1 is of the kind ecdsa-sha2-nistp256"),
        ("\nnonsense\nage1x\n".to_owned(), "line 2 is no public key; line 3 is no age key"),
        ("# nobody\n".to_owned(), "it has no public key"),
        (private, "line 1 is of a private key"),
    ] {
        bench.write("secrets.recipients", &list);
        bench.set("b", VALUE).refused(&["secrets.recipients", says, "hint: "]);
    }
    fs::remove_file(bench.path("secrets.recipients")).unwrap();
    bench.set("b", VALUE).refused(&["there is no secrets.recipients", ">> secrets.recipients"]);
    assert_eq!(bench.read("secrets.age"), good);
}

#[test]
fn the_editor_sees_a_private_file_that_is_gone_afterwards() {
    let bench = Bench::new();
    bench.set("a", VALUE).ok();
    let editor = bench.script(
        "editor",
        "stat -c '%a' \"$1\" \"$(dirname \"$1\")\" >modes.tmp; cat modes.tmp >\"$OUT\"\necho \"$1\" >>\"$OUT\"\n\
         printf '# new\\nb = \"second one\"\\n' >>\"$1\"; cp \"$1\" \"$1~\"\n",
    );
    let out = bench.path("out").display().to_string();
    let edit = |editor: &str| bench.with(&["secrets", "edit"], &[("VISUAL", editor), ("OUT", &out)], "");
    edit(&format!("{editor} ")).ok();
    let seen = bench.read("out");
    assert!(
        seen.starts_with("600\n700\n") && seen.contains(&bench.path("run").display().to_string()),
        "{seen}"
    );
    assert_eq!(bench.tow(&["secrets", "list"]).ok(), "a\nb\n");
    assert_eq!(bench.left_over(), Vec::<PathBuf>::new());
    let before = bench.read("secrets.age");
    let invalid = bench.script("invalid", "printf 'c = can%s\\n' ary >>\"$1\"\n");
    let said = edit(&invalid);
    assert!(!said.err.contains("canary"), "{}", said.err);
    said.refused(&["this cannot be saved", "line 4 cannot be read", "nothing was changed"]);
    let failing = edit(&bench.script("failing", "echo 'c = \"lost\"' >>\"$1\"; exit 3\n"));
    assert!(failing.code == Some(3) && failing.err.contains("did not work"), "{}", failing.err);
    assert_eq!(edit("/no/such/editor").code, Some(3));
    // Somebody else writes meanwhile.
    let other = bench.script(
        "other",
        &format!(
            "echo other-value | {} secrets set other; echo 'd = \"mine\"' >>\"$1\"\n",
            env!("CARGO_BIN_EXE_tow")
        ),
    );
    let after = || bench.read("secrets.age");
    assert_eq!(after(), before);
    edit(&other).refused(&["somebody else has changed it meanwhile"]);
    assert_eq!(bench.tow(&["secrets", "list"]).ok(), "a\nb\nother\n");
    assert_eq!(bench.left_over(), Vec::<PathBuf>::new());
}

#[test]
fn a_signal_while_editing_leaves_nothing_behind() {
    for signal in ["TERM", "INT", "HUP"] {
        let bench = Bench::new();
        bench.set("a", VALUE).ok();
        // `exec` makes the editor a child of tow's own.
        let editor =
            bench.script("editor", &format!("cp \"$1\" seen; kill -{signal} $PPID; exec sleep 30\n"));
        let begun = Instant::now();
        let said = bench.with(&["secrets", "edit"], &[("EDITOR", &editor)], "");
        assert_eq!(said.code, Some(130), "{signal}: {}", said.err);
        assert_eq!(bench.left_over(), Vec::<PathBuf>::new(), "{signal}");
        assert!(begun.elapsed() < Duration::from_secs(20));
    }
}

#[test]
fn two_at_once_lose_nothing() {
    let bench = Bench::new();
    bench.set("first", VALUE).ok();
    let set = |n: usize| {
        let mut command = bench.command(&["secrets", "set", &format!("s{n}")]);
        let mut child = command.stdin(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        child.stdin.take().unwrap().write_all(b"a value").unwrap();
        child
    };
    let children: Vec<_> = (0..8).map(set).collect();
    for child in children {
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }
    assert_eq!(bench.tow(&["secrets", "list"]).ok().lines().count(), 9);
}

const USES: &str = "[[tasks]]\nname = \"says it\"\ncommand = { run = \"cat\", stdin = \"{{secrets.KEY}}\" }\n\
                    [[tasks]]\nfile = { path = \"{D}/out\", content = \"{{secrets.KEY}}\" }\n";

impl Bench {
    fn uses(&self, key: &str) {
        self.write(
            "site.toml",
            &USES.replace("KEY", key).replace("{D}", &self.dir.path().display().to_string()),
        );
    }

    /// Worked, and showed the secret nowhere.
    fn ran_masked(&self, said: &Said, value: &str) {
        assert_eq!(said.code, Some(0), "{}{}", said.out, said.err);
        let all = format!("{}{}", said.out, said.err);
        assert!(!all.contains(value), "{all}");
        assert!(all.contains("•••") || all.contains("the content is secret"), "{all}");
        let mut kept = vec![];
        files(&self.path("state"), &mut kept);
        let value = value.as_bytes();
        assert!(!kept.windows(value.len()).any(|window| window == value), "the state folder has it");
    }
}

fn files(folder: &std::path::Path, bytes: &mut Vec<u8>) {
    for entry in fs::read_dir(folder).into_iter().flatten().map(|entry| entry.unwrap().path()) {
        if entry.is_dir() { files(&entry, bytes) } else { bytes.extend(fs::read(&entry).unwrap()) }
    }
}

#[test]
fn a_playbook_uses_what_is_kept_and_shows_it_nowhere() {
    let bench = Bench::new();
    bench.set("kept", VALUE).ok();
    bench.uses("kept");
    for way in [&["plan", "site.toml", "-v"][..], &["run", "site.toml", "-v", "--diff"]] {
        bench.ran_masked(&bench.tow(way), VALUE);
    }
    assert_eq!(bench.read("out"), VALUE);
    fs::remove_file(bench.path("out")).unwrap();
    bench.ran_masked(&bench.tow(&["run", "site.toml", "--json"]), VALUE);
    // What the inventory says of a name comes first; the rest of the file is still hidden.
    bench.write(
        "inventory.toml",
        "[secrets]\nkept = { env = \"KEPT\" }\n[hosts.here]\nconnection = \"local\"\n",
    );
    let said = bench.with(&["run", "site.toml", "-v"], &[("KEPT", "from the environment")], "");
    bench.ran_masked(&said, "from the environment");
    assert_eq!(bench.read("out"), "from the environment");
}

#[test]
fn the_file_is_opened_only_for_who_uses_it() {
    let bench = Bench::new();
    bench.write("secrets.age", "damaged\n");
    bench.write("site.toml", "[[tasks]]\ncommand = \"true\"\n");
    bench.tow(&["run", "site.toml"]).ok();
    bench.uses("kept");
    bench.tow(&["run", "site.toml"]).refused(&["cannot open secrets.age", "no age file", "git checkout"]);
    // Through a template file, and through a variable.
    bench.write("t.hbs", "{{secrets.kept}}");
    bench.write("site.toml", "[[tasks]]\ntemplate = { src = \"t.hbs\", dest = \"/nowhere/x\" }\n");
    bench.tow(&["plan", "site.toml"]).refused(&["cannot open secrets.age"]);
    bench.write("site.toml", "[vars]\na = \"{{secrets.kept}}\"\n[[tasks]]\ncommand = \"true {{a}}\"\n");
    bench.tow(&["plan", "site.toml"]).refused(&["cannot open secrets.age"]);
    fs::remove_file(bench.path("secrets.age")).unwrap();
    bench.set("kept_too", VALUE).ok();
    bench.tow(&["plan", "site.toml"]).refused(&["`secrets.kept` is not defined"]);
}

#[test]
fn a_program_is_asked_once_and_only_for_who_uses_it() {
    let bench = Bench::new();
    let program = bench.script("give", "echo asked >>asked; printf '%s\\n' \"$1\"\n");
    let inventory = |command: &str| {
        let text =
            format!("[secrets]\ngiven = {{ command = {command} }}\n[hosts.here]\nconnection = \"local\"\n");
        bench.write("inventory.toml", &text);
    };
    inventory(&format!("[\"{program}\", \"from a program\"]"));
    bench.write("site.toml", "[[tasks]]\ncommand = \"true\"\n");
    bench.tow(&["run", "site.toml"]).ok();
    assert!(!bench.path("asked").exists());
    bench.uses("given");
    bench.ran_masked(&bench.tow(&["run", "site.toml", "-v", "--diff"]), "from a program");
    assert_eq!((bench.read("asked"), bench.read("out")), ("asked\n".into(), "from a program".into()));
    let failing = bench.script("failing", "echo one >&2; printf '\\033[31mnot signed in\\n' >&2; exit 7\n");
    for (command, says) in [
        (format!("[\"{failing}\"]"), "one; not signed in"),
        ("[\"/no/such/program\"]".into(), "cannot run `/no/such/program`"),
        ("[\"true\"]".into(), "it said nothing"),
        ("[\"echo\", \"abc\"]".into(), "shorter than 4"),
        ("[\"printf\", \"\\\\377\\\\376aaaa\"]".into(), "no text"),
        ("\"op read\"".into(), "expected an array"),
        ("[]".into(), "expected a program and its arguments"),
    ] {
        inventory(&command);
        bench.tow(&["run", "site.toml"]).refused(&["`given`", says]);
    }
    // Words stay words: no shell.
    inventory("[\"echo\", \"$HOME; touch ran\"]");
    bench.tow(&["run", "site.toml"]).ok();
    assert_eq!(bench.read("out"), "$HOME; touch ran");
    assert!(!bench.path("ran").exists());
}

#[test]
fn a_program_of_somebody_elses_does_not_run_before_a_yes() {
    let bench = Bench::new();
    let program = bench.script("give", "echo asked >>asked; echo from-a-program\n");
    bench.write(
        "inventory.toml",
        &format!(
            "[secrets]\ngiven = {{ command = [\"{program}\"] }}\n[hosts.here]\nconnection = \"local\"\n"
        ),
    );
    bench.uses("given");
    let untrusted = [("TOW_TRUST_COMMANDS", "")];
    for command in ["plan", "run"] {
        let said = bench.with(&[command, "site.toml"], &untrusted, "");
        said.refused(&["is not trusted", "TOW_TRUST_COMMANDS=1"]);
    }
    assert!(!bench.path("asked").exists());
    // A yes at a terminal holds from then on.
    let (code, seen) = bench.at_terminal(&["run", "site.toml"], "yes\n");
    assert_eq!(code, Some(0), "{seen}");
    assert!(seen.contains(&bench.dir.path().display().to_string()) && seen.contains(&program), "{seen}");
    bench.with(&["run", "site.toml"], &untrusted, "").ok();
    assert_eq!(bench.read("asked"), "asked\nasked\n");
}

/// A yes is for the program as it was: whoever can change the checkout cannot have another one run.
#[test]
fn a_program_of_the_checkout_that_changes_is_asked_for_again() {
    let bench = Bench::new();
    bench.uses("given");
    let absolute = format!("[{:?}]", bench.script("get.sh", ""));
    for argv in [r#"["./get.sh"]"#, r#"["sh", "get.sh"]"#, &absolute] {
        bench.script("get.sh", "echo secret\n");
        bench.write(
            "inventory.toml",
            &format!("[hosts.here]\nconnection = \"local\"\n[secrets]\ngiven = {{ command = {argv} }}\n"),
        );
        let (code, seen) = bench.at_terminal(&["run", "site.toml"], "yes\n");
        assert_eq!(code, Some(0), "{seen}");
        assert!(seen.contains("until") && seen.contains("get.sh changes?"), "{seen}");
        let untrusted = [("TOW_TRUST_COMMANDS", "")];
        bench.with(&["run", "site.toml"], &untrusted, "").ok();
        bench.script("get.sh", "touch ran; echo secret\n");
        bench.with(&["plan", "site.toml"], &untrusted, "").refused(&["is not trusted"]);
        assert!(!bench.path("ran").exists());
    }
}

#[test]
fn no_message_shows_a_value_that_stands_in_the_inventory() {
    let bench = Bench::new();
    bench.uses("x");
    for text in [
        "[secrets]\nx = \"canary1\"\n",
        "[secrets]\nx = { value = \"canary1\" }\n",
        "[secrets]\nx = \"canary1\"\n[unknown]\n",
        "[unknown]\n[secrets]\nx = \"\"\"canary1\ncanary2\"\"\"\n",
        "[secrets.x]\nvalue = \"canary1\"\n",
        "secrets = \"canary1\"\n",
        "secrets.x = \"canary1\"\n",
        "[secret]\nx = \"canary1\"\n",
        "[secrets]\nx = canary1\n",
        "[secrets]\nx = \"canary1\n",
        "[secrets]\nx = { env = \"X\", default = \"canary1\" }\n",
    ] {
        bench.write("inventory.toml", &format!("{text}[hosts.here]\nconnection = \"local\"\n"));
        let said = bench.tow(&["run", "site.toml"]);
        assert!(!said.err.contains("canary"), "{text}{}", said.err);
        said.refused(&["•••"]);
    }
}

/// What the inventory names itself has its value from there, whatever is set here.
#[test]
fn a_name_that_the_inventory_has_from_elsewhere_is_told() {
    let bench = Bench::new();
    bench.write(
        "inventory.toml",
        "[hosts.here]\nconnection = \"local\"\n[secrets]\ndb_password = { file = \".tow/db_password\" }\n",
    );
    for said in [bench.set("db_password", VALUE), bench.get("db_password")] {
        assert_eq!(said.code, Some(0), "{}", said.err);
        for part in ["warning: ", "the file .tow/db_password", "the inventory wins", "is not used"] {
            assert!(said.err.contains(part), "{part}: {}", said.err);
        }
        assert!(!said.err.contains(VALUE));
    }
    assert!(!bench.set("another", VALUE).err.contains("warning"));
}

/// sudo's password, and the passphrase of the key that opens the file: a program that says them is masked.
#[test]
fn what_is_typed_unseen_is_shown_nowhere() {
    let bench = Bench::new();
    bench.write("typed", "open sesame\n");
    bench.write("site.toml", "[[tasks]]\ncommand = \"cat typed; true {{secrets.a}}\"\n");
    bench
        .write("inventory.toml", "[hosts.here]\nconnection = \"local\"\n[secrets]\na = { env = \"HOME\" }\n");
    let playbook =
        bench.read("site.toml").replace("cat typed", &format!("cat {}", bench.path("typed").display()));
    bench.write("site.toml", &playbook);
    let masked = |arguments: &[&str]| {
        let (code, seen) = bench.at_terminal(arguments, "open sesame\n");
        assert_eq!(code, Some(0), "{seen}");
        assert!(seen.contains("•••") && !seen.contains("sesame"), "{seen}");
    };
    masked(&["run", "site.toml", "-v", "--plain", "-K"]);
    bench.key("locked/.ssh/id_ed25519", "ed25519", "open sesame");
    bench.recipients(&["locked/.ssh/id_ed25519"]);
    bench.set("a", "a plain value").ok();
    fs::remove_dir_all(bench.path("home")).unwrap();
    fs::rename(bench.path("locked"), bench.path("home")).unwrap();
    bench.write("inventory.toml", "[hosts.here]\nconnection = \"local\"\n");
    masked(&["run", "site.toml", "-v", "--plain"]);
}
