//! Lists of hosts that stay short: `web01…web38, db1`.

use crate::words::names::HostName;

/// Runs of three and more numbered names become `first…last`; beyond `most` items the rest is counted.
pub fn compact(hosts: &[HostName], dots: &str, most: usize) -> String {
    let mut runs: Vec<(&str, &str, usize)> = Vec::new();
    for name in hosts.iter().map(HostName::as_str) {
        match runs.last_mut() {
            Some((_, last, length)) if follows(last, name) => {
                *last = name;
                *length += 1;
            }
            _ => runs.push((name, name, 1)),
        }
    }
    let mut items: Vec<(String, usize)> = Vec::new();
    for (first, last, length) in runs {
        match length {
            1 => items.push((first.to_owned(), 1)),
            2 => items.extend([(first.to_owned(), 1), (last.to_owned(), 1)]),
            _ => items.push((format!("{first}{dots}{last}"), length)),
        }
    }
    let hidden: usize = items.iter().skip(most).map(|(_, length)| length).sum();
    let mut shown: Vec<String> = items.into_iter().take(most).map(|(text, _)| text).collect();
    if hidden > 0 {
        shown.push(format!("and {hidden} more"));
    }
    shown.join(", ")
}

/// `web09` then `web10`: the same words around a number that is one greater.
fn follows(before: &str, after: &str) -> bool {
    let (Some((head_a, number_a, tail_a)), Some((head_b, number_b, tail_b))) = (split(before), split(after))
    else {
        return false;
    };
    let number = |digits: &str| digits.parse::<u64>().ok();
    let same_writing =
        number_a.len() == number_b.len() || !(number_a.starts_with('0') || number_b.starts_with('0'));
    head_a == head_b
        && tail_a == tail_b
        && same_writing
        && number(number_a).and_then(|n| n.checked_add(1)) == number(number_b)
        && number(number_b).is_some()
}

/// Head, last number, tail.
fn split(name: &str) -> Option<(&str, &str, &str)> {
    let end = name.rfind(|c: char| c.is_ascii_digit())? + 1;
    let start = name[..end].rfind(|c: char| !c.is_ascii_digit()).map_or(0, |at| at + 1);
    Some((&name[..start], &name[start..end], &name[end..]))
}

/// In the order of a person: `web2` before `web10`.
pub fn natural_order(a: &HostName, b: &HostName) -> std::cmp::Ordering {
    let key = |name: &HostName| {
        let (head, number, tail) = split(name.as_str()).unwrap_or((name.as_str(), "", ""));
        (head.to_owned(), number.parse::<u64>().unwrap_or(0), number.len(), tail.to_owned())
    };
    key(a).cmp(&key(b))
}

#[cfg(test)]
mod tests {
    use super::{compact, natural_order};
    use crate::words::names::HostName;

    fn names(text: &str) -> Vec<HostName> {
        text.split(' ').map(|name| HostName::new(name).unwrap()).collect()
    }

    #[test]
    fn runs_are_ranges() {
        assert_eq!(compact(&names("web08 web09 web10 web11 db1 db2 x"), "…", 9), "web08…web11, db1, db2, x");
        assert_eq!(compact(&names("a1.eu a2.eu a3.eu a5.eu"), "…", 9), "a1.eu…a3.eu, a5.eu");
        assert_eq!(compact(&names("a9 a10 a11"), "..", 9), "a9..a11");
        assert_eq!(compact(&names("a1 b1 c1 d1 d2 d3"), "…", 2), "a1, b1, and 4 more");
        assert_eq!(compact(&names("w99999999999999999999999 w9"), "…", 9), "w99999999999999999999999, w9");
    }

    #[test]
    fn numbers_sort_as_numbers() {
        let mut hosts = names("web10 web2 db1");
        hosts.sort_by(natural_order);
        assert_eq!(hosts, names("db1 web2 web10"));
    }
}
