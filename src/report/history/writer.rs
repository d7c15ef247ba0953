//! From events to rows: in batches, with a bound on what each task and each run may leave behind.

use std::collections::BTreeMap;
use std::sync::atomic::Ordering;
use std::sync::mpsc::Receiver;
use std::time::{SystemTime, UNIX_EPOCH};

use crate::report::history::store::{Begun, LIMITS, Result, Store};
use crate::report::history::{Heard, Place, Shared};
use crate::report::json;
use crate::report::text::floor_boundary;
use crate::words::event::{Event, Mode, Stream, TaskRef};

/// Of what one task says: so much from its beginning, and so much from its end.
const HEAD: usize = 1 << 20;
const TAIL: usize = 256 << 10;
/// Of all tasks of a run; beyond it, only ends are kept.
const RUN: usize = 64 << 20;
/// One row has about so much.
const PIECE: usize = 32 << 10;
const BATCH: usize = 500;

/// Writes until nobody sends any more.
pub fn write(place: &Place, heard: &Receiver<Heard>, shared: &Shared) -> Result<()> {
    let store = Store::open(&place.file)?;
    let mut writer = Writer {
        store,
        who: &place.who,
        run: None,
        what: String::new(),
        unnamed: false,
        seq: 0,
        kept: 0,
        said: BTreeMap::new(),
    };
    while let Ok(first) = heard.recv() {
        writer.store.db.execute_batch("BEGIN IMMEDIATE")?;
        let more = std::iter::from_fn(|| heard.try_recv().ok()).take(BATCH);
        for Heard { time, event } in std::iter::once(first).chain(more) {
            if let Event::Output { text, .. } = &event {
                shared.waiting.fetch_sub(text.len(), Ordering::AcqRel);
            }
            writer.event(event, time)?;
        }
        // Whoever kills us now finds what was said so far.
        writer.flush_all()?;
        let lost = shared.lost.swap(0, Ordering::AcqRel);
        if lost > 0 {
            let text = format!("{lost} bytes of output came faster than they could be written down");
            writer.row(&Event::Notice { host: None, text }, SystemTime::now())?;
        }
        writer.store.db.execute_batch("COMMIT")?;
    }
    Ok(())
}

struct Writer<'a> {
    store: Store,
    who: &'a str,
    run: Option<String>,
    /// `deploy: playbooks/deploy.toml`
    what: String,
    /// Of a command only its task says what it is.
    unnamed: bool,
    seq: i64,
    /// Bytes of output in rows.
    kept: usize,
    said: BTreeMap<TaskRef, Said>,
}

/// What a task has said.
struct Said {
    time: SystemTime,
    stream: Stream,
    /// Not in a row yet.
    piece: String,
    head: usize,
    tail: String,
    left_out: usize,
}

