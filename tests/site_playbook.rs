//! The shipped site playbook: it is read with the example inventory, in each of its variants, and what it writes is what
//! nginx and systemd read.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use tempfile::TempDir;

const ASGI: &[&str] = &[
    "app.interface=asgi",
    "app.entry=app.main:app",
    "app.installer=uv",
    "app.packages=[\"gunicorn\", \"uvicorn-worker\"]",
    "site.websockets=[\"/ws/\"]",
    "app.shared=[\"app/static/files\", \"data\"]",
    "app.media=[{ url = \"/media\", folder = \"visitors' files\" }]",
];
const PROCESSES: &[&str] = &[
    "app.processes=[{ name = \"worker\", command = \"celery -A shop worker\" }]",
    "app.timers=[{ name = \"tidy\", command = \"flask tidy --below 5%\", calendar = \"daily\" }]",
];
const SUPERVISOR: &[&str] = &[
    "app.supervisor=true",
    "db.engine=sqlite",
    "app.processes=[{ name = \"worker\", command = \"celery -A shop worker\" }]",
];
const OTHERS: &[&str] = &[
    "app.repo=git@example.com:me/shop.git",
    "app.static=",
    "app.redirects=[]",
    "app.migrate=",
    "app.collectstatic=python manage.py collectstatic --noinput",
    "app.requirements=pyproject.toml",
    "app.system_packages=[\"libpq5\"]",
    "db.networks=[\"10.0.0.11/32\"]",
    "acme.server=https://127.0.0.1:14000/dir",
    "acme.ca=Cargo.toml",
    "acme.email=",
    "site.rate=",
    "site.snippet=justfile.conf",
    "site.headers={ Content-Security-Policy = \"default-src 'self'\" }",
    "harden={ firewall = true, upgrades = true, fail2ban = true }",
];
const WHEELS: &[&str] = &["app.wheelhouse=templates", "acme.staging=true"];
const VARIANTS: [&[&str]; 6] = [&[], ASGI, PROCESSES, SUPERVISOR, OTHERS, WHEELS];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The example inventory, but for the way to its host.
fn inventory(folder: &Path, way: &str) -> std::path::PathBuf {
    let text = fs::read_to_string(root().join("examples/site/inventory.toml")).unwrap();
    let near = text.replace("address = \"203.0.113.10\"", way);
    assert_ne!(text, near);
    let file = folder.join("inventory.toml");
    fs::write(&file, near).unwrap();
    file
}

fn tow(verb: &str, inventory: &Path, playbook: &Path, set: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tow"));
    command.current_dir(root()).args([verb, "-i"]).arg(inventory).arg(playbook);
    command.args(set.iter().flat_map(|set| ["--set", set]));
    command.env("DB_PASSWORD", "a database password").env("SECRET_KEY", "k".repeat(40)).output().unwrap()
}

/// A plan for a host that nobody reaches: loopback, on a port where nothing listens.
fn plan(set: &[&str]) -> Output {
    let folder = tempfile::tempdir().unwrap();
    let inventory = inventory(folder.path(), "address = \"127.0.0.1\"\nport = 9");
    tow("plan", &inventory, Path::new("playbooks/site.toml"), set)
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&[output.stdout.as_slice(), &output.stderr].concat()).into_owned()
}

/// Everything is rendered and checked before the first connection, and only that fails.
#[test]
fn it_is_read_with_the_example_inventory_in_every_variant() {
    let folder = tempfile::tempdir().unwrap();
    let snippet = folder.path().join("own.conf");
    fs::write(&snippet, "location = /own { return 204; }\n").unwrap();
    for variant in VARIANTS {
        let snippet = format!("site.snippet={}", snippet.display());
        let set: Vec<&str> = variant
            .iter()
            .map(|set| if set.starts_with("site.snippet") { snippet.as_str() } else { set })
            .collect();
        let output = plan(&set);
        assert_eq!(output.status.code(), Some(4), "{set:?}\n{}", said(&output));
        assert!(!said(&output).contains("a database password"), "{}", said(&output));
    }
}

