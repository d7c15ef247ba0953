//! The arguments of a task: their templates, and their values for one host.

use std::sync::Arc;

use handlebars::Context;
use serde_json::Value as Json;
use serde_path_to_error::Segment;

use crate::spec::fault::Fault;
use crate::spec::mentions::Mentions;
use crate::spec::mistake::Mistakes;
use crate::spec::source::{Node, Span, TextFile, Value};
use crate::spec::template::{Compiled, is_template};
use crate::spec::vars::{Templates, locate};

/// A value of a task, its templates compiled.
#[derive(Debug)]
pub enum Arg {
    Fixed(toml::Value),
    Text(Arc<Compiled>, Span),
    Array(Vec<Arg>),
    Table(Vec<(String, Arg)>),
}

impl Arg {
    /// Keeps as `Fixed` what has no template in it.
    pub fn new(node: &Node, file: &Arc<TextFile>, templates: &Templates, mistakes: &mut Mistakes) -> Arg {
        let arg = match &node.value {
            Value::String(text) if is_template(text) => match templates.compile(text) {
                Ok(compiled) => return Arg::Text(compiled, node.span.clone()),
                Err(fault) => {
                    mistakes.push(locate(file, &node.span, &fault));
                    return Arg::Fixed(toml::Value::String(text.clone()));
                }
            },
            Value::Array(items) => {
                Arg::Array(items.iter().map(|item| Arg::new(item, file, templates, mistakes)).collect())
            }
            Value::Table(entries) => Arg::Table(
                entries
                    .iter()
                    .map(|entry| (entry.key.clone(), Arg::new(&entry.node, file, templates, mistakes)))
                    .collect(),
            ),
            _ => return Arg::Fixed(node.toml()),
        };
        if arg.has_text() { arg } else { Arg::Fixed(node.toml()) }
    }

    /// The value of a table's key; `None` when the whole table is fixed.
    pub fn get(&self, key: &str) -> Option<&Arg> {
        match self {
            Arg::Table(entries) => entries.iter().find(|(name, _)| name == key).map(|(_, arg)| arg),
            _ => None,
        }
    }

    fn has_text(&self) -> bool {
        match self {
            Arg::Fixed(_) => false,
            Arg::Text(..) => true,
            Arg::Array(items) => items.iter().any(Arg::has_text),
            Arg::Table(entries) => entries.iter().any(|(_, arg)| arg.has_text()),
        }
    }

    pub fn each_text(&self, see: &mut dyn FnMut(&Arc<Compiled>, &Span)) {
        match self {
            Arg::Fixed(_) => {}
            Arg::Text(compiled, span) => see(compiled, span),
            Arg::Array(items) => items.iter().for_each(|item| item.each_text(see)),
            Arg::Table(entries) => entries.iter().for_each(|(_, arg)| arg.each_text(see)),
        }
    }

    pub fn mentions(&self) -> Mentions {
        let mut mentions = Mentions::default();
        self.each_text(&mut |compiled, _| mentions.extend(&compiled.mentions));
        mentions
    }

    /// Renders for the variables in `context`; faults are collected and leave an empty text.
    pub fn render(&self, context: &Context, faults: &mut Vec<(Span, Fault)>) -> toml::Value {
        match self {
            Arg::Fixed(value) => value.clone(),
            Arg::Array(items) => {
                toml::Value::Array(items.iter().map(|item| item.render(context, faults)).collect())
            }
            Arg::Table(entries) => toml::Value::Table(
                entries.iter().map(|(key, arg)| (key.clone(), arg.render(context, faults))).collect(),
            ),
            Arg::Text(compiled, span) => {
                // An array or table given whole stays one: nobody wants its text.
                let whole = compiled.typed(context).filter(|json| json.is_array() || json.is_object());
                if let Some(whole) = whole.and_then(toml_value) {
                    return whole;
                }
                compiled.render(context).map_or_else(
                    |fault| {
                        let mut all = compiled.faults(context);
                        if all.is_empty() {
                            all.push(fault);
                        }
                        for fault in all {
                            if !faults.iter().any(|(at, known)| at == span && known.message == fault.message)
                            {
                                faults.push((span.clone(), fault));
                            }
                        }
                        toml::Value::String(String::new())
                    },
                    toml::Value::String,
                )
            }
        }
    }

    pub fn at<'a>(&'a self, path: &[Segment]) -> Option<&'a Arg> {
        path.iter().try_fold(self, |arg, segment| match (arg, segment) {
            (Arg::Table(entries), Segment::Map { key }) => {
                entries.iter().find(|(name, _)| name == key).map(|(_, arg)| arg)
            }
            (Arg::Array(items), Segment::Seq { index }) => items.get(*index),
            _ => None,
        })
    }
}

fn toml_value(json: &Json) -> Option<toml::Value> {
    toml::Value::try_from(json).ok()
}
