//! The documentation says what the program does: every kind and key is described, every example is read.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

mod events;
mod examples;
mod faults;
mod kinds;

use std::path::Path;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The fenced blocks of a Markdown text whose info string is `info`, each with the line it begins on.
fn blocks(text: &str, info: &str) -> Vec<(usize, String)> {
    let mut blocks: Vec<(usize, String)> = vec![];
    let mut inside = false;
    for (number, line) in text.lines().enumerate() {
        match line.trim_start().strip_prefix("```") {
            Some(_) if inside => inside = false,
            Some(wanted) if wanted == info => {
                inside = true;
                blocks.push((number + 2, String::new()));
            }
            None if inside => {
                let (_, block) = blocks.last_mut().unwrap();
                block.push_str(line);
                block.push('\n');
            }
            _ => {}
        }
    }
    blocks
}

#[test]
fn the_reference_of_kinds_is_what_the_sources_say() {
    let file = root().join("docs/kinds.md");
    let wanted = kinds::document(root());
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(&file, &wanted).unwrap();
    }
    let has = std::fs::read_to_string(&file).unwrap();
    let different = wanted.lines().zip(has.lines()).enumerate().find(|(_, (wanted, has))| wanted != has);
    assert!(
        wanted == has,
        "docs/kinds.md is not what src/task says: write it with `UPDATE_DOCS=1 cargo test --test docs`\n{different:#?}"
    );
}

#[test]
fn every_kind_has_an_example_that_it_reads_and_every_key_a_meaning() {
    for kind in towline::task::KINDS {
        let described = kinds::described(root(), kind);
        let examples = blocks(&described.about.join("\n"), "toml");
        assert!(!examples.is_empty(), "src/task/{kind}.rs: the struct's comment has no ```toml example");
        for (_, example) in examples {
            for table in example.split("\n\n") {
                read_tasks(kind, table);
            }
        }
        let silent: Vec<_> = described.keys.iter().filter(|key| key.is_silent()).collect();
        assert!(silent.is_empty(), "src/task/{kind}.rs: keys without a comment: {silent:#?}");
    }
}

/// Reads each line of an example as a task of `kind`, the way a playbook does.
fn read_tasks(kind: &str, example: &str) {
    for line in whole_lines(example) {
        let (name, value) = line.split_once('=').expect("a task is `kind = value`");
        assert_eq!(name.trim(), kind, "an example of another kind: {line}");
        let mut table: toml::Table =
            toml::from_str(&format!("task = {value}")).unwrap_or_else(|error| panic!("{line}: {error}"));
        let value = table.remove("task").unwrap();
        let value = match (value, towline::task::shorthand(kind)) {
            (value @ toml::Value::Table(_), _) => value,
            (bare, Some(key)) => toml::Value::Table([(key.to_owned(), bare)].into_iter().collect()),
            (bare, None) => panic!("`{kind}` has no short form, and the example is {bare}"),
        };
        towline::task::parse(kind, value)
            .expect("a known kind")
            .unwrap_or_else(|error| panic!("{line}: {error}"));
    }
}

/// A task that goes on over several lines, by its brackets, is one.
fn whole_lines(example: &str) -> Vec<String> {
    let mut whole: Vec<String> = vec![];
    let mut open = 0_usize;
    for line in example.lines().filter(|line| !line.trim().is_empty() && !line.starts_with('#')) {
        if open == 0 {
            whole.push(line.to_owned());
        } else {
            let last = whole.last_mut().unwrap();
            last.push('\n');
            last.push_str(line);
        }
        let brackets = |wanted: [char; 2]| line.matches(wanted).count();
        open = (open + brackets(['{', '['])).saturating_sub(brackets(['}', ']']));
    }
    whole
}

#[test]
fn links_between_documents_lead_somewhere() {
    for file in documents() {
        let text = std::fs::read_to_string(&file).unwrap();
        let folder = file.parent().unwrap();
        for target in text.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            let path = target.split('#').next().unwrap_or_default();
            if !path.is_empty() && !path.contains(':') {
                assert!(folder.join(path).exists(), "{}: there is no {path}", file.display());
            }
        }
    }
}

/// The Markdown files that a user reads.
fn documents() -> Vec<std::path::PathBuf> {
    let docs = std::fs::read_dir(root().join("docs")).unwrap().map(|entry| entry.unwrap().path());
    let top = ["README.md", "ARCHITECTURE.md", "CHANGELOG.md"].map(|name| root().join(name));
    let all: Vec<_> =
        docs.chain(top).filter(|path| path.extension().is_some_and(|extension| extension == "md")).collect();
    assert!(all.len() >= 5, "{all:?}");
    all
}
