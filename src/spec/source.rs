//! A TOML file as a tree in which every value knows where it stands. Refuses what is too large or too deep.

use std::ops::Range;
use std::sync::Arc;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::spec::hidden;
use crate::spec::mistake::{Mistake, Mistakes};

pub type Span = Range<usize>;

const MAX_BYTES: usize = 1 << 20;
const MAX_DEPTH: usize = 32;

/// A file's name, as messages show it, and its text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TextFile {
    pub name: String,
    pub text: String,
    /// Where relative paths in it begin; empty when nobody said.
    folder: String,
}

impl TextFile {
    pub fn new(name: impl Into<String>, text: impl Into<String>) -> TextFile {
        TextFile { name: name.into(), text: text.into(), folder: String::new() }
    }
    /// Relative paths in it begin at `folder`, which is absolute.
    #[must_use]
    pub fn in_folder(mut self, folder: impl Into<String>) -> TextFile {
        self.folder = folder.into();
        self
    }
    /// `path` as it is written in this file.
    pub fn beside(&self, path: &str) -> String {
        let whole = path.starts_with('/') || path == "~" || path.starts_with("~/") || self.folder.is_empty();
        if whole {
            return path.to_owned();
        }
        let path = path.strip_prefix("./").unwrap_or(path);
        format!("{}/{path}", self.folder.trim_end_matches('/'))
    }
    /// From 1.
    pub fn line(&self, offset: usize) -> usize {
        1 + self.text.as_bytes().iter().take(offset).filter(|byte| **byte == b'\n').count()
    }
}

#[derive(Clone, Debug)]
pub struct Node {
    pub span: Span,
    pub value: Value,
}

#[derive(Clone, Debug)]
pub enum Value {
    String(String),
    Integer(i64),
    Float(f64),
    Bool(bool),
    Datetime(toml::value::Datetime),
    Array(Vec<Node>),
    Table(Vec<Entry>),
}

#[derive(Clone, Debug)]
pub struct Entry {
    pub key: String,
    pub key_span: Span,
    pub node: Node,
}

impl Node {
    pub fn empty_table() -> Node {
        Node { span: 0..0, value: Value::Table(vec![]) }
    }
    pub fn as_str(&self) -> Option<&str> {
        match &self.value {
            Value::String(text) => Some(text),
            _ => None,
        }
    }
    pub fn entries(&self) -> &[Entry] {
        match &self.value {
            Value::Table(entries) => entries,
            _ => &[],
        }
    }
    pub fn entry(&self, key: &str) -> Option<&Entry> {
        self.entries().iter().find(|entry| entry.key == key)
    }
    pub fn type_name(&self) -> &'static str {
        match &self.value {
            Value::String(_) => "a string",
            Value::Integer(_) => "a number",
            Value::Float(_) => "a number with a point",
            Value::Bool(_) => "true or false",
            Value::Datetime(_) => "a date",
            Value::Array(_) => "an array",
            Value::Table(_) => "a table",
        }
    }
    pub fn json(&self) -> serde_json::Value {
        match &self.value {
            Value::String(text) => text.as_str().into(),
            Value::Integer(number) => (*number).into(),
            Value::Float(number) => (*number).into(),
            Value::Bool(yes) => (*yes).into(),
            Value::Datetime(date) => date.to_string().into(),
            Value::Array(items) => items.iter().map(Node::json).collect(),
            Value::Table(entries) => {
                let pairs = entries.iter().map(|entry| (entry.key.clone(), entry.node.json()));
                serde_json::Value::Object(pairs.collect())
            }
        }
    }
    pub fn toml(&self) -> toml::Value {
        match &self.value {
            Value::String(text) => toml::Value::String(text.clone()),
            Value::Integer(number) => toml::Value::Integer(*number),
            Value::Float(number) => toml::Value::Float(*number),
            Value::Bool(yes) => toml::Value::Boolean(*yes),
            Value::Datetime(date) => toml::Value::Datetime(*date),
            Value::Array(items) => toml::Value::Array(items.iter().map(Node::toml).collect()),
            Value::Table(entries) => toml::Value::Table(
                entries.iter().map(|entry| (entry.key.clone(), entry.node.toml())).collect(),
            ),
        }
    }
}

