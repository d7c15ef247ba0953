//! The kinds of the site playbook, against the real nginx, PostgreSQL, certbot (with pebble as authority) and systemd.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

mod real;

use std::net::TcpListener;
use std::process::{Child, Command, Stdio};

use real::{already, apply, converge, must, plan, task};
use towline::task::Task;
use towline::words::action::Action;
use towline::words::step::{Change, Step};

fn folder() -> tempfile::TempDir {
    let folder = tempfile::Builder::new().prefix("tow-test-").tempdir().unwrap();
    must("chmod 755 .", folder.path());
    folder
}

fn free_port() -> u16 {
    let [port] = free_ports();
    port
}

/// All are taken before the first is given back, so that they differ.
fn free_ports<const N: usize>() -> [u16; N] {
    let listeners: [TcpListener; N] = std::array::from_fn(|_| TcpListener::bind("127.0.0.1:0").unwrap());
    listeners.map(|listener| listener.local_addr().unwrap().port())
}

/// Ends with the test.
struct Running(Child);

impl Running {
    fn new(command: &mut Command) -> Running {
        Running(command.stdin(Stdio::null()).stdout(Stdio::null()).spawn().unwrap())
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // TERM, so that nginx ends its workers too.
        let _ = Command::new("kill").arg(self.0.id().to_string()).status();
        let _ = self.0.wait();
    }
}

