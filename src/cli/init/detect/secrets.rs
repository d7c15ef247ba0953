//! The key that signs sessions, where it is not what a deployment makes: whoever knows it can log in as anybody.

use crate::cli::init::detect::environment::is_for_developers;
use crate::cli::init::detect::framework::settings_files;
use crate::cli::init::detect::python::{Line, Source, strings};
use crate::cli::init::detect::{App, Framework, Trap, Variable};

/// What makes another key each time.
const RANDOM: [&str; 6] =
    ["urandom(", "get_random_secret_key(", "token_hex(", "token_urlsafe(", "token_bytes(", "uuid4("];

struct Given<'a> {
    source: &'a Source,
    line: &'a Line,
    value: &'a str,
}

pub fn find(sources: &[Source], app: &App) -> Option<Trap> {
    if app.environment.iter().any(Variable::is_secret_key) {
        return None;
    }
    let given = if app.framework == Framework::Django {
        // Only the first that says it counts: settings for production override what they build on.
        let files = settings_files(sources, app.settings.as_deref().unwrap_or_default());
        files.into_iter().map(of_source).find(|given| !given.is_empty()).unwrap_or_default()
    } else {
        sources.iter().flat_map(of_source).collect()
    };
    let Some(last) = given.last() else { return without(sources, app) };
    let literal = |given: &&Given| is_text(given.value);
    let random = |given: &&Given| RANDOM.iter().any(|call| given.value.contains(call));
    let at = |given: &Given, what: &str| {
        let then = format!("`{} = os.environ[\"SECRET_KEY\"]`, then `tow init` again", target(given));
        Some(Trap::at(&given.source.path, given.line.number, what, then))
    };
    if given.iter().all(|given| literal(&given)) {
        return at(
            last,
            "SECRET_KEY stands in the source, for everybody to read: with it one logs in as anybody",
        );
    }
    if let Some(made) = given.iter().find(random) {
        let what =
            "each worker may make a SECRET_KEY of its own: logins come and go, and end with each restart";
        return at(made, what);
    }
    let what = "where SECRET_KEY comes from is not known, so inventory.toml does not set it";
    let then = format!(
        "`{} = os.environ[\"SECRET_KEY\"]`, then `tow init` again; or see that the server has what it reads",
        target(last)
    );
    Some(Trap::at(&last.source.path, last.line.number, what, then))
}

/// What is written on the left in what is proposed.
fn target(given: &Given) -> String {
    let code = &given.line.code;
    let left = code.split('=').next().unwrap_or_default().trim();
    let plain = left.ends_with(".secret_key") || left.ends_with(']') || left == "SECRET_KEY";
    if plain { left.to_owned() } else { "app.config[\"SECRET_KEY\"]".to_owned() }
}

/// Sessions, messages and forms of Flask end with an error where there is no key.
fn without(sources: &[Source], app: &App) -> Option<Trap> {
    let lines = || sources.iter().flat_map(|source| &source.lines);
    // From a file or an object that is not looked into.
    let elsewhere = lines().any(|line| line.code.contains("config.from_"));
    let uses = lines().any(|line| line.code.contains("session[") || line.code.starts_with("flash("));
    (app.framework == Framework::Flask && uses && !elsewhere).then(|| {
        Trap::of_all(
            "nothing was found that sets SECRET_KEY, and sessions need one",
            "`app.config[\"SECRET_KEY\"] = os.environ[\"SECRET_KEY\"]`, then `tow init` again",
        )
    })
}

fn of_source(source: &Source) -> Vec<Given<'_>> {
    let mut theirs = false;
    let mut found = vec![];
    for line in &source.lines {
        if line.indent == 0 {
            let class = line.code.strip_prefix("class ").and_then(|rest| rest.split(['(', ':']).next());
            theirs = class.is_some_and(is_for_developers) || line.code.contains("__main__");
        }
        if let Some(value) = value(&line.code, line).filter(|_| !theirs) {
            found.push(Given { source, line, value });
        }
    }
    found
}

