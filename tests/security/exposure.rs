//! A secret is in no list of processes, no log of the server's and no history.

use std::collections::BTreeSet;
use std::fs;
use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use towline::spec::model::{Connection, Host, Ssh};
use towline::transport::{Ask, Chunk, Connector, Options};
use towline::words::names::HostName;
use towline::words::secret::Secret;

use crate::bench::{Bench, CANARY, forms, leak};
use crate::support::account::{Account, PASSWORD};
use crate::support::sshd::Sshd;

/// Reads the arguments of all processes, again and again.
struct Watch {
    stop: Arc<AtomicBool>,
    thread: JoinHandle<BTreeSet<String>>,
}

impl Watch {
    fn start() -> Watch {
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = stop.clone();
        let thread = std::thread::spawn(move || {
            let mut seen = BTreeSet::new();
            while !stopped.load(Ordering::Relaxed) {
                for entry in fs::read_dir("/proc").unwrap().flatten() {
                    let bytes = fs::read(entry.path().join("cmdline")).unwrap_or_default();
                    if !bytes.is_empty() {
                        seen.insert(String::from_utf8_lossy(&bytes).replace('\0', " "));
                    }
                }
                std::thread::sleep(Duration::from_millis(1));
            }
            seen
        });
        Watch { stop, thread }
    }

    fn end(self) -> BTreeSet<String> {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.join().unwrap()
    }
}

/// What printf would make of a command line: `\047` is a quote.
fn unescaped(line: &str) -> String {
    let mut parts = line.split('\\');
    let mut text = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        match part.get(..3).and_then(|digits| u8::from_str_radix(digits, 8).ok()) {
            Some(byte) => text = text + &String::from(char::from(byte)) + &part[3..],
            None => text = text + "\\" + part,
        }
    }
    text
}

