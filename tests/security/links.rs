//! Links that others have planted lead root nowhere.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};

use crate::bench::{Bench, mode};

/// A file that only root may read, and a folder; both must stay as they are.
struct Victim {
    folder: tempfile::TempDir,
}

impl Victim {
    fn new() -> Victim {
        assert!(nix::unistd::geteuid().is_root(), "this test gives files away: run it as root");
        let victim = Victim { folder: tempfile::Builder::new().prefix("tow-victim-").tempdir().unwrap() };
        fs::write(victim.file(), "root:TOPSECRETHASH:1\n").unwrap();
        fs::set_permissions(victim.file(), fs::Permissions::from_mode(0o600)).unwrap();
        fs::create_dir(victim.dir()).unwrap();
        fs::set_permissions(victim.dir(), fs::Permissions::from_mode(0o700)).unwrap();
        victim
    }
    fn file(&self) -> PathBuf {
        self.folder.path().join("shadow")
    }
    fn dir(&self) -> PathBuf {
        self.folder.path().join("private")
    }
    fn assert_untouched(&self, what: &str) {
        assert_eq!(fs::read_to_string(self.file()).unwrap(), "root:TOPSECRETHASH:1\n", "{what}");
        for (path, wanted) in [(self.file(), 0o600), (self.dir(), 0o700)] {
            let found = fs::metadata(&path).unwrap();
            assert_eq!((found.uid(), found.gid(), mode(&path)), (0, 0, wanted), "{what}: {}", path.display());
        }
        assert_eq!(fs::read_dir(self.dir()).unwrap().count(), 0, "{what}");
    }
}

/// The folder of an application, which belongs to `nobody`.
fn app(bench: &Bench) -> PathBuf {
    let app = bench.path("app");
    fs::create_dir_all(&app).unwrap();
    std::os::unix::fs::chown(&app, Some(65534), Some(65534)).unwrap();
    app
}

const TASKS: &[&str] = &[
    "env = { path = \"{D}/app/x\", owner = \"nobody\", vars = { A = \"b\" } }",
    "template = { src = \"t\", dest = \"{D}/app/x\", owner = \"nobody\", mode = \"0666\" }",
    "file = { path = \"{D}/app/x\", content = \"new\", owner = \"nobody\", group = \"nogroup\", mode = \"0666\" }",
    "file = { path = \"{D}/app/x\", content = \"root:TOPSECRETHASH:1\\n\", owner = \"nobody\", mode = \"0666\" }",
    "file = { path = \"{D}/app/x\", owner = \"nobody\", mode = \"0666\" }",
    "file = { path = \"{D}/app/x\", absent = true }",
    "line = { path = \"{D}/app/x\", line = \"new\", owner = \"nobody\", mode = \"0666\" }",
    "line = { path = \"{D}/app/x\", starts_with = \"root\", absent = true }",
    "link = { path = \"{D}/app/x\", target = \"/elsewhere\" }",
    "link = { path = \"{D}/app/x\", absent = true }",
    "directory = { path = \"{D}/app/x\", owner = \"nobody\", mode = \"0777\" }",
    "directory = { path = \"{D}/app/x\", absent = true }",
    "upload = { src = \"tree\", dest = \"{D}/app\", owner = \"nobody\" }",
    "upload = { src = \"tree\", dest = \"{D}/app\", owner = \"nobody\", delete = true }",
    "upload = { src = \"tree\", dest = \"{D}/app/x\", owner = \"nobody\", delete = true }",
];

/// Row 12: `shared/.env -> /etc/shadow`. Whatever becomes of the task, root has followed nothing.
#[test]
fn a_link_in_the_applications_folder_is_not_followed() {
    for task in TASKS {
        for to_folder in [false, true] {
            let (bench, victim) = (Bench::local(), Victim::new());
            let app = app(&bench);
            symlink(if to_folder { victim.dir() } else { victim.file() }, app.join("x")).unwrap();
            std::os::unix::fs::lchown(app.join("x"), Some(65534), Some(65534)).unwrap();
            bench.write("t", "from a template");
            bench.write("tree/x", "from a tree");
            bench.playbook(&format!("[[tasks]]\n{task}\n"));
            let said = bench.tow(&["run", "site.toml", "-v", "--diff"]);
            assert!(matches!(said.code, Some(0 | 3)), "{task}: {}", said.text);
            victim.assert_untouched(task);
            // Nor does its content come back, to the screen or to the application.
            assert!(!said.text.contains("TOPSECRET") || task.contains("TOPSECRET"), "{task}: {}", said.text);
            let copied = fs::read_to_string(app.join("x"));
            let is_file = fs::symlink_metadata(app.join("x")).is_ok_and(|found| found.is_file());
            let ours = task.contains("TOPSECRET");
            assert!(!is_file || ours || !copied.unwrap().contains("TOPSECRET"), "{task}");
        }
    }
}