/// What a statement gives the key: `SECRET_KEY = …`, `app.secret_key = …`, `app.config["SECRET_KEY"] = …`,
/// `app.config.from_mapping(SECRET_KEY=…)`.
fn value<'a>(code: &'a str, line: &'a Line) -> Option<&'a str> {
    if let Some((_, value)) = line.assigned().filter(|(name, _)| *name == "SECRET_KEY") {
        return Some(value);
    }
    let of_app = [".secret_key", "config[\"SECRET_KEY\"]", "config['SECRET_KEY']"].iter().find_map(|left| {
        let (before, rest) = code.split_once(left)?;
        let value = rest.trim_start().strip_prefix('=').filter(|value| !value.starts_with('='))?;
        // Others have a `secret_key` too: `self.secret_key` of a client.
        let application = before.contains("app") || left.starts_with("config");
        (application && !before.contains(['(', '='])).then(|| value.trim())
    });
    let calls = ["from_mapping(", "config.update(", "config = dict("];
    of_app.or_else(|| {
        calls.iter().any(|call| code.contains(call)).then_some(())?;
        let (before, rest) = code.split_once("SECRET_KEY=")?;
        let rest = rest.trim_start();
        let whole = !before.ends_with(|c: char| c.is_alphanumeric() || c == '_');
        // A text, or what is up to the next argument.
        let text = strings(rest).into_iter().find(|(at, _)| *at == 0).map(|(_, text)| text.len() + 2);
        let end = text.unwrap_or_else(|| rest.find(',').unwrap_or(rest.len()));
        whole.then(|| rest[..end].trim())
    })
}

fn is_text(value: &str) -> bool {
    let value = value.strip_prefix('b').filter(|rest| rest.starts_with(['"', '\''])).unwrap_or(value);
    let whole = strings(value).into_iter().find(|(at, text)| *at == 0 && text.len() + 2 == value.len());
    whole.is_some_and(|(_, text)| !text.is_empty())
}

#[cfg(test)]
mod tests {
    use crate::cli::init::detect::detect;
    use crate::cli::init::tree::Tree;

    fn said(files: &[(&str, &str)]) -> Vec<String> {
        let mut tree = Tree::default();
        for (path, text) in files {
            tree.add(path, (*text).to_owned());
        }
        let traps = detect(&tree, None).traps.into_iter().filter(|trap| trap.what.contains("SECRET_KEY"));
        let shown = traps.map(|trap| {
            let place = trap.place.map(|place| place.to_string()).unwrap_or_default();
            format!("{place}: {}", trap.what.split([':', ',']).next().unwrap_or_default())
        });
        shown.collect()
    }

    fn flask(code: &str) -> Vec<String> {
        said(&[("app.py", &format!("import os\nfrom flask import Flask\napp = Flask(__name__)\n{code}\n"))])
    }

    #[test]
    fn a_literal_key_is_warned_of_however_it_is_given() {
        let literal = ["app.py:4: SECRET_KEY stands in the source"];
        assert_eq!(flask("app.config[\"SECRET_KEY\"] = \"dev\""), literal);
        assert_eq!(flask("app.secret_key = b'dev'"), literal);
        assert_eq!(flask("app.config.from_mapping(SECRET_KEY=\"dev\", X=f(1))"), literal);
        assert_eq!(
            flask("class Config:\n    SECRET_KEY = 'dev'"),
            ["app.py:5: SECRET_KEY stands in the source"]
        );
        assert!(flask("class TestConfig:\n    SECRET_KEY = 'dev'").is_empty());
        assert!(flask("app.secret_key = os.environ.get('SHOP_SECRET', 'dev')").is_empty());
        assert!(flask("app.secret_key = 'dev'\napp.config.from_prefixed_env()").is_empty());
        assert!(flask("key = app.config['SECRET_KEY']").is_empty());
        assert!(flask("self.secret_key = 'dev'").is_empty());
    }

    #[test]
    fn a_key_that_is_made_anew_is_warned_of() {
        assert_eq!(
            flask("app.secret_key = os.urandom(24)"),
            ["app.py:4: each worker may make a SECRET_KEY of its own"]
        );
        assert_eq!(flask("session['x'] = 1"), [": nothing was found that sets SECRET_KEY"]);
    }

    #[test]
    fn an_override_in_a_branch_counts() {
        let manage = ("manage.py", "os.environ.setdefault('DJANGO_SETTINGS_MODULE', 'shop.settings.prod')\n");
        let base = ("shop/settings/base.py", "SECRET_KEY = 'x'\n");
        let taken = "from .base import *\nif 'DJANGO_KEY' in os.environ:\n    SECRET_KEY = os.environ['DJANGO_KEY']\nelse:\n    SECRET_KEY = make()\n";
        assert!(said(&[manage, base, ("shop/settings/prod.py", taken)]).is_empty());
        let file = "from .base import *\ntry:\n    SECRET_KEY = f.read()\nexcept OSError:\n    SECRET_KEY = get_random_secret_key()\n";
        assert_eq!(
            said(&[manage, base, ("shop/settings/prod.py", file)]),
            ["shop/settings/prod.py:5: each worker may make a SECRET_KEY of its own"]
        );
        assert_eq!(
            said(&[manage, base, ("shop/settings/prod.py", "from .base import *\n")]),
            ["shop/settings/base.py:1: SECRET_KEY stands in the source"]
        );
    }
}
