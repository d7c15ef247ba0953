//! Runs as they were written down.

use std::path::Path;

use rusqlite::{Row, params};

use crate::report::history::store::{Result, Store, Trouble, birth};

/// A run, without its events.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunRow {
    pub id: String,
    pub started_ms: i64,
    pub mode: String,
    pub what: String,
    pub who: String,
    pub hosts: Vec<String>,
    pub end: End,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    Ended {
        elapsed_ms: i64,
        exit_code: u8,
    },
    /// Its process is still there.
    Running,
    /// Killed, or the machine went down.
    Lost,
}

const COLUMNS: &str = "id, started_ms, mode, what, who, hosts, pid, birth, elapsed_ms, exit_code";

fn run_row(row: &Row<'_>) -> rusqlite::Result<RunRow> {
    let hosts: String = row.get(5)?;
    let (pid, born): (u32, String) = (row.get(6)?, row.get(7)?);
    let ended: (Option<i64>, Option<u8>) = (row.get(8)?, row.get(9)?);
    Ok(RunRow {
        id: row.get(0)?,
        started_ms: row.get(1)?,
        mode: row.get(2)?,
        what: row.get(3)?,
        who: row.get(4)?,
        hosts: serde_json::from_str(&hosts).unwrap_or_default(),
        end: match ended {
            (Some(elapsed_ms), Some(exit_code)) => End::Ended { elapsed_ms, exit_code },
            _ if lives(pid, &born) => End::Running,
            _ => End::Lost,
        },
    })
}

fn lives(pid: u32, born: &str) -> bool {
    let there = i32::try_from(pid).is_ok_and(|pid| {
        use nix::errno::Errno;
        let asked = nix::sys::signal::kill(nix::unistd::Pid::from_raw(pid), None);
        matches!(asked, Ok(()) | Err(Errno::EPERM))
    });
    // Where the system does not say when a process began, its number has to do.
    there && (born.is_empty() || birth(pid) == born)
}

/// The newest first.
pub fn runs(file: &Path, limit: u32) -> Result<Vec<RunRow>> {
    let Some(Store { db }) = Store::look(file)? else { return Ok(vec![]) };
    let mut query =
        db.prepare(&format!("SELECT {COLUMNS} FROM run ORDER BY started_ms DESC, rowid DESC LIMIT ?"))?;
    let rows = query.query_map(params![limit], run_row)?.collect::<rusqlite::Result<_>>();
    rows.map_err(Trouble::from)
}

/// Those whose id begins so, two at most; without one, the last run.
pub fn find(file: &Path, id: Option<&str>) -> Result<Vec<RunRow>> {
    let Some(id) = id else { return runs(file, 1) };
    let Some(Store { db }) = Store::look(file)? else { return Ok(vec![]) };
    let mut query =
        db.prepare(&format!("SELECT {COLUMNS} FROM run WHERE substr(id, 1, length(?1)) = ?1 LIMIT 2"))?;
    let rows = query.query_map(params![id], run_row)?.collect::<rusqlite::Result<_>>();
    rows.map_err(Trouble::from)
}

/// The events of a run, as lines of JSON; of one host, with those that concern all.
pub fn events(file: &Path, run: &str, host: Option<&str>, mut each: impl FnMut(&str)) -> Result<()> {
    let Some(Store { db }) = Store::look(file)? else { return Ok(()) };
    let mut query = db.prepare(
        "SELECT json FROM event WHERE run = ?1 AND (?2 IS NULL OR host IS NULL OR host = ?2) ORDER BY seq",
    )?;
    let mut rows = query.query(params![run, host])?;
    while let Some(row) = rows.next()? {
        each(row.get_ref(0)?.as_str().map_err(rusqlite::Error::from)?);
    }
    Ok(())
}
