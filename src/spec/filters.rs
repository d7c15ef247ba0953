//! What templates can call: comparisons and small functions of text. Every one refuses a missing variable.

use handlebars::template::HelperTemplate;
use handlebars::{
    Context, Handlebars, Helper, HelperDef, HelperResult, JsonRender as _, JsonTruthy as _, Output,
    RenderContext, RenderError, RenderErrorReason, Renderable as _, ScopedJson, no_escape,
};
use serde_json::Value as Json;

use crate::spec::fault::{At, Refused};
use crate::words::shell;

/// Emits nothing and fails when its argument is missing; put before blocks, whose own check has gaps.
pub const GUARD: &str = "__defined";

/// Writes a variable, and refuses what has no text.
pub const SHOWN: &str = "__shown";

/// Blocks and the like that are handlebars' own.
pub const BLOCKS: &[&str] = &["if", "unless", "each", "with", "raw"];

type Function = fn(&[&Json]) -> Result<Json, String>;

/// Name, least and most arguments, and what it does.
const FUNCTIONS: &[(&str, usize, usize, Function)] = &[
    ("eq", 2, 2, |a| Ok((a[0] == a[1]).into())),
    ("ne", 2, 2, |a| Ok((a[0] != a[1]).into())),
    ("lt", 2, 2, |a| Ok(compare(a)?.is_lt().into())),
    ("lte", 2, 2, |a| Ok(compare(a)?.is_le().into())),
    ("gt", 2, 2, |a| Ok(compare(a)?.is_gt().into())),
    ("gte", 2, 2, |a| Ok(compare(a)?.is_ge().into())),
    ("and", 1, 99, |a| Ok(a.iter().all(|value| value.is_truthy(false)).into())),
    ("or", 1, 99, |a| Ok(a.iter().any(|value| value.is_truthy(false)).into())),
    ("not", 1, 1, |a| Ok((!a[0].is_truthy(false)).into())),
    ("contains", 2, 2, contains),
    ("starts_with", 2, 2, |a| Ok(text(a[0])?.starts_with(&text(a[1])?).into())),
    ("ends_with", 2, 2, |a| Ok(text(a[0])?.ends_with(&text(a[1])?).into())),
    ("join", 2, 2, join),
    ("concat", 1, 99, |a| Ok(a.iter().map(|part| text(part)).collect::<Result<String, String>>()?.into())),
    ("lower", 1, 1, |a| Ok(text(a[0])?.to_lowercase().into())),
    ("upper", 1, 1, |a| Ok(text(a[0])?.to_uppercase().into())),
    ("trim", 1, 1, |a| Ok(text(a[0])?.trim().into())),
    ("replace", 3, 3, |a| Ok(text(a[0])?.replace(&text(a[1])?, &text(a[2])?).into())),
    ("length", 1, 1, length),
    ("len", 1, 1, length),
    ("json", 1, 1, |a| Ok(a[0].to_string().into())),
    ("quote", 1, 1, |a| Ok(shell::quote(&text(a[0])?).into())),
    ("lookup", 2, 2, lookup),
];

/// Every name that a template can call.
pub fn names() -> impl Iterator<Item = &'static str> {
    let functions = FUNCTIONS.iter().map(|(name, ..)| *name);
    functions.chain(BLOCKS.iter().copied()).chain(["default", GUARD, SHOWN])
}

/// Whether it calls something; otherwise it is a variable.
pub fn is_call(ht: &HelperTemplate) -> bool {
    let called = ht.name.as_name().is_some_and(|name| names().any(|known| known == name));
    called || !ht.params.is_empty() || !ht.hash.is_empty()
}

/// Strict, without HTML escaping, with these functions and no partials.
pub fn registry() -> Handlebars<'static> {
    let mut registry = Handlebars::new();
    registry.set_strict_mode(true);
    registry.register_escape_fn(no_escape);
    registry.unregister_helper("log");
    for (name, least, most, function) in FUNCTIONS {
        let pure = Pure { name, least: *least, most: *most, function: *function };
        registry.register_helper(name, Box::new(pure));
    }
    registry.register_helper(
        GUARD,
        Box::new(Pure { name: GUARD, least: 0, most: 99, function: |_| Ok("".into()) }),
    );
    let shown = |a: &[&Json]| Ok(a[0].clone());
    registry.register_helper(SHOWN, Box::new(Pure { name: SHOWN, least: 1, most: 1, function: shown }));
    registry.register_helper("default", Box::new(Default));
    registry
}

