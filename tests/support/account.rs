//! A system account for a test, gone when dropped. Needs root, as README says of the tests.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

pub struct Account {
    pub name: String,
    pub home: PathBuf,
}

pub const PASSWORD: &str = "correct horse";

/// useradd locks the account files, and fails when somebody else has.
static LOCK: Mutex<()> = Mutex::new(());
static COUNT: AtomicUsize = AtomicUsize::new(0);

impl Account {
    pub fn new(shell: &str) -> Account {
        assert!(nix::unistd::geteuid().is_root(), "this test makes a system account: run it as root");
        let name = format!("tow-test-{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let home = PathBuf::from(format!("/home/{name}"));
        let account = Account { name, home };
        let _guard = LOCK.lock();
        retried(|| {
            Command::new("useradd").args(["-m", "-s", shell, &account.name]).status().unwrap().success()
        });
        // A locked account is refused by sshd; this one also has a password for sudo.
        let line = format!("{}:{PASSWORD}\n", account.name);
        retried(|| feed(Command::new("chpasswd"), line.as_bytes()));
        account
    }

    /// Gives the account a line of sudoers; `{}` stands for its name.
    pub fn sudoers(&self, line: &str) {
        use std::os::unix::fs::PermissionsExt as _;
        let path = self.drop_in();
        std::fs::write(&path, line.replace("{}", &self.name) + "\n").unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o440)).unwrap();
    }

    pub fn write(&self, file: &str, text: &str) {
        let path = self.home.join(file);
        std::fs::create_dir_all(path.parent().unwrap_or(Path::new("/"))).unwrap();
        std::fs::write(&path, text).unwrap();
        let owned = Command::new("chown").args(["-R", &self.name]).arg(&self.home).status().unwrap();
        assert!(owned.success());
    }

    fn drop_in(&self) -> PathBuf {
        Path::new("/etc/sudoers.d").join(&self.name)
    }
}

impl Drop for Account {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(self.drop_in());
        let _guard = LOCK.lock();
        // -f: also while a process of the account is still ending.
        let remove = || {
            let status =
                Command::new("userdel").args(["-r", "-f", &self.name]).stderr(Stdio::null()).status();
            status.is_ok_and(|status| status.success() || status.code() == Some(12))
        };
        let _ = (0..5).any(|_| remove());
    }
}

fn retried(action: impl Fn() -> bool) {
    assert!((0..5).any(|_| action()), "cannot make an account");
}

fn feed(mut command: Command, input: &[u8]) -> bool {
    let mut child = command.stdin(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(input).unwrap();
    child.wait().unwrap().success()
}
