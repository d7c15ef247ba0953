//! What lies between what serves and what would be deployed: commits, migrations, dependencies.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::cli::release::git::Repo;
use crate::cli::release::pending::{Served, ends};
use crate::cli::release::revision::Revision;

/// So many commits, and lines of a file, are told one by one.
const TOLD: usize = 20;

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Changes {
    /// The newest first.
    pub commits: Vec<String>,
    /// Those that only what serves has: they are taken back.
    pub taken_back: Vec<String>,
    /// `+`, `~` or `-`, and the file.
    pub migrations: Vec<String>,
    /// By file.
    pub dependencies: BTreeMap<String, Vec<String>>,
    /// There are changes that nobody has committed.
    pub uncommitted: bool,
}

/// Where to look for differences.
struct Range<'a> {
    repo: &'a Repo,
    from: String,
    /// The files as they are in the folder, where changes are not committed.
    to: Option<String>,
    /// The folder of the source within the repository: empty, or with a slash at its end.
    prefix: String,
}

pub async fn between(repo: &Repo, served: &Served, target: &Revision) -> Result<Changes, String> {
    let (from, to) = ends(served, target)?;
    let (from, to) = (repo.commit(&from).await?, repo.commit(&to).await?);
    let uncommitted = target.whole.contains("-dirty-");
    let mut changes = Changes {
        commits: commits(repo, &from, &to).await?,
        taken_back: commits(repo, &to, &from).await?,
        uncommitted,
        ..Changes::default()
    };
    let prefix = repo.git(&["rev-parse", "--show-prefix"]).await.unwrap_or_default().trim().to_owned();
    let range = Range { repo, from, to: (!uncommitted).then_some(to), prefix };
    for (sign, path) in range.files().await? {
        let shown = path.strip_prefix(&range.prefix).unwrap_or(&path).to_owned();
        if is_migration(&shown) {
            changes.migrations.push(format!("{sign} {shown}"));
        }
        if is_locked(&shown) {
            let (old, new) = (range.before(&path).await, range.after(&path).await);
            changes.dependencies.insert(shown, bounded(versions(&old, &new)));
        } else if is_list(&shown) {
            let diff = range.diff(&path).await?;
            changes.dependencies.insert(shown, bounded(lines(&diff)));
        }
    }
    changes.dependencies.retain(|_, lines| !lines.is_empty());
    changes.migrations = bounded(changes.migrations);
    Ok(changes)
}

async fn commits(repo: &Repo, from: &str, to: &str) -> Result<Vec<String>, String> {
    let (most, range) = (format!("-{TOLD}"), format!("{from}..{to}"));
    let format = "--format=%h %s (%an)";
    let told = repo.git(&["log", "--no-show-signature", "--no-color", &most, format, &range, "--"]).await?;
    let mut told: Vec<String> = told.lines().map(str::to_owned).collect();
    let all = repo.count(from, to).await?;
    if all > told.len() {
        told.push(format!("and {} more", all - told.len()));
    }
    Ok(told)
}

impl Range<'_> {
    async fn git(&self, options: &[&str], path: &str) -> Result<String, String> {
        let mut args = vec!["diff", "--no-color", "--no-ext-diff", "--no-textconv", "--no-renames"];
        args.extend(options);
        args.push(&self.from);
        args.extend(self.to.as_deref());
        args.extend(["--", path]);
        self.repo.git(&args).await
    }

    /// What differs below the folder of the source, with a sign each.
    async fn files(&self) -> Result<Vec<(char, String)>, String> {
        let mut files = statuses(&self.git(&["--name-status", "-z"], ".").await?);
        if self.to.is_none() {
            let new = ["ls-files", "--others", "--exclude-standard", "--full-name", "-z", "--", "."];
            let new = self.repo.git(&new).await?;
            files.extend(new.split_terminator('\0').map(|path| ('+', path.to_owned())));
        }
        Ok(files)
    }

    async fn diff(&self, path: &str) -> Result<String, String> {
        self.git(&["-U0"], &format!(":(top,literal){path}")).await
    }

    async fn before(&self, path: &str) -> String {
        self.repo.git(&["show", &format!("{}:{path}", self.from)]).await.unwrap_or_default()
    }

    async fn after(&self, path: &str) -> String {
        match &self.to {
            Some(to) => self.repo.git(&["show", &format!("{to}:{path}")]).await.unwrap_or_default(),
            None => self.repo.read(path.strip_prefix(&self.prefix).unwrap_or(path)),
        }
    }
}

/// `M\0a\0A\0b\0`, as `git diff --name-status -z` says it.
fn statuses(text: &str) -> Vec<(char, String)> {
    let mut words = text.split_terminator('\0');
    let mut files = vec![];
    while let (Some(status), Some(path)) = (words.next(), words.next()) {
        let sign = match status {
            "A" => '+',
            "D" => '-',
            _ => '~',
        };
        files.push((sign, path.to_owned()));
    }
    files
}

