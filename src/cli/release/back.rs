//! Where a rollback leads to, and whether what is in the database lets it.

use std::collections::{BTreeMap, BTreeSet};

use crate::cli::release::down::Down;
use crate::spec::model::Host;
use crate::task::releases::name::ReleaseName;
use crate::task::releases::state::State;
use crate::words::error::{Error, Result};
use crate::words::names::HostName;

pub type States = BTreeMap<HostName, State>;

const HINT: &str = "see what there is: tow status";

/// What was asked for.
#[derive(Debug, Default)]
pub struct Back {
    /// The release that was named; else it is the finished one before the one that serves.
    pub to: Option<String>,
    pub schema: Schema,
    /// The hosts that have releases; others, such as one with the database alone, only take part.
    pub serving: BTreeSet<HostName>,
}

/// What a release has to know of the database that is there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Schema {
    /// It was made for that very schema.
    #[default]
    Same,
    /// It gets along with a later one: `app.migrations_compatible` says so.
    Compatible,
    /// The data go back with it.
    Restored,
    /// The migrations go back that it does not know.
    Down,
}

impl Schema {
    pub fn of(hosts: &[Host]) -> Schema {
        let compatible =
            !hosts.is_empty() && hosts.iter().all(|host| host.vars.is_true("app.migrations_compatible"));
        if compatible { Schema::Compatible } else { Schema::Same }
    }
}

impl Back {
    /// Every host must have it, and finished, and know the schema.
    pub fn target(&self, states: &States) -> Result<ReleaseName> {
        let states = self.serving(states);
        let target = match &self.to {
            Some(to) => named(&states, to)?,
            None => before(&states)?,
        };
        match self.schema {
            Schema::Compatible | Schema::Restored | Schema::Down => {}
            Schema::Same => known(&states, &target)?,
        }
        Ok(target)
    }

    /// The migrations to take back, where that was asked for and there are any.
    pub fn down(&self, states: &States, target: &ReleaseName) -> Result<Option<Down>> {
        if self.schema == Schema::Down { Down::to(target, &self.serving(states)) } else { Ok(None) }
    }

    fn serving(&self, states: &States) -> States {
        let serving = states.iter().filter(|(host, _)| self.serving.contains(*host));
        serving.map(|(host, state)| (host.clone(), state.clone())).collect()
    }
}

/// The hosts on which it is not there, or was never finished.
fn lacking(states: &States, name: &ReleaseName) -> String {
    let finished = |state: &State| {
        state.releases.iter().any(|release| release.name == *name && release.finished.is_some())
    };
    let hosts = states.iter().filter(|(_, state)| !finished(state));
    hosts.map(|(host, _)| host.as_str()).collect::<Vec<_>>().join(", ")
}

/// By its name, by its number, or by what was deployed.
fn named(states: &States, to: &str) -> Result<ReleaseName> {
    let parsed = ReleaseName::parse(to);
    let is_there = |name: &ReleaseName| states.values().flat_map(State::names).any(|other| other == name);
    let name = match parsed.clone().filter(is_there) {
        Some(name) => Some(name),
        None => meant(states, to)?.or(parsed),
    };
    let name =
        name.ok_or_else(|| Error::config(format!("{to:?} is not the name of a release")).hint(HINT))?;
    let without = lacking(states, &name);
    if without.is_empty() {
        return Ok(name);
    }
    Err(Error::failed(format!("cannot go back to {name}"))
        .cause(format!("it is not there, or was never finished, on {without}"))
        .hint(HINT))
}

/// The one release that a number or a commit means; what was never finished is nothing to go back to.
fn meant(states: &States, to: &str) -> Result<Option<ReleaseName>> {
    let finished = states.values().flat_map(|state| &state.releases);
    let finished: Vec<(&ReleaseName, &str)> =
        finished.filter_map(|one| Some((&one.name, one.finished.as_ref()?.revision.as_str()))).collect();
    let those = |is_meant: &dyn Fn(&ReleaseName, &str) -> bool| -> BTreeSet<&ReleaseName> {
        finished.iter().filter(|(name, revision)| is_meant(name, revision)).map(|(name, _)| *name).collect()
    };
    let ways = [
        those(&|name, _| name.number.to_string() == to),
        those(&|name, revision| name.revision() == to || revision == to),
        those(&|name, revision| {
            to.len() >= 4 && (name.revision().starts_with(to) || revision.starts_with(to))
        }),
    ];
    let Some(meant) = ways.into_iter().find(|meant| !meant.is_empty()) else { return Ok(None) };
    let names: Vec<String> = meant.iter().map(ToString::to_string).collect();
    match meant.first() {
        Some(one) if meant.len() == 1 => Ok(Some((*one).clone())),
        _ => {
            let what = format!("{to:?} is the name of more than one release: {}", names.join(", "));
            Err(Error::config(what).hint("name it in full"))
        }
    }
}

fn before(states: &States) -> Result<ReleaseName> {
    let serves = states.values().filter_map(|state| ReleaseName::parse(&state.current)).max();
    let names = states.values().flat_map(State::names);
    let earlier = names.filter(|name| serves.as_ref().is_some_and(|serves| *name < serves));
    let earlier: BTreeSet<&ReleaseName> = earlier.filter(|name| lacking(states, name).is_empty()).collect();
    // Between what serves and what served before it may be one that somebody went back from.
    let instead: BTreeSet<Option<ReleaseName>> =
        states.values().map(|state| ReleaseName::parse(&state.instead)).collect();
    let same = instead.iter().flatten().find(|name| instead.len() == 1 && earlier.contains(name));
    same.or(earlier.last().copied()).cloned().ok_or_else(|| {
        let serves = serves.map_or_else(|| "what serves".to_owned(), |name| name.to_string());
        Error::failed("there is nothing to go back to")
            .cause(format!("no release before {serves} was finished on every host of the run"))
            .hint(HINT)
    })
}

