//! Files of all sorts, written by a user who becomes root by sudo.

use crate::lab::{Lab, PAIR};

const PLAYBOOK: &str = r#"
[[tasks]]
directory = { path = "/srv/files/deep/er", owner = "deploy", mode = "0750" }
[[tasks]]
file = { path = "/srv/files/plain", content = "ä \u0027quoted\u0027\n", mode = "0640", group = "deploy" }
[[tasks]]
template = { src = "site.hbs", dest = "/srv/files/site", mode = "0600" }
[[tasks]]
upload = { src = "tree", dest = "/srv/files/tree", owner = "deploy", delete = true }
[[tasks]]
link = { path = "/srv/files/current", target = "deep/er" }
[[tasks]]
line = { path = "/etc/ssh/sshd_config", line = "MaxStartups 20:30:100", starts_with = "MaxStartups" }
[[tasks]]
env = { path = "/srv/files/.env", owner = "deploy", vars = { KEY = "a b#c", PORT = 8000 } }
[[tasks]]
file = { path = "/srv/files/old", absent = true }
"#;

#[test]
#[ignore = "needs real servers: tests/run"]
fn files_are_as_said_and_stay() {
    let lab = Lab::enter();
    lab.both("rm -rf /srv/files; mkdir -p /srv/files; echo old >/srv/files/old");
    lab.write("site.hbs", "{{host.name}} on {{os.codename}} as {{os.user}}\n");
    lab.write("tree/a/b/c.txt", "c\n");
    lab.write("tree/empty", "");
    lab.converge(PLAYBOOK);
    let names = "find . -mindepth 1 ! -name site -printf '%P %M %u %g %l\n' | sort";
    let expected = "\
        .env -rw------- deploy root \n\
        current lrwxrwxrwx root root deep/er\n\
        deep drwxr-xr-x root root \n\
        deep/er drwxr-x--- deploy root \n\
        plain -rw-r----- root deploy \n\
        tree drwxr-xr-x deploy root \n\
        tree/a drwxr-xr-x deploy root \n\
        tree/a/b drwxr-xr-x deploy root \n\
        tree/a/b/c.txt -rw-r--r-- deploy root \n\
        tree/empty -rw-r--r-- deploy root \n";
    let expected = expected.trim_end_matches('\n');
    assert_eq!(lab.both(&format!("cd /srv/files; {names}")), expected.trim_end());
    assert_eq!(lab.both("cat /srv/files/plain"), "ä 'quoted'");
    assert_eq!(
        PAIR.map(|host| lab.inside(host, "cat /srv/files/site")),
        ["srv1 on bookworm as root", "srv2 on trixie as root"]
    );
    assert_eq!(lab.both("set -a; . /srv/files/.env; echo \"$KEY $PORT\""), "a b#c 8000");
    // sshd still takes its configuration.
    assert_eq!(lab.both("mkdir -p /run/sshd; sshd -T | grep -i ^maxstartups"), "maxstartups 20:30:100");
}

#[test]
#[ignore = "needs real servers: tests/run"]
fn what_somebody_changed_by_hand_is_put_right() {
    let lab = Lab::enter();
    let playbook =
        "[[tasks]]\nname = 'it'\nfile = { path = '/srv/drift', content = \"as said\\n\", mode = '0644' }\n";
    lab.converge(playbook);
    lab.both("echo drifted >/srv/drift; chmod 600 /srv/drift; chown deploy /srv/drift");
    let plan = lab.tow("deploy", &["plan", "playbook.toml", "--limit", "srv1:srv2", "--json"]);
    assert!(plan.status.success());
    assert_eq!(lab.both("cat /srv/drift"), "drifted", "a plan writes nothing");
    let run = lab.converge(playbook);
    assert!(run.task("srv1", "it")["what"].to_string().contains("0600 → 0644"), "{}", run.story());
    assert_eq!(lab.both("cat /srv/drift; stat -c %a /srv/drift"), "as said\n644");
}
