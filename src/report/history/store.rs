//! The file of the history: its schema, who may write when, and what is thrown away.

use std::path::Path;
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags, TransactionBehavior, params};

use crate::report::private::{private_file, private_folder};

/// Each brings the schema from the version that is its place to the next; never change one, only add.
const MIGRATIONS: [&str; 1] = ["
    CREATE TABLE run (
        id TEXT PRIMARY KEY,
        started_ms INTEGER NOT NULL,
        mode TEXT NOT NULL,
        what TEXT NOT NULL,
        who TEXT NOT NULL,
        hosts TEXT NOT NULL,
        pid INTEGER NOT NULL,
        birth TEXT NOT NULL,
        elapsed_ms INTEGER,
        exit_code INTEGER
    ) STRICT;
    CREATE INDEX run_by_time ON run (started_ms);
    CREATE TABLE event (
        run TEXT NOT NULL REFERENCES run (id) ON DELETE CASCADE,
        seq INTEGER NOT NULL,
        host TEXT,
        json TEXT NOT NULL,
        PRIMARY KEY (run, seq)
    ) STRICT, WITHOUT ROWID;
"];

/// Others write only for a moment; a disk may be slow.
const PATIENCE: Duration = Duration::from_secs(3);

pub type Result<T> = std::result::Result<T, Trouble>;

/// Why there is no history, in words.
#[derive(Debug)]
pub enum Trouble {
    Sql(rusqlite::Error),
    Io(std::io::Error),
    Newer,
}

impl From<rusqlite::Error> for Trouble {
    fn from(error: rusqlite::Error) -> Trouble {
        Trouble::Sql(error)
    }
}

impl From<std::io::Error> for Trouble {
    fn from(error: std::io::Error) -> Trouble {
        Trouble::Io(error)
    }
}

impl std::fmt::Display for Trouble {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Trouble::Sql(rusqlite::Error::SqliteFailure(failure, _)) => failure.fmt(f),
            Trouble::Sql(error) => error.fmt(f),
            Trouble::Io(error) => error.fmt(f),
            Trouble::Newer => f.write_str("a newer tow has written it"),
        }
    }
}

/// What is kept: the newest so many runs, and of these as many as fit.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    pub runs: u32,
    pub bytes: i64,
}

pub const LIMITS: Limits = Limits { runs: 500, bytes: 256 << 20 };

/// A run as it begins.
#[derive(Debug)]
pub struct Begun<'a> {
    pub id: &'a str,
    pub started_ms: i64,
    pub mode: &'a str,
    /// The playbook, or a command.
    pub what: &'a str,
    pub who: &'a str,
    /// A JSON array of names.
    pub hosts: &'a str,
}

#[derive(Debug)]
pub struct Store {
    pub db: Connection,
}

impl Store {
    /// For writing; makes it, or brings it to this version, where that is needed.
    pub fn open(path: &Path) -> Result<Store> {
        let folder = path.parent().unwrap_or(Path::new("."));
        private_folder(folder)?;
        // SQLite gives its other files the mode of this one.
        drop(private_file(path)?);
        // The mode of a journal is changed without waiting for others: one at a time.
        let lock = private_file(&path.with_extension("lock"))?;
        lock.lock()?;
        let mut db = Connection::open(path)?;
        prepare(&db)?;
        if version(&db)? == 0 {
            // Counts only before there are tables.
            db.pragma_update(None, "auto_vacuum", "INCREMENTAL")?;
        }
        db.pragma_update(None, "journal_mode", "WAL")?;
        db.pragma_update(None, "synchronous", "NORMAL")?;
        // What is in the journal is safe; nobody shall wait for it at the end of a run.
        db.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)?;
        migrate(&mut db)?;
        Ok(Store { db })
    }

    /// For looking; `None` when nothing was ever written.
    pub fn look(path: &Path) -> Result<Option<Store>> {
        if !path.exists() {
            return Ok(None);
        }
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let db = Connection::open_with_flags(path, flags)?;
        prepare(&db)?;
        match version(&db)? {
            0 => Ok(None),
            version if version > MIGRATIONS.len() => Err(Trouble::Newer),
            version if version < MIGRATIONS.len() => Store::open(path).map(Some),
            _ => Ok(Some(Store { db })),
        }
    }

    pub fn begin(&self, run: &Begun<'_>) -> Result<()> {
        let pid = std::process::id();
        self.db.execute(
            "INSERT INTO run (id, started_ms, mode, what, who, hosts, pid, birth) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            params![run.id, run.started_ms, run.mode, run.what, run.who, run.hosts, pid, birth(pid)],
        )?;
        Ok(())
    }

    pub fn rename(&self, run: &str, what: &str) -> Result<()> {
        self.db.execute("UPDATE run SET what = ? WHERE id = ?", params![what, run])?;
        Ok(())
    }

    pub fn add(&self, run: &str, seq: i64, host: Option<&str>, json: &str) -> Result<()> {
        let mut insert =
            self.db.prepare_cached("INSERT INTO event (run, seq, host, json) VALUES (?, ?, ?, ?)")?;
        insert.execute(params![run, seq, host, json])?;
        Ok(())
    }

    pub fn end(&self, run: &str, elapsed_ms: i64, exit_code: u8) -> Result<()> {
        let end = "UPDATE run SET elapsed_ms = ?, exit_code = ? WHERE id = ?";
        self.db.execute(end, params![elapsed_ms, exit_code, run])?;
        Ok(())
    }

    /// Throws the oldest away; `run`, which is being written, stays.
    pub fn prune(&self, run: &str, limits: Limits) -> Result<()> {
        self.db.execute(
            "DELETE FROM run WHERE id != ?1 AND id NOT IN (SELECT id FROM run ORDER BY started_ms DESC LIMIT ?2)",
            params![run, limits.runs],
        )?;
        let oldest =
            "DELETE FROM run WHERE id = (SELECT id FROM run WHERE id != ? ORDER BY started_ms LIMIT 1)";
        while self.bytes()? > limits.bytes && self.db.execute(oldest, params![run])? > 0 {}
        let mut free = self.db.prepare("PRAGMA incremental_vacuum")?;
        let mut pages = free.query([])?;
        while pages.next()?.is_some() {}
        Ok(())
    }

    /// In use, without what is free inside of the file.
    fn bytes(&self) -> Result<i64> {
        let pragma = |name: &str| self.db.pragma_query_value(None, name, |row| row.get::<_, i64>(0));
        Ok((pragma("page_count")? - pragma("freelist_count")?) * pragma("page_size")?)
    }
}

