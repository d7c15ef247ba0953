//! Reading typed values out of a tree, with a mistake for each that is of another type or has no meaning.

use std::sync::Arc;
use std::time::Duration;

use crate::spec::mistake::{Mistake, Mistakes};
use crate::spec::source::{Entry, Node, Span, TextFile, Value};
use crate::spec::suggest::advice;

/// A file being read, and what was found wrong with it.
#[derive(Debug)]
pub struct Reader<'a> {
    pub file: &'a Arc<TextFile>,
    pub mistakes: &'a mut Mistakes,
}

/// Text with its place.
#[derive(Clone, Debug)]
pub struct Word {
    pub text: String,
    pub span: Span,
}

impl Reader<'_> {
    pub fn mistake(&mut self, span: &Span, message: impl Into<String>, label: impl Into<String>) {
        self.mistakes.push(Mistake::at(self.file, span.clone(), message).label(label));
    }
    /// What to do about the mistake that was just found.
    pub fn advise(&mut self, help: String) {
        if let Some(last) = self.mistakes.list.last_mut() {
            last.help = Some(help);
        }
    }
    pub fn wrong_type(&mut self, what: &str, node: &Node, expected: &str) {
        let message = format!("{what} must be {expected}, not {}", node.type_name());
        self.mistake(&node.span, message, format!("expected {expected}"));
    }
    pub fn unknown_key(&mut self, entry: &Entry, allowed: &[&str], what: &str) {
        let message = format!("unknown key `{}` in {what}", entry.key);
        let help = advice(&entry.key, allowed.iter().copied(), "the keys are");
        self.mistakes.push(
            Mistake::at(self.file, entry.key_span.clone(), message)
                .label("not a key that it has")
                .maybe_help(help),
        );
    }
    pub fn table<'n>(&mut self, entry: &'n Entry) -> Option<&'n [Entry]> {
        if let Value::Table(entries) = &entry.node.value {
            return Some(entries);
        }
        self.wrong_type(&format!("`{}`", entry.key), &entry.node, "a table");
        None
    }
    pub fn tables<'n>(&mut self, entry: &'n Entry) -> Vec<&'n Node> {
        let is_table = |node: &&Node| matches!(node.value, Value::Table(_));
        match &entry.node.value {
            Value::Array(items) if items.iter().all(|item| is_table(&item)) => items.iter().collect(),
            _ => {
                let expected = format!("an array of tables: `[[{}]]`", entry.key);
                self.wrong_type(&format!("`{}`", entry.key), &entry.node, &expected);
                vec![]
            }
        }
    }
    pub fn string(&mut self, entry: &Entry) -> Option<String> {
        let text = entry.node.as_str().map(str::to_owned);
        if text.is_none() {
            self.wrong_type(&format!("`{}`", entry.key), &entry.node, "a string");
        }
        text
    }
    pub fn boolean(&mut self, entry: &Entry) -> Option<bool> {
        if let Value::Bool(yes) = entry.node.value {
            return Some(yes);
        }
        self.wrong_type(&format!("`{}`", entry.key), &entry.node, "true or false");
        None
    }
    pub fn integer<T: TryFrom<i64>>(&mut self, entry: &Entry, expected: &str) -> Option<T> {
        let number = match entry.node.value {
            Value::Integer(number) => T::try_from(number).ok(),
            _ => None,
        };
        if number.is_none() {
            let message = format!("`{}` must be {expected}", entry.key);
            self.mistake(&entry.node.span, message, format!("expected {expected}"));
        }
        number
    }
    /// `"a"` or `["a", "b"]`.
    pub fn words(&mut self, entry: &Entry) -> Vec<Word> {
        let what = format!("`{}`", entry.key);
        let nodes = match &entry.node.value {
            Value::Array(items) => items.as_slice(),
            _ => std::slice::from_ref(&entry.node),
        };
        let mut words = vec![];
        for node in nodes {
            match node.as_str() {
                Some(text) => words.push(Word { text: text.to_owned(), span: node.span.clone() }),
                None => self.wrong_type(&what, node, "a string or an array of strings"),
            }
        }
        words
    }
    /// `"90s"`, `"5m"`, `"1h30m"`, or a number of seconds.
    pub fn duration(&mut self, entry: &Entry) -> Option<Duration> {
        let duration = match &entry.node.value {
            Value::Integer(seconds) => u64::try_from(*seconds).ok().map(Duration::from_secs),
            Value::Float(seconds) => Duration::try_from_secs_f64(*seconds).ok(),
            Value::String(text) => parse_duration(text),
            _ => None,
        };
        if duration.is_none() {
            let message = format!("`{}` is not a duration", entry.key);
            self.mistake(
                &entry.node.span,
                message,
                "expected \"30s\", \"5m\", \"1h30m\" or a number of seconds",
            );
        }
        duration
    }
}

fn parse_duration(text: &str) -> Option<Duration> {
    let mut total = Duration::ZERO;
    let mut rest = text.trim();
    if rest.is_empty() {
        return None;
    }
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
        let number: u64 = rest[..digits].parse().ok()?;
        rest = &rest[digits..];
        let unit = rest.find(|c: char| c.is_ascii_digit()).unwrap_or(rest.len());
        let milliseconds = match rest[..unit].trim() {
            "ms" => 1,
            "s" | "" => 1000,
            "m" | "min" => 60_000,
            "h" => 3_600_000,
            "d" => 86_400_000,
            _ => return None,
        };
        total = total.checked_add(Duration::from_millis(number.checked_mul(milliseconds)?))?;
        rest = &rest[unit..];
    }
    Some(total)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::parse_duration;

    #[test]
    fn durations() {
        assert_eq!(parse_duration("1h30m"), Some(Duration::from_secs(5400)));
        assert_eq!(parse_duration("250ms"), Some(Duration::from_millis(250)));
        assert_eq!(parse_duration("90"), Some(Duration::from_secs(90)));
        for wrong in ["", "m", "5 parsecs", "-1s", "99999999999999999999s"] {
            assert_eq!(parse_duration(wrong), None, "{wrong}");
        }
    }
}
