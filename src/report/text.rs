//! Makes remote text harmless before anybody reads it: terminal escapes, CI commands, lines too long.

use std::time::Duration;

use console::{measure_text_width, truncate_str};

use crate::words::error::Error;

/// What stands for a control character that was taken out.
pub const REPLACED: char = '\u{fffd}';

/// Remote text that a terminal cannot be steered by: whole escape sequences are dropped, lone controls become
/// `�`, bidirectional overrides are spelt out, and of a line that was drawn over with CR the last state remains.
/// Only `\n` and `\t` survive of the control characters.
pub fn neutralise(text: &str) -> String {
    if text.chars().all(is_harmless) {
        return text.to_owned();
    }
    let mut out = String::with_capacity(text.len());
    for (position, line) in text.split('\n').enumerate() {
        if position > 0 {
            out.push('\n');
        }
        neutralise_line(last_drawn(line), &mut out);
    }
    out
}

fn is_harmless(c: char) -> bool {
    matches!(c, '\n' | '\t') || !(c.is_control() || is_deceptive(c))
}

/// Characters that make text read otherwise than it is: they reorder, or break lines, or are tags unseen.
fn is_deceptive(c: char) -> bool {
    matches!(c,
        '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{200e}' | '\u{200f}' | '\u{061c}'
        | '\u{2028}' | '\u{2029}' | '\u{e0000}'..='\u{e007f}')
}

/// A progress bar redraws its line with CR; what a person would see is what follows the last one.
fn last_drawn(line: &str) -> &str {
    let line = line.trim_end_matches('\r');
    line.rfind('\r').map_or(line, |at| &line[at + 1..])
}

fn neutralise_line(line: &str, out: &mut String) {
    use std::fmt::Write as _;
    let mut rest = line;
    while let Some(c) = rest.chars().next() {
        let length = sequence_length(rest).unwrap_or(0);
        if length > 0 {
            rest = &rest[length..];
            continue;
        }
        match c {
            _ if is_deceptive(c) => {
                let _ = write!(out, "‹U+{:04X}›", u32::from(c));
            }
            _ if is_harmless(c) => out.push(c),
            _ => out.push(REPLACED),
        }
        rest = &rest[c.len_utf8()..];
    }
}

/// The length of the complete escape sequence that `text` begins with. One that does not end on this line is
/// none, so that an unterminated string cannot swallow what follows.
fn sequence_length(text: &str) -> Option<usize> {
    let first = text.chars().next()?;
    let (kind, body) = match first {
        '\u{1b}' => {
            let second = text[1..].chars().next()?;
            (second, 1 + second.len_utf8())
        }
        // The eight-bit forms of `ESC [`, `ESC ]`, `ESC P`, `ESC X`, `ESC ^` and `ESC _`.
        '\u{9b}' => ('[', 2),
        '\u{9d}' => (']', 2),
        '\u{90}' | '\u{98}' | '\u{9e}' | '\u{9f}' => ('P', 2),
        _ => return None,
    };
    let rest = &text[body..];
    match kind {
        '[' => rest
            .char_indices()
            .find(|&(_, c)| !matches!(c, '\u{20}'..='\u{3f}'))
            .filter(|&(_, c)| matches!(c, '\u{40}'..='\u{7e}'))
            .map(|(at, _)| body + at + 1),
        ']' | 'P' | 'X' | '^' | '_' => {
            let end = |mark: &str| rest.find(mark).map(|at| body + at + mark.len());
            [end("\u{7}"), end("\u{1b}\\"), end("\u{9c}")].into_iter().flatten().min()
        }
        '(' | ')' | '*' | '+' | '#' | '%' | ' ' => rest.chars().next().map(|c| body + c.len_utf8()),
        '0'..='~' => Some(body),
        _ => None,
    }
}