fn prepare(db: &Connection) -> Result<()> {
    db.busy_timeout(PATIENCE)?;
    db.pragma_update(None, "foreign_keys", true)?;
    Ok(())
}

fn version(db: &Connection) -> Result<usize> {
    let version: i64 = db.pragma_query_value(None, "user_version", |row| row.get(0))?;
    usize::try_from(version).map_err(|_| Trouble::Newer)
}

fn migrate(db: &mut Connection) -> Result<()> {
    let known = version(db)?;
    if known > MIGRATIONS.len() {
        return Err(Trouble::Newer);
    }
    for (step, sql) in MIGRATIONS.iter().enumerate().skip(known) {
        let change = db.transaction_with_behavior(TransactionBehavior::Immediate)?;
        change.execute_batch(sql)?;
        change.pragma_update(None, "user_version", i64::try_from(step + 1).unwrap_or(i64::MAX))?;
        change.commit()?;
    }
    Ok(())
}

/// When a process began: another with the same number has another.
pub fn birth(pid: u32) -> String {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    // The name, in brackets, may hold anything; the 20th word behind it is the time.
    let words = stat.rsplit_once(')').map_or("", |(_, words)| words);
    words.split_whitespace().nth(19).unwrap_or("").to_owned()
}

#[cfg(test)]
mod tests {
    use super::{Begun, LIMITS, Limits, MIGRATIONS, Store, Trouble};

    fn begun(id: &str, started_ms: i64) -> Begun<'_> {
        Begun { id, started_ms, mode: "run", what: "p", who: "me", hosts: "[]" }
    }

    fn ids(store: &Store) -> Vec<String> {
        let mut all = store.db.prepare("SELECT id FROM run ORDER BY started_ms").unwrap();
        all.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect()
    }

    #[test]
    fn the_oldest_go_by_number_and_by_size() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("history.db");
        let store = Store::open(&path).unwrap();
        for n in 0..10_i64 {
            let id = format!("r{n}");
            store.begin(&begun(&id, n)).unwrap();
            for seq in 0..10 {
                store.add(&id, seq, None, &"x".repeat(100_000)).unwrap();
            }
        }
        store.prune("r9", LIMITS).unwrap();
        assert_eq!(ids(&store).len(), 10);
        store.prune("r9", Limits { runs: 8, ..LIMITS }).unwrap();
        assert_eq!(ids(&store).first().map(String::as_str), Some("r2"));
        store.prune("r9", Limits { runs: 8, bytes: 5 << 19 }).unwrap();
        assert_eq!(ids(&store), ["r8", "r9"]);
        // The one that is written stays, even if it is the oldest and too large.
        store.prune("r8", Limits { runs: 0, bytes: 0 }).unwrap();
        assert_eq!(ids(&store), ["r8"]);
        let events: i64 = store.db.query_row("SELECT count(*) FROM event", [], |row| row.get(0)).unwrap();
        assert_eq!(events, 10, "events go with their run");
        store.db.pragma_update(None, "wal_checkpoint", "TRUNCATE").ok();
        assert!(std::fs::metadata(&path).unwrap().len() < 3 << 20, "the file becomes smaller");
    }

    #[test]
    fn an_older_file_is_brought_forward_and_a_newer_one_refused() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("history.db");
        // As if killed before the first migration.
        std::fs::write(&path, "").unwrap();
        assert!(Store::look(&path).unwrap().is_none());
        let store = Store::open(&path).unwrap();
        store.begin(&begun("r1", 1)).unwrap();
        drop(store);
        assert_eq!(ids(&Store::look(&path).unwrap().unwrap()), ["r1"]);
        Store::open(&path)
            .unwrap()
            .db
            .pragma_update(None, "user_version", 1 + i64::try_from(MIGRATIONS.len()).unwrap())
            .unwrap();
        assert!(matches!(Store::open(&path), Err(Trouble::Newer)));
        assert!(matches!(Store::look(&path), Err(Trouble::Newer)));
    }
}
