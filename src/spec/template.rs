//! Templates: compiled once, rendered for each host, strict everywhere, aware of the variables they mention.

use std::collections::BTreeSet;
use std::sync::{Arc, LazyLock};

use handlebars::template::{HelperTemplate, Parameter, TemplateElement};
use handlebars::{
    Context, Handlebars, Path, PathSeg, RenderContext, RenderErrorReason, Renderable as _, Template,
};
use serde_json::Value as Json;

use crate::spec::filters;
use crate::spec::suggest::advice;

const MAX_NESTING: usize = 32;

static REGISTRY: LazyLock<Handlebars<'static>> = LazyLock::new(filters::registry);

/// A template that compiles and calls only what exists.
#[derive(Debug)]
pub struct Compiled {
    pub text: String,
    pub mentions: Mentions,
    /// The path, when the text is one variable and nothing else: it then keeps the variable's type.
    pub single: Option<Vec<String>>,
    template: Template,
}

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

/// Why a template does not compile or render.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    pub message: String,
    pub help: Option<String>,
    /// What to point at in the text.
    pub at: At,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum At {
    Whole,
    /// From 1.
    LineColumn(usize, usize),
    Word(String),
}

impl Fault {
    fn new(message: impl Into<String>, at: At) -> Fault {
        Fault { message: message.into(), help: None, at }
    }
    /// The bytes of `text` to point at.
    pub fn span(&self, text: &str) -> std::ops::Range<usize> {
        match &self.at {
            At::Whole => 0..text.len(),
            At::Word(word) => find_word(text, word).unwrap_or(0..text.len()),
            At::LineColumn(line, column) => {
                let start: usize =
                    text.split_inclusive('\n').take(line.saturating_sub(1)).map(str::len).sum();
                let at = start + column.saturating_sub(1);
                at.min(text.len())..(at + 2).min(text.len())
            }
        }
    }
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

/// Whether handlebars would do anything with it.
pub fn is_template(text: &str) -> bool {
    text.contains("{{")
}

impl Compiled {
    pub fn new(text: &str) -> Result<Arc<Compiled>, Fault> {
        check_nesting(text)?;
        let mut template = Template::compile(text).map_err(|error| {
            let at = error.pos().map_or(At::Whole, |(line, column)| At::LineColumn(line, column));
            let reason = error.reason().to_string();
            let reason = reason.lines().last().unwrap_or("").trim_start_matches([' ', '=']).to_owned();
            Fault::new(format!("the template cannot be read: {reason}"), at)
        })?;
        let mut walk = Walk::default();
        walk.template(&template);
        if let Some(fault) = walk.fault {
            return Err(fault);
        }
        let single = single(&template);
        guard(&mut template);
        Ok(Arc::new(Compiled { text: text.to_owned(), mentions: walk.mentions, single, template }))
    }

    /// `(eq os.family "debian")` or a bare variable, as `when` has it.
    pub fn condition(text: &str) -> Result<Arc<Compiled>, Fault> {
        if is_template(text) {
            let mut fault = Fault::new("a condition is written without `{{ }}`", At::Whole);
            let inner = text.trim().trim_start_matches('{').trim_end_matches('}').trim();
            fault.help = Some(format!("write: {inner}"));
            return Err(fault);
        }
        let compiled = Compiled::new(&format!("{{{{#if {}}}}}1{{{{/if}}}}", text.trim()));
        // Positions would be those of the text that we made.
        compiled.map_err(|fault| match fault.at {
            At::LineColumn(..) => {
                let mut fault = Fault::new("the condition cannot be read", At::Whole);
                fault.help =
                    Some("write a variable, or a call in parentheses such as (eq app.env \"prod\")".into());
                fault
            }
            _ => fault,
        })
    }

    pub fn render(&self, context: &Context) -> Result<String, Fault> {
        let registry: &Handlebars<'static> = &REGISTRY;
        let rendered = self.template.renders(registry, context, &mut RenderContext::new(None));
        rendered.map_err(|error| match error.reason() {
            RenderErrorReason::MissingVariable(Some(path)) => missing(path, context.data()),
            RenderErrorReason::InvalidJsonIndex(key) => {
                Fault::new(format!("an array has no entry `{key}`"), At::Word(key.clone()))
            }
            other => Fault::new(other.to_string(), At::Whole),
        })
    }

    pub fn holds(&self, context: &Context) -> Result<bool, Fault> {
        self.render(context).map(|text| text == "1")
    }

    /// The value of the variable that the whole text is, where it is no text itself.
    pub fn typed<'c>(&self, context: &'c Context) -> Option<&'c Json> {
        value_at(context.data(), self.single.as_ref()?)
    }
}

pub fn value_at<'j>(json: &'j Json, path: &[String]) -> Option<&'j Json> {
    path.iter().try_fold(json, |json, part| match json {
        Json::Object(map) => map.get(part),
        Json::Array(items) => items.get(part.parse::<usize>().ok()?),
        _ => None,
    })
}

