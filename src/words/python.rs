//! Which versions of Python an application wants, as PEP 440 writes it: `>=3.12,<4`.

use std::fmt;

/// Debian's releases, and the Python that each has.
pub const DEBIAN: [(&str, [u64; 3]); 2] = [("12", [3, 11, 2]), ("13", [3, 13, 5])];

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Requires {
    text: String,
    clauses: Vec<Clause>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Clause {
    operator: &'static str,
    version: Vec<u64>,
    /// `==3.12.*`
    is_series: bool,
}

/// Longer ones first: `>` begins `>=`.
const OPERATORS: [&str; 8] = ["===", "==", "~=", "!=", ">=", "<=", ">", "<"];

impl Requires {
    /// `None` for what is no such text. An empty one wants nothing.
    pub fn parse(text: &str) -> Option<Requires> {
        let parts = text.split(',').map(str::trim).filter(|part| !part.is_empty());
        let clauses = parts.map(Clause::parse).collect::<Option<Vec<Clause>>>()?;
        Some(Requires { text: text.trim().to_owned(), clauses })
    }

    pub fn accepts(&self, version: &[u64]) -> bool {
        self.clauses.iter().all(|clause| clause.accepts(version))
    }

    pub fn is_any(&self) -> bool {
        self.clauses.is_empty()
    }
}

impl fmt::Display for Requires {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl Clause {
    fn parse(text: &str) -> Option<Clause> {
        let operator = OPERATORS.into_iter().find(|operator| text.starts_with(operator))?;
        let rest = text[operator.len()..].trim();
        let plain = rest.strip_suffix(".*").unwrap_or(rest);
        let is_series = plain.len() < rest.len();
        let allows_series = ["==", "!="].contains(&operator);
        let version = numbers(plain)?;
        let is_one = plain.chars().all(|c| c.is_ascii_alphanumeric() || ".+!-".contains(c));
        let fits = (!is_series || allows_series) && (operator != "~=" || version.len() > 1) && is_one;
        fits.then_some(Clause { operator, version, is_series })
    }

    fn accepts(&self, version: &[u64]) -> bool {
        let wanted = &self.version;
        let begins = |length: usize| (0..length).all(|at| part(version, at) == part(wanted, at));
        let order = compare(version, wanted);
        match self.operator {
            "==" | "===" if self.is_series => begins(wanted.len()),
            "!=" if self.is_series => !begins(wanted.len()),
            "==" | "===" => order.is_eq(),
            "!=" => order.is_ne(),
            "~=" => order.is_ge() && begins(wanted.len() - 1),
            ">=" => order.is_ge(),
            "<=" => order.is_le(),
            ">" => order.is_gt(),
            _ => order.is_lt(),
        }
    }
}

/// `3.12.4` as numbers. What comes behind them, of a version before its release, is left out: `3.14.0rc1`.
pub fn numbers(text: &str) -> Option<Vec<u64>> {
    let end = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    text[..end].split('.').map(|part| part.parse().ok()).collect()
}

fn part(version: &[u64], at: usize) -> u64 {
    version.get(at).copied().unwrap_or(0)
}

fn compare(one: &[u64], other: &[u64]) -> std::cmp::Ordering {
    let length = one.len().max(other.len());
    let padded = |version: &[u64]| (0..length).map(|at| part(version, at)).collect::<Vec<u64>>();
    padded(one).cmp(&padded(other))
}

/// `3.11` of `[3, 11, 2]`.
pub fn series(version: &[u64]) -> String {
    format!("{}.{}", part(version, 0), part(version, 1))
}

/// What to do where a host has another Python than `requires` allows.
pub fn advice(requires: &str) -> String {
    let requires = Requires::parse(requires);
    let fits = |has: &[u64]| requires.as_ref().is_some_and(|requires| requires.accepts(has));
    let debian = DEBIAN.iter().find(|(_, has)| fits(has));
    let built = "build one on this host and name it: `python` in [vars.app], or of the task itself";
    match debian {
        Some((debian, has)) => {
            format!("take a server with Debian {debian}, which has Python {}, or {built}", series(has))
        }
        None => format!("no Debian that is tested has such a Python: {built}"),
    }
}

#[cfg(test)]
mod tests {
    use super::{DEBIAN, Requires};

    /// Which of Debian's releases have a Python that fits.
    fn debians(text: &str) -> Vec<&'static str> {
        let requires = Requires::parse(text).unwrap();
        DEBIAN.iter().filter(|(_, has)| requires.accepts(has)).map(|(debian, _)| *debian).collect()
    }

    #[test]
    fn every_operator() {
        for text in ["", ">=3.11", ">=3.6", ">3,<4", ">=3.11, <4.0", "!=3.12.*", "~=3.11", "<=3.13.5"] {
            assert_eq!(debians(text), ["12", "13"], "{text}");
        }
        for text in ["==3.11.*", ">=3.11,<3.12", "~=3.11.0", "<3.13", "!=3.13.*", "<=3.13", "==3.11.2"] {
            assert_eq!(debians(text), ["12"], "{text}");
        }
        for text in [">=3.12", ">3.12", ">=3.13,<3.14", "~=3.13.0", "!=3.11.2", ">=3.13.0rc1"] {
            assert_eq!(debians(text), ["13"], "{text}");
        }
        for text in [">=3.14", "==3.12.*", ">=3.12.2, <3.13", "==3.12", "~=3.12.0", "===3.14.7"] {
            assert!(debians(text).is_empty(), "{text}");
        }
    }

    #[test]
    fn what_is_no_requirement() {
        for text in
            ["3.12", "^3.12", ">=", ">=x", ">=3.*", "~=3", ">=3..1", ">=3.12 || <4", ">=3.9 <3.12", "python3"]
        {
            assert!(Requires::parse(text).is_none(), "{text}");
        }
        assert!(Requires::parse(" ").unwrap().is_any());
    }
}
