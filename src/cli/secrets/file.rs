//! The secrets file on disk: `secrets.age` beside the inventory, opened, and replaced as a whole.

use std::io::{Read as _, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use age::armor::{ArmoredReader, ArmoredWriter, Format};
use age::{DecryptError, Decryptor, Encryptor, Identity};
use zeroize::Zeroizing;

use crate::cli::secrets::keys::Keys;
use crate::cli::secrets::recipients::Recipients;
use crate::spec::vault::Vault;
use crate::transport::Keyring;
use crate::words::error::{Error, Result};
use crate::words::plural::count;

/// Who holds it may replace the file.
pub type Lock = std::fs::File;

#[derive(Clone, Debug)]
pub struct VaultFile {
    path: PathBuf,
    recipients: PathBuf,
}

/// The file as it was opened.
pub struct Opened {
    /// Still encrypted; `None` when there was no file.
    sealed: Option<Vec<u8>>,
    pub text: Zeroizing<String>,
    keys: Vec<Box<dyn Identity>>,
}

impl VaultFile {
    /// In the folder of `inventory`, or here.
    pub fn beside(inventory: Option<&Path>) -> VaultFile {
        let folder = inventory.and_then(Path::parent).unwrap_or(Path::new(""));
        VaultFile { path: folder.join("secrets.age"), recipients: folder.join("secrets.recipients") }
    }

    pub fn exists(&self) -> bool {
        self.path.is_file()
    }

    pub fn name(&self) -> String {
        self.path.display().to_string()
    }

    pub async fn open(&self, keyring: &Keyring) -> Result<Opened> {
        let name = self.name();
        let sealed = std::fs::read(&self.path).map_err(|error| match error.kind() {
            std::io::ErrorKind::NotFound => Error::config(format!("there is no {name}"))
                .hint("`tow secrets set NAME` makes it; `-i` says beside which inventory"),
            _ => Error::config(format!("cannot read {name}")).cause(error),
        })?;
        let mut keys = Keys::find(keyring).await?;
        let mut text = decrypt(&sealed, &keys.ready);
        if matches!(text, Err(DecryptError::NoMatchingKeys)) && keys.unlock(&header(&sealed), keyring).await?
        {
            text = decrypt(&sealed, &keys.ready);
        }
        let text = text.map_err(|error| match error {
            DecryptError::NoMatchingKeys => keys.none_fits(&name, &self.recipients.display().to_string()),
            _ => damaged(&name, &sealed, &error),
        })?;
        Ok(Opened { sealed: Some(sealed), text, keys: keys.ready })
    }

    /// What it holds; nothing when it is not there yet.
    pub async fn open_or_new(&self, keyring: &Keyring) -> Result<Opened> {
        if self.path.exists() {
            return self.open(keyring).await;
        }
        Ok(Opened { sealed: None, text: Zeroizing::default(), keys: vec![] })
    }

    pub fn parse(&self, text: Zeroizing<String>) -> Result<Vault> {
        Vault::parse(text).map_err(|wrong| {
            Error::config(format!("{} is not as it should be", self.name()))
                .cause(wrong.join("; "))
                .hint("`tow secrets edit` opens it in your editor")
        })
    }

    /// One at a time: the list of recipients is always there, and never replaced by us.
    pub fn lock(&self) -> Result<Lock> {
        Recipients::read(&self.recipients)?;
        let locked = std::fs::File::open(&self.recipients).and_then(|file| file.lock().map(|()| file));
        locked
            .map_err(|error| Error::config(format!("cannot lock {}", self.recipients.display())).cause(error))
    }

    /// Encrypts to everybody who is in the list now. Returns how many that are.
    pub fn replace(&self, opened: &Opened, vault: &Vault, _lock: &Lock) -> Result<String> {
        let recipients = Recipients::read(&self.recipients)?;
        let name = self.name();
        let now = std::fs::read(&self.path).ok();
        if now != opened.sealed {
            return Err(Error::config(format!("{name} is left as it is"))
                .cause("somebody else has changed it meanwhile")
                .hint("run the command again"));
        }
        let failed = |why: &dyn std::fmt::Display| Error::config(format!("cannot write {name}")).cause(why);
        let sealed = encrypt(&recipients, vault.text()).map_err(|error| failed(&error))?;
        if opened.sealed.is_some() && decrypt(&sealed, &opened.keys).is_err() {
            return Err(Error::config(format!("{name} is left as it is"))
                .cause("you could not open it any more")
                .hint(format!("add your public key to {}", self.recipients.display())));
        }
        write(&self.path, &sealed).map_err(|error| failed(&error))?;
        Ok(count(recipients.count(), "recipient"))
    }
}

fn decrypt(sealed: &[u8], keys: &[Box<dyn Identity>]) -> Result<Zeroizing<String>, DecryptError> {
    let decryptor = Decryptor::new_buffered(ArmoredReader::new(sealed))?;
    let mut reader = decryptor.decrypt(keys.iter().map(|key| &**key))?;
    let mut text = Zeroizing::default();
    reader.read_to_string(&mut text)?;
    Ok(text)
}

fn encrypt(recipients: &Recipients, text: &str) -> Result<Vec<u8>, String> {
    let sealed = || -> std::io::Result<Vec<u8>> {
        let encryptor = Encryptor::with_recipients(recipients.iter()).map_err(std::io::Error::other)?;
        let armoured = ArmoredWriter::wrap_output(vec![], Format::AsciiArmor)?;
        let mut writer = encryptor.wrap_output(armoured)?;
        writer.write_all(text.as_bytes())?;
        writer.finish()?.finish()
    };
    sealed().map_err(|error| error.to_string())
}

/// The part that is readable without a key: to whom it is encrypted.
fn header(sealed: &[u8]) -> String {
    let mut bytes = vec![];
    // What is behind the header may be damaged without harm to it.
    let _ = ArmoredReader::new(sealed).read_to_end(&mut bytes);
    let end = bytes.windows(4).position(|four| four == b"\n---").unwrap_or(bytes.len());
    String::from_utf8_lossy(&bytes[..end]).into_owned()
}

fn damaged(name: &str, sealed: &[u8], error: &DecryptError) -> Error {
    if sealed.windows(8).any(|window| window == b"<<<<<<< ") {
        return Error::config(format!("cannot open {name}")).cause("it has a merge conflict").hint(format!(
            "take one side with `git checkout --ours {name}` or `--theirs`, then set what the other one had changed"
        ));
    }
    let why = match error {
        DecryptError::ExcessiveWork { .. } | DecryptError::KeyDecryptionFailed => error.to_string(),
        _ => "it is damaged, or no age file".to_owned(),
    };
    Error::config(format!("cannot open {name}"))
        .cause(why)
        .hint(format!("take the last good version out of version control: `git checkout HEAD -- {name}`"))
}

/// Appears whole, with the mode of the one before; through a link, its target is replaced.
fn write(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let path = path.canonicalize().unwrap_or_else(|_| path.to_owned());
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mode = std::fs::metadata(&path).map_or(0o600, |before| before.permissions().mode() & 0o777);
    let mut file = tempfile::Builder::new().prefix(".secrets-").tempfile_in(folder)?;
    file.write_all(bytes)?;
    file.as_file().set_permissions(std::fs::Permissions::from_mode(mode))?;
    file.as_file().sync_all()?;
    file.persist(&path).map(drop).map_err(|error| error.error)
}
