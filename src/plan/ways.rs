//! Where paths really lead: what is known of a path no longer holds once a link on its way, or the same thing under
//! another name, has changed. Pure.

use crate::words::fact::{Fact, Facts, NodeKind, PathFact, Probe};
use crate::words::names::RemotePath;
use crate::words::step::Change;

/// More links than this on one way are a circle.
const MOST_LINKS: usize = 40;

/// What the changes that are planned so far touch.
#[derive(Debug, Default)]
pub struct Touched {
    /// Each with the place that it really has.
    places: Vec<(RemotePath, String)>,
    /// Links that are made, led elsewhere or removed.
    links: Vec<RemotePath>,
}

impl Touched {
    /// Before the facts know of `change`.
    pub fn note(&mut self, change: &Change, facts: &Facts) {
        for (probe, fact) in &change.predicts {
            let Some(path) = place(probe) else { continue };
            if let Probe::Path(path) = probe
                && link(facts, path.as_str()) != target(fact)
            {
                self.links.push(path.clone());
            }
            if self.places.last().is_none_or(|(last, _)| last != path) {
                self.places.push((path.clone(), real(facts, path.as_str(), false)));
            }
        }
    }

    /// Whether more may have changed than the places that are named.
    pub fn leads_elsewhere(&self, facts: &Facts) -> bool {
        !self.places.is_empty() && (!self.links.is_empty() || facts.knows_links())
    }

    /// Whether one of these answers may be another by the time that it is needed.
    pub fn reaches(&self, probes: &[Probe], facts: &Facts) -> bool {
        if !self.leads_elsewhere(facts) {
            return false;
        }
        probes.iter().any(|probe| match (probe, place(probe)) {
            (_, Some(path)) => {
                let path = path.as_str();
                let real = real(facts, path, !matches!(probe, Probe::Path(_)));
                self.links.iter().any(|link| path != link.as_str() && holds(link.as_str(), path))
                    || self
                        .places
                        .iter()
                        .any(|(known, place)| near(&real, place) && !near(path, known.as_str()))
            }
            (Probe::Shell { script, .. }, None) => {
                self.links.iter().any(|link| script.contains(&format!("{link}/")))
            }
            _ => false,
        })
    }
}

fn place(probe: &Probe) -> Option<&RemotePath> {
    match probe {
        Probe::Path(path) | Probe::Digest(path) | Probe::Content(path) | Probe::Tree(path) => Some(path),
        Probe::User(_) | Probe::Shell { .. } => None,
    }
}

fn target(fact: &Fact) -> Option<&str> {
    match fact {
        Fact::Path(PathFact::Present(stat)) => match &stat.node {
            NodeKind::Link { target } => Some(target),
            _ => None,
        },
        _ => None,
    }
}

fn link<'a>(facts: &'a Facts, path: &str) -> Option<&'a str> {
    target(facts.raw(&Probe::Path(RemotePath::new(path).ok()?))?)
}

/// The path without those links on its way that are known; `followed` at its end as well.
fn real(facts: &Facts, path: &str, followed: bool) -> String {
    let (mut at, mut links) = (String::new(), 0);
    let mut rest: Vec<String> = path.split('/').rev().map(ToOwned::to_owned).collect();
    while let Some(name) = rest.pop() {
        match name.as_str() {
            "" | "." => continue,
            ".." => {
                at.truncate(at.rfind('/').unwrap_or(0));
                continue;
            }
            _ => {}
        }
        let next = format!("{at}/{name}");
        let leads = if rest.is_empty() && !followed { None } else { link(facts, &next) };
        match leads.filter(|_| links < MOST_LINKS) {
            None => at = next,
            Some(target) => {
                links += 1;
                if target.starts_with('/') {
                    at.clear();
                }
                rest.extend(target.split('/').rev().map(ToOwned::to_owned));
            }
        }
    }
    at
}

/// Whether `path` is `folder`, or below it.
fn holds(folder: &str, path: &str) -> bool {
    path.strip_prefix(folder.trim_end_matches('/'))
        .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

fn near(a: &str, b: &str) -> bool {
    holds(a, b) || holds(b, a)
}

#[cfg(test)]
mod tests {
    use super::{Touched, real};
    use crate::words::fact::{Fact, Facts, NodeKind, PathFact, Probe, Stat};
    use crate::words::names::{FileMode, RemotePath};
    use crate::words::step::Change;

    fn path(text: &str) -> RemotePath {
        RemotePath::new(text).unwrap()
    }
    fn node(node: NodeKind) -> Fact {
        let (owner, group) = ("root".into(), "root".into());
        Fact::Path(PathFact::Present(Stat { node, mode: FileMode(0o755), owner, group, size: 0 }))
    }
    fn facts(links: &[(&str, &str)]) -> Facts {
        let mut facts = Facts::default();
        for (at, target) in links {
            facts.insert(Probe::Path(path(at)), node(NodeKind::Link { target: (*target).to_owned() }));
        }
        facts
    }
    fn change(at: &str, fact: Fact) -> Change {
        Change::default().predict(Probe::Path(path(at)), fact)
    }

    #[test]
    fn a_way_is_followed_as_far_as_it_is_known() {
        let facts = facts(&[("/var/run", "/run"), ("/srv/cur", "../opt/a"), ("/opt/a", "b"), ("/c", "c")]);
        for (text, place) in [
            ("/var/run/x/f", "/run/x/f"),
            ("/srv/cur/conf", "/opt/b/conf"),
            ("/srv/cur", "/srv/cur"),
            ("/elsewhere/f", "/elsewhere/f"),
            ("/c/f", "/c/f"),
        ] {
            assert_eq!(real(&facts, text, false), place);
        }
        assert_eq!(real(&facts, "/srv/cur", true), "/opt/b");
    }

    #[test]
    fn what_lies_behind_a_link_that_changes_is_asked_anew() {
        let known = facts(&[("/srv/cur", "a")]);
        let mut touched = Touched::default();
        touched.note(&change("/srv/cur", node(NodeKind::Link { target: "b".into() })), &known);
        let reaches = |probe| touched.reaches(&[probe], &known);
        assert!(reaches(Probe::Digest(path("/srv/cur/conf"))));
        assert!(reaches(Probe::Shell { script: "test -e /srv/cur/conf".into(), user: None }));
        assert!(!reaches(Probe::Path(path("/srv/cur"))), "it is known what it leads to");
        assert!(!reaches(Probe::Path(path("/srv/current/x"))));
        assert!(!reaches(Probe::Path(path("/srv/b/x"))));
    }

    #[test]
    fn the_same_file_by_another_name_is_asked_anew() {
        let known = facts(&[("/var/run", "/run")]);
        let mut touched = Touched::default();
        touched.note(&change("/run/al/f", node(NodeKind::File)), &known);
        assert!(touched.reaches(&[Probe::Content(path("/var/run/al/f"))], &known));
        assert!(!touched.reaches(&[Probe::Content(path("/run/al/f"))], &known), "that was predicted");
        assert!(!touched.reaches(&[Probe::Content(path("/var/run/other/f"))], &known));
        assert!(
            !touched.reaches(&[Probe::Content(path("/var/run/al/f"))], &facts(&[])),
            "nobody knows of a link"
        );
    }
}
