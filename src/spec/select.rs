//! Which hosts: `web:&eu:!web3`. Names add, `&` keeps only, `!` takes away, in this order wherever they stand.

use std::ops::Range;

use crate::spec::inventory::Inventory;
use crate::spec::range;
use crate::spec::suggest::advice;

/// What is wrong with a pattern, and where in it.
#[derive(Debug, PartialEq, Eq)]
pub struct Unselected {
    pub message: String,
    pub help: Option<String>,
    pub at: Range<usize>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Sign {
    Add,
    Keep,
    Remove,
}

struct Term<'a> {
    sign: Sign,
    name: &'a str,
    at: Range<usize>,
}

/// For every host of the inventory, whether `pattern` selects it. At least one is.
pub fn select(inventory: &Inventory, pattern: &str) -> Result<Vec<bool>, Unselected> {
    let mut terms = terms(pattern);
    if terms.is_empty() {
        return Err(Unselected {
            message: "no host is named".into(),
            help: Some("`all` stands for every host".into()),
            at: 0..pattern.len(),
        });
    }
    terms.sort_by_key(|term| term.sign);
    // Only exceptions: from all hosts.
    let mut selected = vec![terms[0].sign != Sign::Add; inventory.hosts.len()];
    for term in &terms {
        let matched = matches(inventory, term)?;
        let had_any = selected.contains(&true);
        for (selected, matched) in selected.iter_mut().zip(matched) {
            *selected = match term.sign {
                Sign::Add => *selected || matched,
                Sign::Keep => *selected && matched,
                Sign::Remove => *selected && !matched,
            };
        }
        if had_any && !selected.contains(&true) {
            let sign = if term.sign == Sign::Keep { "&" } else { "!" };
            let message = format!("no host is left: `{sign}{}` took away the last one", term.name);
            return Err(Unselected { message, help: None, at: term.at.clone() });
        }
    }
    if !selected.contains(&true) {
        let message = format!("`{pattern}` selects no host");
        let help = Some("its groups have no hosts".to_owned());
        return Err(Unselected { message, help, at: 0..pattern.len() });
    }
    Ok(selected)
}

/// Splits at `:` and `,`, but not within the brackets of a range.
fn terms(pattern: &str) -> Vec<Term<'_>> {
    let (mut terms, mut start, mut inside) = (vec![], 0, false);
    let ends = pattern.char_indices().chain([(pattern.len(), ':')]);
    for (at, c) in ends {
        match c {
            '[' => inside = true,
            ']' => inside = false,
            ':' | ',' if !inside || at == pattern.len() => {
                terms.extend(term(pattern, start..at));
                start = at + 1;
            }
            _ => {}
        }
    }
    terms
}

fn term(pattern: &str, at: Range<usize>) -> Option<Term<'_>> {
    let text = pattern[at.clone()].trim();
    let (sign, name) = match text.as_bytes().first()? {
        b'&' => (Sign::Keep, &text[1..]),
        b'!' => (Sign::Remove, &text[1..]),
        _ => (Sign::Add, text),
    };
    Some(Term { sign, name: name.trim(), at })
}

fn matches(inventory: &Inventory, term: &Term<'_>) -> Result<Vec<bool>, Unselected> {
    let group = |name: &str| inventory.groups.iter().position(|group| group.name == name);
    let by = |test: &dyn Fn(&str) -> bool| -> Vec<bool> {
        let in_group = |index: &usize| test(&inventory.groups[*index].name);
        let hosts = inventory.hosts.iter();
        hosts.map(|host| test(host.name.as_str()) || host.member_of.iter().any(in_group)).collect()
    };
    if term.name == "all" || term.name == "*" {
        return Ok(vec![true; inventory.hosts.len()]);
    }
    let wanted = range::expand(term.name).unwrap_or_else(|_| vec![term.name.to_owned()]);
    let matched = by(&|name| wanted.iter().any(|wanted| glob(wanted, name)));
    let known = matched.contains(&true) || wanted.iter().all(|name| group(name).is_some());
    if known {
        return Ok(matched);
    }
    let names = inventory.hosts.iter().map(|host| host.name.as_str());
    let names = names.chain(inventory.groups.iter().map(|group| group.name.as_str())).chain(["all"]);
    Err(Unselected {
        message: format!("there is no host or group `{}`", term.name),
        help: advice(term.name, names, "the hosts and groups are"),
        at: term.at.clone(),
    })
}

