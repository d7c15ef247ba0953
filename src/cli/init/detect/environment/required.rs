//! Whether an application ends when a variable is not set.

use std::collections::BTreeSet;

use crate::cli::init::detect::environment::Reads;
use crate::cli::init::detect::environment::known::closing;
use crate::cli::init::detect::python::{Line, Source, last};

/// Of a name in quotes at a place of a line. Only what importing the module runs counts, or making the application.
pub fn is_required(source: &Source, number: usize, at: usize, name: &str, helpers: &[&str]) -> bool {
    let line = &source.lines[number];
    let (before, after) = (&line.code[..at], &line.code[at + name.len() + 2..]);
    let asks = before.ends_with("environ[") || has_no_default(source, before, after, name, helpers);
    asks && !line.code.contains(" if ") && !line.code.starts_with("del ") && runs(source, number)
}

/// `env("X")` and `config("X")` of django-environ, environs and decouple.
fn has_no_default(source: &Source, before: &str, after: &str, name: &str, helpers: &[&str]) -> bool {
    let Some(callee) = before.strip_suffix('(') else { return false };
    let callee = callee.rsplit(|c: char| !(c.is_alphanumeric() || c == '_' || c == '.')).next().unwrap_or("");
    let asks = match callee.split_once('.') {
        None => ["env", "config"].contains(&callee) && !helpers.contains(&callee),
        Some((receiver, method)) => {
            receiver == "env" && !["get", "pop", "setdefault", "copy"].contains(&method)
        }
    };
    let libraries = ["environ", "environs", "decouple"];
    let imports = |line: &Line| {
        let module = line.code.strip_prefix("import ").or_else(|| line.code.strip_prefix("from "));
        module
            .and_then(|rest| rest.split_whitespace().next())
            .is_some_and(|name| libraries.contains(&last(name)))
    };
    let arguments = after[..closing(after)].trim();
    let alone = arguments.is_empty() || (arguments.starts_with(", cast=") && !arguments.contains("default"));
    // `environ.Env(DEBUG=(bool, False))` has the default.
    let scheme = format!("{name}=(");
    asks && alone
        && source.lines.iter().any(imports)
        && !source.lines.iter().any(|line| line.code.contains(&scheme))
}

/// Whether a module is the entry or the settings, or anything imports it.
pub fn is_of_application(source: &Source, reads: &Reads, imported: &BTreeSet<String>) -> bool {
    let entry = reads.entry.and_then(|entry| entry.split(':').next());
    // Where modules are imported from may be another folder than was found.
    let ending = format!(".{}", source.module);
    let inside = format!("{}.", source.module);
    let is = |name: &str| {
        name == source.module
            || name.starts_with(&inside)
            || source.module.ends_with(&format!(".{name}"))
            || name.ends_with(&ending)
    };
    entry.into_iter().chain(reads.settings).chain(imported.iter().map(String::as_str)).any(is)
}

/// Whether a statement is run in every case: in no branch, and in no function but a factory.
fn runs(source: &Source, number: usize) -> bool {
    let mut indent = source.lines[number].indent;
    for line in source.lines[..number].iter().rev() {
        if line.indent >= indent {
            continue;
        }
        indent = line.indent;
        let factory = line.function().is_some_and(|(name, _)| {
            name.contains("app") && ["create", "make", "build"].iter().any(|verb| name.starts_with(verb))
        });
        if !factory && !line.code.starts_with("class ") {
            return false;
        }
    }
    true
}

#[cfg(test)]
mod tests {
    use crate::cli::init::detect::environment::{Reads, find};
    use crate::cli::init::tree::Tree;

    fn required(text: &str) -> Vec<String> {
        let mut tree = Tree::default();
        tree.add("shop/a.py", text.to_owned());
        tree.add("shop/__init__.py", "from .a import x\nimport os\n".to_owned());
        tree.add("release.py", "import os\nA = os.environ[\"SCRIPT\"]\n".to_owned());
        let sources = tree.sources("");
        let found = find(&Reads { tree: &tree, sources: &sources, settings: None, entry: Some("shop:app") });
        found.into_iter().filter(|variable| variable.required).map(|variable| variable.name).collect()
    }

    #[test]
    fn what_has_no_default_and_is_always_read() {
        let text = "import os\nA = os.environ[\"ONE\"]\nB = os.environ.get(\"TWO\")\nif A:\n    C = os.environ[\"THREE\"]\n\
                    def create_app():\n    D = os.environ[\"FOUR\"]\ndef later():\n    E = os.environ[\"FIVE\"]\n\
                    F = os.environ[\"SIX\"] if \"SIX\" in os.environ else 1\nclass Config:\n    G = os.environ['SEVEN']\n";
        assert_eq!(required(text), ["ONE", "FOUR", "SEVEN"]);
    }

    #[test]
    fn libraries_that_ask_without_a_default() {
        let text = "import environ\nenv = environ.Env(DEBUG=(bool, False))\nA = env(\"ONE\")\nB = env.str(\"TWO\", default=\"\")\n\
                    C = env.bool(\"THREE\")\nD = env.bool(\"DEBUG\")\n";
        assert_eq!(required(text), ["ONE", "THREE"]);
        let text = "from decouple import config\nA = config('ONE', cast=int)\nB = config('TWO', default=1, cast=int)\n";
        assert_eq!(required(text), ["ONE"]);
    }
}
