//! Backups on real servers, of real databases: made, proven, taken away, and put back.

use std::fs::{self, File};
use std::io::Read as _;
use std::path::Path;
use std::process::{Child, Command, Output};

use crate::begun::{signal, until};
use crate::lab::{Lab, text};

const BACKUPS: &str = "/var/backups/notes";

/// An application of its own on the servers, with the shipped playbook.
struct Notes {
    lab: Lab,
    inventory: String,
    web: &'static str,
    db: &'static str,
}

impl Notes {
    /// `engine` is that of its database, on `db`, which may be `web` itself.
    fn new(engine: &str, web: &'static str, db: &'static str) -> Notes {
        let lab = Lab::enter();
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let read = |path: &str| fs::read_to_string(root.join(path)).unwrap();
        for host in [web, db] {
            lab.inside(host, FORGET);
        }
        lab.write("playbooks/deploy.toml", &read("playbooks/deploy.toml"));
        for entry in fs::read_dir(root.join("templates")).unwrap() {
            let name = entry.unwrap().file_name().into_string().unwrap();
            lab.write(&format!("playbooks/templates/{name}"), &read(&format!("templates/{name}")));
        }
        lab.write("playbooks/ground.toml", &read("tests/servers/fixtures/data/ground.toml"));
        for name in ["app.py", "steps.py"] {
            lab.write(&format!("src/{name}"), &read(&format!("tests/servers/fixtures/data/{name}")));
        }
        let needs = if engine == "sqlite" { "gunicorn\n" } else { "gunicorn\npsycopg2-binary\n" };
        lab.write("src/requirements.txt", needs);
        lab.write("src/migrations.sql", "CREATE TABLE posts (id integer, title text)\n");
        lab.write("password", "correct-horse");
        let inventory = inventory(&lab, engine, web, db);
        let notes = Notes { lab, inventory, web, db };
        must(0, &notes.tow("run", &["ground"]));
        must(0, &notes.tow("deploy", &[]));
        notes
    }

    fn tow(&self, command: &str, more: &[&str]) -> Output {
        self.lab.tow(&self.inventory, &[&[command], more].concat())
    }

    /// As the application's account does it.
    fn tell(&self, sql: &str) {
        let line = format!(
            "cd /srv/notes/current/src; set -a; . ../.env; printf %s \"{sql}\" | runuser -u notes -- ../venv/bin/python -c \
             'import sys; from app import connect; c = connect(); c.cursor().execute(sys.stdin.read()); c.commit()'"
        );
        self.lab.inside(self.web, &line);
    }

    /// What visitors see.
    fn says(&self) -> String {
        let line = "curl -sS --max-time 10 -o /run/notes.said -w '%{http_code} ' --unix-socket /run/notes.sock http://localhost/ && cat /run/notes.said";
        self.lab.inside(self.web, line)
    }

    fn says_nothing(&self) -> bool {
        let line = "curl -sS --max-time 5 --unix-socket /run/notes.sock http://localhost/";
        !self.lab.try_inside(self.web, line).status.success()
    }

    fn names(&self, kind: &str) -> Vec<String> {
        let said = must(0, &self.tow("backups", &["--json"]));
        let all = said.lines().filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok());
        let of_kind = all.filter(|backup| backup["kind"] == kind && backup["host"] == self.db);
        of_kind.map(|backup| backup["name"].as_str().unwrap().to_owned()).collect()
    }

    fn restore(&self, name: &str) -> Output {
        self.tow("restore", &[name, "--yes", "notes"])
    }

    /// No trace of a restore is left on any host.
    fn nothing_is_open(&self) {
        for host in [self.web, self.db] {
            let left = "ls -d /var/lib/towline/notes/restore* /var/lib/towline/notes/lock /srv/notes/shared/.tow-* /var/backups/notes/*.partial \
                 /var/backups/notes/.work /etc/systemd/system/tow-settle-notes* /etc/systemd/system/*.wants/tow-settle-notes* 2>/dev/null || true";
            assert_eq!(self.lab.inside(host, left), "", "{host}");
            let databases = "! command -v psql >/dev/null || runuser -u postgres -- psql -At -c \"SELECT datname FROM pg_database WHERE datname LIKE 'tow%'\"";
            assert_eq!(self.lab.inside(host, databases), "", "{host}");
        }
    }
}

