//! Where lines go: a writer that falls silent when nobody reads any more, instead of ending the run.

use std::fmt;
use std::io::Write;

use crate::report::text::quiet_ci;

pub type Writer = Box<dyn Write + Send>;

/// Writes whole lines. A broken pipe closes it: what is being deployed matters more than who watches.
pub struct Sink {
    writer: Option<Writer>,
    /// Under CI each line is freed from commands that the CI system would obey.
    ci: bool,
}

impl Sink {
    pub fn new(writer: Writer, ci: bool) -> Sink {
        Sink { writer: Some(writer), ci }
    }

    pub fn line(&mut self, line: &str) {
        let mut text = if self.ci { quiet_ci(line) } else { line.to_owned() };
        text.push('\n');
        self.raw(&text);
    }

    /// Several lines at once; `text` ends with a line feed unless it is empty.
    pub fn text(&mut self, text: &str) {
        if self.ci {
            self.raw(&quiet_ci(text));
        } else {
            self.raw(text);
        }
    }

    /// As it is: for commands of our own to the CI system, and for data.
    pub fn raw(&mut self, text: &str) {
        let Some(writer) = &mut self.writer else { return };
        if writer.write_all(text.as_bytes()).and_then(|()| writer.flush()).is_err() {
            self.writer = None;
        }
    }
}

impl fmt::Debug for Sink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Sink(open: {}, ci: {})", self.writer.is_some(), self.ci)
    }
}

#[cfg(test)]
mod tests {
    use std::io;

    use super::Sink;

    struct Closed;
    impl io::Write for Closed {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(io::ErrorKind::BrokenPipe.into())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_broken_pipe_closes_it_quietly() {
        let mut sink = Sink::new(Box::new(Closed), false);
        sink.line("lost");
        assert!(sink.writer.is_none());
        sink.line("lost too");
    }
}
