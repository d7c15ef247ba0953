//! Specs by the values of the variables that they were rendered from: what does not differ is rendered once.

use std::collections::HashMap;

use handlebars::Context;
use serde_json::{Map, Value as Json};

use crate::spec::mentions::Mentions;
use crate::spec::model::TaskSpec;

/// Specs by the values of the variables that they were rendered from.
#[derive(Default)]
pub struct Cache {
    values: HashMap<String, u32>,
    /// Of the host whose turn it is.
    roots: HashMap<String, u32>,
    lines: HashMap<(usize, Vec<u32>), Line>,
}

#[derive(Default)]
struct Line {
    /// Variables that only the template files mention.
    roots: Vec<String>,
    specs: HashMap<Vec<u32>, Vec<TaskSpec>>,
}

impl Cache {
    pub fn next_host(&mut self) {
        self.roots.clear();
    }

    pub fn key(
        &mut self,
        mentions: &Mentions,
        context: &Context,
        shared: &Map<String, Json>,
    ) -> Option<Vec<u32>> {
        if mentions.everything {
            return None;
        }
        let mut roots: Vec<&str> = mentions.roots().collect();
        roots.dedup();
        Some(roots.into_iter().map(|root| self.id(root, context, shared)).collect())
    }

    fn id(&mut self, root: &str, context: &Context, shared: &Map<String, Json>) -> u32 {
        if shared.contains_key(root) {
            return 1;
        }
        if let Some(id) = self.roots.get(root) {
            return *id;
        }
        let next = u32::try_from(self.values.len()).unwrap_or(u32::MAX - 2) + 2;
        let id =
            context.data().get(root).map_or(0, |value| *self.values.entry(value.to_string()).or_insert(next));
        self.roots.insert(root.to_owned(), id);
        id
    }

    pub fn find(
        &mut self,
        place: usize,
        key: &[u32],
        context: &Context,
        shared: &Map<String, Json>,
    ) -> Option<Vec<TaskSpec>> {
        let roots = self.lines.get(&(place, key.to_vec()))?.roots.clone();
        let more: Vec<u32> = roots.iter().map(|root| self.id(root, context, shared)).collect();
        self.lines.get(&(place, key.to_vec()))?.specs.get(&more).cloned()
    }

    pub fn keep(
        &mut self,
        place: usize,
        key: Vec<u32>,
        seen: &Mentions,
        specs: &[TaskSpec],
        context: &Context,
        shared: &Map<String, Json>,
    ) {
        let mut roots: Vec<String> = seen.roots().map(str::to_owned).collect();
        roots.dedup();
        let more: Vec<u32> = roots.iter().map(|root| self.id(root, context, shared)).collect();
        let line = self.lines.entry((place, key)).or_default();
        line.roots = roots;
        line.specs.insert(more, specs.to_vec());
    }
}
