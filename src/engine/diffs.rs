//! How the content of files changes, as unified diffs. Fetches what they hold now only when somebody looks.

use crate::engine::basis::{Basis, text_of};
use crate::words::content::Content;
use crate::words::event::TextDiff;
use crate::words::fact::{Fact, Facts, Probe};
use crate::words::names::RemotePath;
use crate::words::step::{Change, Diff};

/// So often `probes` may have more to ask: whether a file is the same, and then what it holds.
pub const ROUNDS: usize = 2;
/// A longer diff is cut.
const MOST_LINES: usize = 400;
/// So many files of what is there are read, to be shown beside the new ones.
const MOST_OLD: usize = 50;
/// More new files of one task are a source, which nobody wants to read in a plan.
const MOST_NEW: usize = 20;

/// The changes of a task, to be shown.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Texts {
    pub diffs: Vec<TextDiff>,
    /// What else is to be said of them.
    pub what: Vec<String>,
}

/// What must be asked to show `changes`, [`ROUNDS`] times, each with the answers before.
pub fn probes<'a>(
    changes: impl Iterator<Item = &'a Change>,
    facts: &Facts,
    basis: Option<&Basis>,
) -> Vec<Probe> {
    let mut probes: Vec<Probe> = changes
        .flat_map(|change| &change.diffs)
        .flat_map(|diff| {
            let own = (!diff.secret).then(|| Probe::Content(diff.path.clone()));
            own.into_iter().chain(basis.and_then(|basis| basis.probe(diff, facts)))
        })
        .collect();
    probes.retain(|probe| !facts.contains(probe));
    probes.sort();
    probes.dedup();
    let mut old = 0;
    probes.retain(|probe| {
        let is_old = matches!(probe, Probe::Shell { .. });
        old += usize::from(is_old);
        !is_old || old <= MOST_OLD
    });
    probes
}

pub fn texts(change: &Change, before: &Facts, basis: Option<&Basis>) -> Texts {
    let mut texts = Texts::default();
    let (mut same, mut new) = (0, vec![]);
    for diff in &change.diffs {
        let against = basis.and_then(|basis| against(diff, before, basis));
        let is_new = against.is_none() && !diff.secret && held(&diff.path, before).is_none();
        if against.as_deref() == Some("") {
            same += 1;
            continue;
        }
        let text = against.unwrap_or_else(|| text(diff, before));
        let list = if is_new { &mut new } else { &mut texts.diffs };
        list.push(TextDiff { path: diff.path.to_string(), text });
    }
    texts.what.extend(basis.filter(|_| same > 0).map(|basis| match change.diffs.len() {
        1 => format!("as in release {}", basis.old),
        all if all == same => format!("all {all} files as in release {}", basis.old),
        all => format!("{same} of {all} files as in release {}", basis.old),
    }));
    if new.len() > MOST_NEW {
        texts.what.push(format!("{} files are new, and not shown", new.len()));
    } else {
        texts.diffs.extend(new);
    }
    texts
}

/// Beside the file that it takes the place of; empty where both are the same. `None` where there is none.
fn against(diff: &Diff, before: &Facts, basis: &Basis) -> Option<String> {
    let (path, new) = (basis.path(&diff.path)?, diff.new.as_ref()?);
    let Some(Fact::Digest(Some(digest))) = before.raw(&Probe::Digest(path.clone())) else { return None };
    if held(&diff.path, before).is_some() {
        return None;
    }
    if basis.is_same(digest, new) {
        return Some(String::new());
    }
    if diff.secret {
        return Some(format!("(the content is secret; it is not as in release {})\n", basis.old));
    }
    let old = basis.text(&path, before);
    Some(match old.as_deref().zip(text_of(new)) {
        Some((old, new)) => unified(old, new, [path.as_str(), diff.path.as_str()]),
        None => format!("(it is not as in release {}, and not shown)\n", basis.old),
    })
}

fn held<'a>(path: &RemotePath, facts: &'a Facts) -> Option<&'a [u8]> {
    match facts.raw(&Probe::Content(path.clone())) {
        Some(Fact::Content(Some(bytes))) => Some(bytes),
        _ => None,
    }
}

fn text(diff: &Diff, before: &Facts) -> String {
    if diff.secret {
        return "(the content is secret)\n".into();
    }
    let old = held(&diff.path, before);
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
    let name = |is_there: bool| if is_there { diff.path.as_str() } else { "/dev/null" };
    unified(old_text, new_text, [name(old.is_some()), name(new.is_some())])
}

fn unified(old: &str, new: &str, names: [&str; 2]) -> String {
    let unified = similar::TextDiff::from_lines(old, new)
        .unified_diff()
        .context_radius(3)
        .header(names[0], names[1])
        .to_string();
    let lines: Vec<&str> = unified.lines().collect();
    if lines.len() <= MOST_LINES {
        return unified;
    }
    format!("{}\n… {} more lines\n", lines[..MOST_LINES].join("\n"), lines.len() - MOST_LINES)
}

