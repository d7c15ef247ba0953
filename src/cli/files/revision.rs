//! Which state of a folder here this is: the commit, and a digest of what differs from it.

use std::fmt::Write as _;
use std::path::Path;

use crate::cli::files::git::git;
use crate::words::content::{Digest, Node, TreeEntry};

/// Folders that are no part of a source without git.
const ASIDE: [&str; 6] = [".git", "__pycache__", ".venv", "venv", "node_modules", "instance"];
/// What is for `tow` alone, and not sent: a change of it is no change of the application.
const OWN: [&str; 5] = ["inventory.toml", "playbooks", ".tow", "secrets.age", "secrets.recipients"];

pub fn of(folder: &Path, tree: impl Fn() -> Result<Vec<TreeEntry>, String>) -> Result<String, String> {
    let Ok(head) = git(folder, &["rev-parse", "HEAD"]) else { return Ok(digest(&tree()?)) };
    let head = String::from_utf8_lossy(&head).trim().to_owned();
    let own = OWN.map(|name| format!(":(exclude){name}"));
    let status = ["status", "--porcelain", "--", "."].into_iter();
    let status: Vec<&str> = status.chain(own.iter().map(String::as_str)).collect();
    if git(folder, &status).is_ok_and(|changed| changed.trim_ascii().is_empty()) {
        return Ok(head);
    }
    Ok(format!("{}-dirty-{}", short(&head), digest(&tree()?)))
}

/// For the name of a release.
pub fn short(revision: &str) -> String {
    let is_commit = revision.len() >= 40 && revision.chars().all(|c| c.is_ascii_hexdigit());
    revision.chars().take(if is_commit { 8 } else { usize::MAX }).collect()
}

fn digest(entries: &[TreeEntry]) -> String {
    let aside = |path: &str| {
        path.split('/').any(|part| ASIDE.contains(&part))
            || path.split('/').next().is_some_and(|first| OWN.contains(&first))
    };
    let mut text = String::new();
    for entry in entries.iter().filter(|entry| !aside(&entry.path)) {
        let what = match &entry.node {
            Node::Dir => String::new(),
            Node::Link { target } => target.clone(),
            Node::File { content, executable } => format!("{} {executable}", content.digest().short()),
        };
        let _ = writeln!(text, "{}\0{what}", entry.path);
    }
    Digest::of(text.as_bytes()).short().chars().take(8).collect()
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;
    use std::process::Command;

    use super::short;
    use crate::cli::files::DiskFiles;
    use crate::words::content::Files as _;

    fn git(folder: &Path, arguments: &[&str]) {
        let who = ["-c", "user.name=A", "-c", "user.email=a@example.com"];
        let status = Command::new("git").args(who).args(arguments).current_dir(folder).status();
        assert!(status.unwrap().success());
    }

    #[test]
    fn a_commit_alone_or_with_what_differs_from_it_or_what_is_there() {
        let root = tempfile::tempdir().unwrap();
        let revision = || DiskFiles::beside(&root.path().join("site.toml")).revision("app").unwrap();
        let app = root.path().join("app");
        fs::create_dir_all(app.join("playbooks")).unwrap();
        fs::write(app.join("main.py"), "1").unwrap();
        let plain = revision();
        assert_eq!((plain.len(), short(&plain).len()), (8, 8));
        fs::write(app.join("playbooks/site.toml"), "").unwrap();
        assert_eq!(revision(), plain, "what is for tow alone counts");

        git(&app, &["init", "-q"]);
        git(&app, &["add", "main.py"]);
        git(&app, &["commit", "-qm", "First"]);
        let commit = revision();
        assert_eq!((commit.len(), short(&commit)), (40, commit[..8].to_owned()));
        fs::write(app.join("main.py"), "2").unwrap();
        let dirty = revision();
        assert!(dirty.starts_with(&format!("{}-dirty-", &commit[..8])), "{dirty}");
        assert_eq!(short(&dirty), dirty);
    }
}
