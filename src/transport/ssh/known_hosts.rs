//! known_hosts: which keys are trusted for a host. Plain, hashed and wildcard names, ports, revoked keys and
//! certificate authorities, several keys of one algorithm. Only reads and judges; `trust` in `super` writes.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use hmac::{Hmac, KeyInit as _, Mac as _};
use russh::keys::ssh_key::certificate::CertType;
use russh::keys::ssh_key::known_hosts::HostPatterns;
use russh::keys::ssh_key::public::KeyData;
use russh::keys::{Algorithm, Certificate, HashAlg, PublicKey};

use crate::transport::ssh::pattern;

/// A host as known_hosts has it: `web1` on port 22, `[web1]:2222` elsewhere.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Name {
    full: String,
    /// Without the port; ssh accepts a key that is known for the host, whatever the port.
    bare: String,
}

impl Name {
    pub fn new(host: &str, port: u16) -> Name {
        let bare = host.to_ascii_lowercase();
        let full = if port == 22 { bare.clone() } else { format!("[{bare}]:{port}") };
        Name { full, bare }
    }
    /// HostKeyAlias stands for host and port.
    pub fn alias(alias: &str) -> Name {
        let bare = alias.to_ascii_lowercase();
        Name { full: bare.clone(), bare }
    }
    pub fn as_str(&self) -> &str {
        &self.full
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Marker {
    None,
    Authority,
    Revoked,
}

#[derive(Debug)]
struct Entry {
    marker: Marker,
    hosts: HostPatterns,
    key: PublicKey,
    file: Arc<Path>,
    line: usize,
}

impl Entry {
    fn names(&self, name: &str) -> bool {
        match &self.hosts {
            HostPatterns::Patterns(patterns) => pattern::matches_list(patterns, name),
            HostPatterns::HashedName { salt, hash } => {
                Hmac::<sha1::Sha1>::new_from_slice(salt).is_ok_and(|mut mac| {
                    mac.update(name.as_bytes());
                    mac.verify_slice(hash).is_ok()
                })
            }
        }
    }
    fn place(&self) -> String {
        format!("{}:{}", self.file.display(), self.line)
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    Trusted,
    Unknown,
    /// Other keys are known: where, as `file:line`.
    Changed(Vec<String>),
    Revoked(String),
    /// A certificate of a trusted authority that must not be accepted, and why.
    BadCertificate(String),
}

/// All entries of the files that count for a host.
#[derive(Debug, Default)]
pub struct Known {
    entries: Vec<Entry>,
}

impl Known {
    /// Files that are missing are empty; lines that make no sense are passed over, as ssh does.
    pub fn read(files: &[PathBuf]) -> Known {
        let mut known = Known::default();
        for file in files {
            if let Ok(bytes) = std::fs::read(file) {
                known.add(file, &String::from_utf8_lossy(&bytes));
            }
        }
        known
    }

    fn add(&mut self, file: &Path, text: &str) {
        let file: Arc<Path> = file.into();
        for (index, line) in text.lines().enumerate() {
            if let Some((marker, hosts, key)) = parse(line) {
                self.entries.push(Entry { marker, hosts, key, file: Arc::clone(&file), line: index + 1 });
            }
        }
    }

    fn of<'a>(&'a self, marker: Marker, name: &'a str) -> impl Iterator<Item = &'a Entry> {
        self.entries.iter().filter(move |entry| entry.marker == marker && entry.names(name))
    }

    /// The algorithms of the keys known for a host; to be preferred when keys are negotiated.
    pub fn algorithms(&self, name: &Name) -> Vec<Algorithm> {
        let full: Vec<Algorithm> = self.of(Marker::None, &name.full).map(|e| e.key.algorithm()).collect();
        if full.is_empty() {
            return self.of(Marker::None, &name.bare).map(|entry| entry.key.algorithm()).collect();
        }
        full
    }

    pub fn has_authority(&self, name: &Name) -> bool {
        self.authorities(name).next().is_some()
    }

    fn authorities<'a>(&'a self, name: &'a Name) -> impl Iterator<Item = &'a Entry> {
        self.of(Marker::Authority, &name.full).chain(self.of(Marker::Authority, &name.bare))
    }

    fn revoked(&self, name: &Name, key: &KeyData) -> Option<Verdict> {
        let mut entries = self.of(Marker::Revoked, &name.full).chain(self.of(Marker::Revoked, &name.bare));
        entries.find(|entry| entry.key.key_data() == key).map(|entry| Verdict::Revoked(entry.place()))
    }

    pub fn judge_key(&self, name: &Name, key: &KeyData) -> Verdict {
        if let Some(revoked) = self.revoked(name, key) {
            return revoked;
        }
        let known = |name: &str| self.of(Marker::None, name).any(|entry| entry.key.key_data() == key);
        if known(&name.full) {
            return Verdict::Trusted;
        }
        // Known algorithms are negotiated first: a server that shows another one does not have the key we know.
        let other: Vec<String> = self.of(Marker::None, &name.full).map(Entry::place).collect();
        if !other.is_empty() {
            return Verdict::Changed(other);
        }
        if known(&name.bare) { Verdict::Trusted } else { Verdict::Unknown }
    }

    /// `now` in seconds since 1970. A certificate of nobody we trust counts as the plain key in it.
    pub fn judge_certificate(&self, name: &Name, certificate: &Certificate, now: u64) -> Verdict {
        for key in [certificate.public_key(), certificate.signature_key()] {
            if let Some(revoked) = self.revoked(name, key) {
                return revoked;
            }
        }
        let signer = certificate.signature_key();
        if !self.authorities(name).any(|entry| entry.key.key_data() == signer) {
            return self.judge_key(name, certificate.public_key());
        }
        match flaw(name, certificate, now) {
            None => Verdict::Trusted,
            Some(why) => Verdict::BadCertificate(why),
        }
    }
}

fn flaw(name: &Name, certificate: &Certificate, now: u64) -> Option<String> {
    let authority = certificate.signature_key().fingerprint(HashAlg::Sha256);
    if certificate.cert_type() != CertType::Host {
        return Some("it is a certificate for users, not for hosts".into());
    }
    if now < certificate.valid_after() {
        return Some("it is not valid yet".into());
    }
    if now >= certificate.valid_before() {
        return Some("it has expired".into());
    }
    let principals = certificate.valid_principals();
    // Unlike for users, ssh takes a host certificate without principals for every host of its authority.
    if !principals.is_empty() && !principals.iter().any(|p| pattern::matches(p, &name.bare)) {
        return Some(format!("it is for {}", principals.join(", ")));
    }
    if certificate.critical_options().iter().next().is_some() {
        return Some("it has critical options, which a host certificate must not have".into());
    }
    let valid = certificate.validate_at(now, [&authority]).is_ok();
    (!valid).then(|| "its signature is wrong".into())
}

fn parse(line: &str) -> Option<(Marker, HostPatterns, PublicKey)> {
    let line = line.trim();
    if line.is_empty() || line.starts_with('#') {
        return None;
    }
    let (marker, line) = match line.split_once(char::is_whitespace)? {
        ("@cert-authority", rest) => (Marker::Authority, rest.trim_start()),
        ("@revoked", rest) => (Marker::Revoked, rest.trim_start()),
        (other, _) if other.starts_with('@') => return None,
        _ => (Marker::None, line),
    };
    let (hosts, key) = line.split_once(char::is_whitespace)?;
    let key = PublicKey::from_openssh(key.trim()).ok()?;
    Some((marker, hosts.to_ascii_lowercase_unless_hashed().parse().ok()?, key))
}

trait Lowercase {
    fn to_ascii_lowercase_unless_hashed(&self) -> String;
}

impl Lowercase for str {
    fn to_ascii_lowercase_unless_hashed(&self) -> String {
        if self.starts_with('|') { self.to_owned() } else { self.to_ascii_lowercase() }
    }
}