const FORGET: &str = "umount -l /var/backups/notes 2>/dev/null || true; rm -f /usr/local/bin/mv /etc/systemd/system/tow-settle-notes* /etc/systemd/system/*.wants/tow-settle-notes*; systemctl stop notes.socket notes-backup.timer 'notes@*' 'tow-*-notes*' 2>/dev/null || true; rm -f /run/notes*.sock; \
     rm -rf /etc/systemd/system/notes* /etc/systemd/system/*.wants/notes* /srv/notes /var/lib/towline/notes /var/backups/notes \
     /usr/local/lib/towline; systemctl daemon-reload; systemctl reset-failed; \
     rm -f /usr/local/bin/pg_restore; ! command -v psql >/dev/null || { runuser -u postgres -- dropdb --if-exists -f notes; runuser -u postgres -- dropuser --if-exists notes; }";

fn inventory(lab: &Lab, engine: &str, web: &str, db: &str) -> String {
    let given = fs::read_to_string(lab.state.join("deploy.toml")).unwrap();
    let head = given.split("[groups").next().unwrap();
    let address = if web == db { "127.0.0.1".to_owned() } else { lab.address(db) };
    let networks = if web == db { String::new() } else { format!("\"{}/32\"", lab.address(web)) };
    let url = match engine {
        "sqlite" => "sqlite:////srv/notes/shared/db/app.db".to_owned(),
        _ => "postgresql://notes:{{secrets.db_password}}@{{db.host}}:5432/notes".to_owned(),
    };
    let mut text = format!(
        r#"{head}
[vars]
nginx_before_1_25 = []
root = "/srv/notes"
release = "1"
env = {{ DATABASE_URL = "{url}", SHARED = "/srv/notes/shared" }}
db = {{ engine = "{engine}", name = "notes", user = "notes", host = "{address}", networks = [{networks}] }}
backup = {{ at = "", folder = "{BACKUPS}" }}

# There is no nginx here.
[vars.site]
hsts = 300
upload = "10m"
timeout = "60s"
rate = ""
burst = 40
websockets = []
headers = {{}}
snippet = ""

[vars.app]
name = "notes"
redirects = []
static = ""
user = "notes"
domains = ["notes.lab.test"]
source = "src"
repo = ""
ref = ""
key = ""
interface = "wsgi"
entry = "app:app"
gunicorn = "--workers 1"
health = "/"
processes = []
timers = []
supervisor = false
installer = "pip"
requirements = "requirements.txt"
packages = []
wheelhouse = ""
migrate = "python steps.py upgrade"
migrated = "python steps.py check"
collectstatic = ""

[secrets]
db_password = {{ file = "password" }}

[groups.web]
[groups.db]
"#
    );
    for (host, groups) in
        if web == db { vec![(web, "[\"web\", \"db\"]")] } else { vec![(web, "[\"web\"]"), (db, "[\"db\"]")] }
    {
        let host = format!("\n[hosts.{host}]\naddress = \"{}\"\ngroups = {groups}\n", lab.address(host));
        text.push_str(&host);
    }
    lab.write("inventory.toml", &text);
    lab.folder.path().join("inventory").display().to_string()
}

#[track_caller]
fn must(code: i32, output: &Output) -> String {
    let said = format!("{}{}", text(&output.stdout), text(&output.stderr));
    assert_eq!(output.status.code(), Some(code), "{said}");
    said
}

