//! Values that stand in a file where they should not, and that no message about that file may show.

use crate::spec::source::{Entry, Node, Span, Value};
use crate::words::secret::MASKED;

/// Every value of `node`, however deep.
pub fn values(node: &Node) -> Vec<Span> {
    match &node.value {
        Value::Array(items) => items.iter().flat_map(values).collect(),
        Value::Table(entries) => entries.iter().flat_map(|entry| values(&entry.node)).collect(),
        _ => vec![node.span.clone()],
    }
}

/// What a user who meant `[secrets]` wrote below another name, or not as a table.
pub fn misplaced(entry: &Entry) -> Vec<Span> {
    let table = matches!(entry.node.value, Value::Table(_));
    if meant(&entry.key) && !(entry.key == "secrets" && table) { values(&entry.node) } else { vec![] }
}

fn meant(key: &str) -> bool {
    strsim::osa_distance(key, "secrets") <= 2
}

/// The same in a file that is no TOML, so that only its lines are known.
pub fn in_lines(text: &str) -> Vec<Span> {
    let (mut spans, mut at, mut within) = (vec![], 0, false);
    for line in text.split_inclusive('\n') {
        let (start, code) = (at, line.trim());
        at += line.len();
        let first = code.trim_start_matches('[').split(['.', ']', '=']).next().unwrap_or("");
        if code.starts_with('[') {
            within = meant(first.trim());
            continue;
        }
        let here = within || code.contains('=') && meant(first.trim());
        if !here || code.is_empty() || code.starts_with('#') {
            continue;
        }
        let value = line.find('=').map_or(0, |equals| equals + 1);
        if !says_where(&line[value..]) {
            let from = start + value + line[value..].len() - line[value..].trim_start().len();
            spans.push(from..start + line.trim_end().len());
        }
    }
    spans
}

fn says_where(value: &str) -> bool {
    let Some(inner) = value.trim_start().strip_prefix('{') else { return false };
    let word = inner.split('=').next().unwrap_or("").trim();
    ["env", "file", "command"].contains(&word)
}

/// A text as it may be shown.
pub struct Shown {
    pub text: String,
    /// What was taken out, and by how many bytes the text behind it has moved.
    moved: Vec<(Span, isize)>,
}

impl Shown {
    pub fn new(text: &str, hidden: &[Span]) -> Shown {
        let mut hidden: Vec<&Span> =
            hidden.iter().filter(|span| text.get((*span).clone()).is_some()).collect();
        hidden.sort_by_key(|span| (span.start, span.end));
        let mut shown = Shown { text: String::new(), moved: vec![] };
        let mut at = 0;
        for span in hidden {
            if span.start < at {
                continue;
            }
            shown.text.push_str(&text[at..span.start]);
            shown.text.push_str(MASKED);
            // The lines below keep their numbers.
            shown.text.extend(text[span.clone()].chars().filter(|c| *c == '\n'));
            at = span.end;
            shown.moved.push((span.clone(), shown.text.len().cast_signed() - at.cast_signed()));
        }
        shown.text.push_str(&text[at..]);
        shown
    }

    /// Where the shown text has what stood at `offset`.
    pub fn at(&self, offset: usize) -> usize {
        let mut by = 0;
        for (span, moved) in &self.moved {
            if offset < span.end {
                return offset.min(span.start).saturating_add_signed(by);
            }
            by = *moved;
        }
        offset.saturating_add_signed(by)
    }
}

#[cfg(test)]
mod tests {
    use super::{Shown, in_lines};

    #[test]
    fn what_is_hidden_is_gone_and_the_rest_is_found_again() {
        let text = "a = \"xy\"\nb = '''x\ny''' # c\nd = 1\n";
        let spans = [4..8, 13..text.find(" # c").unwrap()];
        let shown = Shown::new(text, &spans);
        assert_eq!(shown.text, "a = •••\nb = •••\n # c\nd = 1\n");
        for word in ["b =", "# c", "d = 1"] {
            let at = shown.at(text.find(word).unwrap());
            assert!(shown.text[at..].starts_with(word), "{word}");
        }
        assert!(shown.text[shown.at(5)..].starts_with("•••"));
        assert_eq!(Shown::new("ä", &[1..9, 1..2]).text, "ä");
    }

    #[test]
    fn lines_of_a_broken_file_are_hidden_where_secrets_stand() {
        let text = "x = hunter2\n[secrets]\n# c\na = canary\nb = { env = \"B\" \nc = { value = \"canary\" }\n  canary'''\n\
                    [hosts.a]\nuser = me\nsecrets.d = \"canary\"\n[secret]\ne = canary\n[secrets.f]\ng = canary";
        let shown = Shown::new(text, &in_lines(text)).text;
        assert!(!shown.contains("canary"), "{shown}");
        for kept in ["hunter2", "# c", "{ env = \"B\"", "user = me", "g = •••"] {
            assert!(shown.contains(kept), "{kept}: {shown}");
        }
    }
}
