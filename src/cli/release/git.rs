//! Git on this machine: asks remotes, and looks into a repository without a checkout of it being touched.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use tempfile::TempDir;

use crate::task::releases::look::is_commit;

/// A remote that says nothing for so long is not there.
const PATIENCE: Duration = Duration::from_secs(300);

/// What git says; its complaint where it fails.
pub async fn git(args: &[&str]) -> Result<String, String> {
    let mut command = tokio::process::Command::new("git");
    // Nobody is there to answer a question.
    command.args(args).env("GIT_TERMINAL_PROMPT", "0").env("GIT_SSH_COMMAND", ssh().await);
    command.env("GIT_OPTIONAL_LOCKS", "0").stdin(Stdio::null()).kill_on_drop(true);
    let output = tokio::time::timeout(PATIENCE, command.output()).await;
    let output = output.map_err(|_| "git did not come to an end".to_owned())?;
    let output = output.map_err(|error| format!("cannot run git: {error}"))?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    Err(complaint(&String::from_utf8_lossy(&output.stderr)))
}

/// The operator's own ssh, by which git comes to a repository elsewhere, and no questions.
async fn ssh() -> &'static str {
    static SSH: tokio::sync::OnceCell<String> = tokio::sync::OnceCell::const_new();
    let find = || async {
        if let Ok(own) = std::env::var("GIT_SSH_COMMAND") {
            return quiet(&own);
        }
        let mut config = tokio::process::Command::new("git");
        config.args(["config", "--get", "core.sshCommand"]).stdin(Stdio::null());
        let said = config.output().await.map(|output| output.stdout).unwrap_or_default();
        quiet(String::from_utf8_lossy(&said).trim())
    };
    SSH.get_or_init(find).await
}

/// What else somebody has in its place may not know the option.
fn quiet(own: &str) -> String {
    let program = own.split_whitespace().next().unwrap_or("ssh");
    match program.rsplit('/').next() {
        Some("ssh") => format!("{} -oBatchMode=yes", if own.is_empty() { "ssh" } else { own }),
        _ => own.to_owned(),
    }
}

/// The last two lines that say something of this case: of ssh, why; of git, what came of it.
fn complaint(stderr: &str) -> String {
    let lines = stderr.lines().map(|line| line.trim().trim_start_matches("fatal: ").trim_end_matches('.'));
    let lines: Vec<&str> = lines.filter(|line| !line.is_empty() && !ALWAYS.contains(line)).collect();
    let told = lines[lines.len().saturating_sub(2)..].join("; ");
    if told.is_empty() { "git failed".to_owned() } else { told }
}

/// What git says of every repository that it cannot read.
const ALWAYS: [&str; 2] =
    ["Please make sure you have the correct access rights", "and the repository exists"];

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

#[cfg(test)]
mod tests {
    use super::{complaint, quiet};

    #[test]
    fn the_operators_own_ssh_is_used_and_asks_nothing() {
        assert_eq!(quiet(""), "ssh -oBatchMode=yes");
        assert_eq!(quiet("/usr/bin/ssh -i key"), "/usr/bin/ssh -i key -oBatchMode=yes");
        assert_eq!(quiet("plink -batch"), "plink -batch");
    }

    #[test]
    fn a_complaint_says_why() {
        let refused = "git@example.com: Permission denied (publickey).\nfatal: Could not read from remote repository.\n\n\
                       Please make sure you have the correct access rights\nand the repository exists.\n";
        assert_eq!(
            complaint(refused),
            "git@example.com: Permission denied (publickey); Could not read from remote repository"
        );
        assert_eq!(complaint("fatal: repository 'x' not found\n"), "repository 'x' not found");
        assert_eq!(complaint(""), "git failed");
    }
}
