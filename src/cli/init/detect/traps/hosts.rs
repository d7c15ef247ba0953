//! Django's `ALLOWED_HOSTS`, where it stands in the source.

use crate::cli::init::detect::Trap;
use crate::cli::init::detect::python::{Line, Source};

/// Of the first file of the settings that says it.
pub fn find(files: &[&Source]) -> Option<Trap> {
    let about = |line: &&Line| line.code.starts_with("ALLOWED_HOSTS");
    let source = files.iter().find(|source| source.lines.iter().any(|line| about(&line)))?;
    let lines: Vec<&Line> = source.lines.iter().filter(about).collect();
    let values: Vec<(&Line, &str)> =
        lines.iter().filter_map(|line| Some((*line, line.assigned()?.1))).collect();
    // Something of it comes from elsewhere: `+=`, `.append(…)`, a call.
    if values.len() < lines.len() || !values.iter().all(|(_, value)| is_literal(value)) {
        return None;
    }
    let narrow = |line: &Line| !line.strings().contains(&"*");
    let (line, _) = *values.iter().rev().find(|(line, _)| narrow(line))?;
    // What stands below another one at the top wins.
    if values.iter().any(|(other, _)| other.indent == 0 && other.number > line.number) {
        return None;
    }
    let names = line.strings();
    let is_set_otherwise = values.len() > 1 || line.indent > 0;
    let may = if is_set_otherwise { ", where its condition says so" } else { "" };
    let what = match names.as_slice() {
        [] => format!("ALLOWED_HOSTS is empty{may}: every request would be answered with 400"),
        [first, rest @ ..] => {
            let more = if rest.is_empty() { String::new() } else { format!(" and {} more", rest.len()) };
            format!("ALLOWED_HOSTS is {first}{more}{may}: requests for any other name are answered with 400")
        }
    };
    let then = "`ALLOWED_HOSTS = os.environ[\"ALLOWED_HOSTS\"].split(\",\")`";
    Some(Trap::at(&source.path, line.number, what, then))
}

/// A list or tuple of texts and nothing else.
fn is_literal(value: &str) -> bool {
    let mut quoted = None;
    let is_list = value.starts_with(['[', '(']);
    is_list
        && value.chars().all(|c| match quoted {
            Some(quote) => {
                if c == quote {
                    quoted = None;
                }
                true
            }
            None if c == '"' || c == '\'' => {
                quoted = Some(c);
                true
            }
            None => c.is_whitespace() || "[](),".contains(c),
        })
}

#[cfg(test)]
mod tests {
    use super::find;
    use crate::cli::init::tree::Tree;

    fn said(text: &str) -> String {
        let mut tree = Tree::default();
        tree.add("settings.py", text.to_owned());
        let sources = tree.sources("");
        find(&sources.iter().collect::<Vec<_>>()).map(|trap| trap.what).unwrap_or_default()
    }

    #[test]
    fn names_that_stand_in_the_source() {
        assert!(said("ALLOWED_HOSTS = []\n").contains("is empty: every"));
        assert!(
            said("ALLOWED_HOSTS = [\n    \"localhost\",\n    '127.0.0.1',\n]\n")
                .contains("is localhost and 1 more: requests")
        );
        let either = "if X:\n    ALLOWED_HOSTS = [\"*\"]\nelse:\n    ALLOWED_HOSTS = [\".localhost\"]\n";
        assert!(said(either).contains("is .localhost, where its condition says so"));
        for fine in [
            "ALLOWED_HOSTS = [\"*\"]\n",
            "ALLOWED_HOSTS = [host]\n",
            "ALLOWED_HOSTS = env.list(\"ALLOWED_HOSTS\", default=[\"x\"])\n",
            "ALLOWED_HOSTS = [\"localhost\"]\nALLOWED_HOSTS += [host]\n",
            "if DEBUG:\n    ALLOWED_HOSTS = [\"localhost\"]\nelse:\n    ALLOWED_HOSTS = hosts\n",
            "if X:\n    ALLOWED_HOSTS = [\"a\"]\nALLOWED_HOSTS = [\"*\"]\n",
            "",
        ] {
            assert_eq!(said(fine), "", "{fine}");
        }
    }
}
