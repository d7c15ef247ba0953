//! At a terminal it asks: a real pseudo-terminal, with somebody who answers each question when it is there.

use std::fs::File;
use std::io::{Read as _, Write as _};
use std::process::{Command, Stdio};

use nix::pty::openpty;

use crate::project::Project;

/// `tow init` at a terminal: answers as the questions come, and gives all that was shown with the exit code.
fn talk(project: &Project, args: &[&str], answers: &[(&str, &str)]) -> (String, Option<i32>) {
    let pty = openpty(None, None).unwrap();
    let (mut master, slave) = (File::from(pty.master), File::from(pty.slave));
    let handle = || Stdio::from(slave.try_clone().unwrap());
    let mut command = Command::new(env!("CARGO_BIN_EXE_tow"));
    command.current_dir(&project.folder).arg("init").args(args);
    let mut child = command.stdin(handle()).stdout(handle()).stderr(handle()).spawn().unwrap();
    // Ours would keep the terminal open after the child's end.
    drop((slave, command));
    let (mut shown, mut seen, mut buffer) = (String::new(), 0, [0; 4096]);
    let mut answers = answers.iter();
    let mut next = answers.next();
    // An error (EIO) is how a terminal says that its last user is gone.
    while let Ok(n @ 1..) = master.read(&mut buffer) {
        shown.push_str(&String::from_utf8_lossy(&buffer[..n]).replace('\r', ""));
        while let Some((question, answer)) = next
            && let Some(at) = shown[seen..].find(question)
        {
            seen += at + question.len();
            writeln!(master, "{answer}").unwrap();
            next = answers.next();
        }
    }
    let code = child.wait().unwrap().code();
    assert!(next.is_none(), "was not asked: {next:?}\n{shown}");
    (shown, code)
}

const ANSWERS: [(&str, &str); 6] = [
    ("Address of the server (several: with spaces): ", "me@web"),
    ("Address of the server (several: with spaces): ", "127.0.0.1:9"),
    ("Account to log in as [root]: ", ""),
    ("Domain of the site (several: with spaces): ", "shop.example.com www.shop.example.com"),
    ("E-mail for the certificate authority (may be empty): ", ""),
    ("Database: postgresql, sqlite or none [postgresql]: ", "sqlite"),
];

#[test]
fn it_asks_what_it_cannot_know_and_again_when_an_answer_is_no_use() {
    let project = Project::of("flask-factory");
    let (shown, code) = talk(&project, &[], &ANSWERS);
    assert_eq!(code, Some(0), "{shown}");
    assert!(shown.contains("\"me@web\" is neither a name nor an IP address"), "{shown}");
    let inventory = project.read("inventory.toml");
    for line in
        ["user = \"root\"", "become = false", "redirects = [\"www.shop.example.com\"]", "engine = \"sqlite\""]
    {
        assert!(inventory.contains(line), "{line}\n{inventory}");
    }
}

#[test]
fn what_is_there_is_replaced_only_after_a_yes() {
    let project = Project::of("nothing");
    std::fs::write(project.folder.join("inventory.toml"), "mine").unwrap();
    let flags = ["--yes", "--host", "127.0.0.1:9", "--domain", "shop.example.com"];
    let entry = ("What gunicorn imports, such as wsgi:app or shop:create_app(): ", "web:app");
    let (shown, code) = talk(&project, &flags, &[entry, ("Replace them? [yes/no] ", "no")]);
    assert_eq!(code, Some(0), "{shown}");
    assert!(shown.contains("Nothing was written."), "{shown}");
    assert!(project.read("inventory.toml") == "mine" && !project.has(".tow") && !project.has("playbooks"));
    let (shown, code) = talk(&project, &flags, &[entry, ("Replace them? [yes/no] ", "yes")]);
    assert_eq!(code, Some(0), "{shown}");
    assert!(project.read("inventory.toml").contains("entry = \"web:app\""));
}
