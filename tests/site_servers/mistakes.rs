//! What goes wrong is told with host, cause and next step; and what served before still serves.

use crate::lab::Lab;
use crate::site::{Site, Wish};

/// A site that serves, and what must stay as it is through all that follows.
struct Served<'a> {
    site: Site<'a>,
    before: String,
}

/// The release that is served, its site and its certificate, byte for byte; and nginx could start again.
const STATE: &str = "nginx -t 2>&1; readlink /srv/pythonweb/current
    sha256sum /etc/nginx/sites-enabled/pythonweb /etc/letsencrypt/live/pythonweb/fullchain.pem";

impl<'a> Served<'a> {
    fn on(lab: &'a Lab, server: &'static [&'static str], domain: &'static str) -> Served<'a> {
        let site = Site::init(lab, &Wish::new("pythonweb", "postgresql", server).at(domain));
        site.run(&[]).must_succeed();
        // Another operator may have been here before, with other secrets: from when the database has the new password
        // until the switch, what serves may not reach it.
        site.told(&["deploy"], &["probe.url="]).must_succeed();
        site.browser().is_served();
        let before = lab.inside(server[0], STATE);
        Served { site, before }
    }

    fn inside(&self, line: &str) {
        self.site.lab.inside(self.site.servers[0], line);
    }

    /// A run fails at this task with exit code 3 and says all of this, the last as its hint; visitors notice nothing.
    fn fails(&self, set: &[&str], task: &str, parts: &[&str], hint: &str) {
        self.fails_as(&["run", "site"], set, task, parts, hint);
    }

    /// The next release fails as well.
    fn fails_to_deploy(&self, task: &str, parts: &[&str], hint: &str) {
        self.fails_as(&["deploy"], &[], task, parts, hint);
    }

    fn fails_as(&self, command: &[&str], set: &[&str], task: &str, parts: &[&str], hint: &str) {
        let run = self.site.told(command, set);
        assert_eq!(run.code, 3, "{set:?}: {}", run.story());
        assert_eq!(run.tasks_that("web1", "failed"), [task], "{}", run.story());
        let error = run.error("web1");
        let (said, next) = error.rsplit_once("hint: ").unwrap_or_else(|| panic!("no next step:\n{error}"));
        assert!(next.contains(hint), "{task}: the next step is not {hint:?}:\n{error}");
        for part in parts {
            assert!(said.contains(part), "{task} does not say {part:?}:\n{error}");
        }
        self.site.browser().is_served();
        assert_eq!(self.site.lab.inside(self.site.servers[0], STATE), self.before, "{set:?}");
    }

    /// All mended, it goes on as if nothing had been.
    fn recovers(&self) {
        self.site.run(&[]).must_succeed();
        self.site.nothing_is_left(&["web1"]);
        self.site.browser().is_served();
    }
}

#[test]
#[ignore = "needs real servers: tests/run"]
fn in_the_application() {
    let lab = Lab::enter();
    let served = Served::on(&lab, &["srv1"], "flask12.lab.test");
    let site = &served.site;

    let wrong = "env.DATABASE_URL=postgresql://pythonweb:wrong@127.0.0.1:5432/pythonweb";
    let refused = "password authentication failed for user \"pythonweb\"";
    served.fails_as(&["deploy"], &[wrong], "migrations", &[refused], "the database refuses this password");
    served.recovers();

    // A deploy installs no packages.
    served.inside("apt-get -q -y remove 'python3*-venv'");
    served.fails_to_deploy("virtual environment", &["no module venv"], "package = \"python3-venv\"");
    served.inside("DEBIAN_FRONTEND=noninteractive apt-get -q -y install python3-venv");

    site.edit("requirements-postgres.txt", "psycopg[binary]==3.2.13", "psycopg[binary]==99.0");
    let nothing = "No matching distribution found for psycopg";
    served.fails_to_deploy("dependencies", &[nothing], "check the name and version");
    site.edit("requirements-postgres.txt", "psycopg[binary]==99.0", "psycopg[binary]==3.2.13");

    let wsgi = std::fs::read_to_string(site.path("wsgi.py")).unwrap();
    site.write("wsgi.py", &format!("import no_such_module\n{wsgi}"));
    let traceback = ["No module named 'no_such_module'", "wsgi.py\", line 1"];
    served.fails_to_deploy(
        "the application can be imported",
        &traceback,
        "is its package among the requirements",
    );
    site.write("wsgi.py", &wsgi);
    served.recovers();
}

/// Holds the lock of apt as another installation does, until it is ended.
const HOLDER: &str = r"cat >/root/holder.pl <<'END'
use Fcntl qw(:DEFAULT :flock F_SETLK F_WRLCK);
open(my $lock, '>', '/var/lib/dpkg/lock-frontend');
my $how = pack('ssx4qqlx4', F_WRLCK, 0, 0, 0, 0); fcntl($lock, F_SETLK, $how) or die;
open(my $ready, '>', '/run/held'); close $ready;
sleep 300;
END
rm -f /run/held; setsid perl /root/holder.pl >/dev/null 2>&1 </dev/null & echo $! >/run/holder.pid
for n in $(seq 600); do [ -e /run/held ] && exit; sleep 0.1; done; exit 1";

#[test]
#[ignore = "needs real servers: tests/run"]
fn around_it() {
    let lab = Lab::enter();
    let served = Served::on(&lab, &["srv2"], "flask13.lab.test");
    let site = &served.site;

    site.write("playbooks/templates/mine.conf", "proxy_raed_timeout 5s;\n");
    let (snippet, directive) =
        ("site.snippet=mine.conf", ["unknown directive \"proxy_raed_timeout\"", "/snippet:1"]);
    served.fails_as(&["deploy"], &[snippet], "nginx accepts the site", &directive, "mend it there");

    let package = "  package = \"{{app.system_packages}}\"\n";
    site.edit("playbooks/site.toml", package, &format!("{package}  timeout = \"20s\"\n"));
    served.inside(HOLDER);
    let held = ["/var/lib/dpkg/lock-frontend", "perl"];
    let tree = "app.system_packages=[\"tree\"]";
    served.fails(&[tree], "packages of the application", &held, "another package manager is at work");
    served.inside("kill $(cat /run/holder.pid)");

    // Earlier tries are forgotten: after the third within an hour nobody is asked any more.
    served.inside("rm -f /etc/letsencrypt/tow-failed-*");
    let also = |other: &str| {
        let names = format!("[\"{}\", \"{other}\"]", site.domain);
        [format!("app.domains={names}"), format!("acme.domains={names}")]
    };
    site.lead("elsewhere.lab.test", "srv4");
    let [domains, names] = also("elsewhere.lab.test");
    let elsewhere = ["Domain: elsewhere.lab.test", "the authority did not give a certificate"];
    served.fails(&[&domains, &names], "certificate", &elsewhere, "DNS record does not lead to this host");
    // The lab's authority has this name on its list.
    let [domains, names] = also("refused.lab.test");
    served.fails(&[&domains, &names], "certificate", &["refused.lab.test"], "its reason is above");
    served.recovers();
}
