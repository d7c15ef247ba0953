//! What `tow status` and `tow update` ask of an application beyond its state: how it does, and how long that lasts.

use std::fmt::Write as _;

use serde::{Deserialize, Serialize};

use crate::task::releases::{App, STATE};

/// A question whose answer is the health of the application: what it is called, and the shell that asks.
#[derive(Clone, Debug)]
pub struct Question {
    pub name: String,
    /// Not asked where this shell line ends with 0.
    pub unless: Option<String>,
    pub script: String,
}

/// Of one host. Times are seconds since 1970 by the host's clock.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Look {
    pub now: i64,
    /// When the unit of the current release was started.
    pub up: Option<i64>,
    /// The commit at which the source of the current release stands, where git brought it.
    pub head: Option<String>,
    /// What somebody has changed in the source of the current release since it was finished.
    pub edited: Option<String>,
    pub health: Vec<Health>,
    pub certificate: Certificate,
    pub disk: Option<Disk>,
    /// What was done last, but for old releases that were removed.
    pub last: Option<Entry>,
}

/// What became of a question.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Health {
    pub name: String,
    pub healthy: bool,
    /// `status 200`, `no answer`.
    pub answer: String,
}

/// That of the site.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Certificate {
    #[default]
    None,
    /// It is there, and nobody could say until when it is good.
    Unread,
    Until(i64),
}

/// Of the file system with the releases, in KiB.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Disk {
    pub free: u64,
    pub size: u64,
}

/// A line of the journal on the host.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Entry {
    pub at: String,
    pub run: String,
    pub by: String,
    pub event: String,
    pub release: String,
    pub before: String,
    pub why: String,
}

impl App {
    /// Asks for the state, for what a look adds to it, and `questions`.
    pub fn look_script(&self, questions: &[Question]) -> String {
        let (own, lock, seen) = (self.head(), include_str!("lock.sh"), include_str!("look.sh"));
        let mut script = format!("{own}{lock}{STATE}{seen}state; look\n");
        for Question { script: ask, unless, .. } in questions {
            let unless = unless.as_deref().unwrap_or("false");
            let _ = writeln!(
                script,
                "if (\n{unless}\n) >/dev/null 2>&1; then echo 'health=-'; else printf 'health=%s\\n' \"$( (\n{ask}\n) 2>&1 | tail -n 1)\"; fi"
            );
        }
        script
    }
}

impl Look {
    pub fn parse(text: &str, questions: &[Question]) -> Look {
        let mut look = Look::default();
        let mut names = questions.iter().map(|question| question.name.clone());
        for (key, value) in text.lines().filter_map(|line| line.split_once('=')) {
            match key {
                "now" => look.now = value.parse().unwrap_or_default(),
                "up" => look.up = value.parse().ok(),
                "head" => look.head = Some(value.to_owned()).filter(|value| is_commit(value)),
                "edited" => look.edited = Some(value.to_owned()),
                "certificate" => {
                    look.certificate = value.parse().map_or(Certificate::Unread, Certificate::Until);
                }
                "last" => look.last = serde_json::from_str(value).ok(),
                "disk" => look.disk = disk(value),
                "health" => {
                    let name = names.next().unwrap_or_default();
                    if value == "-" {
                        continue;
                    }
                    let healthy = value.starts_with("status ");
                    look.health.push(Health { name, healthy, answer: value.to_owned() });
                }
                _ => {}
            }
        }
        look
    }
}

fn disk(value: &str) -> Option<Disk> {
    let (free, size) = value.split_once(' ')?;
    Some(Disk { free: free.parse().ok()?, size: size.trim().parse().ok()? })
}

/// Whether it can be the name of a commit, or the beginning of one.
pub fn is_commit(text: &str) -> bool {
    (7..=64).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// `2026-03-01T12:00:00Z` in seconds since 1970.
pub fn moment(text: &str) -> Option<i64> {
    let number = |from: usize, to: usize| text.get(from..to)?.parse::<i64>().ok();
    let (year, month, day) = (number(0, 4)?, number(5, 7)?, number(8, 10)?);
    let (hour, minute, second) = (number(11, 13)?, number(14, 16)?, number(17, 19)?);
    // Years begin in March here, so that the leap day is their last.
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let of_era = year.rem_euclid(400);
    let days = year.div_euclid(400) * 146_097 + of_era * 365 + of_era / 4 - of_era / 100;
    let days = days + (153 * month + 2) / 5 + day - 1 - 719_468;
    Some(days * 86_400 + hour * 3600 + minute * 60 + second)
}

#[cfg(test)]
mod tests {
    use super::{Certificate, Disk, Look, Question, moment};

    #[test]
    fn a_host_says_how_the_application_does() {
        let question = |name: &str| Question { name: name.into(), unless: None, script: String::new() };
        let text = "current=2-b\nnow=1000\nup=900\nhead=refheadsmain\ncertificate=5000\ndisk=12 40\n\
                    health=status 200\nhealth=-\nhealth=no answer\nhealth=status 1\n";
        let look = Look::parse(text, &[question("socket"), question("nginx"), question("site")]);
        assert_eq!((look.now, look.up, look.head), (1000, Some(900), None));
        assert_eq!(look.certificate, Certificate::Until(5000));
        assert_eq!(look.disk, Some(Disk { free: 12, size: 40 }));
        let health: Vec<_> =
            look.health.iter().map(|health| (health.name.as_str(), health.healthy)).collect();
        assert_eq!(health, [("socket", true), ("site", false), ("", true)]);
        assert_eq!(Look::parse("certificate=\n", &[]).certificate, Certificate::Unread);
        assert_eq!(Look::parse("disk=\nnow=x\nup=\n", &[]), Look::default());
    }

    #[test]
    fn moments_are_right() {
        for (text, seconds) in [
            ("1970-01-01T00:00:00Z", 0),
            ("2000-02-29T12:34:56Z", 951_827_696),
            ("2026-03-01T12:00:00.250Z", 1_772_366_400),
            ("2100-02-28T23:59:59Z", 4_107_542_399),
        ] {
            assert_eq!(moment(text), Some(seconds), "{text}");
        }
        assert_eq!(moment("yesterday"), None);
        assert_eq!(moment("2026-03-01"), None);
    }
}