/// Rows and files, backed up, lost, and put back.
fn lost_and_found(notes: &Notes) {
    notes.tell("INSERT INTO posts VALUES (1, 'first')");
    notes.lab.inside(
        notes.web,
        "cd /srv/notes/shared; echo upload >file; chown notes: file; echo kept >.env; mkdir -p log; echo line >log/x",
    );
    must(0, &notes.tow("backup", &[]));
    notes.tell("INSERT INTO posts VALUES (2, 'second')");
    notes.lab.inside(notes.web, "cd /srv/notes/shared; rm file; echo newer >.env; touch later");
    assert_eq!(notes.says(), "200 first,second");

    let said = must(2, &notes.tow("restore", &["latest"]));
    assert!(said.contains("--yes notes"), "{said}");
    must(2, &notes.tow("restore", &["latest", "--yes", "another"]));
    assert!(must(3, &notes.restore("9-20200101T000000Z")).contains("no host of the run has it"));
    assert_eq!(notes.says(), "200 first,second");

    must(0, &notes.restore("latest"));
    assert_eq!(notes.says(), "200 first");
    let files = "cd /srv/notes/shared; cat file .env log/x; test ! -e later; stat -c %U file";
    assert_eq!(notes.lab.inside(notes.web, files), "upload\nnewer\nline\nnotes");
    notes.nothing_is_open();
    // Once more does the same: what was replaced had been backed up, and is named by who wants it.
    must(0, &notes.restore("latest"));
    assert_eq!(notes.says(), "200 first");
    must(0, &notes.restore(&notes.names("restore")[0]));
    assert_eq!(notes.says(), "200 first,second");
}

/// Cut short, or changed in the middle: it is not offered, and not restored; the one before it is.
fn a_damaged_one_is_never_offered(notes: &Notes, file: &str) {
    must(0, &notes.tow("backup", &[]));
    let all = notes.names("manual");
    let newest = all.last().unwrap();
    notes.lab.inside(notes.db, &format!("truncate -s -1 {BACKUPS}/{newest}/{file}; cp -r {BACKUPS}/{newest} {BACKUPS}/99-20990101T000000Z.partial"));
    assert_eq!(notes.names("manual"), all[..all.len() - 1]);
    let said = must(3, &notes.restore(newest));
    assert!(said.contains("damaged"), "{said}");
    // Of the right length, and yet not what was verified.
    notes.lab.inside(notes.db, &format!("printf x >>{BACKUPS}/{newest}/{file}"));
    let said = must(3, &notes.restore(newest));
    assert!(said.contains("is damaged"), "{said}");
    notes.nothing_is_open_but_partial();
    // The one before it is taken for the newest, and that is told.
    notes.lab.inside(notes.db, &format!("truncate -s -1 {BACKUPS}/{newest}/{file}"));
    let said = must(0, &notes.restore("latest"));
    let part =
        format!("{newest} is newer, but damaged: it is not what was verified; taken: {}", all[all.len() - 2]);
    assert!(said.contains(&part), "{part} is not said: {said}");
    notes.lab.inside(notes.db, &format!("rm -r {BACKUPS}/{newest}"));
    notes.nothing_is_open();
    must(0, &notes.restore(notes.names("restore").last().unwrap()));
    assert_eq!(notes.says(), "200 first,second");
}

impl Notes {
    fn nothing_is_open_but_partial(&self) {
        self.lab.inside(self.db, &format!("rm -r {BACKUPS}/*.partial"));
        self.nothing_is_open();
    }
}

/// A `pg_restore` that does its work in part only when it comes to a restore, and then does this.
fn break_pg_restore(notes: &Notes, then: &str) {
    let script = format!(
        "#!/bin/sh\nreal=$(ls /usr/lib/postgresql/*/bin/pg_restore)\ncase \"$*\" in *tow_restored*) head -c 2000 | $real \"$@\"; {then} ;; \
         *) exec $real \"$@\" ;; esac\n"
    );
    notes.lab.inside(
        notes.db,
        &format!("printf %s '{script}' >/usr/local/bin/pg_restore; chmod 755 /usr/local/bin/pg_restore"),
    );
}

