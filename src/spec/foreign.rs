//! What users of other tools write out of habit, and how it is written here.

use crate::spec::filters;

/// A task's key that is another tool's word.
pub fn task_key(key: &str) -> Option<&'static str> {
    Some(match key {
        "shell" | "cmd" | "raw" | "exec" | "run" => "write `command = \"…\"`: a string is a line for /bin/sh",
        "apt" | "yum" | "dnf" | "apk" | "packages" => "write `package = [\"nginx\"]`",
        "copy" => "one file is `file = { path = …, src = … }`, a folder `upload = { src = …, dest = … }`",
        "synchronize" | "rsync" => "write `upload = { src = …, dest = … }`",
        "lineinfile" => "write `line = { path = …, line = … }`",
        "systemd" | "systemd_service" => "write `service = { name = … }`, or `systemd_unit` to write a unit",
        "cron" => "write `timer = { … }`",
        "uri" | "get_url" => "write `http = { url = … }`",
        "mkdir" | "folder" => "write `directory = \"/path\"`",
        "symlink" => "write `link = { path = …, target = … }`",
        "ufw" => "write `firewall = { … }`",
        "become" => "write `as = \"root\"`; `become = true` for all tasks stands in the inventory",
        "become_user" | "sudo" | "sudo_user" | "user_name" => "write `as = \"name\"`",
        "with_items" | "loop" | "with_dict" => "write `for_each = […]`",
        "if" | "only_if" => "write `when = \"(eq os.family \\\"debian\\\")\"`",
        "not_if" => "write `unless = \"test -e /path\"`, a shell line",
        "run_once" => "write `once = true`",
        "until" => "write `retries = 5` and `delay = \"2s\"`",
        "hosts" => "`hosts` belongs to a stage: `[[stages]]`, `hosts = \"web\"`",
        "vars" => "`vars` belongs to the playbook, a group or a host",
        "environment" => "write it into the command: `command = { run = …, env = { … } }`",
        "args" => "write its keys in the table of the kind",
        _ => return None,
    })
}

/// A key within a kind's table: the name of it here, where that is among `known`.
pub fn argument<'k>(key: &str, known: &[&'k str]) -> Option<&'k str> {
    let meant: &[&str] = match key {
        "dest" | "destination" | "location" => &["path", "dest"],
        "path" => &["dest"],
        "source" | "local" => &["src"],
        "contents" | "text" | "body" => &["content"],
        "cmd" | "command" | "shell" | "line" => &["run"],
        "chdir" | "cwd" | "workdir" => &["dir"],
        "environment" => &["env"],
        "name" | "pkg" | "packages" | "package" => &["names", "packages"],
        "state" => &["absent"],
        "version" | "branch" | "rev" => &["ref"],
        "repo" | "url" => &["repo", "url"],
        _ => &[],
    };
    meant.iter().find_map(|meant| known.iter().find(|known| *known == meant).copied())
}

/// `os.family == 'debian' and x is defined`, as a condition of ours; `None` when it is not written like that.
pub fn condition(text: &str) -> Option<String> {
    let found = expression(text.trim(), 0)?;
    (found != text.trim()).then_some(found)
}

fn expression(text: &str, depth: usize) -> Option<String> {
    if depth > 16 || text.is_empty() {
        return None;
    }
    for (word, function) in [(" or ", "or"), (" || ", "or"), (" and ", "and"), (" && ", "and")] {
        if let Some((left, right)) = split(text, word) {
            let (left, right) = (expression(left, depth + 1)?, expression(right, depth + 1)?);
            return Some(format!("({function} {left} {right})"));
        }
    }
    if let Some(inner) = text.strip_prefix("not ").or_else(|| text.strip_prefix('!')) {
        return Some(format!("(not {})", expression(inner.trim(), depth + 1)?));
    }
    for (words, wrap) in [
        (" is not defined", "(not (default {} \"\"))"),
        (" is undefined", "(not (default {} \"\"))"),
        (" is defined", "(default {} \"\")"),
    ] {
        if let Some(name) = text.strip_suffix(words) {
            return Some(wrap.replace("{}", &operand(name)?));
        }
    }
    let comparisons = [
        ("==", "eq"),
        ("!=", "ne"),
        (">=", "gte"),
        ("<=", "lte"),
        (">", "gt"),
        ("<", "lt"),
        (" not in ", "not in"),
        (" in ", "in"),
    ];
    for (sign, function) in comparisons {
        let Some((left, right)) = split(text, sign) else { continue };
        let (left, right) = (operand(left)?, operand(right)?);
        return Some(match function {
            "in" => format!("(contains {right} {left})"),
            "not in" => format!("(not (contains {right} {left}))"),
            _ => format!("({function} {left} {right})"),
        });
    }
    operand(text)
}