/// The folder above is the link: root writes nothing where it leads, and gives nothing there away.
#[test]
fn a_link_above_the_path_is_not_followed() {
    let below = |task: &str| {
        task.replace("{D}/app/x\"", "{D}/app/x/shadow\"").replace("{D}/app\"", "{D}/app/x/new\"")
    };
    for task in TASKS.iter().map(|task| below(task)) {
        let (bench, victim) = (Bench::local(), Victim::new());
        let app = app(&bench);
        symlink(victim.folder.path(), app.join("x")).unwrap();
        std::os::unix::fs::lchown(app.join("x"), Some(65534), Some(65534)).unwrap();
        bench.write("t", "from a template");
        bench.write("tree/shadow", "from a tree");
        bench.playbook(&format!("[[tasks]]\n{task}\n"));
        let said = bench.tow(&["run", "site.toml", "-v", "--diff"]);
        assert_eq!(said.code, Some(3), "{task}: {}", said.text);
        assert!(said.text.contains("is a link that belongs to nobody"), "{task}: {}", said.text);
        victim.assert_untouched(&task);
        assert_eq!(fs::read_dir(victim.folder.path()).unwrap().count(), 2, "{task}");
        assert!(!said.text.contains("TOPSECRET") || task.contains("TOPSECRET"), "{task}: {}", said.text);
    }
}

/// In front of the real program: does what the owner of the folder could do at that very moment, puts a link in the
/// place of each temporary file.
fn swapping_programs(folder: &Path, victim: &Path) {
    fs::create_dir_all(folder).unwrap();
    for program in ["install", "chown", "chmod", "cp", "mv", "sync", "ln"] {
        let real = format!("/usr/bin/{program}");
        let real = if Path::new(&real).exists() { real } else { format!("/bin/{program}") };
        let script = format!(
            "#!/bin/sh\nfor w; do case $w in */.tow-*) echo {program} >>{folder}/swapped; /bin/rm -rf \"$w\"; /bin/ln -s {victim} \"$w\" ;; esac; done\nexec {real} \"$@\"\n",
            folder = folder.display(),
            victim = victim.display()
        );
        let path = folder.join(program);
        fs::write(&path, script).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    }
}

/// Rows 11 and 12: a temporary file that is swapped for a link while root works on it.
#[test]
fn a_link_in_place_of_a_temporary_file_is_not_followed() {
    for task in TASKS.iter().filter(|task| !task.contains("absent")) {
        let (bench, victim) = (Bench::local(), Victim::new());
        app(&bench);
        let programs = bench.path("bin");
        swapping_programs(&programs, &victim.file());
        let bench = bench.programs(&programs);
        bench.write("t", "from a template");
        bench.write("tree/x", "from a tree");
        bench.playbook(&format!("[[tasks]]\n{task}\n"));
        let said = bench.tow(&["run", "site.toml", "-v"]);
        assert!(matches!(said.code, Some(0 | 3)), "{task}: {}", said.text);
        victim.assert_untouched(task);
        let swapped = fs::read_to_string(programs.join("swapped")).unwrap_or_default();
        let writes = ["env", "template", "file = { path = \"{D}/app/x\", content"]
            .iter()
            .any(|kind| task.starts_with(kind));
        assert!(!writes || swapped.contains("mv"), "{task}: nothing was swapped");
    }
}

/// Row 11: no name in a folder that all may write to comes twice, or is a short one that can be guessed.
#[test]
fn no_temporary_name_can_be_guessed() {
    let bench = Bench::local();
    let programs = bench.path("bin");
    fs::create_dir_all(&programs).unwrap();
    for program in ["install", "mv", "ln", "tar", "cp"] {
        let path = programs.join(program);
        let text = format!(
            "#!/bin/sh\npwd >>{0}/names; printf '%s\\n' \"$@\" >>{0}/names\nPATH=/usr/bin:/bin exec {program} \"$@\"\n",
            programs.display()
        );
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    }
    let bench = bench.programs(&programs);
    bench.playbook(
        "[[tasks]]\nfile = { path = \"{D}/a\", content = \"{{n}}a\" }\n[[tasks]]\nfile = { path = \"{D}/b\", content = \"{{n}}b\" }\n\
         [[tasks]]\nlink = { path = \"{D}/l\", target = \"{{n}}\" }\n[[tasks]]\nscript = { content = \"true {{n}}\" }\n",
    );
    let mut names: Vec<BTreeSet<String>> = vec![];
    for n in ["1", "2"] {
        let _ = fs::remove_file(programs.join("names"));
        let said = bench.tow(&["run", "site.toml", "--set", &format!("n={n}")]);
        assert_eq!(said.code, Some(0), "{}", said.text);
        let seen = fs::read_to_string(programs.join("names")).unwrap();
        let words = seen
            .lines()
            .flat_map(|line| line.split('/'))
            .filter(|word| word.starts_with("tow-") || word.starts_with(".tow-"));
        names.push(words.filter(|word| !word.starts_with("tow-sec-")).map(ToOwned::to_owned).collect());
    }
    assert!(names.iter().all(|names| names.len() >= 2), "{names:?}");
    assert!(names[0].is_disjoint(&names[1]), "{names:?}");
    for name in names.iter().flatten() {
        let random =
            name.split('-').any(|part| part.len() >= 16 && part.bytes().all(|b| b.is_ascii_hexdigit()));
        assert!(random, "{name}");
    }
    // And nothing of it is left.
    let left = fs::read_dir(std::env::temp_dir())
        .unwrap()
        .flatten()
        .map(|entry| entry.file_name().to_string_lossy().into_owned());
    let left: Vec<String> = left.filter(|name| names.iter().flatten().any(|used| used == name)).collect();
    assert!(left.is_empty(), "{left:?}");
}
