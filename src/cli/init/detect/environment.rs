//! Which variables of the environment the application reads.

use std::collections::BTreeSet;

use crate::cli::init::detect::Place;
use crate::cli::init::detect::python::{Line, Source, is_name, last, strings};
use crate::cli::init::tree::Tree;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Variable {
    pub name: String,
    /// Its name without the prefix that all of an application's have: `SECRET_KEY` of `SHOP_SECRET_KEY`.
    pub key: String,
    pub place: Place,
    /// The statement that reads it: `os.environ.get("HOSTS", "").split()`.
    pub code: String,
}

/// Those of the system, of tools, or of Towline's own: nothing to be set by a person.
const NOT_OURS: [&str; 18] = [
    "PATH",
    "HOME",
    "USER",
    "PWD",
    "LANG",
    "TZ",
    "CI",
    "PORT",
    "HOST",
    "BIND",
    "DJANGO_SETTINGS_MODULE",
    "FLASK_APP",
    "PYTHONPATH",
    "WEB_CONCURRENCY",
    "ENV_FILE",
    "HOSTNAME",
    "VIRTUAL_ENV",
    "TEMP",
];

/// In the order in which they are found; each once.
pub fn find(tree: &Tree, sources: &[Source]) -> Vec<Variable> {
    let mut known = BTreeSet::new();
    let read = sources.iter().filter(|source| !source.path.ends_with("gunicorn.conf.py")).flat_map(of_source);
    let examples = [".env.example", ".env.sample", "env.example", ".env.template"];
    let listed = examples
        .into_iter()
        .filter_map(|path| Some((path, tree.text(path)?)))
        .flat_map(|(path, text)| of_example(path, text));
    let ours = |variable: &Variable| {
        !NOT_OURS.contains(&variable.name.as_str())
            && !variable.name.starts_with("TEST_")
            && !variable.name.starts_with("PYTEST_")
    };
    read.chain(listed).filter(ours).filter(|variable| known.insert(variable.name.clone())).collect()
}

fn of_source(source: &Source) -> Vec<Variable> {
    let reads = |line: &Line| {
        ["environ", "getenv", "environs", "decouple", "starlette.config", "dj_database_url"]
            .iter()
            .any(|word| line.code.contains(word))
    };
    let mut found = of_settings_class(source);
    found.extend(of_database_url(source));
    if !source.lines.iter().any(reads) {
        return found;
    }
    let helpers: Vec<&str> = source.lines.iter().filter_map(|line| Some(line.function()?.0)).collect();
    for line in &source.lines {
        let texts = strings(&line.code)
            .into_iter()
            .filter(|(at, text)| is_variable(text) && is_read(&line.code[..*at], &helpers));
        let variable = |(_, text): (usize, &str)| variable(text, source, line);
        found.extend(texts.map(variable));
    }
    found
}

fn variable(name: &str, source: &Source, line: &Line) -> Variable {
    let place = Place::new(&source.path, line.number);
    Variable { name: name.to_owned(), key: name.to_owned(), place, code: line.code.clone() }
}

/// What reads `DATABASE_URL` without naming it: dj-database-url, django-environ.
fn of_database_url(source: &Source) -> Option<Variable> {
    let reads =
        |line: &&Line| ["dj_database_url.config(", "env.db("].iter().any(|call| line.code.contains(call));
    let line = source.lines.iter().find(reads)?;
    let named = strings(&line.code)
        .into_iter()
        .any(|(at, text)| is_variable(text) && !line.code[..at].ends_with("default="));
    (!named).then(|| variable("DATABASE_URL", source, line))
}

/// Whether what stands before a text asks the environment for it.
fn is_read(before: &str, helpers: &[&str]) -> bool {
    let tight = before.trim_end();
    if let Some(subscripted) = tight.strip_suffix('[') {
        return subscripted.ends_with("environ");
    }
    let Some(callee) = tight.strip_suffix('(') else {
        return before.ends_with("if ") || tight.ends_with("env=") && before.contains("dj_database_url.");
    };
    let callee = callee.rsplit(|c: char| !(c.is_alphanumeric() || c == '_' || c == '.')).next().unwrap_or("");
    let receiver = callee.rsplit_once('.').map_or("", |(receiver, _)| last(receiver));
    match last(callee) {
        "getenv" => true,
        "get" | "pop" => ["environ", "env"].contains(&receiver),
        _ if ["env", "environ"].contains(&receiver) => true,
        "env" | "config" => receiver.is_empty(),
        name => receiver.is_empty() && helpers.contains(&name),
    }
}