#[derive(Clone, Copy)]
struct Pure {
    name: &'static str,
    least: usize,
    most: usize,
    function: Function,
}

fn fault(message: String) -> RenderError {
    refused(Refused { message, help: None, at: At::Whole })
}

fn refused(refused: Refused) -> RenderError {
    RenderErrorReason::NestedError(Box::new(refused)).into()
}

/// A table or an array where text is wanted; `variable` when it is one.
fn no_text(value: &Json, variable: Option<&str>, function: &str) -> RenderError {
    let what = type_name(value);
    let place = variable.unwrap_or(function);
    let message = match variable {
        Some(name) => format!("`{name}` is {what}"),
        None => format!("`{function}` gives {what} here"),
    };
    let help = match value {
        Json::Object(map) if !map.is_empty() => {
            let value = |key: &String| match variable {
                Some(name) => format!("{{{{{name}.{key}}}}}"),
                None => format!(".{key}"),
            };
            let keys: Vec<String> = map.keys().take(4).map(value).collect();
            format!("name one of its values, such as {}", keys.join(", "))
        }
        _ => "choose from it by `#each`, `lookup` or `join`".to_owned(),
    };
    let json = variable.map_or(String::new(), |name| format!("; {{{{json {name}}}}} writes all of it"));
    refused(Refused { message, help: Some(help + &json), at: At::Word(place.to_owned()) })
}

impl HelperDef for Pure {
    fn call_inner<'reg: 'rc, 'rc>(
        &self,
        h: &Helper<'rc>,
        _: &'reg Handlebars<'reg>,
        _: &'rc Context,
        _: &mut RenderContext<'reg, 'rc>,
    ) -> Result<ScopedJson<'rc>, RenderError> {
        let all = h.params().iter().chain(h.hash().values());
        if let Some(missing) = all.into_iter().find(|param| param.is_value_missing()) {
            return Err(RenderError::strict_error(missing.relative_path()));
        }
        let values: Vec<&Json> = h.params().iter().map(handlebars::PathAndJson::value).collect();
        if values.len() < self.least || values.len() > self.most {
            let wants = if self.least == self.most {
                self.least.to_string()
            } else {
                format!("at least {}", self.least)
            };
            let plural = if wants.ends_with('1') { "" } else { "s" };
            return Err(fault(format!(
                "`{}` takes {wants} argument{plural}, not {}",
                self.name,
                values.len()
            )));
        }
        let value = (self.function)(&values).map_err(|why| fault(format!("`{}`: {why}", self.name)))?;
        Ok(ScopedJson::Derived(value))
    }

    fn call<'reg: 'rc, 'rc>(
        &self,
        h: &Helper<'rc>,
        r: &'reg Handlebars<'reg>,
        ctx: &'rc Context,
        rc: &mut RenderContext<'reg, 'rc>,
        out: &mut dyn Output,
    ) -> HelperResult {
        let value = self.call_inner(h, r, ctx, rc)?;
        if h.is_block() {
            let branch = if value.as_json().is_truthy(false) { h.template() } else { h.inverse() };
            return branch.map_or(Ok(()), |branch| branch.render(r, ctx, rc, out));
        }
        if value.as_json().is_object() || value.as_json().is_array() {
            let shown = h.params().first().filter(|_| self.name == SHOWN);
            return Err(no_text(
                value.as_json(),
                shown.and_then(|shown| shown.relative_path().map(String::as_str)),
                self.name,
            ));
        }
        write(value.as_json(), rc, out)
    }
}

fn write(value: &Json, rc: &mut RenderContext<'_, '_>, out: &mut dyn Output) -> HelperResult {
    let text = value.render();
    if !text.is_empty() {
        rc.set_content_produced(true);
        rc.set_trailing_newline(text.ends_with('\n'));
        out.write(&text)?;
    }
    Ok(())
}

