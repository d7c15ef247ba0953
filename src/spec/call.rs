//! Reading a rendered table into a task kind, with every mistake in it found.

use std::collections::BTreeSet;
use std::sync::Arc;

use serde_path_to_error::Segment;

use crate::spec::args::Arg;
use crate::spec::foreign;
use crate::spec::mentions::Mentions;
use crate::spec::mistake::Mistake;
use crate::spec::source::{Node, Span, TextFile, Value};
use crate::spec::suggest::advice;
use crate::task::{self, Task};

/// A kind and the table that the user gave it.
#[derive(Debug)]
pub struct Call {
    pub kind: &'static str,
    pub file: Arc<TextFile>,
    pub kind_span: Span,
    /// For positions; always a table.
    pub node: Node,
    pub args: Arg,
    pub mentions: Mentions,
}

impl Call {
    /// Reads the rendered table. Keys in `ignored` are left out, and nothing is said about their absence.
    pub fn parse(
        &self,
        mut table: toml::Table,
        mut ignored: BTreeSet<String>,
    ) -> Result<Box<dyn Task>, Vec<Mistake>> {
        table.retain(|key, _| !ignored.contains(key));
        let mut mistakes = vec![];
        let mut converted: Vec<String> = vec![];
        // Each turn removes a key or converts a value, so it ends; the bound is for what we did not think of.
        for _ in 0..256 {
            let Some(parsed) = task::parse(self.kind, toml::Value::Table(table.clone())) else { break };
            let error = match parsed {
                Ok(task) if mistakes.is_empty() => return Ok(task),
                Ok(_) => break,
                Err(error) => error,
            };
            let path: Vec<Segment> = error.path().iter().cloned().collect();
            let message = error.inner().message().to_owned();
            if let Some(field) = quoted_after(&message, "missing field ") {
                if !ignored.contains(field) {
                    mistakes.push(self.lacks(field));
                }
                break;
            }
            let place = error.path().to_string();
            if !converted.contains(&place) && self.convert(&path, &mut table) {
                converted.push(place);
                continue;
            }
            let unknown = quoted_after(&message, "unknown field ");
            mistakes.push(self.describe(&path, &message, unknown));
            let first = key_of(path.first()).or(unknown).unwrap_or_default().to_owned();
            if table.remove(&first).is_none() {
                break;
            }
            ignored.insert(first);
        }
        Err(mistakes)
    }

    /// `port = "{{port}}"`: rendered text at a place that wants a number or a boolean.
    fn convert(&self, path: &[Segment], table: &mut toml::Table) -> bool {
        if !matches!(self.args.at(path), Some(Arg::Text(..))) {
            return false;
        }
        let Some((Segment::Map { key }, rest)) = path.split_first() else { return false };
        let value = table.get_mut(key);
        let value = rest.iter().fold(value, |value, segment| match (value?, segment) {
            (toml::Value::Table(table), Segment::Map { key }) => table.get_mut(key),
            (toml::Value::Array(items), Segment::Seq { index }) => items.get_mut(*index),
            _ => None,
        });
        let Some(value) = value else { return false };
        let typed = value.as_str().and_then(|text| {
            let text = text.trim();
            let integer = text.parse().ok().map(toml::Value::Integer);
            let boolean = || text.parse().ok().map(toml::Value::Boolean);
            integer.or_else(boolean).or_else(|| text.parse().ok().map(toml::Value::Float))
        });
        typed.map(|typed| *value = typed).is_some()
    }

    fn lacks(&self, field: &str) -> Mistake {
        Mistake::at(&self.file, self.kind_span.clone(), format!("`{}` lacks `{field}`", self.kind))
            .label(format!("expected `{field} = …` in it"))
    }

