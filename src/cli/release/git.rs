//! Git on this machine: asks remotes, and looks into a repository without a checkout of it being touched.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use tempfile::TempDir;

use crate::task::releases::look::is_commit;

/// A remote that says nothing for so long is not there.
const PATIENCE: Duration = Duration::from_secs(300);

/// What git says; the last line of its complaint where it fails.
pub async fn git(args: &[&str]) -> Result<String, String> {
    let mut command = tokio::process::Command::new("git");
    // Nobody is there to answer a question.
    command.args(args).env("GIT_TERMINAL_PROMPT", "0").env("GIT_SSH_COMMAND", "ssh -oBatchMode=yes");
    command.env("GIT_OPTIONAL_LOCKS", "0").stdin(Stdio::null()).kill_on_drop(true);
    let output = tokio::time::timeout(PATIENCE, command.output()).await;
    let output = output.map_err(|_| "git did not come to an end".to_owned())?;
    let output = output.map_err(|error| format!("cannot run git: {error}"))?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    Err(String::from_utf8_lossy(&output.stderr).trim().lines().last().unwrap_or("git failed").to_owned())
}

/// Commits to compare.
#[derive(Debug)]
pub struct Repo {
    folder: PathBuf,
    /// A clone goes when nobody looks any more.
    _clone: Option<TempDir>,
}

impl Repo {
    /// The checkout that is the source itself, or holds it.
    pub fn here(folder: &Path) -> Repo {
        Repo { folder: folder.to_owned(), _clone: None }
    }

    /// A clone of its own: all commits, and of the files only what is looked at later.
    pub async fn clone(url: &str) -> Result<Repo, String> {
        let temporary = tempfile::tempdir().map_err(|error| error.to_string())?;
        let folder = temporary.path().display().to_string();
        git(&["clone", "--quiet", "--bare", "--filter=blob:none", "--", url, &folder]).await?;
        Ok(Repo { folder: temporary.path().to_owned(), _clone: Some(temporary) })
    }

    pub async fn git(&self, args: &[&str]) -> Result<String, String> {
        let folder = self.folder.display().to_string();
        git(&[&["-C", &folder], args].concat()).await
    }

    /// The whole name of a commit that it has.
    pub async fn commit(&self, name: &str) -> Result<String, String> {
        let unknown = || format!("{name} is not among its commits");
        if !is_commit(name) {
            return Err(unknown());
        }
        let found = self.git(&["rev-parse", "--verify", "--quiet", &format!("{name}^{{commit}}")]).await;
        found.map(|found| found.trim().to_owned()).map_err(|_| unknown())
    }

    /// How many commits of `to` are not in `from`.
    pub async fn count(&self, from: &str, to: &str) -> Result<usize, String> {
        let counted = self.git(&["rev-list", "--count", &format!("{from}..{to}"), "--"]).await?;
        counted.trim().parse().map_err(|_| "git did not count".to_owned())
    }

    /// A file of the folder as it is now; nothing where it cannot be read.
    pub fn read(&self, path: &str) -> String {
        std::fs::read_to_string(self.folder.join(path)).unwrap_or_default()
    }
}
