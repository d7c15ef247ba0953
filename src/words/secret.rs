//! A value that cannot be printed, and the mask that keeps it out of everything that is.

use zeroize::Zeroizing;

/// No Debug, Display or Serialize: what needs the value must say [`Secret::reveal`].
#[derive(Clone)]
pub struct Secret(Zeroizing<String>);

impl Secret {
    pub fn new(value: String) -> Secret {
        Secret(Zeroizing::new(value))
    }
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

/// Replaces every known secret in text by `•••`, in the forms in which it commonly appears.
#[derive(Clone, Default)]
pub struct Mask {
    /// Longest first, so that a secret that contains another is replaced whole.
    needles: Vec<Zeroizing<String>>,
}

impl std::fmt::Debug for Mask {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Mask({} forms)", self.needles.len())
    }
}

pub const MASKED: &str = "•••";

impl Mask {
    /// Values shorter than four characters are left out: masking `1` would make everything unreadable.
    pub fn new<'a>(secrets: impl IntoIterator<Item = &'a Secret>) -> Mask {
        let mut needles: Vec<Zeroizing<String>> = Vec::new();
        for secret in secrets.into_iter().map(Secret::reveal).filter(|value| value.len() >= 4) {
            let json = serde_json::to_string(secret).unwrap_or_default();
            let forms = [
                secret.to_owned(),
                json.trim_matches('"').to_owned(),
                secret.replace('\'', r"'\''"),
                percent_encoded(secret),
                base64(secret.as_bytes()),
            ];
            needles.extend(forms.into_iter().map(Zeroizing::new));
            // A secret of several lines (a key) appears line by line in output and diffs.
            let lines = secret.lines().filter(|line| secret.contains('\n') && line.trim().len() >= 8);
            needles.extend(lines.map(|line| Zeroizing::new(line.trim().to_owned())));
        }
        needles.sort_by(|a, b| b.len().cmp(&a.len()).then_with(|| a.cmp(b)));
        needles.dedup();
        Mask { needles }
    }

    pub fn is_empty(&self) -> bool {
        self.needles.is_empty()
    }

    pub fn apply(&self, text: &str) -> String {
        self.needles.iter().fold(text.to_owned(), |text, needle| text.replace(needle.as_str(), MASKED))
    }

    /// The length of the longest form: a stream that is masked chunk by chunk must hold back that much.
    pub fn longest(&self) -> usize {
        self.needles.first().map_or(0, |needle| needle.len())
    }
}

fn percent_encoded(text: &str) -> String {
    use std::fmt::Write as _;
    text.bytes().fold(String::new(), |mut out, byte| {
        if byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            let _ = write!(out, "%{byte:02X}");
        }
        out
    })
}

/// Without the last, padded group, whose bits depend on what follows.
fn base64(bytes: &[u8]) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut out = String::new();
    for chunk in bytes.chunks(3) {
        let word = chunk.iter().fold(0u32, |word, &b| word << 8 | u32::from(b)) << (8 * (3 - chunk.len()));
        for position in 0..=chunk.len() {
            out.push(char::from(ALPHABET[(word >> (18 - 6 * position) & 63) as usize]));
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::{Mask, Secret};

    #[test]
    fn masks_every_form() {
        let secret = Secret::new("p@ss'w\"ord".into());
        let mask = Mask::new([&secret]);
        for text in
            ["p@ss'w\"ord", r#"p@ss'w\"ord"#, r#"p@ss'\''w"ord"#, "p%40ss%27w%22ord", "cEBzcyd3Im9yZA"]
        {
            assert_eq!(mask.apply(&format!("x={text}!")), "x=•••!", "{text}");
        }
    }

    #[test]
    fn masks_a_key_line_by_line() {
        let secret = Secret::new("-----BEGIN KEY-----\nabcdefghijkl\n".into());
        assert_eq!(Mask::new([&secret]).apply("> abcdefghijkl"), "> •••");
    }
}
