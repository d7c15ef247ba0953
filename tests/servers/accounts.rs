//! Accounts, and acting as another one: useradd, sudo with and without a password.

use crate::lab::{Lab, PAIR, text};

#[test]
#[ignore = "needs real servers: tests/run"]
fn accounts_are_made_adjusted_and_removed() {
    let lab = Lab::enter();
    lab.converge(
        "[[tasks]]\nuser = { name = 'shop', system = true, home = '/srv/shop', shell = '/usr/sbin/nologin', comment = 'The shop' }\n\
         [[tasks]]\nuser = 'ann'\n\
         [[tasks]]\ndirectory = { path = '/srv/shop', owner = 'shop', group = 'shop', mode = '0750' }\n\
         [[tasks]]\nname = 'whose'\nas = 'shop'\ncommand = 'id -un >/srv/shop/who'\ncreates = '/srv/shop/who'\n",
    );
    assert_eq!(lab.both("stat -c '%U %G %a' /srv/shop; cat /srv/shop/who"), "shop shop 750\nshop");
    assert_eq!(
        lab.both("getent passwd shop | cut -d: -f5-; test $(id -u shop) -lt 1000"),
        "The shop:/srv/shop:/usr/sbin/nologin"
    );

    lab.converge("[[tasks]]\nuser = { name = 'ann', groups = ['www-data', 'sudo'], shell = '/bin/bash' }\n");
    assert_eq!(
        lab.both("id -Gn ann; getent passwd ann | cut -d: -f6-"),
        "ann sudo www-data\n/home/ann:/bin/bash"
    );
    lab.converge("[[tasks]]\nfor_each = ['ann', 'shop']\nuser = { name = '{{item}}', absent = true }\n");
    assert_eq!(lab.both("getent passwd ann shop || test -d /home/ann && echo gone"), "gone");
    lab.both("rm -r /home/ann /srv/shop");
}

#[test]
#[ignore = "needs real servers: tests/run"]
fn sudo_that_wants_a_password_says_how_to_give_it() {
    let lab = Lab::enter();
    lab.inventory_as("admin");
    let output = lab.tow("admin", &["exec", "--limit", &PAIR.join(":"), "--", "id -un"]);
    assert_eq!(output.status.code(), Some(4), "{}", text(&output.stderr));
    let said = text(&output.stderr);
    assert!(said.contains("admin cannot become root") && said.contains("--ask-become-pass"), "{said}");
}

#[test]
#[ignore = "needs real servers: tests/run"]
fn a_password_for_sudo_is_asked_for_once() {
    let lab = Lab::enter();
    lab.inventory_as("admin");
    let said = lab.at_a_terminal(
        "admin",
        &["exec", "-K", "--plain", "--limit", &PAIR.join(":"), "--", "id -un"],
        "sudo password:",
        "correct horse\n",
    );
    for host in PAIR {
        assert!(said.contains(&format!("{host} | root")), "{said}");
    }
    assert!(!said.contains("correct horse"), "{said}");
}

#[test]
#[ignore = "needs real servers: tests/run"]
fn csh_as_login_shell_takes_a_large_playbook() {
    let lab = Lab::enter();
    lab.both("{ apt-get -qq update; apt-get -qq -y install csh; } >/dev/null 2>&1 && usermod -s /bin/bsd-csh deploy");
    let task = |n| format!("[[tasks]]\nfile = {{ path = '/srv/csh-{n}', content = '{n}' }}\n");
    let run = lab.run(&(0..60).map(task).collect::<String>());
    lab.both("usermod -s /bin/bash deploy");
    run.must_succeed();
    assert_eq!(lab.both("ls -d /srv/csh-* | wc -l; rm /srv/csh-*"), "60");
}
