//! Releases on real servers: switched under load, rolled back, locked, and put back whatever happens.

use std::process::{Child, Output};

use crate::begun::{self, signal};
use crate::lab::{Lab, PAIR, text};

/// Speaks systemd's protocol: a socket that is handed over, and word when it is ready.
const SERVER: &str = r#"
import http.server, os, signal, socket, socketserver, sys, threading

class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        body = sys.argv[1].encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    def address_string(self):
        return "unix"
    def log_message(self, *args):
        pass

class Server(socketserver.ThreadingMixIn, http.server.HTTPServer):
    daemon_threads = False

server = Server(("", 0), Handler, bind_and_activate=False)
server.socket = socket.socket(fileno=3)
server.socket.setblocking(False)
signal.signal(signal.SIGTERM, lambda *_: threading.Thread(target=server.shutdown).start())
with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notify:
    notify.connect(os.environ["NOTIFY_SOCKET"])
    notify.send(b"READY=1")
server.serve_forever(0.05)
server.server_close()
"#;

/// Asks until it is told to stop; then says how many answers were wrong, the slowest, and how many there were.
const LOAD: &str = r#"
import http.client, os, socket, time

class Connection(http.client.HTTPConnection):
    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(5)
        self.sock.connect("/run/shop.sock")

failed = slowest = sent = 0
while not os.path.exists("/run/load.stop"):
    began = time.monotonic()
    try:
        connection = Connection("shop")
        connection.request("GET", "/")
        failed += connection.getresponse().status != 200
        connection.close()
    except OSError:
        failed += 1
    slowest = max(slowest, time.monotonic() - began)
    sent += 1
    time.sleep(0.002)
print(failed, round(slowest * 1000), sent)
"#;

const PLAYBOOK: &str = r#"
[vars]
root = "/srv/shop"
app = { name = "shop", source = "shop", repo = "" }
here = "{{root}}/releases/{{release}}"
early = 0
late = 0
sick = "nobody"

[[stages]]
name = "prepare"

  [[stages.tasks]]
  package = "python3"
  timeout = "10m"

  [[stages.tasks]]
  for_each = ["/srv/shop", "/srv/shop/releases", "{{here}}"]
  directory = "{{item}}"

  [[stages.tasks]]
  upload = { src = "{{app.source}}", dest = "{{here}}/src" }

  [[stages.tasks]]
  file = { path = "{{here}}/units", content = "shop@{{release}}.service\n" }

  [[stages.tasks]]
  systemd_unit = { name = "shop.socket", content = "[Socket]\nListenStream=/run/shop.sock\n[Install]\nWantedBy=sockets.target\n" }

  [[stages.tasks]]
  [stages.tasks.systemd_unit]
  name = "shop@{{release}}.service"
  content = """
[Unit]
Requires=shop.socket
After=shop.socket
[Service]
Type=notify
Sockets=shop.socket
ExecStart=/usr/bin/python3 {{here}}/src/server.py {{release}}
Restart=always
RestartSec=1
[Install]
WantedBy=multi-user.target
"""

  [[stages.tasks]]
  name = "early"
  changed_when = "false"
  command = "sleep {{early}}"

[[stages]]
name = "switch"
waves = [1]
on_failure = "rollback"

  [[stages.tasks]]
  name = "switch"
  tags = ["switch"]
  release_switch = { app = "{{app.name}}", root = "{{root}}", release = "{{release}}", settle = "1s" }

  [[stages.tasks]]
  name = "gate"
  tags = ["switch"]
  assert = { that = "{{ne host.name sick}}", message = "it is sick" }

[[stages]]
name = "finish"

  [[stages.tasks]]
  name = "late"
  changed_when = "false"
  command = "sleep {{late}}"

  [[stages.tasks]]
  tags = ["switch"]
  release_finish = { app = "{{app.name}}", root = "{{root}}", release = "{{release}}", keep = 3 }
"#;

/// The shop, on servers that have nothing of it.
fn shop() -> Lab {
    let lab = Lab::enter();
    for host in PAIR {
        lab.inside(
            host,
            "systemctl disable -q --now shop.socket 'shop@*' 2>/dev/null || true; systemctl stop 'shop@*' 'tow-*-shop' || true; \
             rm -rf /etc/systemd/system/shop* /etc/systemd/system/*.wants/shop* /srv/shop /var/lib/towline/shop /run/load.*; systemctl daemon-reload; systemctl reset-failed",
        );
    }
    lab.write("playbook.toml", PLAYBOOK);
    lab.write("shop/server.py", SERVER);
    lab
}

