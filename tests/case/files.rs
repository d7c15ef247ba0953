//! The operator's files of a case, in memory, and real strict rendering with the case's variables.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;
use towline::task::Inputs;
use towline::words::content::{Content, Files, LocalFile, Node, Source, TreeEntry};

#[derive(Debug, Deserialize)]
#[serde(untagged)]
pub enum Entry {
    Text(String),
    File {
        content: String,
        #[serde(default)]
        executable: bool,
        /// Not read into memory, as a large file.
        #[serde(default)]
        unread: bool,
    },
    Link {
        link: String,
    },
    Dir {
        #[serde(rename = "dir")]
        _dir: bool,
    },
}

impl Entry {
    pub fn node(&self) -> Node {
        match self {
            Entry::Text(text) => Node::File { content: Content::text(text), executable: false },
            Entry::File { content, executable, unread } => {
                let mut content = Content::text(content);
                if *unread {
                    content.source = Source::Local(LocalFile { path: "(large)".into(), modified: None });
                }
                Node::File { content, executable: *executable }
            }
            Entry::Link { link } => Node::Link { target: link.clone() },
            Entry::Dir { .. } => Node::Dir,
        }
    }
}

#[derive(Debug)]
pub struct Local<'a> {
    pub files: &'a BTreeMap<String, Entry>,
    pub vars: &'a toml::Table,
    pub secrets: &'a [String],
    pub ignored: &'a BTreeSet<String>,
}

impl Files for Local<'_> {
    fn read(&self, path: &str) -> Result<Vec<u8>, String> {
        self.content(path).map(|content| content.as_bytes().unwrap_or_default().to_vec())
    }

    fn content(&self, path: &str) -> Result<Content, String> {
        match self.files.get(path).map(Entry::node) {
            Some(Node::File { content, .. }) => Ok(content),
            Some(_) => Err(format!("{path} is not a file")),
            None if self.below(path).is_empty() => Err(format!("cannot read {path}: no such file")),
            None => Err(format!("{path} is a folder")),
        }
    }

    fn tree(&self, path: &str) -> Result<Vec<TreeEntry>, String> {
        let found = self.below(path);
        if let Some(entry) = self.files.get(path) {
            return Ok(vec![TreeEntry { path: String::new(), node: entry.node() }]);
        }
        if found.is_empty() {
            return Err(format!("cannot read {path}: no such folder"));
        }
        Ok(found.into_iter().map(|(path, node)| TreeEntry { path, node }).collect())
    }

    fn ignored(&self, _path: &str) -> Result<BTreeSet<String>, String> {
        Ok(self.ignored.clone())
    }
}

impl Local<'_> {
    /// Everything below a folder by relative path, with the folders that are only implied.
    fn below(&self, folder: &str) -> BTreeMap<String, Node> {
        let prefix = format!("{}/", folder.trim_end_matches('/'));
        let mut found = BTreeMap::new();
        for (path, entry) in
            self.files.iter().filter_map(|(path, entry)| Some((path.strip_prefix(&prefix)?, entry)))
        {
            for (at, _) in path.match_indices('/') {
                found.insert(path[..at].to_owned(), Node::Dir);
            }
            found.insert(path.to_owned(), entry.node());
        }
        found
    }
}

impl Inputs for Local<'_> {
    fn render(&self, name: &str, text: &str) -> Result<String, String> {
        let mut handlebars = handlebars::Handlebars::new();
        handlebars.set_strict_mode(true);
        handlebars.register_escape_fn(handlebars::no_escape);
        handlebars.render_template(text, self.vars).map_err(|error| format!("{name}: {}", error.reason()))
    }

    fn is_secret(&self, text: &str) -> bool {
        self.secrets.iter().any(|secret| text.contains(secret.as_str()))
    }
}
