//! Names of releases: `42-1a2b3c4`, a number that only grows and what was deployed.

use std::fmt;

use crate::task::releases::state::State;

/// The folder below `releases/`. Ordered by its number, whatever the host's clock says.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ReleaseName {
    pub number: u64,
    /// Empty, or what stands behind the number.
    rest: String,
}

impl ReleaseName {
    /// `None` for what is no name of a release.
    pub fn parse(text: &str) -> Option<ReleaseName> {
        let digits = text.bytes().take_while(u8::is_ascii_digit).count();
        let (number, rest) = text.split_at(digits);
        let plain = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
        let fits = (rest.is_empty() || rest.starts_with('-')) && rest.chars().all(plain) && text.len() <= 100;
        Some(ReleaseName { number: number.parse().ok()?, rest: rest.to_owned() }).filter(|_| fits)
    }

    /// The one behind all that any of these hosts has, so that it is new on each.
    pub fn next<'a>(states: impl IntoIterator<Item = &'a State>, revision: &str) -> ReleaseName {
        let names = states.into_iter().flat_map(State::names);
        let number = names.map(|name| name.number).max().unwrap_or(0).saturating_add(1);
        ReleaseName { number, rest: format!("-{revision}") }
    }

    pub fn revision(&self) -> &str {
        self.rest.trim_start_matches('-')
    }
}

impl fmt::Display for ReleaseName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&format!("{}{}", self.number, self.rest))
    }
}

#[cfg(test)]
mod tests {
    use super::ReleaseName;
    use crate::task::releases::state::State;

    #[test]
    fn a_name_is_a_number_and_what_was_deployed() {
        let sorted: Vec<_> =
            ["2-b", "10-a", "1"].iter().map(|text| ReleaseName::parse(text).unwrap()).collect();
        assert_eq!(sorted.iter().max().unwrap().to_string(), "10-a");
        for bad in ["", "a", "-1", "1x", "1-a/b", "1-a b", "99999999999999999999999-a", "1-;rm"] {
            assert_eq!(ReleaseName::parse(bad), None, "{bad:?}");
        }
    }

    #[test]
    fn the_next_one_is_new_on_every_host() {
        let one = State::parse("release=3-a {}\nrelease=12-b \n");
        let two = State::parse("release=7-a {}\nrelease=lost+found \n");
        assert_eq!(ReleaseName::next([&one, &two], "f00").to_string(), "13-f00");
        assert_eq!(ReleaseName::next([], "f00").to_string(), "1-f00");
    }
}