fn is_variable(text: &str) -> bool {
    text.len() >= 3
        && text.starts_with(|c: char| c.is_ascii_uppercase())
        && text.chars().all(|c| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_')
}

/// Fields of pydantic's `BaseSettings` are variables of their names.
fn of_settings_class(source: &Source) -> Vec<Variable> {
    let mut found = vec![];
    for (at, line) in source.lines.iter().enumerate() {
        if !(line.code.starts_with("class ") && line.has_word("BaseSettings")) {
            continue;
        }
        let body: Vec<&Line> =
            source.lines[at + 1..].iter().take_while(|inner| inner.indent > line.indent).collect();
        let prefix = body.iter().find_map(|inner| {
            let at = inner.code.find("env_prefix")?;
            strings(&inner.code).into_iter().find(|(place, _)| *place > at).map(|(_, text)| text)
        });
        let Some(indent) = body.first().map(|inner| inner.indent) else { continue };
        for inner in body.iter().filter(|inner| inner.indent == indent) {
            let Some((name, _)) = inner.code.split_once(':') else { continue };
            if is_name(name.trim()) && name != "model_config" {
                let key = name.trim().to_ascii_uppercase();
                let name = format!("{}{key}", prefix.unwrap_or_default()).to_ascii_uppercase();
                found.push(Variable { key, ..variable(&name, source, inner) });
            }
        }
    }
    found
}

fn of_example(path: &str, text: &str) -> Vec<Variable> {
    let lines = text.lines().enumerate().filter_map(|(at, line)| {
        let line = line.trim().trim_start_matches("export ");
        let (name, _) = line.split_once('=')?;
        let name = name.trim();
        is_variable(name).then(|| Variable {
            name: name.to_owned(),
            key: name.to_owned(),
            place: Place::new(path, at + 1),
            code: String::new(),
        })
    });
    lines.collect()
}

#[cfg(test)]
mod tests {
    use super::find;
    use crate::cli::init::tree::Tree;

    fn names(path: &str, text: &str) -> Vec<String> {
        let mut tree = Tree::default();
        tree.add(path, text.to_owned());
        let sources = tree.sources("");
        find(&tree, &sources).into_iter().map(|variable| variable.name).collect()
    }

    #[test]
    fn every_usual_way_to_read_one() {
        let text = "import os\nfrom os import getenv\nA = os.environ[\"ONE\"]\nB = os.environ.get('TWO', \"NOT\")\nC = getenv(\"THREE\") or x['NO_ONE']\n\
                    def flag(name): pass\nD = flag(\"FOUR\")\nlog.info(\"FIVE\")\napp.config[\"SIX\"] = os.getenv('SEVEN')\nx = os.environ.get(\"PORT\")\n";
        assert_eq!(names("a.py", text), ["ONE", "TWO", "THREE", "FOUR", "SEVEN"]);
        let django = "import environ\nenv = environ.Env()\nS = env(\"SECRET\")\nD = env.bool(\"DEBUG\", default=False)\nX = env.db()\n";
        assert_eq!(names("settings.py", django), ["DATABASE_URL", "SECRET", "DEBUG"]);
        let black = "import os\nA = os.getenv(\n    \"ONE\",\n    \"NOT\",\n)\nB = dj_database_url.config(\n    conn_max_age=1,\n)\n";
        assert_eq!(names("a.py", black), ["DATABASE_URL", "ONE"]);
        let decouple = "from decouple import config\nS = config('SECRET', cast=bool)\n";
        assert_eq!(names("settings.py", decouple), ["SECRET"]);
        assert_eq!(names(".env.example", "# X=1\nexport AB_C=1\nlower=2\n"), ["AB_C"]);
    }

    #[test]
    fn fields_of_settings_are_variables() {
        let text = "class Settings(BaseSettings):\n    model_config = SettingsConfigDict(env_prefix='APP_')\n    database_url: str\n    debug: bool = False\n\n    def x(self): pass\nclass Other:\n    y: int\n";
        assert_eq!(names("a.py", text), ["APP_DATABASE_URL", "APP_DEBUG"]);
    }
}