/// Breaks commands that a CI system would obey, wherever it looks for them: GitHub reads `::` after leading
/// blanks, Azure and the old GitHub form read `##…[` anywhere in a line.
pub fn quiet_ci(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for (position, line) in text.split('\n').enumerate() {
        if position > 0 {
            out.push('\n');
        }
        let body = line.trim_start();
        out.push_str(&line[..line.len() - body.len()]);
        match body.strip_prefix("::") {
            Some(rest) => break_hashes(&format!(": :{rest}"), &mut out),
            None => break_hashes(body, &mut out),
        }
    }
    out
}

/// `##vso[` becomes `# #vso[`, and `##[` likewise; headings and other hashes stay as they are.
fn break_hashes(line: &str, out: &mut String) {
    let mut rest = line;
    while let Some(at) = rest.find("##") {
        let word = rest[at + 2..].trim_start_matches(|c: char| c.is_ascii_alphabetic());
        out.push_str(&rest[..=at]);
        if word.starts_with('[') {
            out.push(' ');
        }
        rest = &rest[at + 1..];
    }
    out.push_str(rest);
}

/// One line for a view: harmless, without tabs and blanks around, cut to `width` columns.
pub fn fit(text: &str, width: usize, dots: &str) -> String {
    let line = neutralise(text.trim_end()).replace(['\t', '\n'], " ");
    cut(line.trim_end(), width, dots)
}

/// Cuts to `width` columns, colours kept; where not even the dots fit there are none.
pub fn cut(text: &str, width: usize, dots: &str) -> String {
    let dots = if measure_text_width(dots) <= width { dots } else { "" };
    truncate_str(text, width, dots).into_owned()
}

/// Breaks a line at its blanks so that it fits into `width` columns; what follows stands at `indent`.
pub fn wrap(line: &str, width: Option<usize>, indent: usize) -> String {
    let Some(width) = width.filter(|&width| measure_text_width(line) > width) else {
        return line.to_owned();
    };
    let (mut out, mut used) = (String::new(), 0);
    for (position, word) in line.split(' ').enumerate() {
        let columns = measure_text_width(word);
        if position > 0 && used > indent && used + 1 + columns > width {
            out.push('\n');
            out.push_str(&" ".repeat(indent));
            used = indent;
        } else if position > 0 {
            out.push(' ');
            used += 1;
        }
        out.push_str(word);
        used += columns;
    }
    out
}

/// Pads to `width` columns on the right; `fit` first.
pub fn pad(text: &str, width: usize) -> String {
    let have = measure_text_width(text);
    format!("{text}{}", " ".repeat(width.saturating_sub(have)))
}

/// At most `limit` bytes, cut between characters, with a mark that says how much is missing.
pub fn bounded(text: &str, limit: usize) -> String {
    if text.len() <= limit {
        return text.to_owned();
    }
    let end = floor_boundary(text, limit);
    format!("{}… ({} more bytes)", &text[..end], text.len() - end)
}

/// The last character boundary at or before `at`.
pub fn floor_boundary(text: &str, at: usize) -> usize {
    (0..=at.min(text.len())).rev().find(|&at| text.is_char_boundary(at)).unwrap_or(0)
}

/// An error on one line, with what the command said last: `exit code 1` alone explains nothing.
pub fn with_last_line(error: &Error) -> String {
    let last = error.output.iter().rev().find(|line| !line.trim().is_empty());
    last.map_or_else(|| error.to_string(), |last| format!("{error}: {}", fit(last.trim(), 200, "…")))
}

/// `0.4 s`, `41 s`, `3 min 05 s`, `1 h 02 min`.
pub fn elapsed(time: Duration) -> String {
    let seconds = time.as_secs();
    match seconds {
        0..10 => format!("{}.{} s", seconds, time.subsec_millis() / 100),
        10..60 => format!("{seconds} s"),
        60..3600 => format!("{} min {:02} s", seconds / 60, seconds % 60),
        _ => format!("{} h {:02} min", seconds / 3600, seconds % 3600 / 60),
    }
}

