//! The firewall: it is kept on only where somebody who comes anew gets in.

use crate::lab::{Lab, PAIR};

const PLAYBOOK: &str = r#"
[[tasks]]
name = "ufw"
package = "ufw"
[[tasks]]
name = "on"
firewall = { allow = "80/tcp", window = "60s" }
[[tasks]]
name = "stays"
firewall = { confirm = true }
"#;

#[test]
#[ignore = "needs real servers: tests/run"]
fn it_stays_only_where_a_new_connection_comes_in() {
    let lab = Lab::enter();
    let server = PAIR[0];
    lab.run_on(server, "[[tasks]]\npackage = \"ufw\"\n").must_succeed();
    // An older rule stands before the one that lets SSH in. What is connected already goes on.
    lab.inside(server, "ufw deny 22 >/dev/null");
    let run = lab.run_on(server, PLAYBOOK);
    let armed = "systemctl is-active tow-firewall-revert.timer || :";
    assert_eq!(lab.inside(server, armed), "active");
    assert_eq!(run.code, 3, "{}", run.story());
    let error = run.error(server);
    assert!(error.contains("cannot keep the firewall on\ncause: cannot reach"), "{error}");
    assert!(error.contains("hint: it turns itself off"), "{error}");

    // So it does, and the host is open again.
    lab.inside(
        server,
        "i=0; until ufw status | grep -q inactive; do i=$((i+1)); [ $i -lt 80 ]; sleep 1; done",
    );
    lab.inside(server, "ufw --force delete deny 22 >/dev/null");
    lab.converge_on(&[server], PLAYBOOK);
    assert_eq!(lab.inside(server, armed), "inactive");
    assert!(lab.inside(server, "ufw status").contains("Status: active"));
    lab.inside(server, "{ ufw --force disable; ufw --force reset; } >/dev/null");
}
