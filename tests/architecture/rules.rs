//! The rules, each a pure function from a source file to complaints.

use crate::code::{Function, function_lengths, tests_begin, without_prose};

/// Top to bottom: a layer may import itself and what is below it.
const LAYERS: [&str; 9] =
    ["cli", "report", "engine", "transport", "plan", "preflight", "spec", "task", "words"];

/// From here down: values in, values out.
const FIRST_PURE: &str = "plan";

/// Paths that mean I/O or a clock, and what to do instead.
const IMPURE: [(&str, &str); 9] = [
    ("tokio", "return a value and let `engine` or `transport` do the waiting"),
    ("russh", "speak of `words::action` and `words::fact`; `transport` knows SSH"),
    ("russh_sftp", "speak of `words::action`; `transport` knows SFTP"),
    ("std::fs", "take the text as an argument, or ask `words::content::Files`"),
    ("std::process", "return an `Action::Run` instead"),
    ("std::net", "leave the network to `transport`"),
    ("std::env", "let `cli` read the environment and pass the value in"),
    ("SystemTime::now", "pass `now` in"),
    ("Instant::now", "pass `now` in"),
];

const PRINTING: [&str; 5] = ["println!", "eprintln!", "print!", "eprint!", "dbg!"];
const EMPTY_NAMES: [&str; 7] = ["util", "utils", "helper", "helpers", "manager", "misc", "common_utils"];

const MAX_LINES: usize = 400;
const MAX_LINES_WITHOUT_TESTS: usize = 300;
const MAX_MAIN_LINES: usize = 30;
const MAX_FUNCTION_LINES: usize = 60;

/// A source file, read once for all rules.
pub struct Source<'a> {
    path: &'a str,
    text: &'a str,
    /// Without comments and literals, line for line.
    code: String,
    /// Line (from 0) at which the tests begin; the number of lines when there are none.
    tests: usize,
}

impl<'a> Source<'a> {
    pub fn new(path: &'a str, text: &'a str) -> Source<'a> {
        let code = without_prose(text);
        let all_tests = path.ends_with("/tests.rs") || path.contains("/tests/");
        let tests = if all_tests { 0 } else { tests_begin(&code).unwrap_or_else(|| text.lines().count()) };
        Source { path, text, code, tests }
    }

    /// The layer that the file belongs to: `src/task/file.rs` and `src/task.rs` are of `task`.
    fn layer(&self) -> Option<&'static str> {
        let below = self.path.strip_prefix("src/")?;
        let top = below.split('/').next()?.trim_end_matches(".rs");
        LAYERS.into_iter().find(|layer| *layer == top)
    }

    fn complain(&self, line: usize, what: &str) -> String {
        format!("{}:{}: {what}", self.path, line + 1)
    }

    fn lines_before_tests(&self) -> impl Iterator<Item = (usize, &str)> {
        self.code.lines().enumerate().take(self.tests)
    }
}

/// Everything that is wrong with a file, in the order of the rules.
pub fn broken(source: &Source) -> Vec<String> {
    [imports, hidden_imports, purity, printing, vocabulary, size, functions, header]
        .iter()
        .flat_map(|rule| rule(source))
        .collect()
}

fn rank(layer: &str) -> Option<usize> {
    LAYERS.iter().position(|other| *other == layer)
}

fn may_import(layer: &str, other: &str) -> bool {
    match layer {
        "cli" => true,
        // Listeners: they see events and nothing of how these come about.
        "report" => matches!(other, "report" | "words"),
        _ => rank(layer) <= rank(other),
    }
}

fn imports(source: &Source) -> Vec<String> {
    let Some(layer) = source.layer() else { return vec![] };
    imported(&source.code, "crate")
        .into_iter()
        .filter(|(_, name)| rank(name).is_some() && !may_import(layer, name))
        .map(|(line, name)| {
            let below = LAYERS.iter().filter(|other| may_import(layer, other) && **other != layer);
            let below: Vec<String> = below.map(|other| format!("`{other}`")).collect();
            let down = if below.is_empty() { "nothing but itself".into() } else { below.join(", ") };
            source.complain(
                line,
                &format!(
                    "`{layer}` imports `{name}`: imports point down only, so `{layer}` may use {down}; \
                     move what is shared down (into `words`), or pass it in as a value or a trait"
                ),
            )
        })
        .collect()
}

/// Every name that follows `root::`, also in braces: `crate::{a::b, c}` gives `a` and `c`, with their lines.
fn imported(code: &str, root: &str) -> Vec<(usize, String)> {
    let mut found = vec![];
    for at in paths(code, root) {
        let after = at + root.len() + 2;
        let rest = &code[after..];
        if let Some(group) = rest.trim_start().strip_prefix('{') {
            let start = code.len() - group.len();
            found.extend(group_members(group).into_iter().map(|(offset, name)| (start + offset, name)));
        } else {
            found.push((after, first_word(rest)));
        }
    }
    found.into_iter().map(|(at, name)| (code[..at].matches('\n').count(), name)).collect()
}

/// Where `root::` stands as a whole word.
fn paths<'a>(code: &'a str, root: &'a str) -> impl Iterator<Item = usize> + 'a {
    let needle = format!("{root}::");
    let found: Vec<usize> = code.match_indices(&needle).map(|(at, _)| at).collect();
    found.into_iter().filter(move |at| {
        !code[..*at].chars().next_back().is_some_and(|c| c.is_alphanumeric() || c == '_' || c == ':')
    })
}

