//! Who else was at work on a host since a run: other runs from here, and what the application's journal on the host says.

use serde::Serialize;

use crate::cli::history;
use crate::report::history::read::{RunRow, runs};
use crate::task::releases::look::{Entry, moment};
use crate::words::names::HostName;

/// So far back the history is read.
const READ: u32 = 200;

/// Work on a host.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Work {
    pub run: String,
    pub by: String,
    pub what: String,
    /// Milliseconds since 1970, by the clock of whoever wrote it down.
    pub at: i64,
}

/// What was run from here; nothing where nothing was written down.
pub fn history() -> Vec<RunRow> {
    let place = history::place();
    place.and_then(|place| runs(&place.file, READ).ok()).unwrap_or_default()
}

/// The oldest first. `ours` is the run that it is counted from.
pub fn since(host: &HostName, at: i64, ours: &str, history: &[RunRow], journal: &[Entry]) -> Vec<Work> {
    let here = history.iter().filter(|row| row.hosts.iter().any(|name| name == host.as_str()));
    let here = here.filter(|row| row.mode == "run" || row.mode == "exec").map(|row| Work {
        run: row.id.clone(),
        by: row.who.clone(),
        what: if row.mode == "exec" { format!("tow exec: {}", row.what) } else { row.what.clone() },
        at: row.started_ms,
    });
    let mut work: Vec<Work> = here.collect();
    for entry in journal {
        // A run of ours that is in the history is there already.
        if work.iter().any(|known| known.run == entry.run && !entry.run.is_empty()) {
            continue;
        }
        let Some(at) = moment(&entry.at) else { continue };
        let what = format!("{} {}", entry.event, entry.release);
        work.push(Work {
            run: entry.run.clone(),
            by: entry.by.clone(),
            what: what.trim().to_owned(),
            at: at * 1000,
        });
    }
    work.retain(|work| work.at > at && work.run != ours);
    work.sort_by_key(|work| work.at);
    work
}

#[cfg(test)]
mod tests {
    use super::since;
    use crate::report::history::read::{End, RunRow};
    use crate::task::releases::look::Entry;
    use crate::words::names::HostName;

    fn row(id: &str, started: i64, mode: &str, host: &str) -> RunRow {
        let end = End::Ended { elapsed_ms: 5, exit_code: 0 };
        let (what, who) = (mode.to_owned() + " it", "me".to_owned());
        RunRow {
            id: id.into(),
            started_ms: started * 1000,
            mode: mode.into(),
            what,
            who,
            hosts: vec![host.into()],
            end,
        }
    }

    fn entry(run: &str, at: &str) -> Entry {
        Entry {
            at: at.into(),
            run: run.into(),
            by: "them@there".into(),
            event: "switched".into(),
            release: "2-b".into(),
            ..Entry::default()
        }
    }

    #[test]
    fn only_later_work_of_others_on_this_host_counts() {
        let history = [
            row("old", 10, "run", "web1"),
            row("ours", 100, "run", "web1"),
            row("exec", 200, "exec", "web1"),
            row("plan", 210, "plan", "web1"),
            row("there", 220, "run", "web2"),
        ];
        let journal = [
            entry("theirs", "1970-01-01T00:05:00Z"),
            entry("ours", "1970-01-01T00:06:00Z"),
            entry("x", "1970-01-01T00:00:01Z"),
        ];
        let host = HostName::new("web1").unwrap();
        let said: Vec<_> = since(&host, 101_000, "ours", &history, &journal)
            .into_iter()
            .map(|work| format!("{} {} {}", work.run, work.by, work.what))
            .collect();
        assert_eq!(said, ["exec me tow exec: exec it", "theirs them@there switched 2-b"]);
    }
}