/// Of Django, Flask-Migrate or Alembic.
fn is_migration(path: &str) -> bool {
    let (folder, name) = path.rsplit_once('/').unwrap_or(("", path));
    let inside = folder.split('/').any(|part| part == "migrations") || folder.ends_with("alembic/versions");
    inside && name != "__init__.py" && [".py", ".sql"].iter().any(|end| name.ends_with(end))
}

fn is_locked(path: &str) -> bool {
    path.rsplit('/').next() == Some("uv.lock")
}

fn is_list(path: &str) -> bool {
    let name = path.rsplit('/').next().unwrap_or(path);
    let list = name.strip_suffix(".txt").is_some_and(|name| name.starts_with("requirements"));
    list || name == "pyproject.toml"
}

/// The lines that a diff adds and removes, without those that say nothing: blanks, comments, digests.
fn lines(diff: &str) -> Vec<String> {
    let body = diff.lines().skip_while(|line| !line.starts_with("@@"));
    let said = body.filter_map(|line| {
        let (sign, rest) = line.split_at_checked(1)?;
        let rest = rest.trim().trim_end_matches('\\').trim_end();
        let empty = rest.is_empty() || rest.starts_with('#') || rest.starts_with("--hash");
        (["+", "-"].contains(&sign) && !empty).then(|| format!("{sign} {rest}"))
    });
    said.collect()
}

#[derive(Default, Deserialize)]
struct Lock {
    #[serde(default)]
    package: Vec<Package>,
}

#[derive(Deserialize)]
struct Package {
    name: String,
    #[serde(default)]
    version: String,
}

/// How the packages of `uv.lock` differ.
fn versions(old: &str, new: &str) -> Vec<String> {
    let read = |text: &str| -> BTreeMap<String, String> {
        let lock: Lock = toml::from_str(text).unwrap_or_default();
        lock.package.into_iter().map(|package| (package.name, package.version)).collect()
    };
    let (old, new) = (read(old), read(new));
    let mut said = vec![];
    for (name, version) in &new {
        match old.get(name) {
            None => said.push(format!("+ {name} {version}")),
            Some(before) if before != version => said.push(format!("~ {name} {before} to {version}")),
            Some(_) => {}
        }
    }
    let gone = old.iter().filter(|(name, _)| !new.contains_key(*name));
    said.extend(gone.map(|(name, version)| format!("- {name} {version}")));
    said
}

fn bounded(mut lines: Vec<String>) -> Vec<String> {
    if lines.len() > TOLD {
        let more = lines.len() - TOLD;
        lines.truncate(TOLD);
        lines.push(format!("and {more} more"));
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::{bounded, is_list, is_migration, lines, statuses, versions};

    #[test]
    fn migrations_and_lists_are_known_by_their_places() {
        for path in [
            "migrations/versions/1a_x.py",
            "shop/migrations/0002_y.py",
            "alembic/versions/a.py",
            "migrations/1.sql",
        ] {
            assert!(is_migration(path), "{path}");
        }
        for path in
            ["shop/migrations/__init__.py", "docs/migrations.py", "migrations/README", "app/versions/a.py"]
        {
            assert!(!is_migration(path), "{path}");
        }
        for (path, list) in [
            ("requirements.txt", true),
            ("a/requirements-dev.txt", true),
            ("pyproject.toml", true),
            ("requirements.in", false),
        ] {
            assert_eq!(is_list(path), list, "{path}");
        }
    }

    #[test]
    fn what_git_says_is_read() {
        assert_eq!(
            statuses("M\0a b\0A\0c\nd\0D\0e\0"),
            [('~', "a b".to_owned()), ('+', "c\nd".to_owned()), ('-', "e".to_owned())]
        );
        let diff = "diff --git a/r b/r\n--- a/r\n+++ b/r\n@@ -1,2 +1,3 @@\n-Django==5.0 \\\n-    --hash=sha256:0 \n+Django==5.1\n+# why\n+\n";
        assert_eq!(lines(diff), ["- Django==5.0", "+ Django==5.1"]);
        assert!(lines("").is_empty());
    }

    #[test]
    fn a_lock_is_compared_by_versions() {
        let old = "[[package]]\nname = \"a\"\nversion = \"1\"\n[[package]]\nname = \"b\"\nversion = \"1\"\n";
        let new = "[[package]]\nname = \"a\"\nversion = \"2\"\n[[package]]\nname = \"c\"\nversion = \"1\"\n";
        assert_eq!(versions(old, new), ["~ a 1 to 2", "+ c 1", "- b 1"]);
        assert_eq!(versions("no toml [", ""), Vec::<String>::new());
    }

    #[test]
    fn long_lists_end() {
        let many = bounded(vec!["x".to_owned(); 25]);
        assert_eq!((many.len(), many[20].as_str()), (21, "and 5 more"));
    }
}
