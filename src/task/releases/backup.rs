//! Backups of an application, as the script on its hosts tells of them.

use serde::{Deserialize, Serialize};

use crate::task::releases::App;
use crate::words::shell::{join, quote};

/// Names the newest.
pub const LATEST: &str = "latest";

/// `manifest.json` of one that is whole.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Backup {
    pub name: String,
    pub at: String,
    /// Why it was made: `timer`, `manual`, `deploy`, `restore`.
    pub kind: String,
    /// The release that served, or was about to.
    #[serde(default)]
    pub release: String,
    #[serde(default)]
    pub serves: String,
    /// Where the migrations of the database stood.
    #[serde(default)]
    pub schema: String,
    #[serde(default)]
    pub tables: u64,
    #[serde(default)]
    pub rows: u64,
    #[serde(default)]
    pub files: u64,
    pub bytes: u64,
    pub digest: String,
    pub verified: bool,
}

/// What one host has.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Backups {
    /// Whole ones, the newest last.
    pub whole: Vec<Backup>,
    /// Names of those that are not what was verified.
    pub damaged: Vec<String>,
}

impl Backups {
    pub fn parse(text: &str) -> Backups {
        let mut backups = Backups::default();
        for (key, value) in text.lines().filter_map(|line| line.split_once('=')) {
            match (key, serde_json::from_str::<Backup>(value)) {
                ("backup", Ok(backup)) if backup.verified => backups.whole.push(backup),
                ("damaged", _) => backups.damaged.push(value.to_owned()),
                _ => {}
            }
        }
        backups
    }

    /// The one of that name. For `latest` the newest, but for those that a restore took of what it replaced: the same
    /// command once more would undo it.
    pub fn find(&self, name: &str) -> Option<&Backup> {
        if name == LATEST {
            self.whole.iter().rev().find(|backup| backup.kind != "restore")
        } else {
            self.whole.iter().find(|backup| backup.name == name)
        }
    }

    /// What is damaged and would have been taken for `latest` in the place of `taken`.
    pub fn skipped(&self, taken: Option<&Backup>) -> impl Iterator<Item = &str> {
        let number = |name: &str| name.split('-').next().and_then(|number| number.parse::<u64>().ok());
        let taken = taken.and_then(|backup| number(&backup.name));
        self.damaged.iter().map(String::as_str).filter(move |name| number(name) > taken)
    }
}

impl App {
    /// Runs the script for backups; says nothing where it was never installed.
    pub fn saver(&self, words: &[&str]) -> String {
        let path = quote(&format!("/usr/local/lib/towline/{}/backup", self.name));
        format!("[ ! -x {path} ] || {path} {}\n", join(words.iter().copied()))
    }
}

#[cfg(test)]
mod tests {
    use super::Backups;

    #[test]
    fn only_what_is_whole_is_offered() {
        let line = |name: &str, verified| {
            format!(
                "backup={{\"name\":\"{name}\",\"at\":\"\",\"kind\":\"timer\",\"bytes\":1,\"digest\":\"\",\"verified\":{verified}}}\n"
            )
        };
        let text = format!(
            "{}damaged=3-c\n{}{}backup={{broken\n",
            line("1-a", true),
            line("2-b", true),
            line("4-d", false)
        );
        let backups = Backups::parse(&text);
        assert_eq!(backups.whole.len(), 2);
        assert_eq!(backups.find("latest").unwrap().name, "2-b");
        assert_eq!(backups.find("3-c"), None);
        assert_eq!(backups.damaged, ["3-c"]);
        assert_eq!(backups.skipped(backups.find("latest")).collect::<Vec<_>>(), ["3-c"]);
        assert_eq!(backups.skipped(None).count(), 1);
    }

    #[test]
    fn what_a_restore_replaced_is_taken_by_its_name_only() {
        let line = |name: &str, kind: &str| {
            format!(
                "backup={{\"name\":\"{name}\",\"at\":\"\",\"kind\":\"{kind}\",\"bytes\":1,\"digest\":\"\",\"verified\":true}}\n"
            )
        };
        let text = format!("damaged=1-z\n{}{}", line("9-a", "manual"), line("10-b", "restore"));
        let backups = Backups::parse(&text);
        assert_eq!(backups.find("latest").unwrap().name, "9-a");
        assert_eq!(backups.find("10-b").unwrap().kind, "restore");
        // Older than what is taken, it would not have been.
        assert_eq!(backups.skipped(backups.find("latest")).count(), 0);
    }
}
