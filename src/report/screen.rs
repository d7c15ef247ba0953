//! Draws the live region in place: one write for each redraw, every line overwritten, so nothing flickers.

use std::fmt;
use std::fmt::Write as _;

use console::measure_text_width;

use crate::report::sink::Sink;

/// Columns and rows.
pub type Size = (usize, usize);

/// A terminal with a region at its end that is drawn again and again.
pub struct Screen {
    sink: Sink,
    size: Box<dyn Fn() -> Size + Send>,
    /// The widths of the lines drawn last, to find their beginning again even after a resize.
    drawn: Vec<usize>,
}

impl fmt::Debug for Screen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Screen({} lines drawn)", self.drawn.len())
    }
}

/// Terminals that know it show everything between these at once; the others ignore them.
const BEGIN: &str = "\u{1b}[?2026h";
const END: &str = "\u{1b}[?2026l";

impl Screen {
    pub fn new(sink: Sink, size: Box<dyn Fn() -> Size + Send>) -> Screen {
        Screen { sink, size, drawn: vec![] }
    }

    pub fn size(&self) -> Size {
        (self.size)()
    }

    /// Prints `said` for good and draws `lines` below it, in place of what was drawn before.
    pub fn draw(&mut self, said: &[String], lines: &[String]) {
        if said.is_empty() && lines.is_empty() && self.drawn.is_empty() {
            return;
        }
        let mut out = format!("{BEGIN}\r");
        let old = self.rows_drawn();
        up(old, &mut out);
        // Row by row: erasing "to the end of the screen" makes some terminals move it all into the scrollback.
        let erase = if said.is_empty() { old.saturating_sub(lines.len()) } else { old };
        if !said.is_empty() {
            // What is said may wrap over several rows of the old region.
            out.push_str(&"\u{1b}[2K\r\n".repeat(erase));
            up(erase, &mut out);
        }
        for line in said.iter().chain(lines) {
            // Erased first: after a line as wide as the terminal, erasing would take its last column.
            let _ = write!(out, "\u{1b}[K{line}\r\n");
        }
        if said.is_empty() {
            out.push_str(&"\u{1b}[2K\r\n".repeat(erase));
            up(erase, &mut out);
        }
        out.push_str(END);
        self.drawn = lines.iter().map(|line| measure_text_width(line)).collect();
        self.sink.raw(&out);
    }

    /// A terminal that became narrower has wrapped the lines; more rows belong to them then.
    fn rows_drawn(&self) -> usize {
        let (width, height) = self.size();
        let rows: usize = self.drawn.iter().map(|used| used.div_ceil(width.max(1)).max(1)).sum();
        rows.min(height.saturating_sub(1))
    }
}

fn up(rows: usize, out: &mut String) {
    if rows > 0 {
        let _ = write!(out, "\u{1b}[{rows}A");
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::Screen;
    use crate::report::sample::captured;

    #[test]
    fn draws_over_itself_and_finds_its_beginning_after_a_resize() {
        let width = Arc::new(AtomicUsize::new(80));
        let (sink, text) = captured(false);
        let seen = Arc::clone(&width);
        let mut screen = Screen::new(sink, Box::new(move || (seen.load(Ordering::Relaxed), 24)));
        let line = "x".repeat(70);
        screen.draw(&[], &[line.clone(), line.clone()]);
        assert!(!text.read().contains("\u{1b}[2A"), "the first drawing begins where the cursor is");
        screen.draw(&["said".into()], &[line]);
        let erased = "\r\u{1b}[2A\u{1b}[2K\r\n\u{1b}[2K\r\n\u{1b}[2A\u{1b}[Ksaid\r\n";
        assert!(text.read().contains(erased), "{:?}", text.read());
        width.store(30, Ordering::Relaxed);
        screen.draw(&[], &[]);
        let erased = format!("\r\u{1b}[3A{}\u{1b}[3A\u{1b}[?2026l", "\u{1b}[2K\r\n".repeat(3));
        assert!(text.read().ends_with(&erased), "{:?}", text.read());
    }
}
