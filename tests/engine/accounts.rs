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