#[test]
#[ignore = "needs real servers: tests/run"]
fn a_restore_that_fails_halfway_leaves_the_data_that_were_there() {
    let notes = Notes::new("postgresql", "srv1", "srv1");
    must(0, &notes.tow("backup", &[]));
    notes.tell("INSERT INTO posts VALUES (1, 'first')");
    notes.lab.inside(notes.web, "echo upload >/srv/notes/shared/file");
    let as_before = || {
        assert_eq!(notes.says(), "200 first");
        assert_eq!(notes.lab.inside(notes.web, "cat /srv/notes/shared/file"), "upload");
        notes.nothing_is_open();
    };
    break_pg_restore(&notes, "exit 1");
    let said = must(3, &notes.restore(&notes.names("manual")[0]));
    assert!(said.contains("pg_restore has failed") && said.contains("with the data before"), "{said}");
    as_before();

    break_pg_restore(&notes, "sleep 500");
    let name = notes.names("manual")[0].clone();
    let begin = || {
        let arguments = ["restore", &name, "--yes", "notes", "--plain", "-v"];
        let child = until(notes.lab.begin(&notes.inventory, &arguments), "stage restore: replace");
        let loaded = "n=0; until runuser -u postgres -- psql -At -l | grep -q tow_restored; do n=$((n + 1)); [ $n -lt 900 ]; sleep 0.1; done";
        notes.lab.inside(notes.db, loaded);
        assert!(notes.says_nothing(), "its writers run");
        child
    };
    let mut child = begin();
    signal(&child, nix::sys::signal::Signal::SIGINT);
    assert_eq!(child.wait().unwrap().code(), Some(130));
    as_before();

    let mut child = begin();
    signal(&child, nix::sys::signal::Signal::SIGKILL);
    child.wait().unwrap();
    let undone =
        "n=0; while [ -e /var/lib/towline/notes/restore ]; do n=$((n + 1)); [ $n -lt 150 ]; sleep 1; done";
    notes.lab.inside(notes.web, undone);
    let journal = notes.lab.inside(notes.web, "tail -n 1 /var/lib/towline/notes/journal.jsonl");
    assert!(journal.contains("restore undone") && journal.contains("nobody confirmed it"), "{journal}");
    notes.lab.inside(notes.web, "rm -r /var/lib/towline/notes/lock");
    as_before();

    // The host itself puts the data back as it comes up, before the application starts: nobody else is there.
    let mut child = begin();
    notes.starts_anew(&mut child);
    as_before();

    notes.lab.inside(notes.db, "rm /usr/local/bin/pg_restore");
    must(0, &notes.restore(&name));
    assert_eq!(notes.says(), "200");
}

impl Notes {
    /// The host of the application, in the midst of what was begun; and whoever began it is gone.
    fn starts_anew(&self, child: &mut Child) {
        signal(child, nix::sys::signal::Signal::SIGKILL);
        child.wait().unwrap();
        self.lab.lab(&["reboot", self.web]);
        self.is_settled();
        self.lab.inside(self.web, "rm -r /var/lib/towline/notes/lock");
    }

