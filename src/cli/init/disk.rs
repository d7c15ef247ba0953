//! The application's files as they are on this machine, or in a clone that is gone afterwards.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use tempfile::TempDir;

use crate::cli::init::detect::is_list;
use crate::cli::init::tree::{Tree, file_name, join};
use crate::words::error::{Error, Result};

/// More than any application has of its own; a folder with that much else is not read to its end.
const MOST_FILES: usize = 20_000;
const LARGEST: u64 = 512 << 10;
const DEEPEST: usize = 8;
/// What tools put there, besides everything that begins with a dot.
const NOT_READ: [&str; 8] =
    ["node_modules", "venv", "env", "__pycache__", "site-packages", "staticfiles", "htmlcov", "target"];

/// Where the application's files are.
pub struct Checkout {
    pub folder: PathBuf,
    /// Branch of a clone that nobody named.
    pub branch: Option<String>,
    _clone: Option<TempDir>,
}

impl Checkout {
    /// This folder, or a clone of `repo`.
    pub fn open(repo: Option<&str>, reference: Option<&str>) -> Result<Checkout> {
        let Some(repo) = repo else {
            let folder = std::env::current_dir();
            let folder =
                folder.map_err(|error| Error::config("cannot tell in which folder this is").cause(error))?;
            return Ok(Checkout { folder, branch: None, _clone: None });
        };
        if has_password(repo) {
            return Err(Error::config("the address of the repository has a password in it")
                .cause("it would stand in inventory.toml and in the server's list of processes")
                .hint("name it without, and give the server a deploy key: `key` in inventory.toml"));
        }
        let cannot = |cause: String| Error::config(format!("cannot clone {repo}")).cause(cause);
        let clone = tempfile::Builder::new().prefix("tow-init-").tempdir();
        let clone = clone.map_err(|error| cannot(error.to_string()))?;
        let mut git = Command::new("git");
        git.args(["clone", "--quiet", "--depth", "1"]);
        if let Some(reference) = reference {
            git.arg(format!("--branch={reference}"));
        }
        let output = git.arg("--").arg(repo).arg(clone.path()).stdin(Stdio::null()).output();
        let output = output.map_err(|error| {
            cannot(format!("git does not start: {error}"))
                .hint("install git, or run `tow init` in a checkout")
        })?;
        if !output.status.success() {
            let said = String::from_utf8_lossy(&output.stderr).lines().map(str::to_owned).collect();
            return Err(cannot("git says no".to_owned())
                .output(said)
                .hint("try `git clone` by hand, or run `tow init` in a checkout"));
        }
        let head =
            Command::new("git").arg("-C").arg(clone.path()).args(["branch", "--show-current"]).output();
        let branch = head.ok().map(|head| String::from_utf8_lossy(&head.stdout).trim().to_owned());
        Ok(Checkout {
            folder: clone.path().to_owned(),
            branch: branch.filter(|name| !name.is_empty()),
            _clone: Some(clone),
        })
    }

    pub fn read(&self) -> Result<Tree> {
        let mut tree = Tree::default();
        if let Some(lock) = lock_above(&self.folder) {
            tree.set_lock_above(lock);
        }
        let mut left = MOST_FILES;
        walk(&self.folder, "", &mut tree, &mut left)
            .map_err(|error| Error::config(format!("cannot read {}", self.folder.display())).cause(error))?;
        Ok(tree)
    }
}

fn walk(folder: &Path, below: &str, tree: &mut Tree, left: &mut usize) -> std::io::Result<()> {
    let mut entries: Vec<_> = fs::read_dir(folder)?.collect::<std::io::Result<_>>()?;
    entries.sort_by_key(fs::DirEntry::file_name);
    for entry in entries {
        let name = entry.file_name().to_string_lossy().into_owned();
        if *left == 0 {
            return Ok(());
        }
        *left -= 1;
        let (path, kind) = (join(below, &name), entry.file_type()?);
        if kind.is_dir() {
            let own = !name.starts_with('.')
                && !NOT_READ.contains(&name.as_str())
                && !entry.path().join("pyvenv.cfg").exists();
            if own && path.matches('/').count() < DEEPEST {
                tree.add_folder(&path);
                // One folder that may not be read hides no other.
                let _ = walk(&entry.path(), &path, tree, left);
            } else {
                tree.add_unread(&path);
            }
        } else if kind.is_file() && is_read(&path) {
            let small = entry.metadata()?.len() <= LARGEST || name == "uv.lock";
            let bytes = if small { fs::read(entry.path()).unwrap_or_default() } else { vec![] };
            tree.add(&path, String::from_utf8_lossy(&bytes).replace("\r\n", "\n"));
        } else {
            tree.add_unread(&path);
        }
    }
    Ok(())
}

/// The lock file of a workspace of uv that the folder is in, up to the top of the repository.
fn lock_above(folder: &Path) -> Option<String> {
    let inside = folder.ancestors().take_while(|folder| !folder.join(".git").exists()).count();
    let above = folder.ancestors().enumerate().skip(1).take(inside.min(3));
    above.into_iter().find_map(|(up, above)| {
        let project = fs::read_to_string(above.join("pyproject.toml")).ok()?;
        let is_root = project.contains("[tool.uv.workspace]") && above.join("uv.lock").exists();
        is_root.then(|| format!("{}uv.lock", "../".repeat(up)))
    })
}

/// `https://name:password@host/…`, or a token in the place of the name.
fn has_password(repo: &str) -> bool {
    let Some((scheme, rest)) = repo.split_once("://") else { return false };
    let user = rest.split('/').next().and_then(|host| host.rsplit_once('@')).map(|(user, _)| user);
    user.is_some_and(|user| user.contains(':') || scheme.starts_with("http"))
}

/// Files that detection asks for.
fn is_read(path: &str) -> bool {
    let name = file_name(path);
    let ending = name.rsplit_once('.').map_or("", |(_, ending)| ending);
    let listed = ending == "txt" && path.contains("requirements");
    let example = name.contains("env") && ["example", "sample", "template"].contains(&ending);
    let known = ["Procfile", "alembic.ini", "poetry.lock", "pdm.lock", "Dockerfile"].contains(&name)
        || [".python-version", "runtime.txt", "package.json"].contains(&name);
    ending == "py" || listed || example || known || is_list(path)
}

/// A port on this machine that nobody listens on.
pub fn free_port() -> u16 {
    let free = |port: &u16| std::net::TcpListener::bind(("127.0.0.1", *port)).is_ok();
    (8000..8100).find(free).unwrap_or(8000)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::Checkout;

    #[test]
    fn all_names_are_known() {
        let folder = tempfile::tempdir().unwrap();
        for path in ["models/a.bin", "node_modules/a.js", "data/.gitkeep", "app.py"] {
            let file = folder.path().join(path);
            fs::create_dir_all(file.parent().unwrap()).unwrap();
            fs::write(file, "x").unwrap();
        }
        let checkout = Checkout { folder: folder.path().to_owned(), branch: None, _clone: None };
        let tree = checkout.read().unwrap();
        let names: Vec<&str> = tree.names().collect();
        assert_eq!(names, ["app.py", "data/.gitkeep", "models/a.bin", "node_modules"]);
        assert_eq!(tree.files().count(), 1);
    }
}