/// `0:03`, `1:05`, `1:02:00`: for a column that changes while one looks.
pub fn clock(time: Duration) -> String {
    let (minutes, seconds) = (time.as_secs() / 60, time.as_secs() % 60);
    if minutes < 60 {
        return format!("{minutes}:{seconds:02}");
    }
    format!("{}:{:02}:{seconds:02}", minutes / 60, minutes % 60)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{ProptestConfig, any, prop_assert, proptest};

    use super::{bounded, elapsed, fit, neutralise, quiet_ci, wrap};

    #[test]
    fn escapes_vanish_and_text_stays() {
        for (hostile, shown) in [
            ("\u{1b}[31mred\u{1b}[0m", "red"),
            ("\u{9b}2Jclear", "clear"),
            ("\u{1b}]8;;http://evil\u{1b}\\click\u{1b}]8;;\u{1b}\\", "click"),
            ("\u{1b}]52;c;cm0gLXJm\u{7}x", "x"),
            ("\u{1b}]0;never ends", "�]0;never ends"),
            ("\u{1b}c", ""),
            ("end\u{1b}", "end�"),
            ("a\0b\u{8}\u{7f}", "a�b��"),
            ("10%\r50%\r100%\r\nnext", "100%\nnext"),
            ("user\u{202e}txt.exe", "user‹U+202E›txt.exe"),
            ("\tkept\n", "\tkept\n"),
            ("\u{1b}[\u{1b}[31mx", "�[x"),
            ("日本語 ünïcode", "日本語 ünïcode"),
        ] {
            assert_eq!(neutralise(hostile), shown, "{hostile:?}");
        }
    }

    #[test]
    fn ci_commands_are_broken_wherever_they_are_looked_for() {
        assert_eq!(quiet_ci("::add-mask::x"), ": :add-mask::x");
        assert_eq!(quiet_ci("  ::error::x\n::x"), "  : :error::x\n: :x");
        assert_eq!(quiet_ci("web1 | ##vso[task.setvariable]x"), "web1 | # #vso[task.setvariable]x");
        assert_eq!(quiet_ci("###[group]"), "## #[group]");
        assert_eq!(quiet_ci("## heading"), "## heading");
        assert_eq!(quiet_ci("std::fmt"), "std::fmt");
    }

    #[test]
    fn widths_are_columns() {
        assert_eq!(fit("日本語日本語", 7, "…"), "日本語…");
        assert_eq!(fit("a\tb\u{1b}[1mc", 10, "…"), "a bc");
        assert_eq!(fit("abc", 1, ".."), "a");
        assert_eq!(bounded("ääää", 3), "ä… (6 more bytes)");
    }

    #[test]
    fn long_lines_break_at_blanks() {
        let line = "  ~ site: write /etc/nginx/nginx.conf";
        assert_eq!(wrap(line, Some(20), 6), "  ~ site: write\n      /etc/nginx/nginx.conf");
        assert_eq!(wrap(line, None, 6), line);
    }

    #[test]
    fn times_read_well() {
        let of = |millis| elapsed(std::time::Duration::from_millis(millis));
        assert_eq!(
            [of(40), of(9_990), of(41_000), of(185_000), of(3_720_000)],
            ["0.0 s", "9.9 s", "41 s", "3 min 05 s", "1 h 02 min"]
        );
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]
        #[test]
        fn nothing_that_steers_a_terminal_is_left(bytes in any::<Vec<u8>>(), text in "[\\x00-\\x1f\\x7f-\\x9f\\[\\];0-9a-mA-M\u{202e}#:]*") {
            for input in [String::from_utf8_lossy(&bytes).into_owned(), text] {
                let out = neutralise(&input);
                prop_assert!(out.chars().all(|c| c == '\n' || c == '\t' || !c.is_control()), "{:?}", out);
                let deceptive = out.contains('\u{202e}');
                prop_assert!(!deceptive);
                prop_assert!(neutralise(&out) == out);
                let quiet = quiet_ci(&out);
                let obeyed = |line: &str| line.trim_start().starts_with("::") || line.contains("##[");
                prop_assert!(!quiet.lines().any(obeyed), "{:?}", quiet);
            }
        }
    }
}