/// The file's table; what could not be read is left out and reported.
pub fn parse(file: &Arc<TextFile>, mistakes: &mut Mistakes) -> Node {
    if file.text.len() > MAX_BYTES {
        let message = format!("the file is larger than 1 MiB ({} bytes)", file.text.len());
        mistakes.push(Mistake::whole_file(file, message));
        return Node::empty_table();
    }
    if let Some(at) = endless_key(&file.text) {
        mistakes.push(too_deep(file, at..at + 1));
        return Node::empty_table();
    }
    let (table, errors) = DeTable::parse_recoverable(&file.text);
    let broken = !errors.is_empty();
    if broken {
        mistakes.hide(file, hidden::in_lines(&file.text));
    }
    for error in errors {
        let span = error.span().unwrap_or(0..0);
        mistakes
            .push(Mistake::at(file, span, error.message().trim().to_owned()).label("not valid TOML here"));
    }
    // What the parser made of a broken file is a guess: mistakes found in it would mislead.
    if broken {
        return Node::empty_table();
    }
    let span = table.span();
    Node { span, value: convert_table(file, table.into_inner(), 1, mistakes) }
}

fn too_deep(file: &Arc<TextFile>, span: Span) -> Mistake {
    Mistake::at(file, span, format!("tables and arrays are nested deeper than {MAX_DEPTH}"))
        .label("too deep")
        .help("write it flatter")
}

/// A dotted key of a thousand parts would be a tree that deep; the parser builds it without asking.
fn endless_key(text: &str) -> Option<usize> {
    let (mut dots, mut named) = (0_usize, false);
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            b'.' if named => {
                dots += 1;
                named = false;
                if dots > 1000 {
                    return Some(at);
                }
            }
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'_' | b'-' | b'"' | b'\'' => named = true,
            b' ' | b'\t' => {}
            _ => (dots, named) = (0, false),
        }
    }
    None
}

fn convert_table(file: &Arc<TextFile>, table: DeTable<'_>, depth: usize, mistakes: &mut Mistakes) -> Value {
    let entries = table.into_iter().map(|(key, value)| Entry {
        key_span: key.span(),
        key: key.into_inner().into_owned(),
        node: convert(file, value, depth, mistakes),
    });
    Value::Table(entries.collect())
}

fn convert(file: &Arc<TextFile>, value: Spanned<DeValue<'_>>, depth: usize, mistakes: &mut Mistakes) -> Node {
    let span = value.span();
    let value = match value.into_inner() {
        DeValue::String(text) => Value::String(text.into_owned()),
        DeValue::Integer(number) => i64::from_str_radix(number.as_str(), number.radix()).map_or_else(
            |_| {
                mistakes.push(
                    Mistake::at(file, span.clone(), "the number is too large")
                        .label("does not fit in 64 bits"),
                );
                Value::Integer(0)
            },
            Value::Integer,
        ),
        DeValue::Float(number) => Value::Float(number.as_str().parse().unwrap_or(f64::NAN)),
        DeValue::Boolean(yes) => Value::Bool(yes),
        DeValue::Datetime(date) => Value::Datetime(date),
        DeValue::Array(_) | DeValue::Table(_) if depth >= MAX_DEPTH => {
            mistakes.push(too_deep(file, span.clone()));
            Value::Table(vec![])
        }
        DeValue::Array(items) => {
            Value::Array(items.into_iter().map(|item| convert(file, item, depth + 1, mistakes)).collect())
        }
        DeValue::Table(table) => convert_table(file, table, depth + 1, mistakes),
    };
    Node { span, value }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::{TextFile, parse};
    use crate::spec::mistake::Mistakes;

    fn mistakes(text: &str) -> Vec<String> {
        let mut mistakes = Mistakes::default();
        parse(&Arc::new(TextFile::new("x.toml", text)), &mut mistakes);
        mistakes.list.into_iter().map(|mistake| mistake.message).collect()
    }

    #[test]
    fn values_know_where_they_stand() {
        let file = Arc::new(TextFile::new("x.toml", "a = 1\n[b]\nc = \"x\"\n"));
        let node = parse(&file, &mut Mistakes::default());
        let c = &node.entry("b").unwrap().node.entry("c").unwrap().node;
        assert_eq!(&file.text[c.span.clone()], "\"x\"");
        assert_eq!(file.line(c.span.start), 3);
    }

    #[test]
    fn size_and_depth_are_bounded() {
        assert!(mistakes(&"#".repeat((1 << 20) + 1))[0].contains("1 MiB"));
        assert!(mistakes(&format!("a = {}{}", "[".repeat(40), "]".repeat(40)))[0].contains("deeper than 32"));
        assert!(mistakes(&format!("{}a = 1", "a.".repeat(40)))[0].contains("deeper than 32"));
        assert!(mistakes(&format!("{}a = 1", "a.".repeat(200_000)))[0].contains("deeper than 32"));
        assert!(mistakes(&format!("a = {}", "[".repeat(200_000))).len() < 20);
    }

    #[test]
    fn every_syntax_error_is_reported() {
        assert_eq!(mistakes("a = \nb = 'x\nc = 1\n").len(), 2);
    }
}
