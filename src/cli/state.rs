//! The user's state folder, which nobody else can enter, and who the user is.

use std::path::{Path, PathBuf};

/// `~/.local/state/towline` or what the system has for it.
pub fn folder() -> Option<PathBuf> {
    let dirs = directories::ProjectDirs::from("", "", "towline")?;
    Some(dirs.state_dir().unwrap_or_else(|| dirs.data_local_dir()).to_owned())
}

/// The account, and who became it by sudo.
pub fn who() -> String {
    let uid = nix::unistd::getuid();
    let account = nix::unistd::User::from_uid(uid).ok().flatten().map(|user| user.name);
    let account = account.unwrap_or_else(|| uid.to_string());
    match std::env::var("SUDO_USER") {
        Ok(before) if before != account && !before.is_empty() => format!("{before} as {account}"),
        _ => account,
    }
}

pub fn private_file(path: &Path) -> std::io::Result<std::fs::File> {
    use std::os::unix::fs::OpenOptionsExt as _;
    std::fs::OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(path)
}

pub fn private_folder(folder: &Path) -> std::io::Result<()> {
    use std::os::unix::fs::DirBuilderExt as _;
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)
}
