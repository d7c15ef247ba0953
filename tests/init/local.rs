//! Development on this machine: the real thing, on loopback.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::process::Command;

use crate::project::{Project, said};

/// Ends the Supervisor of a project and waits until it has ended, however the test ends.
struct Running<'a>(&'a Project);

impl Drop for Running<'_> {
    fn drop(&mut self) {
        let ask = |what: &str| {
            let folder = self.0.folder.join(".tow/local");
            let mut ask = Command::new(folder.join("venv/bin/supervisorctl"));
            let ask = ask.arg("-c").arg(folder.join("run/supervisord.conf")).arg(what);
            ask.output().map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned())
        };
        // The answer to `shutdown` comes first, the end of the programs after it.
        let pid = ask("pid").ok().filter(|pid| pid.parse::<u32>().is_ok());
        let _ = ask("shutdown");
        if let Some(pid) = pid {
            let _ = Command::new("timeout").args(["60", "tail", "--pid", &pid, "-f", "/dev/null"]).status();
        }
    }
}

fn body(port: &str, path: &str) -> String {
    let mut stream = TcpStream::connect(format!("127.0.0.1:{port}")).unwrap();
    write!(stream, "GET {path} HTTP/1.0\r\nHost: localhost\r\n\r\n").unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).unwrap();
    text
}

/// Installs from a package index, so it is one application; the others were seen by hand in the same way.
#[test]
fn the_example_runs_here_and_a_second_run_changes_nothing() {
    // Another checkout's tests would take the same port: the first that is free.
    let lock = std::fs::File::create(std::env::temp_dir().join("towline-init-local.lock")).unwrap();
    lock.lock().unwrap();
    let project = Project::of("examples/pythonweb");
    let output = project.tow(&["init", "--local"]);
    assert!(output.status.success(), "{}", said(&output));
    assert!(!project.has("inventory.toml") && !project.has("playbooks/site.toml"));
    let running = Running(&project);
    let run = || project.tow(&["run", "-i", ".tow/local.toml", "local", "--plain"]);
    let output = run();
    assert!(output.status.success(), "{}", said(&output));
    let settings = project.read(".tow/local.toml");
    let port = settings.split("http://127.0.0.1:").nth(1).unwrap().split('"').next().unwrap().to_owned();
    assert!(body(&port, "/healthz").contains("\"database\": \"ok\""), "{}", body(&port, "/healthz"));
    assert!(body(&port, "/static/style.css").contains("color-scheme"));
    let output = run();
    assert!(output.status.success() && said(&output).contains("nothing changed"), "{}", said(&output));
    drop(running);
    assert!(TcpStream::connect(format!("127.0.0.1:{port}")).is_err());
}