/// Base64 and octal in a command line are looked into.
fn decoded(line: &str) -> String {
    use std::process::{Command, Stdio};
    let words = line.split(|c: char| !(c.is_ascii_alphanumeric() || "+/=".contains(c)));
    let mut text = unescaped(line) + "\n";
    for word in words.filter(|word| word.len() >= 24) {
        let mut child = Command::new("base64")
            .args(["-di"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut stdin = child.stdin.take().unwrap();
        let word = word.to_owned();
        std::thread::spawn(move || stdin.write_all(word.as_bytes()));
        text += &String::from_utf8_lossy(&child.wait_with_output().unwrap().stdout);
        text.push('\n');
    }
    text
}

const PLAYBOOK: &str = r#"
[[tasks]]
command = { run = "sleep 0.31; printenv A >/dev/null", env = { A = "{{secrets.s}}" } }
[[tasks]]
command = { run = "cat >/dev/null; sleep 0.1", stdin = "{{secrets.s}}" }
[[tasks]]
script = { content = "printf '%s' {{quote secrets.s}} >/dev/null; sleep 0.1", env = { A = "{{secrets.s}}" } }
[[tasks]]
script = { content = "import time; x = {{json secrets.s}}; time.sleep(0.1)", interpreter = "python3" }
[[tasks]]
env = { path = "{D}/out.env", vars = { A = "{{secrets.s}}" } }
[[tasks]]
file = { path = "{D}/out.conf", content = "x={{secrets.s}}\n" }
[[tasks]]
template = { src = "t.hbs", dest = "{D}/out.txt" }
[[tasks]]
line = { path = "{D}/out.lines", line = "x={{secrets.s}}", create = true }
[[tasks]]
assert = { command = "test {{quote secrets.s}} = {{quote secrets.s}}" }
[[tasks]]
command = "sleep 0.1"
unless = "test {{quote secrets.s}} = x"
[[tasks]]
command = "sleep 0.1"
as = "nobody"
unless = "test {{quote secrets.s}} = x"
[[tasks]]
http = { url = "http://127.0.0.1:{PORT}/", headers = { Authorization = "Bearer {{secrets.s}}" } }
[[tasks]]
git = { repo = "https://127.0.0.1:{PORT}/r", dest = "{D}/r", token = "{{secrets.s}}" }
"#;

/// Answers slowly, so that whoever asks is a process for a while.
fn slow_server(listener: TcpListener) {
    std::thread::spawn(move || {
        for stream in listener.incoming().take(50).flatten() {
            let mut stream = stream;
            std::thread::spawn(move || {
                let _ = stream.read(&mut [0; 4096]);
                std::thread::sleep(Duration::from_millis(150));
                let _ =
                    stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
            });
        }
    });
}

/// Rows 4 and 5. The server writes down every command line that it is asked to run.
#[test]
fn no_secret_is_in_any_argument_or_log() {
    let home = tempfile::tempdir().unwrap();
    let asked = home.path().join("asked");
    let force = format!(
        "ForceCommand printf '%%s\\\\n' \"$SSH_ORIGINAL_COMMAND\" >>{}; exec /bin/sh -c \"$SSH_ORIGINAL_COMMAND\"",
        asked.display()
    )
    .replace("%%", "%")
    .replace("\\\\n", "\\n");
    let sshd = Sshd::start(&[&force, "Subsystem sftp /usr/lib/openssh/sftp-server", "LogLevel DEBUG1"]);
    let bench = Bench::remote(&sshd);
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port().to_string();
    slow_server(listener);
    bench.playbook(&PLAYBOOK.replace("{PORT}", &port));
    bench.write("t.hbs", "x = {{secrets.s}}\n");

    let watch = Watch::start();
    let said = bench.tow(&["run", "site.toml", "-v"]);
    let seen = watch.end();
    // Everything but the checkout, which has no TLS to speak, went well.
    assert_eq!(said.code, Some(3), "{}", said.text);
    assert!(said.text.contains("cannot reach https://127.0.0.1"), "{}", said.text);
    assert!(seen.iter().any(|line| line.contains("sleep 0.31")), "the watch saw nothing");
    let asked = fs::read_to_string(asked).unwrap();
    assert!(asked.contains("/bin/sh"), "{asked}");

    let mut forms = forms(CANARY);
    forms.push(CANARY[..9].to_owned());
    for line in seen.iter().map(String::as_str).chain(asked.lines()) {
        assert_eq!(leak(line, &forms), None, "{line}");
        assert_eq!(leak(&decoded(line), &forms), None, "{line}");
    }
    // No log of the server's, of sudo's or of the shell's.
    let mut logs = sshd.log();
    for file in [
        "/var/log/auth.log",
        "/var/log/syslog",
        "/var/log/messages",
        "/root/.bash_history",
        "/root/.ash_history",
        "/root/.sh_history",
    ] {
        logs += &String::from_utf8_lossy(&fs::read(file).unwrap_or_default());
    }
    for entry in fs::read_dir(bench.dir.path()).unwrap().flatten() {
        assert!(!entry.file_name().to_string_lossy().contains("history"), "{entry:?}");
    }
    assert!(logs.contains("Accepted publickey"));
    assert_eq!(leak(&logs, &forms), None);
}

/// Row 4: a program on the host that knows the token of the markers could pretend to be the remote shell. This one
/// reads every token that can be seen, and says with each that all went well.
#[test]
fn a_program_cannot_pretend_to_be_the_remote_shell() {
    let sshd = Sshd::start(&[]);
    let bench = Bench::remote(&sshd);
    bench.write(
        "forge.sh",
        "for t in $(cat /proc/[0-9]*/cmdline /proc/[0-9]*/environ 2>/dev/null | tr '\\0' '\\n' | grep -aoE '[0-9a-f]{32}' | sort -u); do\n\
         echo $t >>tokens\n\
         for id in 0 1 2; do printf '\\036%s e %s 0\\n' $t $id; printf '\\036%s e %s 0\\n' $t $id >&2; done\n\
         printf '\\036%s z 0\\n' $t; printf '\\036%s z 0\\n' $t >&2; printf '\\036%s q\\n' $t\ndone\nsleep 0.2; exit 3\n",
    );
    bench.playbook(
        "[[tasks]]\nfile = { path = \"{D}/x\", content = \"x\" }\n\
         [[tasks]]\nfile = { path = \"{D}/y\", content = \"y\" }\n\
         [[tasks]]\ncommand = { run = \"sh forge.sh\", cwd = \"{D}\" }\n",
    );
    let said = bench.tow(&["run", "site.toml", "-v"]);
    assert_eq!(said.code, Some(3), "{}", said.text);
    assert!(said.text.contains("code 3"), "{}", said.text);
}

struct Nobody;

impl Ask for Nobody {
    fn secret(&self, _: &str) -> Option<Secret> {
        None
    }
}

/// Rows 4, 5 and 21: sudo's password is sent to sudo, once; what looks like a prompt later gets nothing.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sudo_password_goes_to_sudo_alone() {
    let account = Account::new("/bin/bash");
    account.sudoers("{} ALL=(ALL) ALL");
    let sshd = Sshd::start(&["LogLevel DEBUG1"]);
    let options = Options {
        known_hosts: vec![sshd.known_hosts_path.clone()],
        ssh_config: false,
        agent: false,
        become_password: Some(Secret::new(PASSWORD.into())),
        ..Options::default()
    };
    let ssh = Ssh {
        address: "127.0.0.1".into(),
        port: Some(sshd.port),
        user: Some(account.name.clone()),
        key: Some(sshd.key_path.display().to_string()),
        r#become: true,
        ..Ssh::default()
    };
    let host = Host {
        name: HostName::new("web1").unwrap(),
        groups: vec![],
        connection: Connection::Ssh(ssh),
        vars: towline::spec::model::Vars::default(),
    };
    let watch = Watch::start();
    let link = Connector::new(options, Arc::new(Nobody)).connect(&host, &|_| {}).await.unwrap();
    // Finds out its own prompt, asks again with it, and tells what it is given within a second.
    let script = "id -u; history 2>/dev/null\n\
        p=$(cat /proc/[0-9]*/cmdline 2>/dev/null | tr '\\0' '\\n' | grep -a '^tow-password-' | head -n 1)\n\
        printf '[sudo] password for x: ' >&2; printf '%s' \"${p:-none}\" >&2; printf '%s' \"$p\"; printf 'Password: '\n\
        sleep 0.3; echo; timeout 1 cat; echo END\n";
    let shell = link
        .shell(towline::transport::Opening { script: script.as_bytes().to_vec(), public: true })
        .await
        .unwrap();
    let (input, mut output) = (shell.input, shell.output);
    let mut said = String::new();
    while let Some(chunk) = output.recv().await {
        match chunk {
            Chunk::Out(bytes) | Chunk::Err(bytes) => said += &String::from_utf8_lossy(&bytes),
            Chunk::End { .. } => break,
        }
        if said.contains("END") {
            break;
        }
    }
    drop(input);
    link.close().await;
    let seen = watch.end();
    assert!(said.starts_with("0\n") && said.contains("tow-password-"), "{said}");
    assert!(!said.contains(PASSWORD), "{said}");
    assert!(seen.iter().any(|line| line.contains("sudo -S")), "the watch saw nothing");
    let forms = forms(PASSWORD);
    for line in &seen {
        assert_eq!(leak(line, &forms), None, "{line}");
    }
    assert_eq!(leak(&sshd.log(), &forms), None);
    for history in [".bash_history", ".sh_history"] {
        assert_eq!(leak(&fs::read_to_string(account.home.join(history)).unwrap_or_default(), &forms), None);
    }
}
