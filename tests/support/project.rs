//! A project's folder, and `tow` called in it as a person would.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value as Json;

pub struct Project {
    dir: tempfile::TempDir,
}

pub struct Said {
    code: Option<i32>,
    pub out: String,
    pub all: String,
}

impl Project {
    pub fn new() -> Project {
        Project { dir: tempfile::tempdir().unwrap() }
    }

    pub fn root(&self) -> &Path {
        self.dir.path()
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.root().join(name)
    }

    pub fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap()
    }

    pub fn write(&self, name: &str, text: &str) {
        fs::create_dir_all(self.path(name).parent().unwrap()).unwrap();
        fs::write(self.path(name), text).unwrap();
    }

    /// By somebody whose home is `home` in this folder.
    pub fn tow_as(&self, home: &str, vars: &[(&str, &str)], args: &[&str]) -> Said {
        fs::create_dir_all(self.path(home)).unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_tow"));
        command.args(args).current_dir(self.root()).stdin(Stdio::null());
        command.env("HOME", self.path(home)).env("NO_COLOR", "1").env_remove("XDG_STATE_HOME");
        let output = command.envs(vars.iter().copied()).output().unwrap();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let all = text(&output.stdout) + &text(&output.stderr);
        Said { code: output.status.code(), out: text(&output.stdout), all }
    }
}

impl Said {
    /// Ended with this code, and said all of `parts`, wherever lines were broken.
    #[track_caller]
    pub fn with(self, code: i32, parts: &[&str]) -> Said {
        assert_eq!(self.code, Some(code), "{}", self.all);
        let words = self.all.split_whitespace().collect::<Vec<_>>().join(" ");
        for part in parts {
            assert!(self.all.contains(part) || words.contains(part), "{part:?} is not in:\n{}", self.all);
        }
        self
    }

    pub fn json(&self) -> Vec<Json> {
        self.out.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }
}
