//! Handlers that wait for the next run, kept in the user's state folder: a file for a playbook.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use crate::cli::state;
use crate::engine::Pending;
use crate::report::private::{private_file, private_folder};
use crate::words::content::Digest;
use crate::words::names::HostName;

type ByStage = BTreeMap<String, BTreeSet<String>>;

#[derive(Debug)]
pub struct PendingFile {
    path: PathBuf,
    hosts: Mutex<BTreeMap<String, ByStage>>,
}

impl PendingFile {
    /// Of the playbook and inventory at these places.
    pub fn of(playbook: &Path, inventory: Option<&Path>) -> Option<PendingFile> {
        let whole =
            |path: &Path| path.canonicalize().unwrap_or_else(|_| path.to_owned()).display().to_string();
        let name = format!("{}\n{}", whole(playbook), inventory.map(whole).unwrap_or_default());
        let folder = state::folder()?.join("pending");
        let path = folder.join(format!("{}.json", Digest::of(name.as_bytes()).short()));
        let hosts = read(&path);
        Some(PendingFile { path, hosts: Mutex::new(hosts) })
    }

    /// Others may be at it with other hosts of the same playbook: only this one's part is replaced.
    fn replace(&self, host: &HostName, pending: &ByStage) -> std::io::Result<()> {
        let folder = self.path.parent().unwrap_or(Path::new("."));
        private_folder(folder)?;
        // The file itself is replaced each time, and cannot be what is locked.
        let lock = private_file(&folder.join("lock"))?;
        lock.lock()?;
        let mut hosts = read(&self.path);
        if pending.is_empty() {
            hosts.remove(host.as_str());
        } else {
            hosts.insert(host.as_str().to_owned(), pending.clone());
        }
        if hosts.is_empty() {
            return match std::fs::remove_file(&self.path) {
                Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error),
                _ => Ok(()),
            };
        }
        let mut file = tempfile::NamedTempFile::new_in(folder)?;
        serde_json::to_writer(&mut file, &hosts)?;
        file.persist(&self.path).map(drop).map_err(|error| error.error)
    }
}

fn read(path: &Path) -> BTreeMap<String, ByStage> {
    std::fs::read(path).ok().and_then(|bytes| serde_json::from_slice(&bytes).ok()).unwrap_or_default()
}

impl Pending for PendingFile {
    fn load(&self, host: &HostName) -> ByStage {
        self.hosts.lock().ok().and_then(|hosts| hosts.get(host.as_str()).cloned()).unwrap_or_default()
    }

    fn store(&self, host: &HostName, pending: &ByStage) {
        let Ok(mut hosts) = self.hosts.lock() else { return };
        let before = hosts.get(host.as_str()).cloned().unwrap_or_default();
        if before == *pending {
            return;
        }
        if pending.is_empty() {
            hosts.remove(host.as_str());
        } else {
            hosts.insert(host.as_str().to_owned(), pending.clone());
        }
        // Without a state folder, the run's own report still names them.
        let _ = self.replace(host, pending);
    }
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};
    use std::sync::Mutex;

    use super::{ByStage, PendingFile, read};
    use crate::engine::Pending as _;
    use crate::words::names::HostName;

    #[test]
    fn two_runs_at_once_keep_the_hosts_of_both() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("x.json");
        let open = || PendingFile { path: path.clone(), hosts: Mutex::new(read(&path)) };
        let (one, two) = (open(), open());
        let (a, b) = (HostName::new("a").unwrap(), HostName::new("b").unwrap());
        let wanted: ByStage = BTreeMap::from([("s".to_owned(), BTreeSet::from(["reload".to_owned()]))]);
        one.store(&a, &wanted);
        two.store(&b, &wanted);
        assert_eq!((open().load(&a), open().load(&b)), (wanted.clone(), wanted.clone()));
        one.store(&a, &ByStage::new());
        assert_eq!((open().load(&a), open().load(&b)), (ByStage::new(), wanted));
        two.store(&b, &ByStage::new());
        assert!(!path.exists());
    }
}
