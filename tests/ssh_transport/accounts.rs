//! Login shells that are not POSIX, noise, and becoming root.

use std::sync::Arc;

use towline::spec::model::Ssh;
use towline::transport::{Connector, Options, explain_sudo};
use towline::words::content::Content;
use towline::words::secret::Secret;

use crate::common::{Nobody, connect, connector, options, run, ssh, upload};
use crate::support::account::{Account, PASSWORD};
use crate::support::sshd::Sshd;

const SFTP_SERVER: &str = "Subsystem sftp /usr/lib/openssh/sftp-server";

fn login(sshd: &Sshd, account: &Account, r#become: bool) -> Ssh {
    Ssh { user: Some(account.name.clone()), r#become, ..ssh(sshd) }
}

fn with_password(sshd: &Sshd, password: &str) -> Connector {
    let become_password = Some(Secret::new(password.into()));
    Connector::new(Options { become_password, ..options(sshd) }, Arc::new(Nobody))
}

#[tokio::test]
async fn any_login_shell_will_do() {
    let sshd = Sshd::start(&[SFTP_SERVER]);
    for shell in ["/usr/bin/fish", "/bin/csh", "/bin/bash", "/bin/sh"] {
        let account = Account::new(shell);
        account.sudoers("{} ALL=(ALL) ALL");
        let link = connect(&connector(&sshd), login(&sshd, &account, false)).await.unwrap();
        let ended = run(&link, "for i in 1 2; do echo \"$i!\"; done\n").await;
        assert_eq!((ended.out.as_str(), ended.code), ("1!\n2!\n", Some(0)), "{shell}: {}", ended.err);
        let dir = account.home.join("staging");
        let files = [upload("a", Content::text("hello"))];
        link.upload(dir.to_str().unwrap(), &files, &|_| {}).await.unwrap();
        assert_eq!(std::fs::read_to_string(dir.join("a")).unwrap(), "hello", "{shell}");
        let link = connect(&with_password(&sshd, PASSWORD), login(&sshd, &account, true)).await.unwrap();
        let ended = run(&link, "id -u; cat <<'x'\n$!\\\nx\n").await;
        assert_eq!((ended.out.as_str(), ended.code), ("0\n$!\\\n", Some(0)), "{shell}: {}", ended.err);
        link.aside("exit 0").await.unwrap();
    }
}

#[tokio::test]
async fn noise_breaks_neither_shell_nor_files() {
    let sshd = Sshd::start(&[SFTP_SERVER]);
    let account = Account::new("/bin/bash");
    account.sudoers("{} ALL=(ALL) ALL");
    account.write(".bashrc", "echo 'Welcome, have a nice day'; echo noise >&2; set -x\n");
    let link = connect(&with_password(&sshd, PASSWORD), login(&sshd, &account, true)).await.unwrap();
    let ended = run(&link, "id -u\n").await;
    assert_eq!((ended.out.as_str(), ended.code), ("0\n", Some(0)), "{}", ended.err);
    let dir = account.home.join("staging");
    let big = Content::bytes(vec![7; 3_000_000]);
    let files = [upload("a", Content::text("hello")), upload("big", big), upload("none", Content::text(""))];
    link.upload(dir.to_str().unwrap(), &files, &|_| {}).await.unwrap();
    for file in &files {
        let bytes = std::fs::read(dir.join(&file.name)).unwrap();
        assert_eq!(Content::bytes(bytes), file.content, "{}", file.name);
    }
    let error = link.download("/etc/hostname", &sshd.path("x")).await.unwrap_err();
    assert!(error.to_string().contains("no working SFTP"), "{error}");
}

#[tokio::test]
async fn a_server_without_sftp_takes_files_too() {
    let sshd = Sshd::start(&["Subsystem other /bin/false"]);
    let link = connect(&connector(&sshd), ssh(&sshd)).await.unwrap();
    let dir = sshd.path("staging");
    let files = [upload("a", Content::text("hello"))];
    link.upload(dir.to_str().unwrap(), &files, &|_| {}).await.unwrap();
    assert_eq!(std::fs::read_to_string(dir.join("a")).unwrap(), "hello");
    let error = link.upload(dir.to_str().unwrap(), &files, &|_| {}).await.unwrap_err();
    assert!(error.to_string().contains("File exists"), "{error}");
}

#[tokio::test]
async fn root_needs_no_sudo() {
    let sshd = Sshd::start(&[]);
    let link = connect(&connector(&sshd), Ssh { r#become: true, ..ssh(&sshd) }).await.unwrap();
    assert_eq!(run(&link, "echo ${SUDO_USER-none}\n").await.out, "none\n");
}

#[tokio::test]
async fn sudo_without_password_works_or_says_what_to_do() {
    let sshd = Sshd::start(&[]);
    let account = Account::new("/bin/bash");
    let link = connect(&connector(&sshd), login(&sshd, &account, true)).await.unwrap();
    let ended = run(&link, "id -u\n").await;
    assert_eq!(ended.out, "");
    assert_ne!(ended.code, Some(0));
    let error = explain_sudo(&ended.err, &account.name).unwrap_or_else(|| panic!("{}", ended.err));
    let rule = format!("{} ALL=(ALL) NOPASSWD: ALL", account.name);
    assert!(error.hint.unwrap().contains(&rule));
    account.sudoers("{} ALL=(ALL) NOPASSWD: ALL");
    assert_eq!(run(&link, "id -u\n").await.out, "0\n");
    link.aside("test $(id -u) = 0").await.unwrap();
    let error = link.aside("echo no luck >&2; exit 3").await.unwrap_err();
    assert!(error.to_string().contains("no luck"), "{error}");
    // A password that sudo does not want is not sent: nobody would take it off the input.
    let link = connect(&with_password(&sshd, PASSWORD), login(&sshd, &account, true)).await.unwrap();
    let ended = run(&link, "id -u; cat\n").await;
    assert_eq!((ended.out.as_str(), ended.err.as_str()), ("0\n", ""));
}

#[tokio::test]
async fn a_wrong_password_is_tried_once() {
    let sshd = Sshd::start(&[]);
    let account = Account::new("/bin/bash");
    account.sudoers("{} ALL=(ALL) ALL");
    let link = connect(&with_password(&sshd, "wrong"), login(&sshd, &account, true)).await.unwrap();
    let ended = run(&link, "id -u\n").await;
    assert!(ended.err.matches("try again").count() <= 1, "{}", ended.err);
    assert_eq!((ended.out.as_str(), ended.code), ("", Some(1)));
    let error = explain_sudo(&ended.err, &account.name).unwrap();
    assert!(error.to_string().contains("not accepted"), "{error}");
    assert_eq!(error.kind.exit_code(), 4);
    assert!(!ended.err.contains("wrong"), "the password is nowhere: {}", ended.err);
}
