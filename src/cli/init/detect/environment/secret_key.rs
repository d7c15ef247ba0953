//! The variable that becomes the key of sessions, whatever it is called.

use crate::cli::init::detect::environment::{Variable, variable};
use crate::cli::init::detect::python::{Line, Source, strings};

/// Whether what stands before a variable takes it as the key of sessions: `app.config["SECRET_KEY"] = os.environ[`.
pub fn takes(before: &str, name: &str) -> bool {
    let word = |at: usize| !before[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_');
    let found = ["SECRET_KEY", "secret_key"].iter().filter_map(|key| Some((before.rfind(key)?, key.len())));
    let Some((at, length)) = found.max().filter(|(at, _)| word(*at)) else { return false };
    let rest = before[at + length..].trim_start_matches(['"', '\'', ']', ' ']);
    let rest = rest.strip_prefix(": str").map_or(rest, str::trim_start);
    let value = rest.strip_prefix('=').or_else(|| rest.strip_prefix(':'));
    // Elsewhere it is a file's name, or in a form of its own.
    let other = [",", " if ", "open(", "Path(", "==", "decode", "fromhex", "Fernet"];
    value.is_some_and(|value| !value.starts_with('=') && !other.iter().any(|sign| value.contains(sign)))
        && !name.ends_with("_FILE")
        && !name.ends_with("_PATH")
}

/// What takes settings from the environment without naming them: `app.config.from_prefixed_env()`.
pub fn of_flask(source: &Source, line: &Line) -> Option<Variable> {
    let prefixed = line.code.split_once(".from_prefixed_env(").map(|(_, rest)| {
        let given = strings(rest).first().map_or("FLASK", |(_, text)| text);
        format!("{given}_SECRET_KEY")
    });
    let all = ["config.from_mapping(os.environ", "config.update(os.environ"];
    let all = all.iter().any(|call| line.code.contains(call)).then(|| "SECRET_KEY".to_owned());
    let name = prefixed.or(all)?;
    Some(Variable { becomes_secret_key: true, ..variable(&name, source, line) })
}

#[cfg(test)]
mod tests {
    use crate::cli::init::detect::environment::{Reads, find};
    use crate::cli::init::tree::Tree;

    #[test]
    fn what_becomes_the_key_of_sessions() {
        let secret = |code: &str| {
            let mut tree = Tree::default();
            tree.add("a.py", format!("import os\n{code}\n"));
            let sources = tree.sources("");
            let found = find(&Reads { tree: &tree, sources: &sources, settings: None, entry: None });
            found.into_iter().any(|variable| variable.becomes_secret_key)
        };
        assert!(secret("SECRET_KEY = os.environ.get(\"CONDUIT_SECRET\", \"secret-key\")"));
        assert!(secret("app.config['SECRET_KEY'] = os.getenv('KEY') or 'dev'"));
        assert!(secret("app.secret_key = os.getenv('KEY')"));
        assert!(secret("app.config.from_mapping(SECRET_KEY=os.environ.get('KEY', 'dev'))"));
        assert!(secret("app.config.from_prefixed_env()"));
        assert!(!secret("DATASOURCE_SECRET_KEY = os.environ.get('KEY', SECRET_KEY)"));
        assert!(!secret("SECRET_KEY = 'dev' if os.environ.get('FLAG') else load()"));
        assert!(!secret("SECRET_KEY = open(os.environ['KEY_FILE']).read()"));
        assert!(!secret("f(SECRET_KEY=key, NAME=os.environ['NAME'])"));
    }
}
