//! The history for people: a line for each run, or all that was said in one of them.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::{Duration, UNIX_EPOCH};

use serde_json::{Value as Json, json};

use crate::report::history::read::{End, RunRow};
use crate::report::hosts::compact;
use crate::report::json::rfc3339;
use crate::report::look::{Look, Tone};
use crate::report::result::meaning;
use crate::report::text::{cut, elapsed, neutralise, pad};
use crate::words::names::HostName;
use crate::words::plural::count;

const WIDEST: usize = 48;

impl RunRow {
    /// `ok`, `failed`, `did not end`.
    pub fn result(&self) -> &'static str {
        match self.end {
            End::Running => "running",
            End::Lost => "did not end",
            End::Ended { exit_code, .. } => match exit_code {
                0 => "ok",
                4 => "unreachable",
                7 => "host key",
                6 => "state unknown",
                130 => "interrupted",
                _ => "failed",
            },
        }
    }

    fn tone(&self) -> Tone {
        match self.end {
            End::Running => Tone::Open,
            End::Ended { exit_code: 0, .. } => Tone::Good,
            _ => Tone::Bad,
        }
    }

    fn when(&self) -> String {
        let since = Duration::from_millis(u64::try_from(self.started_ms).unwrap_or(0));
        rfc3339(UNIX_EPOCH + since)
    }

    fn took(&self) -> String {
        match self.end {
            End::Ended { elapsed_ms, .. } => {
                elapsed(Duration::from_millis(u64::try_from(elapsed_ms).unwrap_or(0)))
            }
            _ => String::new(),
        }
    }

    /// `playbooks/site.toml`, `exec: uptime`
    fn told(&self) -> String {
        neutralise(&if self.mode == "exec" { format!("exec: {}", self.what) } else { self.what.clone() })
    }

    fn some_hosts(&self, look: Look) -> String {
        let names: Vec<HostName> =
            self.hosts.iter().filter_map(|name| HostName::new(name.clone()).ok()).collect();
        compact(&names, look.dots(), 3)
    }

    pub fn json(&self) -> Json {
        let (elapsed_ms, exit_code) = match self.end {
            End::Ended { elapsed_ms, exit_code } => (Some(elapsed_ms), Some(exit_code)),
            _ => (None, None),
        };
        json!({
            "run": self.id, "started": self.when(), "mode": self.mode, "what": self.what, "who": self.who,
            "hosts": self.hosts, "result": self.result(), "exit_code": exit_code, "elapsed_ms": elapsed_ms,
        })
    }
}

/// A table, the newest run on top.
pub fn table(runs: &[RunRow], look: Look) -> String {
    let head = ["run", "when (UTC)", "result", "took", "who", "what", "hosts"].map(str::to_owned);
    let rows = runs.iter().map(|run| {
        let when = run.when().replace('T', " ")[..19].to_owned();
        let fit = |text: &str| cut(&neutralise(text), WIDEST, look.dots());
        let short = run.id[..run.id.len().min(8)].to_owned();
        [
            short,
            when,
            run.result().to_owned(),
            run.took(),
            fit(&run.who),
            fit(&run.told()),
            run.some_hosts(look),
        ]
    });
    let rows: Vec<[String; 7]> = std::iter::once(head).chain(rows).collect();
    let mut out = String::new();
    for (n, row) in rows.iter().enumerate() {
        let mut line = String::new();
        for (column, cell) in row.iter().enumerate() {
            let width = rows.iter().map(|row| console::measure_text_width(&row[column])).max().unwrap_or(0);
            let cell = if column + 1 == row.len() { cell.clone() } else { pad(cell, width) + "  " };
            let tone = n.checked_sub(1).and_then(|n| runs.get(n)).map(RunRow::tone);
            line += &match tone {
                None => look.paint(Tone::Faint, &cell),
                Some(tone) if column == 2 => look.paint(tone, &cell),
                _ => cell,
            };
        }
        out += line.trim_end();
        out.push('\n');
    }
    out
}

/// What each host did and said, host by host, from the events of one run.
#[derive(Debug)]
pub struct Story<'a> {
    run: &'a RunRow,
    look: Look,
    /// In the order in which they came first.
    hosts: Vec<String>,
    told: BTreeMap<String, Told>,
    general: String,
}

#[derive(Debug, Default)]
struct Told {
    lines: String,
    verdict: Option<String>,
    /// What tasks said that have not ended, by stage and index.
    open: BTreeMap<(String, u64), (String, String)>,
}

