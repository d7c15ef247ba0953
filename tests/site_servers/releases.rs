//! Releases after the first, as a user makes them: `tow deploy` and `tow rollback` of the shipped playbook, through
//! nginx and gunicorn, with visitors on the site.

use std::fs;
use std::thread;
use std::time::Instant;

use crate::lab::{Lab, Run};
use crate::site::{Site, Wish};

const LOAD: &str = include_str!("fixtures/load.py");
const MIXED: &str = include_str!("fixtures/mixed.lua");
/// More by hand: TOWLINE_DEPLOYS=20.
const DEPLOYS: u32 = 4;

/// Half a second is promised. Where other tests share the machine it may stand still for a moment; a gap would be longer.
fn patience() -> u64 {
    if std::env::var_os("TOWLINE_DEPLOYS").is_some() { 500 } else { 2000 }
}

impl Site<'_> {
    /// What an earlier run of the tests may have left: its releases would be counted on.
    pub fn is_new(&self) {
        let line = format!(
            "app={0}; rm -f /etc/nginx/sites-*/$app; systemctl stop \"$app.socket\" \"$app@*\" 2>/dev/null || true; rm -rf /srv/$app /var/lib/towline/$app \
             /etc/systemd/system/$app[.@-]* /etc/systemd/system/*.wants/$app[.@-]*; systemctl daemon-reload",
            self.name
        );
        self.lab.inside(self.servers[0], &line);
    }

    #[track_caller]
    pub fn deploy(&self, code: i32) -> Run {
        let run = self.told(&["deploy"], &[]);
        assert_eq!(run.code, code, "{}", run.story());
        run
    }

    #[track_caller]
    fn rollback(&self, set: &[&str], code: i32) -> Run {
        let run = self.told(&["rollback"], set);
        assert_eq!(run.code, code, "{}", run.story());
        run
    }

    /// The number of the release that `current` leads to.
    fn current(&self) -> String {
        let name = self.lab.inside(self.servers[0], &format!("readlink /srv/{}/current", self.name));
        name.trim_start_matches("releases/").split('-').next().unwrap_or_default().to_owned()
    }
}

/// Visitors, from here until they are told to stop: GETs by load.py, and by wrk POSTs as well.
struct Load<'a>(&'a Site<'a>);

impl<'a> Load<'a> {
    fn begin(site: &'a Site<'a>) -> Load<'a> {
        let line = format!(
            "systemctl stop load wrk 2>/dev/null || true; rm -f /run/load.* /run/wrk.*; cat >/run/load.py <<'END'\n{LOAD}\nEND\ncat >/run/mixed.lua <<'END'\n{MIXED}\nEND\n\
             command -v wrk >/dev/null || apt-get -qq install wrk >/dev/null 2>&1\n\
             grep -q '127.0.0.1 {domain}' /etc/hosts || echo '127.0.0.1 {domain}' >>/etc/hosts\n\
             systemd-run -q --collect --unit=load -p StandardOutput=file:/run/load.said -p StandardError=file:/run/load.wrong \
             python3 /run/load.py {domain} /run/load.stop\n\
             systemd-run -q --collect --unit=wrk -p StandardOutput=file:/run/wrk.said -p LimitNOFILE=4096 \
             wrk -t 1 -c 8 -d 2h --timeout 10s -s /run/mixed.lua https://{domain}/",
            domain = site.domain
        );
        site.lab.inside(site.servers[0], &line);
        Load(site)
    }

    /// Nobody was refused, and nobody waited.
    fn end(self, what: &str) {
        let line = "touch /run/load.stop; systemctl kill -s INT wrk; \
             for n in $(seq 300); do [ -s /run/load.said ] && ! systemctl -q is-active wrk && break; sleep 0.1; done; \
             tail -n 1 /run/wrk.said; cat /run/load.said /run/load.wrong /run/wrk.said";
        let said = self.0.lab.inside(self.0.servers[0], line);
        let counts: Vec<u64> = said.split_whitespace().take(6).map_while(|word| word.parse().ok()).collect();
        eprintln!(
            "{what}: failed, slowest in ms, sent: with POSTs {:?}, others {:?}",
            &counts[..3],
            &counts[3..]
        );
        let well = matches!(counts[..], [0, _, mixed, 0, slowest, sent] if slowest < patience() && sent > 200 && mixed > 200);
        assert!(well, "{what}: failed, slowest in ms, sent: {said}");
    }
}

