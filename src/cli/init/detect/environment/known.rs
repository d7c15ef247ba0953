//! Which values of a variable an application knows: what it compares it with, or chooses from.

use crate::cli::init::detect::environment::Variable;
use crate::cli::init::detect::environment::fields::class;
use crate::cli::init::detect::python::{Line, Source, last, strings, words};

/// What the names of variables end with that stand for a choice.
const CHOICES: [&str; 12] = [
    "SETTINGS",
    "ENV",
    "ENVIRONMENT",
    "STAGE",
    "CONFIG",
    "CONFIG_NAME",
    "ENGINE",
    "BACKEND",
    "DIALECT",
    "DB",
    "DB_TYPE",
    "DEBUG",
];

pub fn values(variable: &Variable, sources: &[Source]) -> Vec<String> {
    if !CHOICES.iter().any(|ending| variable.key.ends_with(ending)) {
        return vec![];
    }
    let mut found: Vec<&str> = vec![];
    let mut called: Vec<(&str, Option<&str>)> = vec![];
    if let Some(annotation) = &variable.annotation {
        of_type(annotation, sources, &mut found);
        let default = variable.code.split_once('=').map_or("", |(_, value)| value);
        found.extend(strings(default).into_iter().map(|(_, text)| text));
        called.extend(variable.code.split(':').next().map(|name| (name.trim(), None)));
    }
    for source in sources {
        for line in &source.lines {
            for (at, _) in strings(&line.code).into_iter().filter(|(_, text)| *text == variable.name) {
                of_read(&line.code[at + variable.name.len() + 2..], &mut found);
                of_callee(sources, source, &line.code[..at], &mut found);
                let name = line.assigned().map(|(name, _)| name);
                // A name in capitals is a setting, which other modules have too.
                called.extend(
                    name.map(|name| (name, (name != name.to_uppercase()).then_some(source.path.as_str()))),
                );
            }
        }
    }
    let objects = of_objects(&variable.name, &called, sources);
    found.extend(objects.iter().map(String::as_str));
    for (name, path) in called {
        let inside = sources.iter().filter(|source| path.is_none_or(|path| source.path == path));
        found.extend(inside.flat_map(|source| &source.lines).flat_map(|line| of_name(line, name)));
    }
    if !["DEBUG", "ENGINE", "DB"].iter().any(|ending| variable.key.ends_with(ending)) {
        found.extend(of_tables(sources));
    }
    let mut values: Vec<String> = vec![];
    for text in found {
        if !text.is_empty() && !values.iter().any(|value| value == text) {
            values.push(text.to_owned());
        }
    }
    values
}

/// `Literal["dev", "prod"]`, or the name of an Enum.
fn of_type<'a>(annotation: &'a str, sources: &'a [Source], found: &mut Vec<&'a str>) {
    if annotation.contains("Literal[") {
        found.extend(strings(annotation).into_iter().map(|(_, text)| text));
    }
    for (_, word) in words(annotation) {
        found.extend(of_enum(word, sources));
    }
}

fn of_enum<'a>(name: &str, sources: &'a [Source]) -> Vec<&'a str> {
    for source in sources {
        let begins =
            |line: &Line| class(line).is_some_and(|(class, bases)| class == name && bases.contains("Enum"));
        if let Some(at) = source.lines.iter().position(begins) {
            let indent = source.lines[at].indent;
            let body = source.lines[at + 1..].iter().take_while(|line| line.indent > indent);
            let values = body.filter_map(|line| line.assigned().map(|(_, value)| value));
            return values.flat_map(|value| strings(value).into_iter().map(|(_, text)| text)).collect();
        }
    }
    vec![]
}

/// The other arguments of the call that reads it, and what stands behind the call.
fn of_read<'a>(rest: &'a str, found: &mut Vec<&'a str>) {
    let end = closing(rest);
    found.extend(strings(&rest[..end]).into_iter().map(|(_, text)| text));
    found.extend(compared(rest.get(end + 1..).unwrap_or_default()));
}

