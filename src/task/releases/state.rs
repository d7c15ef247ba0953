//! What a host has of an application, read from the lines that `state.sh` says.

use serde::{Deserialize, Serialize};

use crate::task::releases::intent::{ByStage, Intent};
use crate::task::releases::lock::Holder;
use crate::task::releases::name::ReleaseName;

/// Of one host.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct State {
    /// What `current` leads to; empty where nothing was deployed.
    pub current: String,
    /// Of the unit of the current release: `active`, `failed` …
    pub unit: String,
    pub since: String,
    /// In the order of their numbers; folders of other names are none of ours.
    pub releases: Vec<Release>,
    /// The release that a run has switched to and not confirmed.
    pub pending: Option<String>,
    /// And what served before it.
    pub before: String,
    /// What served before the current one took its place.
    pub instead: String,
    pub lock: Option<Holder>,
    /// Where the database stood after the migrations of a release.
    pub schemas: Vec<(ReleaseName, String)>,
    /// Where it stands since the migrations of that release, the newest then, were taken back.
    pub back: Option<(ReleaseName, String)>,
    /// The last line of the journal.
    pub journal: Option<String>,
    /// What a run has begun and not ended well.
    pub intent: Option<Intent>,
    /// Handlers that were notified and did not run.
    pub handlers: ByStage,
    /// What the probe found when the asking run switched.
    pub probed: String,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Release {
    pub name: ReleaseName,
    /// What it was marked with; `None`: it was never finished.
    pub finished: Option<Mark>,
}

/// `release.json`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mark {
    #[serde(default)]
    pub revision: String,
    #[serde(default)]
    pub finished: String,
    #[serde(default)]
    pub by: String,
    #[serde(default)]
    pub run: String,
    /// Where the database stood; empty when nobody asked.
    #[serde(default)]
    pub schema: String,
    /// Of the names and contents of its source; empty where an earlier version made it.
    #[serde(default)]
    pub digest: String,
}

impl State {
    /// Lines that are not understood are left out: a later version may say more.
    pub fn parse(text: &str) -> State {
        let mut state = State { lock: Holder::parse(text), intent: Intent::parse(text), ..State::default() };
        for (key, value) in text.lines().filter_map(|line| line.split_once('=')) {
            match key {
                "current" => value.clone_into(&mut state.current),
                "unit" => value.clone_into(&mut state.unit),
                "since" => value.clone_into(&mut state.since),
                "before" => value.clone_into(&mut state.before),
                "instead" => value.clone_into(&mut state.instead),
                "probed" => value.clone_into(&mut state.probed),
                "pending" => state.pending = Some(value.to_owned()),
                "journal" => state.journal = Some(value.to_owned()),
                "handlers" => state.handlers = serde_json::from_str(value).unwrap_or_default(),
                "release" => {
                    let (name, mark) = value.split_once(' ').unwrap_or((value, ""));
                    let finished = serde_json::from_str(mark).ok();
                    let name = ReleaseName::parse(name);
                    state.releases.extend(name.map(|name| Release { name, finished }));
                }
                "schema" => state.schemas.extend(noted(value)),
                "back" => state.back = noted(value),
                _ => {}
            }
        }
        state.releases.sort_by(|a, b| a.name.cmp(&b.name));
        state
    }

    pub fn names(&self) -> impl Iterator<Item = &ReleaseName> {
        self.releases.iter().map(|release| &release.name)
    }

    pub fn find(&self, name: &str) -> Option<&Release> {
        self.releases.iter().find(|release| release.name.to_string() == name)
    }

    /// Where the database stands: as the latest release has left it, or where it went back from there. Empty where
    /// nobody has asked.
    pub fn schema(&self) -> &str {
        let latest = self.schemas.iter().max_by_key(|(name, _)| name.number);
        let back = self.back.as_ref().filter(|(name, _)| latest.is_none_or(|(latest, _)| latest == name));
        back.or(latest).map_or("", |(_, heads)| heads)
    }

    /// The schema that a release was made for.
    pub fn schema_of(&self, release: &ReleaseName) -> &str {
        let own = self.schemas.iter().rev().find(|(name, _)| name == release);
        own.map_or("", |(_, heads)| heads)
    }

