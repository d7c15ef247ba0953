//! The live view as lines: a pure function of what is known, the size of the terminal, and the time.

use std::time::Instant;

use crate::report::look::{Look, Tone, verdict_words};
use crate::report::state::{Phase, Row, State};
use crate::report::text::{clock, cut, fit, pad};
use crate::words::event::Verdict;
use crate::words::plural::count;

/// How many redraws a second the spinner is made for.
const SPINS: u128 = 10;

/// At most `height` lines of at most `width` columns: a header, then a line for each host that there is room for.
pub fn frame(state: &State, width: usize, height: usize, now: Instant) -> Vec<String> {
    if state.rows.is_empty() || height == 0 || width == 0 {
        return vec![];
    }
    let mut lines = vec![header(state, width, now)];
    let room = height - 1;
    let columns = Columns::new(state, width);
    if state.rows.len() <= room {
        lines.extend(state.rows.iter().map(|row| line(row, state, &columns, now)));
    } else if room > 0 {
        let mut order: Vec<&Row> = state.rows.iter().collect();
        order.sort_by_key(|row| urgency(&row.phase));
        let (shown, hidden) = order.split_at(room - 1);
        lines.extend(shown.iter().map(|row| line(row, state, &columns, now)));
        lines.push(rest(hidden, state.look));
    }
    lines.iter().map(|line| cut(line, width, state.look.dots())).collect()
}

/// Those that one wants to see come first; among equals the inventory's order stays.
fn urgency(phase: &Phase) -> u8 {
    match phase {
        Phase::Running { .. } => 0,
        Phase::Done(Verdict::Failed | Verdict::Unreachable | Verdict::Interrupted) => 1,
        Phase::Connecting { .. } => 2,
        Phase::Idle => 3,
        Phase::Waiting => 4,
        Phase::Done(_) => 5,
    }
}

fn header(state: &State, width: usize, now: Instant) -> String {
    let look = state.look;
    let done = state.rows.iter().filter(|row| matches!(row.phase, Phase::Done(_))).count();
    let failed = state.rows.iter().filter(|row| is_bad(&row.phase)).count();
    let time = clock(now.saturating_duration_since(state.started));
    let mut parts = vec![];
    if let Some(stage) = &state.stage {
        let wave =
            if stage.waves > 1 { format!(", wave {}/{}", stage.wave, stage.waves) } else { String::new() };
        parts.push(format!("stage {} {}{wave}", stage.number, stage.name));
    }
    parts.push(format!("{done}/{} done", count(state.rows.len(), "host")));
    if failed > 0 {
        parts.push(look.paint(Tone::Bad, &format!("{failed} failed")));
    }
    parts.push(time);
    let dot = format!(" {} ", look.dot());
    let tail = parts.join(&dot);
    // The counts matter more than the playbook's name; a narrow terminal shows those.
    let room = width.saturating_sub(console::measure_text_width(&tail) + 3);
    let name = state.playbook.rsplit('/').next().unwrap_or(&state.playbook);
    let name = fit(name, room.min(40), look.dots());
    if room < 4 { tail } else { format!("{}{dot}{tail}", look.paint(Tone::Strong, &name)) }
}

fn is_bad(phase: &Phase) -> bool {
    matches!(phase, Phase::Done(Verdict::Failed | Verdict::Unreachable | Verdict::Interrupted))
}

/// The widths of a row: name, task, and what remains for output.
struct Columns {
    name: usize,
    task: usize,
    last: usize,
}

const GLYPH: usize = 3;
const TIME: usize = 9;

impl Columns {
    fn new(state: &State, width: usize) -> Columns {
        let longest = state.rows.iter().map(|row| row.name.as_str().len()).max().unwrap_or(0);
        let name = longest.min(24).min((width / 3).max(4));
        let room = width.saturating_sub(name + GLYPH + TIME);
        // Below 60 columns there is no room for output; the task has all of it.
        let task = if width < 60 { room } else { 34.min(room * 11 / 20) };
        Columns { name, task, last: if width < 60 { 0 } else { room.saturating_sub(task + 1) } }
    }
}

