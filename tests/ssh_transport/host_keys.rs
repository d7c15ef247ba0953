//! Host keys: what is trusted, and that nothing else gets as far as logging in.

use std::fs;
use std::process::Command;

use towline::words::error::{Error, Kind};

use crate::common::{connect, connector, ssh};
use crate::support::sshd::{Sshd, keygen};

/// Connects with this known_hosts; `{key}`, `{port}` and `{ca}` stand for the server's.
async fn with_known(sshd: &Sshd, known: &str) -> Result<(), Error> {
    let ca = fs::read_to_string(sshd.path("ca.pub")).unwrap_or_default();
    let known = known.replace("{key}", &sshd.host_key());
    let known = known.replace("{port}", &sshd.port.to_string()).replace("{ca}", ca.trim());
    fs::write(&sshd.known_hosts_path, known).unwrap();
    let link = connect(&connector(sshd), ssh(sshd)).await?;
    link.close().await;
    Ok(())
}

fn other_key(sshd: &Sshd) -> String {
    let path = sshd.path("other");
    if !path.exists() {
        keygen(&path, &[]);
    }
    let text = fs::read_to_string(sshd.path("other.pub")).unwrap();
    text.split_whitespace().take(2).collect::<Vec<_>>().join(" ")
}

fn refused(outcome: Result<(), Error>, sshd: &Sshd) -> String {
    let error = outcome.unwrap_err();
    assert_eq!(error.kind, Kind::HostKey, "{error}");
    assert!(error.hint.is_some(), "{error}");
    assert!(!sshd.log().contains("Accepted"), "nothing is offered before the key is trusted");
    error.to_string()
}

#[tokio::test]
async fn known_keys_are_trusted_however_they_are_written() {
    let sshd = Sshd::start(&[]);
    let other = other_key(&sshd);
    for known in [
        "[127.0.0.1]:{port} {key}\n".to_owned(),
        "# comment\n\nweb9,[127.0.0.1]:{port} {key} comment\n".to_owned(),
        "[127.0.*]:{port} {key}\n".to_owned(),
        "[127.0.0.?]:* {key}\n".to_owned(),
        "127.0.0.1 {key}\n".to_owned(),
        format!("[127.0.0.1]:{{port}} {other}\n[127.0.0.1]:{{port}} {{key}}\n"),
        format!("@revoked * {other}\n[127.0.0.1]:{{port}} {{key}}\n"),
        "nonsense\n[127.0.0.1]:{port}\tssh-ed25519 broken\n[127.0.0.1]:{port} {key}".to_owned(),
    ] {
        assert_eq!(with_known(&sshd, &known).await, Ok(()), "{known}");
    }
}

#[tokio::test]
async fn hashed_names_are_known() {
    let sshd = Sshd::start(&[]);
    fs::write(&sshd.known_hosts_path, format!("[127.0.0.1]:{} {}\n", sshd.port, sshd.host_key())).unwrap();
    let hashed = Command::new("ssh-keygen").arg("-H").arg("-f").arg(&sshd.known_hosts_path).output().unwrap();
    assert!(hashed.status.success());
    let text = fs::read_to_string(&sshd.known_hosts_path).unwrap();
    assert!(text.starts_with("|1|"), "{text}");
    assert_eq!(with_known(&sshd, &text).await, Ok(()));
}

#[tokio::test]
async fn an_unknown_key_is_refused_until_it_is_trusted() {
    let sshd = Sshd::start(&[]);
    let said =
        refused(with_known(&sshd, "[127.0.0.1]:1 {key}\n![127.0.0.1]:*,!127.0.0.1,* {key}\n").await, &sshd);
    assert!(said.contains("is unknown: it shows ssh-ed25519 SHA256:"), "{said}");
    let connector = connector(&sshd);
    for _ in 0..2 {
        assert!(connect(&connector, ssh(&sshd)).await.is_err());
    }
    let unknown = connector.unknown_keys();
    assert_eq!(unknown.len(), 1);
    assert_eq!(unknown[0].address, format!("[127.0.0.1]:{}", sshd.port));
    assert!(said.contains(&unknown[0].fingerprint));
    connector.trust(&unknown).unwrap();
    assert!(connector.unknown_keys().is_empty());
    connect(&connector, ssh(&sshd)).await.unwrap().close().await;
    let known = fs::read_to_string(&sshd.known_hosts_path).unwrap();
    assert_eq!(known.lines().count(), 3, "{known}");
}

