//! Variables: layers merged deeply, templates within them resolved in the order in which they need each other.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use handlebars::Context;
use serde_json::{Map, Value as Json};

use crate::spec::fault::{At, Fault};
use crate::spec::mistake::{Mistake, Mistakes};
use crate::spec::read::Reader;
use crate::spec::resolve::{Leaf, Leaves, Poison, resolve};
use crate::spec::source::{Entry, Node, Span, TextFile, Value};
use crate::spec::template::{Compiled, is_template};

/// Names that towline gives; a variable of the user's must not hide them.
pub const RESERVED: &[&str] = &["host", "hosts", "groups", "os", "item", "index", "result", "secrets"];

/// Every template of a project, each compiled once.
#[derive(Debug, Default)]
pub struct Templates(Mutex<HashMap<String, Result<Arc<Compiled>, Fault>>>);

impl Templates {
    pub fn compile(&self, text: &str) -> Result<Arc<Compiled>, Fault> {
        let mut cache = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = cache.get(text) {
            return known.clone();
        }
        let compiled = Compiled::new(text);
        cache.insert(text.to_owned(), compiled.clone());
        compiled
    }
}

/// The mistake for `fault` in the string that stands at `span`, pointing into it where that is possible.
pub fn locate(file: &Arc<TextFile>, span: &Span, fault: &Fault) -> Mistake {
    let raw = file.text.get(span.clone()).unwrap_or("");
    let inner = match &fault.at {
        At::Word(_) => fault.span(raw),
        _ => 0..raw.len(),
    };
    let at = span.start + inner.start..span.start + inner.end;
    Mistake::at(file, at, &fault.message).label(fault.label).maybe_help(fault.help.clone())
}

/// One layer of variables, as some file gives it.
#[derive(Clone, Copy, Debug)]
pub struct Layer<'a> {
    pub file: &'a Arc<TextFile>,
    pub node: &'a Node,
}

/// Variables while they are merged.
#[derive(Default)]
pub struct Merge {
    map: Map<String, Json>,
    templates: Leaves,
}

/// Says which names are taken.
pub fn check_reserved(entries: &[Entry], reader: &mut Reader<'_>) {
    for entry in entries.iter().filter(|entry| RESERVED.contains(&entry.key.as_str())) {
        let message = format!("`{}` is a name that towline gives", entry.key);
        reader.mistake(&entry.key_span, message, "expected another name for the variable");
    }
}

impl Merge {
    pub fn layer(&mut self, layer: Layer<'_>, templates: &Templates, mistakes: &mut Mistakes) {
        let mut adding = Adding { file: layer.file, templates, mistakes, leaves: &mut self.templates };
        adding.table(&mut self.map, layer.node.entries(), &mut vec![]);
    }

    pub fn has(&self, name: &str) -> bool {
        self.map.contains_key(name)
    }

    /// `--set a.b=value`: the value is no template.
    pub fn set(&mut self, path: &[String], value: &Json) {
        let Some((last, above)) = path.split_last() else { return };
        forget(&mut self.templates, path);
        let mut map = &mut self.map;
        for part in above {
            let inner = map.entry(part.clone()).or_insert(Json::Null);
            if !inner.is_object() {
                *inner = Json::Object(Map::new());
            }
            let Json::Object(next) = inner else { return };
            map = next;
        }
        map.insert(last.clone(), value.clone());
    }

    /// Moves the variables into `context`, beside what is there, and renders the templates among them.
    pub fn resolve(
        self,
        context: &mut Context,
        poison: &[Poison],
        mistakes: &mut Mistakes,
    ) -> (Vec<String>, Vec<Poison>) {
        let names: Vec<String> = self.map.keys().cloned().collect();
        if let Json::Object(data) = context.data_mut() {
            data.extend(self.map);
        }
        let poison = resolve(&self.templates, context, poison, mistakes);
        (names, poison)
    }
}

fn forget(leaves: &mut Leaves, path: &[String]) {
    leaves.retain(|leaf, _| !leaf.starts_with(path) && !path.starts_with(leaf));
}

struct Adding<'a> {
    file: &'a Arc<TextFile>,
    templates: &'a Templates,
    mistakes: &'a mut Mistakes,
    leaves: &'a mut Leaves,
}

