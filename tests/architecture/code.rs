//! Rust source without its comments and literals, line for line; just enough of a lexer for the rules.

/// Blanks out comments and the contents of strings and character literals; every newline stays where it is.
pub fn without_prose(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let skipped = skip(rest, out.chars().next_back());
        if skipped == 0 {
            out.push(first);
            rest = &rest[first.len_utf8()..];
        } else {
            // A space keeps the words on both sides apart.
            out.push(' ');
            out.extend(rest[..skipped].chars().filter(|c| *c == '\n'));
            rest = &rest[skipped..];
        }
    }
    out
}

/// How many bytes at the start of `rest` are a comment or a literal; 0 when it is code.
fn skip(rest: &str, before: Option<char>) -> usize {
    if rest.starts_with("//") {
        return rest.find('\n').unwrap_or(rest.len());
    }
    if rest.starts_with("/*") {
        return block_comment(rest);
    }
    if rest.starts_with('"') {
        return string(rest);
    }
    let in_word = before.is_some_and(|c| c.is_alphanumeric() || c == '_');
    if !in_word && let Some(length) = raw_string(rest) {
        return length;
    }
    character(rest)
}

fn block_comment(rest: &str) -> usize {
    let mut depth = 0;
    let mut at = 0;
    while at < rest.len() {
        if rest[at..].starts_with("/*") {
            depth += 1;
            at += 2;
        } else if rest[at..].starts_with("*/") {
            depth -= 1;
            at += 2;
            if depth == 0 {
                return at;
            }
        } else {
            at += rest[at..].chars().next().map_or(1, char::len_utf8);
        }
    }
    rest.len()
}

fn string(rest: &str) -> usize {
    let mut escaped = false;
    for (at, c) in rest.char_indices().skip(1) {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => return at + 1,
            _ => {}
        }
    }
    rest.len()
}

fn raw_string(rest: &str) -> Option<usize> {
    let after = rest.strip_prefix("br").or_else(|| rest.strip_prefix('r'))?;
    let hashes = after.len() - after.trim_start_matches('#').len();
    let body = after[hashes..].strip_prefix('"')?;
    let end = format!("\"{}", "#".repeat(hashes));
    let start = rest.len() - body.len();
    Some(body.find(&end).map_or(rest.len(), |at| start + at + end.len()))
}

/// `'a'` and `'\n'` are literals; `'a` of a lifetime is not.
fn character(rest: &str) -> usize {
    let Some(body) = rest.strip_prefix('\'') else { return 0 };
    if body.starts_with('\\') {
        return body.char_indices().skip(2).find(|(_, c)| *c == '\'').map_or(0, |(at, _)| at + 2);
    }
    let mut chars = body.char_indices();
    match (chars.next(), chars.next()) {
        (Some(_), Some((at, '\''))) => at + 2,
        _ => 0,
    }
}

/// Line (from 0) on which the tests at the end of the file begin: `#[cfg(test)]` before a `mod`.
pub fn tests_begin(code: &str) -> Option<usize> {
    let lines: Vec<&str> = code.lines().map(str::trim).collect();
    lines.iter().enumerate().position(|(at, line)| {
        let compact: String = line.split_whitespace().collect();
        compact.starts_with("#[cfg(test)]")
            && lines[at..].iter().take(4).any(|next| next.starts_with("mod ") || next.contains("] mod "))
    })
}

/// A function, by where it begins (from 0) and how many lines it has with its signature.
pub struct Function<'a> {
    pub line: usize,
    pub name: &'a str,
    pub lines: usize,
}

/// Relies on rustfmt: what closes a function stands as far in as its `fn`.
pub fn function_lengths(code: &str) -> Vec<Function<'_>> {
    let lines: Vec<&str> = code.lines().collect();
    let indent = |line: &str| line.len() - line.trim_start().len();
    let begins = lines.iter().enumerate().filter_map(|(at, line)| {
        let mut words =
            line.split(|c: char| !c.is_alphanumeric() && c != '_').filter(|word| !word.is_empty());
        let modifier = |word: &&str| matches!(*word, "pub" | "crate" | "super" | "in" | "const" | "async");
        let first = words.find(|word| !modifier(word))?;
        (first == "fn").then(|| words.next()).flatten().map(|name| (at, name))
    });
    let ends = |line: &str| line.trim_end().ends_with([';', '}']);
    begins
        .filter_map(|(at, name)| {
            let rest = lines[at..].iter();
            let last = rest.clone().position(|line| indent(line) == indent(lines[at]) && ends(line))?;
            Some(Function { line: at, name, lines: last + 1 })
        })
        .collect()
}

#[test]
fn functions_are_measured() {
    let code = "pub async fn a() {\n    fn b();\n    if c {\n    }\n}\n\nfn d(\n    e: f,\n) -> g\nwhere\n{\n}\n// fn\n";
    let found = function_lengths(code);
    let found: Vec<_> = found.iter().map(|function| (function.line, function.name, function.lines)).collect();
    assert_eq!(found, [(0, "a", 5), (1, "b", 1), (6, "d", 6)]);
}

#[test]
fn prose_is_blanked_and_lines_stay() {
    let text = "a // x\n/* y\n/* z */ */ b \"q\\\"\n\" r#\"w\"# 'c' '\\'' <'life> br\"e\"";
    let code = without_prose(text);
    assert_eq!(code.matches('\n').count(), text.matches('\n').count());
    for gone in ["x", "y", "z", "q", "w", "'c'"] {
        assert!(!code.contains(gone), "{gone}: {code}");
    }
    assert!(code.contains("<'life>"), "{code}");
    assert_eq!(tests_begin("a\n#[cfg(test)]\nmod tests {}\n"), Some(1));
    assert_eq!(tests_begin("a\n#[cfg(test)]\nfn only_in_tests() {}\n"), None);
}
