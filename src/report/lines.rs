//! Chunks of output into lines, in bounded memory however long a line is.

use crate::report::text::floor_boundary;

/// A longer line is cut there; the rest of it is counted and dropped.
pub const LONGEST: usize = 4096;

/// Holds the line that has not ended yet.
#[derive(Debug, Default)]
pub struct Lines {
    partial: String,
    dropped: usize,
}

impl Lines {
    /// Calls `line` with each line that is complete, not neutralised.
    pub fn push(&mut self, text: &str, mut line: impl FnMut(&str)) {
        let mut rest = text;
        while let Some(at) = rest.find('\n') {
            if self.partial.is_empty() && self.dropped == 0 && at <= LONGEST {
                line(&rest[..at]);
            } else {
                self.keep(&rest[..at]);
                self.flush(&mut line);
            }
            rest = &rest[at + 1..];
        }
        self.keep(rest);
    }

    /// The last line, when it had no line feed.
    pub fn finish(&mut self, mut line: impl FnMut(&str)) {
        if !self.partial.is_empty() || self.dropped > 0 {
            self.flush(&mut line);
        }
    }

    fn keep(&mut self, text: &str) {
        // A progress bar draws over its line again and again; only its last state is ever shown.
        let text = match text.trim_end_matches('\r').rfind('\r') {
            Some(at) => {
                self.partial.clear();
                self.dropped = 0;
                &text[at + 1..]
            }
            None => text,
        };
        if self.partial.ends_with('\r') && !text.is_empty() {
            self.partial.clear();
            self.dropped = 0;
        }
        let room = LONGEST.saturating_sub(self.partial.len());
        let end = if self.dropped > 0 { 0 } else { floor_boundary(text, room) };
        self.partial.push_str(&text[..end]);
        self.dropped += text.len() - end;
    }

    fn flush(&mut self, line: &mut impl FnMut(&str)) {
        if self.dropped > 0 {
            let mark = format!("… ({} more bytes)", self.dropped);
            self.partial.push_str(&mark);
        }
        line(&self.partial);
        self.partial.clear();
        self.dropped = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::{LONGEST, Lines};

    fn lines(chunks: &[&str]) -> Vec<String> {
        let (mut lines, mut out) = (Lines::default(), Vec::new());
        for chunk in chunks {
            lines.push(chunk, |line| out.push(line.to_owned()));
        }
        lines.finish(|line| out.push(line.to_owned()));
        out
    }

    #[test]
    fn chunks_become_lines() {
        assert_eq!(lines(&["a\nb", "c\n", "\nd"]), ["a", "bc", "", "d"]);
    }

    #[test]
    fn a_progress_bar_is_its_last_state() {
        assert_eq!(lines(&["10%\r", "50%\r100%", "\n"]), ["100%"]);
        assert_eq!(lines(&["crlf\r", "\n"]), ["crlf\r"]);
    }

    #[test]
    fn an_endless_line_is_cut_and_counted() {
        let megabyte = "é".repeat(500_000);
        let out = lines(&[&megabyte, &megabyte, "\nnext\n"]);
        assert!(out[0].len() < LONGEST + 40 && out[0].ends_with("(1995904 more bytes)"), "{}", out[0]);
        assert_eq!(out[1], "next");
    }
}