    fn describe(&self, path: &[Segment], message: &str, unknown: Option<&str>) -> Mistake {
        if let Some(field) = unknown {
            let span = self.node.entry(field).map_or(self.kind_span.clone(), |entry| entry.key_span.clone());
            let known: Vec<&str> = message.split('`').skip(3).step_by(2).collect();
            let help = match foreign::argument(field, &known) {
                Some(meant) => Some(format!("write `{meant}`")),
                None => advice(field, known, "the keys are"),
            };
            return Mistake::at(&self.file, span, format!("unknown key `{field}` in `{}`", self.kind))
                .label("not a key that it has")
                .maybe_help(help);
        }
        let span = self.span_at(path);
        let key = key_of(path.first());
        let what = key.map_or(self.kind.to_owned(), |key| format!("{}.{key}", self.kind));
        let (message, expected) = match message.split_once(", expected ") {
            Some((found, expected)) => (found, format!("expected {expected}")),
            // An untagged enum says only what it wants, or nothing at all.
            None if message.starts_with("a ") && !message.contains(" is ") => {
                ("wrong type", format!("expected {message}"))
            }
            None if message.starts_with("data did not match any variant") => {
                ("wrong type", "expected a string or an array of strings".to_owned())
            }
            None => (message, String::new()),
        };
        Mistake::at(&self.file, span, format!("`{what}`: {message}")).label(expected)
    }

    fn span_at(&self, path: &[Segment]) -> Span {
        let mut node = &self.node;
        let mut span = self.kind_span.clone();
        for segment in path {
            let next = match (&node.value, segment) {
                (Value::Table(_), Segment::Map { key }) => node.entry(key).map(|entry| &entry.node),
                (Value::Array(items), Segment::Seq { index }) => items.get(*index),
                _ => None,
            };
            let Some(next) = next else { break };
            node = next;
            span = node.span.clone();
        }
        span
    }

    /// What `load` or a later check says about one of the keys.
    pub fn about(&self, mistake: &task::Mistake) -> Mistake {
        let entry = mistake.field.and_then(|field| self.node.entry(field));
        let span = entry.map_or(self.kind_span.clone(), |entry| entry.node.span.clone());
        Mistake::at(&self.file, span, &mistake.message).maybe_help(mistake.hint.clone())
    }
}

fn key_of(segment: Option<&Segment>) -> Option<&str> {
    match segment {
        Some(Segment::Map { key }) => Some(key),
        _ => None,
    }
}

/// The name in backquotes behind `before`.
fn quoted_after<'m>(message: &'m str, before: &str) -> Option<&'m str> {
    message.strip_prefix(before)?.split('`').nth(1)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::sync::Arc;

    use handlebars::Context;
    use serde_json::json;

    use super::Call;
    use crate::spec::args::Arg;
    use crate::spec::mistake::Mistakes;
    use crate::spec::source::{TextFile, parse};
    use crate::spec::vars::Templates;

    fn read(kind: &'static str, text: &str) -> Result<String, Vec<String>> {
        let file = Arc::new(TextFile::new("x", text));
        let node = parse(&file, &mut Mistakes::default());
        let args = Arg::new(&node, &file, &Templates::default(), &mut Mistakes::default());
        let context = Context::from(json!({ "code": 3, "codes": [0, 3], "gone": true, "path": "/x" }));
        let rendered = args.render(&context, &mut vec![]);
        let toml::Value::Table(table) = rendered else { panic!("a table") };
        let mentions = args.mentions();
        let call = Call { kind, file, kind_span: 0..0, node, args, mentions };
        let parsed = call.parse(table, BTreeSet::new());
        parsed.map(|task| format!("{task:?}")).map_err(|list| list.into_iter().map(|m| m.message).collect())
    }

    #[test]
    fn templates_take_the_type_that_the_field_wants() {
        let task = read("directory", "path = '{{path}}'\nabsent = '{{gone}}'").unwrap();
        assert!(task.contains("absent: true"), "{task}");
        let task = read("command", "run = 'x'\nok_codes = '{{codes}}'").unwrap();
        assert!(task.contains("ok_codes: [0, 3]"), "{task}");
        let task = read("command", "run = 'echo {{code}}'\nok_codes = ['{{code}}', 1]").unwrap();
        assert!(task.contains("ok_codes: [3, 1]") && task.contains("echo 3"), "{task}");
        assert!(read("directory", "path = '/x'\nabsent = 'true'").is_err(), "only templates are converted");
    }

    #[test]
    fn every_mistake_of_a_table_is_found_at_once() {
        let mistakes = read("directory", "pth = '/x'\nmode = 755\nabsent = 3\nowner = 'a b'").unwrap_err();
        assert_eq!(mistakes.len(), 5, "{mistakes:#?}");
        let mistakes = read("directory", "path = 'x'\nmode = '0755'").unwrap_err();
        assert_eq!(mistakes.len(), 1, "{mistakes:#?}");
        assert!(mistakes[0].contains("must be absolute"));
    }
}
