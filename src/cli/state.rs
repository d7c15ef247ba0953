//! The user's state folder, which nobody else can enter, and who the user is.

use std::path::PathBuf;

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
