//! Templates among the variables, rendered in the order in which they need each other.

use std::collections::BTreeMap;
use std::sync::Arc;

use handlebars::Context;
use serde_json::Value as Json;

use crate::spec::fault::Fault;
use crate::spec::mentions::Mentions;
use crate::spec::mistake::{Mistake, Mistakes};
use crate::spec::source::{Span, TextFile};
use crate::spec::template::{Compiled, value_at};
use crate::spec::vars::locate;

/// A value that could not be had; a mistake only for who uses it.
#[derive(Clone, Debug)]
pub struct Poison {
    pub path: Vec<String>,
    /// Names right below `path` that it does not concern.
    pub besides: Vec<String>,
    pub mistake: Mistake,
}

impl Poison {
    fn concerns(&self, mention: &[String]) -> bool {
        let beside = || mention.get(self.path.len()).is_some_and(|name| self.besides.contains(name));
        related(&self.path, mention) && !beside()
    }
}

/// A template among the variables.
#[derive(Clone)]
pub struct Leaf {
    pub file: Arc<TextFile>,
    pub span: Span,
    pub compiled: Arc<Compiled>,
}

pub type Leaves = BTreeMap<Vec<String>, Leaf>;

/// Renders all of `leaves` into `context`; what cannot be had is added to `poison`.
pub fn resolve(
    leaves: &Leaves,
    context: &mut Context,
    poison: &[Poison],
    mistakes: &mut Mistakes,
) -> Vec<Poison> {
    let mut resolving = Resolving { leaves, done: BTreeMap::new(), poison: poison.to_vec(), mistakes };
    for path in leaves.keys() {
        resolving.visit(path, context);
    }
    resolving.poison.split_off(poison.len())
}

struct Resolving<'a> {
    leaves: &'a Leaves,
    /// False while being resolved: meeting it again closes a circle.
    done: BTreeMap<Vec<String>, bool>,
    poison: Vec<Poison>,
    mistakes: &'a mut Mistakes,
}

impl Resolving<'_> {
    fn visit(&mut self, path: &Vec<String>, context: &mut Context) {
        let Some(leaf) = self.leaves.get(path) else { return };
        match self.done.get(path) {
            Some(true) => return,
            Some(false) => {
                let name = path.join(".");
                let mistake =
                    Mistake::at(&leaf.file, leaf.span.clone(), format!("the variable `{name}` needs itself"))
                        .label("part of a circle");
                self.mistakes.push(mistake);
                return;
            }
            None => {}
        }
        self.done.insert(path.clone(), false);
        for mention in &leaf.compiled.mentions.paths {
            let needed: Vec<&Vec<String>> =
                self.leaves.keys().filter(|other| related(other, mention)).collect();
            for other in needed {
                self.visit(other, context);
            }
        }
        self.done.insert(path.clone(), true);
        let poisoned = poisoned(&self.poison, &leaf.compiled.mentions).next().cloned();
        let value = match poisoned {
            Some(mistake) => Err(mistake),
            None => rendered(&leaf.compiled, context).map_err(|fault| locate(&leaf.file, &leaf.span, &fault)),
        };
        match value {
            Ok(value) => put(context.data_mut(), path, value),
            Err(mistake) => self.poison.push(Poison { path: path.clone(), besides: vec![], mistake }),
        }
    }
}

fn put(json: &mut Json, path: &[String], value: Json) {
    let at = path.iter().try_fold(json, |json, part| match json {
        Json::Object(map) => map.get_mut(part),
        Json::Array(items) => items.get_mut(part.parse::<usize>().ok()?),
        _ => None,
    });
    if let Some(at) = at {
        *at = value;
    }
}

/// A template that is one variable keeps that variable's type.
fn rendered(compiled: &Compiled, context: &Context) -> Result<Json, Fault> {
    let single = compiled.single.as_ref().and_then(|path| value_at(context.data(), path));
    single.cloned().map_or_else(|| compiled.render(context).map(Json::String), Ok)
}

fn related(a: &[String], b: &[String]) -> bool {
    a.starts_with(b) || b.starts_with(a)
}

/// Why what is mentioned cannot be had.
pub fn poisoned<'p>(poison: &'p [Poison], mentions: &Mentions) -> impl Iterator<Item = &'p Mistake> {
    let hit = |poison: &&Poison| {
        mentions.everything || mentions.paths.iter().any(|mention| poison.concerns(mention))
    };
    poison.iter().filter(hit).map(|poison| &poison.mistake)
}