fn line(row: &Row, state: &State, columns: &Columns, now: Instant) -> String {
    let look = state.look;
    let age = now.saturating_duration_since(row.since);
    let spin =
        usize::try_from(now.saturating_duration_since(state.started).as_millis() * SPINS / 1000).unwrap_or(0);
    let (glyph, tone, words, timed) = match &row.phase {
        Phase::Waiting => (look.dot(), Tone::Faint, "waiting".to_owned(), false),
        Phase::Connecting { attempt: 0 | 1 } => {
            (look.spinner(spin), Tone::Open, "connecting".to_owned(), true)
        }
        Phase::Connecting { attempt } => {
            (look.spinner(spin), Tone::Open, format!("connecting, attempt {attempt}"), true)
        }
        Phase::Idle => {
            let tasks = state.stage.as_ref().map_or(0, |stage| stage.tasks);
            let words = match row.finished {
                0 => "connected".to_owned(),
                finished => format!("{}/{tasks} finished", finished.min(tasks)),
            };
            (look.dot(), Tone::Good, words, false)
        }
        Phase::Running { task, index } => {
            let tasks = state.stage.as_ref().map_or(0, |stage| stage.tasks);
            // Handlers come after the tasks, with numbers beyond them.
            let number = if *index < tasks { format!("{}/{tasks} ", index + 1) } else { String::new() };
            (look.spinner(spin), Tone::Change, format!("{number}{task}"), true)
        }
        Phase::Done(Verdict::Ok) => (look.tick(), Tone::Good, "done".to_owned(), false),
        Phase::Done(Verdict::NotStarted) => (look.dot(), Tone::Faint, "not started".to_owned(), false),
        Phase::Done(verdict) => (look.cross(), Tone::Bad, verdict_words(*verdict).to_owned(), false),
    };
    let name = pad(&fit(row.name.as_str(), columns.name, look.dots()), columns.name);
    let task = pad(&fit(&words, columns.task, look.dots()), columns.task);
    let time = if timed { clock(age) } else { String::new() };
    let last = if timed { fit(&row.last, columns.last, look.dots()) } else { String::new() };
    let last = look.paint(Tone::Faint, &last);
    let line = format!("{name} {} {task} {time:>7} {last}", look.paint(tone, glyph));
    line.trim_end().to_owned()
}

