//! The project's secrets file once it is decrypted: TOML, `name = "value"` for each. Comments and order stay as they
//! were written. No message repeats anything but names and numbers of lines.

use toml::de::{DeTable, DeValue};
use zeroize::Zeroizing;

use crate::words::secret::{SHORTEST, Secret};

const MAX_BYTES: usize = 1 << 20;

pub struct Vault {
    text: Zeroizing<String>,
    entries: Vec<Kept>,
}

struct Kept {
    name: String,
    value: Secret,
    /// Where the whole of `name = "value"` stands.
    span: std::ops::Range<usize>,
}

/// Without the values.
impl std::fmt::Debug for Vault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Vault({} secrets)", self.entries.len())
    }
}

impl Vault {
    pub fn empty() -> Vault {
        Vault { text: Zeroizing::default(), entries: vec![] }
    }

    /// Or all that is wrong with it, a sentence each.
    pub fn parse(text: Zeroizing<String>) -> Result<Vault, Vec<String>> {
        if text.len() > MAX_BYTES {
            return Err(vec!["it is larger than 1 MiB".to_owned()]);
        }
        let (table, errors) = DeTable::parse_recoverable(&text);
        let mut wrong: Vec<String> = vec![];
        for error in errors {
            // The parser's own words may repeat what stands there.
            let line = line(&text, error.span().map_or(0, |span| span.start));
            let message = format!("line {line} cannot be read: expected name = \"value\", each name once");
            if !wrong.contains(&message) {
                wrong.push(message);
            }
        }
        let mut entries = vec![];
        for (key, value) in table.into_inner() {
            let (start, name, end) = (key.span().start, key.get_ref().to_string(), value.span().end);
            match checked(&name, value.into_inner()) {
                Ok(value) => entries.push(Kept { name, value, span: start..end }),
                Err(why) => wrong.push(format!("line {}: {why}", line(&text, start))),
            }
        }
        if wrong.is_empty() { Ok(Vault { text, entries }) } else { Err(wrong) }
    }

    pub fn text(&self) -> &str {
        &self.text
    }

    /// In the order of the file.
    pub fn entries(&self) -> impl Iterator<Item = (&str, &Secret)> {
        self.entries.iter().map(|kept| (kept.name.as_str(), &kept.value))
    }

    pub fn value(&self, name: &str) -> Option<&Secret> {
        self.entries().find(|(known, _)| *known == name).map(|(_, value)| value)
    }

    /// With `name` set to `value`; everything else stays as it is.
    pub fn with(&self, name: &str, value: &Secret) -> Result<Vault, Vec<String>> {
        let literal = Zeroizing::new(toml::Value::from(value.reveal()).to_string());
        let line = Zeroizing::new(format!("{name} = {}", *literal));
        let text = match self.entries.iter().find(|kept| kept.name == name) {
            Some(kept) => {
                [&self.text[..kept.span.start], line.as_str(), &self.text[kept.span.end..]].concat()
            }
            None if self.text.is_empty() || self.text.ends_with('\n') => {
                [self.text.as_str(), line.as_str(), "\n"].concat()
            }
            None => [self.text.as_str(), "\n", line.as_str(), "\n"].concat(),
        };
        Vault::parse(Zeroizing::new(text))
    }

    /// Without `name` and the line that it stood in; `None` when there is no such secret.
    pub fn without(&self, name: &str) -> Option<Result<Vault, Vec<String>>> {
        let kept = self.entries.iter().find(|kept| kept.name == name)?;
        let start = self.text[..kept.span.start].rfind('\n').map_or(0, |at| at + 1);
        let end = self.text[kept.span.end..].find('\n').map_or(self.text.len(), |at| kept.span.end + at + 1);
        Some(Vault::parse(Zeroizing::new([&self.text[..start], &self.text[end..]].concat())))
    }
}

fn line(text: &str, offset: usize) -> usize {
    1 + text.bytes().take(offset).filter(|byte| *byte == b'\n').count()
}

fn checked(name: &str, value: DeValue<'_>) -> Result<Secret, String> {
    check_name(name)?;
    let DeValue::String(value) = value else {
        return Err(format!("the value of `{name}` must stand in quotes"));
    };
    let secret = Secret::new(value.into_owned());
    match secret.reveal().len() {
        0..SHORTEST => {
            Err(format!("`{name}` is shorter than {SHORTEST} characters, and could not be masked"))
        }
        _ => Ok(secret),
    }
}

/// What templates can mention as `secrets.NAME`.
pub fn check_name(name: &str) -> Result<(), String> {
    let starts = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
    if starts && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-".contains(&byte)) {
        return Ok(());
    }
    Err(format!("`{}` is no name of a secret: expected letters, digits, `_` and `-`", name.escape_debug()))
}

#[cfg(test)]
mod tests {
    use zeroize::Zeroizing;

    use super::Vault;
    use crate::words::secret::Secret;

    fn vault(text: &str) -> Vault {
        Vault::parse(Zeroizing::new(text.to_owned())).unwrap()
    }

    #[test]
    fn what_is_set_is_read_again_and_the_rest_stays() {
        let before = vault("# for the shop\na = \"first\"  # old\n\nb = '''one\ntwo'''\n");
        for value in ["hunter2\"\\", "line\nline\n", "'''\"\"\"", "ünï \u{1} \t", "a = 1\n[b]\n"] {
            let set = before.with("a", &Secret::new(value.into())).unwrap();
            assert_eq!(set.value("a").map(Secret::reveal), Some(value));
            assert_eq!(set.value("b").map(Secret::reveal), Some("one\ntwo"));
            assert!(
                set.text().starts_with("# for the shop\n") && set.text().contains("# old"),
                "{}",
                set.text()
            );
            let new = before.with("c", &Secret::new(value.into())).unwrap();
            let names: Vec<_> = new.entries().map(|(name, _)| name.to_owned()).collect();
            assert_eq!(names, ["a", "b", "c"]);
            assert_eq!(new.without("c").unwrap().unwrap().text(), before.text(), "{value:?}");
        }
        assert_eq!(before.without("b").unwrap().unwrap().text(), "# for the shop\na = \"first\"  # old\n\n");
        assert!(before.without("nothing").is_none());
        assert_eq!(
            vault("a = \"hunter2\"").with("b", &Secret::new("12345".into())).unwrap().text().lines().count(),
            2
        );
    }

    #[test]
    fn what_is_wrong_is_said_without_any_value() {
        let wrong = |text: &str| {
            let wrong = Vault::parse(Zeroizing::new(text.to_owned())).unwrap_err();
            assert!(wrong.iter().all(|line| !line.contains("canary")), "{wrong:?}");
            wrong
        };
        assert_eq!(wrong("a = canary\nb = 'canary\n").len(), 2);
        assert!(wrong("ok = 'canary'\na = 1\n")[0].contains("line 2: the value of `a` must stand in quotes"));
        assert!(wrong("[a]\nb = 'canary'\n")[0].contains("`a` must stand in quotes"));
        assert!(wrong("a = 'abc'\n")[0].contains("shorter than 4"));
        assert!(wrong("'a b' = 'canary'\n")[0].contains("no name of a secret"));
        assert!(wrong("a = 'canary1'\na = 'canary2'\n")[0].contains("line 2"));
    }
}
