//! The embedded SSH server, spoken to by the real OpenSSH client.

#![expect(clippy::expect_used, reason = "a test fails by panicking")]

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use russh::keys::ssh_key::LineEnding;
use russh::keys::{Algorithm, PrivateKey};
use tempfile::TempDir;
use tokio::runtime::Runtime;
use towline::transport::server::{Server, ServerOptions, serve};

struct Bench {
    runtime: Runtime,
    server: Option<Server>,
    folder: TempDir,
    port: u16,
}

impl Bench {
    fn new() -> Bench {
        let folder = TempDir::new().expect("a folder");
        let (key, host_key) = (random_key(), random_key());
        write_key(&folder.path().join("key"), &key);
        write_key(&folder.path().join("wrong"), &random_key());
        let runtime = Runtime::new().expect("a runtime");
        let options = ServerOptions {
            home: folder.path().join("home"),
            authorized: key.public_key().clone(),
            host_key: host_key.clone(),
            env: vec![("GREETING".into(), "hello".into())],
        };
        let server = runtime.block_on(serve(options)).expect("a server");
        let port = server.port;
        let host = format!("[127.0.0.1]:{port} {}\n", host_key.public_key().to_openssh().expect("a key"));
        fs::write(folder.path().join("known_hosts"), host).expect("known_hosts");
        Bench { runtime, server: Some(server), folder, port }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn home(&self) -> PathBuf {
        self.path("home").canonicalize().expect("the home folder")
    }

    fn client(&self, program: &str, key: &str) -> Command {
        let mut command = Command::new(program);
        let known = format!("UserKnownHostsFile={}", self.path("known_hosts").display());
        let port = format!("Port={}", self.port);
        command.args(["-F", "none", "-o", "BatchMode=yes", "-o", "StrictHostKeyChecking=yes"]);
        command.args([
            "-o",
            "IdentitiesOnly=yes",
            "-o",
            "IdentityAgent=none",
            "-o",
            &known,
            "-o",
            &port,
            "-i",
        ]);
        command.arg(self.path(key)).env_remove("SSH_AUTH_SOCK");
        command
    }

    fn ssh(&self, script: &str) -> Output {
        self.client("ssh", "key").args(["127.0.0.1", script]).stdin(Stdio::null()).output().expect("ssh")
    }

    fn sftp(&self, batch: &str) -> Output {
        feed(self.client("sftp", "key").args(["-b", "-", "127.0.0.1"]), batch.as_bytes())
    }

    /// Starts `script`, which writes its process id into the file `pid`, and returns when that is there.
    fn background(&self, script: &str) -> (std::process::Child, String) {
        let mut client = self.client("ssh", "key");
        client.args(["127.0.0.1", script]).stdin(Stdio::null()).stderr(Stdio::null());
        let client = client.spawn().expect("ssh");
        let file = self.home().join("pid");
        wait_until("the command's start", || fs::read_to_string(&file).is_ok_and(|pid| pid.ends_with('\n')));
        (client, fs::read_to_string(file).expect("a number"))
    }
}

fn random_key() -> PrivateKey {
    PrivateKey::random(&mut rand::rng(), Algorithm::Ed25519).expect("a key")
}

fn write_key(path: &Path, key: &PrivateKey) {
    fs::write(path, key.to_openssh(LineEnding::LF).expect("a key")).expect("a key file");
    fs::set_permissions(path, fs::Permissions::from_mode(0o600)).expect("its mode");
}

fn feed(command: &mut Command, input: &[u8]) -> Output {
    let command = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("a client");
    let mut stdin = child.stdin.take().expect("its stdin");
    std::thread::scope(|scope| {
        scope.spawn(move || stdin.write_all(input));
        child.wait_with_output().expect("its output")
    })
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn noise(length: usize) -> Vec<u8> {
    let mut state = 1_u64;
    let mut next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        state.to_be_bytes()[0]
    };
    (0..length).map(|_| next()).collect()
}

/// A zombie that nobody has collected yet does not count.
fn alive(pid: &str) -> bool {
    let output = Command::new("ps").args(["-o", "stat=", "-p", pid.trim()]).output().expect("ps");
    let state = text(&output.stdout);
    !state.trim().is_empty() && !state.starts_with('Z')
}

fn wait_until(what: &str, check: impl Fn() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(10);
    while !check() {
        assert!(Instant::now() < deadline, "{what} took too long");
        std::thread::sleep(Duration::from_millis(10));
    }
}

#[test]
fn commands_run_at_home_with_a_small_environment() {
    let bench = Bench::new();
    let output =
        bench.ssh("pwd -P; echo \"$HOME|$TMPDIR|$GREETING|$CARGO_MANIFEST_DIR\"; test -d \"$TMPDIR\"");
    let home = bench.path("home");
    let expected = format!("{}\n{}|{}/tmp|hello|\n", bench.home().display(), home.display(), home.display());
    assert_eq!((text(&output.stdout), text(&output.stderr)), (expected, String::new()));
    assert!(output.status.success());
}

#[test]
fn exit_codes_signals_and_both_outputs_arrive() {
    let bench = Bench::new();
    let output = bench.ssh("echo out; echo err >&2; exit 7");
    assert_eq!(
        (text(&output.stdout), text(&output.stderr), output.status.code()),
        ("out\n".into(), "err\n".into(), Some(7))
    );
    let output = bench.ssh("kill -TERM $$");
    assert_eq!(output.status.code(), Some(255), "ssh says 255 for a signal");
    assert_eq!(bench.ssh("no-such-command").status.code(), Some(127));
}

#[test]
fn output_written_right_before_the_end_is_not_lost() {
    let bench = Bench::new();
    let output = bench.ssh("head -c 3000000 /dev/zero; printf end; (sleep 0.2; printf late) &");
    assert_eq!(output.stdout.len(), 3_000_007);
}

#[test]
fn ten_megabytes_go_in_and_come_back() {
    let bench = Bench::new();
    let data = noise(10 << 20);
    let output = feed(bench.client("ssh", "key").args(["127.0.0.1", "cat"]), &data);
    assert!(output.status.success());
    assert!(output.stdout == data, "the bytes differ");
}

#[test]
fn a_command_that_does_not_read_its_stdin_ends_all_the_same() {
    let bench = Bench::new();
    let data = noise(20 << 20);
    let output = feed(bench.client("ssh", "key").args(["127.0.0.1", "exec 0<&-; echo done"]), &data);
    assert_eq!((text(&output.stdout), output.status.code()), ("done\n".into(), Some(0)));
}

#[test]
fn a_shell_without_a_command_reads_its_script() {
    let bench = Bench::new();
    let output = feed(bench.client("ssh", "key").args(["-T", "127.0.0.1"]), b"echo from stdin\nexit 3\n");
    assert_eq!((text(&output.stdout), output.status.code()), ("from stdin\n".into(), Some(3)));
}

#[test]
fn another_key_and_other_methods_are_refused() {
    let bench = Bench::new();
    let output = bench.client("ssh", "wrong").args(["127.0.0.1", "true"]).output().expect("ssh");
    assert_eq!(output.status.code(), Some(255));
    assert!(text(&output.stderr).contains("Permission denied (publickey)"), "{}", text(&output.stderr));
    let mut none = bench.client("ssh", "key");
    none.args(["-o", "PreferredAuthentications=none,password,keyboard-interactive", "127.0.0.1", "true"]);
    assert_eq!(none.output().expect("ssh").status.code(), Some(255));
}

#[test]
fn sftp_puts_gets_and_keeps_modes() {
    let bench = Bench::new();
    let data = noise(3 << 20);
    let (up, down) = (bench.path("up"), bench.path("down"));
    fs::write(&up, &data).expect("a file");
    fs::set_permissions(&up, fs::Permissions::from_mode(0o741)).expect("its mode");
    let output = bench.sftp(&format!(
        "mkdir folder\nput -p {} folder/file\nsymlink folder/other link\nrename folder/file folder/other\n\
         ls -l folder\nget link {}\npwd\n",
        up.display(),
        down.display()
    ));
    assert!(output.status.success(), "{}", text(&output.stderr));
    assert!(text(&output.stdout).contains("-rwxr----x"), "{}", text(&output.stdout));
    assert!(text(&output.stdout).contains(&format!("Remote working directory: {}", bench.home().display())));
    assert!(fs::read(down).expect("the file") == data, "the bytes differ");
    let there = bench.home().join("folder/other");
    assert_eq!(fs::metadata(there).expect("the file").permissions().mode() & 0o7777, 0o741);
    assert_eq!(fs::read_link(bench.home().join("link")).expect("a link"), Path::new("folder/other"));
}

#[test]
fn sftp_says_what_is_wrong() {
    let bench = Bench::new();
    let output = bench.sftp("get missing\n");
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stderr).contains("not found"), "{}", text(&output.stderr));
    assert_eq!(bench.sftp("rmdir tmp/missing\n").status.code(), Some(1));
}

#[test]
fn a_client_that_goes_away_takes_its_commands_along() {
    let bench = Bench::new();
    let (mut client, pid) = bench.background("sleep 300 & echo $! >pid; wait");
    assert!(alive(&pid));
    client.kill().expect("ssh ends");
    client.wait().expect("ssh ended");
    wait_until("the end of the command", || !alive(&pid));
}

#[test]
#[cfg(target_os = "linux")]
fn nothing_runs_after_shutdown() {
    let mut bench = Bench::new();
    let daemon = text(&bench.ssh("setsid sleep 300 >/dev/null 2>&1 </dev/null & echo $!").stdout);
    assert!(alive(&daemon), "a daemon outlives its session");
    let (mut client, pid) = bench.background("echo $$ >pid; exec sleep 300");
    let server = bench.server.take().expect("a running server");
    bench.runtime.block_on(server.shutdown()).expect("a clean end");
    assert_eq!((alive(&daemon), alive(&pid)), (false, false));
    assert_eq!(client.wait().expect("ssh ended").code(), Some(255));
    std::net::TcpStream::connect(("127.0.0.1", bench.port)).expect_err("nobody listens");
}