/// What reads it may be an Enum, or a function beside it that takes a few values.
fn of_callee<'a>(sources: &'a [Source], source: &'a Source, before: &str, found: &mut Vec<&'a str>) {
    for (_, word) in words(before) {
        found.extend(of_enum(word, sources));
    }
    let callee = before.strip_suffix('(').and_then(|before| words(before).last());
    let Some((_, callee)) = callee else { return };
    let begins = |line: &Line| line.function().is_some_and(|(name, _)| name == last(callee));
    if let Some(at) = source.lines.iter().position(begins) {
        let indent = source.lines[at].indent;
        let body = source.lines[at + 1..].iter().take_while(|line| line.indent > indent);
        found.extend(body.flat_map(Line::strings).filter(|text| !text.contains(' ')));
    }
}

/// Where the bracket ends that is open at the beginning.
pub fn closing(rest: &str) -> usize {
    let quoted = strings(rest);
    let mut depth = 0usize;
    for (at, c) in rest.char_indices() {
        if quoted.iter().any(|(begin, text)| *begin <= at && at <= begin + text.len() + 1) {
            continue;
        }
        match c {
            '(' | '[' | '{' => depth += 1,
            ')' | ']' | '}' if depth == 0 => return at,
            ')' | ']' | '}' => depth -= 1,
            _ => {}
        }
    }
    rest.len()
}

/// What a value is compared with: `== "x"`, `in ("x", "y")`, `.lower() != "x"`, `.startswith("x")`.
fn compared(rest: &str) -> Vec<&str> {
    let mut rest = rest.trim_start();
    for word in [".value", ".strip()", ".lower()", ".upper()", ".casefold()"] {
        rest = rest.strip_prefix(word).unwrap_or(rest).trim_start();
    }
    for word in ["==", "!=", ".startswith("] {
        if let Some(rest) = rest.strip_prefix(word) {
            let text = strings(rest).into_iter().find(|(at, _)| rest[..*at].trim().is_empty());
            return text.map(|(_, text)| text).into_iter().collect();
        }
    }
    let inside = rest.strip_prefix("not ").unwrap_or(rest).strip_prefix("in ").map(str::trim_start);
    match inside.and_then(|inside| inside.strip_prefix(['(', '[', '{'])) {
        Some(inside) => strings(&inside[..closing(inside)]).into_iter().map(|(_, text)| text).collect(),
        None => vec![],
    }
}

fn of_name<'a>(line: &'a Line, name: &str) -> Vec<&'a str> {
    let places = words(&line.code).filter(|(_, word)| *word == name);
    places.flat_map(|(at, word)| compared(&line.code[at + word.len()..])).collect()
}

/// Keys of a dict that has production among others, and from which something is taken by name.
fn of_tables(sources: &[Source]) -> Vec<&str> {
    let lines = || sources.iter().flat_map(|source| &source.lines);
    let mut found = vec![];
    for line in lines() {
        let Some((name, value)) = line.assigned() else { continue };
        let keys = keys(value);
        let taken = [format!("{name}["), format!("{name}.get(")];
        let stages = keys.len() > 1 && keys.iter().any(|key| ["production", "prod"].contains(key));
        if stages && lines().any(|line| taken.iter().any(|text| line.code.contains(text.as_str()))) {
            found.extend(keys);
        }
    }
    found
}

/// Of `{"dev": …, "prod": …}` and `dict(dev=…, prod=…)`.
fn keys(value: &str) -> Vec<&str> {
    let followed = |end: usize, sign: char| value[end..].trim_start().starts_with(sign);
    if value.starts_with('{') {
        let texts = strings(value).into_iter().filter(|(at, text)| followed(at + text.len() + 2, ':'));
        return texts.map(|(_, text)| text).collect();
    }
    if value.starts_with("dict(") {
        let names = words(value).filter(|(at, word)| followed(at + word.len(), '='));
        return names.map(|(_, word)| word).collect();
    }
    vec![]
}

/// Classes for production, where the variable names the one that Flask takes: `config.ProductionConfig`.
fn of_objects(name: &str, aliases: &[(&str, Option<&str>)], sources: &[Source]) -> Vec<String> {
    let takes = |source: &Source, line: &Line| {
        let Some((_, inside)) = line.code.split_once("from_object(") else { return false };
        let inside = inside.trim_end_matches(')').trim();
        let alias = |(alias, path): &(&str, Option<&str>)| {
            inside == *alias && path.is_none_or(|path| source.path == path)
        };
        // A text with more in it makes the name of another.
        !inside.starts_with('f')
            && (strings(inside).iter().any(|(_, text)| *text == name) || aliases.iter().any(alias))
    };
    if !sources.iter().any(|source| source.lines.iter().any(|line| takes(source, line))) {
        return vec![];
    }
    let mut found = vec![];
    for source in sources {
        let classes = source.lines.iter().filter_map(|line| class(line).map(|(name, _)| name));
        let production = classes.filter(|name| ["ProductionConfig", "ProdConfig"].contains(name));
        found.extend(production.map(|name| format!("{}.{name}", source.module)));
    }
    found
}