/// Without a lock, and a name of its own, a release would take the place of the one that serves.
#[test]
fn releases_are_for_deploy() {
    let folder = tempfile::tempdir().unwrap();
    let inventory = inventory(folder.path(), "address = \"127.0.0.1\"\nport = 9");
    for verb in ["run", "plan"] {
        let output = tow(verb, &inventory, Path::new("playbooks/deploy.toml"), &[]);
        assert_eq!(output.status.code(), Some(2), "{}", said(&output));
        assert!(said(&output).contains("hint: tow deploy; "), "{}", said(&output));
    }
}

/// What the playbook has for a default is for the inventory to say.
#[test]
fn the_inventory_says_when_backups_are_made_and_what_the_probe_allows() {
    for set in ["max_failed = \"lots\"", "max_p99 = \"soon\""] {
        let folder = tempfile::tempdir().unwrap();
        let inventory = inventory(folder.path(), "address = \"127.0.0.1\"\nport = 9");
        let text = fs::read_to_string(&inventory).unwrap();
        let name = set.split(' ').next().unwrap();
        let lines: Vec<&str> = text.lines().filter(|line| !line.starts_with(name)).collect();
        let text = lines.join("\n");
        assert!(text.contains("[vars.probe]\n"), "{text}");
        fs::write(&inventory, text.replace("[vars.probe]\n", &format!("[vars.probe]\n{set}\n"))).unwrap();
        let output = tow("plan", &inventory, Path::new("playbooks/site.toml"), &[]);
        assert_eq!(output.status.code(), Some(2), "{set}: {}", said(&output));
    }
}

#[test]
fn what_is_missing_is_told_before_any_connection() {
    for (set, part) in [
        (&["app.domains=shop.example.com"][..], "app.domains"),
        (&["db.networks=[\"10.0.0.1/24\"]"], "10.0.0.1/24"),
        (&["acme.server=http://acme.example.com/dir"], "https://"),
        (&["app.repo=https://me:password@example.com/shop.git"], "the address holds a password"),
    ] {
        let output = plan(set);
        assert_eq!(output.status.code(), Some(2), "{}", said(&output));
        assert!(said(&output).contains(part), "{}", said(&output));
    }
}

/// A task of a stage of deploy.toml, by the beginning of its name.
fn task_of(stage: &str, name: &str) -> toml::Table {
    let text = fs::read_to_string(root().join("playbooks/deploy.toml")).unwrap();
    let playbook: toml::Table = text.parse().unwrap();
    let mut stages = playbook["stages"].as_array().unwrap().iter();
    let found = stages.find(|each| each["name"].as_str() == Some(stage)).unwrap();
    let mut tasks = found["tasks"].as_array().unwrap().iter();
    let is_it = |task: &&toml::Value| task["name"].as_str().is_some_and(|each| each.starts_with(name));
    tasks.find(is_it).unwrap().as_table().unwrap().clone()
}

/// Runs tasks on this machine.
fn run_tasks(tasks: Vec<toml::Table>, set: &[&str]) -> Output {
    let folder = tempfile::tempdir().unwrap();
    let inventory = inventory(folder.path(), "connection = \"local\"\nbecome = false");
    let tasks = tasks.into_iter().map(toml::Value::Table).collect();
    let playbook = toml::Table::from_iter([("tasks".to_owned(), toml::Value::Array(tasks))]);
    let file = folder.path().join("playbook.toml");
    fs::write(&file, playbook.to_string()).unwrap();
    tow("run", &inventory, &file, set)
}

