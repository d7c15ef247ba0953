//! The secrets in the operator's editor: in a folder of their own, in memory where the system has such a place, and
//! gone afterwards, however that comes.

use std::io::Write as _;
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tempfile::TempDir;
use tokio::process::{Child, Command};
use zeroize::Zeroizing;

use crate::cli::stop;
use crate::words::error::{Error, Kind, Result};

/// What has to be removed when the process is ended at once.
static OPEN: Mutex<Option<PathBuf>> = Mutex::new(None);

/// A file for the editor. Dropping it removes it, and whatever the editor left beside it.
pub struct Draft {
    _folder: TempDir,
    file: PathBuf,
}

impl Draft {
    pub fn new(text: &str) -> Result<Draft> {
        let cannot = |error| Error::failed("cannot make a private file for the editor").cause(error);
        let folder = private_folder().map_err(cannot)?;
        *OPEN.lock().unwrap_or_else(PoisonError::into_inner) = Some(folder.path().to_owned());
        let file = folder.path().join("secrets.toml");
        let draft = Draft { _folder: folder, file };
        let open = std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&draft.file);
        open.and_then(|mut file| file.write_all(text.as_bytes())).map_err(cannot)?;
        Ok(draft)
    }

    /// Opens it in the editor and waits for its end; returns what is there then.
    pub async fn edit(&self) -> Result<Zeroizing<String>> {
        let mut named = ["VISUAL", "EDITOR"].iter().filter_map(|name| std::env::var(name).ok());
        let editor = named.find(|editor| !editor.trim().is_empty()).unwrap_or_else(|| "vi".to_owned());
        let failed = |why: &dyn std::fmt::Display| {
            Error::failed(format!("the editor `{editor}` did not work"))
                .cause(why)
                .hint("nothing was changed; VISUAL or EDITOR names another one")
        };
        // An editor may have arguments ("code --wait"), so a shell reads it, as git does.
        let mut command = Command::new("sh");
        command.arg("-c").arg(format!("exec {editor} \"$1\"")).arg("sh").arg(&self.file);
        let mut child = command.spawn().map_err(|error| failed(&error))?;
        let mut stopped = stop::listen();
        tokio::select! {
            ended = child.wait() => {
                let status = ended.map_err(|error| failed(&error))?;
                if !status.success() {
                    return Err(failed(&status));
                }
            }
            _ = stopped.wait_for(|stop| *stop) => {
                end(&mut child).await;
                return Err(Error::new(Kind::Interrupted, "interrupted: nothing was changed"));
            }
        }
        std::fs::read_to_string(&self.file).map(Zeroizing::new).map_err(|error| failed(&error))
    }
}

impl Drop for Draft {
    fn drop(&mut self) {
        clear();
    }
}

/// Removes what is open in the editor; the process is about to end.
pub fn clear() {
    if let Some(folder) = OPEN.lock().unwrap_or_else(PoisonError::into_inner).take() {
        let _ = std::fs::remove_dir_all(folder);
    }
}

/// First politely: it may have the terminal in a mode of its own.
async fn end(child: &mut Child) {
    if let Some(pid) = child.id().and_then(|id| i32::try_from(id).ok()) {
        let _ = kill(Pid::from_raw(pid), Signal::SIGTERM);
    }
    if tokio::time::timeout(Duration::from_secs(2), child.wait()).await.is_err() {
        let _ = child.kill().await;
    }
}

/// Rather in memory than on a disk, which remembers what was deleted.
fn private_folder() -> std::io::Result<TempDir> {
    let runtime = std::env::var_os("XDG_RUNTIME_DIR").map(PathBuf::from);
    let places = runtime.into_iter().chain([PathBuf::from("/dev/shm"), std::env::temp_dir()]);
    let mut last = std::io::Error::other("there is no folder for temporary files");
    for place in places.filter(|place: &PathBuf| Path::is_absolute(place) && place.is_dir()) {
        let private = std::fs::Permissions::from_mode(0o700);
        match tempfile::Builder::new().prefix("tow-secrets-").permissions(private).tempdir_in(place) {
            Ok(folder) => return Ok(folder),
            Err(error) => last = error,
        }
    }
    Err(last)
}
