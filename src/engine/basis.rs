//! A release beside the one whose place it takes: which file of the one is which of the other.

use crate::words::content::{Content, Digest};
use crate::words::fact::{Fact, Facts, Probe};
use crate::words::names::{RemotePath, UserName};
use crate::words::shell::quote;
use crate::words::step::Diff;

/// A longer file is not shown.
const MOST_SHOWN: usize = 256 << 10;

/// Names of what is made anew and of what that takes the place of: a file whose path has the one, and that is not there
/// yet, is compared with the file whose path has the other.
#[derive(Clone, Debug)]
pub struct Basis {
    pub new: String,
    pub old: String,
}

impl Basis {
    pub fn path(&self, path: &RemotePath) -> Option<RemotePath> {
        let old = renamed(path.as_str(), &self.new, &self.old);
        RemotePath::new(old).ok().filter(|old| old != path)
    }

    /// A file that only says of which release it is is the same.
    pub fn is_same(&self, old: &Digest, new: &Content) -> bool {
        let names_itself = || {
            let text = text_of(new).filter(|text| text.contains(&self.new))?;
            Some(Digest::of(renamed(text, &self.new, &self.old).as_bytes()))
        };
        old == new.digest() || names_itself().as_ref() == Some(old)
    }

    /// Whether it is the same; then, what it holds.
    pub fn probe(&self, diff: &Diff, facts: &Facts) -> Option<Probe> {
        let (path, new) = (self.path(&diff.path)?, diff.new.as_ref()?);
        match facts.raw(&Probe::Digest(path.clone())) {
            None => Some(Probe::Digest(path)),
            Some(Fact::Digest(Some(old)))
                if !diff.secret && text_of(new).is_some() && !self.is_same(old, new) =>
            {
                public(&path)
            }
            _ => None,
        }
    }

    /// What is there, where it may be shown.
    pub fn text(&self, path: &RemotePath, facts: &Facts) -> Option<String> {
        let old = facts.output(&public(path)?).ok()?;
        (old.success() && old.stdout.len() < MOST_SHOWN).then(|| old.stdout.clone())
    }
}

/// With `to` in place of `from`, wherever that stands as a word of its own.
fn renamed(text: &str, from: &str, to: &str) -> String {
    let is_part = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    let (mut out, mut rest) = (String::with_capacity(text.len()), text);
    while let Some(at) = rest.find(from).filter(|_| !from.is_empty()) {
        let (before, after) = (&rest[..at], &rest[at + from.len()..]);
        out.push_str(before);
        let is_word = !before.ends_with(is_part) && !after.starts_with(is_part);
        out.push_str(if is_word { to } else { from });
        rest = after;
    }
    out + rest
}

/// A folder of the application's account may have links in it, and what was no secret once may be one by now: shown is
/// what anybody on the host may read.
fn public(path: &RemotePath) -> Option<Probe> {
    let file = quote(path.as_str());
    let script = format!("[ -f {file} ] && head -c {MOST_SHOWN} -- {file}");
    Some(Probe::Shell { script, user: Some(UserName::new("nobody").ok()?) })
}

pub fn text_of(content: &Content) -> Option<&str> {
    std::str::from_utf8(content.as_bytes()?).ok()
}

#[cfg(test)]
mod tests {
    use super::renamed;

    #[test]
    fn only_whole_names_are_taken_for_a_name() {
        assert_eq!(
            renamed("/5-b/x 15-b 5-bc shop@5-b.service", "5-b", "4-a"),
            "/4-a/x 15-b 5-bc shop@4-a.service"
        );
    }
}