#[tokio::test]
async fn trusting_makes_a_private_file() {
    use std::os::unix::fs::PermissionsExt as _;
    let mut sshd = Sshd::start(&[]);
    sshd.known_hosts_path = sshd.path("new/known_hosts");
    let connector = connector(&sshd);
    assert!(connect(&connector, ssh(&sshd)).await.is_err());
    connector.trust(&connector.unknown_keys()).unwrap();
    let mode = |name: &str| fs::metadata(sshd.path(name)).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode("new"), mode("new/known_hosts")), (0o700, 0o600));
    connect(&connector, ssh(&sshd)).await.unwrap().close().await;
}

#[tokio::test]
async fn changed_and_revoked_keys_are_refused() {
    let sshd = Sshd::start(&[]);
    let other = other_key(&sshd);
    let changed = with_known(&sshd, &format!("# first\n[127.0.0.1]:{{port}} {other}\n")).await;
    let said = refused(changed, &sshd);
    assert!(said.contains("has changed") && said.contains("known_hosts:2"), "{said}");
    let both = "[127.0.0.1]:{port} {key}\n@revoked * {key}\n";
    let said = refused(with_known(&sshd, both).await, &sshd);
    assert!(said.contains("is revoked") && said.contains("known_hosts:2"), "{said}");
    // Another algorithm than the one we know is no way around it.
    keygen(&sshd.path("rsa"), &["-t", "rsa", "-b", "2048"]);
    let rsa = fs::read_to_string(sshd.path("rsa.pub")).unwrap();
    let said = refused(with_known(&sshd, &format!("[127.0.0.1]:{{port}} {rsa}")).await, &sshd);
    assert!(said.contains("has changed"), "{said}");
}

/// A server whose host key is certified with these arguments of ssh-keygen.
fn certified(arguments: &[&str]) -> Sshd {
    let dir = tempfile::Builder::new().prefix("tow-sshd-").tempdir().unwrap();
    let at = |name: &str| dir.path().join(name);
    keygen(&at("host_key"), &[]);
    keygen(&at("ca"), &[]);
    let mut sign = Command::new("ssh-keygen");
    sign.args(["-q", "-I", "test", "-s"]).arg(at("ca")).args(arguments).arg(at("host_key.pub"));
    assert!(sign.status().unwrap().success());
    let line = format!("HostCertificate {}", at("host_key-cert.pub").display());
    Sshd::start_in(dir, &[&line])
}

#[tokio::test]
async fn a_certificate_of_a_trusted_authority_is_trusted() {
    let authority = "@cert-authority [127.0.0.1]:* {ca}\n";
    let sshd = certified(&["-h", "-n", "127.0.0.1"]);
    assert_eq!(with_known(&sshd, authority).await, Ok(()));
    assert_eq!(with_known(&sshd, "[127.0.0.1]:{port} {key}\n").await, Ok(()), "the plain key still counts");
    let sshd = certified(&["-h", "-n", "127.0.0.1"]);
    let said = refused(with_known(&sshd, &format!("{authority}@revoked * {{ca}}\n")).await, &sshd);
    assert!(said.contains("is revoked"), "{said}");
    let said = refused(with_known(&sshd, "@cert-authority other {ca}\n").await, &sshd);
    assert!(said.contains("is unknown"), "{said}");
}

#[tokio::test]
async fn certificates_with_a_flaw_are_refused() {
    let cases: [(&[&str], &str); 3] = [
        (&["-h", "-n", "elsewhere"], "it is for elsewhere"),
        (&["-h", "-n", "127.0.0.1", "-V", "20200101:20200102"], "it has expired"),
        (&["-h", "-n", "127.0.0.1", "-V", "20990101:20990102"], "not valid yet"),
    ];
    for (arguments, why) in cases {
        let sshd = certified(arguments);
        let said = refused(with_known(&sshd, "@cert-authority * {ca}\n").await, &sshd);
        assert!(said.contains(why), "{said}");
    }
}

#[tokio::test]
async fn weak_algorithms_are_not_spoken() {
    for line in ["Ciphers aes128-cbc", "KexAlgorithms diffie-hellman-group14-sha1"] {
        let sshd = Sshd::start(&[line]);
        let error = connect(&connector(&sshd), ssh(&sshd)).await.err().unwrap();
        assert!(error.to_string().contains("no common"), "{line}: {error}");
    }
    // Authenticated ciphers need no MAC; with others only SHA-1 is left here.
    let sshd = Sshd::start(&["MACs hmac-sha1", "Ciphers aes128-ctr"]);
    let error = connect(&connector(&sshd), ssh(&sshd)).await.err().unwrap();
    assert!(error.to_string().contains("no common mac"), "{error}");
}
