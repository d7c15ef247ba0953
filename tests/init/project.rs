//! A copy of a fixture or example in a folder of its own, and `tow` run in it.

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use tempfile::TempDir;

pub struct Project {
    pub folder: PathBuf,
    _parent: TempDir,
}

/// What is asked for on the command line; nobody listens on port 9.
pub const FLAGS: [&str; 8] = [
    "--host",
    "127.0.0.1:9",
    "--user",
    "deploy",
    "--domain",
    "shop.example.com",
    "--email",
    "admin@example.com",
];

impl Project {
    /// A copy of `tests/init/apps/NAME`, or of a path below the project.
    pub fn of(name: &str) -> Project {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let fixture = root.join("tests/init/apps").join(name);
        let from = if fixture.is_dir() { fixture } else { root.join(name) };
        let parent = tempfile::tempdir().unwrap();
        let folder = parent.path().join(from.file_name().unwrap());
        copy(&from, &folder);
        Project { folder, _parent: parent }
    }

    pub fn tow(&self, args: &[&str]) -> Output {
        self.tow_in("", args)
    }

    /// In a folder below.
    pub fn tow_in(&self, folder: &str, args: &[&str]) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_tow"));
        command.current_dir(self.folder.join(folder)).args(args).stdin(Stdio::null());
        command.env("XDG_STATE_HOME", self.folder.parent().unwrap().join("state")).output().unwrap()
    }

    /// `tow init` with everything said, and what it said.
    pub fn init(&self, args: &[&str]) -> Output {
        self.tow(&[&["init"], &FLAGS[..], args].concat())
    }

    pub fn read(&self, path: &str) -> String {
        std::fs::read_to_string(self.folder.join(path)).unwrap()
    }

    pub fn has(&self, path: &str) -> bool {
        self.folder.join(path).exists()
    }
}

pub fn said(output: &Output) -> String {
    let text = String::from_utf8_lossy(&[output.stdout.as_slice(), &output.stderr].concat()).into_owned();
    // The port for development is one that is free just now.
    let taken = (8001..8100).find(|port| text.contains(&format!("127.0.0.1:{port} ")));
    taken.map_or_else(|| text.clone(), |port| text.replace(&format!("127.0.0.1:{port} "), "127.0.0.1:8000 "))
}

/// Names of the fixtures.
pub fn fixtures() -> Vec<String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/init/apps");
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name());
    let mut names: Vec<String> = entries.map(|name| name.into_string().unwrap()).collect();
    names.sort();
    names
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap();
        if name == "__pycache__" || name == "venv" {
            continue;
        }
        if path.is_dir() {
            copy(&path, &to.join(name));
        } else {
            std::fs::copy(&path, to.join(name)).unwrap();
        }
    }
}