#[test]
fn what_is_no_folder_is_refused_before_anything_is_done() {
    for (list, value) in [("shared", "[ITEM]"), ("media", "[{ url = \"/m/\", folder = ITEM }]")] {
        let is_folder = || {
            let found = ["\"{{item}}\" of app.shared", "\"{{item.folder}}\" of app.media"];
            vec![task_of("prepare", found[usize::from(list == "media")])]
        };
        let run = |item: &str| {
            let set = format!("app.{list}={}", value.replace("ITEM", &format!("{item:?}")));
            run_tasks(is_folder(), &[&set])
        };
        for bad in ["", ".", "..", "/", "/abs", "a/../b", "./x", "x//y", "x/", "../x"] {
            let output = run(bad);
            assert_eq!(output.status.code(), Some(3), "{list} {bad:?}: {}", said(&output));
            let message = format!("app.{list}: \"{bad}\" is no folder below");
            assert!(said(&output).contains(&message), "{}", said(&output));
        }
        for fine in ["media", "app/static/up", ".hidden", "a..b/c", "with space"] {
            let output = run(fine);
            assert_eq!(output.status.code(), Some(0), "{list} {fine:?}: {}", said(&output));
        }
    }
}

/// Which shared folders nginx has to read because they lie among the static files.
#[test]
fn only_what_lies_among_the_static_files_is_static() {
    for stage in ["prepare", "restore: start"] {
        let unless = task_of(stage, "nginx may read {{item}}")["unless"].as_str().unwrap().to_owned();
        let asked = |folder: &str, item: &str| {
            let place = tempfile::tempdir().unwrap();
            let dest = place.path().join("asked").display().to_string();
            let task = toml::toml! { for_each = "app.shared" };
            let mut task = task;
            let file = toml::Table::from_iter([
                ("path".into(), dest.clone().into()),
                ("content".into(), unless.clone().into()),
            ]);
            task.insert("file".into(), toml::Value::Table(file));
            let statics = format!("app.static={{ url = \"/static/\", folder = \"{folder}\" }}");
            let output = run_tasks(vec![task], &[&statics, &format!("app.shared=[\"{item}\"]")]);
            assert!(output.status.success(), "{}", said(&output));
            fs::read_to_string(dest).unwrap().trim() != "true"
        };
        for (folder, item) in [
            ("src/static", "static/up"),
            ("src/static", "static"),
            ("src/src/shop/static", "src/shop/static/up"),
            ("src/static/", "static/up"),
        ] {
            assert!(asked(folder, item), "{folder} {item}");
        }
        for (folder, item) in [
            ("src/static", "static-private"),
            ("src/src/shop/static", "shop/static/up"),
            ("src/static", "media/static"),
        ] {
            assert!(!asked(folder, item), "{folder} {item}");
        }
    }
}

/// The templates, written into a folder on this machine with the playbook's own variables.
fn written(set: &[&str]) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let vars = |name: &str| {
        let text = fs::read_to_string(root().join("playbooks").join(name)).unwrap();
        let (_, behind) = text.split_once("[vars]").unwrap();
        behind[..behind.find("\n[[stages]]").unwrap()].to_owned()
    };
    let mut playbook = format!("[vars]\n{}\n{}\n", vars("site.toml"), vars("deploy.toml"));
    let mut add = |each: &str, src: &str, name: &str| {
        let dest = folder.path().join(name).display().to_string();
        writeln!(playbook, "[[tasks]]\n{each}template = {{ src = {src:?}, dest = {dest:?} }}").unwrap();
    };
    for (src, name) in [
        ("app@.service.hbs", "{{app.name}}@.service"),
        ("app.socket.hbs", "{{app.name}}.socket"),
        ("app-probe@.socket.hbs", "{{app.name}}-probe@.socket"),
        ("hardening.conf.hbs", "hardening.conf"),
        ("supervisor.conf.hbs", "supervisor.conf"),
        ("logrotate.hbs", "logrotate"),
        ("nginx-default.conf.hbs", "00-default.conf"),
        ("nginx-http.conf.hbs", "http.conf"),
        ("nginx-site.conf.hbs", "site.conf"),
    ] {
        add("", src, name);
    }
    add("for_each = \"app.processes\"\n", "process@.service.hbs", "{{app.name}}-{{item.name}}@.service");
    add("for_each = \"app.timers\"\n", "timed@.service.hbs", "{{app.name}}-{{item.name}}@.service");
    add("for_each = \"app.timers\"\n", "timed@.timer.hbs", "{{app.name}}-{{item.name}}@.timer");
    let inventory = inventory(folder.path(), "connection = \"local\"\nbecome = false");
    // Where its templates are found.
    let file = tempfile::Builder::new().suffix(".toml").tempfile_in(root().join("playbooks")).unwrap();
    fs::write(file.path(), playbook).unwrap();
    let output = tow("run", &inventory, file.path(), set);
    assert!(output.status.success(), "{}", said(&output));
    folder
}