impl<'a> Story<'a> {
    pub fn new(run: &'a RunRow, look: Look) -> Story<'a> {
        Story { run, look, hosts: vec![], told: BTreeMap::new(), general: String::new() }
    }

    /// The next event, a line of JSON.
    pub fn event(&mut self, line: &str) {
        let Ok(event) = serde_json::from_str::<Json>(line) else { return };
        let Some(host) = event["host"].as_str() else { return self.of_all(&event) };
        if !self.hosts.iter().any(|known| known == host) {
            self.hosts.push(host.to_owned());
        }
        self.told.entry(host.to_owned()).or_default().event(&event, self.look);
    }

    fn of_all(&mut self, event: &Json) {
        match text(event, "event") {
            "notice" => push(&mut self.general, "note: ", text(event, "text")),
            "stopping" => push(&mut self.general, "stopped: ", text(event, "why")),
            _ => {}
        }
    }

    pub fn finish(self) -> String {
        let (run, look) = (self.run, self.look);
        let mut out = look.paint(Tone::Strong, &format!("run {}", run.id));
        let when = run.when().replace('T', " ");
        let _ = writeln!(
            out,
            ": {} on {}, {when}, by {}",
            run.told(),
            count(run.hosts.len(), "host"),
            neutralise(&run.who)
        );
        let result = match run.end {
            End::Ended { exit_code, .. } => {
                format!("{} after {}: {}", run.result(), run.took(), meaning(exit_code))
            }
            End::Running => "it is still running".to_owned(),
            End::Lost => "it did not end: killed, or this machine went down".to_owned(),
        };
        let _ = writeln!(out, "{}", look.paint(run.tone(), &result));
        out += &self.general;
        for host in &self.hosts {
            let Some(told) = self.told.get(host) else { continue };
            let verdict = told.verdict.clone().unwrap_or_else(|| "did not end".to_owned());
            let _ = write!(out, "\n{}: {verdict}\n{}", look.paint(Tone::Strong, host), told.lines);
            for (name, said) in told.open.values() {
                let _ = write!(out, "  ? {}: did not end\n{}", neutralise(name), indented(said));
            }
        }
        out
    }
}

impl Told {
    fn event(&mut self, event: &Json, look: Look) {
        let task = (text(event, "stage").to_owned(), event["index"].as_u64().unwrap_or(0));
        let new = || (text(event, "task").to_owned(), String::new());
        match text(event, "event") {
            "notice" => push(&mut self.lines, "  note: ", text(event, "text")),
            "task_started" => drop(self.open.insert(task, new())),
            "output" => self.open.entry(task).or_insert_with(new).1.push_str(text(event, "text")),
            "task_finished" => {
                let said = self.open.remove(&task).map(|(_, said)| said).unwrap_or_default();
                self.lines += &finished(event, look);
                self.lines += &indented(&said);
            }
            "host_finished" => {
                self.verdict = Some(text(event, "verdict").replace('_', " "));
                // That of a task was told with it.
                if !event["error"].is_null() && event["failed"] == 0 {
                    self.lines += &failure(&event["error"]);
                }
            }
            _ => {}
        }
    }
}

/// A line that cannot steer a terminal.
fn push(out: &mut String, before: &str, line: &str) {
    let _ = writeln!(out, "{before}{}", neutralise(line));
}

fn text<'e>(event: &'e Json, key: &str) -> &'e str {
    event[key].as_str().unwrap_or("")
}

fn finished(event: &Json, look: Look) -> String {
    let (sign, tone) = match text(event, "outcome") {
        "changed" => ("~", Tone::Change),
        "failed" => ("!", Tone::Bad),
        "skipped" => ("-", Tone::Faint),
        // In a run nothing is unknown any more: it ran, and changed nothing.
        _ => ("=", Tone::Faint),
    };
    let time = elapsed(Duration::from_millis(event["elapsed_ms"].as_u64().unwrap_or(0)));
    let why = event["why"].as_str().map(|why| format!(": {why}")).unwrap_or_default();
    let line = neutralise(&format!("{}{why}", text(event, "task")));
    let mut out = format!("  {} {line} ({time})\n", look.paint(tone, sign));
    for what in event["what"].as_array().into_iter().flatten().filter_map(Json::as_str) {
        push(&mut out, "      ", what);
    }
    for diff in event["diffs"].as_array().into_iter().flatten() {
        push(&mut out, "      ", text(diff, "path"));
        text(diff, "text").lines().for_each(|line| push(&mut out, "      ", line));
    }
    if !event["error"].is_null() {
        out += &failure(&event["error"]);
    }
    out
}

fn failure(error: &Json) -> String {
    let causes = error["causes"].as_array().into_iter().flatten().filter_map(Json::as_str);
    let whole: Vec<&str> = std::iter::once(text(error, "what")).chain(causes).collect();
    let mut out = String::new();
    push(&mut out, "      error: ", &whole.join(": "));
    for (before, key) in [("      command: ", "command"), ("      hint: ", "hint")] {
        if let Some(line) = error[key].as_str() {
            push(&mut out, before, line);
        }
    }
    out
}

fn indented(said: &str) -> String {
    let mut out = String::new();
    said.lines().for_each(|line| push(&mut out, "    | ", line));
    out
}
