//! What a command said, in bounded memory: whole lines for listeners, head and tail for results and errors.

use std::collections::VecDeque;

use crate::words::event::Stream;
use crate::words::secret::Mask;

/// Kept of each end.
const KEEP: usize = 64 << 10;
/// A line longer than this is shown in pieces.
const LINE: usize = 8 << 10;

/// The head and the tail of a stream, with a mark where something is missing.
#[derive(Debug, Default)]
pub struct Ends {
    head: Vec<u8>,
    tail: VecDeque<u8>,
    dropped: u64,
}

impl Ends {
    pub fn push(&mut self, bytes: &[u8]) {
        let (head, rest) = bytes.split_at(bytes.len().min(KEEP - self.head.len()));
        self.head.extend_from_slice(head);
        let rest = if rest.len() > KEEP {
            self.dropped += (rest.len() - KEEP) as u64;
            &rest[rest.len() - KEEP..]
        } else {
            rest
        };
        self.tail.extend(rest);
        let excess = self.tail.len().saturating_sub(KEEP);
        self.tail.drain(..excess);
        self.dropped += excess as u64;
    }

    /// How much there was, where not all of it is kept; else 0.
    fn cut(&self) -> u64 {
        if self.dropped == 0 { 0 } else { self.dropped + (self.head.len() + self.tail.len()) as u64 }
    }

    /// Half a secret at the gap would not be known for one: it is left out with the rest.
    pub fn text(&self, mask: &Mask) -> String {
        let (front, back) = self.tail.as_slices();
        let tail = [front, back].concat();
        if self.dropped == 0 {
            return String::from_utf8_lossy(&[&self.head[..], &tail].concat()).into_owned();
        }
        let head = &self.head[..self.head.len() - mask.begun(&self.head)];
        let tail = &tail[mask.ending(&tail)..];
        let (head, tail) = (String::from_utf8_lossy(head), String::from_utf8_lossy(tail));
        format!("{head}\n… {} bytes left out …\n{tail}", self.dropped)
    }
}

/// Both streams of one task.
#[derive(Debug, Default)]
pub struct Capture {
    stdout: Ends,
    stderr: Ends,
    /// As a person would have seen it.
    both: Ends,
    lines: [Vec<u8>; 2],
    mask: Mask,
}

impl Capture {
    pub fn new(mask: Mask) -> Capture {
        Capture { mask, ..Capture::default() }
    }

    /// Takes what came; gives what can be shown of it, whole lines where possible.
    pub fn push(&mut self, stream: Stream, bytes: &[u8]) -> Option<String> {
        let (ends, line) = match stream {
            Stream::Stdout => (&mut self.stdout, &mut self.lines[0]),
            Stream::Stderr => (&mut self.stderr, &mut self.lines[1]),
        };
        ends.push(bytes);
        self.both.push(bytes);
        line.extend_from_slice(bytes);
        let whole = match line.iter().rposition(|&b| b == b'\n') {
            Some(end) => end + 1,
            None if line.len() > LINE => boundary(&line[..line.len() - self.mask.begun(line)]),
            None => return None,
        };
        // All of it may be the beginning of a secret of many lines.
        if whole == 0 {
            return None;
        }
        Some(String::from_utf8_lossy(&line.drain(..whole).collect::<Vec<u8>>()).into_owned())
    }

    /// Unfinished last lines.
    pub fn flush(&mut self) -> Vec<(Stream, String)> {
        let streams = [Stream::Stdout, Stream::Stderr].into_iter().zip(&mut self.lines);
        streams
            .filter(|(_, line)| !line.is_empty())
            .map(|(stream, line)| (stream, String::from_utf8_lossy(&std::mem::take(line)).into_owned()))
            .collect()
    }

    pub fn stdout(&self) -> String {
        self.stdout.text(&self.mask)
    }
    pub fn stderr(&self) -> String {
        self.stderr.text(&self.mask)
    }
    /// As [`crate::spec::model::Registered`] has it.
    pub fn cut(&self) -> [u64; 2] {
        [self.stdout.cut(), self.stderr.cut()]
    }
    /// The last lines, for an error.
    pub fn last_lines(&self, n: usize) -> Vec<String> {
        // Masked before it is cut: half a secret would not be known for one.
        let text = self.mask.apply(&self.both.text(&self.mask));
        let lines: Vec<&str> = text.lines().map(str::trim_end).filter(|line| !line.is_empty()).collect();
        lines[lines.len().saturating_sub(n)..]
            .iter()
            .map(|line| (*line).chars().take(500).collect())
            .collect()
    }
}

/// Not in the middle of a UTF-8 sequence.
fn boundary(bytes: &[u8]) -> usize {
    if bytes.is_empty() {
        return 0;
    }
    let back = bytes.iter().rev().take(3).position(|&b| b & 0xC0 != 0x80).unwrap_or(0);
    let last = bytes[bytes.len() - 1 - back];
    if last >= 0xC0 { bytes.len() - 1 - back } else { bytes.len() }
}

#[cfg(test)]
mod tests {
    use super::{Capture, Ends, KEEP};
    use crate::words::event::Stream;
    use crate::words::secret::{Mask, Secret};

    #[test]
    fn no_cut_goes_through_a_secret() {
        let mask = Mask::new([&Secret::new("canary-canary".into())]);
        for before in [KEEP - 6, KEEP] {
            let mut capture = Capture::new(mask.clone());
            let text = [vec![b'x'; before], b"canary-canary".to_vec(), vec![b'y'; 3 * KEEP]].concat();
            let mut shown = String::new();
            for chunk in text.chunks(7) {
                shown += &mask.apply(&capture.push(Stream::Stdout, chunk).unwrap_or_default());
            }
            assert!(shown.contains("•••y") && !shown.contains("cana"), "{before}");
            assert!(!mask.apply(&capture.stdout()).contains("can"), "{before}");
        }
        let mut capture = Capture::new(mask);
        capture.push(Stream::Stderr, format!("{}canary-canary", "x".repeat(495)).as_bytes());
        assert!(!capture.last_lines(1)[0].contains("can"));
    }

    #[test]
    fn head_and_tail_are_kept_and_the_gap_is_named() {
        let mut ends = Ends::default();
        for _ in 0..1000 {
            ends.push(&[b'x'; 1000]);
        }
        ends.push(b"the end");
        let text = ends.text(&Mask::default());
        assert!(text.ends_with("the end") && text.contains("bytes left out"), "{}", text.len());
        assert!(text.len() < 2 * KEEP + 100);
    }

    #[test]
    fn lines_come_whole_and_long_ones_in_pieces() {
        let mut capture = Capture::default();
        assert_eq!(capture.push(Stream::Stdout, b"one\ntw"), Some("one\n".into()));
        assert_eq!(capture.push(Stream::Stdout, b"o\n"), Some("two\n".into()));
        assert_eq!(capture.push(Stream::Stdout, b"no newline"), None);
        assert_eq!(capture.flush(), [(Stream::Stdout, "no newline".into())]);
        let long = "é".repeat(5000);
        let shown = capture.push(Stream::Stderr, &long.as_bytes()[..9001]).unwrap();
        assert!(!shown.contains('\u{fffd}'));
    }
}
