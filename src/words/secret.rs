//! A value that cannot be printed, and the mask that keeps it out of everything that is.

use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard};

use zeroize::Zeroizing;

/// Shorter ones cannot be masked: replacing every `1` would make all output unreadable.
pub const SHORTEST: usize = 4;

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

/// Replaces every known secret in text by `•••`, in the forms in which it commonly appears. Clones are one mask: what
/// one of them learns, all know.
#[derive(Clone, Default)]
pub struct Mask {
    /// Longest first, so that a secret that contains another is replaced whole.
    needles: Arc<RwLock<Vec<Needle>>>,
}

type Needle = Zeroizing<String>;

impl std::fmt::Debug for Mask {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Mask({} forms)", self.known().len())
    }
}

pub const MASKED: &str = "•••";

/// Of a secret of several lines, shorter ones (a brace, `true`) say nothing.
const SHORTEST_LINE: usize = 6;

impl Mask {
    pub fn new<'a>(secrets: impl IntoIterator<Item = &'a Secret>) -> Mask {
        let mask = Mask::default();
        mask.learn(secrets);
        mask
    }

    /// From now on these are hidden too. Values shorter than [`SHORTEST`] are left out.
    pub fn learn<'a>(&self, secrets: impl IntoIterator<Item = &'a Secret>) {
        let mut needles: Vec<Needle> = Vec::new();
        for secret in secrets.into_iter().map(Secret::reveal).filter(|value| value.len() >= SHORTEST) {
            needles.extend(forms(secret).into_iter().map(Zeroizing::new));
            // A secret of several lines (a key) appears line by line in output and diffs.
            let lines = secret.lines().map(str::trim);
            let lines = lines.filter(|line| secret.contains('\n') && line.len() >= SHORTEST_LINE);
            needles.extend(lines.flat_map(forms).map(Zeroizing::new));
        }
        self.add(needles);
    }

    /// From now on all that `other` knows is hidden too.
    pub fn join(&self, other: &Mask) {
        let needles = other.known().clone();
        self.add(needles);
    }

    fn add(&self, more: Vec<Needle>) {
        let mut needles = self.needles.write().unwrap_or_else(PoisonError::into_inner);
        needles.extend(more);
        needles.sort_by(|a, b| b.len().cmp(&a.len()).then_with(|| a.cmp(b)));
        needles.dedup();
    }

    fn known(&self) -> RwLockReadGuard<'_, Vec<Needle>> {
        self.needles.read().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn is_empty(&self) -> bool {
        self.known().is_empty()
    }

    pub fn apply(&self, text: &str) -> String {
        self.known().iter().fold(text.to_owned(), |text, needle| text.replace(needle.as_str(), MASKED))
    }

    /// How many bytes at the end of `text` may be the beginning of a secret whose rest has not come yet.
    pub fn begun(&self, text: &[u8]) -> usize {
        let begins = |needle: &[u8]| {
            (1..needle.len().min(text.len() + 1)).rev().find(|&n| text.ends_with(&needle[..n])).unwrap_or(0)
        };
        self.known().iter().map(|needle| begins(needle.as_bytes())).max().unwrap_or(0)
    }

    /// How many bytes at the start of `text` may be the end of a secret whose beginning is missing.
    pub fn ending(&self, text: &[u8]) -> usize {
        let ends = |needle: &[u8]| {
            let longest = needle.len().saturating_sub(1).min(text.len());
            (1..=longest).rev().find(|&n| text.starts_with(&needle[needle.len() - n..])).unwrap_or(0)
        };
        self.known().iter().map(|needle| ends(needle.as_bytes())).max().unwrap_or(0)
    }
}

/// A secret as it is, and as JSON, the shell, URLs, dotenv files and base64 have it.
fn forms(secret: &str) -> Vec<String> {
    let json = serde_json::to_string(secret).unwrap_or_default();
    let url = percent_encoded(secret);
    let base64 = (0..3).map(|offset| base64(secret.as_bytes(), offset)).filter(|form| form.len() >= 4);
    let mut forms: Vec<String> =
        base64.flat_map(|form| [form.replace('+', "-").replace('/', "_"), form]).collect();
    forms.extend([
        secret.to_owned(),
        json.get(1..json.len().saturating_sub(1)).unwrap_or_default().to_owned(),
        secret.replace('\'', r"'\''"),
        // As Python's shlex.quote and some others have it.
        secret.replace('\'', "'\"'\"'"),
        secret.replace('\'', r"\'"),
        // Of a path, and of a form.
        url.replace("%2F", "/"),
        url.replace("%20", "+"),
        lower_hex(&url),
        url,
    ]);
    forms
}