#[cfg(test)]
mod tests {
    use super::{Texts, probes, texts};
    use crate::engine::basis::Basis;
    use crate::words::content::Content;
    use crate::words::fact::{Fact, Facts, Output, Probe};
    use crate::words::names::RemotePath;
    use crate::words::step::{Change, Diff};

    fn diff(old: Option<&[u8]>, new: Option<&str>, secret: bool) -> String {
        let path = RemotePath::new("/etc/motd").unwrap();
        let mut facts = Facts::default();
        facts.insert(Probe::Content(path.clone()), Fact::Content(old.map(<[u8]>::to_vec)));
        let diffs = vec![Diff { path, new: new.map(Content::text), secret }];
        texts(&Change { diffs, ..Change::default() }, &facts, None).diffs.remove(0).text
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

    /// Files of the release that serves, as the host would answer, and those of the next.
    fn beside(old: &[(&str, &str)], new: &[(&str, &str)], secret: bool) -> Texts {
        let basis = Basis { new: "5-b".into(), old: "4-a".into() };
        let path = |path: &str| RemotePath::new(path).unwrap();
        let file =
            |(at, text): &(&str, &str)| Diff { path: path(at), new: Some(Content::text(text)), secret };
        let change = Change { diffs: new.iter().map(file).collect(), ..Change::default() };
        let mut facts = Facts::default();
        for _ in 0..super::ROUNDS {
            for probe in probes(std::iter::once(&change), &facts, Some(&basis)) {
                let asked = |path: &str| match &probe {
                    Probe::Content(at) | Probe::Digest(at) => at.as_str() == path,
                    Probe::Shell { script, user } => {
                        user.as_ref().is_some_and(|user| user.as_ref() == "nobody") && script.ends_with(path)
                    }
                    _ => false,
                };
                let text = old.iter().find(|(path, _)| asked(path)).map(|(_, text)| *text);
                assert!(!secret || matches!(probe, Probe::Digest(_)), "a secret is asked for");
                let fact = match &probe {
                    Probe::Content(_) => Fact::Content(text.map(|text| text.as_bytes().to_vec())),
                    Probe::Shell { .. } => {
                        Fact::Output(Output { code: 0, stdout: text.unwrap_or_default().to_owned() })
                    }
                    _ => Fact::Digest(text.map(|text| Content::text(text).digest().clone())),
                };
                facts.insert(probe, fact);
            }
        }
        texts(&change, &facts, Some(&basis))
    }

    #[test]
    fn a_new_release_is_compared_with_the_one_that_serves() {
        let said = beside(
            &[("/r/4-a/x", "a\n"), ("/r/4-a/y", "b\n")],
            &[("/r/5-b/x", "a\n"), ("/r/5-b/y", "c\n")],
            false,
        );
        assert_eq!(said.what, ["1 of 2 files as in release 4-a"]);
        assert_eq!(said.diffs[0].text, "--- /r/4-a/y\n+++ /r/5-b/y\n@@ -1 +1 @@\n-b\n+c\n");
        // One of which nothing was there, also when nothing is in it.
        let said = beside(&[], &[("/r/5-b/__init__.py", "")], false);
        assert_eq!((said.what.len(), said.diffs.len()), (0, 1));
        let said = beside(&[], &[("/r/5-b/x", "a\n")], false);
        assert_eq!(
            (said.what, &*said.diffs[0].text),
            (vec![], "--- /dev/null\n+++ /r/5-b/x\n@@ -0,0 +1 @@\n+a\n")
        );
        // The name of the release is no difference.
        let unit =
            beside(&[("/u/shop@4-a.service", "run 4-a\n")], &[("/u/shop@5-b.service", "run 5-b\n")], false);
        assert_eq!((unit.what[0].as_str(), unit.diffs.len()), ("as in release 4-a", 0));
    }

    #[test]
    fn a_whole_source_that_is_new_is_not_shown() {
        let names: Vec<String> = (0..=super::MOST_NEW).map(|at| format!("/r/5-b/{at}")).collect();
        let new: Vec<(&str, &str)> = names.iter().map(|name| (name.as_str(), "a\n")).collect();
        let said = beside(&[], &new, false);
        assert_eq!((said.what, said.diffs.len()), (vec!["21 files are new, and not shown".to_owned()], 0));
    }

    #[test]
    fn of_a_secret_file_only_whether_it_differs() {
        let old = [("/r/4-a/.env", "K=1\n")];
        assert_eq!(beside(&old, &[("/r/5-b/.env", "K=1\n")], true).what, ["as in release 4-a"]);
        let said = beside(&old, &[("/r/5-b/.env", "K=2\n")], true);
        assert_eq!(said.diffs[0].text, "(the content is secret; it is not as in release 4-a)\n");
    }
}
