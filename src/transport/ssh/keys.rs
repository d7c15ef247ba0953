//! Private keys of the operator: read once, checked, and unlocked once for all hosts.

use std::collections::HashMap;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use russh::keys::{Certificate, PrivateKey, PublicKey, decode_secret_key};
use tokio::sync::Mutex;
use zeroize::Zeroizing;

use crate::transport::ssh::Ask;
use crate::words::error::{Error, Result};

/// A key file as found.
#[derive(Clone, Debug)]
pub enum Loaded {
    Ready(Arc<PrivateKey>),
    /// Encrypted; the public half where it is known without the passphrase.
    Locked(Option<Arc<PublicKey>>),
    /// Must not or cannot be used, and why.
    Unusable(Error),
    Missing,
}

/// Keys that were asked a passphrase for, by their files.
#[derive(Clone, Default)]
pub struct Unlocked(HashMap<PathBuf, Arc<PrivateKey>>);

impl std::fmt::Debug for Unlocked {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Unlocked({} keys)", self.0.len())
    }
}

/// Keys by their files; shared by all hosts.
pub struct Keyring {
    ask: Arc<dyn Ask>,
    /// Locked while a passphrase is asked for, so that it is asked for once.
    keys: Mutex<HashMap<PathBuf, Loaded>>,
}

impl std::fmt::Debug for Keyring {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Keyring")
    }
}

impl Keyring {
    pub fn new(ask: Arc<dyn Ask>) -> Keyring {
        Keyring { ask, keys: Mutex::default() }
    }

    /// Nobody is asked for these again.
    #[must_use]
    pub fn knowing(mut self, unlocked: &Unlocked) -> Keyring {
        let known = unlocked.0.iter().map(|(file, key)| (file.clone(), Loaded::Ready(Arc::clone(key))));
        self.keys.get_mut().extend(known);
        self
    }

    pub async fn unlocked(&self) -> Unlocked {
        let ready = |(file, loaded): (&PathBuf, &Loaded)| match loaded {
            Loaded::Ready(key) => Some((file.clone(), Arc::clone(key))),
            _ => None,
        };
        Unlocked(self.keys.lock().await.iter().filter_map(ready).collect())
    }

    pub async fn load(&self, file: &Path) -> Loaded {
        let mut keys = self.keys.lock().await;
        keys.entry(file.to_owned()).or_insert_with(|| read(file)).clone()
    }

    /// Asks for the passphrase of a locked key, three times at most.
    pub async fn unlock(&self, file: &Path) -> Result<Arc<PrivateKey>> {
        let mut keys = self.keys.lock().await;
        match keys.get(file) {
            Some(Loaded::Ready(key)) => return Ok(Arc::clone(key)),
            Some(Loaded::Unusable(error)) => return Err(error.clone()),
            _ => {}
        }
        let outcome = unlock(file.to_owned(), Arc::clone(&self.ask)).await;
        let loaded = match &outcome {
            Ok(key) => Loaded::Ready(Arc::clone(key)),
            Err(error) => Loaded::Unusable(error.clone()),
        };
        keys.insert(file.to_owned(), loaded);
        outcome
    }
}

/// One that the inventory names.
pub fn missing(file: &Path) -> Error {
    Error::config(format!("no private key {}", file.display()))
        .cause("there is no such file")
        .hint("`key` in the inventory names it")
}

