//! Logging in: keys, passphrases, certificates, the agent, and what is said when nothing fits.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use towline::spec::model::Ssh;
use towline::transport::{Ask, Connector};
use towline::words::error::Kind;
use towline::words::secret::Secret;

use crate::common::{connect, connector, options, run, ssh};
use crate::support::sshd::{Sshd, keygen};

/// Knows one passphrase and counts how often it was asked for.
struct Person {
    passphrase: &'static str,
    asked: AtomicUsize,
}

impl Ask for Person {
    fn secret(&self, _: &str) -> Option<Secret> {
        self.asked.fetch_add(1, Ordering::Relaxed);
        Some(Secret::new(self.passphrase.into()))
    }
}

fn with_key(sshd: &Sshd, name: &str) -> Ssh {
    Ssh { key: Some(sshd.path(name).display().to_string()), ..ssh(sshd) }
}

/// Types nothing but slips.
#[derive(Default)]
struct Clumsy(std::sync::Mutex<Vec<String>>);

impl Ask for Clumsy {
    fn secret(&self, prompt: &str) -> Option<Secret> {
        self.0.lock().unwrap().push(prompt.to_owned());
        Some(Secret::new("opne sesmae".into()))
    }
}

#[tokio::test]
async fn a_passphrase_that_was_wrong_is_called_so() {
    let sshd = Sshd::start(&[]);
    keygen(&sshd.path("locked"), &["-N", "open sesame"]);
    let person = Arc::new(Clumsy::default());
    let connector = Connector::new(options(&sshd), person.clone());
    assert!(connect(&connector, with_key(&sshd, "locked")).await.is_err());
    let asked = person.0.lock().unwrap().clone();
    assert!(asked[0].starts_with("passphrase of ") && asked.len() == 3, "{asked:?}");
    assert!(asked[1].starts_with("that was wrong; passphrase of "), "{asked:?}");
}

#[tokio::test]
async fn an_encrypted_key_asks_once_for_all_hosts() {
    let sshd = Sshd::start(&[]);
    keygen(&sshd.path("locked"), &["-N", "open sesame"]);
    sshd.authorize(&sshd.path("locked.pub"));
    let person = Arc::new(Person { passphrase: "open sesame", asked: AtomicUsize::new(0) });
    let connector = Connector::new(options(&sshd), person.clone());
    let links =
        futures::future::join_all((0..4).map(|_| connect(&connector, with_key(&sshd, "locked")))).await;
    assert!(links.iter().all(Result::is_ok));
    assert_eq!(person.asked.load(Ordering::Relaxed), 1);
}

#[tokio::test]
async fn an_encrypted_key_without_a_terminal_says_so() {
    let sshd = Sshd::start(&[]);
    keygen(&sshd.path("locked"), &["-N", "open sesame"]);
    let error = connect(&connector(&sshd), with_key(&sshd, "locked")).await.err().unwrap();
    assert!(error.to_string().contains("there is no terminal"), "{error}");
    assert!(error.hint.unwrap().contains("ssh-add"));
    let person = Arc::new(Person { passphrase: "wrong", asked: AtomicUsize::new(0) });
    let connector = Connector::new(options(&sshd), person);
    let error = connect(&connector, with_key(&sshd, "locked")).await.err().unwrap();
    assert!(error.to_string().contains("wrong three times"), "{error}");
}

#[tokio::test]
async fn a_key_that_is_not_accepted_is_named() {
    let sshd = Sshd::start(&[]);
    keygen(&sshd.path("wrong"), &[]);
    let error = connect(&connector(&sshd), with_key(&sshd, "wrong")).await.err().unwrap();
    assert_eq!(error.kind, Kind::Unreachable);
    assert!(
        error.to_string().contains("cannot log in as root") && error.to_string().contains("/wrong"),
        "{error}"
    );
    let error = connect(&connector(&sshd), with_key(&sshd, "missing")).await.err().unwrap();
    assert!(error.to_string().contains("no such file"), "{error}");
}

#[tokio::test]
async fn a_key_that_others_can_read_is_refused() {
    let sshd = Sshd::start(&[]);
    fs::set_permissions(&sshd.key_path, fs::Permissions::from_mode(0o644)).unwrap();
    let error = connect(&connector(&sshd), ssh(&sshd)).await.err().unwrap();
    assert!(error.to_string().contains("0644"), "{error}");
    assert!(error.hint.unwrap().contains("chmod 600"));
}