/// `*` and `?`, in time that does not explode.
fn glob(pattern: &str, name: &str) -> bool {
    let (pattern, name): (Vec<char>, Vec<char>) = (pattern.chars().collect(), name.chars().collect());
    let (mut p, mut n, mut back) = (0, 0, None);
    while n < name.len() {
        match pattern.get(p) {
            Some('*') => {
                back = Some((p, n));
                p += 1;
            }
            Some(c) if *c == '?' || *c == name[n] => (p, n) = (p + 1, n + 1),
            _ => match back {
                Some((star, from)) => {
                    (p, n) = (star + 1, from + 1);
                    back = Some((star, from + 1));
                }
                None => return false,
            },
        }
    }
    pattern[p..].iter().all(|c| *c == '*')
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::{glob, select};
    use crate::spec::inventory::Inventory;
    use crate::spec::mistake::Mistakes;
    use crate::spec::source::TextFile;

    fn inventory() -> Inventory {
        let text = r#"
            groups = { web = {}, eu = {}, db = {}, none = {}, all_eu = { children = ["eu"] } }
            [hosts]
            web1 = { groups = ["web", "eu"] }
            web2 = { groups = ["web"] }
            web3 = { groups = ["web", "eu"] }
            db1 = { groups = ["db", "eu"] }
        "#;
        let mut mistakes = Mistakes::default();
        let inventory = Inventory::parse(&Arc::new(TextFile::new("i", text)), &mut mistakes);
        assert!(mistakes.is_empty(), "{mistakes:?}");
        inventory
    }

    #[test]
    fn patterns() {
        let inventory = inventory();
        for (pattern, expected) in [
            ("all", "web1 web2 web3 db1"),
            ("web", "web1 web2 web3"),
            ("web:&eu:!web3", "web1"),
            ("!web3:web:&eu", "web1"),
            ("web1,db", "web1 db1"),
            ("!web", "db1"),
            ("&eu", "web1 web3 db1"),
            ("all_eu", "web1 web3 db1"),
            ("web*:!web2", "web1 web3"),
            ("web[2:3]", "web2 web3"),
            ("d?", "web1 web3 db1".split_at(10).1),
            ("web:none", "web1 web2 web3"),
        ] {
            let selected = select(&inventory, pattern).unwrap();
            let pairs = inventory.hosts.iter().zip(selected).filter(|(_, yes)| *yes);
            let names: Vec<&str> = pairs.map(|(host, _)| host.name.as_str()).collect();
            assert_eq!(names.join(" "), expected, "{pattern}");
        }
    }

    #[test]
    fn an_empty_selection_says_what_emptied_it() {
        let inventory = inventory();
        for (pattern, expected) in [
            ("wbe", "there is no host or group `wbe`"),
            ("web:&none", "`&none` took away the last one"),
            ("web:&eu:!web*", "`!web*` took away the last one"),
            ("none", "`none` selects no host"),
            ("x*", "there is no host or group `x*`"),
            ("", "no host is named"),
        ] {
            let error = select(&inventory, pattern).unwrap_err();
            assert!(error.message.contains(expected), "{pattern}: {}", error.message);
        }
        assert_eq!(select(&inventory, "wbe").unwrap_err().help.as_deref(), Some("did you mean `web`?"));
    }

    #[test]
    fn globs() {
        assert!(glob("w*b?", "web1") && glob("*", "") && glob("a*b*c", "aXbYbZc"));
        assert!(!glob("web", "web1") && !glob("?", "") && !glob("a*b", "abc"));
    }
}
