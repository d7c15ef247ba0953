//! docs/kinds.md, written from what the task kinds say of themselves: the comments on their structs and keys.

use std::fmt::Write as _;
use std::path::Path;

const HEAD: &str = "# Task kinds\n\n\
    <!-- Written from the comments in src/task by `UPDATE_DOCS=1 cargo test --test docs`; edit them there. -->\n\n\
    What a task can do, one section a kind. Keys that every task may carry (`when`, `for_each`, `notify` …) are in\n\
    [playbook.md](playbook.md#keys-of-every-task). A second run of any of them reports nothing changed, but for\n\
    `command` and `script`, whose effect nobody can know: say `creates`, `unless` or `changed_when` on the task.\n\
    `detached = true` there lets them go on when the link is lost, as `pip` and `certificate` do by themselves.\n";

/// What a kind's source file says of it.
#[derive(Debug, Default)]
pub struct Described {
    /// The comment on the struct, as lines.
    pub about: Vec<String>,
    pub keys: Vec<Key>,
}

#[derive(Debug)]
pub struct Key {
    name: String,
    required: bool,
    about: String,
}

impl Key {
    pub fn is_silent(&self) -> bool {
        self.about.is_empty()
    }
}

pub fn document(root: &Path) -> String {
    let mut text = HEAD.to_owned();
    for kind in towline::task::KINDS {
        let described = described(root, kind);
        let _ = write!(text, "\n## `{kind}`\n\n{}\n", described.about.join("\n"));
        if let Some(key) = towline::task::shorthand(kind) {
            let _ = write!(text, "\nA bare value is its `{key}`.\n");
        }
        let _ = write!(text, "\n| key | |\n|---|---|\n");
        for key in described.keys {
            let required = if key.required { " (required)" } else { "" };
            let _ = writeln!(text, "| `{}`{required} | {} |", key.name, key.about.replace('|', "\\|"));
        }
    }
    text
}

pub fn described(root: &Path, kind: &str) -> Described {
    let file = root.join("src/task").join(format!("{kind}.rs"));
    parse(&std::fs::read_to_string(&file).unwrap())
}

/// Reads the one struct of the file that `serde` reads with `deny_unknown_fields` and that is public.
fn parse(source: &str) -> Described {
    let (mut said, mut attributes) = (vec![], String::new());
    let mut found: Option<Described> = None;
    for line in source.lines().map(str::trim) {
        if let Some(comment) = line.strip_prefix("///") {
            said.push(comment.strip_prefix(' ').unwrap_or(comment).to_owned());
        } else if line.starts_with("#[") {
            attributes.push_str(line);
        } else if let Some(described) = &mut found {
            if line == "}" {
                break;
            }
            described.keys.extend(key(line, &attributes, &said));
            (said, attributes) = (vec![], String::new());
        } else {
            if line.starts_with("pub struct") && attributes.contains("deny_unknown_fields") {
                found = Some(Described { about: std::mem::take(&mut said), keys: vec![] });
            }
            (said, attributes) = (vec![], String::new());
        }
    }
    found.expect("a public struct with deny_unknown_fields")
}

fn key(line: &str, attributes: &str, said: &[String]) -> Option<Key> {
    let (name, kind) = line.trim_end_matches(',').split_once(": ")?;
    if attributes.contains("serde(skip") {
        return None;
    }
    let renamed = attributes.split_once("rename = \"").and_then(|(_, rest)| rest.split('"').next());
    let name = renamed.unwrap_or(name.trim_start_matches("pub ").trim_start_matches("r#"));
    let required = !kind.starts_with("Option<") && !attributes.contains("default");
    Some(Key { name: name.to_owned(), required, about: said.join(" ") })
}
