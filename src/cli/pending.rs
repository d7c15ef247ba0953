//! Handlers that wait for the next run, kept in the user's state folder: a file for a playbook.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use crate::engine::Pending;
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
        let folder = state_folder()?.join("pending");
        let path = folder.join(format!("{}.json", Digest::of(name.as_bytes()).short()));
        let hosts = std::fs::read(&path)
            .ok()
            .and_then(|bytes| serde_json::from_slice(&bytes).ok())
            .unwrap_or_default();
        Some(PendingFile { path, hosts: Mutex::new(hosts) })
    }

    fn write(&self, hosts: &BTreeMap<String, ByStage>) -> std::io::Result<()> {
        if hosts.is_empty() {
            return match std::fs::remove_file(&self.path) {
                Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error),
                _ => Ok(()),
            };
        }
        let folder = self.path.parent().unwrap_or(Path::new("."));
        private_folder(folder)?;
        let mut file = tempfile::NamedTempFile::new_in(folder)?;
        serde_json::to_writer(&mut file, hosts)?;
        file.persist(&self.path).map(drop).map_err(|error| error.error)
    }
}

/// `~/.local/state/towline` or what the system has for it.
fn state_folder() -> Option<PathBuf> {
    let dirs = directories::ProjectDirs::from("", "", "towline")?;
    Some(dirs.state_dir().unwrap_or_else(|| dirs.data_local_dir()).to_owned())
}

fn private_folder(folder: &Path) -> std::io::Result<()> {
    use std::os::unix::fs::DirBuilderExt as _;
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)
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
        let _ = self.write(&hosts);
    }
}
