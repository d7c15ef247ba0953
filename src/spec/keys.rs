//! The values of the keys that every task may carry: texts, conditions, loops, names of results.

use std::sync::Arc;

use crate::spec::args::Arg;
use crate::spec::read::{Reader, Word};
use crate::spec::source::{Entry, Span, Value};
use crate::spec::template::{Compiled, is_template};
use crate::spec::vars::{RESERVED, Templates, locate};

/// A string that may be a template.
#[derive(Clone, Debug)]
pub struct Text {
    pub raw: String,
    pub compiled: Option<Arc<Compiled>>,
    pub span: Span,
}

/// A condition.
#[derive(Clone, Debug)]
pub struct Test {
    pub text: Arc<str>,
    pub compiled: Arc<Compiled>,
    pub span: Span,
}

#[derive(Debug)]
pub enum ForEach {
    Given(Arg),
    /// The name of a variable that is an array or a table.
    Variable(Word),
    /// Neither, and reported.
    Broken,
}

pub fn text(entry: &Entry, templates: &Templates, reader: &mut Reader<'_>) -> Option<Text> {
    let text = reader.string(entry)?;
    word_text(Word { text, span: entry.node.span.clone() }, templates, reader)
}

pub fn once(entry: &Entry, templates: &Templates, reader: &mut Reader<'_>) -> Option<Text> {
    match &entry.node.value {
        Value::Bool(yes) => {
            yes.then(|| Text { raw: String::new(), compiled: None, span: entry.node.span.clone() })
        }
        Value::String(words) if is_template(words) => text(entry, templates, reader),
        _ => {
            reader.wrong_type("`once`", &entry.node, "true, false or a text with a variable");
            None
        }
    }
}

/// What kinds do beside running what the user wrote would not bear it.
pub fn detached(entry: &Entry, kind: &str, reader: &mut Reader<'_>) -> bool {
    let is_detached = reader.boolean(entry).unwrap_or(false);
    if is_detached && !["command", "script"].contains(&kind) {
        let message = format!("`detached` is for `command` and `script`, not for `{kind}`");
        reader.mistake(&entry.key_span, message, "`pip` and `certificate` are so by themselves");
    }
    is_detached
}

pub fn word_text(word: Word, templates: &Templates, reader: &mut Reader<'_>) -> Option<Text> {
    if !is_template(&word.text) {
        return Some(Text { raw: word.text, compiled: None, span: word.span });
    }
    match templates.compile(&word.text) {
        Ok(compiled) => Some(Text { raw: word.text, compiled: Some(compiled), span: word.span }),
        Err(fault) => {
            reader.mistakes.push(locate(reader.file, &word.span, &fault));
            None
        }
    }
}

pub fn test(entry: &Entry, reader: &mut Reader<'_>) -> Option<Test> {
    let text = match &entry.node.value {
        Value::Bool(yes) => yes.to_string(),
        _ => reader.string(entry)?,
    };
    if text.trim().is_empty() {
        let message = format!("`{}` is empty", entry.key);
        reader.mistake(&entry.node.span, message, "expected a condition");
        reader.advise(format!("write for example {} = \"app.migrate\", or leave it out", entry.key));
        return None;
    }
    match Compiled::condition(&text) {
        Ok(compiled) => Some(Test { text: text.trim().into(), compiled, span: entry.node.span.clone() }),
        Err(fault) => {
            reader.mistakes.push(locate(reader.file, &entry.node.span, &fault));
            None
        }
    }
}

pub fn for_each(entry: &Entry, templates: &Templates, reader: &mut Reader<'_>) -> ForEach {
    if let Value::String(text) = &entry.node.value {
        let name = text.trim().trim_start_matches("{{").trim_end_matches("}}").trim();
        return ForEach::Variable(Word { text: name.to_owned(), span: entry.node.span.clone() });
    }
    if !matches!(entry.node.value, Value::Array(_) | Value::Table(_)) {
        reader.wrong_type(
            "`for_each`",
            &entry.node,
            "an array, a table, or the name of a variable that is one",
        );
        return ForEach::Broken;
    }
    let arg = Arg::new(&entry.node, reader.file, templates, reader.mistakes);
    ForEach::Given(arg)
}

pub fn register(entry: &Entry, reader: &mut Reader<'_>) -> Option<Word> {
    let text = reader.string(entry)?;
    let letter = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let named = text.starts_with(|c: char| c.is_ascii_alphabetic()) && text.chars().all(letter);
    if RESERVED.contains(&text.as_str()) || !named {
        let message = format!("`{}` cannot be the name of a result", text.escape_debug());
        reader.mistake(
            &entry.node.span,
            message,
            "expected a name of letters, digits and `_` that is not taken",
        );
        return None;
    }
    Some(Word { text, span: entry.node.span.clone() })
}
