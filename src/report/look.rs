//! How things look: colours when wanted, and glyphs that read well without them.

use console::Style;

use crate::words::event::{Outcome, Verdict};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Look {
    pub colour: bool,
    /// The locale can show more than ASCII.
    pub utf8: bool,
    /// Columns of the terminal behind it; in a pipe lines are as long as they are.
    pub width: Option<usize>,
}

/// What a line is about; its colour and glyph follow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tone {
    Good,
    Change,
    Open,
    Bad,
    Faint,
    Strong,
}

impl Look {
    pub const PLAIN: Look = Look { colour: false, utf8: true, width: None };

    pub fn paint(self, tone: Tone, text: &str) -> String {
        if !self.colour || text.is_empty() {
            return text.to_owned();
        }
        let style = Style::new().force_styling(true);
        let style = match tone {
            Tone::Good => style.green(),
            Tone::Change => style.yellow(),
            Tone::Open => style.cyan(),
            Tone::Bad => style.red(),
            Tone::Faint => style.dim(),
            Tone::Strong => style.bold(),
        };
        style.apply_to(text).to_string()
    }

    fn either(self, unicode: &'static str, ascii: &'static str) -> &'static str {
        if self.utf8 { unicode } else { ascii }
    }

    pub fn tick(self) -> &'static str {
        self.either("✓", "=")
    }
    pub fn cross(self) -> &'static str {
        self.either("✗", "!")
    }
    pub fn dots(self) -> &'static str {
        self.either("…", "..")
    }
    pub fn dot(self) -> &'static str {
        self.either("·", "-")
    }
    pub fn into(self) -> &'static str {
        self.either("›", ">")
    }
    pub fn spinner(self, tick: usize) -> &'static str {
        const BRAILLE: [&str; 10] = ["⠋", "⠙", "⠹", "⠸", "⠼", "⠴", "⠦", "⠧", "⠇", "⠏"];
        const ASCII: [&str; 4] = ["-", "\\", "|", "/"];
        if self.utf8 { BRAILLE[tick % BRAILLE.len()] } else { ASCII[tick % ASCII.len()] }
    }
}

/// In a run nothing is unknown any more: what could not be predicted ran, and nothing was changed.
pub fn sign_of_run(outcome: &Outcome) -> (&'static str, Tone) {
    if matches!(outcome, Outcome::Unknown { .. }) { ("=", Tone::Faint) } else { sign(outcome) }
}

/// `=` already, `~` changed, `?` unknown until run, `-` skipped, `!` failed: the same signs everywhere.
pub fn sign(outcome: &Outcome) -> (&'static str, Tone) {
    match outcome {
        Outcome::Already { .. } => ("=", Tone::Faint),
        Outcome::Changed { .. } => ("~", Tone::Change),
        Outcome::Unknown { .. } => ("?", Tone::Open),
        Outcome::Skipped { .. } => ("-", Tone::Faint),
        Outcome::Failed { .. } => ("!", Tone::Bad),
    }
}

pub fn verdict_words(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Ok => "ok",
        Verdict::NotStarted => "not started",
        Verdict::Interrupted => "interrupted",
        Verdict::Failed => "failed",
        Verdict::Unreachable => "unreachable",
    }
}
