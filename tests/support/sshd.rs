//! A real OpenSSH server on 127.0.0.1, with keys of its own; gone with its folder when dropped.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use tempfile::TempDir;

pub struct Sshd {
    pub port: u16,
    /// The user's private key, without passphrase.
    pub key_path: PathBuf,
    /// Knows this server's host key.
    pub known_hosts_path: PathBuf,
    pub dir: TempDir,
    log_path: PathBuf,
    child: Child,
}

impl Sshd {
    /// Starts a server with further lines for its sshd_config.
    pub fn start(extra: &[&str]) -> Sshd {
        let dir = tempfile::Builder::new().prefix("tow-sshd-").tempdir().unwrap();
        // Other accounts' keys are read by their sshd as themselves.
        open_to_all(dir.path());
        keygen(&dir.path().join("host_key"), &[]);
        Sshd::start_in(dir, extra)
    }

    /// Starts a server in a folder that holds its `host_key` already.
    pub fn start_in(dir: TempDir, extra: &[&str]) -> Sshd {
        fs::create_dir_all("/run/sshd").unwrap();
        let key_path = dir.path().join("id_ed25519");
        keygen(&key_path, &[]);
        let authorized = dir.path().join("authorized_keys");
        fs::copy(dir.path().join("id_ed25519.pub"), &authorized).unwrap();
        // Somebody may take the port between our look and sshd's; then another one is tried.
        let log_path = dir.path().join("sshd.log");
        let (child, port) = (0..10)
            .find_map(|_| launch(dir.path(), &authorized, &log_path, extra))
            .unwrap_or_else(|| panic!("sshd does not start: {}", read(&log_path)));
        let known_hosts_path = dir.path().join("known_hosts");
        let host_key = read(&dir.path().join("host_key.pub"));
        fs::write(&known_hosts_path, format!("[127.0.0.1]:{port} {host_key}")).unwrap();
        Sshd { port, key_path, known_hosts_path, dir, log_path, child }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// The public host key: `ssh-ed25519 AAAA…`
    pub fn host_key(&self) -> String {
        let text = read(&self.path("host_key.pub"));
        text.split_whitespace().take(2).collect::<Vec<_>>().join(" ")
    }

    /// Lets in whoever holds this key too.
    pub fn authorize(&self, public_key: &Path) {
        let all = read(&self.path("authorized_keys")) + &read(public_key);
        fs::write(self.path("authorized_keys"), all).unwrap();
    }

    /// What the server has said so far.
    pub fn log(&self) -> String {
        read(&self.log_path)
    }
}

impl Drop for Sshd {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            eprintln!("the server said:\n{}", self.log());
        }
    }
}

fn launch(dir: &Path, authorized: &Path, log: &Path, extra: &[&str]) -> Option<(Child, u16)> {
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let config = format!(
        "{}\nPort {port}\nListenAddress 127.0.0.1\nHostKey {}\nAuthorizedKeysFile {}\n\
         PidFile none\nStrictModes no\nUsePAM no\nPermitRootLogin yes\nPasswordAuthentication no\n\
         KbdInteractiveAuthentication no\nLogLevel VERBOSE\n{}",
        // The first value of a keyword counts.
        extra.join("\n"),
        dir.join("host_key").display(),
        authorized.display(),
        if extra.iter().any(|line| line.starts_with("Subsystem")) {
            ""
        } else {
            "Subsystem sftp internal-sftp\n"
        },
    );
    fs::write(dir.join("sshd_config"), config).unwrap();
    let mut child = Command::new("/usr/sbin/sshd")
        .args(["-D", "-e", "-f"])
        .arg(dir.join("sshd_config"))
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .expect("these tests need OpenSSH's sshd");
    let lines = BufReader::new(child.stderr.take().unwrap()).lines();
    let (listens, heard) = mpsc::channel();
    let mut file = fs::File::create(log).unwrap();
    std::thread::spawn(move || {
        use std::io::Write as _;
        for line in lines.map_while(Result::ok) {
            let _ = writeln!(file, "{line}");
            if line.contains("Server listening") {
                let _ = listens.send(());
            }
        }
    });
    if heard.recv_timeout(Duration::from_secs(10)).is_ok() {
        return Some((child, port));
    }
    let _ = child.kill();
    let _ = child.wait();
    None
}

/// Makes a key pair with ssh-keygen; Ed25519 without passphrase unless `extra` says otherwise.
pub fn keygen(path: &Path, extra: &[&str]) {
    let mut command = Command::new("ssh-keygen");
    command.args(["-q", "-C", "test", "-f"]).arg(path);
    if !extra.contains(&"-t") {
        command.args(["-t", "ed25519"]);
    }
    if !extra.contains(&"-N") {
        command.args(["-N", ""]);
    }
    assert!(command.args(extra).status().unwrap().success());
}

fn open_to_all(path: &Path) {
    use std::os::unix::fs::PermissionsExt as _;
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_default()
}
