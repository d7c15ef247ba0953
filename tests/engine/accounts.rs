//! Whatever login shell, and becoming root.

use std::os::unix::fs::MetadataExt as _;

use crate::project::{Towline, defaults};
use crate::support::account::Account;
use crate::support::sshd::Sshd;

fn playbook(path: &std::path::Path) -> String {
    format!(
        r#"
[[tasks]]
name = "folder"
directory = {{ path = "{0}", mode = "0750" }}
[[tasks]]
name = "file"
file = {{ path = "{0}/f", content = "it's {{{{os.user}}}} \\ $x `y`\n", mode = "0640" }}
[[tasks]]
name = "command"
command = "for i in 1 2; do echo \"$i!\"; done; id -un"
[[tasks]]
name = "script"
script = {{ content = "x=1; echo $x" }}
"#,
        path.display()
    )
}

#[test]
fn no_login_shell_is_in_the_way() {
    let sshd = Sshd::start(&["Subsystem sftp /usr/lib/openssh/sftp-server"]);
    for shell in ["/usr/bin/fish", "/bin/csh", "/bin/bash"] {
        let account = Account::new(shell);
        account.write(".bashrc", "echo Welcome; echo noise >&2; set -x\n");
        let path = account.home.join("d");
        let tow = Towline::new()
            .inventory(&format!("{}[hosts.a]\naddress = \"127.0.0.1\"\n", defaults(&sshd, &account.name)))
            .playbook(&playbook(&path));
        let ran = tow.run(&[]).ends(0);
        assert_eq!(
            ran.tasks("a"),
            ["folder: changed", "file: changed", "command: changed", "script: changed"],
            "{shell}"
        );
        let said: String = ran.of("output").map(|event| event["text"].as_str().unwrap()).collect();
        assert_eq!(said, format!("1!\n2!\n{}\n1\n", account.name), "{shell}");
        let text = std::fs::read_to_string(path.join("f")).unwrap();
        assert_eq!(text, format!("it's {} \\ $x `y`\n", account.name), "{shell}");
        let again = tow.run(&[]).ends(0);
        assert_eq!(again.tasks("a")[..2], ["folder: already", "file: already"], "{shell}");
    }
}

#[test]
fn sudo_makes_files_of_root_and_without_it_the_error_says_so() {
    let sshd = Sshd::start(&[]);
    let account = Account::new("/bin/bash");
    let root = tempfile::tempdir().unwrap();
    let path = root.path().join("d");
    let inventory =
        format!("{}become = true\n", defaults(&sshd, &account.name).replace("[groups.everyone]\n", ""));
    let tow = Towline::new()
        .inventory(&format!("{inventory}[hosts.a]\naddress = \"127.0.0.1\"\n"))
        .playbook(&playbook(&path));
    let ran = tow.run(&[]).ends(4);
    assert!(ran.host("a")["error"]["hint"].as_str().unwrap().contains("NOPASSWD"), "{ran:#?}");
    assert!(!path.exists());
    account.sudoers("{} ALL=(ALL) NOPASSWD: ALL");
    let ran = tow.run(&[]).ends(0);
    assert_eq!(ran.tasks("a")[1], "file: changed");
    let file = std::fs::metadata(path.join("f")).unwrap();
    assert_eq!((file.uid(), file.mode() & 0o7777), (0, 0o640));
    assert_eq!(std::fs::read_to_string(path.join("f")).unwrap(), "it's root \\ $x `y`\n");
    let again = tow.run(&[]).ends(0);
    assert_eq!(again.tasks("a")[..2], ["folder: already", "file: already"]);
    // Without `become`, the folder of root is not for this account to look into.
    let tow =
        tow.inventory(&format!("{}[hosts.a]\naddress = \"127.0.0.1\"\n", defaults(&sshd, &account.name)));
    let ran = tow.run(&[]).ends(3);
    assert!(ran.host("a")["error"]["hint"].as_str().unwrap().contains("become"), "{ran:#?}");
}

