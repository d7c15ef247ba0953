//! Which runs of this machine still live: each locks a file of its own for as long as its process is there.

use std::fs::File;
use std::path::Path;
use std::time::Duration;

use crate::cli::state;
use crate::report::private::{private_file, private_folder};

/// Files of dead runs are kept this long: until then their locks on hosts can be known to be nobody's.
const KEPT: Duration = Duration::from_secs(30 * 24 * 3600);

/// Held while a run lives.
#[derive(Debug, Default)]
pub struct Alive {
    own: Option<File>,
    dead: Vec<String>,
}

impl Alive {
    /// Without a state folder nothing is known; then a dead run's lock is free after a while, by the host's clock.
    pub fn begin(run: &str) -> Alive {
        let folder = state::folder().map(|folder| folder.join("runs"));
        folder.and_then(|folder| Alive::within(&folder, run).ok()).unwrap_or_default()
    }

    fn within(folder: &Path, run: &str) -> std::io::Result<Alive> {
        private_folder(folder)?;
        let dead = dead(folder)?;
        let own = private_file(&folder.join(run))?;
        // Whoever looks which runs live has it for a moment.
        own.lock()?;
        Ok(Alive { own: Some(own), dead })
    }

    /// Runs of this machine that have ended.
    pub fn dead(&self) -> Vec<String> {
        self.dead.clone()
    }

    /// It has given back all that it held.
    pub fn end(self, run: &str) {
        drop(self.own);
        if let Some(folder) = state::folder() {
            let _ = std::fs::remove_file(folder.join("runs").join(run));
        }
    }
}

/// For whoever only looks.
pub fn ended() -> Vec<String> {
    state::folder().and_then(|folder| dead(&folder.join("runs")).ok()).unwrap_or_default()
}

fn dead(folder: &Path) -> std::io::Result<Vec<String>> {
    let mut dead = vec![];
    for entry in std::fs::read_dir(folder)?.flatten() {
        let is_dead = private_file(&entry.path()).is_ok_and(|file| file.try_lock().is_ok());
        let age = entry.metadata().and_then(|data| data.modified()).map(|time| time.elapsed());
        if is_dead && matches!(age, Ok(Ok(age)) if age > KEPT) {
            let _ = std::fs::remove_file(entry.path());
        } else if let (true, Ok(name)) = (is_dead, entry.file_name().into_string()) {
            dead.push(name);
        }
    }
    Ok(dead)
}

/// `user@machine`, for who is refused.
pub fn operator() -> String {
    let user = std::env::var("USER").or_else(|_| std::env::var("LOGNAME")).unwrap_or_else(|_| {
        let own = nix::unistd::User::from_uid(nix::unistd::getuid());
        own.ok().flatten().map_or_else(|| "somebody".to_owned(), |user| user.name)
    });
    let machine = nix::sys::utsname::uname().map(|name| name.nodename().to_string_lossy().into_owned());
    format!("{user}@{}", machine.unwrap_or_else(|_| "unknown".to_owned()))
}

#[cfg(test)]
mod tests {
    use super::Alive;

    #[test]
    fn a_run_that_lives_is_not_dead() {
        let folder = tempfile::tempdir().unwrap();
        let one = Alive::within(folder.path(), "one").unwrap();
        assert_eq!(Alive::within(folder.path(), "two").unwrap().dead(), Vec::<String>::new());
        drop(one);
        let mut dead = Alive::within(folder.path(), "three").unwrap().dead();
        dead.sort();
        assert_eq!(dead, ["one", "two"]);
    }
}
