//! Files have the permissions they shall have, from their first moment and whatever the umask.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::bench::{Bench, mode};

const PLAYBOOK: &str = r#"
[[tasks]]
directory = { path = "{D}/app/deep/er", mode = "0750" }
[[tasks]]
directory = { path = "{D}/app/usual" }
[[tasks]]
env = { path = "{D}/app/.env", vars = { A = "{{secrets.s}}" } }
[[tasks]]
template = { src = "key.hbs", dest = "{D}/app/key", mode = "0600" }
[[tasks]]
template = { src = "shared.hbs", dest = "{D}/app/group", mode = "0640" }
[[tasks]]
file = { path = "{D}/app/page", content = "x" }
[[tasks]]
file = { path = "{D}/app/run", content = "x", mode = "0755" }
[[tasks]]
line = { path = "{D}/app/lines", line = "x", create = true }
[[tasks]]
upload = { src = "tree", dest = "{D}/app/tree" }
[[tasks]]
command = { run = "cat >/dev/null", stdin = "{{secrets.s}}" }
"#;

fn bench(umask: &'static str) -> Bench {
    let bench = Bench::local().secret(&"canary0123456789".repeat(8)).umask(umask);
    bench.playbook(PLAYBOOK);
    // Large enough to be a file for a while.
    bench.write("key.hbs", &format!("{{{{secrets.s}}}}\n{}", "padding\n".repeat(20_000)));
    bench.write("shared.hbs", &format!("{{{{secrets.s}}}}\n{}", "padding\n".repeat(20_001)));
    bench.write("tree/a", "x");
    bench.write("tree/d/b", "x");
    for (name, mode) in [("tree", 0o700), ("tree/d", 0o777), ("tree/a", 0o666), ("tree/d/b", 0o700)] {
        fs::set_permissions(bench.path(name), fs::Permissions::from_mode(mode)).unwrap();
    }
    bench
}

/// Files with the secret in them that others could open, where every folder above lets them pass.
fn exposed(folder: &Path, found: &mut BTreeSet<String>, seen: &mut usize) {
    let Ok(entries) = fs::read_dir(folder) else { return };
    for entry in entries.flatten() {
        let Ok(stat) = fs::symlink_metadata(entry.path()) else { continue };
        if stat.is_dir() && stat.permissions().mode() & 0o011 != 0 {
            exposed(&entry.path(), found, seen);
        } else if stat.is_file() && stat.len() < 1 << 20 {
            let text = fs::read(entry.path()).unwrap_or_default();
            // As it is now, not as it was before it was read.
            let Ok(stat) = fs::symlink_metadata(entry.path()) else { continue };
            if text.windows(16).any(|part| part == b"canary0123456789") {
                *seen += 1;
                let group = entry.file_name() == "group" || stat.len() > 160_100;
                let allowed = if group { 0o037 } else { 0o077 };
                if stat.permissions().mode() & allowed != 0 {
                    found.insert(format!("{} {:o}", entry.path().display(), stat.permissions().mode()));
                }
            }
        }
    }
}

/// Rows 9 and 10.
#[test]
fn a_secret_file_is_never_open_to_others_and_modes_do_not_depend_on_the_umask() {
    for umask in ["000", "077"] {
        let bench = bench(umask);
        let tmp = bench.path("tmp");
        fs::create_dir(&tmp).unwrap();
        fs::set_permissions(&tmp, fs::Permissions::from_mode(0o777)).unwrap();
        let stop = Arc::new(AtomicBool::new(false));
        let (stopped, folders) = (stop.clone(), [bench.path("app"), tmp.clone()]);
        let watch = std::thread::spawn(move || {
            let (mut found, mut seen) = (BTreeSet::new(), 0);
            while !stopped.load(Ordering::Relaxed) {
                for folder in &folders {
                    exposed(folder, &mut found, &mut seen);
                }
            }
            (found, seen)
        });
        let mut tow = bench.command(&["run", "site.toml", "-v"]);
        let said = crate::bench::said(&tow.env("TMPDIR", &tmp).output().unwrap());
        stop.store(true, Ordering::Relaxed);
        let (found, seen) = watch.join().unwrap();
        assert_eq!(said.code, Some(0), "{}", said.text);
        assert!(found.is_empty(), "umask {umask}: {found:?}");
        assert!(seen > 0, "the watch saw nothing");
        let wanted = [
            ("app", 0o755),
            ("app/deep", 0o755),
            ("app/deep/er", 0o750),
            ("app/usual", 0o755),
            ("app/.env", 0o600),
            ("app/key", 0o600),
            ("app/group", 0o640),
            ("app/page", 0o644),
            ("app/run", 0o755),
            ("app/lines", 0o644),
            ("app/tree", 0o755),
            ("app/tree/a", 0o644),
            ("app/tree/d", 0o755),
            ("app/tree/d/b", 0o755),
        ];
        for (name, wanted) in wanted {
            assert_eq!(mode(&bench.path(name)), wanted, "umask {umask}: {name}");
        }
        assert_eq!(
            fs::read_dir(&tmp).unwrap().count(),
            0,
            "something is left in the folder for temporary files"
        );
    }
}
