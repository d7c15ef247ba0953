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
        let mut out = String::from(BEGIN);
        out.push('\r');
        let up = self.rows_drawn();
        if up > 0 {
            let _ = write!(out, "\u{1b}[{up}A");
        }
        for line in said.iter().chain(lines) {
            // Erased first: after a line as wide as the terminal, erasing would take its last column.
            let _ = write!(out, "\u{1b}[K{line}\r\n");
        }
        out.push_str("\u{1b}[J");
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
        assert!(!text.read().contains('A'), "the first drawing begins where the cursor is");
        screen.draw(&["said".into()], &[line]);
        assert!(text.read().contains("\r\u{1b}[2A\u{1b}[Ksaid\r\n"), "{:?}", text.read());
        width.store(30, Ordering::Relaxed);
        screen.draw(&[], &[]);
        assert!(text.read().ends_with("\r\u{1b}[3A\u{1b}[J\u{1b}[?2026l"), "{:?}", text.read());
    }
}