/// "… 180 more: 150 done, 30 waiting"
fn rest(hidden: &[&Row], look: Look) -> String {
    let words = |phase: &Phase| match phase {
        Phase::Running { .. } => "running",
        Phase::Connecting { .. } => "connecting",
        Phase::Idle => "connected",
        Phase::Waiting => "waiting",
        Phase::Done(Verdict::Ok) => "done",
        Phase::Done(verdict) => verdict_words(*verdict),
    };
    let mut counts: Vec<(&str, usize)> = Vec::new();
    for word in hidden.iter().map(|row| words(&row.phase)) {
        match counts.iter_mut().find(|(known, _)| *known == word) {
            Some((_, number)) => *number += 1,
            None => counts.push((word, 1)),
        }
    }
    let said: Vec<String> = counts.iter().map(|(word, number)| format!("{number} {word}")).collect();
    look.paint(Tone::Faint, &format!("{} {} more: {}", look.dots(), hidden.len(), said.join(", ")))
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use console::measure_text_width;
    use insta::assert_snapshot;

    use super::frame;
    use crate::report::look::Look;
    use crate::report::sample::{Sample, broken_nginx};
    use crate::report::state::State;
    use crate::words::event::{Event, HostSummary, Mode, Outcome, Stream, Tally, Verdict};

    const HOSTILE: &str = "Collecting gunicorn\u{1b}[31m\n\u{1b}]0;x\u{7}日本語日本語日本語日本語日本語日本語日本語日本語 \u{202e}done\t\r\n\n";

    /// A third each of the hosts: finished (one failed), running, waiting.
    fn fleet(hosts: usize) -> Sample {
        let mut sample = Sample::new(Mode::Run, hosts).stage(0..hosts, 1, 3);
        for host in 0..hosts {
            let name = sample.hosts[host].clone();
            sample = match host * 3 / hosts {
                0 if hosts > 1 => {
                    let verdict = if host == 1 { Verdict::Failed } else { Verdict::Ok };
                    let summary =
                        HostSummary { verdict, tally: Tally::default(), error: None, pending: vec![] };
                    sample.event(Event::HostFinished { host: name, summary })
                }
                2 if host % 2 == 1 => sample.connecting(host, 1 + u32::try_from(host % 4).unwrap()),
                2 => sample,
                _ => sample
                    .starts(host, 4, "install the requirements of the application and its extras")
                    .says(host, 4, "pip", Stream::Stdout, HOSTILE),
            };
        }
        sample
    }

    fn state(sample: &Sample, look: Look) -> (State, Instant) {
        let now = Instant::now();
        let mut state = State::new(look, false, now);
        sample.events.iter().for_each(|event| state.event(event, now));
        (state, now + Duration::from_millis(3250))
    }

    #[test]
    fn one_six_and_two_hundred_hosts_at_80_and_120_columns() {
        for hosts in [1, 6, 200] {
            for width in [80, 120] {
                let (state, now) = state(&fleet(hosts), Look::PLAIN);
                let lines = frame(&state, width, 23, now);
                assert_snapshot!(format!("{hosts}_hosts_{width}_columns"), lines.join("\n"));
            }
        }
    }

    #[test]
    fn no_line_is_ever_wider_than_the_terminal_nor_the_frame_higher() {
        let colour = Look { colour: true, ..Look::PLAIN };
        for look in [Look::PLAIN, colour, Look { utf8: false, ..Look::PLAIN }] {
            for hosts in [1, 6, 200] {
                let (state, now) = state(&fleet(hosts).fails(0..1, &broken_nginx()), look);
                for width in 1..140 {
                    for height in [0, 1, 2, 5, 23] {
                        let lines = frame(&state, width, height, now);
                        assert!(lines.len() <= height, "{width}×{height}: {lines:?}");
                        for line in lines {
                            let used = measure_text_width(&line);
                            assert!(used <= width, "{used} > {width}: {line:?}");
                            assert!(look.colour || !line.contains('\u{1b}'), "{line:?}");
                            assert!(
                                look.utf8 || line.replace(['日', '本', '語', '‹', '›', '…'], "").is_ascii(),
                                "{line}"
                            );
                        }
                    }
                }
            }
        }
    }

    #[test]
    fn hosts_of_a_finished_wave_are_done_until_the_next_stage() {
        let already = || Outcome::Already { why: "it is".into() };
        let wave = Sample::new(Mode::Run, 2)
            .connected(0)
            .stage(0..1, 1, 2)
            .starts(0, 0, "x")
            .finishes(0, 0, "x", already())
            .stage_done(1, 0..0);
        let (seen, now) = state(&wave, Look::PLAIN);
        let lines = frame(&seen, 80, 23, now);
        assert!(lines[0].contains("1/2 hosts done") && lines[1].ends_with("✓ done"), "{lines:?}");
        let (seen, now) = state(&wave.stage(0..2, 1, 1), Look::PLAIN);
        assert!(frame(&seen, 80, 23, now)[0].contains("0/2 hosts done"));
    }

    #[test]
    fn output_stays_above_when_asked_for() {
        let sample = Sample::new(Mode::Run, 1)
            .stage(0..1, 1, 1)
            .starts(0, 0, "migrate")
            .says(0, 0, "migrate", Stream::Stdout, "upgrade a\nupgrade \u{1b}[2Jb")
            .finishes(0, 0, "migrate", Outcome::Unknown { what: vec![] });
        let mut verbose = State::new(Look::PLAIN, true, Instant::now());
        sample.events.iter().for_each(|event| verbose.event(event, Instant::now()));
        let said = verbose.above.take();
        assert_eq!(said[..2], ["web1 | upgrade a", "web1 | upgrade b"]);
        assert!(state(&sample, Look::PLAIN).0.above.take().is_empty());
    }

    #[test]
    fn what_stays_above_is_short() {
        let sample = Sample::new(Mode::Run, 200)
            .stage(0..200, 1, 1)
            .fails(0..40, &broken_nginx())
            .stage_done(1, 0..40);
        let (mut state, _) = state(&sample, Look::PLAIN);
        assert_snapshot!(state.above.take().join("\n"));
    }
}
