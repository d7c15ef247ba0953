//! The files of the demo, inside the binary: its playbook, and the application that it deploys.

use std::path::Path;

use sha2::{Digest as _, Sha256};

use crate::words::error::{Error, Result};

pub const PLAYBOOK: &str = include_str!("../../../playbooks/demo.toml");

/// Lists the files once; a test holds the list against the folder.
macro_rules! application {
    ($($path:literal),* $(,)?) => {
        const APPLICATION: &[(&str, &[u8])] =
            &[$(($path, include_bytes!(concat!("../../../examples/pythonweb/", $path)))),*];
    };
}

application![
    ".env.example",
    ".gitignore",
    "README.md",
    "app/__init__.py",
    "app/api.py",
    "app/auth.py",
    "app/config.py",
    "app/extensions.py",
    "app/forms.py",
    "app/health.py",
    "app/models.py",
    "app/pages.py",
    "app/static/style.css",
    "app/templates/base.html",
    "app/templates/dashboard.html",
    "app/templates/error.html",
    "app/templates/form.html",
    "app/templates/index.html",
    "app/templates/login.html",
    "app/templates/register.html",
    "gunicorn.conf.py",
    "migrations/alembic.ini",
    "migrations/env.py",
    "migrations/script.py.mako",
    "migrations/versions/3f1c9a52d7e4_users_and_posts.py",
    "migrations/versions/b86e04f7c215_api_tokens.py",
    "pytest.ini",
    "requirements-dev.txt",
    "requirements-postgres.txt",
    "requirements.txt",
    "tests/__init__.py",
    "tests/conftest.py",
    "tests/test_accounts.py",
    "tests/test_api.py",
    "tests/test_operations.py",
    "wsgi.py",
];

/// Writes the application into `folder`, which must not exist yet.
pub fn write_application(folder: &Path) -> Result<()> {
    for (name, bytes) in APPLICATION {
        let path = folder.join(name);
        if let Some(parent) = path.parent() {
            std::fs::create_dir_all(parent).map_err(|error| cannot_write(parent, error))?;
        }
        std::fs::write(&path, bytes).map_err(|error| cannot_write(&path, error))?;
    }
    Ok(())
}

/// What `/healthz` says which release answers: changes when any file does.
pub fn revision() -> String {
    let mut hasher = Sha256::new();
    for (name, bytes) in APPLICATION {
        hasher.update(name.as_bytes());
        hasher.update((bytes.len() as u64).to_be_bytes());
        hasher.update(bytes);
    }
    crate::words::content::Digest::finish(hasher).short().to_owned()
}

pub fn cannot_write(path: &Path, error: std::io::Error) -> Error {
    Error::failed(format!("cannot write {}", path.display())).cause(error)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::path::Path;
    use std::process::Command;

    use super::{APPLICATION, write_application};

    /// What is in the folder and is no by-product of running it there.
    fn files(root: &Path, folder: &Path, found: &mut BTreeSet<String>) {
        let by_products = ["__pycache__", ".pytest_cache", "instance", "venv", ".env"];
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if by_products.iter().any(|name| path.ends_with(name)) {
                continue;
            }
            if path.is_dir() {
                files(root, &path, found);
            } else {
                found.insert(path.strip_prefix(root).unwrap().to_str().unwrap().to_owned());
            }
        }
    }

    #[test]
    fn every_file_of_the_application_is_inside() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/pythonweb");
        let mut there = BTreeSet::new();
        files(&root, &root, &mut there);
        let inside: BTreeSet<String> = APPLICATION.iter().map(|(name, _)| (*name).to_owned()).collect();
        assert_eq!(inside, there);
    }

    #[test]
    fn what_is_written_is_the_application() {
        let folder = tempfile::tempdir().unwrap();
        let (copy, root) = (folder.path().join("app"), Path::new(env!("CARGO_MANIFEST_DIR")));
        write_application(&copy).unwrap();
        let mut diff = Command::new("diff");
        diff.args(["-r", "-x", "__pycache__", "-x", ".pytest_cache"]);
        let output = diff.arg(&copy).arg(root.join("examples/pythonweb")).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
    }
}
