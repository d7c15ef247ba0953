//! What these tests share: a folder with playbooks, and the real program run in it.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use crate::support::sshd::Sshd;

/// Every character that some program treats specially and that a secret may have in a dotenv file too.
pub const CANARY: &str = r#"can'ary/p@ss+w:r d%41&"x"=y"#;

pub struct Bench {
    pub dir: tempfile::TempDir,
    secret: String,
    path: Option<PathBuf>,
    umask: &'static str,
}

/// What the program wrote on both streams, and its exit code.
pub struct Said {
    pub text: String,
    pub code: Option<i32>,
}

impl Bench {
    /// This machine is the host.
    pub fn local() -> Bench {
        let dir = tempfile::Builder::new().prefix("tow-sec-").tempdir().unwrap();
        fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o755)).unwrap();
        let bench = Bench { dir, secret: CANARY.into(), path: None, umask: "022" };
        bench.write(
            "inventory.toml",
            "[secrets]\ns = { env = \"S\" }\n[hosts.web1]\nconnection = \"local\"\n",
        );
        bench
    }

    /// The host is behind an SSH server.
    pub fn remote(sshd: &Sshd) -> Bench {
        let bench = Bench::local();
        let (port, key, known) = (sshd.port, sshd.key_path.display(), sshd.known_hosts_path.display());
        bench.write(
            "inventory.toml",
            &format!(
                "[secrets]\ns = {{ env = \"S\" }}\n[hosts.web1]\naddress = \"127.0.0.1\"\nport = {port}\n\
                 user = \"root\"\nkey = \"{key}\"\nknown_hosts = \"{known}\"\n"
            ),
        );
        bench
    }

    pub fn secret(mut self, secret: &str) -> Bench {
        secret.clone_into(&mut self.secret);
        self
    }

    /// Programs in this folder come before all others.
    pub fn programs(mut self, folder: &Path) -> Bench {
        self.path = Some(folder.to_owned());
        self
    }

    pub fn umask(mut self, umask: &'static str) -> Bench {
        self.umask = umask;
        self
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub fn write(&self, name: &str, text: &str) {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    /// `{D}` in the playbook is the bench's folder.
    pub fn playbook(&self, text: &str) {
        self.write("site.toml", &text.replace("{D}", self.dir.path().to_str().unwrap()));
    }

    pub fn command(&self, arguments: &[&str]) -> Command {
        let script = format!("umask {}; exec \"$@\"", self.umask);
        let mut command = Command::new("sh");
        command.args(["-c", &script, "sh", env!("CARGO_BIN_EXE_tow")]).args(arguments);
        let own = std::env::var("PATH").unwrap();
        let path = self.path.as_ref().map_or(own.clone(), |first| format!("{}:{own}", first.display()));
        command.current_dir(self.dir.path()).stdin(Stdio::null()).env("PATH", path).env("S", &self.secret);
        command.env("HOME", self.dir.path()).env("XDG_STATE_HOME", self.path("state"));
        command.env_remove("SSH_AUTH_SOCK").env_remove("CI").env_remove("GITHUB_ACTIONS");
        command
    }

    pub fn tow(&self, arguments: &[&str]) -> Said {
        said(&self.command(arguments).output().unwrap())
    }

    /// Runs the playbook, which must work.
    pub fn run(&self) -> Said {
        let said = self.tow(&["run", "site.toml", "-v"]);
        assert_eq!(said.code, Some(0), "{}", said.text);
        said
    }
}

pub fn said(output: &Output) -> Said {
    let text = [&output.stdout[..], &output.stderr[..]].concat();
    let text = String::from_utf8_lossy(&text).into_owned();
    assert!(!text.contains("panicked"), "{text}");
    Said { text, code: output.status.code() }
}

/// The forms in which programs write a secret, made by other means than those of the mask.
pub fn forms(secret: &str) -> Vec<String> {
    const PYTHON: &str = r#"
import base64, json, os, shlex, sys, urllib.parse as url
s = os.environ["SECRET"]
forms = [s, json.dumps(s)[1:-1], json.dumps(s, ensure_ascii=False)[1:-1], shlex.quote(s).strip("'"),
    s.replace("'", "'\\''"), url.quote(s), url.quote(s, safe=""), url.quote_plus(s)]
for before in range(3):
    text = ("x" * before + s).encode()
    # Whole groups within the secret only: their digits depend on nothing else.
    for encode in (base64.b64encode, base64.urlsafe_b64encode):
        forms.append(encode(text).decode()[4 if before else 0:][:len(text) // 3 * 4 - 4 - (4 if before else 0)])
sys.stdout.write("\0".join(forms))
"#;
    let output = Command::new("python3").args(["-c", PYTHON]).env("SECRET", secret).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().split('\0').map(ToOwned::to_owned).collect()
}

/// Which form of the secret stands in the text.
pub fn leak<'f>(text: &str, forms: &'f [String]) -> Option<&'f str> {
    forms.iter().map(String::as_str).find(|form| text.contains(form))
}

pub fn mode(path: &Path) -> u32 {
    fs::symlink_metadata(path).unwrap().permissions().mode() & 0o7777
}
