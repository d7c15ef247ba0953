//! A server that is switched off and on: what was enabled comes back, and the next run finds nothing to do.

use crate::lab::{Lab, PAIR};

#[test]
#[ignore = "needs real servers: tests/run"]
fn after_a_reboot_all_is_as_it_was() {
    let lab = Lab::enter();
    let playbook = "[[tasks]]\nfile = { path = '/etc/systemd/system/stays.service', content = \"[Service]\\nExecStart=/bin/sleep infinity\\n[Install]\\nWantedBy=multi-user.target\\n\" }\n\
        [[tasks]]\nservice = { name = 'stays', enabled = true, state = 'started', settle = '1s' }\n";
    lab.converge(playbook);
    let boot = |host: &str| lab.inside(host, "cat /proc/sys/kernel/random/boot_id");
    for host in PAIR {
        let before = boot(host);
        lab.lab(&["reboot", host]);
        assert_ne!(boot(host), before);
    }
    assert_eq!(lab.both("systemctl is-active stays"), "active");
    let run = lab.run(playbook);
    run.must_succeed();
    assert_eq!(PAIR.map(|host| run.count(host, "changed")), [0, 0], "{}", run.story());
}
