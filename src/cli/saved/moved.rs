//! What is different now from when a plan was made, in words. Pure.

use std::collections::BTreeMap;

use crate::cli::saved::file::{Entry, Hosts};

/// A line for each difference.
pub fn moved(before: &Hosts, now: &Hosts) -> Vec<String> {
    let mut lines = vec![];
    for (host, entries) in before {
        match now.get(host) {
            Some(now) => {
                lines.extend(of_host(entries, now).into_iter().map(|line| format!("{host}: {line}")));
            }
            None => lines.push(format!("{host}: it is not among the hosts any more")),
        }
    }
    let new = now.keys().filter(|host| !before.contains_key(*host));
    lines.extend(new.map(|host| format!("{host}: the plan does not know this host")));
    lines
}

fn of_host(before: &[Entry], now: &[Entry]) -> Vec<String> {
    let key = |entry: &Entry| (entry.stage.clone(), entry.task.clone());
    let mut left: BTreeMap<(String, String), Vec<&Entry>> = BTreeMap::new();
    for entry in now {
        left.entry(key(entry)).or_default().push(entry);
    }
    let mut lines = vec![];
    for entry in before {
        let same = left.get_mut(&key(entry)).filter(|same| !same.is_empty()).map(|same| same.remove(0));
        match same {
            Some(same) => lines.extend(of_task(entry, same)),
            None => lines.push(format!("\"{}\" is not in the playbook any more", entry.task)),
        }
    }
    let new = left.into_values().flatten();
    lines.extend(new.map(|entry| format!("\"{}\" ({}) is new in the playbook", entry.task, entry.origin)));
    lines
}

fn of_task(before: &Entry, now: &Entry) -> Option<String> {
    let task = &before.task;
    let places: Vec<&str> = before
        .facts
        .iter()
        .filter(|(place, digest)| now.facts.get(*place) != Some(digest))
        .map(|(place, _)| place.as_str())
        .collect();
    let here =
        if places.is_empty() { String::new() } else { format!(": {} changed there", places.join(", ")) };
    if before.decision != now.decision {
        return Some(format!("\"{task}\" was {}, and is {} now{here}", said(before), said(now)));
    }
    if before.digest != now.digest {
        let why =
            if places.is_empty() { ": the playbook, a template or a variable changed".into() } else { here };
        return Some(format!("\"{task}\" would do something else now{why}"));
    }
    (!places.is_empty()).then(|| format!("\"{task}\"{here}"))
}

fn said(entry: &Entry) -> String {
    match entry.decision.as_str() {
        "already" => "done already".into(),
        "change" => "a change".into(),
        "unknown" => "to be run".into(),
        "skip" => format!("left out ({})", entry.what.join(" ")),
        _ => format!("an error ({})", entry.what.join(" ")),
    }
}

#[cfg(test)]
mod tests {
    use super::moved;
    use crate::cli::saved::file::{Entry, Hosts};

    fn entry(task: &str, decision: &str, digest: &str, fact: &str) -> Entry {
        Entry {
            stage: "site".into(),
            task: task.into(),
            origin: "site.toml:3".into(),
            decision: decision.into(),
            what: vec![],
            actions: vec![],
            files: [].into(),
            digest: digest.into(),
            facts: [("/etc/motd".to_owned(), fact.to_owned())].into(),
        }
    }

    fn hosts(entries: &[Entry]) -> Hosts {
        [("web1".to_owned(), entries.to_vec())].into()
    }

    #[test]
    fn nothing_moved_is_nothing_said() {
        let one = hosts(&[entry("motd", "change", "a", "x"), entry("motd", "change", "a", "x")]);
        assert!(moved(&one, &one).is_empty());
    }

    #[test]
    fn each_way_of_moving_has_its_words() {
        let before = hosts(&[entry("motd", "change", "a", "x")]);
        let said = |now: &[Entry]| moved(&before, &hosts(now)).join("\n");
        assert_eq!(
            said(&[entry("motd", "already", "-", "y")]),
            "web1: \"motd\" was a change, and is done already now: /etc/motd changed there"
        );
        assert_eq!(said(&[entry("motd", "change", "a", "y")]), "web1: \"motd\": /etc/motd changed there");
        assert_eq!(
            said(&[entry("motd", "change", "b", "x")]),
            "web1: \"motd\" would do something else now: the playbook, a template or a variable changed"
        );
        assert_eq!(
            said(&[entry("other", "change", "a", "x")]),
            "web1: \"motd\" is not in the playbook any more\nweb1: \"other\" (site.toml:3) is new in the playbook"
        );
        assert_eq!(moved(&before, &Hosts::new()), ["web1: it is not among the hosts any more"]);
        assert_eq!(moved(&Hosts::new(), &before), ["web1: the plan does not know this host"]);
    }
}
