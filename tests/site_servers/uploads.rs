//! Folders of the application that outlive its releases, and what nginx serves of them.

use std::time::Instant;

use crate::lab::Lab;
use crate::site::{Site, Wish};

#[test]
#[ignore = "needs real servers: tests/run"]
fn what_visitors_upload_outlives_releases() {
    let lab = Lab::enter();
    let tiny = "../tests/site_servers/fixtures/tiny";
    let wish = Wish { name: "uploads", ..Wish::new(tiny, "none", &["srv4"]).at("uploads.lab.test") };
    let site = Site::init(&lab, &wish);
    site.is_new();
    site.edit("inventory.toml", "\nshared = []", "\nshared = [\"static/uploads\", \"kept/in\"]");
    let statics = "\nstatic = { url = \"/static/\", folder = \"src/static\" }";
    site.edit("inventory.toml", "\nstatic = \"\"", statics);
    site.write("static/a.css", "a");
    site.write("static/uploads/default.txt", "as it came");
    site.write("kept/in/secret.txt", "nobody's");
    site.run(&[]).must_succeed();
    site.nothing_is_left(&["web1"]);

    // As the unit runs: it may write nowhere else, and keeps its files from others.
    let upload = "curl -sS --unix-socket /run/uploads.sock -d '<script>1</script>' http://localhost/upload";
    lab.inside("srv4", upload);
    let own = || site.browser().get("/static/uploads/own.html").body;
    assert_eq!(own(), "<script>1</script>");
    assert_eq!(site.browser().get("/static/uploads/default.txt").body, "as it came");
    lab.inside(
        "srv4",
        "cd /srv/uploads/shared/static/uploads; test $(stat -c %U:%G:%a own.html) = uploads:www-data:640",
    );
    // nginx passes through to what is for visitors; all else is closed to it, whatever its path.
    let may = |flag: &str, path: &str| {
        let as_nginx = "setpriv --reuid=www-data --regid=www-data --clear-groups test";
        let asked =
            format!("if {as_nginx} {flag} /srv/uploads/shared/{path}; then echo yes; else echo no; fi");
        lab.inside("srv4", &asked) == "yes"
    };
    assert!(may("-r", "static/uploads/own.html") && may("-x", "static") && !may("-r", "static"));
    lab.inside(
        "srv4",
        "cd /srv/uploads/shared; test -f kept/in/secret.txt && test $(stat -c %a kept/in/secret.txt) = 640",
    );
    for closed in ["kept", "kept/in", "kept/in/secret.txt", "log", "."] {
        assert!(!may("-r", closed), "{closed}");
    }

    // Visitors' files stay in front of what comes with the source; and have an address of their own.
    site.write("version", "2");
    site.write("static/uploads/default.txt", "another");
    site.write("static/uploads/new.txt", "new");
    let media = "\nmedia = [{ url = \"/files/\", folder = \"static/uploads\" }]";
    site.edit("inventory.toml", "\nmedia = []", media);
    site.deploy(0);
    let visitor = site.browser();
    assert_eq!((visitor.get("/").body.as_str(), own().as_str()), ("2", "<script>1</script>"));
    assert_eq!(visitor.get("/static/uploads/default.txt").body, "as it came");
    assert_eq!(visitor.get("/files/new.txt").body, "new");
    assert_eq!(visitor.get("/static/a.css").body, "a");
    let shown = visitor.get_as("/files/own.html", &["X-Any: 1"]).body;
    assert_eq!(shown, "<script>1</script>");
    assert!(site.head("https://uploads.lab.test/files/own.html", &[]).contains("script-src 'none'"));

    let status = site.told(&["status"], &[]).story();
    assert!(status.contains("\"edited\":null"), "{status}");
    site.nothing_is_left(&["web1"]);
    assert_eq!(site.told(&["update", "--check"], &[]).code, 0);

    // It is in a backup, and comes back with its owner; also from one of a time when nginx did not serve it.
    lab.inside("srv4", "cd /srv/uploads/shared; chgrp -R uploads static; chmod 0700 static static/uploads");
    site.told(&["backup"], &[]).must_succeed();
    lab.inside("srv4", "rm /srv/uploads/shared/static/uploads/own.html");
    site.told(&["restore", "latest", "--yes", "uploads"], &[]).must_succeed();
    assert_eq!(own(), "<script>1</script>");

    // What writes beside its source is told at once, and where it could.
    let began = Instant::now();
    let wsgi = std::fs::read_to_string(site.path("wsgi.py")).unwrap();
    site.write("wsgi.py", &format!("{wsgi}\n(HERE / 'static/own').write_text('x')\n"));
    let error = site.deploy(3).error("web1");
    assert!(error.contains("Read-only file system") && error.contains("`app.shared`"), "{error}");
    eprintln!("what ends as soon as it starts: told in {:.0} s", began.elapsed().as_secs_f32());
}
