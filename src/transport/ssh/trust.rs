//! Host keys that are not trusted: what is said about them, and writing down those that a person accepted.

use std::fs::{DirBuilder, OpenOptions};
use std::io::{Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};
use std::sync::PoisonError;

use russh::keys::{HashAlg, PublicKey};

use crate::transport::ssh::client::Shown;
use crate::transport::ssh::config::Target;
use crate::transport::ssh::known_hosts::Verdict;
use crate::transport::ssh::shared::Shared;
use crate::words::error::{Error, Kind, Result};
use crate::words::names::HostName;

/// A key that nobody has vouched for yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnknownKey {
    /// The host of the inventory; with a jump host, the one behind it.
    pub host: HostName,
    /// As known_hosts has it: `web1`, `[web1]:2222`.
    pub address: String,
    /// `ssh-ed25519`
    pub algorithm: String,
    /// `SHA256:…`
    pub fingerprint: String,
    /// The file that [`super::Connector::trust`] will write.
    pub file: PathBuf,
    line: String,
}

/// Where nobody was asked.
pub const TO_REVIEW: &str = "connect once at a terminal to review the key";

/// The error for a key that is not trusted; remembers those that a person may still accept.
pub fn refuse(shared: &Shared, host: &HostName, target: &Target, shown: &Shown) -> Error {
    let address = target.lookup.as_str();
    let key = PublicKey::new(shown.key.clone(), "");
    let (algorithm, fingerprint) = (key.algorithm(), key.fingerprint(HashAlg::Sha256));
    let refused = |what: String| Error::new(Kind::HostKey, what);
    match &shown.verdict {
        Verdict::Changed(places) => refused(format!("the host key of {address} has changed"))
            .cause(format!("it shows {algorithm} {fingerprint}; known is the key in {}", places.join(", ")))
            .hint(format!(
                "if the server was reinstalled, `ssh-keygen -R '{address}'{}` forgets the old key; \
                 if not, somebody may be between you and it",
                in_files(places)
            )),
        Verdict::Revoked(place) => refused(format!("the host key of {address} is revoked"))
            .cause(format!("{algorithm} {fingerprint} is marked @revoked in {place}"))
            .hint("give the server a new host key; the old one may be in other hands"),
        Verdict::BadCertificate(why) => refused(format!("the host certificate of {address} is refused"))
            .cause(why)
            .hint("have the authority sign the server's host key again (ssh-keygen -s … -h -n …)"),
        Verdict::Unknown | Verdict::Trusted => {
            let file = shared.known_files(target).into_iter().next().unwrap_or_default();
            let line = format!("{address} {}", key.to_openssh().unwrap_or_default().trim());
            let error = refused(format!("the host key of {address} is unknown"))
                .cause(format!("it shows {algorithm} {fingerprint}"))
                .cause(looked_in(&shared.known_files(target)))
                .hint(format!(
                    "{TO_REVIEW}, or add it to {} \
                     (`ssh-keyscan` prints the line; compare the fingerprint on the server's console)",
                    file.display()
                ));
            remember(
                shared,
                UnknownKey {
                    host: host.clone(),
                    address: address.to_owned(),
                    algorithm: algorithm.to_string(),
                    fingerprint: fingerprint.to_string(),
                    file,
                    line,
                },
            );
            error
        }
    }
}

/// For `ssh-keygen -R`: which file, where it would not look by itself.
fn in_files(places: &[String]) -> String {
    let file = places.first().and_then(|place| place.rsplit_once(':')).map_or("", |(file, _)| file);
    let usual = std::env::home_dir().map(|home| home.join(".ssh/known_hosts"));
    let ours = !file.is_empty() && usual.is_none_or(|usual| usual != Path::new(file));
    if ours { format!(" -f '{file}'") } else { String::new() }
}

/// Where the key was looked for; a file that does not exist may be a slip of the pen.
fn looked_in(files: &[PathBuf]) -> String {
    let named = |(position, file): (usize, &PathBuf)| match file.exists() {
        true => Some(file.display().to_string()),
        // The first is the one that was configured; of the others it is usual that they are missing.
        false if position == 0 => Some(format!("{} (which does not exist)", file.display())),
        false => None,
    };
    let named: Vec<String> = files.iter().enumerate().filter_map(named).collect();
    format!("it is not in {}", named.join(", "))
}

fn remember(shared: &Shared, unknown: UnknownKey) {
    let mut list = shared.unknown.lock().unwrap_or_else(PoisonError::into_inner);
    if !list.iter().any(|other| other.line == unknown.line) {
        list.push(unknown);
    }
}

pub fn write(shared: &Shared, keys: &[UnknownKey]) -> Result<()> {
    for key in keys {
        append(&key.file, &key.line).map_err(|error| {
            Error::config(format!("cannot write {}", key.file.display()))
                .cause(error)
                .hint("the file must be yours to write")
        })?;
    }
    let mut unknown = shared.unknown.lock().unwrap_or_else(PoisonError::into_inner);
    unknown.retain(|key| !keys.contains(key));
    shared.forget_known();
    Ok(())
}

fn append(file: &Path, line: &str) -> std::io::Result<()> {
    let mut folder = DirBuilder::new();
    let mut open = OpenOptions::new();
    open.read(true).append(true).create(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
        folder.mode(0o700);
        open.mode(0o600);
    }
    if let Some(parent) = file.parent().filter(|parent| !parent.as_os_str().is_empty()) {
        folder.recursive(true).create(parent)?;
    }
    let mut file = open.open(file)?;
    let mut last = [b'\n'];
    // A last line without its end would swallow ours.
    if file.seek(SeekFrom::End(-1)).is_ok() {
        file.read_exact(&mut last)?;
    }
    let start = if last == *b"\n" { "" } else { "\n" };
    file.write_all(format!("{start}{line}\n").as_bytes())
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::{in_files, looked_in};

    #[test]
    fn hints_name_the_file_where_it_is_not_the_usual_one() {
        let usual = std::env::home_dir().unwrap().join(".ssh/known_hosts");
        assert_eq!(in_files(&[format!("{}:3", usual.display())]), "");
        assert_eq!(in_files(&["/srv/known:3".to_owned()]), " -f '/srv/known'");
    }

    #[test]
    fn a_file_that_does_not_exist_is_said_to() {
        let files = ["/nowhere/known", "/nowhere/other", "/etc/passwd"].map(PathBuf::from);
        assert_eq!(looked_in(&files), "it is not in /nowhere/known (which does not exist), /etc/passwd");
    }
}
