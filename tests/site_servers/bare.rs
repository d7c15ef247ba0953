//! Bare servers, as a provider hands them over: `init`, `check`, `run site`, and the site is there over HTTPS.

use std::thread;
use std::time::Instant;

use crate::browser::Browser;
use crate::lab::Lab;
use crate::site::{Site, Wish};

/// From nothing to HTTPS, then once more without a change.
fn serve(site: &Site<'_>) {
    let server = site.servers[0];
    let bare = site.lab.try_inside(server, "! command -v python3 && ! command -v nginx").status.success();
    assert!(bare, "{server} is not bare: take the lab down and up again");
    let checked = site.check();
    let problems: Vec<String> =
        checked.findings("web1").into_iter().filter(|line| line.starts_with("problem")).collect();
    assert!(checked.code == 0 && problems.is_empty(), "{problems:#?}\n{}", checked.story());

    let began = Instant::now();
    site.run(&[]).must_succeed();
    site.browser().is_served();
    eprintln!("{server}, {}: from bare to HTTPS in {:.0} s", site.domain, began.elapsed().as_secs_f32());

    let began = Instant::now();
    site.nothing_is_left(&["web1"]);
    eprintln!("{server}, {}: nothing to do, in {:.1} s", site.domain, began.elapsed().as_secs_f32());
}

/// A post is there, also for who comes without cookies.
fn is_written(site: &Site<'_>, visitor: &Browser<'_>, token: Option<&str>) {
    visitor.publish("A post", token);
    assert_eq!(site.browser().titles()[0], "A post");
}

#[test]
#[ignore = "needs real servers: tests/run"]
fn django_with_postgresql_and_fastapi_with_sqlite() {
    let lab = Lab::enter();
    let django = Site::init(&lab, &Wish::new("django", "postgresql", &["srv3"]).at("django.lab.test"));
    let fastapi = Site::init(&lab, &Wish::new("fastapi", "sqlite", &["srv4"]).at("fastapi.lab.test"));
    // Git ignores it, as the application's .gitignore says.
    fastapi.write("development.db", "of this machine");
    thread::scope(|scope| {
        for site in [&django, &fastapi] {
            scope.spawn(|| {
                serve(site);
                is_written(site, &site.browser(), None);
            });
        }
    });
    assert_eq!(django.browser().get("/static/posts/style.css").status, 200);
    assert_eq!(fastapi.browser().get("/static/style.css").status, 200);
    assert_eq!(
        lab.inside(
            "srv4",
            "cd /srv/fastapi/releases/1/src; ls -A development.db .gitignore 2>/dev/null || :"
        ),
        ".gitignore"
    );
}

#[test]
#[ignore = "needs real servers: tests/run"]
fn flask_with_postgresql_on_debian_12_and_13() {
    let lab = Lab::enter();
    let sites = [
        Wish::new("pythonweb", "postgresql", &["srv1"]).at("flask12.lab.test"),
        Wish::new("pythonweb", "postgresql", &["srv2"]).at("flask13.lab.test"),
    ];
    let sites = sites.map(|wish| Site::init(&lab, &wish));
    sites.iter().for_each(Site::has_another_name);
    thread::scope(|scope| {
        for site in &sites {
            scope.spawn(|| {
                serve(site);
                let visitor = site.browser();
                let token = visitor.register();
                is_written(site, &visitor, Some(&token));
                site.speaks_modern_tls_only();
                let owners = "cd /srv/pythonweb && stat -c %U . releases releases/1 releases/1/.env releases/1/units | sort -u";
                assert_eq!(site.lab.inside(site.servers[0], owners), "root");
                let exposure = site.exposure("pythonweb@1.service");
                assert!(exposure <= 2.5, "{exposure}");
                site.guards_its_visitors();
                certbot_renews(site);
                reboot(site);
            });
        }
    });
}

/// certbot's own unit, as its timer starts it: visitors get the new certificate. Where nginx would not load its
/// configuration at that moment they keep the one before, and the next run makes up for it.
fn certbot_renews(site: &Site<'_>) {
    let inside = |line: &str| site.lab.inside(site.servers[0], line);
    // All of them are due.
    inside("sed -i '1i renew_before_expiry = 10000 days' /etc/letsencrypt/renewal/*.conf");
    let first = site.certificate();
    inside("systemctl start certbot.service");
    let second = site.another_certificate_than(&first);
    inside("echo 'no such directive;' >/etc/nginx/conf.d/broken.conf; systemctl start certbot.service || :");
    let third = inside("cat /etc/letsencrypt/live/pythonweb/cert.pem");
    assert!(third != second && site.certificate() == second);
    site.browser().is_served();
    inside("rm /etc/nginx/conf.d/broken.conf; sed -i '1d' /etc/letsencrypt/renewal/*.conf");
    site.run(&[]).must_succeed();
    assert_eq!(site.another_certificate_than(&second), third);
}

/// The site is back without help, with what was in it.
fn reboot(site: &Site<'_>) {
    site.lab.lab(&["reboot", site.servers[0]]);
    let visitor = site.browser();
    for _ in 0..300 {
        if visitor.trouble().is_none() {
            break;
        }
        thread::sleep(std::time::Duration::from_millis(100));
    }
    visitor.is_served();
    assert_eq!(visitor.titles()[0], "A post");
    site.nothing_is_left(&["web1"]);
}