fn arguments<'a>(command: &'a str, more: &[&'a str]) -> Vec<&'a str> {
    let both: &[&str] = if more.contains(&"--limit") { &[] } else { &["--limit", "srv1:srv2"] };
    [&[command, "--playbook", "playbook.toml"], both, more].concat()
}

fn tow(lab: &Lab, command: &str, more: &[&str]) -> Output {
    lab.tow("deploy", &arguments(command, more))
}

#[track_caller]
fn must(code: i32, output: &Output) -> String {
    let said = format!("{}{}", text(&output.stdout), text(&output.stderr));
    assert_eq!(output.status.code(), Some(code), "{said}");
    said
}

/// Number of the release that answers, which is what `current` and the units say as well.
#[track_caller]
fn serves(lab: &Lab, host: &str, number: u32) {
    let answer = "python3 -c 'import socket; s = socket.socket(socket.AF_UNIX); s.connect(\"/run/shop.sock\"); \
         s.send(b\"GET / HTTP/1.0\\r\\n\\r\\n\"); print(s.makefile().read().split()[-1])'";
    let answer = lab.inside(host, answer);
    assert!(answer.starts_with(&format!("{number}-")), "{host}: {answer} answers, not {number}");
    assert_eq!(lab.inside(host, "readlink /srv/shop/current"), format!("releases/{answer}"));
    let running = "systemctl list-units --plain --no-legend --state=active 'shop@*' | cut -d' ' -f1";
    assert_eq!(lab.inside(host, running), format!("shop@{answer}.service"), "{host}");
    let enabled = "cd /etc/systemd/system/multi-user.target.wants; ls -d shop@*";
    assert_eq!(lab.inside(host, enabled), format!("shop@{answer}.service"), "{host}");
    let free = "! ls -d /var/lib/towline/shop/lock /var/lib/towline/shop/pending 2>/dev/null";
    assert!(lab.try_inside(host, free).status.success(), "{host}: something is still held");
}

/// Begins a deploy and waits until it says `sign`.
fn until(lab: &Lab, more: &[&str], sign: &str) -> Child {
    begun::until(lab.begin("deploy", &arguments("deploy", &[&["--plain", "-v"], more].concat())), sign)
}

#[test]
#[ignore = "needs real servers: tests/run"]
fn releases_take_turns_under_load_and_no_request_is_lost() {
    let lab = shop();
    must(0, &tow(&lab, "deploy", &[]));
    serves(&lab, "srv1", 1);
    lab.inside("srv1", &format!("cat >/run/load.py <<'X'\n{LOAD}\nX\nsystemd-run -q --collect -p StandardOutput=file:/run/load.said python3 /run/load.py"));
    for number in 2..=5 {
        must(0, &tow(&lab, "deploy", &["--limit", "srv1"]));
        serves(&lab, "srv1", number);
    }
    must(0, &tow(&lab, "rollback", &["--limit", "srv1"]));
    serves(&lab, "srv1", 4);
    let said = lab.inside(
        "srv1",
        "touch /run/load.stop; until [ -s /run/load.said ]; do sleep 0.1; done; cat /run/load.said",
    );
    let counts: Vec<u64> = said.split_whitespace().map(|word| word.parse().unwrap()).collect();
    assert!(counts[0] == 0 && counts[1] < 500 && counts[2] > 1000, "failed, slowest in ms, sent: {said}");
    // Of the finished ones three stay; the newest is kept although it does not serve.
    assert_eq!(lab.inside("srv1", "ls /srv/shop/releases | cut -d- -f1 | xargs"), "3 4 5");
    assert_eq!(lab.inside("srv1", "ls -d /etc/systemd/system/shop@*.service | wc -l"), "3");
    // A host that has another release keeps the others from going back to it.
    assert!(must(3, &tow(&lab, "rollback", &[])).contains("nothing to go back to"));
    let status = must(0, &tow(&lab, "status", &["--json"]));
    assert!(status.contains("\"unit\":\"active\"") && status.contains("\"lock\":null"), "{status}");
}

#[test]
#[ignore = "needs real servers: tests/run"]
fn what_does_not_come_up_or_is_sick_leaves_the_old_release_everywhere() {
    let lab = shop();
    must(0, &tow(&lab, "deploy", &[]));
    lab.write("shop/server.py", "raise SystemExit('no such setting: COLOUR')\n");
    let said = must(3, &tow(&lab, "deploy", &[]));
    assert!(said.contains("no such setting: COLOUR"), "{said}");
    for host in PAIR {
        serves(&lab, host, 1);
    }
    lab.write("shop/server.py", SERVER);
    let said = must(3, &tow(&lab, "deploy", &["--set", "sick=srv2"]));
    assert!(said.contains("it is sick") && said.contains("serves again"), "{said}");
    for host in PAIR {
        serves(&lab, host, 1);
    }
    // What they left behind goes with the next one that does well.
    must(0, &tow(&lab, "deploy", &[]));
    assert_eq!(lab.both("ls /srv/shop/releases | cut -d- -f1 | xargs"), "1 4");
}

#[test]
#[ignore = "needs real servers: tests/run"]
fn one_of_two_operators_wins_and_ctrl_c_gives_back() {
    let lab = shop();
    must(0, &tow(&lab, "deploy", &[]));
    let mut first = until(&lab, &["--set", "late=300"], "stage finish");
    let said = must(5, &tow(&lab, "deploy", &[]));
    assert!(said.contains("shop is locked") && said.contains("tow unlock"), "{said}");
    assert!(must(0, &tow(&lab, "status", &[])).contains("not confirmed"));
    signal(&first, nix::sys::signal::Signal::SIGINT);
    assert_eq!(first.wait().unwrap().code(), Some(130));
    for host in PAIR {
        serves(&lab, host, 1);
    }
}

#[test]
#[ignore = "needs real servers: tests/run"]
fn a_run_that_is_killed_is_undone_by_the_host_or_by_the_next_run() {
    let lab = shop();
    must(0, &tow(&lab, "deploy", &[]));
    for undone_by_the_host in [true, false] {
        let mut killed = until(&lab, &["--set", "late=300"], "stage finish");
        signal(&killed, nix::sys::signal::Signal::SIGKILL);
        killed.wait().unwrap();
        if undone_by_the_host {
            for host in PAIR {
                let gone = "n=0; while [ -e /var/lib/towline/shop/pending ]; do n=$((n + 1)); [ $n -lt 100 ]; sleep 1; done";
                lab.inside(host, gone);
                assert!(
                    lab.inside(host, "tail -n 1 /var/lib/towline/shop/journal.jsonl")
                        .contains("nobody confirmed it")
                );
                lab.inside(host, "rm -rf /var/lib/towline/shop/lock");
                serves(&lab, host, 1);
            }
        }
    }
    let said = must(0, &tow(&lab, "deploy", &[]));
    assert!(said.contains("took the lock over") && said.contains("was not confirmed"), "{said}");
    for host in PAIR {
        serves(&lab, host, 4);
    }
}

#[test]
#[ignore = "needs real servers: tests/run"]
fn a_lock_whose_holder_may_live_is_taken_away_by_name_only() {
    let lab = shop();
    must(0, &tow(&lab, "deploy", &[]));
    let held = "d=/var/lib/towline/shop/lock; mkdir $d; cut -d. -f1 /proc/uptime >$d/beat; \
         printf 'run=%s\\nholder=them@there\\nboot=%s\\nat=0\\n' abc \"$(cat /proc/sys/kernel/random/boot_id)\" >$d/info";
    lab.inside("srv2", held);
    let said = must(5, &tow(&lab, "deploy", &[]));
    assert!(said.contains("them@there"), "{said}");
    assert!(must(5, &tow(&lab, "unlock", &["other"])).contains("another run"));
    assert!(must(0, &tow(&lab, "unlock", &["abc"])).contains("unlocked"));
    lab.inside("srv2", &format!("{held}; echo 0 >$d/info.x; sed -i 's/^boot=.*/boot=before/' $d/info"));
    assert!(must(0, &tow(&lab, "deploy", &[])).contains("started anew"));
    for host in PAIR {
        serves(&lab, host, 2);
    }
}
