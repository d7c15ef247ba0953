//! Which variables of the environment the application reads.

mod fields;
mod known;
mod prefix;
mod required;
mod secret_key;
mod skipped;

use std::collections::BTreeSet;

use crate::cli::init::detect::Place;
use crate::cli::init::detect::python::{Line, Source, last, strings};
use crate::cli::init::tree::Tree;

pub use skipped::is_for_developers;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Variable {
    pub name: String,
    /// Its name without the prefix that all of an application's have: `SECRET_KEY` of `SHOP_SECRET_KEY`.
    pub key: String,
    pub place: Place,
    /// The statement that reads it: `os.environ.get("HOSTS", "").split()`.
    pub code: String,
    /// Whether the application ends where it is not set.
    pub required: bool,
    /// Whether it becomes the key that signs sessions, whatever it is called.
    pub becomes_secret_key: bool,
    /// The type that pydantic reads it as.
    pub annotation: Option<String>,
    /// Values that the application compares it with, or chooses by.
    pub known: Vec<String>,
}

impl Variable {
    /// The key that signs sessions: by what it becomes, or by its name.
    pub fn is_secret_key(&self) -> bool {
        let named = ["SECRET_KEY", "DJANGO_SECRET_KEY", "FLASK_SECRET_KEY", "APP_SECRET_KEY"];
        self.becomes_secret_key || named.contains(&self.key.as_str())
    }
}

/// What is looked at.
#[derive(Clone, Copy)]
pub struct Reads<'a> {
    pub tree: &'a Tree,
    pub sources: &'a [Source],
    /// Django's settings in production.
    pub settings: Option<&'a str>,
    /// What gunicorn imports.
    pub entry: Option<&'a str>,
}

/// In the order in which they are found; each once.
pub fn find(reads: &Reads) -> Vec<Variable> {
    let mut seen = BTreeSet::new();
    let unused = reads.settings.map(|name| skipped::unused_settings(reads.sources, name)).unwrap_or_default();
    let classes = fields::classes(reads.sources);
    let run = reads
        .sources
        .iter()
        .filter(|source| !skipped::is_aside(source) && !unused.contains(source.path.as_str()));
    let imported: BTreeSet<String> = reads.sources.iter().flat_map(skipped::imported).collect();
    let read = run.flat_map(|source| {
        let mut found = of_source(source, &classes);
        // Nothing that a script needs keeps the application from starting.
        let any = found.iter().any(|variable| variable.required);
        if any && !required::is_of_application(source, reads, &imported) {
            for variable in &mut found {
                variable.required = false;
            }
        }
        found
    });
    let examples = [".env.example", ".env.sample", "env.example", ".env.template"];
    let listed = examples
        .into_iter()
        .filter_map(|path| Some((path, reads.tree.text(path)?)))
        .flat_map(|(path, text)| of_example(path, text));
    let all = read.chain(listed).filter(|variable| skipped::is_ours(&variable.name));
    let mut found: Vec<Variable> = vec![];
    for variable in all {
        if seen.insert(variable.name.clone()) {
            found.push(variable);
        } else if let Some(first) = found.iter_mut().find(|first| first.name == variable.name) {
            first.becomes_secret_key |= variable.becomes_secret_key;
            if variable.required && !first.required {
                (first.required, first.place) = (true, variable.place);
            }
        }
    }
    let prefix = prefix::of_all(&found, reads.entry);
    for variable in &mut found {
        if let Some(key) = prefix.as_ref().and_then(|prefix| variable.key.strip_prefix(prefix.as_str())) {
            variable.key = key.to_owned();
        }
        variable.known = known::values(variable, reads.sources);
    }
    found
}

