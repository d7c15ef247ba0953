//! Releases on real servers: switched under load, rolled back, locked, and put back whatever happens.

mod faults;
mod hosts;
mod locks;
mod resume;
mod turns;
mod waves;

use std::process::{Child, Output};

use crate::begun::{self, signal};
use crate::lab::{Lab, PAIR, text};

/// Speaks systemd's protocol: a socket that is handed over, and word when it is ready.
pub const SERVER: &str = r#"
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
        self.sock.settimeout(30)
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

pub const PLAYBOOK: &str = r#"
[vars]
root = "/srv/shop"
app = { name = "shop", source = "shop", repo = "" }
here = "{{root}}/releases/{{release}}"
early = 0
late = 0
sick = "nobody"
probed = ""
migrate = "true"

[[stages]]
name = "prepare"

  [[stages.tasks]]
  package = ["python3", "curl"]
  timeout = "10m"

  [[stages.tasks]]
  for_each = ["/srv/shop", "/srv/shop/releases", "{{here}}"]
  directory = "{{item}}"

  [[stages.tasks]]
  upload = { src = "{{app.source}}", dest = "{{here}}/src" }

  [[stages.tasks]]
  env = { path = "{{here}}/.env", mode = "0600", vars = { TOKEN = "{{secrets.token}}" } }

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
name = "migrate"

  [[stages.tasks]]
  name = "migrations"
  changed_when = "false"
  command = "{{migrate}}"

[[stages]]
name = "switch"
waves = [1]
on_failure = "rollback"

  [[stages.tasks]]
  name = "switch"
  tags = ["switch"]
  release_switch = { app = "{{app.name}}", root = "{{root}}", release = "{{release}}", settle = "1s", probe = { url = "{{probed}}", connect = "/run/shop.sock" } }

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

/// Turns the built-in probe on.
pub const PROBED: &str = "probed=http://shop/";

/// A release that comes up; where `sick` holds, every fifth request fails.
pub fn sometimes(sick: &str) -> String {
    let answers =
        SERVER.replace("send_response(200)", "send_response(500 if SICK and next(COUNT) % 5 == 0 else 200)");
    let head = format!("\nimport itertools\nSICK, COUNT = {sick}, itertools.count(1)\n\nclass Server(");
    let sick = answers.replace("\nclass Server(", &head);
    assert_eq!(sick.matches("COUNT").count(), 2);
    sick
}

/// Of the application; nobody but itself has to see it.
const TOKEN: &str = "t0ken-of-the-shop-7f3a";

/// The shop, on servers that have nothing of it.
pub fn shop() -> Lab {
    shop_on(&PAIR)
}

pub fn shop_on(hosts: &[&str]) -> Lab {
    let lab = Lab::enter();
    for host in hosts {
        lab.inside(
            host,
            "umount -l /srv/shop 2>/dev/null || true; umount -l /srv/shop /var/lib/towline/shop /mnt/small 2>/dev/null || true; systemctl disable -q --now shop.socket 'shop@*' 2>/dev/null || true; systemctl stop 'shop@*' 'tow-*-shop' load || true; \
             rm -rf /etc/systemd/system/shop* /etc/systemd/system/*.wants/shop* /srv/shop /var/lib/towline/shop /run/load.*; systemctl daemon-reload; systemctl reset-failed",
        );
    }
    let inventory = std::fs::read_to_string(lab.state.join("deploy.toml")).unwrap();
    lab.write("token", TOKEN);
    let token = lab.folder.path().join("token");
    let secrets = format!("{inventory}\n[secrets]\ntoken = {{ file = \"{}\" }}\n", token.display());
    std::fs::write(lab.state.join("shop.toml"), secrets).unwrap();
    lab.write("playbook.toml", PLAYBOOK);
    lab.write("shop/server.py", SERVER);
    lab
}

fn arguments<'a>(command: &'a str, more: &[&'a str]) -> Vec<&'a str> {
    let both: &[&str] = if more.contains(&"--limit") { &[] } else { &["--limit", "srv1:srv2"] };
    [&[command, "--playbook", "playbook.toml"], both, more].concat()
}

pub fn tow(lab: &Lab, command: &str, more: &[&str]) -> Output {
    lab.tow("shop", &arguments(command, more))
}

#[track_caller]
pub fn must(code: i32, output: &Output) -> String {
    let said = format!("{}{}", text(&output.stdout), text(&output.stderr));
    assert_eq!(output.status.code(), Some(code), "{said}");
    said
}

#[track_caller]
pub fn serves(lab: &Lab, host: &str, number: u32) {
    assert_eq!(serving(lab, host), number, "{host}");
    let free = "! ls -d /var/lib/towline/shop/lock /var/lib/towline/shop/pending 2>/dev/null";
    assert!(lab.try_inside(host, free).status.success(), "{host}: something is still held");
}

/// Number of the release that answers, which is what `current` and the units say as well.
#[track_caller]
fn serving(lab: &Lab, host: &str) -> u32 {
    let looks =
        "python3 -c 'import socket; s = socket.socket(socket.AF_UNIX); s.connect(\"/run/shop.sock\"); \
         s.send(b\"GET / HTTP/1.0\\r\\n\\r\\n\"); print(s.makefile().read().split()[-1])'
         readlink /srv/shop/current
         systemctl list-units --plain --no-legend --state=active 'shop@*' | cut -d' ' -f1
         cd /etc/systemd/system/multi-user.target.wants; ls -d shop@*";
    let said = lab.inside(host, looks);
    let answer = said.lines().next().unwrap();
    let unit = format!("shop@{answer}.service");
    assert_eq!(
        said,
        format!("{answer}\nreleases/{answer}\n{unit}\n{unit}"),
        "answers, current, runs, at boot"
    );
    answer.split('-').next().unwrap().parse().unwrap()
}

/// Visitors come, until `unload`.
fn load(lab: &Lab, host: &str) {
    lab.inside(host, &format!("rm -f /run/load.*; cat >/run/load.py <<'X'\n{LOAD}\nX\nsystemd-run -q --collect --unit=load -p StandardOutput=file:/run/load.said python3 /run/load.py"));
}

/// All of them were answered; how long one of them waited at most, in milliseconds.
#[track_caller]
fn unload(lab: &Lab, host: &str) -> u64 {
    let said = lab.inside(
        host,
        "touch /run/load.stop; n=0; until [ -s /run/load.said ]; do n=$((n + 1)); [ $n -lt 600 ]; sleep 0.1; done; cat /run/load.said",
    );
    let counts: Vec<u64> = said.split_whitespace().map(|word| word.parse().unwrap()).collect();
    assert!(counts[0] == 0 && counts[2] > 200, "failed, slowest in ms, sent: {said}");
    counts[1]
}

/// Begins a deploy and waits until it says `sign`.
fn until(lab: &Lab, more: &[&str], sign: &str) -> Child {
    begun::until(lab.begin("shop", &arguments("deploy", &[&["--plain", "-v"], more].concat())), sign)
}
