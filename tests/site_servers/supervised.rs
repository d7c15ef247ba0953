//! Supervisor instead of systemd, where somebody asks for it: the same promises about what serves.

use crate::lab::Lab;
use crate::site::{Site, Wish};

const ON: &str = "app.supervisor=true";
/// A command with both kinds of quotes.
const WORKER: &str =
    r#"app.processes=[{ name = "worker", command = "python -c 'import time; time.sleep(float(\"1e6\"))'" }]"#;
const BROKEN: &str = r#"app.processes=[{ name = "worker", command = "false" }]"#;
const TIMER: &str = r#"app.timers=[{ name = "tidy", command = "true", calendar = "daily" }]"#;

const HEADER: &str = r#"site.headers={ X-Season = "winter" }"#;

/// What runs: programs, timers, and the release that is told as current.
const STATE: &str = "supervisorctl status | awk '{ print $1, $2 }' | grep supervised
    systemctl list-units --plain --no-legend --state=active 'supervised-*.timer' | cut -d' ' -f1 | grep -v backup
    readlink /srv/supervised/current";

fn runs(site: &Site<'_>, release: &str) {
    let state = site.lab.inside(site.servers[0], STATE);
    let wanted = format!(
        "supervised RUNNING\nsupervised-worker RUNNING\nsupervised-tidy@{release}.timer\nreleases/{release}"
    );
    assert_eq!(state.trim(), wanted);
    site.browser().is_served();
}

#[test]
#[ignore = "needs real servers: tests/run"]
fn a_release_that_does_not_start_leaves_the_old_one_running() {
    let lab = Lab::enter();
    let wish = Wish { name: "supervised", ..Wish::new("pythonweb", "sqlite", &["srv4"]) };
    let site = Site::init(&lab, &wish.at("supervised.lab.test"));
    site.run(&[ON, WORKER, TIMER]).must_succeed();
    runs(&site, "1");
    let live = || site.lab.inside("srv4", "cat /etc/nginx/sites-enabled/supervised");
    let first = live();

    let failed = site.told(&["deploy"], &[ON, BROKEN, TIMER, HEADER]);
    assert_eq!(failed.code, 3, "{}", failed.story());
    assert!(failed.error("web1").contains("what ran before runs again"), "{}", failed.story());
    runs(&site, "1");
    assert_eq!(live(), first);

    let deployed = site.told(&["deploy"], &[ON, WORKER, TIMER, HEADER]);
    deployed.must_succeed();
    let release = site.lab.inside("srv4", "basename $(readlink /srv/supervised/current)");
    assert_ne!(release.trim(), "1");
    runs(&site, release.trim());
    // The site goes with its release.
    assert!(site.browser().is_told("x-season: winter"));

    site.told(&["rollback"], &[ON, WORKER, TIMER]).must_succeed();
    runs(&site, "1");
    assert_eq!(live(), first);
    // Once more, it leads to what served before, and not to what somebody has gone back from.
    site.told(&["deploy"], &[ON, WORKER, TIMER]).must_succeed();
    site.told(&["rollback"], &[ON, WORKER, TIMER]).must_succeed();
    runs(&site, "1");
    restored(&site);
}

/// Fails, once, when the files of a restore come; and tells who runs at that moment.
const HALFWAY: &str = r#"cat >/usr/local/bin/mv <<'END'
#!/bin/sh
case "$(pwd) $*" in "/srv/supervised/shared -t . -- "*)
  rm -f /usr/local/bin/mv
  { supervisorctl status; systemctl is-active supervised-tidy@1.timer; } >/run/seen
  exit 1 ;;
esac
exec /bin/mv "$@"
END
chmod 755 /usr/local/bin/mv"#;

/// The programs and timers stop while data are put back, and run again: with the data of the backup, or with their own
/// where that fails.
fn restored(site: &Site<'_>) {
    let (set, token) = ([ON, WORKER, TIMER], site.browser().register());
    site.browser().publish("A post", Some(&token));
    site.told(&["backup"], &set).must_succeed();
    site.browser().publish("Another", Some(&token));
    let name = "ls /var/backups/supervised | sort -n | tail -n 1";
    let name = site.lab.inside("srv4", name);
    let restore = || site.told(&["restore", &name, "--yes", "supervised"], &set);

    site.lab.inside("srv4", HALFWAY);
    let failed = restore();
    assert_eq!(failed.code, 3, "{}", failed.story());
    assert!(failed.error("web1").contains("with the data before"), "{}", failed.error("web1"));
    let seen = site.lab.inside("srv4", "awk '{ print $1, $2 }' /run/seen | grep -E 'supervised|active'");
    assert_eq!(seen.trim(), "supervised STOPPED\nsupervised-worker STOPPED\ninactive");
    runs(site, "1");
    assert_eq!(site.browser().titles()[0], "Another");

    restore().must_succeed();
    runs(site, "1");
    assert_eq!(site.browser().titles()[0], "A post");
}
