//! Python's text as logical lines, without comments and long strings: enough to see what a module defines when it is
//! imported. It runs nothing and forgives everything; what it does not understand it passes over.

/// A statement, with the lines that its brackets span joined.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// From 1.
    pub number: usize,
    /// Columns before it; 0 is what every import runs.
    pub indent: usize,
    pub code: String,
}

/// A file of Python.
#[derive(Clone, Debug)]
pub struct Source {
    pub path: String,
    /// What it is imported as: `shop.wsgi`.
    pub module: String,
    pub lines: Vec<Line>,
}

/// The logical lines of a file.
pub fn lines(text: &str) -> Vec<Line> {
    let mut scan = Scan { rest: text, number: 1, begun: 1, depth: 0, code: String::new(), lines: vec![] };
    while scan.step() {}
    scan.end_line();
    scan.lines
}

struct Scan<'a> {
    rest: &'a str,
    number: usize,
    /// The number of the line on which the statement began.
    begun: usize,
    depth: usize,
    code: String,
    lines: Vec<Line>,
}

impl Scan<'_> {
    fn step(&mut self) -> bool {
        let Some(c) = self.rest.chars().next() else { return false };
        match c {
            '#' => self.skip(self.rest.find('\n').unwrap_or(self.rest.len())),
            '\'' | '"' => self.string(c),
            '\\' if self.rest.starts_with("\\\n") => {
                self.skip(2);
                self.code.push(' ');
            }
            '\n' => {
                self.skip(1);
                if self.depth == 0 {
                    self.end_line();
                } else {
                    self.code.push(' ');
                }
            }
            _ => {
                match c {
                    '(' | '[' | '{' => self.depth += 1,
                    ')' | ']' | '}' => self.depth = self.depth.saturating_sub(1),
                    _ => {}
                }
                self.code.push(c);
                self.skip(c.len_utf8());
            }
        }
        true
    }

    fn skip(&mut self, bytes: usize) {
        let (gone, rest) = self.rest.split_at(bytes.min(self.rest.len()));
        self.number += gone.matches('\n').count();
        self.rest = rest;
    }

    /// A long string becomes an empty one: it is prose or SQL.
    fn string(&mut self, quote: char) {
        let long = [quote; 3].iter().collect::<String>();
        if let Some(inside) = self.rest.strip_prefix(long.as_str()) {
            let end = inside.find(&long).map_or(inside.len(), |end| end + 3);
            self.code.push_str("\"\"");
            self.skip(3 + end);
            return;
        }
        let mut end = self.rest.len();
        let mut escaped = false;
        for (at, c) in self.rest.char_indices().skip(1) {
            if c == '\n' || (c == quote && !escaped) {
                end = if c == quote { at + 1 } else { at };
                break;
            }
            escaped = c == '\\' && !escaped;
        }
        self.code.push_str(&self.rest[..end]);
        self.skip(end);
    }

    fn end_line(&mut self) {
        let code = std::mem::take(&mut self.code);
        let trimmed = code.trim_start();
        if !trimmed.trim().is_empty() {
            let indent = code.len() - trimmed.len();
            self.lines.push(Line { number: self.begun, indent, code: trimmed.trim_end().to_owned() });
        }
        self.begun = self.number;
    }
}

impl Line {
    /// `name = value`, also `name: Type = value`.
    pub fn assigned(&self) -> Option<(&str, &str)> {
        let at = equals(&self.code)?;
        let left = self.code[..at].trim();
        let name = left.split(':').next().unwrap_or(left).trim();
        is_name(name).then(|| (name, self.code[at + 1..].trim()))
    }

    /// The function that begins here, with its parameters.
    pub fn function(&self) -> Option<(&str, &str)> {
        let rest = self.code.strip_prefix("async ").unwrap_or(&self.code).strip_prefix("def ")?;
        let (name, rest) = rest.split_once('(')?;
        let mut depth = 0usize;
        let end = rest.find(|c| match c {
            '(' => {
                depth += 1;
                false
            }
            ')' if depth > 0 => {
                depth -= 1;
                false
            }
            c => c == ')',
        });
        Some((name.trim(), &rest[..end.unwrap_or(rest.len())]))
    }

    pub fn has_word(&self, word: &str) -> bool {
        words(&self.code).any(|(_, found)| found == word)
    }

    /// Texts in quotes.
    pub fn strings(&self) -> Vec<&str> {
        strings(&self.code).into_iter().map(|(_, text)| text).collect()
    }
}

/// What is called, when the whole value is a call: `flask.Flask` of `flask.Flask(__name__)`.
pub fn called(value: &str) -> Option<&str> {
    let callee = value.strip_prefix("await ").unwrap_or(value).split('(').next()?;
    let whole = value.contains('(') && callee.chars().all(|c| c.is_alphanumeric() || c == '_' || c == '.');
    whole.then_some(callee)
}