/// At the first `sign` that is not within quotes or parentheses.
fn split<'t>(text: &'t str, sign: &str) -> Option<(&'t str, &'t str)> {
    let (mut quote, mut depth) = (None, 0_i32);
    for (at, c) in text.char_indices() {
        match (quote, c) {
            (Some(open), c) if c == open => quote = None,
            (Some(_), _) => continue,
            (None, '"' | '\'') => quote = Some(c),
            (None, '(') => depth += 1,
            (None, ')') => depth -= 1,
            _ => {}
        }
        if quote.is_none() && depth == 0 && text[at..].starts_with(sign) {
            return Some((text[..at].trim(), text[at + sign.len()..].trim()));
        }
    }
    None
}

/// A variable, a number, a quoted text or a call.
fn operand(text: &str) -> Option<String> {
    let text = text.trim();
    let quoted = ['"', '\''].into_iter().find(|quote| text.starts_with(*quote));
    if let Some(quote) = quoted {
        let inner = text.strip_prefix(quote)?.strip_suffix(quote)?;
        return (!inner.contains(['"', '\''])).then(|| format!("\"{inner}\""));
    }
    if text.starts_with('(') && text.ends_with(')') {
        return Some(text.to_owned());
    }
    let plain = |c: char| c.is_alphanumeric() || "_-.@".contains(c);
    (!text.is_empty() && text.chars().all(plain)).then(|| text.to_owned())
}

/// Whether a condition is a call that lacks its parentheses.
pub fn is_bare_call(text: &str) -> bool {
    let first = text.split_whitespace().next().unwrap_or("");
    first.len() < text.len() && filters::names().any(|name| name == first) && condition_words(text).is_none()
}

fn condition_words(text: &str) -> Option<&'static str> {
    ["==", "!=", " is ", " and ", " or "].into_iter().find(|word| split(text, word).is_some())
}

#[cfg(test)]
mod tests {
    use super::{argument, condition, is_bare_call};

    #[test]
    fn conditions_of_other_tools_are_translated() {
        for (text, expected) in [
            ("os.family == 'debian'", "(eq os.family \"debian\")"),
            ("os.family==\"debian\" and workers >= 4", "(and (eq os.family \"debian\") (gte workers 4))"),
            ("x is defined", "(default x \"\")"),
            ("x is not defined or not y", "(or (not (default x \"\")) (not y))"),
            ("\"web\" in host.groups", "(contains host.groups \"web\")"),
            ("not app.tls", "(not app.tls)"),
            ("a == 'x and y'", "(eq a \"x and y\")"),
        ] {
            let found = condition(text);
            assert_eq!(found.as_deref(), Some(expected), "{text}");
            assert!(crate::spec::template::Compiled::condition(expected).is_ok(), "{expected}");
        }
        assert_eq!(condition("app.tls"), None);
        assert_eq!(condition("what | is this"), None);
        assert!(is_bare_call("eq os.family \"debian\"") && is_bare_call("not app.tls"));
        assert!(!is_bare_call("not x and y") && !is_bare_call("app.tls"));
    }

    #[test]
    fn keys_of_other_tools_are_known() {
        assert_eq!(argument("dest", &["path", "src"]), Some("path"));
        assert_eq!(argument("dest", &["names"]), None);
    }
}
