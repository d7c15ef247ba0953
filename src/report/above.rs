//! Lines that stay above the live view: wrapped to the terminal, and bounded however fast a host talks.

use crate::report::lines::Lines;
use crate::report::look::{Look, Tone};
use crate::report::text::{bounded, neutralise, wrap};
use crate::words::event::Stream;
use crate::words::names::HostName;
use crate::words::plural::count;

/// Between two drawings so many lines of output are kept; a person could not read more.
const MOST: usize = 2000;
/// A longer line of output is cut.
const LONGEST: usize = 2000;

#[derive(Debug)]
pub struct Above {
    look: Look,
    lines: Vec<String>,
    left_out: usize,
}

/// What a host's command has said and not ended with a line feed.
#[derive(Debug, Default)]
pub struct Speech {
    stdout: Lines,
    stderr: Lines,
}

impl Speech {
    pub fn push(&mut self, stream: Stream, text: &str) -> Vec<String> {
        let mut complete = Vec::new();
        let lines = if stream == Stream::Stdout { &mut self.stdout } else { &mut self.stderr };
        lines.push(text, |line| complete.push(line.to_owned()));
        complete
    }

    pub fn finish(&mut self) -> Vec<String> {
        let mut rest = Vec::new();
        self.stdout.finish(|line| rest.push(line.to_owned()));
        self.stderr.finish(|line| rest.push(line.to_owned()));
        rest
    }
}

impl Above {
    pub fn new(look: Look) -> Above {
        Above { look, lines: vec![], left_out: 0 }
    }

    /// Breaks at blanks; what follows stands under the first word.
    pub fn say(&mut self, tone: Tone, text: &str) {
        for line in text.lines() {
            for line in wrap(line, self.look.width, 2).lines() {
                self.lines.push(self.look.paint(tone, line));
            }
        }
    }

    /// Lines of output, each behind its host.
    pub fn output(&mut self, host: &HostName, lines: &[String]) {
        for line in lines {
            if self.lines.len() >= MOST {
                self.left_out += 1;
                continue;
            }
            let line = bounded(&neutralise(line).replace('\n', " "), LONGEST);
            self.say(Tone::Faint, &format!("{host} | {line}"));
        }
    }

    /// What is to be printed now.
    pub fn take(&mut self) -> Vec<String> {
        let mut lines = std::mem::take(&mut self.lines);
        let left_out = std::mem::take(&mut self.left_out);
        if left_out > 0 {
            let text = format!("{} {} of output left out", self.look.dots(), count(left_out, "line"));
            lines.push(self.look.paint(Tone::Faint, &text));
        }
        lines
    }
}

#[cfg(test)]
mod tests {
    use super::{Above, MOST};
    use crate::report::look::{Look, Tone};
    use crate::words::names::HostName;

    #[test]
    fn lines_break_at_blanks_and_hang() {
        let mut above = Above::new(Look { width: Some(30), ..Look::PLAIN });
        above.say(Tone::Bad, "✗ web1: nginx site: cannot run `nginx -t`");
        assert_eq!(above.take(), ["✗ web1: nginx site: cannot run", "  `nginx -t`"]);
    }

    #[test]
    fn output_is_harmless_and_bounded() {
        let mut above = Above::new(Look::PLAIN);
        let host = HostName::new("web1").unwrap();
        above.output(&host, &["\u{1b}[2Jgone\u{7}".to_owned()]);
        assert_eq!(above.take(), ["web1 | gone\u{fffd}"]);
        above.output(&host, &vec!["y".to_owned(); MOST + 7]);
        let lines = above.take();
        assert_eq!(lines.len(), MOST + 1);
        assert_eq!(lines[MOST], "… 7 lines of output left out");
    }
}