fn read(file: &Path) -> Loaded {
    let shown = file.display();
    let unusable = |why: &dyn std::fmt::Display| {
        Loaded::Unusable(Error::config(format!("cannot use the private key {shown}")).cause(why))
    };
    let text = match std::fs::read_to_string(file) {
        Ok(text) => Zeroizing::new(text),
        Err(error) if error.kind() == ErrorKind::NotFound => return Loaded::Missing,
        Err(error) => return unusable(&error),
    };
    if let Ok(public) = PublicKey::from_openssh(text.trim()) {
        let why = format!("this is the public key ({})", public.algorithm());
        let error = Error::config(format!("cannot use the private key {shown}")).cause(why);
        let private = file.with_extension("");
        return Loaded::Unusable(error.hint(format!("name the private one, perhaps {}", private.display())));
    }
    if let Some(mode) = open_to_others(file) {
        let why = format!("its mode {mode:04o} lets others read it");
        let error = Error::config(format!("the private key {shown} is refused")).cause(why);
        return Loaded::Unusable(error.hint(format!("chmod 600 {shown}")));
    }
    match decode_secret_key(&text, None) {
        Ok(key) => Loaded::Ready(Arc::new(key)),
        Err(_) if is_locked(&text) => Loaded::Locked(public_half(file, &text).map(Arc::new)),
        Err(error) => unusable(&error),
    }
}

fn is_locked(text: &str) -> bool {
    PrivateKey::from_openssh(text).is_ok_and(|key| key.is_encrypted())
        || text.contains("Proc-Type: 4,ENCRYPTED")
        || text.contains("BEGIN ENCRYPTED PRIVATE KEY")
        || (text.starts_with("PuTTY-User-Key-File-") && !text.contains("Encryption: none"))
}

fn public_half(file: &Path, text: &str) -> Option<PublicKey> {
    let inside = PrivateKey::from_openssh(text).ok().map(|key| key.public_key().clone());
    inside.or_else(|| PublicKey::read_openssh_file(beside(file, ".pub")).ok())
}

#[cfg(unix)]
fn open_to_others(file: &Path) -> Option<u32> {
    use std::os::unix::fs::PermissionsExt as _;
    let mode = std::fs::metadata(file).ok()?.permissions().mode() & 0o7777;
    (mode & 0o077 != 0).then_some(mode)
}

#[cfg(not(unix))]
fn open_to_others(_: &Path) -> Option<u32> {
    None
}

async fn unlock(file: PathBuf, ask: Arc<dyn Ask>) -> Result<Arc<PrivateKey>> {
    let shown = file.clone();
    // bcrypt costs 150 ms, and a person takes longer still: neither belongs on an async worker.
    let work = tokio::task::spawn_blocking(move || {
        let text = Zeroizing::new(std::fs::read_to_string(&file).map_err(|error| error.to_string())?);
        for before in ["", "that was wrong; ", "that was wrong again; "] {
            let prompt = format!("{before}passphrase of {}", file.display());
            let Some(passphrase) = ask.secret(&prompt) else {
                return Err("it is encrypted, and there is no terminal to ask for its passphrase".to_owned());
            };
            if let Ok(key) = decode_secret_key(&text, Some(passphrase.reveal())) {
                return Ok(Arc::new(key));
            }
        }
        Err("the passphrase was wrong three times".to_owned())
    });
    let outcome = match work.await {
        Ok(outcome) => outcome,
        Err(panic) => Err(panic.to_string()),
    };
    outcome.map_err(|why| {
        Error::unreachable(format!("cannot unlock the private key {}", shown.display()))
            .cause(why)
            .hint(format!("`ssh-add {}` hands it to the agent once", shown.display()))
    })
}

/// The certificate that ssh would take with a key: `key-cert.pub`.
pub fn certificate_of(file: &Path) -> Option<Certificate> {
    Certificate::read_file(&beside(file, "-cert.pub")).ok()
}

fn beside(file: &Path, suffix: &str) -> PathBuf {
    let mut name = file.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}

#[cfg(test)]
mod tests {
    use super::{Loaded, read};

    #[test]
    fn a_public_key_in_place_of_the_private_one_is_recognised() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("id.pub");
        let key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA me\n";
        std::fs::write(&file, key).unwrap();
        let Loaded::Unusable(error) = read(&file) else { panic!("it was taken") };
        assert!(error.to_string().contains("this is the public key"), "{error}");
        assert!(error.hint.unwrap().ends_with("/id"));
    }
}
