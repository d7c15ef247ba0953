//! The source taken by git on the server, from behind ssh with a deploy key, and its dependencies by uv; with a process, a
//! timer, and all that can be had besides.

use std::path::Path;
use std::process::Command;

use crate::lab::{Lab, text};
use crate::site::{Site, Wish, copy, example, ssh};

/// Where the repository is, and whom it lets in: who writes, and who has the deploy key, only to read.
const HOST: &str = "srv4";
const REPOSITORY: &str = r#"command -v git >/dev/null || { apt-get -q update; DEBIAN_FRONTEND=noninteractive apt-get -q -y --no-install-recommends install git; } >&2
id gitter >/dev/null 2>&1 || useradd --create-home gitter
cd ~gitter && rm -rf shop.git .ssh && git init -q --bare -b main shop.git && mkdir .ssh
{ cat /home/deploy/.ssh/authorized_keys; echo "restrict,command=\"git-upload-pack shop.git\" $KEY"; } >.ssh/authorized_keys
chown -R gitter: .; chmod 700 .ssh; chmod 600 .ssh/authorized_keys"#;

/// Looks for the line in /run/canary in the arguments of all processes, until it is stopped.
const WATCH: &str = "systemctl stop watch 2>/dev/null || :; rm -f /run/watch.*; systemd-run -q --collect --unit=watch sh -c \
    'while sleep 0.02; do echo >>/run/watch.rounds; grep -aqsFf /run/canary /proc/[0-9]*/cmdline && touch /run/watch.seen; done'";
/// What is written down anywhere but there; and whether the watch has looked often.
const FOUND: &str = "systemctl stop watch; [ $(wc -l </run/watch.rounds) -gt 50 ]; ls /run/watch.seen 2>/dev/null || :
    grep -rslaFf /run/canary --exclude=canary --devices=skip /etc /home /opt /root /run /srv /tmp /usr/local /var || :";

/// What is developed, and pushed.
struct Source<'a> {
    lab: &'a Lab,
    folder: &'a Path,
    url: String,
}

impl<'a> Source<'a> {
    fn new(lab: &'a Lab, folder: &'a Path) -> Source<'a> {
        copy(&example("../tests/site_servers/fixtures/locked"), folder);
        std::fs::create_dir(folder.join("kept")).unwrap();
        std::fs::write(folder.join("kept/.gitkeep"), "").unwrap();
        let source = Source { lab, folder, url: format!("gitter@{}:shop.git", lab.address(HOST)) };
        done(Command::new(uv()).arg("lock").env("UV_SYSTEM_CERTS", "1").current_dir(folder));
        source.git(&["init", "-q", "-b", "main"]);
        source.push("First");
        source
    }

    fn git(&self, arguments: &[&str]) -> String {
        let mut git = Command::new("git");
        git.args(["-c", "user.name=Ann", "-c", "user.email=ann@example.com"]).args(arguments);
        done(git.current_dir(self.folder).env("GIT_SSH_COMMAND", ssh(self.lab)))
    }

    /// The commit.
    fn push(&self, message: &str) -> String {
        self.git(&["add", "-A"]);
        self.git(&["commit", "-q", "-m", message]);
        self.git(&["push", "-q", &self.url, "main"]);
        self.git(&["rev-parse", "--short=8", "HEAD"]).trim().to_owned()
    }
}

/// As an operator has it, who locks with it.
fn uv() -> std::path::PathBuf {
    let venv = Path::new(env!("CARGO_TARGET_TMPDIR")).join("uv");
    let uv = venv.join("bin/uv");
    if !uv.exists() {
        done(Command::new("python3").args(["-m", "venv"]).arg(&venv));
        done(Command::new(venv.join("bin/python")).args(["-m", "pip", "install", "--quiet", "uv"]));
    }
    uv
}

fn done(command: &mut Command) -> String {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{command:?}: {}{}", text(&output.stdout), text(&output.stderr));
    text(&output.stdout)
}