/// Waits for it: an nginx that has just started, or whose old workers still serve, is not asked by several shells
/// that must agree.
fn answers(url: &str, contains: &str) {
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(10);
    loop {
        let output = Command::new("curl").args(["-q", "-sS", "-m", "2", url]).output().unwrap();
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        if output.status.success() && said.contains(contains) {
            return;
        }
        assert!(std::time::Instant::now() < deadline, "{url} says {said:?}, not {contains:?}");
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
}

/// Only the first action of a step: what systemd or nginx is asked before anything is in place.
fn first_action(task: &dyn Task) -> Result<(), String> {
    let step = plan(task).unwrap();
    let action: Action = step.change().unwrap().actions[0].clone();
    apply(&Step::Unknown(Change::default().action(action)))
}

#[test]
fn systemd_reads_a_unit_before_it_is_in_place() {
    let unit =
        |text: &str| task("systemd_unit", &format!("name = 'tow-test-0.service'\ncontent = '''\n{text}'''"));
    first_action(&*unit(
        "[Service]\nType=notify\nExecStart=/srv/nobody/has/this %i\n[Unit]\nRequires=tow-none.socket\n",
    ))
    .unwrap();
    let said = first_action(&*unit("[Service]\nExecStart=/bin/true\nRestrat=always\n")).unwrap_err();
    assert!(said.contains("/etc/systemd/system/tow-test-0.service:3: Unknown key"), "{said}");
    assert!(said.contains("tow does not write it: systemd ignores or refuses this"), "{said}");
    // Legal, although systemd has a remark on each.
    for fine in ["User=nobody", "PIDFile=/var/run/pf.pid", "StandardOutput=syslog", "KillMode=none"] {
        first_action(&*unit(&format!("[Service]\nType=forking\nExecStart=/bin/true\n{fine}\n"))).unwrap();
    }
    for wrong in
        ["Restart=sometimes", "TimeoutSec=abc", "EnvironmentFile=relative", "no assignment", "[Servce]"]
    {
        let said = first_action(&*unit(&format!("[Service]\nExecStart=/bin/true\n{wrong}\n"))).unwrap_err();
        assert!(said.contains("tow-test-0.service:3: "), "{wrong}: {said}");
    }
    let said = first_action(&*unit("[Service]\nType=oneshot\n")).unwrap_err();
    assert!(said.contains("Refusing."), "{said}");

    let timer = |at: &str| task("timer", &format!("name = 'tow-test-0'\ncommand = 'true'\nat = '{at}'"));
    let actions = |at: &str| {
        let step = timer_step(&*timer(at));
        let verify: Vec<Action> = step
            .change()
            .unwrap()
            .actions
            .iter()
            .filter(|action| action.display().starts_with("systemd-analyze"))
            .cloned()
            .collect();
        assert_eq!(verify.len(), 2);
        apply(&Step::Unknown(Change { actions: verify, ..Change::default() }))
    };
    actions("Mon *-*-* 03:30").unwrap();
    let said = actions("whenever").unwrap_err();
    assert!(said.contains("whenever"), "{said}");
}

/// A timer is planned as on a host with systemd, whatever this machine runs.
fn timer_step(task: &dyn Task) -> Step {
    use towline::words::fact::{Fact, Facts, HostFacts, Output, PathFact, Probe};
    let mut facts = Facts::new(HostFacts { user: "root".into(), ..HostFacts::default() });
    for probe in task.probes() {
        let fact = match &probe {
            Probe::Shell { .. } => Fact::Output(Output { code: 0, stdout: "LoadState=not-found\n".into() }),
            Probe::Digest(_) => Fact::Digest(None),
            Probe::Path(path) if path.as_str().contains("tow-test") => Fact::Path(PathFact::Absent),
            _ => Fact::Path(PathFact::Present(towline::words::fact::Stat {
                node: towline::words::fact::NodeKind::Dir,
                mode: towline::words::names::FileMode(0o755),
                owner: "root".into(),
                group: "root".into(),
                size: 0,
            })),
        };
        facts.insert(probe, fact);
    }
    task.plan(&facts).unwrap()
}

/// Starts nginx with a configuration of its own; `include` names its sites.
fn nginx(root: &str, include: &str) -> Running {
    let conf = format!(
        "daemon off; pid {root}/nginx.pid; error_log {root}/error.log;\nevents {{}}\nhttp {{ access_log off; include {include}/sites-enabled/*; }}\n"
    );
    std::fs::write(format!("{root}/nginx.conf"), conf).unwrap();
    Running::new(Command::new("nginx").args(["-c", &format!("{root}/nginx.conf")]))
}

#[test]
fn a_site_that_nginx_refuses_changes_nothing() {
    let folder = folder();
    must("mkdir sites-available sites-enabled", folder.path());
    let (root, port) = (folder.path().display().to_string(), free_port());
    let url = format!("http://127.0.0.1:{port}/");
    let server =
        |port: u16, say: &str| format!("server {{ listen 127.0.0.1:{port}; return 200 \"{say}\"; }}");
    let site =
        |name: &str, more: &str| task("nginx_site", &format!("name = '{name}'\nfolder = '{root}'\n{more}"));
    let shop = |text: &str| site("shop", &format!("content = '''{text}'''"));

    // Nothing runs yet: the site is put in place all the same.
    std::fs::write(
        format!("{root}/nginx.conf"),
        format!("events {{}}\nhttp {{ include {root}/sites-enabled/*; }}\n"),
    )
    .unwrap();
    let what = converge(&*shop(&server(port, "one")));
    assert_eq!(what[1..], ["serve the site shop", "reload nginx"]);
    let _nginx = nginx(&root, &root);
    answers(&url, "one");
    converge(&*shop(&server(port, "two")));
    answers(&url, "two");

    let state = "ls -lR --full-time sites-available sites-enabled | grep -v '^total'; cat sites-enabled/*";
    let before = must(state, folder.path());
    let said = apply(&plan(&*shop("server { listne 80; }")).unwrap()).unwrap_err();
    assert!(said.contains("unknown directive \"listne\"") && said.contains("sites-enabled/shop:1"), "{said}");
    assert!(said.contains("nothing was changed") && !said.contains("even without this site"), "{said}");
    // The whole configuration counts: two default servers are a mistake that no file has by itself.
    let default = |name: &str| {
        format!("content = 'server {{ listen 127.0.0.1:{port} default_server; return 200 {name}; }}'")
    };
    converge(&*site("shop", &default("three")));
    let said = apply(&plan(&*site("other", &default("other"))).unwrap()).unwrap_err();
    assert!(said.contains("a duplicate default server"), "{said}");
    assert!(!std::path::Path::new(&format!("{root}/sites-available/other")).exists());
    converge(&*shop(&server(port, "two")));
    answers(&url, "two");
    assert_eq!(must("cat sites-enabled/shop", folder.path()), before.lines().last().unwrap());

    converge(&*site("second", &format!("content = '{}'", server(free_port(), "x"))));
    assert_eq!(
        converge(&*site("second", "enabled = false")),
        ["no longer serve the site second", "reload nginx"]
    );
    assert!(must("ls sites-available sites-enabled", folder.path()).contains("second"));
    converge(&*site("second", "absent = true"));
    assert_eq!(
        must("ls -A sites-available sites-enabled", folder.path()),
        "sites-available:\nshop\n\nsites-enabled:\nshop"
    );
}

/// As a release brings it along: tested before anything is there, then served.
#[test]
fn a_site_comes_from_a_file_on_the_host() {
    let folder = folder();
    must("mkdir sites-available sites-enabled", folder.path());
    let (root, port) = (folder.path().display().to_string(), free_port());
    let conf = format!("events {{}}\nhttp {{ include {root}/sites-enabled/*; }}\n");
    std::fs::write(format!("{root}/nginx.conf"), conf).unwrap();
    let text = |text: &str| std::fs::write(format!("{root}/site"), text).unwrap();
    let site = |more: &str| {
        task("nginx_site", &format!("name = 'shop'\nfolder = '{root}'\nfrom = '{root}/site'\n{more}"))
    };
    let state =
        || must("ls -AlR --full-time sites-available sites-enabled; cat sites-enabled/* || :", folder.path());
    let bare = state();

    // A certificate that is still to come stops nobody from testing the rest, and everybody from serving it.
    let tls = format!(
        "listen 127.0.0.1:{port} ssl;\n ssl_certificate {root}/pem;\n ssl_certificate_key {root}/key;\n"
    );
    text(&format!("server {{\n {tls}}}\n"));
    apply(&plan(&*site("trial = true")).unwrap()).unwrap();
    let said = apply(&plan(&*site("")).unwrap()).unwrap_err();
    assert!(said.contains("cannot load certificate") && said.contains("nothing was changed"), "{said}");
    text(&format!("server {{\n {tls} gzpi on;\n}}\n"));
    let said = apply(&plan(&*site("trial = true")).unwrap()).unwrap_err();
    assert!(said.contains("unknown directive \"gzpi\"") && said.contains("sites-enabled/shop:5"), "{said}");
    assert_eq!(state(), bare);

    let server = |say: &str| format!("server {{ listen 127.0.0.1:{port}; return 200 {say}; }}");
    text(&server("one"));
    assert_eq!(converge(&*site(""))[1..], ["serve the site shop", "reload nginx"]);
    let _nginx = nginx(&root, &root);
    answers(&format!("http://127.0.0.1:{port}/"), "one");
    text(&server("two"));
    let before = state();
    apply(&plan(&*site("trial = true")).unwrap()).unwrap();
    assert_eq!(state(), before);
    converge(&*site(""));
    answers(&format!("http://127.0.0.1:{port}/"), "two");
    must("cmp site sites-enabled/shop", folder.path());
}

/// Where sites are included by a path that the copy does not know, only the test in place can find a mistake.
#[test]
fn what_is_refused_only_in_place_is_restored_byte_for_byte() {
    let (folder, elsewhere) = (folder(), folder());
    must("mkdir sites-available sites-enabled", folder.path());
    let (root, port) = (folder.path().display().to_string(), free_port());
    let alias = elsewhere.path().join("nginx").display().to_string();
    std::os::unix::fs::symlink(&root, &alias).unwrap();
    let server = format!("server {{ listen 127.0.0.1:{port}; return 200 one; }}");
    let site =
        |text: &str| task("nginx_site", &format!("name = 'shop'\nfolder = '{root}'\ncontent = '''{text}'''"));
    std::fs::write(format!("{root}/nginx.conf"), "events {}\n").unwrap();
    converge(&*site(&server));
    let _nginx = nginx(&root, &alias);
    answers(&format!("http://127.0.0.1:{port}/"), "one");
    must(
        "touch -d '2020-01-02 03:04:05' sites-available/shop; chmod 640 sites-available/shop",
        folder.path(),
    );
    let state = "stat -c '%n %a %y %N' sites-*/*; cat sites-available/shop";
    let before = must(state, folder.path());
    let said = apply(&plan(&*site("server { bad }")).unwrap()).unwrap_err();
    assert!(said.contains("everything is as it was"), "{said}");
    assert_eq!(must(state, folder.path()), before);
    answers(&format!("http://127.0.0.1:{port}/"), "one");

    // A new site leaves nothing behind.
    let new = format!("name = 'new'\nfolder = '{root}'\ncontent = 'nonsense'");
    apply(&plan(&*task("nginx_site", &new)).unwrap()).unwrap_err();
    assert_eq!(must(state, folder.path()), before);
}

/// A server of its own, run by an account that is not root.
struct Postgres {
    folder: tempfile::TempDir,
    port: u16,
}

impl Postgres {
    fn start() -> Postgres {
        let mut server = Postgres { folder: folder(), port: 0 };
        must("chown nobody .", server.folder.path());
        server.as_nobody(
            "initdb -D \"$D/data\" -U postgres --auth-local=trust --auth-host=scram-sha-256 >/dev/null",
        );
        let settings =
            "listen_addresses = '127.0.0.1,127.0.0.2'\nlog_statement = all\nlog_min_duration_statement = 0\n";
        let auto = server.folder.path().join("data/postgresql.auto.conf");
        std::fs::write(auto, settings).unwrap();
        // Late, so that nobody else takes it meanwhile.
        server.port = free_port();
        let port = server.port;
        server.as_nobody(&format!("pg_ctl -w -s -D \"$D/data\" -l \"$D/log\" -o \"-k $D -p {port}\" start"));
        server
    }

    fn as_nobody(&self, script: &str) -> String {
        // Debian keeps the server's programs apart, by version.
        let path = "for at in /usr/lib/postgresql/*/bin; do PATH=$PATH:$at; done";
        must(&format!("{path}; runuser -u nobody -- sh -ec '{script}'"), self.folder.path())
    }

    fn at(&self) -> String {
        format!("socket = '{}'\nport = {}\n", self.folder.path().display(), self.port)
    }

    fn task(&self, kind: &str, table: &str) -> Box<dyn Task> {
        task(kind, &format!("{}{table}", self.at()))
    }

    /// What a client says who comes over TCP.
    fn client(&self, user: &str, password: &str, database: &str, sql: &str) -> Result<String, String> {
        let script =
            format!("psql -X -At -w -h 127.0.0.1 -p {} -U {user} -d {database} -c \"{sql}\"", self.port);
        let output = real::sh(&["sh"], &script, &[("PGPASSWORD".into(), password.into())]);
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap().trim().to_owned();
        if output.status.success() { Ok(text(output.stdout)) } else { Err(text(output.stderr)) }
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        let script = "for at in /usr/lib/postgresql/*/bin; do PATH=$PATH:$at; done; runuser -u nobody -- pg_ctl -s -m immediate -D \"$D/data\" stop";
        real::sh(&["sh"], script, &[("D".into(), self.folder.path().display().to_string())]);
    }
}

#[test]
fn a_role_and_its_database_are_its_own() {
    let server = Postgres::start();
    let role = |more: &str| server.task("postgres_role", &format!("name = 'shop'\n{more}"));
    let password = "hunter2 it's \\ $x";
    let with_password = format!("password = '''{password}'''");

    let error = plan(&*server.task("postgres_db", "name = 'shop'\nowner = 'shop'")).unwrap_err();
    assert_eq!(error.causes, ["there is no role shop"]);
    assert_eq!(converge(&*role("")), ["make the role shop"]);
    assert_eq!(converge(&*role(&with_password)), ["shop: a password"]);
    assert_eq!(already(&*role("")), "the role shop is as wanted");
    let db = server.task("postgres_db", "name = 'shop'\nowner = 'shop'");
    assert_eq!(converge(&*db), ["make the database shop of shop"]);

    assert_eq!(
        server.client("shop", password, "shop", "CREATE TABLE t (n int); SELECT 1").unwrap().lines().last(),
        Some("1")
    );
    assert!(
        server
            .client("shop", "hunter", "shop", "SELECT 1")
            .unwrap_err()
            .contains("password authentication failed")
    );
    assert!(
        server
            .client("shop", password, "shop", "CREATE DATABASE x")
            .unwrap_err()
            .contains("permission denied")
    );
    converge(&*server.task("postgres_role", "name = 'other'\npassword = 'hunter2'"));
    assert!(server.client("other", "hunter2", "shop", "SELECT 1").unwrap_err().contains("permission denied"));

    // What somebody gave it is taken away again.
    must(
        &format!(
            "psql -X -q -h \"$D\" -p {} -U postgres -c 'ALTER ROLE shop SUPERUSER CREATEDB CONNECTION LIMIT 3' postgres",
            server.port
        ),
        server.folder.path(),
    );
    assert_eq!(converge(&*role("")), ["shop: no longer SUPERUSER, CREATEDB", "shop: connections 3 → -1"]);
    assert_eq!(converge(&*role("password = 'hunter2new'")), ["shop: another password"]);
    server.client("shop", "hunter2new", "shop", "SELECT 1").unwrap();
    let said = apply(&plan(&*role("absent = true")).unwrap()).unwrap_err();
    assert!(said.contains("cannot be dropped because some objects depend on it"), "{said}");
    converge(&*server.task("postgres_role", "name = 'other'\nabsent = true"));

    let log = std::fs::read_to_string(server.folder.path().join("log")).unwrap();
    assert!(log.contains("rolname = 'shop'") && !log.contains("hunter2"), "{log}");
}

#[test]
fn networks_are_let_in_without_a_restart_and_mistakes_are_taken_back() {
    let server = Postgres::start();
    converge(&*server.task("postgres_role", "name = 'shop'\npassword = 'hunter2'"));
    let db = |networks: &str| {
        server.task("postgres_db", &format!("name = 'shop'\nowner = 'shop'\nnetworks = [{networks}]"))
    };
    converge(&*db("'127.0.0.2/32'"));
    let hba = server.folder.path().join("data/pg_hba.conf");
    assert_eq!(
        converge(&*db("'127.0.0.2/32', '::1/128'")),
        ["pg_hba.conf: host shop shop ::1/128 scram-sha-256"]
    );
    let text = std::fs::read_to_string(&hba).unwrap();
    assert!(text.ends_with("host shop shop 127.0.0.2/32 scram-sha-256\n# Written by tow.\nhost shop shop ::1/128 scram-sha-256\n"), "{text}");
    assert_eq!(must("stat -c %U:%a data/pg_hba.conf", server.folder.path()), "nobody:600");

    // What is not wanted any more is taken out, of ours alone; and the server lets nobody in from there.
    let theirs = "# Ours.\nhost shop shop 127.0.0.9/32 scram-sha-256\n# Written by tow.\nhost shop other 127.0.0.2/32 scram-sha-256\n";
    std::fs::write(&hba, format!("{text}{theirs}")).unwrap();
    assert_eq!(
        converge(&*db("'127.0.0.2/32'")),
        [
            "pg_hba.conf: no longer host shop shop ::1/128 scram-sha-256",
            "let PostgreSQL read pg_hba.conf, which it has not since that changed"
        ]
    );
    let kept = text.replace("# Written by tow.\nhost shop shop ::1/128 scram-sha-256\n", "");
    assert_eq!(std::fs::read_to_string(&hba).unwrap(), format!("{kept}{theirs}"));
    std::fs::write(&hba, &text).unwrap();
    // A run that ended before the server was told.
    assert_eq!(
        converge(&*db("'127.0.0.2/32', '::1/128'")),
        ["let PostgreSQL read pg_hba.conf, which it has not since that changed"]
    );
    already(&*server.task("postgres_db", "name = 'shop'\nowner = 'shop'"));

    std::fs::write(&hba, format!("{text}host nonsense")).unwrap();
    let said = apply(&plan(&*db("'127.0.0.3/32'")).unwrap()).unwrap_err();
    assert!(said.contains("the file is as it was"), "{said}");
    assert_eq!(std::fs::read_to_string(&hba).unwrap(), format!("{text}host nonsense"));
    assert_eq!(must("ls data | grep -c tow || true", server.folder.path()), "0");
}

/// An ACME authority and the DNS that it asks, on loopback, and a web server for the challenges.
struct Authority {
    folder: tempfile::TempDir,
    port: u16,
    web: Option<Running>,
    http: u16,
    _others: [Running; 2],
}

impl Authority {
    fn start() -> Authority {
        let folder = folder();
        let [port, dns, http, management, inside] = free_ports();
        must(
            "openssl req -x509 -newkey rsa:2048 -nodes -keyout ca.key -out ca.pem -days 2 -subj /CN=test-ca -addext basicConstraints=critical,CA:TRUE 2>/dev/null
             openssl req -newkey rsa:2048 -nodes -keyout key.pem -out csr.pem -subj /CN=127.0.0.1 2>/dev/null
             printf 'subjectAltName=IP:127.0.0.1\n' >ext; openssl x509 -req -in csr.pem -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 -extfile ext -out cert.pem 2>/dev/null
             mkdir www",
            folder.path(),
        );
        let at = folder.path().display();
        let config = format!(
            r#"{{"pebble":{{"listenAddress":"127.0.0.1:{port}","managementListenAddress":"127.0.0.1:{inside}","certificate":"{at}/cert.pem","privateKey":"{at}/key.pem","httpPort":{http},"tlsPort":{http},"ocspResponderURL":""}}}}"#
        );
        std::fs::write(folder.path().join("pebble.json"), config).unwrap();
        let dns = format!("127.0.0.1:{dns}");
        let names = Running::new(
            Command::new("pebble-challtestsrv")
                .args([
                    "-defaultIPv4",
                    "127.0.0.1",
                    "-defaultIPv6",
                    "",
                    "-dns01",
                    &dns,
                    "-http01",
                    "",
                    "-https01",
                    "",
                    "-tlsalpn01",
                    "",
                    "-management",
                    &format!("127.0.0.1:{management}"),
                ])
                .stderr(Stdio::null()),
        );
        let pebble = Running::new(
            Command::new("pebble")
                .args(["-config", &format!("{at}/pebble.json"), "-dnsserver", &dns])
                .envs([("PEBBLE_VA_NOSLEEP", "1"), ("PEBBLE_WFE_NONCEREJECT", "0")])
                .stderr(Stdio::null()),
        );
        let mut authority = Authority { folder, port, web: None, http, _others: [names, pebble] };
        authority.serve();
        let wait = format!(
            "i=0; until curl -s --cacert ca.pem https://127.0.0.1:{port}/dir >/dev/null; do i=$((i+1)); [ $i -lt 100 ]; sleep 0.1; done"
        );
        must(&wait, authority.folder.path());
        authority
    }

    fn serve(&mut self) {
        let www = self.folder.path().join("www").display().to_string();
        let port = self.http.to_string();
        self.web = Some(Running::new(
            Command::new("python3")
                .args(["-m", "http.server", &port, "--bind", "127.0.0.1", "--directory", &www])
                .stderr(Stdio::null()),
        ));
        answers(&format!("http://127.0.0.1:{port}/"), "");
    }

    fn certificate(&self, more: &str) -> Box<dyn Task> {
        let at = self.folder.path().display();
        task(
            "certificate",
            &format!(
                "webroot = '{at}/www'\nfolder = '{at}/le'\nserver = 'https://127.0.0.1:{}/dir'\nca = '{at}/ca.pem'\nemail = 'me@example.com'\ncheck_port = {}\n{more}",
                self.port, self.http
            ),
        )
    }
}

#[test]
fn a_certificate_is_had_kept_and_not_asked_for_in_a_storm() {
    let mut authority = Authority::start();
    let hook = format!(
        "deploy_hook = 'echo \"$RENEWED_DOMAINS\" >>{}/deployed'\n",
        authority.folder.path().display()
    );
    let one = format!("domains = 'shop.example.com'\n{hook}");
    let what = converge(&*authority.certificate(&one));
    assert_eq!(what.last().unwrap(), "get a certificate for shop.example.com: there is none yet");
    let said = already(&*authority.certificate(&one));
    assert!(said.starts_with("the certificate shop.example.com is good for "), "{said}");
    let two = format!("domains = ['shop.example.com', 'www.shop.example.com']\n{hook}");
    assert_eq!(
        converge(&*authority.certificate(&two)),
        [
            "get a certificate for shop.example.com, www.shop.example.com: the one there is for shop.example.com"
        ]
    );
    assert_eq!(
        must("cat deployed", authority.folder.path()),
        "shop.example.com\nshop.example.com www.shop.example.com"
    );
    // A hook that fails is owed until it has done well.
    let three = two
        .replace("['shop", "['new.example.com', 'shop")
        .replace("domains = [", "name = 'shop.example.com'\ndomains = [");
    let broken = three.replace("'echo", "'test -e mended && echo");
    let at = authority.folder.path().display().to_string();
    let broken = broken.replace("test -e ", &format!("test -e {at}/"));
    let said = apply(&plan(&*authority.certificate(&broken)).unwrap()).unwrap_err();
    assert!(said.contains("but the deploy hook failed"), "{said}");
    must("touch mended", authority.folder.path());
    assert_eq!(
        converge(&*authority.certificate(&broken)),
        ["run the deploy hook of shop.example.com, which a run before did not come to"]
    );
    assert!(must("tail -n 1 deployed", authority.folder.path()).contains("new.example.com"));
    let names = must(
        "openssl x509 -in le/live/shop.example.com/fullchain.pem -noout -ext subjectAltName",
        authority.folder.path(),
    );
    assert!(names.contains("DNS:www.shop.example.com"), "{names}");

    // The authority is not asked when our own web server would not answer it.
    authority.web = None;
    let other = || authority.certificate("domains = 'other.example.com'");
    let said = apply(&plan(&*other()).unwrap()).unwrap_err();
    assert!(said.contains("does not serve") && said.contains("the authority was not asked"), "{said}");

    // It refuses three times; a fourth time is left for later.
    let at = authority.folder.path().display().to_string();
    let refused = task(
        "certificate",
        &format!(
            "domains = 'blind.example.com'\nwebroot = '{at}/www'\nfolder = '{at}/le'\nserver = 'https://127.0.0.1:{}/dir'\nca = '{at}/ca.pem'\nemail = 'me@example.com'\ncheck_port = 0",
            authority.port
        ),
    );
    for _ in 0..3 {
        let said = apply(&plan(&*refused).unwrap()).unwrap_err();
        assert!(said.contains("the authority did not give a certificate"), "{said}");
    }
    let error = plan(&*refused).unwrap_err();
    assert_eq!(error.causes, ["the authority refused it 3 times within the last hour"]);
    already(&*authority.certificate(&broken));
    authority.serve();
    converge(&*authority.certificate("domains = 'other.example.com'"));
}
