//! What a user sees for each kind of mistake. Cases are files in `tests/mistakes`, found by themselves:
//! `NAME.toml` is a playbook, or an inventory when its name begins with `inventory`; a playbook's inventory may
//! lie beside it as `NAME.hosts`, and a first line `# tow run … --limit X` gives arguments. `NAME.snap` is what
//! is shown; `INSTA_UPDATE=always` writes it.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use towline::spec::source::TextFile;
use towline::spec::{Request, load};
use towline::words::content::{Content, Files, TreeEntry};

/// A folder without symbolic tricks: the files of the case.
struct Folder(PathBuf);

impl Files for Folder {
    fn read(&self, path: &str) -> Result<Vec<u8>, String> {
        std::fs::read(self.0.join(path)).map_err(|_| format!("there is no file `{path}`"))
    }
    fn content(&self, path: &str) -> Result<Content, String> {
        self.read(path).map(Content::bytes)
    }
    fn tree(&self, path: &str) -> Result<Vec<TreeEntry>, String> {
        Err(format!("there is no folder `{path}`"))
    }
}

fn arguments(text: &str, request: &mut Request) {
    let first = text.lines().next().unwrap_or("");
    let Some(arguments) = first.strip_prefix("# tow run") else { return };
    let words: Vec<&str> = arguments.split_whitespace().collect();
    for pair in words.chunks(2) {
        let value = pair[1].to_owned();
        match pair[0] {
            "--limit" => request.limit = Some(value),
            "--tags" => request.tags.push(value),
            "--skip-tags" => request.skip_tags.push(value),
            "--set" => {
                let (name, value) = value.split_once('=').unwrap();
                request.set.push((name.to_owned(), value.to_owned()));
            }
            other => panic!("{other}"),
        }
    }
}

fn shown(folder: &Path, name: &str) -> String {
    let text = std::fs::read_to_string(folder.join(format!("{name}.toml"))).unwrap();
    let beside = std::fs::read_to_string(folder.join(format!("{name}.hosts"))).ok();
    let (inventory, playbook) = if name.starts_with("inventory") {
        (Some(text.clone()), "[[tasks]]\ncommand = \"true\"\n".to_owned())
    } else {
        (beside, text.clone())
    };
    let mut request = Request {
        inventory: inventory.map(|text| TextFile::new("inventory.toml", text)),
        playbook: TextFile::new("site.toml", playbook),
        limit: None,
        tags: vec![],
        skip_tags: vec![],
        set: vec![],
    };
    arguments(&text, &mut request);
    let files: Arc<dyn Files + Send + Sync> = Arc::new(Folder(folder.to_owned()));
    match load(&request, &files, &|_: &str| None) {
        Ok(_) => "no mistakes\n".into(),
        Err(mistakes) => mistakes.render(100, false),
    }
}

#[test]
fn every_mistake_is_shown_as_recorded() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/mistakes");
    let mut names = BTreeSet::new();
    for entry in std::fs::read_dir(&folder).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "toml") {
            names.insert(path.file_stem().unwrap().to_str().unwrap().to_owned());
        }
    }
    assert!(names.len() > 15, "the cases were not found: {names:?}");
    let mut settings = insta::Settings::clone_current();
    settings.set_snapshot_path(&folder);
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    settings.bind(|| {
        for name in names {
            insta::assert_snapshot!(name.clone(), shown(&folder, &name));
        }
    });
}

#[test]
fn messages_fit_a_narrow_terminal() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/mistakes");
    let text = std::fs::read_to_string(folder.join("task_keys.toml")).unwrap();
    let request = Request {
        inventory: None,
        playbook: TextFile::new("site.toml", text),
        limit: None,
        tags: vec![],
        skip_tags: vec![],
        set: vec![],
    };
    let files: Arc<dyn Files + Send + Sync> = Arc::new(Folder(folder));
    let mistakes = load(&request, &files, &|_: &str| None).map(|_| ()).unwrap_err();
    let plain = mistakes.render(60, false);
    assert!(!plain.contains('\u{1b}'), "no colour was asked for");
    assert!(mistakes.render(60, true).contains('\u{1b}'));
    // Source lines stay whole; the prose around them is wrapped.
    let prose = plain.lines().filter(|line| line.contains('×') || line.contains("help:"));
    let longest = prose.map(|line| line.chars().count()).max();
    assert!(longest.is_some_and(|longest| longest <= 60), "{plain}");
}