    fn is_settled(&self) {
        let line = "n=0; while [ -e /var/lib/towline/notes/restore ]; do n=$((n + 1)); [ $n -lt 1500 ]; sleep 0.1; done
            while [ \"$(systemctl is-active tow-settle-notes)\" = activating ]; do sleep 0.1; done";
        self.lab.inside(self.web, line);
    }

    /// A restore that stops where only a part of the files has come: of the first that are moved there, one.
    fn half_the_files(&self, name: &str) -> Child {
        let script = "#!/bin/sh\ncase \"$(pwd) $*\" in \"/srv/notes/shared -t . -- \"*) rm -f /usr/local/bin/mv; /bin/mv \"$1\" \"$2\" \"$3\" \"$4\"; touch /run/half; \
            exec sleep 500 ;; esac\nexec /bin/mv \"$@\"\n";
        self.lab.inside(
            self.web,
            &format!("rm -f /run/half; printf %s '{script}' >/usr/local/bin/mv; chmod 755 /usr/local/bin/mv"),
        );
        let child = self.lab.begin(&self.inventory, &["restore", name, "--yes", "notes", "--plain", "-v"]);
        self.lab.inside(
            self.web,
            "n=0; until [ -e /run/half ]; do n=$((n + 1)); [ $n -lt 600 ]; sleep 0.1; done",
        );
        child
    }
}

#[test]
#[ignore = "needs real servers: tests/run"]
fn what_is_unhealthy_with_the_data_of_a_backup_has_its_own_again() {
    let notes = Notes::new("sqlite", "srv2", "srv2");
    notes.lab.inside(notes.web, "touch /srv/notes/shared/sick");
    must(0, &notes.tow("backup", &["--set", "backup.at=03:30"]));
    notes.lab.inside(notes.web, "rm /srv/notes/shared/sick");
    notes.tell("INSERT INTO posts VALUES (1, 'first')");
    let said = must(3, &notes.restore("latest"));
    assert!(said.contains("500") && said.contains("with the data before"), "{said}");
    assert_eq!(notes.says(), "200 first");
    notes.nothing_is_open();
    // The timer is set, and what it starts makes a backup as well.
    let timer = "systemctl is-enabled notes-backup.timer; systemctl start notes-backup.service; systemctl show -p Result --value notes-backup.service";
    assert_eq!(notes.lab.inside(notes.web, timer), "enabled\nsuccess");
    assert_eq!(notes.names("timer").len(), 1);

    // The host starts anew where all was replaced and nobody has confirmed it, and where a part of the files was.
    let has = "cd /srv/notes/shared; ls; cat file";
    notes
        .lab
        .inside(notes.web, "cd /srv/notes/shared; mkdir more; echo upload >file; chown notes: file more");
    let before = notes.lab.inside(notes.web, has);
    let name = notes.names("manual")[0].clone();
    let all = |notes: &Notes| {
        let child = notes.lab.begin(&notes.inventory, &["restore", &name, "--yes", "notes", "--plain", "-v"]);
        until(child, "stage restore: start")
    };
    for half in [true, false] {
        let mut child = if half { notes.half_the_files(&name) } else { all(&notes) };
        notes.starts_anew(&mut child);
        assert_eq!(notes.says(), "200 first");
        assert_eq!(notes.lab.inside(notes.web, has), before);
        notes.nothing_is_open();
    }
}

#[test]
#[ignore = "needs real servers: tests/run"]
fn migrations_are_taken_back_by_the_code_that_knows_them() {
    let notes = Notes::new("postgresql", "srv2", "srv1");
    notes.tell("INSERT INTO posts VALUES (1, 'first')");
    let steps = |more: &str| {
        notes
            .lab
            .write("src/migrations.sql", &format!("CREATE TABLE posts (id integer, title text)\n{more}"));
        must(0, &notes.tow("deploy", &[]));
    };
    let in_database = || {
        notes.lab.inside("srv1", "runuser -u postgres -- psql -At notes -c \"SELECT count(*) FROM information_schema.columns WHERE column_name = 'note'\"")
    };
    let serves = |number: u32, columns: &str| {
        assert!(
            notes
                .lab
                .inside("srv2", "readlink /srv/notes/current")
                .starts_with(&format!("releases/{number}-"))
        );
        assert_eq!((notes.says().as_str(), in_database().as_str()), ("200 first", columns));
        notes.nothing_is_open();
    };
    let note = "ALTER TABLE posts ADD note text /* more than ½ of ASCII */ <- ALTER TABLE posts DROP note\n";
    steps(note);
    assert!(must(3, &notes.tow("rollback", &[])).contains("--migrate-down"));
    let plan = must(0, &notes.tow("rollback", &["--plan", "--migrate-down"]));
    assert!(plan.contains("from 2 to 1, by 2-"), "{plan}");
    serves(2, "1");

    let backups = notes.names("deploy").len();
    let said = must(0, &notes.tow("rollback", &["--migrate-down"]));
    serves(1, "0");
    assert_eq!(notes.names("deploy").len(), backups + 1, "{said}");
    assert!(must(0, &notes.tow("status", &["--json"])).contains("\"schema\":\"1\""));
    // Forward again; and once more back, to what is not well: the schema goes forward with what served.
    steps(note);
    serves(3, "1");
    notes.lab.inside("srv2", "touch /srv/notes/shared/sick");
    let first = notes.lab.inside("srv2", "cd /srv/notes/releases; ls -d 1-*");
    let said = must(3, &notes.tow("rollback", &["--migrate-down", "--to", &first]));
    notes.lab.inside("srv2", "rm /srv/notes/shared/sick");
    assert!(said.contains("with its schema"), "{said}");
    serves(3, "1");
    // The second of these two has no way back, the first is taken back in vain.
    let two = format!(
        "{note}UPDATE posts SET title = 'first'\nALTER TABLE posts ADD other text <- ALTER TABLE posts DROP other\n"
    );
    steps(&two);
    let said = must(3, &notes.tow("rollback", &["--migrate-down"]));
    for part in [
        "step 3 has no way back",
        "migrated forward again: the schema is at 4",
        "--restore-backup",
        "Before it: verified: ",
    ] {
        assert!(said.contains(part), "{part} is not said: {said}");
    }
    serves(4, "1");
    assert!(must(0, &notes.tow("status", &["--json"])).contains("\"schema\":\"4\""));
    assert!(must(2, &notes.tow("rollback", &["--migrate-down", "--limit", "srv2"])).contains("srv1"));

    // The host starts anew in the midst of it.
    steps(&format!(
        "{two}ALTER TABLE posts ADD slow text <- SELECT pg_sleep(60); ALTER TABLE posts DROP slow\n"
    ));
    let mut child = notes.lab.begin(&notes.inventory, &["rollback", "--migrate-down"]);
    let sleeps = "n=0; until runuser -u postgres -- psql -At -c \"SELECT query FROM pg_stat_activity WHERE wait_event = 'PgSleep'\" | grep -q DROP; \
         do n=$((n + 1)); [ $n -lt 600 ]; sleep 0.1; done";
    notes.lab.inside("srv1", sleeps);
    notes.lab.lab(&["reboot", "srv2"]);
    assert_eq!(child.wait().unwrap().code(), Some(3));
    serves(5, "1");
}

/// The database is on `db`; what is refused has stopped nothing.
fn of_another_schema(notes: &Notes) {
    notes.tell("INSERT INTO posts VALUES (1, 'first')");
    must(0, &notes.tow("backup", &[]));
    let old = notes.names("manual")[0].clone();
    let stands = |schema: &str| {
        let said = must(0, &notes.tow("status", &["--json"]));
        assert!(said.contains(&format!("\"schema\":\"{schema}\"")), "{said}");
        assert_eq!(notes.says(), "200 first");
        notes.nothing_is_open();
    };
    notes.lab.write(
        "src/migrations.sql",
        "CREATE TABLE posts (id integer, title text)\nALTER TABLE posts ADD note text\n",
    );
    must(0, &notes.tow("deploy", &[]));
    let journal = || notes.lab.inside(notes.web, "cat /var/lib/towline/notes/journal.jsonl");
    let before = journal();
    let said = must(3, &notes.restore(&old));
    for part in
        ["the schema of the backup is at 1, and 2-", "was made for 2", "--restore-backup", "--other-schema"]
    {
        assert!(said.contains(part), "{part} is not said: {said}");
    }
    assert_eq!(journal(), before);
    stands("2");
    // Asked for, it is done, and known: the release of then goes with it, the one that serves does not.
    must(0, &notes.tow("restore", &[&old, "--yes", "notes", "--other-schema"]));
    stands("1");
    must(0, &notes.tow("deploy", &[]));
    stands("2");
    assert!(must(3, &notes.tow("rollback", &["--to", "1"])).contains("its schema is at 2"));
    must(0, &notes.tow("restore", &[&old, "--yes", "notes", "--other-schema"]));
    assert!(must(3, &notes.tow("rollback", &["--to", "2"])).contains("its schema is at 1"));
    must(0, &notes.tow("rollback", &["--to", "1"]));
    stands("1");
    must(0, &notes.restore(&old));
}

#[test]
#[ignore = "needs real servers: tests/run"]
fn a_backup_of_another_schema_is_not_restored_unasked() {
    of_another_schema(&Notes::new("postgresql", "srv2", "srv1"));
}

#[test]
#[ignore = "needs real servers: tests/run"]
fn a_backup_of_another_schema_of_sqlite_is_not_restored_unasked() {
    of_another_schema(&Notes::new("sqlite", "srv2", "srv2"));
}

#[test]
#[ignore = "needs real servers: tests/run"]
fn a_migration_that_drops_data_is_taken_back_with_them() {
    let notes = Notes::new("postgresql", "srv1", "srv1");
    notes.tell("INSERT INTO posts VALUES (1, 'first')");
    let before = notes.names("deploy");
    must(0, &notes.tow("deploy", &[]));
    assert_eq!(notes.names("deploy"), before, "nothing was pending");
    notes.lab.write(
        "src/migrations.sql",
        "CREATE TABLE posts (id integer, title text)\nUPDATE posts SET title = 'gone'\n",
    );
    must(0, &notes.tow("deploy", &[]));
    assert_eq!(notes.says(), "200 gone");
    assert_eq!(notes.names("deploy").len(), before.len() + 1);
    let said = must(3, &notes.tow("rollback", &[]));
    assert!(said.contains("has been migrated since") && said.contains("--restore-backup"), "{said}");
    assert_eq!(notes.says(), "200 gone");
    let said = must(0, &notes.tow("rollback", &["--restore-backup"]));
    assert_eq!(notes.says(), "200 first", "{said}");
    let serves = notes.lab.inside(notes.web, "readlink /srv/notes/current");
    assert!(serves.starts_with("releases/2-"), "{serves}");
    notes.nothing_is_open();
    // The database stands where the one before left it, too.
    must(0, &notes.tow("rollback", &[]));
    must(0, &notes.tow("rollback", &["--to", serves.trim_start_matches("releases/")]));
    // There is no backup of when the first one was about to be replaced: nothing was pending then.
    let said = must(3, &notes.tow("rollback", &["--restore-backup"]));
    assert!(said.contains("replaced:1-"), "{said}");
    assert_eq!(notes.says(), "200 first");
    // Without its verified backup no migration begins.
    notes.lab.inside(
        notes.db,
        "printf '#!/bin/sh\\nexit 1\\n' >/usr/local/bin/pg_restore; chmod 755 /usr/local/bin/pg_restore",
    );
    let said = must(3, &notes.tow("deploy", &[]));
    assert!(said.contains("pg_restore has failed"), "{said}");
    assert_eq!(notes.says(), "200 first");
    notes.nothing_is_open();
}

#[test]
#[ignore = "needs real servers: tests/run"]
fn the_database_may_be_on_another_host_and_a_backup_comes_here_encrypted() {
    let notes = Notes::new("postgresql", "srv2", "srv1");
    lost_and_found(&notes);
    must(0, &notes.tow("backup", &["--fetch"]));
    let fetched = |name: &str| {
        let entries = fs::read_dir(notes.lab.folder.path().join("backups")).unwrap();
        entries.map(|entry| entry.unwrap().path()).find(|path| path.display().to_string().contains(name))
    };
    let plain = fetched("notes-srv1-").unwrap();
    let listed = Command::new("tar").arg("-tf").arg(&plain).output().unwrap();
    assert!(text(&listed.stdout).contains("/postgresql.dump"), "{}", text(&listed.stdout));
    fs::remove_file(plain).unwrap();
    let key = age::x25519::Identity::generate();
    notes.lab.write("keys", &format!("{}\n", key.to_public()));
    must(0, &notes.tow("backup", &["--limit", "srv1", "--fetch", "backups", "--recipients", "keys"]));
    let sealed = File::open(fetched("srv1-").unwrap()).unwrap();
    let mut whole = vec![];
    let decryptor = age::Decryptor::new(sealed).unwrap();
    decryptor.decrypt(std::iter::once(&key as &dyn age::Identity)).unwrap().read_to_end(&mut whole).unwrap();
    assert!(String::from_utf8_lossy(&whole).contains("/manifest.json"));
    assert_eq!(notes.lab.inside("srv1", "ls /var/tmp | grep tow- || true"), "");

    // A migration waits for the backup on the other host, and does not begin where that one takes no part.
    notes.lab.write(
        "src/migrations.sql",
        "CREATE TABLE posts (id integer, title text)\nUPDATE posts SET title = 'gone'\n",
    );
    let said = must(3, &notes.tow("deploy", &["--limit", "srv2"]));
    assert!(said.contains("--limit"), "{said}");
    assert_eq!(notes.says(), "200 first,second");
    must(0, &notes.tow("deploy", &["--parallel", "1"]));
    assert_eq!(notes.says(), "200 gone,gone");
    must(0, &notes.tow("rollback", &["--restore-backup"]));
    assert_eq!(notes.says(), "200 first,second");
    notes.nothing_is_open();
}

#[test]
#[ignore = "needs real servers: tests/run"]
fn postgresql_and_files_come_back() {
    let notes = Notes::new("postgresql", "srv1", "srv1");
    lost_and_found(&notes);
    a_damaged_one_is_never_offered(&notes, "postgresql.dump");
}

#[test]
#[ignore = "needs real servers: tests/run"]
fn a_package_that_is_not_there_or_is_another_one_switches_nothing() {
    let notes = Notes::new("sqlite", "srv2", "srv2");
    notes.tell("INSERT INTO posts VALUES (1, 'first')");
    let digest = "0".repeat(64);
    for (requirements, part) in [
        (format!("gunicorn==23.0.0 --hash=sha256:{digest}\n"), "DO NOT MATCH THE HASHES"),
        // Nobody is behind that port.
        ("--index-url http://127.0.0.1:9/simple\nitsdangerous\n".to_owned(), "127.0.0.1"),
    ] {
        notes.lab.write("src/requirements.txt", &requirements);
        let said = must(3, &notes.tow("deploy", &[]));
        assert!(said.contains(part) && said.contains("hint: "), "{part} is not said: {said}");
        assert_eq!(notes.says(), "200 first");
        assert!(notes.lab.inside("srv2", "readlink /srv/notes/current").starts_with("releases/1-"));
        notes.nothing_is_open();
    }
    notes.lab.write("src/requirements.txt", "gunicorn\n");
    must(0, &notes.tow("deploy", &[]));
    assert_eq!(notes.says(), "200 first");
}

#[test]
#[ignore = "needs real servers: tests/run"]
fn sqlite_and_files_come_back() {
    let notes = Notes::new("sqlite", "srv2", "srv2");
    lost_and_found(&notes);
    a_damaged_one_is_never_offered(&notes, "sqlite.tar.gz");
    a_full_disk_leaves_the_last_one(&notes);
}

/// Neither half of a backup nor a migration without one.
fn a_full_disk_leaves_the_last_one(notes: &Notes) {
    let all = notes.names("manual");
    notes.lab.inside(
        notes.db,
        "mount -t tmpfs -o size=2m,mode=711 small /mnt; cp -a /var/backups/notes/. /mnt; \
         mount --bind /mnt /var/backups/notes; umount /mnt; \
         head -c 4000000 /dev/urandom >/srv/notes/shared/large; chown notes: /srv/notes/shared/large",
    );
    let said = must(3, &notes.tow("backup", &[]));
    assert!(said.contains("No space left on device"), "{said}");
    notes.lab.write("src/migrations.sql", "CREATE TABLE posts (id integer, title text)\nDELETE FROM posts\n");
    let (said, serves) = (must(3, &notes.tow("deploy", &[])), notes.says());
    assert!(said.contains("No space left on device"), "{said}");
    assert_eq!((notes.names("manual"), serves.as_str()), (all, "200 first,second"));
    notes.nothing_is_open();
    notes.lab.inside(notes.db, "rm /srv/notes/shared/large");
    // The last that is whole.
    must(0, &notes.restore("latest"));
    assert_eq!(notes.says(), "200 first");
    notes.lab.inside(notes.db, "umount /var/backups/notes");
}