fn of_source(source: &Source, classes: &BTreeSet<String>) -> Vec<Variable> {
    let reads = |line: &Line| {
        ["environ", "getenv", "environs", "decouple", "starlette.config", "dj_database_url"]
            .iter()
            .any(|word| line.code.contains(word))
    };
    let mut found = fields::of_source(source, classes);
    found.extend(of_database_url(source));
    found.extend(source.lines.iter().filter_map(|line| secret_key::of_flask(source, line)));
    if !source.lines.iter().any(reads) {
        return found;
    }
    let helpers: Vec<&str> = source.lines.iter().filter_map(|line| Some(line.function()?.0)).collect();
    let from_os = source.lines.iter().any(|line| line.code.starts_with("from os import"));
    let mut theirs = false;
    for (number, line) in source.lines.iter().enumerate() {
        if line.indent == 0 {
            let class = line.code.strip_prefix("class ").and_then(|rest| rest.split(['(', ':']).next());
            theirs = class.is_some_and(is_for_developers);
        }
        let texts = strings(&line.code).into_iter().filter(|(at, text)| {
            is_variable(text)
                && is_read(&line.code[..*at], &line.code[at + text.len() + 2..], &helpers)
                && (from_os || !skipped::is_of_request(text, &line.code[..*at]))
                && !is_set(&line.code[at + text.len() + 2..])
        });
        let variable = |(at, text): (usize, &str)| Variable {
            required: required::is_required(source, number, at, text, &helpers),
            becomes_secret_key: secret_key::takes(&line.code[..at], text),
            ..variable(text, source, line)
        };
        found.extend(texts.filter(|_| !theirs).map(variable));
    }
    found
}

fn variable(name: &str, source: &Source, line: &Line) -> Variable {
    of_name(name, Place::new(&source.path, line.number), &line.code)
}

fn of_name(name: &str, place: Place, code: &str) -> Variable {
    Variable {
        name: name.to_owned(),
        key: name.to_owned(),
        place,
        code: code.to_owned(),
        required: false,
        becomes_secret_key: false,
        annotation: None,
        known: vec![],
    }
}

/// `os.environ["X"] = "1"` gives it a value.
fn is_set(after: &str) -> bool {
    let rest = after.strip_prefix(']').map(str::trim_start);
    rest.is_some_and(|rest| rest.starts_with('=') && !rest.starts_with("=="))
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
fn is_read(before: &str, after: &str, helpers: &[&str]) -> bool {
    let tight = before.trim_end();
    if let Some(subscripted) = tight.strip_suffix('[') {
        return subscripted.ends_with("environ");
    }
    let Some(callee) = tight.strip_suffix('(') else {
        // `if "X" in os.environ`, and no other table.
        let asked = after.trim_start().trim_start_matches("not ").strip_prefix("in ");
        return (before.ends_with("if ")
            && asked.is_some_and(|table| {
                table.split([' ', ':']).next().is_some_and(|table| last(table) == "environ")
            }))
            || tight.ends_with("env=") && before.contains("dj_database_url.");
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
    text.len() >= 2
        && text.starts_with(|c: char| c.is_ascii_uppercase())
        && text.chars().all(|c| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_')
}

fn of_example(path: &str, text: &str) -> Vec<Variable> {
    let lines = text.lines().enumerate().filter_map(|(at, line)| {
        let line = line.trim().trim_start_matches("export ");
        let (name, _) = line.split_once('=')?;
        let name = name.trim();
        is_variable(name).then(|| of_name(name, Place::new(path, at + 1), ""))
    });
    lines.collect()
}

#[cfg(test)]
mod tests {
    use super::{Reads, find};
    use crate::cli::init::tree::Tree;

    fn names(path: &str, text: &str) -> Vec<String> {
        let mut tree = Tree::default();
        tree.add(path, text.to_owned());
        let sources = tree.sources("");
        let reads = Reads { tree: &tree, sources: &sources, settings: None, entry: None };
        find(&reads).into_iter().map(|variable| variable.name).collect()
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
    fn what_is_of_requests_or_of_nobody_is_no_variable() {
        let text = "import os\ndef app(environ, start_response):\n    a = environ['HTTP_HOST']\n    b = environ.get('PATH_INFO')\n\
                    class TestingConfig(Config):\n    U = os.getenv('TESTER')\nos.environ['SET'] = '1'\nP = os.getenv('OAUTH_' + x)\nH = os.environ['HTTP_PORT']\n";
        assert_eq!(names("a.py", text), ["HTTP_PORT"]);
        assert_eq!(
            names(
                "a.py",
                "import os\nif 'ENGINE' not in DATABASES: pass\nif 'ONE' not in os.environ: pass\n"
            ),
            ["ONE"]
        );
        assert!(names("tests_e2e/a.py", "import os\nA = os.environ['ONE']\n").is_empty());
        assert!(names("fabfile.py", "import os\nA = os.environ['ONE']\n").is_empty());
    }
}
