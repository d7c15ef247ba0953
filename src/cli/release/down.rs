//! Which migrations a rollback takes back, and whose code has them.

use crate::cli::release::back::States;
use crate::task::releases::name::ReleaseName;
use crate::task::releases::state::State;
use crate::words::error::{Error, Result};
use crate::words::names::HostName;

/// From the schema that is there to the one that the target was made for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Down {
    /// The newest release that knows what is there: only its code has the way back.
    from: String,
    is: String,
    heads: String,
    /// What serves until the switch.
    serves: String,
}

impl Down {
    /// Nothing where every host has that schema already.
    pub fn to(target: &ReleaseName, states: &States) -> Result<Option<Down>> {
        let differs = |(_, state): &(&HostName, &State)| state.schema() != state.schema_of(target);
        let mut found: Option<(&HostName, Down)> = None;
        for (host, state) in states.iter().filter(differs) {
            let down = Down::on(host, state, target)?;
            match &found {
                Some((_, first)) if *first == down => {}
                Some((other, _)) => {
                    return Err(refused(target)
                        .cause(format!("{other} and {host} do not stand at the same schema and release"))
                        .hint("bring them to the same first (tow deploy), or go back one by one: --limit"));
                }
                None => found = Some((host, down)),
            }
        }
        Ok(found.map(|(_, down)| down))
    }

    fn on(host: &HostName, state: &State, target: &ReleaseName) -> Result<Down> {
        let (is, heads) = (state.schema(), state.schema_of(target));
        if is.is_empty() || heads.is_empty() {
            let who = if heads.is_empty() { "the schema of that release" } else { "where the schema stands" };
            return Err(refused(target).cause(format!("nobody has noted {who} on {host}")).hint(
                "have the data back that it left: --restore-backup; or deploy a release that mends what is wrong",
            ));
        }
        let from = state.names().filter(|name| state.schema_of(name) == is).max().ok_or_else(|| {
            refused(target)
                .cause(format!("no release is left on {host} that knows the schema {is}: the way back is in its code"))
                .hint("have the data back that it left: --restore-backup; or deploy the code with these migrations once more")
        })?;
        let [is, heads, serves] = [is, heads, &state.current].map(str::to_owned);
        Ok(Down { from: from.to_string(), is, heads, serves })
    }

    /// As the playbook has them.
    pub fn variables(self) -> Vec<(String, String)> {
        let Down { from, is, heads, serves } = self;
        let all = [("from", from), ("is", is), ("heads", heads), ("serves", serves)];
        all.into_iter().map(|(name, value)| (format!("down.{name}"), value)).collect()
    }
}

fn refused(target: &ReleaseName) -> Error {
    Error::failed(format!("cannot take the migrations back that {target} does not know"))
}

#[cfg(test)]
mod tests {
    use super::Down;
    use crate::cli::release::back::States;
    use crate::task::releases::name::ReleaseName;
    use crate::task::releases::state::State;
    use crate::words::error::Result;
    use crate::words::names::HostName;

    const HOST: &str = "current=3-c\nrelease=1-a {}\nschema=1-a x\nrelease=2-b {}\nschema=2-b y\nrelease=3-c {}\nschema=3-c y\n";

    fn to(target: &str, hosts: &[&str]) -> Result<Option<Down>> {
        let names = (1..).map(|number| HostName::new(format!("web{number}")).unwrap());
        let states: States = names.zip(hosts.iter().map(|text| State::parse(text))).collect();
        Down::to(&ReleaseName::parse(target).unwrap(), &states)
    }

    #[track_caller]
    fn refused(target: &str, hosts: &[&str], parts: &[&str]) {
        let error = to(target, hosts).unwrap_err();
        let said = format!("{error} {} {}", error.causes.join(" "), error.hint.clone().unwrap_or_default());
        assert_eq!(error.kind.exit_code(), 3);
        assert!(parts.iter().all(|part| said.contains(part)), "{said}");
    }

    #[test]
    fn the_newest_release_that_knows_the_schema_has_the_way_back() {
        let down = to("1-a", &[HOST]).unwrap().unwrap();
        let value = |name: &str| {
            let all = down.clone().variables();
            all.into_iter().find(|(own, _)| own == name).unwrap().1
        };
        assert_eq!(
            ["down.from", "down.is", "down.heads", "down.serves"].map(value),
            ["3-c", "y", "x", "3-c"]
        );
        // One that failed behind its migrations counts, also when it was never finished.
        let failed = format!("{HOST}release=4-d\nschema=4-d z\n");
        assert_eq!(to("1-a", &[&failed]).unwrap().unwrap().from, "4-d");
        // What is kept of a release that is gone says where the schema stands; another one may know it as well.
        let gone = format!("schema=9-gone y\n{HOST}");
        assert_eq!(to("1-a", &[&gone]).unwrap().unwrap().from, "3-c");
    }

    #[test]
    fn where_the_schema_is_the_same_there_is_nothing_to_take_back() {
        assert_eq!(to("2-b", &[HOST]).unwrap(), None);
        // A host where it was done before does not count.
        let done = "current=3-c\nrelease=1-a {}\nschema=1-a x\nrelease=3-c {}\n";
        assert_eq!(to("1-a", &[done, HOST]).unwrap().unwrap().from, "3-c");
    }

    #[test]
    fn what_nobody_knows_is_not_guessed() {
        refused(
            "1-a",
            &["current=2-b\nrelease=1-a {}\nrelease=2-b {}\nschema=2-b y\n"],
            &["nobody has noted", "web1"],
        );
        refused(
            "1-a",
            &["schema=9-gone z\nrelease=1-a {}\nschema=1-a x\n"],
            &["no release is left", "--restore-backup"],
        );
        let other = HOST.replace("schema=1-a x", "schema=1-a w");
        refused("1-a", &[HOST, &other], &["web1 and web2", "--limit"]);
    }
}
