//! Why a template does not compile or render, and where in it.

use handlebars::{Context, RenderError, RenderErrorReason, TemplateErrorReason};
use serde_json::Value as Json;

use crate::spec::suggest::advice;
use crate::spec::template::value_at;

/// Why a template does not compile or render.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    pub message: String,
    pub help: Option<String>,
    /// What to point at in the text.
    pub at: At,
    /// Beside the caret.
    pub label: &'static str,
    /// Where the part of the template begins that failed, from 1; `at` is behind it.
    pub line_column: Option<(usize, usize)>,
}

/// What a function says about its arguments, or a variable about being shown.
#[derive(Debug)]
pub struct Refused {
    pub message: String,
    pub help: Option<String>,
    pub at: At,
}

impl std::error::Error for Refused {}

impl std::fmt::Display for Refused {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.message)
    }
}

/// The label of faults that may only follow from a broken inventory.
pub const NOT_FOUND: &str = "not found";

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum At {
    Whole,
    /// From 1.
    LineColumn(usize, usize),
    Word(String),
}

impl Fault {
    pub fn new(message: impl Into<String>, at: At) -> Fault {
        Fault { message: message.into(), help: None, at, label: "", line_column: None }
    }
    #[must_use]
    pub fn label(mut self, label: &'static str) -> Fault {
        self.label = label;
        self
    }
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Fault {
        self.help = Some(help.into());
        self
    }
    /// The bytes of `text` to point at.
    pub fn span(&self, text: &str) -> std::ops::Range<usize> {
        match &self.at {
            At::Whole => 0..text.len(),
            At::Word(word) => find_word(text, word).unwrap_or(0..text.len()),
            At::LineColumn(line, column) => {
                let at = offset(text, (*line, *column));
                at..(at + 2).min(text.len())
            }
        }
    }
    /// The bytes of a template file to point at: what failed in it, if not the first that looks like it.
    pub fn span_in_file(&self, text: &str) -> std::ops::Range<usize> {
        let Some(from) = self.line_column.map(|place| offset(text, place)) else {
            return if self.at == At::Whole { 0..0 } else { self.span(text) };
        };
        let tag = &text[from..];
        let inner = match &self.at {
            At::Word(word) => find_word(tag, word),
            _ => tag.find("}}").map(|end| 0..end + 2),
        };
        inner.map_or_else(|| self.span(text), |inner| from + inner.start..from + inner.end)
    }
}

/// Of a line and a column in characters, both from 1.
fn offset(text: &str, (line, column): (usize, usize)) -> usize {
    let start: usize = text.split_inclusive('\n').take(line.saturating_sub(1)).map(str::len).sum();
    let rest = &text[start..];
    start + rest.char_indices().nth(column.saturating_sub(1)).map_or(rest.len(), |(at, _)| at)
}

/// The parser's own words name the rules of its grammar, which help nobody.
pub fn unreadable(text: &str, reason: &TemplateErrorReason) -> String {
    match reason {
        TemplateErrorReason::MismatchingClosedHelper(open, close) => {
            format!("`{{{{#{open}}}}}` is closed by `{{{{/{close}}}}}`")
        }
        _ if text.matches("{{").count() > text.matches("}}").count() => "a `{{` lacks its `}}`".into(),
        _ => "it is no valid handlebars here".into(),
    }
}

/// A block that is opened and never closed; the parser only sees that the text ends.
pub fn unclosed(text: &str) -> Option<Fault> {
    let mut open: Vec<(usize, &str)> = vec![];
    let mut from = 0;
    while let Some(start) = text[from..].find("{{").map(|at| from + at) {
        let end = start + text[start..].find("}}")?;
        let tag = text[start..end].trim_start_matches(['{', '~']);
        let name = |tag: &'_ str| tag.trim().split(char::is_whitespace).next().map(str::len);
        if let Some(inner) = tag.strip_prefix('#') {
            let inner = inner.trim_start();
            open.push((start, &inner[..name(inner)?]));
        } else if let Some(inner) = tag.strip_prefix('/') {
            // Closed by another: the parser says that well.
            if open.pop()?.1 != inner.trim().trim_end_matches('~') {
                return None;
            }
        }
        from = end + 2;
    }
    let (start, name) = open.pop()?;
    let end = start + text[start..].find("}}")? + 2;
    let before = &text[..start];
    let line = before.matches('\n').count() + 1;
    let column = before.rsplit('\n').next().unwrap_or("").chars().count() + 1;
    let message = format!("the template cannot be read: `{}` lacks its `{{{{/{name}}}}}`", &text[start..end]);
    Some(Fault::new(message, At::LineColumn(line, column)).label("opened here"))
}

/// The first place where `word` stands inside of `{{ … }}` or alone.
fn find_word(text: &str, word: &str) -> Option<std::ops::Range<usize>> {
    let edge = |c: Option<char>| c.is_none_or(|c| !(c.is_alphanumeric() || "_-.".contains(c)));
    let mut hits = text.match_indices(word).filter(|(at, _)| {
        edge(text[..*at].chars().next_back()) && edge(text[at + word.len()..].chars().next())
    });
    let first = hits.clone().next();
    let inside = hits.find(|(at, _)| text[..*at].rfind("{{") > text[..*at].rfind("}}"));
    inside.or(first).map(|(at, _)| at..at + word.len())
}

pub fn of_render(error: &RenderError, context: &Context) -> Fault {
    let mut fault = match error.reason() {
        RenderErrorReason::MissingVariable(Some(path)) => missing(path, context.data()),
        RenderErrorReason::InvalidJsonIndex(key) => {
            Fault::new(format!("an array has no entry `{key}`"), At::Word(key.clone()))
        }
        RenderErrorReason::NestedError(inner) => match inner.downcast_ref::<Refused>() {
            Some(Refused { message, help, at }) => {
                Fault { help: help.clone(), ..Fault::new(message, at.clone()) }
            }
            None => Fault::new(inner.to_string(), At::Whole),
        },
        other => Fault::new(other.to_string(), At::Whole),
    };
    fault.line_column = error.line_no.zip(error.column_no);
    fault
}

fn missing(path: &str, root: &Json) -> Fault {
    let clean = path.trim_start_matches("@root.").trim_start_matches("@root/").trim_start_matches("../");
    let parts: Vec<String> = clean.split(['.', '/']).map(str::to_owned).collect();
    if value_at(root, &parts).is_some() {
        return Fault::new(format!("`{path}` is neither an array nor a table"), At::Word(path.to_owned()));
    }
    let known = (0..parts.len()).rev().find_map(|n| value_at(root, &parts[..n]).map(|json| (n, json)));
    let mut fault = Fault::new(format!("the variable `{clean}` is not defined"), At::Word(path.to_owned()))
        .label(NOT_FOUND);
    if let Some((n, Json::Object(map))) = known {
        let prefix = parts[..n].iter().fold(String::new(), |text, part| text + part + ".");
        let names: Vec<String> = map.keys().map(|key| format!("{prefix}{key}")).collect();
        let what =
            if n == 0 { "the variables are".to_owned() } else { format!("`{}` has", parts[..n].join(".")) };
        let wrong = parts[..=n].join(".");
        fault.help = advice(&wrong, names.iter().map(String::as_str), &what);
    }
    fault
}