#[cfg(test)]
mod tests {
    use crate::cli::init::detect::environment::{Reads, find};
    use crate::cli::init::tree::Tree;

    fn known(name: &str, files: &[(&str, &str)]) -> Vec<String> {
        let mut tree = Tree::default();
        for (path, text) in files {
            tree.add(path, (*text).to_owned());
        }
        let sources = tree.sources("");
        let found = find(&Reads { tree: &tree, sources: &sources, settings: None, entry: None });
        found.into_iter().find(|variable| variable.name == name).unwrap().known
    }

    #[test]
    fn of_types() {
        let text = "from pydantic_settings import BaseSettings\nclass S(BaseSettings):\n    app_env: Literal[\"development\"] | None = None\n";
        assert_eq!(known("APP_ENV", &[("a.py", text)]), ["development"]);
        let text = "class Stage(Enum):\n    prod: str = \"prod\"\n    dev = \"dev\"\nclass S(BaseSettings):\n    app_env: Stage = Stage.prod\n";
        assert_eq!(known("APP_ENV", &[("a.py", text)]), ["prod", "dev"]);
        let text = "import os\nclass Stage(StrEnum):\n    live = \"live\"\nstage = Stage(os.getenv(\"SHOP_ENV\", Stage.live))\n";
        assert_eq!(known("SHOP_ENV", &[("a.py", text)]), ["live"]);
    }

    #[test]
    fn of_comparisons() {
        let a = "import os\nAPP_ENV = os.environ.get(\"APP_ENV\", \"local\").lower()\nx = os.getenv(\"APP_ENV\") in (\"a\", \"b\")\n";
        let b = "if settings.APP_ENV == \"production\":\n    pass\n";
        assert_eq!(known("APP_ENV", &[("a.py", a), ("b.py", b)]), ["local", "a", "b", "production"]);
        let db = "import os\nif os.getenv(\"DB\") == \"postgres\":\n    pass\n";
        assert_eq!(known("DB", &[("a.py", db)]), ["postgres"]);
        let helper = "import os\ndef flag(s):\n    v = os.getenv(s)\n    return v == \"True\"\nDEBUG = flag(\"DEBUG\")\n";
        assert_eq!(known("DEBUG", &[("a.py", helper)]), ["True"]);
    }

    #[test]
    fn of_a_dict_that_something_is_taken_from() {
        let config = "config = {'development': Dev, 'production': Prod, 'default': Dev}\n";
        let app = "import os\nfrom config import config\ndef create_app(name):\n    app.config.from_object(config[name])\n\
                   app = create_app(os.getenv('FLASK_CONFIG') or 'default')\n";
        let found = known("FLASK_CONFIG", &[("config.py", config), ("app.py", app)]);
        assert_eq!(found, ["development", "production", "default"]);
        let config = "config = dict(dev=Dev, prod=Prod)\n";
        assert_eq!(known("FLASK_CONFIG", &[("config.py", config), ("app.py", app)]), ["dev", "prod"]);
    }

    #[test]
    fn of_a_class_that_is_named() {
        let config = ("shop/config.py", "class ProductionConfig(Config):\n    DEBUG = False\n");
        let app = "import os\napp.config.from_object(os.environ['APP_SETTINGS'])\n";
        assert_eq!(known("APP_SETTINGS", &[config, ("app.py", app)]), ["shop.config.ProductionConfig"]);
        let app =
            "import os\nname = os.getenv('APP_SETTINGS', 'shop.config.Dev')\napp.config.from_object(name)\n";
        let expected = ["shop.config.Dev", "shop.config.ProductionConfig"];
        assert_eq!(known("APP_SETTINGS", &[config, ("app.py", app)]), expected);
        let other = "import os\nname = os.getenv('APP_SETTINGS')\n";
        assert!(known("APP_SETTINGS", &[config, ("app.py", other)]).is_empty());
    }
}