/// `%C3` as `%c3`.
fn lower_hex(url: &str) -> String {
    let mut parts = url.split('%');
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |out, part| {
        let (code, rest) = part.split_at(part.len().min(2));
        out + "%" + &code.to_ascii_lowercase() + rest
    })
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

/// What of the base64 of a larger text depends on `bytes` alone, when so many bytes (0, 1 or 2, modulo 3) stand
/// before them: HTTP's `user:password` is one.
pub fn base64(bytes: &[u8], before: usize) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let bit = |at: usize| usize::from(bytes[at / 8] >> (7 - at % 8) & 1);
    // The first digit that has no bit of what stands before begins here.
    let first = (before * 8).next_multiple_of(6) - before * 8;
    let digits = (bytes.len() * 8).saturating_sub(first) / 6;
    let digit = |n: usize| (0..6).fold(0, |value, i| value << 1 | bit(first + n * 6 + i));
    (0..digits).map(|n| char::from(ALPHABET[digit(n)])).collect()
}

#[cfg(test)]
mod tests {
    use super::{Mask, Secret};

    trait Otherwise {
        const _IS_SO: bool = false;
    }
    impl<T: ?Sized> Otherwise for T {}

    /// Whether `$type` implements `$trait`: an inherent constant, there only if it does, wins over a trait's.
    macro_rules! implements {
        ($type:ty: $($trait:tt)+) => {{
            struct Asked<T: ?Sized>(std::marker::PhantomData<T>);
            impl<T: ?Sized + $($trait)+> Asked<T> {
                const _IS_SO: bool = true;
            }
            <Asked<$type>>::_IS_SO
        }};
    }

    /// Whoever adds one of these to [`Secret`] cannot compile the tests any more.
    const _: () = {
        assert!(!implements!(Secret: std::fmt::Debug));
        assert!(!implements!(Secret: std::fmt::Display));
        assert!(!implements!(Secret: ToString));
        assert!(!implements!(Secret: serde::Serialize));
        assert!(!implements!(Secret: AsRef<str>));
        assert!(!implements!(Secret: std::borrow::Borrow<str>));
        assert!(!implements!(Secret: std::ops::Deref));
        assert!(!implements!(Secret: Into<String>));
        // The question can be answered with yes.
        assert!(implements!(Secret: Clone));
        assert!(implements!(String: std::fmt::Debug));
        assert!(implements!(String: Into<String>));
    };

    #[test]
    fn what_one_clone_learns_all_know() {
        let mask = Mask::default();
        let other = mask.clone();
        assert!(other.is_empty());
        mask.learn([&Secret::new("hunter22".into()), &Secret::new("abc".into())]);
        assert_eq!(other.apply("hunter22 abc"), "••• abc");
        let third = Mask::default();
        third.join(&other);
        assert_eq!(third.apply("hunter22"), "•••");
        mask.join(&other);
    }

    #[test]
    fn masks_every_form() {
        let secret = Secret::new("p@ss'w\"ord".into());
        let mask = Mask::new([&secret]);
        for text in ["p@ss'w\"ord", r#"p@ss'w\"ord"#, r#"p@ss'\''w"ord"#, "p%40ss%27w%22ord"] {
            assert_eq!(mask.apply(&format!("x={text}!")), "x=•••!", "{text}");
        }
        // The last digit has bits of what follows, the first of what stands before.
        for text in ["cEBzcyd3Im9yZA==", "eHBAc3MndyJvcmQK", "eHhwQHNzJ3cib3Jk"] {
            let shown = mask.apply(text);
            assert!(shown.contains("•••") && shown.len() <= "•••".len() + 6, "{shown}");
        }
    }

    #[test]
    fn knows_what_may_be_half_a_secret() {
        let mask = Mask::new([&Secret::new("hunter22".into())]);
        assert_eq!((mask.begun(b"x hunt"), mask.begun(b"x hunter22"), mask.begun(b"")), (4, 0, 0));
        assert_eq!((mask.ending(b"er22 x"), mask.ending(b"hunter22")), (4, 0));
    }

    #[test]
    fn masks_a_key_line_by_line() {
        let secret = Secret::new("-----BEGIN KEY-----\nabcdefghijkl\n".into());
        assert_eq!(Mask::new([&secret]).apply("> abcdefghijkl"), "> •••");
    }
}