impl Writer<'_> {
    fn event(&mut self, event: Event, time: SystemTime) -> Result<()> {
        match event {
            Event::RunStarted { ref run, mode, ref playbook, ref hosts, .. } => {
                let mode = match mode {
                    Mode::Plan => "plan",
                    Mode::Run => "run",
                    Mode::Exec => "exec",
                    Mode::Check => "check",
                };
                let hosts = serde_json::to_string(hosts).unwrap_or_default();
                let started_ms = millis(time);
                self.store.begin(&Begun {
                    id: run,
                    started_ms,
                    mode,
                    what: playbook,
                    who: self.who,
                    hosts: &hosts,
                })?;
                self.store.prune(run, LIMITS)?;
                self.run = Some(run.clone());
                self.what.clone_from(playbook);
                self.unnamed = mode == "exec";
                self.row(&event, time)
            }
            Event::Output { task, stream, text } => self.said(task, stream, &text, time),
            Event::TaskStarted { ref task } if std::mem::take(&mut self.unnamed) => {
                self.store.rename(self.run.as_deref().unwrap_or_default(), &task.task)?;
                self.row(&event, time)
            }
            Event::Release { ref release } => {
                let what = self.what.replacen(": ", &format!(" {release}: "), 1);
                self.store.rename(self.run.as_deref().unwrap_or_default(), &what)?;
                self.row(&event, time)
            }
            Event::TaskFinished { ref task, .. } => {
                if let Some(said) = self.said.remove(task) {
                    self.end_of(task, said)?;
                }
                self.row(&event, time)
            }
            Event::RunFinished { exit_code, elapsed, .. } => {
                for (task, said) in std::mem::take(&mut self.said) {
                    self.end_of(&task, said)?;
                }
                self.row(&event, time)?;
                let elapsed = i64::try_from(elapsed.as_millis()).unwrap_or(i64::MAX);
                let run = self.run.clone().unwrap_or_default();
                self.store.end(&run, elapsed, exit_code)
            }
            event => self.row(&event, time),
        }
    }

    fn said(&mut self, task: TaskRef, stream: Stream, text: &str, time: SystemTime) -> Result<()> {
        let full = self.kept >= RUN;
        let new = || Said { time, stream, piece: String::new(), head: 0, tail: String::new(), left_out: 0 };
        let mut said = self.said.remove(&task).unwrap_or_else(new);
        if said.stream != stream {
            self.flush(&task, &mut said)?;
        }
        (said.stream, said.time) = (stream, time);
        let room = if full { 0 } else { HEAD.saturating_sub(said.head) };
        let (head, tail) = text.split_at(floor_boundary(text, room.min(text.len())));
        said.piece.push_str(head);
        said.head += head.len();
        self.kept += head.len();
        if said.piece.len() >= PIECE {
            self.flush(&task, &mut said)?;
        }
        if !tail.is_empty() {
            // From here on nothing belongs to the beginning any more.
            said.head = HEAD;
            said.tail.push_str(tail);
            if said.tail.len() > 2 * TAIL {
                let cut = floor_boundary(&said.tail, said.tail.len() - TAIL);
                said.left_out += cut;
                said.tail.drain(..cut);
            }
        }
        self.said.insert(task, said);
        Ok(())
    }

    fn end_of(&mut self, task: &TaskRef, mut said: Said) -> Result<()> {
        self.flush(task, &mut said)?;
        if said.left_out > 0 {
            said.piece = format!("\n[{} bytes are not kept]\n", said.left_out);
        }
        said.piece.push_str(&said.tail);
        self.flush(task, &mut said)
    }

    fn flush_all(&mut self) -> Result<()> {
        let mut all = std::mem::take(&mut self.said);
        for (task, said) in &mut all {
            self.flush(task, said)?;
        }
        self.said = all;
        Ok(())
    }

    fn flush(&mut self, task: &TaskRef, said: &mut Said) -> Result<()> {
        if said.piece.is_empty() {
            return Ok(());
        }
        let text = std::mem::take(&mut said.piece);
        self.row(&Event::Output { task: task.clone(), stream: said.stream, text }, said.time)
    }

    fn row(&mut self, event: &Event, time: SystemTime) -> Result<()> {
        let Some(run) = &self.run else { return Ok(()) };
        self.seq += 1;
        self.store.add(run, self.seq, host(event), json::line(event, time).trim_end())
    }
}

fn host(event: &Event) -> Option<&str> {
    match event {
        Event::Connecting { host, .. } | Event::Connected { host, .. } | Event::HostFinished { host, .. } => {
            Some(host.as_str())
        }
        Event::Notice { host, .. } => host.as_ref().map(crate::words::names::HostName::as_str),
        Event::TaskStarted { task } | Event::Output { task, .. } | Event::TaskFinished { task, .. } => {
            Some(task.host.as_str())
        }
        _ => None,
    }
}

fn millis(time: SystemTime) -> i64 {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use std::time::SystemTime;

    use super::write;
    use crate::report::history::store::Store;
    use crate::report::history::{Heard, Place, Shared};
    use crate::words::event::{Event, Mode};

    #[test]
    fn a_deploy_is_called_by_its_release() {
        let dir = tempfile::tempdir().unwrap();
        let place = Place { file: dir.path().join("history.db"), who: "me".to_owned() };
        let (queue, heard) = std::sync::mpsc::channel();
        let started = Event::RunStarted {
            version: 1,
            run: "r1".to_owned(),
            mode: Mode::Run,
            playbook: "deploy: my: deploy.toml".to_owned(),
            hosts: vec![],
        };
        for event in [started, Event::Release { release: "42-1a2b3c4d".to_owned() }] {
            queue.send(Heard { time: SystemTime::now(), event }).unwrap();
        }
        drop(queue);
        write(&place, &heard, &Shared::default()).unwrap();
        let store = Store::look(&place.file).unwrap().unwrap();
        let what: String = store.db.query_row("SELECT what FROM run", [], |row| row.get(0)).unwrap();
        assert_eq!(what, "deploy 42-1a2b3c4d: my: deploy.toml");
    }
}