    /// Where a rollback leads to: the finished release before the current one.
    pub fn previous(&self) -> Option<&Release> {
        let current = ReleaseName::parse(&self.current)?;
        self.releases.iter().rev().find(|release| release.finished.is_some() && release.name < current)
    }

    /// What goes once `now` is finished: leftovers of runs that did not end well, and finished releases beyond
    /// the `keep` newest. Never what serves, nor what served before it.
    pub fn gone(&self, now: &str, keep: usize) -> Vec<String> {
        let stays = [now, self.current.as_str(), self.before.as_str()];
        let finished = |release: &&Release| release.finished.is_some() || release.name.to_string() == now;
        let kept: Vec<&ReleaseName> =
            self.releases.iter().rev().filter(finished).take(keep).map(|release| &release.name).collect();
        let names = self.names().filter(|name| !kept.contains(name)).map(ToString::to_string);
        names.filter(|name| !stays.contains(&name.as_str())).collect()
    }
}

/// `NAME HEADS`
fn noted(value: &str) -> Option<(ReleaseName, String)> {
    let (name, heads) = value.split_once(' ').unwrap_or((value, ""));
    ReleaseName::parse(name).map(|name| (name, heads.trim().to_owned()))
}

#[cfg(test)]
mod tests {
    use super::State;

    const HOST: &str = "current=4-d\nunit=active\nrelease=10-x \nrelease=1-a {}\nrelease=2-b {\"finished\":\"x\"}\n\
        release=3-c\nrelease=4-d {\"revision\":\"d\"}\nrelease=tmp \n";

    #[test]
    fn only_finished_releases_count() {
        let state = State::parse(HOST);
        assert_eq!(
            state.names().map(ToString::to_string).collect::<Vec<_>>(),
            ["1-a", "2-b", "3-c", "4-d", "10-x"]
        );
        assert_eq!(state.previous().unwrap().name.to_string(), "2-b");
        assert_eq!(State::parse("current=1-a\nrelease=1-a {}\n").previous(), None);
        assert_eq!(State::parse("").previous(), None);
    }

    #[test]
    fn leftovers_go_and_what_serves_stays() {
        let state = State::parse(HOST);
        assert_eq!(state.gone("4-d", 2), ["1-a", "3-c", "10-x"]);
        assert_eq!(state.gone("4-d", 5), ["3-c", "10-x"]);
        // Rolled back to an old one: the newer ones that are finished may be wanted again.
        let back = State::parse("current=1-a\nrelease=1-a {}\nrelease=2-b {}\nrelease=3-c {}\n");
        assert_eq!(back.gone("1-a", 2), Vec::<String>::new());
        assert_eq!(back.gone("1-a", 1), ["2-b"]);
    }

    #[test]
    fn the_database_stands_where_the_latest_release_left_it() {
        // What is kept of a release that is gone comes first: of two of one number, the one that is there counts.
        let state =
            State::parse("schema=4-gone c\nrelease=2-b {}\nschema=2-b a b\nrelease=10-x\nschema=10-x \n");
        assert_eq!((state.schema(), state.schema_of(&state.releases[0].name)), ("", "a b"));
        assert_eq!(State::parse("schema=4-gone c\nschema=4-new d\nschema=3-a b\n").schema(), "d");
        assert_eq!(State::parse("release=2-b {}\n").schema(), "");
        // Taken back since; until a later one migrates, whatever its number.
        let back = "back=3-c a\nschema=1-a a\nrelease=3-c {}\nschema=3-c b\n";
        assert_eq!(State::parse(back).schema(), "a");
        for later in ["4-d", "3-d"] {
            assert_eq!(State::parse(&format!("{back}schema={later} c\n")).schema(), "c");
        }
    }

    #[test]
    fn what_a_host_says_is_never_more_than_text() {
        let state = State::parse("release=../../etc {}\nrelease=5-a {broken\nlock\n=\n");
        assert_eq!(state.releases.len(), 1);
        assert_eq!(state.releases[0].finished, None);
    }
}
