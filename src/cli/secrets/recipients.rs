//! `secrets.recipients`: the public keys of everybody who may read the secrets, a line each, as `age -R` reads it.

use std::path::Path;

use age::Recipient;
use age::ssh::ParseRecipientKeyError as Wrong;

use crate::words::error::{Error, Result};

pub struct Recipients(Vec<Box<dyn Recipient>>);

impl Recipients {
    pub fn read(path: &Path) -> Result<Recipients> {
        let shown = path.display();
        let text = std::fs::read_to_string(path).map_err(|error| match error.kind() {
            std::io::ErrorKind::NotFound => Error::config("nobody could read the secrets")
                .cause(format!("there is no {shown}"))
                .hint(format!(
                    "put there the public keys of all who may, a line each: `cat ~/.ssh/id_ed25519.pub >> {shown}`"
                )),
            _ => Error::config(format!("cannot read {shown}")).cause(error),
        })?;
        let (mut recipients, mut wrong) = (vec![], vec![]);
        for (number, line) in (1..).zip(text.lines().map(str::trim)) {
            match line {
                _ if line.is_empty() || line.starts_with('#') => {}
                _ => match recipient(line) {
                    Ok(recipient) => recipients.push(recipient),
                    Err(why) => wrong.push(format!("line {number} {why}")),
                },
            }
        }
        let error = Error::config(format!("cannot use {shown}"));
        match (wrong.is_empty(), recipients.is_empty()) {
            (true, false) => Ok(Recipients(recipients)),
            (true, true) => Err(error
                .cause("it has no public key")
                .hint(format!("add yours: `cat ~/.ssh/id_ed25519.pub >> {shown}`"))),
            _ => {
                let error = Error { causes: vec![wrong.join("; ")], ..error };
                Err(error.hint("it takes public keys, one a line: ssh-ed25519 …, ssh-rsa … or age1…"))
            }
        }
    }

    pub fn count(&self) -> usize {
        self.0.len()
    }

    pub fn iter(&self) -> impl Iterator<Item = &dyn Recipient> {
        self.0.iter().map(|recipient| &**recipient as &dyn Recipient)
    }
}

fn recipient(line: &str) -> std::result::Result<Box<dyn Recipient>, String> {
    if line.starts_with("age1") {
        let word = line.split_whitespace().next().unwrap_or("");
        let parsed = word.parse::<age::x25519::Recipient>();
        return parsed.map(|key| Box::new(key) as Box<dyn Recipient>).map_err(|_| "is no age key".to_owned());
    }
    if line.contains("PRIVATE KEY") || line.starts_with("AGE-SECRET-KEY") {
        return Err("is of a private key: take it out, and use it no more".to_owned());
    }
    match line.parse::<age::ssh::Recipient>() {
        Ok(key) => Ok(Box::new(key)),
        Err(Wrong::RsaModulusTooSmall) => Err("is an RSA key of fewer than 2048 bits".to_owned()),
        Err(Wrong::RsaModulusTooLarge) => Err("is an RSA key of more than 4096 bits".to_owned()),
        Err(Wrong::Unsupported(kind)) => Err(format!("is of the kind {kind}, which cannot decrypt")),
        Err(_) => Err("is no public key".to_owned()),
    }
}
