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
}