/// `(default x "y")`: the one way to use a variable that may be missing.
#[derive(Clone, Copy)]
struct Default;

impl HelperDef for Default {
    fn call_inner<'reg: 'rc, 'rc>(
        &self,
        h: &Helper<'rc>,
        _: &'reg Handlebars<'reg>,
        _: &'rc Context,
        _: &mut RenderContext<'reg, 'rc>,
    ) -> Result<ScopedJson<'rc>, RenderError> {
        let [value, other] = h.params().as_slice() else {
            return Err(fault("`default` takes a variable and what to use where it is missing".into()));
        };
        let chosen = if value.is_value_missing() { other } else { value };
        if chosen.is_value_missing() {
            return Err(RenderError::strict_error(chosen.relative_path()));
        }
        Ok(ScopedJson::Derived(chosen.value().clone()))
    }

    fn call<'reg: 'rc, 'rc>(
        &self,
        h: &Helper<'rc>,
        r: &'reg Handlebars<'reg>,
        ctx: &'rc Context,
        rc: &mut RenderContext<'reg, 'rc>,
        out: &mut dyn Output,
    ) -> HelperResult {
        let value = self.call_inner(h, r, ctx, rc)?;
        if value.as_json().is_object() || value.as_json().is_array() {
            return Err(no_text(value.as_json(), None, "default"));
        }
        write(value.as_json(), rc, out)
    }
}

fn text(value: &Json) -> Result<String, String> {
    match value {
        Json::String(_) | Json::Number(_) | Json::Bool(_) => Ok(value.render()),
        _ => Err(format!("wants text, not {}", type_name(value))),
    }
}

pub fn type_name(value: &Json) -> &'static str {
    match value {
        Json::Null => "nothing",
        Json::Bool(_) => "true or false",
        Json::Number(_) => "a number",
        Json::String(_) => "text",
        Json::Array(_) => "an array",
        Json::Object(_) => "a table",
    }
}

fn compare(a: &[&Json]) -> Result<std::cmp::Ordering, String> {
    let number = |value: &Json| match value {
        Json::Number(number) => number.as_f64(),
        Json::String(text) => text.trim().parse().ok(),
        _ => None,
    };
    if let (Some(left), Some(right)) = (number(a[0]), number(a[1])) {
        return left.partial_cmp(&right).ok_or_else(|| "cannot compare these numbers".to_owned());
    }
    match (a[0], a[1]) {
        (Json::String(left), Json::String(right)) => Ok(left.cmp(right)),
        (left, right) => Err(format!("cannot compare {} to {}", type_name(left), type_name(right))),
    }
}

fn contains(a: &[&Json]) -> Result<Json, String> {
    Ok(match a[0] {
        Json::Array(items) => items.contains(a[1]).into(),
        Json::Object(map) => map.contains_key(&text(a[1])?).into(),
        other => text(other)?.contains(&text(a[1])?).into(),
    })
}

fn join(a: &[&Json]) -> Result<Json, String> {
    let Json::Array(items) = a[0] else { return Err(format!("wants an array, not {}", type_name(a[0]))) };
    let items: Result<Vec<String>, String> = items.iter().map(text).collect();
    Ok(items?.join(&text(a[1])?).into())
}

fn length(a: &[&Json]) -> Result<Json, String> {
    Ok(match a[0] {
        Json::Array(items) => items.len().into(),
        Json::Object(map) => map.len().into(),
        other => text(other)?.chars().count().into(),
    })
}

fn lookup(a: &[&Json]) -> Result<Json, String> {
    let found = match (a[0], a[1]) {
        (Json::Array(items), index) => {
            index.as_u64().and_then(|index| items.get(usize::try_from(index).ok()?))
        }
        (Json::Object(map), key) => map.get(&text(key)?),
        _ => return Err(format!("wants an array or a table, not {}", type_name(a[0]))),
    };
    found.cloned().ok_or_else(|| format!("there is no entry {}", a[1]))
}