#[test]
#[ignore = "needs real servers: tests/run"]
fn visitors_notice_no_deploy_and_no_rollback() {
    let lab = Lab::enter();
    let tiny = "../tests/site_servers/fixtures/tiny";
    let site =
        Site::init(&lab, &Wish { name: "tiny", ..Wish::new(tiny, "none", &["srv4"]).at("tiny.lab.test") });
    site.is_new();
    // All of them come from one address.
    site.edit("inventory.toml", "\nrate = \"20r/s\"", "\nrate = \"\"");
    site.run(&[]).must_succeed();
    let check = site.told(&["update", "--check"], &[]);
    assert_eq!(check.code, 0, "the first release is what is here: {}", check.story());
    let first: u32 = site.current().parse().unwrap();
    let deploys = std::env::var("TOWLINE_DEPLOYS").map_or(DEPLOYS, |number| number.parse().unwrap());

    lab.undisturbed();
    let (load, began) = (Load::begin(&site), Instant::now());
    for number in first + 1..=first + deploys {
        site.write("version", &number.to_string());
        let run = site.deploy(0);
        assert!(run.story().contains(" requests meanwhile, 0 failed, p99 "), "{}", run.story());
        assert_eq!(run.task("web1", "the application answers through nginx")["outcome"], "already");
        assert_eq!((site.current(), site.browser().get("/").body), (number.to_string(), number.to_string()));
    }
    // The probe came through nginx as well.
    lab.inside("srv4", "grep -q '\"tow\"$' /var/log/nginx/access.log");
    load.end(&format!("{deploys} deploys in {:.0} s", began.elapsed().as_secs_f32()));

    let (load, began, back) = (Load::begin(&site), Instant::now(), (first + deploys - 1).to_string());
    site.rollback(&[], 0);
    assert_eq!((site.current(), site.browser().get("/").body), (back.clone(), back));
    load.end(&format!("a rollback in {:.0} s", began.elapsed().as_secs_f32()));

    // It takes ten seconds to start; whoever comes meanwhile is answered by the one before.
    let (load, began, number) = (Load::begin(&site), Instant::now(), (first + deploys + 1).to_string());
    site.write("delay", "10");
    site.write("version", &number);
    site.deploy(0);
    assert_eq!((site.current(), site.browser().get("/").body), (number.clone(), number));
    load.end(&format!("a deploy of what starts slowly in {:.0} s", began.elapsed().as_secs_f32()));

    site.write("delay", "0");
    the_site_goes_with_its_release(&site);
    let changed = site.told(&["status"], &[]).story();
    assert!(changed.contains("\"edited\":null"), "{changed}");
    lab.inside("srv4", "echo more >>/srv/tiny/current/src/wsgi.py");
    let changed = site.told(&["status"], &[]).story();
    assert!(changed.contains("\"edited\":\"src/wsgi.py\""), "{changed}");
}