/// The last part of a dotted name.
pub fn last(dotted: &str) -> &str {
    dotted.rsplit('.').next().unwrap_or(dotted)
}

/// Texts in quotes, with the place of their opening quote.
pub fn strings(code: &str) -> Vec<(usize, &str)> {
    let mut found = vec![];
    let mut open: Option<(usize, char)> = None;
    let mut escaped = false;
    for (at, c) in code.char_indices() {
        match open {
            None if c == '"' || c == '\'' => open = Some((at, c)),
            Some((begin, quote)) if c == quote && !escaped => {
                found.push((begin, &code[begin + 1..at]));
                open = None;
            }
            _ => {}
        }
        escaped = c == '\\' && !escaped;
    }
    found
}

/// Names and keywords outside of quotes, with their places.
pub fn words(code: &str) -> impl Iterator<Item = (usize, &str)> {
    let quoted: Vec<(usize, usize)> =
        strings(code).into_iter().map(|(at, text)| (at, at + text.len() + 2)).collect();
    let letter = |c: char| c.is_alphanumeric() || c == '_';
    let mut found = vec![];
    let mut begin = None;
    for (at, c) in code.char_indices().chain([(code.len(), ' ')]) {
        match (begin, letter(c)) {
            (None, true) => begin = Some(at),
            (Some(from), false) => {
                found.push((from, &code[from..at]));
                begin = None;
            }
            _ => {}
        }
    }
    found.into_iter().filter(move |(at, _)| !quoted.iter().any(|(from, to)| from <= at && at < to))
}

pub fn is_name(text: &str) -> bool {
    text.chars().all(|c| c.is_alphanumeric() || c == '_')
        && text.chars().next().is_some_and(|c| !c.is_numeric())
}

/// The `=` of an assignment: outside of brackets and quotes, and no comparison.
fn equals(code: &str) -> Option<usize> {
    let quoted = strings(code);
    let mut depth = 0usize;
    let mut before = ' ';
    for (at, c) in code.char_indices() {
        if quoted.iter().any(|(begin, text)| *begin <= at && at <= begin + text.len() + 1) {
            continue;
        }
        match c {
            '(' | '[' | '{' => depth += 1,
            ')' | ']' | '}' => depth = depth.saturating_sub(1),
            '=' if depth == 0 => {
                let single = !"=!<>:+-*/%|&^@".contains(before) && !code[at + 1..].starts_with('=');
                return single.then_some(at);
            }
            _ => {}
        }
        before = c;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::{called, lines, strings};

    #[test]
    fn statements_are_joined_and_comments_go() {
        let text = "\"\"\"About\nit.\"\"\"\nimport os  # why\napp = Flask(\n    __name__,  # x\n    a='#',\n)\n  \nif x:\n    y = \"=\"\n";
        let found = lines(text);
        let shown: Vec<_> = found.iter().map(|line| (line.number, line.indent, line.code.as_str())).collect();
        assert_eq!(
            shown,
            [
                (1, 0, "\"\""),
                (3, 0, "import os"),
                (4, 0, "app = Flask(     __name__,       a='#', )"),
                (9, 0, "if x:"),
                (10, 4, "y = \"=\""),
            ]
        );
        assert_eq!(found[2].assigned().map(|(name, _)| name), Some("app"));
        assert_eq!(found[4].assigned(), Some(("y", "\"=\"")));
    }

    #[test]
    fn broken_text_ends() {
        for text in ["'", "\"\"\"", "((((", "a = '\n", "\\", "def f(", "é = 'ü", "a\\\n", "'\\"] {
            for line in lines(text) {
                let _ = (line.assigned(), line.function(), line.strings(), line.has_word("a"));
            }
        }
    }

    #[test]
    fn values_are_taken_apart() {
        assert_eq!(called("flask.Flask(__name__)"), Some("flask.Flask"));
        assert_eq!(called("x + f(1)"), None);
        assert_eq!(strings(r#"f('a\'b', "c")"#), [(2, r"a\'b"), (10, "c")]);
        let line = &lines("async def create_app(config=None, *, x: int = 1) -> Flask:\n")[0];
        assert_eq!(line.function(), Some(("create_app", "config=None, *, x: int = 1")));
        assert_eq!(lines("def f(a=(1, 2)): return g()\n")[0].function(), Some(("f", "a=(1, 2)")));
        assert_eq!(lines("a == b\n")[0].assigned(), None);
        assert_eq!(lines("url: str = f(x=1)\n")[0].assigned(), Some(("url", "f(x=1)")));
    }
}