fn missing(path: &str, root: &Json) -> Fault {
    let clean = path.trim_start_matches("@root.").trim_start_matches("@root/").trim_start_matches("../");
    let parts: Vec<String> = clean.split(['.', '/']).map(str::to_owned).collect();
    if value_at(root, &parts).is_some() {
        return Fault::new(format!("`{path}` is neither an array nor a table"), At::Word(path.to_owned()));
    }
    let known = (0..parts.len()).rev().find_map(|n| value_at(root, &parts[..n]).map(|json| (n, json)));
    let mut fault = Fault::new(format!("the variable `{clean}` is not defined"), At::Word(path.to_owned()));
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

fn check_nesting(text: &str) -> Result<(), Fault> {
    if text.len() > 1 << 20 {
        return Err(Fault::new("the template is larger than 1 MiB", At::Whole));
    }
    let (mut blocks, mut parens, mut chained, mut rest) = (0_usize, 0_usize, 0_usize, text);
    while let Some(at) = rest.find("{{") {
        rest = &rest[at + 2..];
        let tag = &rest[..rest.find("}}").unwrap_or(rest.len())];
        match tag.trim_start_matches(['{', '~']).chars().next() {
            Some('#') => blocks += 1,
            Some('/') => blocks = blocks.saturating_sub(1),
            _ => {}
        }
        parens = parens.max(tag.matches('(').count()).max(tag.matches('[').count());
        chained += usize::from(tag.trim_start_matches('~').trim_start().starts_with("else "));
        if blocks > MAX_NESTING || parens > 2 * MAX_NESTING || chained > 16 * MAX_NESTING {
            return Err(Fault::new(format!("the template is nested deeper than {MAX_NESTING}"), At::Whole));
        }
    }
    Ok(())
}

fn single(template: &Template) -> Option<Vec<String>> {
    let [TemplateElement::Expression(ht) | TemplateElement::HtmlExpression(ht)] =
        template.elements.as_slice()
    else {
        return None;
    };
    let Parameter::Path(Path::Relative((segs, _))) = &ht.name else { return None };
    let plain = ht.params.is_empty() && ht.hash.is_empty();
    let names: Option<Vec<String>> = segs.iter().map(seg_name).collect();
    names.filter(|names| plain && !names.is_empty() && !filters::names().any(|name| *name == names[0]))
}

fn seg_name(seg: &PathSeg) -> Option<String> {
    match seg {
        PathSeg::Named(name) => Some(name.trim_matches(['[', ']', '\'']).to_owned()),
        _ => None,
    }
}

/// Puts a check for missing arguments before every block; what handlebars does with them there differs.
fn guard(template: &mut Template) {
    static PROTOTYPE: LazyLock<Option<Template>> =
        LazyLock::new(|| Template::compile(&format!("{{{{{} x}}}}", filters::GUARD)).ok());
    let mut at = 0;
    while at < template.elements.len() {
        let mut check = None;
        if let TemplateElement::HelperBlock(block) = &mut template.elements[at] {
            block.template.as_mut().map(guard);
            block.inverse.as_mut().map(guard);
            let prototype = PROTOTYPE.as_ref().and_then(|template| template.elements.first().cloned());
            if let Some(TemplateElement::Expression(mut call)) = prototype {
                call.params.clone_from(&block.params);
                check = Some(TemplateElement::Expression(call));
            }
        }
        if let Some(check) = check {
            let mapping = template.mapping.get(at).cloned();
            template.elements.insert(at, check);
            if let Some(mapping) = mapping {
                template.mapping.insert(at, mapping);
            }
            at += 1;
        }
        at += 1;
    }
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
        let name_only = ht.params.is_empty() && ht.hash.is_empty();
        let called = ht.name.as_name().is_some_and(|name| filters::names().any(|known| known == name));
        if name_only && !called {
            self.param(&ht.name);
        } else {
            self.call(ht);
        }
    }

    fn call(&mut self, ht: &HelperTemplate) {
        let name = ht.name.as_name().unwrap_or("");
        if !filters::names().any(|known| known == name) {
            let mut fault = Fault::new(format!("there is no function `{name}`"), At::Word(name.to_owned()));
            let known = filters::names().filter(|name| *name != filters::GUARD);
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
        (self.depth, _) = (depth, self.params.truncate(params));
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
    use handlebars::template::BlockParam;
    let name = |param: &Parameter| param.as_name().map(str::to_owned);
    match &ht.block_param {
        Some(BlockParam::Single(one)) => name(one).into_iter().collect(),
        Some(BlockParam::Pair((one, two))) => [name(one), name(two)].into_iter().flatten().collect(),
        _ => vec![],
    }
}

#[cfg(test)]
mod tests {
    use handlebars::Context;
    use serde_json::json;

    use super::Compiled;

    fn render(text: &str) -> Result<String, String> {
        let context = Context::from(json!({
            "app": { "name": "shop", "empty": "" },
            "list": ["a", "b"],
            "none": [],
            "port": 80,
            "evil": "{{app.name}} <&>'",
            "users": [{ "name": "ann", "keys": ["k1"] }],
        }));
        let compiled = Compiled::new(text).map_err(|fault| fault.message)?;
        compiled
            .render(&context)
            .map_err(|fault| format!("{} {}", fault.message, fault.help.unwrap_or_default()))
    }

    #[test]
    fn values_are_put_in_as_they_are() {
        assert_eq!(render("{{app.name}}:{{port}}").unwrap(), "shop:80");
        assert_eq!(render("{{evil}}").unwrap(), "{{app.name}} <&>'", "neither escaped nor rendered again");
        assert_eq!(
            render("{{#each users as |u|}}{{u.name}}={{@index}}{{@root.app.name}}{{/each}}").unwrap(),
            "ann=0shop"
        );
        assert_eq!(
            render("{{#each users}}{{name}}{{#each keys}}{{this}}{{/each}}{{/each}}").unwrap(),
            "annk1"
        );
        assert_eq!(render("{{#each none}}x{{else}}empty{{/each}}").unwrap(), "empty");
        assert_eq!(render("{{#if app.empty}}x{{else if port}}y{{/if}}").unwrap(), "y");
        assert_eq!(render("a\n{{#if port}}\nb\n{{/if}}\nc\n").unwrap(), "a\nb\nc\n");
    }

    #[test]
    fn functions() {
        for (text, expected) in [
            ("{{default nope \"x\"}}", "x"),
            ("{{default app.name \"x\"}}", "shop"),
            ("{{join list \", \"}}", "a, b"),
            ("{{upper app.name}}{{length list}}", "SHOP2"),
            ("{{quote \"a b\"}}", "'a b'"),
            ("{{json list}}", "[\"a\",\"b\"]"),
            ("{{replace app.name \"s\" \"S\"}}", "Shop"),
            ("{{#if (and (contains list \"a\") (not (eq port 81)) (gt port 9))}}yes{{/if}}", "yes"),
            ("{{#if (or app.empty (starts_with app.name \"sh\"))}}yes{{/if}}", "yes"),
            ("{{lookup list 1}}", "b"),
            ("{{#eq port 80}}same{{else}}other{{/eq}}", "same"),
        ] {
            assert_eq!(render(text).as_deref(), Ok(expected), "{text}");
        }
    }

    #[test]
    fn a_missing_variable_is_an_error_wherever_it_stands() {
        for text in [
            "{{nope}}",
            "{{app.nope}}",
            "{{#if nope}}x{{/if}}",
            "{{#if nope}}x{{else}}y{{/if}}",
            "{{#unless nope}}x{{/unless}}",
            "{{#if app.empty}}{{else if nope}}x{{/if}}",
            "{{#each nope}}x{{else}}y{{/each}}",
            "{{#with nope}}x{{else}}y{{/with}}",
            "{{#if (and port nope)}}x{{/if}}",
            "{{#if (or port nope)}}x{{/if}}",
            "{{#if (not nope)}}x{{/if}}",
            "{{#if (eq nope 1)}}x{{/if}}",
            "{{upper nope}}",
            "{{#each list}}{{#if ../nope}}x{{/if}}{{/each}}",
            "{{#each users}}{{#if nope}}x{{/if}}{{/each}}",
            "{{default nope nope2}}",
            "{{{nope}}}",
        ] {
            let error = render(text).expect_err(text);
            assert!(error.contains("is not defined"), "{text}: {error}");
        }
        assert!(render("{{app.nmae}}").unwrap_err().contains("did you mean `app.name`?"));
    }

    #[test]
    fn what_does_not_exist_is_found_when_compiling() {
        for (text, expected) in [
            ("{{uper app.name}}", "there is no function `uper`"),
            ("{{> other}}", "not available"),
            ("{{#if (eqq 1 2)}}{{/if}}", "there is no function `eqq`"),
            ("{{app.name", "cannot be read"),
            ("{{#if port}}", "cannot be read"),
        ] {
            let error = render(text).expect_err(text);
            assert!(error.contains(expected), "{text}: {error}");
        }
        let deep = format!("{}{}", "{{#if port}}".repeat(1000), "{{/if}}".repeat(1000));
        assert!(render(&deep).unwrap_err().contains("nested deeper"));
        assert!(
            render(&format!("{{{{#if {}}}}}", "(not ".repeat(5000))).unwrap_err().contains("nested deeper")
        );
    }

    #[test]
    fn knows_what_it_mentions() {
        let compiled = Compiled::new(
            "{{#each app.users as |u|}}{{u.x}}{{/each}}{{#if (eq os.family host.name)}}{{/if}}",
        );
        let mentions = &compiled.unwrap().mentions;
        assert_eq!(mentions.roots().collect::<Vec<_>>(), ["app", "host", "os"]);
        assert!(!mentions.everything);
        assert!(Compiled::new("{{json this}}").unwrap().mentions.everything);
        assert_eq!(Compiled::new("{{list}}").unwrap().single, Some(vec!["list".to_owned()]));
        assert_eq!(Compiled::new("x{{list}}").unwrap().single, None);
    }
}