/// There, back, and back as well when nobody is there any more who could say so.
fn the_site_goes_with_its_release(site: &Site<'_>) {
    let live = || site.lab.inside(site.servers[0], "cat /etc/nginx/sites-enabled/tiny");
    let (before, number) = (live(), site.current());
    let as_before = |what: &str| {
        assert_eq!((live(), site.current()), (before.clone(), number.clone()), "{what}");
        assert!(!site.browser().is_told("x-season: winter"), "{what}");
    };
    site.edit("inventory.toml", "\nheaders = {}", "\nheaders = { X-Season = \"winter\" }");
    site.edit("inventory.toml", "\nsnippet = \"\"", "\nsnippet = \"mine.conf\"");
    site.write("playbooks/templates/mine.conf", "location = /own { return 204; }\n");

    // What serves is as of an earlier version, which brought no site: what nginx serves it with is kept.
    site.lab.inside(site.servers[0], "rm /srv/tiny/current/site");
    // A run that is gone between the switch and the end, and the next one, which is refused early.
    let finish = "name = \"finish\"\nhosts = \"web\"\n";
    let hold = "name = \"hold\"\nhosts = \"web\"\n\n  [[stages.tasks]]\n  name = \"hold\"\n  tags = [\"switch\"]\n  command = \"touch /run/held; sleep 600\"\n\n[[stages]]\n";
    site.edit("playbooks/deploy.toml", finish, &format!("{hold}{finish}"));
    site.lab.inside(site.servers[0], "rm -f /run/held");
    let mut gone = site.begin(&["deploy"]);
    site.lab.inside(
        site.servers[0],
        "for n in $(seq 1200); do [ ! -e /run/held ] || exit 0; sleep 0.1; done; exit 1",
    );
    assert!(site.browser().is_told("x-season: winter") && live() != before);
    gone.kill().unwrap();
    gone.wait().unwrap();
    site.edit("playbooks/deploy.toml", hold, "");
    site.write("playbooks/templates/mine.conf", "proxy_raed_timeout 5s;\n");
    let error = site.deploy(3).error("web1");
    assert!(
        error.contains("unknown directive \"proxy_raed_timeout\"") && error.contains("/snippet:1"),
        "{error}"
    );
    as_before("undone by the next run");

    site.write("playbooks/templates/mine.conf", "location = /own { return 204; }\n");
    site.deploy(0);
    assert!(site.browser().is_told("x-season: winter"));
    assert_eq!(site.browser().get("/own").status, 204);
    // Nothing starts where nginx would refuse what is to come with it.
    let (old, new) = (format!("/srv/tiny/releases/{number}-*/site"), live());
    site.lab.inside(site.servers[0], &format!("cp -p {old} /run/site.kept; echo nonsense >>$(ls {old})"));
    let refused = site.rollback(&[], 3).error("web1");
    assert!(refused.contains("nginx does not take the site of"), "{refused}");
    assert_eq!(live(), new);
    site.lab.inside(site.servers[0], &format!("cp -p /run/site.kept $(ls {old})"));
    site.rollback(&[], 0);
    as_before("rolled back");
    site.nothing_is_left(&["web1"]);
}

#[test]
#[ignore = "needs real servers: tests/run"]
fn a_rollback_to_another_schema_is_refused() {
    let lab = Lab::enter();
    let flask = Wish {
        name: "flask-schema",
        ..Wish::new("pythonweb", "sqlite", &["srv2"]).at("flask-schema.lab.test")
    };
    let django = Wish {
        name: "django-schema",
        ..Wish::new("django", "sqlite", &["srv3"]).at("django-schema.lab.test")
    };
    let (flask, django) = (Site::init(&lab, &flask), Site::init(&lab, &django));
    thread::scope(|scope| {
        scope.spawn(|| {
            refused(&flask, ("migrations/versions/c0ffee000001_note.py", FLASK), FLASK_HEADS);
            let token = flask.browser().register();
            taken_back(&flask, Some(&token), FLASK_HEADS);
            no_way_back(
                &flask,
                ("migrations/versions/c0ffee000002_other.py", FLASK_ONE_WAY),
                "has no attribute 'downgrade'",
            );
        });
        scope.spawn(|| {
            refused(&django, ("posts/migrations/0002_note.py", DJANGO), DJANGO_HEADS);
            taken_back(&django, None, DJANGO_HEADS);
            no_way_back(&django, ("posts/migrations/0003_other.py", DJANGO_ONE_WAY), "IrreversibleError");
        });
    });
}