/// Migrations are not undone, so a release may find a database that it does not know.
fn known(states: &States, target: &ReleaseName) -> Result<()> {
    let differs = |(_, state): &(&HostName, &State)| state.schema() != state.schema_of(target);
    let Some((host, state)) = states.iter().find(differs) else { return Ok(()) };
    let said = |heads: &str| if heads.is_empty() { "nothing".to_owned() } else { heads.to_owned() };
    let (is, was) = (said(state.schema()), said(state.schema_of(target)));
    Err(Error::failed(format!("cannot go back to {target}"))
        .cause(format!(
            "the database has been migrated since: on {host} its schema is at {is}, and {target} was made for {was}"
        ))
        .hint(format!(
            "if {target} gets along with it, say so: --set app.migrations_compatible=true; to take these migrations back, where they have a way back: --migrate-down; to have the data back that it left, and lose what was written since: --restore-backup; else deploy a release that mends what is wrong"
        )))
}

#[cfg(test)]
mod tests {
    use super::{Back, Schema};
    use crate::task::releases::state::State;
    use crate::words::names::HostName;

    fn states(text: &str) -> super::States {
        [(HostName::new("web1").unwrap(), State::parse(text))].into()
    }

    fn back(to: Option<&str>) -> Back {
        let serving = [HostName::new("web1").unwrap()].into();
        Back { to: to.map(str::to_owned), schema: Schema::Same, serving }
    }

    #[test]
    fn a_host_with_the_database_alone_has_no_say() {
        let mut all = states(HOST);
        all.insert(HostName::new("db1").unwrap(), State::parse("current=\n"));
        assert_eq!(back(None).target(&all).unwrap().to_string(), "2-b");
    }

    const HOST: &str = "current=3-c\nrelease=1-a {}\nschema=1-a x\nrelease=2-b {}\nschema=2-b x y\nrelease=3-c {}\nschema=3-c x y\n";

    #[test]
    fn what_served_before_is_gone_back_to_and_not_what_was_gone_back_from() {
        let host = "current=5-e\ninstead=1-a\nrelease=1-a {}\nrelease=2-b {}\nrelease=5-e {}\n";
        assert_eq!(back(None).target(&states(host)).unwrap().to_string(), "1-a");
        // Pruned, or after a rollback: the one before by its number.
        let pruned = host.replace("release=1-a {}\n", "");
        assert_eq!(back(None).target(&states(&pruned)).unwrap().to_string(), "2-b");
        let back_again = "current=2-b\ninstead=5-e\nrelease=1-a {}\nrelease=2-b {}\nrelease=5-e {}\n";
        assert_eq!(back(None).target(&states(back_again)).unwrap().to_string(), "1-a");
    }

    #[test]
    fn a_release_of_the_same_schema_is_gone_back_to() {
        assert_eq!(back(None).target(&states(HOST)).unwrap().to_string(), "2-b");
        // Nobody has ever asked the database.
        let silent = "current=2-b\nrelease=1-a {}\nrelease=2-b {}\n";
        assert_eq!(back(None).target(&states(silent)).unwrap().to_string(), "1-a");
    }

    #[test]
    fn a_number_or_a_revision_names_a_release_as_well() {
        let host = "current=6-abcd\nrelease=1-abcd {}\nrelease=2-bcde {\"revision\":\"bcdef012\"}\nrelease=3 {}\n\
            release=4-bcde-dirty-1 {}\nrelease=5-0123 {}\nrelease=6-abcd {}\nrelease=7-0123\n";
        let to = |to: &str| back(Some(to)).target(&states(host)).map(|name| name.to_string());
        for (word, name) in [
            ("2", "2-bcde"),
            ("2-bcde", "2-bcde"),
            ("bcde", "2-bcde"),
            ("bcdef0", "2-bcde"),
            ("bcdef012", "2-bcde"),
            ("3", "3"),
            ("1-abcd", "1-abcd"),
            ("0123", "5-0123"),
        ] {
            assert_eq!(to(word).unwrap(), name, "{word}");
        }
        assert!(to("abcd").unwrap_err().to_string().contains("more than one release: 1-abcd, 6-abcd"));
        assert!(to("bc").unwrap_err().to_string().contains("is not the name of a release"));
        assert!(to("7").unwrap_err().to_string().contains("cannot go back to 7"));
    }

    #[test]
    fn one_of_another_schema_is_refused_unless_it_gets_along() {
        let mut back = back(Some("1-a"));
        let error = back.target(&states(HOST)).unwrap_err();
        let said = format!("{error} {}", error.hint.clone().unwrap_or_default());
        assert_eq!(error.kind.exit_code(), 3);
        assert!(
            ["1-a", "x y", "migrations_compatible", "--migrate-down", "--restore-backup"]
                .iter()
                .all(|part| said.contains(part)),
            "{said}"
        );
        back.schema = Schema::Compatible;
        assert_eq!(back.target(&states(HOST)).unwrap().to_string(), "1-a");
    }

    #[test]
    fn a_deploy_that_failed_behind_its_migrations_counts() {
        let failed = format!("{HOST}release=4-d\nschema=4-d z\n");
        assert!(back(None).target(&states(&failed)).is_err());
    }
}
