//! A server with no Python, no curl and no route to the outside: what can be done is done, the rest says what it lacks.

use crate::lab::{ALONE, Lab};

#[test]
#[ignore = "needs real servers: tests/run"]
fn a_bare_server_takes_all_that_needs_nothing() {
    let lab = Lab::enter();
    assert!(
        !lab.try_inside(ALONE, "command -v python3 || command -v curl").status.success(),
        "it is not bare"
    );
    lab.write("tree/a.txt", "a\n");
    lab.write("t.hbs", "{{os.codename}}\n");
    lab.converge_on(
        &[ALONE],
        "[[tasks]]\nuser = 'app'\n\
         [[tasks]]\ndirectory = { path = '/srv/app', owner = 'app' }\n\
         [[tasks]]\nupload = { src = 'tree', dest = '/srv/app/tree', owner = 'app' }\n\
         [[tasks]]\ntemplate = { src = 't.hbs', dest = '/srv/app/t' }\n\
         [[tasks]]\nenv = { path = '/srv/app/.env', vars = { A = 'b' } }\n\
         [[tasks]]\nline = { path = '/etc/hosts', line = '198.51.100.7 db' }\n\
         [[tasks]]\npackage = ['sudo', 'openssh-server']\n\
         [[tasks]]\nservice = { name = 'ssh', enabled = true }\n\
         [[tasks]]\nassert = { path = '/srv/app/tree/a.txt' }\n",
    );
    assert_eq!(lab.inside(ALONE, "cat /srv/app/t /srv/app/tree/a.txt"), "bookworm\na");
}

#[test]
#[ignore = "needs real servers: tests/run"]
fn what_it_lacks_is_named() {
    let lab = Lab::enter();
    for (task, parts) in [
        ("venv = '/srv/v'", ["there is no python3 on this host", "\"python3-venv\""]),
        ("pip = { venv = '/srv/v', packages = 'six' }", ["there is no virtual environment", "make it first"]),
        (
            "git = { repo = 'https://git.example/x.git', dest = '/srv/x' }",
            ["there is no git", "package = \"git\""],
        ),
        ("http = { url = 'http://127.0.0.1:1/', timeout = '1s' }", ["curl", "python3"]),
    ] {
        let run = lab.run_on(ALONE, &format!("[[tasks]]\n{task}\n"));
        assert_eq!(run.code, 3, "{task}: {}", run.story());
        let error = run.error(ALONE);
        for part in parts {
            assert!(error.contains(part), "{task} does not say {part:?}:\n{error}");
        }
    }
}
