//! Python as Debian has it: without venv at first, then environments, and what pip says.

use crate::lab::Lab;

#[test]
#[ignore = "needs real servers: tests/run"]
fn environments_are_made_once_debian_has_what_they_need() {
    let lab = Lab::enter();
    lab.both(
        "apt-get -y -q purge 'python3*-venv' >/dev/null 2>&1 || true; rm -rf /srv/venv /srv/requirements.txt",
    );
    lab.converge("[[tasks]]\npackage = { names = 'python3', install_recommends = false }\n");
    let venv = "[[tasks]]\nvenv = '/srv/venv'\n";
    lab.run(venv).must_fail_with(&[
        "cannot make the virtual environment /srv/venv",
        "no module venv",
        "hint: install it first: package = \"python3-venv\"",
    ]);
    lab.both("test ! -e /srv/venv");

    lab.converge(&format!("[[tasks]]\npackage = 'python3-venv'\n{venv}[[tasks]]\npip = {{ venv = '/srv/venv', packages = 'six==1.16.0' }}\n"));
    assert_eq!(lab.both("/srv/venv/bin/python -c 'import six; print(six.__version__)'"), "1.16.0");

    let wanting = |line: &str| {
        format!(
            "[[tasks]]\nfile = {{ path = '/srv/requirements.txt', content = \"{line}\\n\" }}\n[[tasks]]\npip = {{ venv = '/srv/venv', requirements = '/srv/requirements.txt' }}\n"
        )
    };
    lab.converge(&wanting("six==1.17.0"));
    assert_eq!(lab.both("/srv/venv/bin/python -c 'import six; print(six.__version__)'"), "1.17.0");
    let run = lab.run(&wanting("six==99.0"));
    run.must_fail_with(&["No matching distribution found for six==99.0", "hint: check the name and version"]);
    // A failed installation leaves what was there.
    assert_eq!(lab.both("/srv/venv/bin/python -c 'import six; print(six.__version__)'"), "1.17.0");

    // Debian forbids pip outside of environments; ours is one, also when somebody removed its Python.
    lab.both("rm /srv/venv/bin/python3");
    lab.converge(&format!("{venv}{}", wanting("six==1.17.0")));
}