#[test]
#[ignore = "needs real servers: tests/run"]
fn git_with_a_deploy_key_and_uv() {
    let lab = Lab::enter();
    let folder = tempfile::tempdir().unwrap();
    let key = folder.path().join("key");
    done(Command::new("ssh-keygen").args(["-q", "-t", "ed25519", "-N", "", "-f"]).arg(&key));
    let read = |file: &Path| std::fs::read_to_string(file).unwrap();
    let (private, public) = (read(&key), read(&key.with_extension("pub")));
    lab.inside(HOST, &format!("KEY={:?}\n{REPOSITORY}", public.trim()));
    let checkout = folder.path().join("shop");
    let source = Source::new(&lab, &checkout);

    let wish =
        Wish { repo: Some(source.url.clone()), ..Wish::new("keyed", "none", &["srv2"]).at("keyed.lab.test") };
    let site = Site::init(&lab, &wish);
    site.write(".tow/deploy_key", &private);
    site.edit("inventory.toml", "\nkey = \"\"", "\nkey = \"{{secrets.deploy_key}}\"");
    site.edit("inventory.toml", "[secrets]\n", "[secrets]\ndeploy_key = { file = \".tow/deploy_key\" }\n");
    // It outlives releases, although git has something in it.
    site.edit("inventory.toml", "\nshared = []", "\nshared = [\"kept\"]");
    site.is_new();
    site.wants_more();
    // On its own, so that the watch does not see this line.
    lab.inside("srv2", &format!("umask 077; echo {} >/run/canary", private.lines().nth(2).unwrap()));
    lab.inside("srv2", WATCH);

    site.run(&[]).must_succeed();
    assert_eq!(site.browser().get("/").body, "1");
    site.nothing_is_left(&["web1"]);
    lab.inside(
        "srv2",
        "cd /srv/keyed; ls shared/kept/.gitkeep; runuser -u keyed -- sh -c 'echo own >current/src/kept/own'",
    );
    site.runs_its_units("1");
    site.rotates_its_logs();
    site.is_hardened();
    // What a visitor claims to be is overwritten.
    let lies = [
        "X-Forwarded-For: 203.0.113.9",
        "X-Real-IP: 203.0.113.9",
        "X-Forwarded-Proto: http",
        "X-Forwarded-Host: evil",
    ];
    let said = site.browser().get_as("/visitor", &lies).body;
    let head = site.head(&format!("https://{}/large", site.domain), &["--header", "Accept-Encoding: gzip"]);
    for line in ["content-encoding: gzip", "x-frame-options: sameorigin", "x-content-type-options: nosniff"] {
        assert!(head.lines().any(|said| said == line), "{line}: {head}");
    }
    let gateway = site.gateway();
    assert_eq!(said, format!("{gateway} {gateway} https {0} {0}", site.domain));
    let uv = "/srv/keyed/tools/uv/bin/uv --version && cmp /srv/keyed/current/src/uv.lock /srv/keyed/current/venv/.uv.lock";
    lab.inside("srv2", uv);

    std::fs::write(checkout.join("app.py"), read(&checkout.join("app.py")).replace("\"1\"", "\"2\""))
        .unwrap();
    let commit = source.push("Second");
    let check = || site.told(&["update", "--check"], &[]);
    let run = check();
    assert!(run.code == 10 && run.story().contains(&commit), "{}", run.story());
    site.told(&["deploy"], &[]).must_succeed();
    assert_eq!(site.browser().get("/").body, "2");
    assert_eq!(lab.inside("srv2", "cat /srv/keyed/current/src/kept/own"), "own");
    site.runs_its_units(&format!("2-{commit}"));
    let run = check();
    assert_eq!(run.code, 0, "{}", run.story());
    assert_eq!(lab.inside("srv2", FOUND), "", "the deploy key");
}
