//! `[[stages]] include = "deploy.toml"`: the stages of another playbook, in this place, with their variables.

use std::sync::Arc;

use crate::spec::keys::text;
use crate::spec::mistake::Mistake;
use crate::spec::playbook::{INCLUDE, Playbook};
use crate::spec::read::Reader;
use crate::spec::source::{Entry, Node, TextFile};
use crate::spec::vars::Templates;
use crate::words::content::Files;

/// What an included playbook is read from; nothing within one that is included itself.
pub type Others<'a> = Option<&'a dyn Files>;

/// The entry that makes a stage stand for others.
pub fn entry(node: &Node) -> Option<&Entry> {
    node.entries().iter().find(|entry| entry.key == INCLUDE)
}

impl Playbook {
    /// Puts the stages of the playbook that `entry` names behind those that are there.
    pub fn include(
        &mut self,
        (node, entry): (&Node, &Entry),
        templates: &Templates,
        others: Others<'_>,
        reader: &mut Reader<'_>,
    ) {
        let mut creates = None;
        for other in node.entries().iter().filter(|other| other.key != INCLUDE) {
            if other.key == "creates" {
                creates = text(other, templates, reader);
                continue;
            }
            let message = format!("`{}` has no meaning beside `include`", other.key);
            reader.mistake(
                &other.key_span,
                message,
                "the included stages have their own; only `creates` is for all",
            );
        }
        let Some(path) = reader.string(entry) else { return };
        let Some(files) = others else {
            let message = "an included playbook includes no other";
            return reader.mistake(&entry.key_span, message, "include it from the first playbook");
        };
        let read = files
            .read(&path)
            .and_then(|bytes| String::from_utf8(bytes).map_err(|_| format!("{path} is not UTF-8 text")));
        let text = match read {
            Ok(text) => text,
            Err(why) => return reader.mistakes.push(Mistake::at(reader.file, entry.node.span.clone(), why)),
        };
        let file = Arc::new(TextFile::new(files.shown(&path), text));
        let mut included = Playbook::load(&file, templates, None, reader.mistakes);
        for stage in &mut included.stages {
            for task in stage.tasks.iter_mut().chain(&mut stage.handlers) {
                task.creates = task.creates.take().or_else(|| creates.clone());
            }
        }
        self.vars.extend(included.vars);
        self.defaults.extend(included.defaults);
        self.stages.extend(included.stages);
    }
}