fn read(folder: &TempDir, name: &str) -> String {
    fs::read_to_string(folder.path().join(name)).unwrap()
}

fn has(program: &str) -> bool {
    let found = Command::new("sh").args(["-c", &format!("command -v {program}")]).output().unwrap();
    found.status.success()
}

#[test]
fn systemd_reads_the_units() {
    if !has("systemd-analyze") {
        return;
    }
    for variant in [&[][..], ASGI, PROCESSES] {
        let folder = written(variant);
        let mut units: Vec<_> =
            fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().path()).collect();
        units.retain(|path| {
            path.extension().is_some_and(|end| ["service", "socket", "timer"].iter().any(|e| end == *e))
        });
        assert_eq!(units.len(), if variant == PROCESSES { 6 } else { 3 }, "{units:?}");
        for unit in units.iter().filter(|path| path.extension().is_some_and(|end| end == "service")) {
            let drop_in = folder.path().join(format!("{}.d", unit.file_name().unwrap().to_string_lossy()));
            fs::create_dir(&drop_in).unwrap();
            fs::copy(folder.path().join("hardening.conf"), drop_in.join("hardening.conf")).unwrap();
        }
        let output =
            Command::new("systemd-analyze").args(["verify", "--man=no"]).args(&units).output().unwrap();
        let all = said(&output);
        let place = folder.path().display().to_string();
        // That the release's programs are not on this machine is no mistake of a unit's.
        let wrong: Vec<&str> =
            all.lines().filter(|line| line.contains(&place) && !line.contains("not executable")).collect();
        assert!(wrong.is_empty(), "{variant:?}: {wrong:#?}");
    }
}

#[test]
fn nginx_reads_the_sites() {
    if !has("nginx") || !has("openssl") {
        return;
    }
    for variant in [
        &[][..],
        ASGI,
        &["app.static=", "app.redirects=[]", "site.rate=", "site.headers={ X-Own = \"a \\\"b\\\"\" }"],
    ] {
        let folder = written(variant);
        let place = folder.path().display().to_string();
        let certificate = Command::new("openssl")
            .args([
                "req",
                "-x509",
                "-newkey",
                "ec",
                "-pkeyopt",
                "ec_paramgen_curve:prime256v1",
                "-nodes",
                "-subj",
                "/CN=x",
            ])
            .args(["-keyout", &format!("{place}/privkey.pem"), "-out", &format!("{place}/fullchain.pem")])
            .output()
            .unwrap();
        assert!(certificate.status.success(), "{}", said(&certificate));
        for name in ["00-default.conf", "http.conf", "site.conf"] {
            // Ports that anybody may listen on, and files that are there.
            let text = read(&folder, name).replace("/etc/letsencrypt/live/pythonweb", &place);
            let text = text.replace("listen 80", "listen 18080").replace("listen 443", "listen 18443");
            let lines: Vec<&str> = text.lines().filter(|line| !line.contains("listen [::]")).collect();
            fs::write(folder.path().join(name), lines.join("\n")).unwrap();
        }
        let main = format!(
            "pid {place}/pid;\nerror_log stderr;\nevents {{}}\nhttp {{\n access_log off;\n include {place}/*.conf.ok;\n}}\n"
        );
        fs::write(folder.path().join("nginx"), main).unwrap();
        for name in ["00-default.conf", "http.conf", "site.conf"] {
            fs::copy(folder.path().join(name), folder.path().join(format!("{name}.ok"))).unwrap();
        }
        let output = Command::new("nginx").args(["-t", "-c", &format!("{place}/nginx")]).output().unwrap();
        assert!(output.status.success(), "{variant:?}\n{}\n{}", said(&output), read(&folder, "site.conf"));
    }
}

