//! How to connect: the keys that `[defaults]`, groups and hosts share.

use crate::spec::model::{Connection, Place, Ssh};
use crate::spec::read::Reader;
use crate::spec::source::Entry;

pub const SETTINGS: &[&str] = &["user", "port", "key", "jump", "become", "connection", "known_hosts"];

#[derive(Clone, Debug, Default)]
pub struct Settings {
    user: Option<String>,
    port: Option<u16>,
    key: Option<(String, Place)>,
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
            "key" => {
                let place = Place { file: reader.file.clone(), span: entry.node.span.clone() };
                self.key = path(entry, reader).map(|path| (path, place));
            }
            "jump" => self.jump = word(entry, reader),
            "become" => self.r#become = reader.boolean(entry),
            "known_hosts" => self.known_hosts = path(entry, reader),
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
            let (key, key_at) = self.key.unzip();
            Connection::Ssh(Ssh {
                address: address.to_owned(),
                port: self.port,
                user: self.user,
                key,
                key_at,
                jump: self.jump,
                known_hosts: self.known_hosts,
                r#become,
            })
        }
    }
}

/// A file's path; a relative one begins at the inventory's folder.
fn path(entry: &Entry, reader: &mut Reader<'_>) -> Option<String> {
    reader.string(entry).map(|path| reader.file.beside(&path))
}

/// What to connect to, and nothing else: port and user have keys of their own.
pub fn address(entry: &Entry, reader: &mut Reader<'_>) -> Option<String> {
    let text = word(entry, reader)?;
    if let Some((user, host)) = text.split_once('@') {
        reader.mistake(&entry.node.span, "an address does not name the user", "expected the address alone");
        reader.advise(format!("write: address = \"{host}\", user = \"{user}\""));
    } else if let Some((host, port)) = text.rsplit_once(':')
        && !host.contains("::")
        && (!host.contains(':') || host.starts_with('['))
        && port.bytes().all(|byte| byte.is_ascii_digit())
        && !host.ends_with(|c: char| c == ':' || host.rfind('[') > host.rfind(']') && c != ']')
    {
        reader.mistake(&entry.node.span, "an address does not name the port", "expected the address alone");
        reader.advise(format!("write: address = \"{host}\", port = {port}"));
    }
    Some(text)
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

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use crate::spec::inventory::Inventory;
    use crate::spec::mistake::Mistakes;
    use crate::spec::model::Connection;
    use crate::spec::source::TextFile;

    fn read(host: &str, folder: &str) -> (Connection, Vec<String>) {
        let mut mistakes = Mistakes::default();
        let file = TextFile::new("prod.toml", format!("[hosts.\"web[1:2]\"]\n{host}\n")).in_folder(folder);
        let inventory = Inventory::parse(&Arc::new(file), &mut mistakes);
        let connection = inventory.resolved(&inventory.hosts[0]).connection;
        (
            connection,
            mistakes.list.into_iter().map(|mistake| mistake.help.unwrap_or(mistake.message)).collect(),
        )
    }

    #[test]
    fn an_address_is_only_that() {
        let help = |address: &str| read(&format!("address = \"{address}\""), "").1;
        assert_eq!(help("127.0.2.1:22022"), ["write: address = \"127.0.2.1\", port = 22022"]);
        assert_eq!(help("root@1.2.3.4"), ["write: address = \"1.2.3.4\", user = \"root\""]);
        for fine in ["1.2.3.4", "2001:db8::1", "fe80::1:2", "10.0.0.[1:2]", "example.com", "1:2:3:4:5:6:7:8"]
        {
            assert_eq!(help(fine), Vec::<String>::new(), "{fine}");
        }
    }

    #[test]
    fn files_are_beside_the_inventory() {
        let paths = |text: &str| match read(text, "/home/me/prod").0 {
            Connection::Ssh(ssh) => (ssh.key.unwrap(), ssh.known_hosts.unwrap()),
            Connection::Local { .. } => panic!("ssh"),
        };
        let (key, known) = paths("key = 'keys/deploy'\nknown_hosts = '/etc/known'");
        assert_eq!((key.as_str(), known.as_str()), ("/home/me/prod/keys/deploy", "/etc/known"));
        assert_eq!(paths("key = '~/k'\nknown_hosts = './known'").0, "~/k");
    }
}