/// First words of the members of a group, up to its closing brace, with their offsets.
fn group_members(group: &str) -> Vec<(usize, String)> {
    let mut depth = 0;
    let mut members = vec![];
    let mut fresh = true;
    for (at, c) in group.char_indices() {
        match c {
            '{' => depth += 1,
            '}' if depth == 0 => break,
            '}' => depth -= 1,
            ',' if depth == 0 => fresh = true,
            c if fresh && !c.is_whitespace() => {
                fresh = false;
                members.push((at, first_word(&group[at..])));
            }
            _ => {}
        }
    }
    members
}

fn first_word(text: &str) -> String {
    let text = text.trim_start().trim_start_matches("r#");
    text.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect()
}

/// Ways to import that the rule above would not see.
fn hidden_imports(source: &Source) -> Vec<String> {
    let Some(layer) = source.layer() else { return vec![] };
    let layer_root = source.path == format!("src/{layer}.rs") || source.path == format!("src/{layer}/mod.rs");
    let mut said = vec![];
    for (line, code) in source.code.lines().enumerate() {
        if code.contains("super::super") {
            said.push(source.complain(line, "`super::super` hides where it leads: write `crate::…`"));
        } else if layer_root && line < source.tests && paths(code, "super").next().is_some() {
            said.push(source.complain(line, "`super::` of a layer is the crate: write `crate::…`"));
        }
        if paths(code, "towline").next().is_some() {
            said.push(source.complain(line, "`towline::` within the crate: write `crate::…`"));
        }
    }
    said
}

fn purity(source: &Source) -> Vec<String> {
    let pure = source.layer().is_some_and(|layer| rank(layer) >= rank(FIRST_PURE));
    if !pure {
        return vec![];
    }
    let complain = |line, what: &str, instead: &str| {
        source.complain(line, &format!("`{what}` below `transport`, where nothing does I/O: {instead}"))
    };
    let mut said = vec![];
    for (line, code) in source.lines_before_tests() {
        for (what, instead) in IMPURE {
            let called = code.contains(what) && what.contains("::now");
            let mentioned = !what.contains("::now") && names_path(code, what);
            if called || mentioned {
                said.push(complain(line, what, instead));
            }
        }
    }
    // `use std::{fs, fmt}` does not say `std::fs`.
    for (line, name) in imported(&source.code, "std").into_iter().filter(|(line, _)| *line < source.tests) {
        let path = format!("std::{name}");
        let written_out = source.code.lines().nth(line).is_some_and(|code| code.contains(&path));
        if let Some((what, instead)) = IMPURE.iter().find(|(what, _)| *what == path && !written_out) {
            said.push(complain(line, what, instead));
        }
    }
    said
}

/// Whether `code` has `what` as the beginning of a path, not as a part of a longer word.
fn names_path(code: &str, what: &str) -> bool {
    code.match_indices(what).any(|(at, _)| {
        let word = |c: char| c.is_alphanumeric() || c == '_';
        let before = code[..at].chars().next_back();
        let after = &code[at + what.len()..];
        !before.is_some_and(|c| word(c) || c == ':')
            && !after.chars().next().is_some_and(word)
            && (what.contains("::") || after.starts_with("::") || code.trim_start().starts_with("use "))
    })
}

fn printing(source: &Source) -> Vec<String> {
    let allowed = matches!(source.layer(), Some("report" | "cli"));
    if allowed {
        return vec![];
    }
    let mut said = vec![];
    for (line, code) in source.lines_before_tests() {
        let Some(what) = PRINTING.iter().find(|what| {
            code.match_indices(**what).any(|(at, _)| {
                !code[..at].chars().next_back().is_some_and(|c| c.is_alphanumeric() || c == '_')
            })
        }) else {
            continue;
        };
        said.push(
            source.complain(line, &format!("`{what}` outside `report` and `cli`: send an `Event` instead")),
        );
    }
    said
}

fn vocabulary(source: &Source) -> Vec<String> {
    let mut said = vec![];
    for (line, code) in source.code.lines().enumerate() {
        if code.split_whitespace().collect::<String>().contains("Unknown(String)") {
            said.push(
                source.complain(line, "`Unknown(String)`: name the error, with what is needed to explain it"),
            );
        }
    }
    let stem = source.path.rsplit('/').next().unwrap_or("").trim_end_matches(".rs");
    if EMPTY_NAMES.contains(&stem) {
        said.push(source.complain(0, &format!("`{stem}` says nothing: name the file after what it owns")));
    }
    said
}

fn size(source: &Source) -> Vec<String> {
    let all = source.text.lines().count();
    if source.path == "src/main.rs" && all >= MAX_MAIN_LINES {
        return vec![source.complain(all - 1, "main.rs must stay under 30 lines: move the rest into `cli`")];
    }
    // A file of tests only is measured as a whole.
    let own = if source.tests == 0 { all } else { source.tests.min(all) };
    let limit = if source.tests == 0 { MAX_LINES } else { MAX_LINES_WITHOUT_TESTS };
    if own > limit || all > MAX_LINES {
        let (count, of, limit) = if own > limit { (own, "", limit) } else { (all, " with tests", MAX_LINES) };
        let what = format!("{count} lines{of}, and {limit} is the limit: split the file by what it owns");
        return vec![source.complain(count - 1, &what)];
    }
    vec![]
}

fn functions(source: &Source) -> Vec<String> {
    function_lengths(&source.code)
        .into_iter()
        .filter(|function| function.lines > MAX_FUNCTION_LINES && function.line < source.tests)
        .map(|Function { line, name, lines }| {
            let what =
                format!("`{name}` has {lines} lines, and {MAX_FUNCTION_LINES} is the limit: name its parts");
            source.complain(line, &what)
        })
        .collect()
}

fn header(source: &Source) -> Vec<String> {
    if source.text.starts_with("//!") || source.path == "src/main.rs" {
        return vec![];
    }
    vec![source.complain(0, "no `//!` at the top: say what the file owns and what it refuses")]
}