#[test]
fn the_variants_say_what_they_mean() {
    let folder = written(ASGI);
    let unit = read(&folder, "pythonweb@.service");
    assert!(unit.contains("gunicorn --worker-class uvicorn_worker.UvicornWorker --workers 2"), "{unit}");
    let site = read(&folder, "site.conf");
    assert!(site.contains("location /ws/ {"), "{site}");
    assert!(
        site.contains("location \"/media/\" {\n        alias \"/srv/pythonweb/shared/visitors' files/\";"),
        "{site}"
    );

    let folder = written(PROCESSES);
    let timed = read(&folder, "pythonweb-tidy@.service");
    assert!(timed.contains("ExecStart=/usr/bin/env flask tidy --below 5%%\n"), "{timed}");
    assert!(read(&folder, "pythonweb-tidy@.timer").contains("OnCalendar=daily\n"));
    assert!(
        read(&folder, "pythonweb-worker@.service").contains("ExecStart=/usr/bin/env celery -A shop worker\n")
    );

    let folder = written(SUPERVISOR);
    let programs = read(&folder, "supervisor.conf");
    assert!(
        programs.contains("[fcgi-program:pythonweb]") && programs.contains("[program:pythonweb-worker]"),
        "{programs}"
    );
}

/// Where nginx has no `ssl_reject_handshake` yet, those whom it turns away are shown a certificate of nobody.
#[test]
fn an_older_nginx_turns_away_by_another_way() {
    let new = read(&written(&[]), "00-default.conf");
    assert!(new.contains("ssl_reject_handshake on;") && !new.contains("ssl_certificate"), "{new}");
    let release = fs::read_to_string("/etc/os-release").unwrap();
    let codename = release.lines().find_map(|line| line.strip_prefix("VERSION_CODENAME=")).unwrap();
    let old = read(&written(&[&format!("nginx_before_1_19_4=[\"{codename}\"]")]), "00-default.conf");
    assert!(!old.contains("ssl_reject_handshake"), "{old}");
    let behind = old.split("listen 443").nth(1).unwrap();
    assert!(behind.contains("ssl-cert-snakeoil.key;\n    return 444;"), "{old}");
}

/// Supervisor splits a command as a shell does, once it has made one of two percent signs.
#[test]
fn supervisor_hands_on_commands_with_quotes() {
    let worker = "app.processes=[{ name = \"worker\", command = \"run 'a b' --below 5% \\\"c d\\\"\" }]";
    let folder = written(&["app.supervisor=true", "app.entry=shop:create_app('x y')", worker]);
    let programs = read(&folder, "supervisor.conf").replace("%%", "%");
    let mut commands = programs.lines().filter_map(|line| line.strip_prefix("command="));
    for end in [
        "exec gunicorn --bind fd://0 --workers 2 --threads 4 'shop:create_app('\\''x y'\\'')'",
        "exec run 'a b' --below 5% \"c d\"",
    ] {
        let script = format!("set -- {}; printf '%s\n' \"$#\" \"$3\"", commands.next().unwrap());
        let output = Command::new("sh").args(["-c", &script]).output().unwrap();
        let said = said(&output);
        assert!(said.starts_with("3\nset -a;") && said.ends_with(&format!(" {end}\n")), "{said}");
    }
}
