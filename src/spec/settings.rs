//! How to connect: the keys that `[defaults]`, groups and hosts share.

use crate::spec::model::{Connection, Ssh};
use crate::spec::read::Reader;
use crate::spec::source::Entry;

pub const SETTINGS: &[&str] = &["user", "port", "key", "jump", "become", "connection", "known_hosts"];

#[derive(Clone, Debug, Default)]
pub struct Settings {
    user: Option<String>,
    port: Option<u16>,
    key: Option<String>,
    jump: Option<String>,
    r#become: Option<bool>,
    local: Option<bool>,
    known_hosts: Option<String>,
}

impl Settings {
    /// Reads the key when it is one of the settings.
    pub fn read(&mut self, entry: &Entry, reader: &mut Reader<'_>) -> bool {
        match entry.key.as_str() {
            "user" => self.user = word(entry, reader),
            "port" => {
                self.port =
                    reader.integer(entry, "a port: a number from 1 to 65535").filter(|port| *port > 0);
            }
            "key" => self.key = reader.string(entry),
            "jump" => self.jump = word(entry, reader),
            "become" => self.r#become = reader.boolean(entry),
            "known_hosts" => self.known_hosts = reader.string(entry),
            "connection" => match entry.node.as_str() {
                Some("ssh") => self.local = Some(false),
                Some("local") => self.local = Some(true),
                _ => reader.mistake(
                    &entry.node.span,
                    "`connection` is either \"ssh\" or \"local\"",
                    "expected \"ssh\" or \"local\"",
                ),
            },
            _ => return false,
        }
        true
    }
    pub fn overlay(&mut self, over: &Settings) {
        let over = over.clone();
        self.user = over.user.or(self.user.take());
        self.port = over.port.or(self.port);
        self.key = over.key.or(self.key.take());
        self.jump = over.jump.or(self.jump.take());
        self.r#become = over.r#become.or(self.r#become);
        self.local = over.local.or(self.local);
        self.known_hosts = over.known_hosts.or(self.known_hosts.take());
    }

    pub fn connection(self, address: &str) -> Connection {
        let r#become = self.r#become.unwrap_or(false);
        if self.local.unwrap_or(false) {
            Connection::Local { r#become }
        } else {
            Connection::Ssh(Ssh {
                address: address.to_owned(),
                port: self.port,
                user: self.user,
                key: self.key,
                jump: self.jump,
                known_hosts: self.known_hosts,
                r#become,
            })
        }
    }
}

/// What ends up in an argument of ssh: nothing that looks like an option, no spaces, no control characters.
pub fn word(entry: &Entry, reader: &mut Reader<'_>) -> Option<String> {
    let text = reader.string(entry)?;
    if text.is_empty() || text.starts_with('-') || text.chars().any(|c| c.is_control() || c.is_whitespace()) {
        let message = format!("`{}` is not a valid {}", text.escape_debug(), entry.key);
        reader.mistake(&entry.node.span, message, "expected one word that does not begin with `-`");
        return None;
    }
    Some(text)
}
