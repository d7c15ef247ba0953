//! What an application wants to be run once before it works, and no migration does.

use crate::cli::init::detect::python::{Line, Source, strings};
use crate::cli::init::detect::{App, Trap};
use crate::cli::init::tree::file_name;
use crate::words::shell::quote;

const NAMES: [&str; 9] = [
    "init-db",
    "initdb",
    "create-db",
    "createdb",
    "create-tables",
    "setup-db",
    "init",
    "create-all",
    "db-create",
];

pub fn find(sources: &[Source], app: &App) -> Option<Trap> {
    by_command(sources, app).or_else(|| first_data(sources))
}

/// A command of Flask's that makes the tables, where nothing else does.
fn by_command(sources: &[Source], app: &App) -> Option<Trap> {
    if !app.migrations.command.is_empty() {
        return None;
    }
    let joins = |line: &Line| line.code.contains(".cli.add_command(");
    let is_joined = sources.iter().flat_map(|source| &source.lines).any(joins);
    let (source, line, name) = sources.iter().find_map(|source| {
        source.lines.iter().enumerate().find_map(|(at, line)| {
            let own = line.code.contains(".cli.command(");
            let click = line.code.starts_with("@click.command(") || line.code.starts_with("@command(");
            let decorates = line.code.starts_with('@') && (own || (click && is_joined));
            let said = strings(&line.code).into_iter().next().map(|(_, text)| text.to_owned());
            let of_function = || {
                source
                    .lines
                    .get(at + 1)
                    .and_then(|next| next.function())
                    .map(|(name, _)| name.replace('_', "-"))
            };
            let name = said.or_else(of_function).filter(|_| decorates)?;
            NAMES.contains(&name.replace('_', "-").as_str()).then_some((source, line, name))
        })
    })?;
    let entry = app.entry.as_ref().map_or("app", |entry| entry.name.as_str());
    let command = format!("flask --app {} {name}", quote(entry));
    Some(told(source, line.number, "its tables are made by a command that no playbook runs", &command))
}

/// `initial_data.py` makes the first account.
fn first_data(sources: &[Source]) -> Option<Trap> {
    let source = sources.iter().find(|source| file_name(&source.path) == "initial_data.py")?;
    let line = source.lines.iter().find(|line| line.indent == 0 && line.code.contains("__main__"))?;
    let what = "it makes the first data, such as an account to log in with, and no playbook runs it";
    Some(told(source, line.number, what, &format!("python -m {}", source.module)))
}

fn told(source: &Source, line: usize, what: &str, command: &str) -> Trap {
    let then = format!(
        "run `{command}` once after the first `tow run site`: docs/init.md has the line for `tow exec`"
    );
    Trap::at(&source.path, line, what, then)
}

#[cfg(test)]
mod tests {
    use crate::cli::init::detect::detect;
    use crate::cli::init::tree::Tree;

    fn said(files: &[(&str, &str)]) -> String {
        let mut tree = Tree::default();
        for (path, text) in files {
            tree.add(path, (*text).to_owned());
        }
        let traps = detect(&tree, None).traps.into_iter();
        let own = traps.filter(|trap| trap.then.contains("once after"));
        own.map(|trap| format!("{} {}", trap.place.unwrap(), trap.then)).collect::<Vec<_>>().join("; ")
    }

    #[test]
    fn commands_that_make_the_tables() {
        let app = (
            "shop/__init__.py",
            "from flask import Flask\ndef create_app():\n    app = Flask(__name__)\n    return app\n",
        );
        let db = "import click\n@click.command(\"init-db\")\ndef init_db_command(): pass\ndef init_app(app):\n    app.cli.add_command(init_db_command)\n";
        let found = said(&[app, ("shop/db.py", db)]);
        assert!(
            found.starts_with("shop/db.py:2 run `flask --app 'shop:create_app()' init-db` once"),
            "{found}"
        );
        let found = said(&[app, ("shop/db.py", "@bp.cli.command()\ndef create_tables(): pass\n")]);
        assert!(found.contains("create-tables` once"), "{found}");
        assert_eq!(
            said(&[app, ("shop/db.py", "@click.command('init-db')\ndef f(): pass\n")]),
            "",
            "joined by nobody"
        );
        assert_eq!(said(&[app, ("shop/db.py", "@bp.cli.command('send')\ndef f(): pass\n")]), "");
    }

    #[test]
    fn the_first_data() {
        let main = ("app/main.py", "from fastapi import FastAPI\napp = FastAPI()\n");
        let data = ("app/initial_data.py", "def main(): pass\nif __name__ == \"__main__\":\n    main()\n");
        assert!(said(&[main, data]).contains("`python -m app.initial_data` once"));
    }
}
