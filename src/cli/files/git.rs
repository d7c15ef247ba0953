//! What git says of a folder of the operator's.

use std::collections::BTreeSet;
use std::io::ErrorKind;
use std::path::Path;
use std::process::{Command, Stdio};

/// Why git says nothing.
#[derive(Debug)]
pub enum Silence {
    /// This machine has none.
    Absent,
    Refused(String),
}

pub fn git(folder: &Path, arguments: &[&str]) -> Result<Vec<u8>, Silence> {
    let mut git = Command::new("git");
    git.arg("-C").arg(folder).args(arguments).stdin(Stdio::null()).env("GIT_OPTIONAL_LOCKS", "0");
    // A hook of git that calls `tow` would point it at the hook's own repository.
    git.env_remove("GIT_DIR").env_remove("GIT_WORK_TREE").env_remove("GIT_INDEX_FILE");
    let output = match git.output() {
        Err(error) if error.kind() == ErrorKind::NotFound => return Err(Silence::Absent),
        output => output.map_err(|error| Silence::Refused(error.to_string()))?,
    };
    if output.status.success() {
        return Ok(output.stdout);
    }
    let said = String::from_utf8_lossy(&output.stderr);
    let lines: Vec<&str> = said.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    Err(Silence::Refused(lines.join(" ")))
}

/// Paths below `folder`; nothing without git, or where `folder` is in no checkout.
pub fn ignored(folder: &Path) -> Result<BTreeSet<String>, String> {
    let failed = |why: &dyn std::fmt::Display| {
        format!("git does not say what it ignores in {}: {why}", folder.display())
    };
    let whole = folder.canonicalize().map_err(|error| failed(&error))?;
    if !whole.is_dir() || !whole.ancestors().any(|folder| folder.join(".git").exists()) {
        return Ok(BTreeSet::new());
    }
    let arguments = ["ls-files", "--others", "--ignored", "--exclude-standard", "--directory", "-z"];
    let listed = match git(&whole, &arguments) {
        Err(Silence::Absent) => return Ok(BTreeSet::new()),
        Err(Silence::Refused(why)) => return Err(failed(&why)),
        Ok(listed) => listed,
    };
    let listed = String::from_utf8_lossy(&listed);
    let paths: BTreeSet<String> = listed
        .split('\0')
        .map(|path| path.trim_end_matches('/').to_owned())
        .filter(|path| !path.is_empty())
        .collect();
    // A checkout further up that cares for nothing in here: the home folder of somebody who keeps settings in git.
    Ok(if paths.contains(".") { BTreeSet::new() } else { paths })
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;
    use std::process::Command;

    use super::ignored;

    fn checkout(rules: &str, files: &[&str]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        let git = Command::new("git").args(["init", "-q"]).current_dir(folder.path()).status();
        assert!(git.unwrap().success());
        fs::write(folder.path().join(".gitignore"), rules).unwrap();
        for file in files {
            let path = folder.path().join(file);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "x").unwrap();
        }
        folder
    }

    fn list(folder: &Path) -> Vec<String> {
        ignored(folder).unwrap().into_iter().collect()
    }

    #[test]
    fn by_paths_below_the_folder() {
        let files = [
            "app/main.py",
            "app/venv/lib/x",
            "app/a b*.log",
            "app/static/dist/x.js",
            "app/static/x.css",
            "top.log",
        ];
        let folder = checkout("venv/\n*.log\n/app/static/dist\n", &files);
        assert_eq!(list(folder.path()), ["app/a b*.log", "app/static/dist", "app/venv", "top.log"]);
        assert_eq!(list(&folder.path().join("app")), ["a b*.log", "static/dist", "venv"]);
    }

    #[test]
    fn what_is_tracked_is_not_ignored() {
        let folder = checkout("*.log\n", &["kept.log", "left.log"]);
        let add = Command::new("git").args(["add", "-f", "kept.log"]).current_dir(folder.path()).status();
        assert!(add.unwrap().success());
        assert_eq!(list(folder.path()), ["left.log"]);
    }

    #[test]
    fn nothing_outside_of_a_checkout_or_in_one_that_cares_for_nothing_here() {
        let folder = checkout("/own\n", &["own/main.py", "own/b.py"]);
        assert!(list(&folder.path().join("own")).is_empty());
        fs::remove_dir_all(folder.path().join(".git")).unwrap();
        assert!(list(folder.path()).is_empty());
        assert!(list(&folder.path().join("own/main.py")).is_empty());
    }

    #[test]
    fn a_checkout_that_git_refuses_is_told_of() {
        let folder = checkout("", &["main.py"]);
        fs::write(folder.path().join(".git/config"), "[core\n").unwrap();
        let why = ignored(folder.path()).unwrap_err();
        assert!(why.contains("git does not say what it ignores") && why.contains("config"), "{why}");
    }
}
