//! How the content of files changes, as unified diffs. Fetches what they hold now only when somebody looks.

use crate::words::content::Content;
use crate::words::event::TextDiff;
use crate::words::fact::{Fact, Facts, Probe};
use crate::words::step::{Change, Diff};

/// A longer diff is cut.
const MOST_LINES: usize = 400;

/// What must be asked to show `changes`.
pub fn probes<'a>(changes: impl Iterator<Item = &'a Change>, facts: &Facts) -> Vec<Probe> {
    let shown = changes.flat_map(|change| &change.diffs).filter(|diff| !diff.secret);
    let mut probes: Vec<Probe> = shown.map(|diff| Probe::Content(diff.path.clone())).collect();
    probes.retain(|probe| !facts.contains(probe));
    probes.sort();
    probes.dedup();
    probes
}

pub fn texts(change: &Change, before: &Facts) -> Vec<TextDiff> {
    change
        .diffs
        .iter()
        .map(|diff| TextDiff { path: diff.path.to_string(), text: text(diff, before) })
        .collect()
}

fn text(diff: &Diff, before: &Facts) -> String {
    if diff.secret {
        return "(the content is secret)\n".into();
    }
    let old = match before.raw(&Probe::Content(diff.path.clone())) {
        Some(Fact::Content(Some(bytes))) => Some(bytes.as_slice()),
        _ => None,
    };
    let new = diff.new.as_ref().map(Content::as_bytes);
    if new == Some(None) {
        return "(a local file, not shown)\n".into();
    }
    let new = new.flatten();
    let (Ok(old_text), Ok(new_text)) =
        (std::str::from_utf8(old.unwrap_or_default()), std::str::from_utf8(new.unwrap_or_default()))
    else {
        return "(binary content differs)\n".into();
    };
    let names = (
        if old.is_some() { diff.path.as_str() } else { "/dev/null" },
        if new.is_some() { diff.path.as_str() } else { "/dev/null" },
    );
    let unified = similar::TextDiff::from_lines(old_text, new_text)
        .unified_diff()
        .context_radius(3)
        .header(names.0, names.1)
        .to_string();
    let lines: Vec<&str> = unified.lines().collect();
    if lines.len() <= MOST_LINES {
        return unified;
    }
    format!("{}\n… {} more lines\n", lines[..MOST_LINES].join("\n"), lines.len() - MOST_LINES)
}

#[cfg(test)]
mod tests {
    use super::texts;
    use crate::words::content::Content;
    use crate::words::fact::{Fact, Facts, Probe};
    use crate::words::names::RemotePath;
    use crate::words::step::{Change, Diff};

    fn diff(old: Option<&[u8]>, new: Option<&str>, secret: bool) -> String {
        let path = RemotePath::new("/etc/motd").unwrap();
        let mut facts = Facts::default();
        facts.insert(Probe::Content(path.clone()), Fact::Content(old.map(<[u8]>::to_vec)));
        let diffs = vec![Diff { path, new: new.map(Content::text), secret }];
        texts(&Change { diffs, ..Change::default() }, &facts).remove(0).text
    }

    #[test]
    fn old_and_new_are_told_apart() {
        assert_eq!(
            diff(Some(b"a\nb\n"), Some("a\nc\n"), false),
            "--- /etc/motd\n+++ /etc/motd\n@@ -1,2 +1,2 @@\n a\n-b\n+c\n"
        );
        assert_eq!(diff(None, Some("a\n"), false), "--- /dev/null\n+++ /etc/motd\n@@ -0,0 +1 @@\n+a\n");
    }

    #[test]
    fn secrets_and_binary_content_are_not_shown() {
        assert!(!diff(Some(b"OLD"), Some("NEW"), true).contains("NEW"));
        assert_eq!(diff(Some(b"\xff"), Some("x"), false), "(binary content differs)\n");
    }
}