#[tokio::test]
async fn rsa_and_ecdsa_keys_and_old_formats_work() {
    let sshd = Sshd::start(&[]);
    let kinds: [(&str, &[&str]); 3] = [
        ("rsa", &["-t", "rsa", "-b", "2048"]),
        ("ecdsa", &["-t", "ecdsa"]),
        ("pem", &["-t", "rsa", "-b", "2048", "-m", "PEM"]),
    ];
    for (name, arguments) in kinds {
        keygen(&sshd.path(name), arguments);
        sshd.authorize(&sshd.path(&format!("{name}.pub")));
        let link = connect(&connector(&sshd), with_key(&sshd, name)).await;
        link.unwrap_or_else(|error| panic!("{name}: {error}")).close().await;
    }
}

#[tokio::test]
async fn user_certificates_work() {
    let dir = tempfile::Builder::new().prefix("tow-sshd-").tempdir().unwrap();
    keygen(&dir.path().join("host_key"), &[]);
    keygen(&dir.path().join("ca"), &[]);
    let setting = format!("TrustedUserCAKeys {}", dir.path().join("ca.pub").display());
    let sshd = Sshd::start_in(dir, &[&setting]);
    for (name, arguments) in [("plain", &["-t", "ed25519"][..]), ("rsa", &["-t", "rsa", "-b", "2048"][..])] {
        keygen(&sshd.path(name), arguments);
        let public = sshd.path(&format!("{name}.pub"));
        let sign = Command::new("ssh-keygen")
            .args(["-q", "-I", "test", "-n", "root", "-s"])
            .args([sshd.path("ca"), public])
            .status();
        assert!(sign.unwrap().success());
        let link = connect(&connector(&sshd), with_key(&sshd, name)).await;
        link.unwrap_or_else(|error| panic!("{name}: {error}")).close().await;
    }
}

/// An agent of our own, ended when dropped.
struct Agent {
    child: Child,
    socket: std::path::PathBuf,
}

impl Agent {
    fn start(sshd: &Sshd) -> Agent {
        let socket = sshd.path("agent");
        let mut child = Command::new("ssh-agent")
            .arg("-D")
            .arg("-a")
            .arg(&socket)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        // It says where its socket is once it listens.
        let mut line = String::new();
        std::io::BufRead::read_line(&mut std::io::BufReader::new(child.stdout.take().unwrap()), &mut line)
            .unwrap();
        Agent { child, socket }
    }
    fn add(&self, key: &std::path::Path) {
        let added =
            Command::new("ssh-add").arg("-q").arg(key).env("SSH_AUTH_SOCK", &self.socket).status().unwrap();
        assert!(added.success());
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[tokio::test]
async fn keys_of_the_agent_are_offered() {
    let sshd = Sshd::start(&[]);
    let agent = Agent::start(&sshd);
    keygen(&sshd.path("stranger"), &[]);
    agent.add(&sshd.path("stranger"));
    agent.add(&sshd.key_path);
    let options = towline::transport::Options {
        agent: true,
        agent_socket: Some(agent.socket.clone()),
        ..options(&sshd)
    };
    let connector = Connector::new(options, Arc::new(Person { passphrase: "", asked: AtomicUsize::new(0) }));
    let link = connect(&connector, Ssh { key: None, ..ssh(&sshd) }).await.unwrap();
    assert_eq!(run(&link, "echo hi\n").await.out, "hi\n");
    // A named key is the only one offered, even when the agent holds others.
    keygen(&sshd.path("named"), &[]);
    let before = sshd.log().matches("Failed publickey").count();
    assert!(connect(&connector, with_key(&sshd, "named")).await.is_err());
    assert!(sshd.log().matches("Failed publickey").count() <= before + 1);
}

#[tokio::test]
async fn too_many_keys_are_explained() {
    let sshd = Sshd::start(&["MaxAuthTries 2"]);
    let agent = Agent::start(&sshd);
    for n in 0..4 {
        let path = sshd.path(&format!("stranger-{n}"));
        keygen(&path, &[]);
        agent.add(&path);
    }
    let options = towline::transport::Options {
        agent: true,
        agent_socket: Some(agent.socket.clone()),
        ..options(&sshd)
    };
    let connector = Connector::new(options, Arc::new(Person { passphrase: "", asked: AtomicUsize::new(0) }));
    let error = connect(&connector, Ssh { key: None, ..ssh(&sshd) }).await.err().unwrap();
    assert!(error.hint.as_ref().unwrap().contains("MaxAuthTries"), "{error:?}");
}
