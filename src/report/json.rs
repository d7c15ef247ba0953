//! `--json`: each event one line, with the time; always valid JSON, and harmless even on a terminal.

use std::time::{SystemTime, UNIX_EPOCH};

use serde::Serialize;

use crate::report::sink::Sink;
use crate::words::event::{Event, Listener};

#[derive(Debug)]
pub struct Json {
    sink: Sink,
}

#[derive(Serialize)]
struct Line<'a> {
    time: &'a str,
    #[serde(flatten)]
    event: &'a Event,
}

impl Json {
    pub fn new(sink: Sink) -> Json {
        Json { sink }
    }
}

impl Listener for Json {
    fn event(&mut self, event: &Event) {
        self.sink.raw(&line(event, SystemTime::now()));
    }
}

/// An event as a line of its own.
pub fn line(event: &Event, now: SystemTime) -> String {
    let time = rfc3339(now);
    let line = match serde_json::to_string(&Line { time: &time, event }) {
        Ok(line) => escaped(line),
        // Cannot happen with our own types; an honest line is better than a gap.
        Err(error) => {
            serde_json::json!({"time": time, "event": "bug", "text": error.to_string()}).to_string()
        }
    };
    line + "\n"
}

/// JSON escapes C0 only; what else steers a terminal is written `\uXXXX` too. Such characters occur inside
/// strings only, so this keeps the meaning.
fn escaped(line: String) -> String {
    use std::fmt::Write as _;
    let steers = |c: char| {
        matches!(c, '\u{7f}'..='\u{9f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}'
            | '\u{200e}' | '\u{200f}' | '\u{061c}' | '\u{2028}' | '\u{2029}')
    };
    if !line.chars().any(steers) {
        return line;
    }
    line.chars().fold(String::with_capacity(line.len() + 16), |mut out, c| {
        if steers(c) {
            let _ = write!(out, "\\u{:04x}", u32::from(c));
        } else {
            out.push(c);
        }
        out
    })
}

/// `2026-03-01T12:00:00.250Z`
pub fn rfc3339(time: SystemTime) -> String {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    let (days, seconds) = (since.as_secs() / 86_400, since.as_secs() % 86_400);
    let (year, month, day) = civil(days);
    let (hour, minute, second) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{:03}Z", since.subsec_millis())
}

/// Days since 1970-01-01 as a date. Years begin in March here, so that the leap day is their last.
fn civil(days: u64) -> (u64, u64, u64) {
    let shifted = days + 719_468;
    let (era, of_era) = (shifted / 146_097, shifted % 146_097);
    let year = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    (era * 400 + year + u64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, UNIX_EPOCH};

    use insta::assert_snapshot;

    use super::{line, rfc3339};
    use crate::report::sample::{Sample, broken_nginx};
    use crate::words::event::{Mode, Stream};

    #[test]
    fn dates_are_right() {
        for (seconds, date) in [
            (0, "1970-01-01T00:00:00.000Z"),
            (951_827_696, "2000-02-29T12:34:56.000Z"),
            (1_772_366_400, "2026-03-01T12:00:00.000Z"),
            (4_107_542_399, "2100-02-28T23:59:59.000Z"),
        ] {
            assert_eq!(rfc3339(UNIX_EPOCH + Duration::from_secs(seconds)), date);
        }
    }

    #[test]
    fn every_line_is_an_object_with_time_and_event() {
        let sample = Sample::new(Mode::Run, 2)
            .connecting(0, 1)
            .connected(0)
            .stage(0..2, 1, 1)
            .starts(0, 0, "migrate")
            .says(0, 0, "migrate", Stream::Stderr, "\u{1b}[2J\0 \u{9b}1m \u{202e}\u{fffd}\n::x")
            .fails(0..1, &broken_nginx())
            .pending(0, "reload nginx")
            .stage_done(1, 0..1)
            .stopping("enough")
            .end(3);
        let lines: Vec<String> = sample.events.iter().map(|event| line(event, UNIX_EPOCH)).collect();
        for line in &lines {
            let value: serde_json::Value = serde_json::from_str(line).unwrap();
            assert!(value["time"].is_string() && value["event"].is_string(), "{line}");
            assert!(line.trim_end().chars().all(|c| !c.is_control() && c != '\u{202e}'), "{line:?}");
        }
        let said: serde_json::Value = serde_json::from_str(&lines[5]).unwrap();
        assert_eq!(said["text"], "\u{1b}[2J\0 \u{9b}1m \u{202e}\u{fffd}\n::x");
        assert_snapshot!(lines.concat());
    }
}
