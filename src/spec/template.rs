//! Templates: compiled once, rendered for each host, strict everywhere, aware of the variables they mention.

use std::sync::{Arc, LazyLock};

use handlebars::template::{Parameter, TemplateElement};
use handlebars::{Context, Handlebars, Path, RenderContext, Renderable as _, StringOutput, Template};
use serde_json::Value as Json;

use crate::spec::fault::{At, Fault, of_render, unclosed, unreadable};
use crate::spec::filters;
use crate::spec::foreign;
use crate::spec::mentions::{Mentions, mentions, seg_name};

const MAX_NESTING: usize = 32;

static REGISTRY: LazyLock<Handlebars<'static>> = LazyLock::new(filters::registry);

/// A template that compiles and calls only what exists.
#[derive(Debug)]
pub struct Compiled {
    pub mentions: Mentions,
    /// The path, when the text is one variable and nothing else: it then keeps the variable's type.
    pub single: Option<Vec<String>>,
    template: Template,
}

/// Whether handlebars would do anything with it.
pub fn is_template(text: &str) -> bool {
    text.contains("{{")
}

impl Compiled {
    pub fn new(text: &str) -> Result<Arc<Compiled>, Fault> {
        check_nesting(text)?;
        let mut template = Template::compile(text).map_err(|error| {
            if let Some(fault) = unclosed(text) {
                return fault;
            }
            let at = error.pos().map_or(At::Whole, |(line, column)| At::LineColumn(line, column));
            Fault::new(format!("the template cannot be read: {}", unreadable(text, error.reason())), at)
        })?;
        let mentions = mentions(&template)?;
        let single = single(&template);
        guard(&mut template);
        Ok(Arc::new(Compiled { mentions, single, template }))
    }

    /// `(eq os.family "debian")` or a bare variable, as `when` has it.
    pub fn condition(text: &str) -> Result<Arc<Compiled>, Fault> {
        if is_template(text) {
            let fault = Fault::new("a condition is written without `{{ }}`", At::Whole);
            let inner = text.trim().trim_start_matches('{').trim_end_matches('}').trim();
            let written = foreign::condition(inner).unwrap_or_else(|| inner.to_owned());
            return Err(fault.help(format!("write: {written}")));
        }
        let mut bare = text.trim().to_owned();
        if !bare.starts_with('(') && foreign::is_bare_call(&bare) {
            bare = format!("({bare})");
        }
        if let Some(written) = foreign::condition(&bare) {
            let fault = Fault::new("a condition is a variable or a call, such as (eq a b)", At::Whole);
            return Err(fault.help(format!("write: {written}")));
        }
        let compiled = Compiled::new(&format!("{{{{#if {bare}}}}}1{{{{/if}}}}"));
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
        rendered.map_err(|error| of_render(&error, context))
    }

    /// Everything that is wrong, when `render` has failed: each part of the text is tried alone.
    pub fn faults(&self, context: &Context) -> Vec<Fault> {
        let registry: &Handlebars<'static> = &REGISTRY;
        let mut faults: Vec<Fault> = vec![];
        for (at, element) in self.template.elements.iter().enumerate() {
            let mut output = StringOutput::new();
            let rendered = element.render(registry, context, &mut RenderContext::new(None), &mut output);
            let Err(error) = rendered else { continue };
            let mut fault = of_render(&error, context);
            if fault.line_column.is_none() {
                fault.line_column = self.template.mapping.get(at).map(|mapping| (mapping.0, mapping.1));
            }
            if !faults.contains(&fault) {
                faults.push(fault);
            }
        }
        faults
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

/// Puts a check for missing arguments before every block; what handlebars does with them there differs. And
/// lets a plain variable be shown by a function, since handlebars would write `[object]` for a table.
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
        if let TemplateElement::Expression(ht) | TemplateElement::HtmlExpression(ht) =
            &mut template.elements[at]
            && !filters::is_call(ht)
        {
            let shown = std::mem::replace(&mut ht.name, Parameter::Name(filters::SHOWN.to_owned()));
            ht.params.push(shown);
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
        assert_eq!(render("a \\{{b}}").unwrap(), "a {{b}}", "braces that are meant");
        let peers =
            "{{#each users as |u|}}{{#unless (eq u.name @root.app.name)}}{{u.name}}{{/unless}}{{/each}}";
        assert_eq!(render(peers).unwrap(), "ann");
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
            ("[\"{{join list '\",\"'}}\"]", "[\"a\",\"b\"]"),
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
    fn a_table_or_an_array_is_no_text() {
        for (text, expected) in [
            ("x {{app}}", "`app` is a table name one of its values, such as {{app.empty}}, {{app.name}}"),
            ("{{list}}", "`list` is an array "),
            (
                "x {{lookup users 0}}",
                "`lookup` gives a table here name one of its values, such as .keys, .name",
            ),
            ("{{#each users}}{{this}}{{/each}}", "`this` is a table "),
            ("{{#each users as |u|}}{{u}}{{/each}}", "`u` is a table "),
            ("{{default nope list}}", "`default` gives an array here"),
        ] {
            let error = render(text).expect_err(text);
            assert!(error.contains(expected), "{text}: {error}");
        }
        assert_eq!(render("{{json (lookup users 0)}}").unwrap(), r#"{"keys":["k1"],"name":"ann"}"#);
    }

    #[test]
    fn text_is_not_compared_to_a_number() {
        assert!(
            render("{{#if (gt app.name 3)}}x{{/if}}")
                .unwrap_err()
                .contains("cannot compare text to a number")
        );
        assert!(render("{{#if (lt 3 app.empty)}}x{{/if}}").unwrap_err().contains("a number to text"));
        assert_eq!(render("{{#if (gt \"12\" 9)}}x{{/if}}").unwrap(), "x", "text of digits is a number");
        assert_eq!(render("{{#if (lt \"a\" \"b\")}}x{{/if}}").unwrap(), "x");
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
            ("{{#if port}}", "cannot be read: `{{#if port}}` lacks its `{{/if}}`"),
            ("{{#if port}}a{{/if}}{{#each list}}b", "`{{#each list}}` lacks its `{{/each}}`"),
            ("{{#if port}}a{{/each}}", "cannot be read: `{{#if}}` is closed by `{{/each}}`"),
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
