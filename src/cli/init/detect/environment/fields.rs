//! Fields of pydantic's `BaseSettings`: each is a variable of its name.

use std::collections::BTreeSet;

use crate::cli::init::detect::environment::skipped::is_for_developers;
use crate::cli::init::detect::environment::{Variable, variable};
use crate::cli::init::detect::python::{Line, Source, is_name, strings, words};

/// Classes that are settings, also those that only build on such a one.
pub fn classes(sources: &[Source]) -> BTreeSet<String> {
    let mut known = BTreeSet::from(["BaseSettings".to_owned()]);
    loop {
        let before = known.len();
        for line in sources.iter().flat_map(|source| &source.lines) {
            let Some((name, bases)) = class(line) else { continue };
            if words(bases).any(|(_, word)| known.contains(word)) {
                known.insert(name.to_owned());
            }
        }
        if known.len() == before {
            return known;
        }
    }
}

/// Name and bases of the class that begins here.
pub fn class(line: &Line) -> Option<(&str, &str)> {
    let (name, bases) = line.code.strip_prefix("class ")?.split_once('(')?;
    Some((name.trim(), bases))
}

pub fn of_source(source: &Source, classes: &BTreeSet<String>) -> Vec<Variable> {
    let mut found = vec![];
    for (at, line) in source.lines.iter().enumerate() {
        let Some((name, _)) = class(line) else { continue };
        if !classes.contains(name) || is_for_developers(name) {
            continue;
        }
        let body: Vec<&Line> =
            source.lines[at + 1..].iter().take_while(|inner| inner.indent > line.indent).collect();
        let prefix = body.iter().find_map(|inner| {
            let at = inner.code.find("env_prefix")?;
            strings(&inner.code).into_iter().find(|(place, _)| *place > at).map(|(_, text)| text)
        });
        let Some(indent) = body.first().map(|inner| inner.indent) else { continue };
        let fields = body.iter().filter(|inner| inner.indent == indent);
        found.extend(fields.filter_map(|inner| field(source, inner, prefix.unwrap_or_default())));
    }
    found
}

/// `name: Type`, `name: Type = default`.
fn field(source: &Source, line: &Line, prefix: &str) -> Option<Variable> {
    let (name, rest) = line.code.split_once(':')?;
    let name = name.trim();
    if !is_name(name) || name == "model_config" || rest.contains("ClassVar[") {
        return None;
    }
    let value = line.assigned().map(|(_, value)| value);
    let annotation = rest[..rest.len() - value.map_or(0, str::len)].trim_end().trim_end_matches('=').trim();
    if annotation.is_empty() {
        return None;
    }
    // pydantic 1 takes None where nothing is said of an optional field.
    let second = source.lines.iter().any(|line| line.has_word("pydantic_settings"));
    let optional = annotation.contains("Optional[") || annotation.contains("None");
    let required = match value {
        None => second || !optional,
        Some(value) => {
            let inside = value.strip_prefix("Field(").unwrap_or(" default");
            inside.starts_with("...")
                || (inside.contains('=') && !inside.contains("default") && is_keyword(inside))
        }
    };
    let key = name.to_ascii_uppercase();
    let known_as = ["validation_alias=", "alias=", "env="].iter().find_map(|word| {
        let (_, rest) = value.filter(|value| value.starts_with("Field("))?.split_once(word)?;
        let text = strings(rest).first().filter(|(at, _)| *at == 0)?.1.to_ascii_uppercase();
        text.chars().all(|c| c.is_ascii_alphanumeric() || c == '_').then_some(text)
    });
    let name = known_as.unwrap_or_else(|| format!("{prefix}{key}").to_ascii_uppercase());
    let annotation = Some(annotation.to_owned());
    Some(Variable { key, required, annotation, ..variable(&name, source, line) })
}

/// Whether the first argument has a name: without one it is the default.
fn is_keyword(arguments: &str) -> bool {
    arguments.split_once('=').is_some_and(|(name, _)| is_name(name.trim()))
}

#[cfg(test)]
mod tests {
    use super::{classes, of_source};
    use crate::cli::init::tree::Tree;

    fn fields(text: &str) -> Vec<(String, bool)> {
        let mut tree = Tree::default();
        tree.add("a.py", text.to_owned());
        let sources = tree.sources("");
        let found = of_source(&sources[0], &classes(&sources));
        found.into_iter().map(|variable| (variable.name, variable.required)).collect()
    }

    #[test]
    fn fields_without_a_default_have_to_be_set() {
        let text = "from pydantic_settings import BaseSettings\n\
                    class Settings(BaseSettings):\n    model_config = SettingsConfigDict(env_prefix='APP_')\n    database_url: str\n    \
                    debug: bool = False\n    key: str = Field(..., env=\"KEY\")\n    size: int = Field(default=3)\n    \
                    count: int = Field(gt=0)\n    pages: int = Field(20, gt=0)\n\n    def x(self): pass\n\
                    class Other:\n    y: int\n";
        let expected = [
            ("APP_DATABASE_URL", true),
            ("APP_DEBUG", false),
            ("KEY", true),
            ("APP_SIZE", false),
            ("APP_COUNT", true),
            ("APP_PAGES", false),
        ];
        assert_eq!(fields(text), expected.map(|(name, required)| (name.to_owned(), required)));
    }

    #[test]
    fn a_class_may_build_on_settings_and_those_of_developers_do_not_count() {
        let text = "from pydantic import BaseSettings\nclass Base(BaseSettings):\n    name: Optional[str]\n\
                    class AppSettings(Base):\n    url: str\nclass TestAppSettings(AppSettings):\n    other: str\n";
        assert_eq!(fields(text), [("NAME".to_owned(), false), ("URL".to_owned(), true)]);
    }
}
