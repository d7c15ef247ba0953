//! The scripts behind `app.shared` and `app.media`, run on this machine.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, symlink};
use std::path::Path;
use std::process::{Command, Output};

fn run(script: &str, args: &[&str]) -> Output {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("templates").join(script);
    Command::new("sh").arg(script).args(args).output().unwrap()
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// A release with `src/`, and what outlives it.
struct Place(tempfile::TempDir);

impl Place {
    fn new(files: &[&str]) -> Place {
        let place = Place(tempfile::tempdir().unwrap());
        fs::create_dir(place.path("src")).unwrap();
        fs::create_dir(place.path("shared")).unwrap();
        for file in files {
            place.write(file, file);
        }
        place
    }
    fn path(&self, below: &str) -> std::path::PathBuf {
        self.0.path().join(below)
    }
    fn write(&self, file: &str, text: &str) {
        fs::create_dir_all(self.path(file).parent().unwrap()).unwrap();
        fs::write(self.path(file), text).unwrap();
    }
    fn read(&self, file: &str) -> String {
        fs::read_to_string(self.path(file)).unwrap_or_else(|error| panic!("{file}: {error}"))
    }
    fn share(&self, folder: &str) -> Output {
        run("shared.sh", &[self.path("src").to_str().unwrap(), self.path("shared").to_str().unwrap(), folder])
    }
    fn shares(&self, folder: &str) {
        let output = self.share(folder);
        assert!(output.status.success(), "{}", said(&output));
        assert_eq!(fs::read_link(self.path("src").join(folder)).unwrap(), self.path("shared").join(folder));
    }
    fn mode(&self, file: &str) -> u32 {
        fs::metadata(self.path(file)).unwrap().mode() & 0o7777
    }
}

#[test]
fn what_the_source_has_comes_but_never_in_place_of_what_is_there() {
    let place =
        Place::new(&["src/media/a", "src/media/in/b", "src/media/in/.c", "src/media/own/x", "src/app.py"]);
    place.write("shared/media/a", "a visitor's");
    place.write("shared/media/own", "a file");
    symlink("nowhere", place.path("src/media/link")).unwrap();
    fs::set_permissions(place.path("src/media/in/b"), fs::Permissions::from_mode(0o644)).unwrap();
    place.shares("media");
    assert_eq!(place.read("src/media/a"), "a visitor's");
    assert_eq!((place.read("shared/media/in/b"), place.read("shared/media/in/.c")).0, "src/media/in/b");
    assert_eq!(place.read("shared/media/own"), "a file");
    assert_eq!(fs::read_link(place.path("shared/media/link")).unwrap(), Path::new("nowhere"));
    assert_eq!((place.mode("shared/media/in/b"), place.mode("shared/media/in")), (0o640, 0o750));
    assert!(!place.path("shared/media/.tow-new").exists());
    place.shares("media");
    place.shares("made/here");
    assert_eq!((place.mode("shared/made/here"), place.mode("src/made")), (0o750, 0o755));
}

#[test]
fn what_was_cut_short_counts_for_nothing() {
    let place = Place::new(&["src/media/a", "src/media/b"]);
    place.write("shared/media/.tow-new/files/b", "half of i");
    fs::create_dir_all(place.path("bin")).unwrap();
    // A disk that is full: what copies leaves half a file, and fails.
    let fails = "#!/bin/sh\nfor to; do :; done\nmkdir -p \"$to\" 2>/dev/null; printf half >\"$to/b\" || printf half >b\nexit 1\n";
    for program in ["cp", "tar"] {
        place.write(&format!("bin/{program}"), fails);
        fs::set_permissions(place.path("bin").join(program), fs::Permissions::from_mode(0o755)).unwrap();
    }
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("templates/shared.sh");
    let way = format!("{}:{}", place.path("bin").display(), std::env::var("PATH").unwrap());
    let mut full = Command::new("sh");
    full.arg(script).args([place.path("src"), place.path("shared")]).arg("media").env("PATH", way);
    assert!(!full.current_dir(place.path("shared/media")).status().unwrap().success());
    assert!(!place.path("shared/media/b").exists());
    assert_eq!(place.read("src/media/b"), "src/media/b");
    place.shares("media");
    assert_eq!(
        (place.read("shared/media/a"), place.read("shared/media/b")),
        ("src/media/a".into(), "src/media/b".into())
    );
}

#[test]
fn what_lies_behind_a_link_is_kept() {
    let place = Place::new(&["src/media/a", "shared/media/avatars/b", "elsewhere/x/c"]);
    place.shares("media");
    symlink(place.path("elsewhere"), place.path("src/out")).unwrap();
    for folder in ["media/avatars", "media/new", "out/x", "out/y/z"] {
        let output = place.share(folder);
        assert_eq!(output.status.code(), Some(1), "{folder}");
        assert!(said(&output).contains("lies behind a link"), "{}", said(&output));
    }
    assert_eq!(place.read("shared/media/avatars/b"), "shared/media/avatars/b");
    assert_eq!(place.read("elsewhere/x/c"), "elsewhere/x/c");
    assert!(!place.path("shared/media/new").exists() && !place.path("elsewhere/y").exists());
    // A link that stays inside is one folder more.
    fs::create_dir(place.path("src/real")).unwrap();
    symlink("real", place.path("src/inside")).unwrap();
    place.shares("inside/up");
}

#[test]
fn what_is_no_folder_below_is_refused() {
    let place = Place::new(&["src/file"]);
    for folder in ["", ".", "..", "/", "/abs", "a/../b", "./x", "x//y", "x/", "../x"] {
        for (script, first) in [("shared.sh", place.path("src")), ("media.sh", "nobody".into())] {
            let output =
                run(script, &[first.to_str().unwrap(), place.path("shared").to_str().unwrap(), folder]);
            assert_eq!(output.status.code(), Some(1), "{script} {folder:?}");
            assert!(
                said(&output).contains(&format!("\"{folder}\" is no folder below ")),
                "{}",
                said(&output)
            );
        }
    }
    assert!(said(&place.share("file")).contains("is a file in the source"));
    assert_eq!(fs::read_dir(place.path("shared")).unwrap().count(), 0);
}

#[test]
fn a_checkout_of_git_takes_nothing_for_changes() {
    let place = Place::new(&["src/media/a", "src/b"]);
    let git = |args: &[&str]| {
        let names = ["-c", "user.name=n", "-c", "user.email=e@example.com"];
        let output =
            Command::new("git").arg("-C").arg(place.path("src")).args(names).args(args).output().unwrap();
        assert!(output.status.success(), "{args:?}: {}", said(&output));
        String::from_utf8(output.stdout).unwrap()
    };
    git(&["init", "-q"]);
    git(&["add", "."]);
    git(&["commit", "-qm", "first"]);
    place.shares("media");
    place.shares("other");
    assert_eq!(git(&["status", "--porcelain", "--untracked-files=no"]), "");
}

/// Needs root, and an account with the group www-data on this machine.
#[test]
fn nginx_reads_media_and_passes_what_is_above() {
    let place = Place::new(&["shared/a/b/media/in/x", "shared/a/secret", "shared/a/b/media/lost+found/y"]);
    let account = Command::new("id").args(["-u", "www-data"]).output();
    if fs::metadata("/proc/self").unwrap().uid() != 0 || !account.is_ok_and(|output| output.status.success())
    {
        eprintln!("not as root, or no www-data: not tried");
        return;
    }
    fs::set_permissions(place.path(""), fs::Permissions::from_mode(0o711)).unwrap();
    let shared = place.path("shared");
    let script = "umask 027; chown -R nobody:nogroup \"$1\"; chmod -R u=rwX,g=rX,o= \"$1\"; chgrp www-data \"$1\"; chmod 0710 \"$1\"; chown root:root \"$1/a/b/media/lost+found\"; chmod 0700 \"$1/a/b/media/lost+found\"";
    assert!(Command::new("sh").args(["-c", script, "sh"]).arg(&shared).status().unwrap().success());
    let may = |flag: &str, path: &str| {
        let as_nginx = ["--reuid=www-data", "--regid=www-data", "--clear-groups", "test", flag];
        Command::new("setpriv").args(as_nginx).arg(place.path(path)).status().unwrap().success()
    };
    assert!(!may("-r", "shared/a/b/media/in/x"));
    for _ in 0..2 {
        let output = run("media.sh", &["nobody", shared.to_str().unwrap(), "a/b/media"]);
        assert!(output.status.success(), "{}", said(&output));
        assert!(may("-r", "shared/a/b/media/in/x") && may("-x", "shared/a/b") && !may("-r", "shared/a/b"));
        assert!(!may("-r", "shared/a/secret") && !may("-x", "shared/a/b/media/lost+found"));
        assert_eq!((place.mode("shared/a"), place.mode("shared/a/b/media")), (0o710, 0o2750));
    }
    // One media folder in another: the outer one stays readable.
    for folder in ["a/b/media/in", "new/er"] {
        let output = run("media.sh", &["nobody", shared.to_str().unwrap(), folder]);
        assert!(output.status.success(), "{}", said(&output));
    }
    assert_eq!((place.mode("shared/a/b/media"), place.mode("shared/a/b/media/in")), (0o2750, 0o2750));
    assert_eq!((place.mode("shared/new"), place.mode("shared/new/er")), (0o710, 0o2750));
}
