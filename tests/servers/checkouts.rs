//! git on a server: missing, then a checkout of an application's own user.

use crate::lab::{Lab, PAIR};

const REPOSITORY: &str = "rm -rf /srv/repo; git init -q -b main /srv/repo; cd /srv/repo; echo 1 >a; git add a
    git -c user.name=t -c user.email=t@example.com commit -q -m one; git tag v1; chmod -R a+rX /srv/repo";

#[test]
#[ignore = "needs real servers: tests/run"]
fn a_checkout_belongs_to_whom_it_is_for() {
    let lab = Lab::enter();
    lab.both("apt-get -y -q purge git >/dev/null 2>&1 || true; rm -rf /srv/code; userdel coder 2>/dev/null || true");
    let checkout = |version: &str| {
        format!(
            "[[tasks]]\nuser = {{ name = 'coder', system = true }}\n\
             [[tasks]]\ndirectory = {{ path = '/srv/code', owner = 'coder' }}\n\
             [[tasks]]\nname = 'source'\nas = 'coder'\ngit = {{ repo = '/srv/repo', dest = '/srv/code/src', ref = '{version}' }}\n"
        )
    };
    lab.run(&checkout("v1"))
        .must_fail_with(&["there is no git on this host", "hint: install it first: package = \"git\""]);

    lab.converge("[[tasks]]\npackage = { names = 'git', install_recommends = false }\n");
    lab.both(REPOSITORY);
    // git refuses another user's repository unless told; a server's own is usually behind ssh or https.
    lab.both("git config --system --replace-all safe.directory /srv/repo");
    lab.both("git config --system --add safe.directory /srv/repo/.git");
    lab.converge(&checkout("v1"));
    assert_eq!(lab.both("cat /srv/code/src/a; stat -c %U /srv/code/src/a"), "1\ncoder");
    lab.both("cd /srv/repo; echo 2 >a; git -c user.name=t -c user.email=t@example.com commit -q -a -m two; chmod -R a+rX .");
    let run = lab.converge(&checkout("main"));
    for host in PAIR {
        assert_eq!(run.task(host, "source")["outcome"], "changed");
    }
    assert_eq!(lab.both("cat /srv/code/src/a"), "2");
    lab.run(&checkout("nowhere")).must_fail_with(&["no branch and no tag of that name"]);
}
