//! Names with `*` and `?`, and lists of them with `!`, as known_hosts and ssh_config have them.

/// `*` is any run of characters, `?` any one.
pub fn matches(pattern: &str, name: &str) -> bool {
    let (pattern, name) = (pattern.as_bytes(), name.as_bytes());
    let (mut p, mut n) = (0, 0);
    // Where to go on when what follows the last `*` did not fit.
    let mut star: Option<(usize, usize)> = None;
    while n < name.len() {
        match pattern.get(p) {
            Some(b'*') => {
                star = Some((p + 1, n));
                p += 1;
            }
            Some(&c) if c == b'?' || c == name[n] => (p, n) = (p + 1, n + 1),
            _ => match star {
                Some((after, from)) => {
                    star = Some((after, from + 1));
                    (p, n) = (after, from + 1);
                }
                None => return false,
            },
        }
    }
    pattern[p..].iter().all(|&c| c == b'*')
}

/// One pattern fits, and none with `!` does.
pub fn matches_list<S: AsRef<str>>(patterns: &[S], name: &str) -> bool {
    let mut found = false;
    for pattern in patterns.iter().map(AsRef::as_ref) {
        match pattern.strip_prefix('!') {
            Some(not) if matches(not, name) => return false,
            Some(_) => {}
            None => found |= matches(pattern, name),
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::{matches, matches_list};

    #[test]
    fn stars_and_question_marks() {
        for (pattern, name, expected) in [
            ("web1", "web1", true),
            ("web?", "web1", true),
            ("web?", "web", false),
            ("*.example.com", "a.b.example.com", true),
            ("*.example.com", "example.com", false),
            ("a*b*c", "aXbXbXc", true),
            ("[*]:22*", "[web]:2222", true),
            ("*", "", true),
        ] {
            assert_eq!(matches(pattern, name), expected, "{pattern} {name}");
        }
    }

    #[test]
    fn negation_wins() {
        let list = ["*.example.com", "!db.example.com"];
        assert!(matches_list(&list, "web.example.com"));
        assert!(!matches_list(&list, "db.example.com"));
        assert!(!matches_list(&["!db"], "web"));
    }
}