#[test]
fn a_task_of_another_account_writes_only_where_that_account_may() {
    let sshd = Sshd::start(&[]);
    let account = Account::new("/bin/sh");
    let root = tempfile::tempdir().unwrap();
    std::fs::set_permissions(root.path(), std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    std::fs::write(root.path().join("conf"), "of root").unwrap();
    let (uid, home) = (std::fs::metadata(&account.home).unwrap().uid(), account.home.display().to_string());
    // The account leads the way to what is not its own.
    let way = account.home.join("app");
    std::os::unix::fs::symlink(root.path(), &way).unwrap();
    std::os::unix::fs::lchown(&way, Some(uid), None).unwrap();
    for task in [
        "file = { path = '@/conf', content = 'mine' }",
        "file = { path = '@/new', content = 'mine' }",
        "file = { path = '@/conf', absent = true }",
        "line = { path = '@/conf', line = 'mine' }",
        "directory = '@/folder'",
        "link = { path = '@/link', target = 'conf' }",
        "upload = { src = 'tree', dest = '@/tree' }",
    ] {
        let task = task.replace('@', &format!("{home}/app"));
        let tow = Towline::over(&sshd, &["a"]);
        std::fs::create_dir(tow.path("tree")).unwrap();
        let tow =
            tow.file("tree/one", "1").playbook(&format!("[[tasks]]\n{task}\nas = \"{}\"\n", account.name));
        let ran = tow.run(&[]).ends(3);
        assert!(ran.stdout.contains("Permission denied"), "{task}: {}", ran.stdout);
        let names = std::fs::read_dir(root.path()).unwrap().count();
        assert_eq!(
            (names, std::fs::read_to_string(root.path().join("conf")).unwrap()),
            (1, "of root".into()),
            "{task}"
        );
    }
}

#[test]
fn a_task_of_another_account_makes_everything_its_own() {
    let sshd = Sshd::start(&[]);
    let account = Account::new("/bin/sh");
    let meta = std::fs::metadata(&account.home).unwrap();
    let tasks = r#"
directory = { path = "@/d e", mode = "0750" }
file = { path = "@/d e/it's", content = "one\n", mode = "0640" }
line = { path = "@/d e/lines", line = "two", create = true }
link = { path = "@/now", target = "d e" }
upload = { src = "tree", dest = "@/tree", delete = true }
env = { path = "@/.env", vars = { A = "b c" } }
file = { path = "@/tree/gone", absent = true }
"#;
    let task = |line: &str| {
        let line = line.replace('@', &account.home.display().to_string());
        format!("[[tasks]]\n{line}\nas = \"{}\"\n", account.name)
    };
    let playbook: String = tasks.lines().filter(|line| !line.is_empty()).map(task).collect();
    let mut tow = Towline::over(&sshd, &["a"]).playbook(&playbook);
    std::fs::create_dir_all(tow.path("tree/sub")).unwrap();
    for name in ["one", "sub/two", "sub/empty", "gone"] {
        tow = tow.file(&format!("tree/{name}"), if name == "sub/empty" { "" } else { name });
    }
    tow.run(&[]).ends(0);
    let at = |path: &str| account.home.join(path);
    assert_eq!(std::fs::read_to_string(at("now/it's")).unwrap(), "one\n");
    assert_eq!(std::fs::read_to_string(at("now/lines")).unwrap(), "two\n");
    assert_eq!(std::fs::read_to_string(at("tree/sub/two")).unwrap(), "sub/two");
    assert_eq!(std::fs::read_to_string(at("tree/sub/empty")).unwrap(), "");
    for (path, mode) in [("d e", 0o750), ("d e/it's", 0o640), (".env", 0o600), ("tree/one", 0o644)] {
        let found = std::fs::metadata(at(path)).unwrap();
        assert_eq!(
            (found.uid(), found.gid(), found.mode() & 0o777),
            (meta.uid(), meta.gid(), mode),
            "{path}"
        );
    }
    let left = std::fs::read_dir(at("tree"))
        .unwrap()
        .flatten()
        .filter(|entry| entry.file_name().to_string_lossy().starts_with('.'));
    assert_eq!(left.count(), 0);
    std::fs::remove_file(tow.path("tree/gone")).unwrap();
    let again = tow.run(&[]).ends(0);
    assert!(again.tasks("a").iter().all(|task| task.ends_with(": already")), "{:?}", again.tasks("a"));
}
