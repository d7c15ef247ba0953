//! One failure in the recap: who, where, why, the last words of the command, and what to do next. Pure text.

use std::fmt::Write as _;

use crate::report::hosts::compact;
use crate::report::look::{Look, Tone};
use crate::report::recap::HOSTS_SHOWN;
use crate::report::record::Failure;
use crate::report::text::{bounded, neutralise, wrap};
use crate::words::error::Error;
use crate::words::event::Mode;
use crate::words::plural::count;

const OUTPUT_LINES: usize = 20;
/// The same when they have gone by on this very page already.
const LINES_AGAIN: usize = 5;
/// Of hosts whose messages differ, so many are told of one by one.
const OTHERS: usize = 20;

/// What else there is on the page that the recap ends.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Told {
    /// `-q`: nothing, and nothing more is wanted than failures and the result.
    pub quiet: bool,
    /// Output was shown as it came.
    pub output: bool,
}

/// Who failed where, why, with which last words, and what to do next.
pub fn tell(failure: &Failure, (mode, told): (Mode, Told), look: Look, out: &mut String) {
    let hosts = match failure.hosts.as_slice() {
        [only] => only.to_string(),
        many => format!("{} ({})", compact(many, look.dots(), HOSTS_SHOWN), count(many.len(), "host")),
    };
    let error = &failure.error;
    if mode == Mode::Exec && failure.task.is_some() {
        let line = format!("{} {hosts}: {}", look.cross(), neutralise(&error.to_string()));
        let _ = writeln!(out, "{}", look.paint(Tone::Bad, &wrap(&line, look.width, 2)));
        return hint(error, mode, look, out);
    }
    let place = failure.task.as_ref().map_or_else(String::new, |task| {
        let origin = if task.origin.is_empty() { String::new() } else { format!(" ({})", task.origin) };
        neutralise(&format!(": {} {} {}{origin}", task.stage, look.into(), task.task))
    });
    let head = format!("{} {hosts}{place}", look.cross());
    let _ = writeln!(out, "{}", look.paint(Tone::Bad, &wrap(&head, look.width, 2)));
    indented("", &error.what, look, out);
    for cause in &error.causes {
        indented("cause: ", cause, look, out);
    }
    others(failure, look, out);
    if let Some(command) = &error.command {
        indented("command: ", &bounded(command, 2000), look, out);
    }
    last_lines(failure, told, look, out);
    hint(error, mode, look, out);
}

/// The other hosts, where each has something of its own to say.
fn others(failure: &Failure, look: Look, out: &mut String) {
    for (host, text) in failure.others.iter().take(OTHERS) {
        indented("", &format!("{host}: {text}"), look, out);
    }
    if let Some(more) = failure.others.len().checked_sub(OTHERS).filter(|more| *more > 0) {
        indented("", &format!("and {more} more"), look, out);
    }
}

/// What the last lines of output were, when they explain the failure.
fn last_lines(failure: &Failure, told: Told, look: Look, out: &mut String) {
    let output = &failure.error.output;
    if output.is_empty() {
        return;
    }
    let whose = if failure.hosts.len() > 1 { format!(" on {}", failure.first) } else { String::new() };
    let _ = writeln!(out, "  the last lines{whose}:");
    let most = if told.output && failure.streamed { LINES_AGAIN } else { OUTPUT_LINES };
    for line in &output[output.len().saturating_sub(most)..] {
        let line = format!("  | {}", bounded(&flat(line), 2000));
        let _ = writeln!(out, "  {}", look.paint(Tone::Faint, &line));
    }
}

/// A playbook can be run again at no cost; a command of `tow exec` does again what it did.
fn hint(error: &Error, mode: Mode, look: Look, out: &mut String) {
    let claims = |hint: &String| mode == Mode::Exec && hint.contains("not repeated");
    if let Some(hint) = error.hint.as_ref().filter(|hint| !claims(hint)) {
        indented("hint: ", hint, look, out);
    }
}

fn flat(line: &str) -> String {
    neutralise(line).replace('\n', " ")
}

/// Further lines of a text stand under its first word.
fn indented(label: &str, text: &str, look: Look, out: &mut String) {
    for (position, line) in neutralise(&bounded(text, 4000)).lines().enumerate() {
        let label = if position == 0 { label.to_owned() } else { " ".repeat(label.len()) };
        let line = format!("  {label}{line}");
        let _ = writeln!(out, "{}", wrap(&line, look.width, 2 + label.len()));
    }
}
