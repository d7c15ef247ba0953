//! `--set`: values of the command line, and whether anything defines or uses what they are for.

use std::collections::BTreeSet;

use serde_json::Value as Json;

use crate::spec::mentions::Mentions;
use crate::spec::mistake::{Mistake, Mistakes};
use crate::spec::source::{Node, Value};
use crate::spec::suggest::{advice, nearest};
use crate::spec::template::is_template;
use crate::spec::vars::{RESERVED, Templates, set_value};

/// A path and its value.
pub type SetValue = (Vec<String>, Json);

pub fn values(set: &[(String, String)], mistakes: &mut Mistakes) -> Vec<SetValue> {
    let mut values = vec![];
    for (path, value) in set {
        let parts: Vec<String> = path.split('.').map(str::to_owned).collect();
        let refused = if parts.iter().any(String::is_empty) {
            Mistake::argument(format!("--set: `{path}` is not the name of a variable"))
                .help("write it as app.ref=main")
        } else if RESERVED.contains(&parts[0].as_str()) {
            Mistake::argument(format!("--set: `{}` is a name that towline gives", parts[0]))
                .help(format!("these cannot be set: {}", RESERVED.join(", ")))
        } else {
            values.push((parts, set_value(value)));
            continue;
        };
        mistakes.push(refused);
    }
    values
}

/// Every variable that some layer of some host defines, and what the variables mention.
#[derive(Default)]
pub struct Known {
    /// Tables too.
    paths: BTreeSet<Vec<String>>,
    /// Paths with a value that is no table, nor a template that may become one.
    plain: BTreeSet<Vec<String>>,
    pub mentions: Mentions,
}

impl Known {
    pub fn add(&mut self, node: &Node, templates: &Templates) {
        self.walk(node, &mut vec![], templates);
    }

    fn walk(&mut self, node: &Node, path: &mut Vec<String>, templates: &Templates) {
        if !path.is_empty() {
            self.paths.insert(path.clone());
        }
        match &node.value {
            Value::Table(entries) => {
                for entry in entries {
                    path.push(entry.key.clone());
                    self.walk(&entry.node, path, templates);
                    path.pop();
                }
            }
            Value::String(text) if is_template(text) => {
                if let Ok(compiled) = templates.compile(text) {
                    self.mentions.extend(&compiled.mentions);
                }
            }
            Value::Array(items) => {
                for item in items {
                    let mut inner = Known::default();
                    inner.walk(item, &mut vec![], templates);
                    self.mentions.extend(&inner.mentions);
                }
                self.plain.insert(path.clone());
            }
            _ => {
                self.plain.insert(path.clone());
            }
        }
    }

    fn is_used(&self, path: &[String]) -> bool {
        let related = |mention: &Vec<String>| mention.starts_with(path) || path.starts_with(mention);
        self.mentions.everything || self.mentions.paths.iter().any(related)
    }

    /// Those that fit; one below a value that is no table does not.
    pub fn fitting(&self, mut set: Vec<SetValue>, mistakes: &mut Mistakes) -> Vec<SetValue> {
        set.retain(|(path, _)| {
            let above = (1..path.len()).map(|n| &path[..n]).find(|above| {
                let below = |known: &Vec<String>| known.len() > above.len() && known.starts_with(above);
                self.plain.contains(*above) && !self.paths.iter().any(below)
            });
            let Some(above) = above.map(|above| above.join(".")) else { return true };
            let message = format!("--set: `{}` cannot be set: `{above}` is no table", path.join("."));
            mistakes.push(Mistake::argument(message).help(format!("set the whole: --set {above}=…")));
            false
        });
        set
    }

    /// `sure`: all that the playbook could use has been seen.
    pub fn check(&self, set: &[SetValue], sure: bool, mistakes: &mut Mistakes) {
        for (path, _) in set.iter().filter(|(path, _)| !self.paths.contains(path) && !self.is_used(path)) {
            let name = path.join(".");
            let known: Vec<String> = self.paths.iter().map(|path| path.join(".")).collect();
            let names = || known.iter().map(String::as_str);
            if sure || nearest(&name, names()).is_some() {
                let message = format!("--set: no variable `{name}` is defined, and nothing uses it");
                let help = advice(&name, names(), "the variables are");
                mistakes.push(Mistake::argument(message).maybe_help(help));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::{Known, values};
    use crate::spec::mistake::Mistakes;
    use crate::spec::source::{TextFile, parse};
    use crate::spec::template::Compiled;
    use crate::spec::vars::Templates;

    fn refused(set: &str, sure: bool) -> Vec<String> {
        let text =
            "root = '/srv/{{site.name}}'\nmain = '{{root}}'\n[app]\nname = 'a'\nref = 'main'\nports = [1]";
        let mut mistakes = Mistakes::default();
        let node = parse(&Arc::new(TextFile::new("x", text)), &mut mistakes);
        let mut known = Known::default();
        known.add(&node, &Templates::default());
        known.mentions.extend(&Compiled::new("{{version}} {{app.extra}}").unwrap().mentions);
        let values = values(&[(set.to_owned(), "v".to_owned())], &mut mistakes);
        let values = known.fitting(values, &mut mistakes);
        known.check(&values, sure, &mut mistakes);
        let shown =
            |m: crate::spec::mistake::Mistake| format!("{} | {}", m.message, m.help.unwrap_or_default());
        mistakes.list.into_iter().map(shown).collect()
    }

    #[test]
    fn what_nothing_defines_or_uses_is_a_slip() {
        for fine in ["app.ref", "app", "version", "app.extra", "site.name", "site", "root.x", "version.major"]
        {
            assert_eq!(refused(fine, true), Vec::<String>::new(), "{fine}");
        }
        assert!(refused("app.reff", true)[0].contains("did you mean `app.ref`?"));
        assert!(refused("ap.ref", false)[0].contains("did you mean `app.ref`?"));
        assert!(refused("colour", true)[0].contains("nothing uses it"));
        assert_eq!(refused("colour", false).len(), 0, "a part that was left out may use it");
        assert!(refused("app.ref.x", true)[0].contains("--set app.ref=…"));
        assert!(refused("host", true)[0].contains("these cannot be set: host, hosts"));
        assert!(refused("a..b", true)[0].contains("write it as app.ref=main"));
    }
}