impl Adding<'_> {
    fn table(&mut self, map: &mut Map<String, Json>, entries: &[Entry], path: &mut Vec<String>) {
        for entry in entries {
            path.push(entry.key.clone());
            let inner = map.get_mut(&entry.key);
            if let (Value::Table(entries), Some(Json::Object(inner))) = (&entry.node.value, inner) {
                self.table(inner, entries, path);
            } else {
                if !self.leaves.is_empty() {
                    forget(self.leaves, path);
                }
                map.insert(entry.key.clone(), entry.node.json());
                self.leaves(&entry.node, path);
            }
            path.pop();
        }
    }

    fn leaves(&mut self, node: &Node, path: &mut Vec<String>) {
        let below: Vec<(String, &Node)> = match &node.value {
            Value::String(text) if is_template(text) => return self.leaf(text, &node.span, path),
            Value::Array(items) => {
                items.iter().enumerate().map(|(index, item)| (index.to_string(), item)).collect()
            }
            Value::Table(entries) => entries.iter().map(|entry| (entry.key.clone(), &entry.node)).collect(),
            _ => return,
        };
        for (key, node) in below {
            path.push(key);
            self.leaves(node, path);
            path.pop();
        }
    }

    fn leaf(&mut self, text: &str, span: &Span, path: &[String]) {
        match self.templates.compile(text) {
            Ok(compiled) => {
                if let Some(late) =
                    compiled.mentions.roots().find(|root| ["os", "item", "index", "result"].contains(root))
                {
                    let message = format!("`{late}` is not known where variables are made");
                    let fault = Fault::new(message, At::Word(late.to_owned()))
                        .label("known in tasks only")
                        .help("mention it in the task itself");
                    self.mistakes.push(locate(self.file, span, &fault));
                    return;
                }
                let leaf = Leaf { file: self.file.clone(), span: span.clone(), compiled };
                self.leaves.insert(path.to_vec(), leaf);
            }
            Err(fault) => self.mistakes.push(locate(self.file, span, &fault)),
        }
    }
}

/// The value of `--set`: true, false, a whole number, an array, a table, "quoted"; anything else is text.
/// `1.10` and `1e5` stay text: a version or a commit must not become a number.
pub fn set_value(text: &str) -> Json {
    let whole = text.trim_start_matches('-');
    let number = !whole.is_empty() && whole.len() < 18 && whole.bytes().all(|byte| byte.is_ascii_digit());
    let typed = text == "true" || text == "false" || number || text.starts_with(['[', '{', '"']);
    let parsed = typed.then(|| format!("v = {text}").parse::<toml::Table>().ok()).flatten();
    let value = parsed.and_then(|table| serde_json::to_value(table.get("v")?).ok());
    value.unwrap_or_else(|| text.into())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use handlebars::Context;
    use serde_json::{Value as Json, json};

    use super::{Layer, Merge, Templates, set_value};
    use crate::spec::mistake::Mistakes;
    use crate::spec::source::{TextFile, parse};

    fn resolve(layers: &[&str], set: &[(&str, &str)]) -> (Json, Vec<String>, Vec<String>) {
        let (mut merge, mut mistakes, templates) =
            (Merge::default(), Mistakes::default(), Templates::default());
        for text in layers {
            let file = Arc::new(TextFile::new("x", *text));
            let node = parse(&file, &mut mistakes);
            merge.layer(Layer { file: &file, node: &node }, &templates, &mut mistakes);
        }
        for (path, value) in set {
            let path: Vec<String> = path.split('.').map(str::to_owned).collect();
            merge.set(&path, &set_value(value));
        }
        let mut context = Context::from(json!({ "host": { "name": "web1" } }));
        let (_, poison) = merge.resolve(&mut context, &[], &mut mistakes);
        let poison = poison.into_iter().map(|poison| poison.mistake.message).collect();
        (context.data().clone(), mistakes.list.into_iter().map(|m| m.message).collect(), poison)
    }

    #[test]
    fn layers_merge_deeply_and_templates_see_the_result() {
        let (vars, mistakes, poison) = resolve(
            &[
                "root = '/srv/{{app.name}}'\nenv = '{{root}}/env'\nports = '{{app.ports}}'\n[app]\nname = 'a'\nref = 'main'\nports = [1]",
                "[app]\nname = '{{host.name}}-b'\n",
            ],
            &[("app.ref", "1.10"), ("new.deep", "3"), ("app.ports", "[1, 2]")],
        );
        assert_eq!((mistakes, poison), (vec![], vec![]));
        assert_eq!(vars["env"], "/srv/web1-b/env");
        assert_eq!(vars["app"]["ref"], "1.10");
        assert_eq!(vars["new"]["deep"], 3);
        assert_eq!(vars["ports"], json!([1, 2]));
    }

    #[test]
    fn circles_are_mistakes_and_missing_ones_only_where_used() {
        let (_, mistakes, _) = resolve(&["a = '{{b}}'\nb = '{{c.d}}'\nc = { d = '{{a}}' }"], &[]);
        assert_eq!(mistakes, ["the variable `a` needs itself"]);
        let (_, mistakes, poison) = resolve(&["a = '{{nope}}'\nb = '{{a}}'\nc = 1"], &[]);
        assert_eq!(mistakes, Vec::<String>::new());
        assert_eq!(poison.len(), 2);
        assert_eq!(poison[0], poison[1], "who needs it points at the cause");
    }

    #[test]
    fn set_values_are_not_templates() {
        let (vars, ..) = resolve(&["a = 1"], &[("a", "{{host.name}}")]);
        assert_eq!(vars["a"], "{{host.name}}");
        assert_eq!(set_value("007"), "007");
        assert_eq!(set_value("1e5"), "1e5");
        assert_eq!(set_value("-3"), json!(-3));
        assert_eq!(set_value("[1, 'x'"), "[1, 'x'");
    }
}
