//! Private keys that may open the secrets file: of the environment, or else the operator's own SSH keys.

use std::path::{Path, PathBuf};

use age::Identity;
use russh::keys::ssh_key::LineEnding;
use russh::keys::{PrivateKey, PublicKey, decode_secret_key};
use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

use crate::transport::{Keyring, Loaded};
use crate::words::error::{Error, Result};
use crate::words::plural::list;
use crate::words::secret::base64;

/// A key itself, as CI systems hand it over.
pub const KEY: &str = "TOW_AGE_KEY";
/// A file with one.
pub const KEY_FILE: &str = "TOW_AGE_KEY_FILE";

/// Keys that can be tried, and those that would first ask for a passphrase.
#[derive(Default)]
pub struct Keys {
    pub ready: Vec<Box<dyn Identity>>,
    locked: Vec<(PathBuf, Option<PublicKey>)>,
    /// Whether there was any, locked or not.
    found: bool,
    /// Where they were looked for.
    looked: Vec<String>,
    /// What was found there and cannot be used.
    unusable: Vec<Error>,
}

impl Keys {
    pub async fn find(keyring: &Keyring) -> Result<Keys> {
        let mut keys = Keys::default();
        let given = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
        if let Some(text) = given(KEY) {
            keys.looked.push(KEY.to_owned());
            keys.ready.extend(identities(&text, KEY)?);
            keys.found = true;
        } else if let Some(path) = given(KEY_FILE) {
            keys.named_file(Path::new(&path), keyring).await?;
        } else {
            let home = std::env::home_dir().unwrap_or_else(|| "/".into());
            for name in [".ssh/id_ed25519", ".ssh/id_rsa"] {
                keys.looked.push(format!("~/{name}"));
                keys.ssh_file(&home.join(name), keyring).await;
            }
        }
        Ok(keys)
    }

    async fn named_file(&mut self, path: &Path, keyring: &Keyring) -> Result<()> {
        let shown = path.display().to_string();
        let text = std::fs::read_to_string(path).map(Zeroizing::new).map_err(|error| {
            Error::config(format!("cannot read the key {shown}"))
                .cause(error)
                .hint(format!("{KEY_FILE} names it: an age identity file, or an SSH private key"))
        })?;
        if text.trim_start().starts_with("-----BEGIN") {
            self.ssh_file(path, keyring).await;
        } else {
            self.ready.extend(identities(&text, &shown)?);
            self.found = true;
        }
        self.looked.push(shown);
        Ok(())
    }

    async fn ssh_file(&mut self, path: &Path, keyring: &Keyring) {
        match keyring.load(path).await {
            Loaded::Ready(key) => self.add(&key, path),
            Loaded::Locked(public) => {
                self.found = true;
                self.locked.push((path.to_owned(), public.map(|key| PublicKey::clone(&key))));
            }
            Loaded::Unusable(error) => self.unusable.push(error),
            Loaded::Missing => {}
        }
    }

    fn add(&mut self, key: &PrivateKey, path: &Path) {
        if let Some(identity) = identity(key) {
            self.found = true;
            self.ready.push(identity);
            return;
        }
        let what = format!("cannot use the private key {}", path.display());
        let why = format!("{} keys cannot decrypt; ed25519 and RSA can", key.algorithm());
        self.unusable.push(Error::config(what).cause(why));
    }

    /// Asks for the passphrases of those keys that `header` was encrypted to. Whether there were any.
    pub async fn unlock(&mut self, header: &str, keyring: &Keyring) -> Result<bool> {
        let wanted = std::mem::take(&mut self.locked).into_iter();
        let wanted: Vec<PathBuf> = wanted
            .filter(|(_, public)| public.as_ref().is_none_or(|public| is_recipient(public, header)))
            .map(|(path, _)| path)
            .collect();
        for path in &wanted {
            let key = keyring.unlock(path).await.map_err(|error| Error {
                hint: Some(format!("without a terminal, name a key without passphrase in {KEY_FILE}")),
                ..Error::config(error.what).cause(error.causes.join(": "))
            })?;
            self.add(&key, path);
        }
        Ok(!wanted.is_empty())
    }

    /// Why none of them opened `file`, and what to do.
    pub fn none_fits(&self, file: &str, recipients: &str) -> Error {
        let places = list(&self.looked, "and");
        let error = Error::config(format!("cannot open {file}"));
        let error = match self.unusable.first() {
            Some(unusable) => Error { hint: unusable.hint.clone(), ..error.cause(unusable) },
            None if !self.found => error.cause(format!("there is no private key in {places}")),
            None => error.cause(format!("it is not encrypted to the key in {places}")),
        };
        let hint = format!(
            "whoever can open it adds your public key to {recipients} and runs `tow secrets edit`; or {KEY_FILE} \
             names a private key that can"
        );
        Error { hint: error.hint.clone().or(Some(hint)), ..error }
    }
}

/// Of the text of an age identity file, or of an SSH private key.
fn identities(text: &str, place: &str) -> Result<Vec<Box<dyn Identity>>> {
    let unusable = |why: &str| {
        Error::config(format!("cannot use the key in {place}")).cause(why).hint(
            "it is what `age-keygen` writes (AGE-SECRET-KEY-1…), or an SSH private key without passphrase",
        )
    };
    if text.trim_start().starts_with("-----BEGIN") {
        // Variables of CI systems often lose the last line break.
        let text = Zeroizing::new(format!("{}\n", text.trim()));
        let key =
            decode_secret_key(&text, None).map_err(|_| unusable("it has a passphrase, or is damaged"))?;
        let identity = identity(&key).ok_or_else(|| unusable("only ed25519 and RSA keys can decrypt"))?;
        return Ok(vec![identity]);
    }
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
    let keys: Option<Vec<Box<dyn Identity>>> = lines
        .map(|line| Some(Box::new(line.parse::<age::x25519::Identity>().ok()?) as Box<dyn Identity>))
        .collect();
    keys.filter(|keys| !keys.is_empty()).ok_or_else(|| unusable("it is no private key"))
}

fn identity(key: &PrivateKey) -> Option<Box<dyn Identity>> {
    let text = key.to_openssh(LineEnding::LF).ok()?;
    match age::ssh::Identity::from_buffer(text.as_bytes(), None).ok()? {
        identity @ age::ssh::Identity::Unencrypted(_) => Some(Box::new(identity)),
        _ => None,
    }
}

/// Whether the header names the key: a passphrase is asked for only if it helps.
fn is_recipient(key: &PublicKey, header: &str) -> bool {
    let Ok(bytes) = key.to_bytes() else { return false };
    let digest = Sha256::digest(bytes);
    // The first four bytes, as base64; of its last digit two bits are padding.
    let tag = base64(&digest[..4], 0);
    header.lines().any(|line| {
        let mut words = line.strip_prefix("-> ssh-").unwrap_or("").split(' ').skip(1);
        words.next().is_some_and(|word| word.starts_with(&tag))
    })
}
