//! What a template mentions: its variables, and the first thing in it that does not exist.

use std::collections::BTreeSet;

use handlebars::template::{BlockParam, HelperTemplate, Parameter, TemplateElement};
use handlebars::{Path, PathSeg, Template};

use crate::spec::fault::{At, Fault};
use crate::spec::filters;
use crate::spec::suggest::advice;

/// The variables that a template looks at. May hold more than it uses, never fewer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Mentions {
    /// `{{json this}}`: any of them.
    pub everything: bool,
    pub paths: BTreeSet<Vec<String>>,
}

impl Mentions {
    pub fn roots(&self) -> impl Iterator<Item = &str> {
        self.paths.iter().filter_map(|path| path.first().map(String::as_str))
    }
    pub fn extend(&mut self, other: &Mentions) {
        self.everything |= other.everything;
        self.paths.extend(other.paths.iter().cloned());
    }
}

pub fn seg_name(seg: &PathSeg) -> Option<String> {
    match seg {
        PathSeg::Named(name) => Some(name.trim_matches(['[', ']', '\'']).to_owned()),
        _ => None,
    }
}

/// The mentions of `template`, when all that it calls exists.
pub fn mentions(template: &Template) -> Result<Mentions, Fault> {
    let mut walk = Walk::default();
    walk.template(template);
    walk.fault.map_or(Ok(walk.mentions), Err)
}

/// Collects what a template mentions, and the first thing in it that does not exist.
#[derive(Default)]
struct Walk {
    mentions: Mentions,
    fault: Option<Fault>,
    /// Names that blocks give: `as |user|`.
    params: Vec<String>,
    /// How many `each` and `with` are around.
    depth: usize,
}

impl Walk {
    fn template(&mut self, template: &Template) {
        for element in &template.elements {
            match element {
                TemplateElement::Expression(ht) | TemplateElement::HtmlExpression(ht) => self.expression(ht),
                TemplateElement::HelperBlock(ht) => self.call(ht),
                TemplateElement::DecoratorExpression(dt)
                | TemplateElement::DecoratorBlock(dt)
                | TemplateElement::PartialExpression(dt)
                | TemplateElement::PartialBlock(dt) => {
                    let name = dt.name.as_name().unwrap_or("?");
                    let mut fault = Fault::new(
                        format!("partials and decorators are not available: `{name}`"),
                        At::Word(name.to_owned()),
                    );
                    fault.help = Some("write the text here, or in a template file of its own".into());
                    self.fault.get_or_insert(fault);
                }
                _ => {}
            }
        }
    }

    fn expression(&mut self, ht: &HelperTemplate) {
        if filters::is_call(ht) {
            self.call(ht);
        } else {
            self.param(&ht.name);
        }
    }

    fn call(&mut self, ht: &HelperTemplate) {
        let name = ht.name.as_name().unwrap_or("");
        if !filters::names().any(|known| known == name) {
            let mut fault = Fault::new(format!("there is no function `{name}`"), At::Word(name.to_owned()))
                .label("not a function");
            let known = filters::names().filter(|name| !name.starts_with("__"));
            fault.help = advice(name, known, "the functions are");
            self.fault.get_or_insert(fault);
        }
        ht.params.iter().chain(ht.hash.values()).for_each(|param| self.param(param));
        let (params, depth) = (self.params.len(), self.depth);
        self.params.extend(block_params(ht));
        if let Some(body) = &ht.template {
            self.depth += usize::from(name == "each" || name == "with");
            self.template(body);
        }
        self.depth = depth;
        self.params.truncate(params);
        if let Some(inverse) = &ht.inverse {
            self.template(inverse);
        }
    }

    fn param(&mut self, param: &Parameter) {
        match param {
            Parameter::Name(name) => self.path(vec![name.clone()], name),
            Parameter::Path(Path::Relative((segs, raw))) => {
                self.path(segs.iter().filter_map(seg_name).collect(), raw);
            }
            Parameter::Subexpression(sub) => {
                if let TemplateElement::Expression(ht) = sub.as_element() {
                    self.call(ht);
                }
            }
            _ => {}
        }
    }

    fn path(&mut self, names: Vec<String>, raw: &str) {
        let of_item = self.depth > 0 && (raw == "." || raw.starts_with("this"));
        match names.first() {
            Some(first) if self.params.contains(first) => {}
            _ if of_item => {}
            Some(_) => {
                self.mentions.paths.insert(names);
            }
            None => self.mentions.everything = true,
        }
    }
}

fn block_params(ht: &HelperTemplate) -> Vec<String> {
    let name = |param: &Parameter| param.as_name().map(str::to_owned);
    match &ht.block_param {
        Some(BlockParam::Single(one)) => name(one).into_iter().collect(),
        Some(BlockParam::Pair((one, two))) => [name(one), name(two)].into_iter().flatten().collect(),
        _ => vec![],
    }
}