/// A release with one migration more than the first.
fn refused(site: &Site<'_>, (file, text): (&str, &str), heads: [&str; 2]) {
    site.is_new();
    site.run(&[]).must_succeed();
    // The same schema: back and forth.
    let first = site.current();
    fs::write(site.path("note.txt"), "nothing of the database").unwrap();
    site.deploy(0);
    site.rollback(&[], 0);
    assert_eq!(site.current(), first);

    fs::write(site.path(file), text).unwrap();
    site.deploy(0);
    let third = site.current();
    assert!(site.told(&["status"], &[]).story().contains(heads[1]));
    let run = site.rollback(&[], 3);
    let error = run.error("web1");
    for part in ["cannot go back", heads[0], heads[1], "migrations_compatible", "--migrate-down"] {
        assert!(error.contains(part), "{part} is not said: {error}");
    }
    assert_eq!(site.current(), third);
    site.browser().is_served();
}

/// The schema goes back with the release, and forward again; what visitors wrote stays.
fn taken_back(site: &Site<'_>, token: Option<&str>, heads: [&str; 2]) {
    let stands_at = |which: usize| {
        let status = site.told(&["status"], &[]);
        let said = status.events[0]["schema"].as_str().unwrap_or_default();
        assert!(said.contains(heads[which]) && !said.contains(heads[1 - which]), "{said}");
        site.browser().is_served();
        assert_eq!(site.browser().titles()[0], "A post");
    };
    site.browser().publish("A post", token);
    let third = site.current();
    // What is taken back and does not stay goes forward again, by the application's own tool.
    let run = site.told(&["rollback", "--migrate-down"], &["probe.max_p99=1ms"]);
    assert_eq!(run.code, 3, "{}", run.story());
    assert_eq!(site.current(), third);
    stands_at(1);
    let run = site.told(&["rollback", "--migrate-down"], &[]);
    assert_eq!(run.code, 0, "{}", run.story());
    assert_ne!(site.current(), third);
    stands_at(0);
    site.deploy(0);
    stands_at(1);
    let fourth = site.current();
    site.rollback(&["app.migrations_compatible=true"], 0);
    assert_ne!(site.current(), fourth);
    stands_at(1);
}

/// One more migration, whose own tool refuses to take it back.
fn no_way_back(site: &Site<'_>, (file, text): (&str, &str), part: &str) {
    fs::write(site.path(file), text).unwrap();
    site.deploy(0);
    let last = site.current();
    let run = site.told(&["rollback", "--migrate-down"], &[]);
    assert_eq!(run.code, 3, "{}", run.story());
    let error = run.error("web1");
    for part in [part, "migrated forward again", "verified: ", "--restore-backup"] {
        assert!(error.contains(part), "{part} is not said: {error}");
    }
    assert_eq!(site.current(), last);
    site.browser().is_served();
}

const FLASK_HEADS: [&str; 2] = ["b86e04f7c215", "c0ffee000001"];
const DJANGO_HEADS: [&str; 2] = ["posts.0001_initial", "posts.0002_note"];

const FLASK: &str = r#"
import sqlalchemy as sa
from alembic import op

revision, down_revision, branch_labels, depends_on = "c0ffee000001", "b86e04f7c215", None, None


def upgrade():
    op.add_column("posts", sa.Column("note", sa.Text(), nullable=True))


def downgrade():
    op.drop_column("posts", "note")
"#;

const FLASK_ONE_WAY: &str = r#"
import sqlalchemy as sa
from alembic import op

revision, down_revision, branch_labels, depends_on = "c0ffee000002", "c0ffee000001", None, None


def upgrade():
    op.add_column("posts", sa.Column("other", sa.Text(), nullable=True))
"#;

const DJANGO: &str = r#"
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("posts", "0001_initial")]
    operations = [migrations.AddField("post", "note", models.TextField(null=True))]
"#;

const DJANGO_ONE_WAY: &str = r#"
from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("posts", "0002_note")]
    operations = [migrations.RunPython(lambda apps, editor: None)]
"#;
