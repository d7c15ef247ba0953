//! Names and paths from an allow-list: no `..`, no leading `-`, no control characters.

use std::borrow::Borrow;
use std::fmt;

use serde::{Deserialize, Serialize};

macro_rules! checked_string {
    ($(#[$doc:meta])* $name:ident, $check:ident) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(String);

        impl $name {
            pub fn new(text: impl Into<String>) -> Result<Self, String> {
                $check(text.into()).map($name)
            }
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }
        impl TryFrom<String> for $name {
            type Error = String;
            fn try_from(text: String) -> Result<Self, String> {
                Self::new(text)
            }
        }
        impl From<$name> for String {
            fn from(name: $name) -> String {
                name.0
            }
        }
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(&self.0)
            }
        }
        impl AsRef<str> for $name {
            fn as_ref(&self) -> &str {
                &self.0
            }
        }
        impl Borrow<str> for $name {
            fn borrow(&self) -> &str {
                &self.0
            }
        }
    };
}

checked_string!(
    /// A host as the inventory calls it, and groups too: `web1`, `eu-west.web`.
    HostName, check_name
);
checked_string!(
    /// An account or group of a server: `www-data`.
    UserName, check_name
);
checked_string!(
    /// An absolute, normal path on a host: `/srv/app/current`.
    RemotePath, check_path
);

fn check_name(text: String) -> Result<String, String> {
    let ok = |c: char| c.is_ascii_alphanumeric() || "-_.@".contains(c);
    // Accounts of machines end with `$`; elsewhere a shell would expand it, and `~name` cannot be quoted.
    let plain = text.strip_suffix('$').unwrap_or(&text);
    if plain.is_empty() || text.len() > 255 || text.starts_with(['-', '.']) || !plain.chars().all(ok) {
        return Err(format!(
            "{text:?} is not a name: use letters, digits, `-`, `_` and `.`, and begin with a letter or digit"
        ));
    }
    Ok(text)
}

fn check_path(text: String) -> Result<String, String> {
    let bad = if !text.starts_with('/') {
        "must be absolute, beginning with `/`"
    } else if text.split('/').any(|part| part == "..") {
        "must not contain `..`"
    } else if text.chars().any(char::is_control) {
        "must not contain control characters"
    } else if text.len() > 4096 {
        "is longer than 4096 bytes"
    } else {
        return Ok(normal(text));
    };
    Err(format!("{text:?}: a path on a host {bad}"))
}

/// Without `//`, `/./` and a `/` at the end: equal paths must be equal text, or facts would be missed.
fn normal(text: String) -> String {
    let odd = text.contains("//") || text.contains("/./") || text.ends_with("/.") || text.ends_with('/');
    if !odd {
        return text;
    }
    let parts: Vec<&str> = text.split('/').filter(|part| !part.is_empty() && *part != ".").collect();
    format!("/{}", parts.join("/"))
}

impl RemotePath {
    pub fn join(&self, child: &str) -> Result<RemotePath, String> {
        RemotePath::new(format!("{}/{}", self.0.trim_end_matches('/'), child))
    }
    /// The folder that holds it; `/` has none.
    pub fn parent(&self) -> Option<RemotePath> {
        let trimmed = self.0.trim_end_matches('/');
        let at = trimmed.rfind('/')?;
        if trimmed.is_empty() {
            return None;
        }
        Some(RemotePath(if at == 0 { "/".into() } else { trimmed[..at].into() }))
    }
    pub fn file_name(&self) -> &str {
        self.0.trim_end_matches('/').rsplit('/').next().unwrap_or("")
    }
}

/// Permission bits, written `"0644"` in TOML; a bare number is an error that says what to write.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(into = "String")]
pub struct FileMode(pub u32);

impl fmt::Display for FileMode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04o}", self.0)
    }
}
impl fmt::Debug for FileMode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}
impl From<FileMode> for String {
    fn from(mode: FileMode) -> String {
        mode.to_string()
    }
}

impl<'de> Deserialize<'de> for FileMode {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl serde::de::Visitor<'_> for Visitor {
            type Value = FileMode;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a file mode in quotes, such as \"0644\"")
            }
            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<FileMode, E> {
                let octal =
                    (3..=4).contains(&text.len()).then(|| u32::from_str_radix(text, 8).ok()).flatten();
                octal.map(FileMode).ok_or_else(|| {
                    E::custom(format!(
                        "{text:?} is not a file mode: write four octal digits in quotes, such as \"0644\""
                    ))
                })
            }
            fn visit_i64<E: serde::de::Error>(self, number: i64) -> Result<FileMode, E> {
                Err(E::custom(format!("a file mode is written in quotes: \"{number:04}\", not {number}")))
            }
        }
        deserializer.deserialize_any(Visitor)
    }
}

#[cfg(test)]
mod tests {
    use super::{FileMode, HostName, RemotePath};

    #[test]
    fn paths_are_absolute_and_normal() {
        for bad in ["etc/motd", "/srv/../etc", "/a\nb", ""] {
            assert!(RemotePath::new(bad).is_err(), "{bad:?}");
        }
        let path = RemotePath::new("/srv/app/x").unwrap();
        assert_eq!(path.parent().unwrap().as_str(), "/srv/app");
        assert_eq!(path.file_name(), "x");
        assert_eq!(RemotePath::new("/x").unwrap().parent().unwrap().as_str(), "/");
        for (odd, normal) in
            [("/", "/"), ("//srv/./app//", "/srv/app"), ("/srv/.", "/srv"), ("/.a/b", "/.a/b")]
        {
            assert_eq!(RemotePath::new(odd).unwrap().as_str(), normal);
        }
    }

    #[test]
    fn names_never_look_like_options() {
        for bad in ["-oProxyCommand=x", "..", "a b", "", "a\u{1b}", "$", "$HOME", "a$_T"] {
            assert!(HostName::new(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn a_bare_mode_is_refused_with_what_to_write() {
        #[derive(serde::Deserialize)]
        struct Table {
            mode: FileMode,
        }
        assert_eq!(toml::from_str::<Table>("mode = '0640'").unwrap().mode.0, 0o640);
        let error = toml::from_str::<Table>("mode = 755").map(|table| table.mode).unwrap_err().to_string();
        assert!(error.contains("\"0755\", not 755"), "{error}");
    }
}
