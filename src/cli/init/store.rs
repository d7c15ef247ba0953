//! Files that are written: all of them or none, and none over another's without a word.

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::{DirBuilderExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;

use crate::words::error::{Error, Result};

#[derive(Clone, Debug)]
pub struct Planned {
    /// Below the project's folder.
    pub path: String,
    pub text: String,
    /// For this user alone.
    pub private: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Was {
    Missing,
    Same,
    Different,
}

/// How each file is now.
pub fn look(project: &Path, planned: &[Planned]) -> Result<Vec<Was>> {
    planned.iter().map(|file| was(&project.join(&file.path), &file.text)).collect()
}

fn was(path: &Path, text: &str) -> Result<Was> {
    match fs::read(path) {
        Ok(bytes) if bytes == text.as_bytes() => Ok(Was::Same),
        Ok(_) => Ok(Was::Different),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Was::Missing),
        Err(error) => Err(Error::config(format!("cannot read {}", path.display())).cause(error)),
    }
}

/// What is there already, or nothing.
pub fn read(project: &Path, path: &str) -> Option<String> {
    fs::read_to_string(project.join(path)).ok()
}

/// Writes all. When one cannot be put in its place, those before it are as they were.
pub fn write(project: &Path, planned: &[Planned]) -> Result<()> {
    let mut made = vec![];
    let staged = stage(project, planned, &mut made);
    let done = staged.and_then(put_in_place);
    if done.is_err() {
        // Only those that are empty go.
        made.iter().rev().for_each(|folder| drop(fs::remove_dir(folder)));
    }
    done
}

/// Every file beside its place under another name: a full disk or a missing right is found here.
fn stage(
    project: &Path,
    planned: &[Planned],
    made: &mut Vec<PathBuf>,
) -> Result<Vec<(NamedTempFile, PathBuf)>> {
    let mut staged = vec![];
    for file in planned {
        let path = project.join(&file.path);
        let cannot = |error: std::io::Error| {
            Error::failed(format!("cannot write {}", path.display())).cause(error).hint("nothing was written")
        };
        let folder = path.parent().unwrap_or(project);
        make_folders(folder, file.private, made).map_err(cannot)?;
        let bits = if file.private { 0o600 } else { 0o644 };
        let mut builder = tempfile::Builder::new();
        let builder = builder.prefix(".tow-").permissions(fs::Permissions::from_mode(bits));
        let mut temporary = builder.tempfile_in(folder).map_err(cannot)?;
        temporary.write_all(file.text.as_bytes()).map_err(cannot)?;
        temporary.as_file().sync_all().map_err(cannot)?;
        staged.push((temporary, path));
    }
    Ok(staged)
}

fn make_folders(folder: &Path, private: bool, made: &mut Vec<PathBuf>) -> std::io::Result<()> {
    let missing: Vec<&Path> = folder.ancestors().take_while(|above| !above.exists()).collect();
    for folder in missing.into_iter().rev() {
        fs::DirBuilder::new().mode(if private { 0o700 } else { 0o755 }).create(folder)?;
        made.push(folder.to_owned());
    }
    Ok(())
}

fn put_in_place(staged: Vec<(NamedTempFile, PathBuf)>) -> Result<()> {
    let mut done: Vec<(PathBuf, Option<Vec<u8>>)> = vec![];
    for (temporary, path) in staged {
        let before = fs::read(&path).ok();
        if let Err(error) = temporary.persist(&path) {
            done.iter().rev().for_each(|(path, before)| restore(path, before.as_deref()));
            return Err(Error::failed(format!("cannot write {}", path.display()))
                .cause(error.error)
                .hint("everything is as it was before"));
        }
        done.push((path, before));
    }
    Ok(())
}

fn restore(path: &Path, before: Option<&[u8]>) {
    let _ = match before {
        Some(bytes) => fs::write(path, bytes),
        None => fs::remove_file(path),
    };
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::{Planned, Was, look, write};

    fn file(path: &str, text: &str) -> Planned {
        Planned { path: path.to_owned(), text: text.to_owned(), private: path.starts_with('.') }
    }

    #[test]
    fn all_of_them_or_none() {
        let folder = tempfile::tempdir().unwrap();
        let at = |path: &str| folder.path().join(path);
        std::fs::write(at("old"), "before").unwrap();
        // A folder in the place of the last file.
        std::fs::create_dir_all(at("z/taken")).unwrap();
        let planned = [file("old", "after"), file("new/one", "1"), file("z/taken", "2")];
        assert!(write(folder.path(), &planned).is_err());
        assert_eq!(std::fs::read_to_string(at("old")).unwrap(), "before");
        assert!(!at("new").exists());
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 2);
    }

    #[test]
    fn what_is_private_is_for_this_user_alone() {
        let folder = tempfile::tempdir().unwrap();
        let planned = [file(".tow/key", "k"), file("inventory.toml", "i")];
        assert_eq!(look(folder.path(), &planned).unwrap(), [Was::Missing, Was::Missing]);
        write(folder.path(), &planned).unwrap();
        let mode = |path: &str| folder.path().join(path).metadata().unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(".tow"), mode(".tow/key"), mode("inventory.toml")), (0o700, 0o600, 0o644));
        assert_eq!(look(folder.path(), &planned).unwrap(), [Was::Same, Was::Same]);
    }
}
