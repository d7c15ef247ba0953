//! A file as lines, each with its own ending, so that what is not edited stays byte for byte.

/// Where a new line goes.
#[derive(Clone, Copy, Debug)]
pub enum Place<'a> {
    End,
    /// Behind the last line that holds this.
    After(&'a str),
    /// In front of the first line that holds this.
    Before(&'a str),
}

#[derive(Debug)]
pub struct Lines {
    /// The text of each and its ending: LF, CRLF, or nothing at the end of the file.
    lines: Vec<(Vec<u8>, &'static [u8])>,
}

pub fn holds(text: &[u8], part: &str) -> bool {
    text.windows(part.len().max(1)).any(|window| window == part.as_bytes())
}

impl Lines {
    pub fn of(bytes: &[u8]) -> Lines {
        let split = |line: &[u8]| -> (Vec<u8>, &'static [u8]) {
            if let Some(text) = line.strip_suffix(b"\r\n") {
                (text.to_vec(), b"\r\n")
            } else if let Some(text) = line.strip_suffix(b"\n") {
                (text.to_vec(), b"\n")
            } else {
                (line.to_vec(), b"")
            }
        };
        Lines { lines: bytes.split_inclusive(|&byte| byte == b'\n').map(split).collect() }
    }

    pub fn bytes(&self) -> Vec<u8> {
        self.lines.iter().flat_map(|(text, ending)| [text.as_slice(), ending]).collect::<Vec<_>>().concat()
    }

    pub fn position(&self, matches: impl Fn(&[u8]) -> bool) -> Option<usize> {
        self.lines.iter().position(|(text, _)| matches(text))
    }

    pub fn positions(&self, matches: impl Fn(&[u8]) -> bool) -> Vec<usize> {
        (0..self.lines.len()).filter(|&at| matches(&self.lines[at].0)).collect()
    }

    pub fn replace(&mut self, at: usize, line: &str) {
        self.lines[at].0 = line.as_bytes().to_vec();
    }

    /// Removes what matches; how many there were.
    pub fn remove(&mut self, matches: impl Fn(&[u8]) -> bool) -> usize {
        let before = self.lines.len();
        self.lines.retain(|(text, _)| !matches(text));
        before - self.lines.len()
    }

    /// Inserts a line; the text that no line holds, where the place cannot be found.
    pub fn insert<'a>(&mut self, line: &str, place: &Place<'a>) -> Result<(), &'a str> {
        let at = match *place {
            Place::End => self.lines.len(),
            Place::Before(part) => self.position(|text| holds(text, part)).ok_or(part)?,
            Place::After(part) => self.positions(|text| holds(text, part)).last().ok_or(part)? + 1,
        };
        // As the file's first line does it.
        let ending = self.lines.first().map_or(b"\n".as_slice(), |(_, ending)| ending);
        let ending = if ending.is_empty() { b"\n".as_slice() } else { ending };
        let count = self.lines.len();
        match self.lines.last_mut().filter(|(_, ending)| ending.is_empty()) {
            // The last line had no ending: it needs one now, and the new last line has none.
            Some(last) if at == count => {
                last.1 = ending;
                self.lines.push((line.as_bytes().to_vec(), b""));
            }
            _ => self.lines.insert(at, (line.as_bytes().to_vec(), ending)),
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::{Lines, Place};

    fn insert(bytes: &[u8], line: &str, place: Place) -> Vec<u8> {
        let mut lines = Lines::of(bytes);
        lines.insert(line, &place).unwrap();
        lines.bytes()
    }

    #[test]
    fn other_bytes_stay() {
        for bytes in [&b""[..], b"a", b"a\n", b"\n\n", b"a\r\nb\n\xff\xfe\r\rc", b"\r\n"] {
            assert_eq!(Lines::of(bytes).bytes(), bytes);
        }
        assert_eq!(insert(b"\xff\xfe\r\nb\r\n", "new", Place::Before("b")), b"\xff\xfe\r\nnew\r\nb\r\n");
    }

    #[test]
    fn the_end_of_the_file_stays_as_it_is() {
        assert_eq!(insert(b"", "x", Place::End), b"x\n");
        assert_eq!(insert(b"a\n", "x", Place::End), b"a\nx\n");
        assert_eq!(insert(b"a", "x", Place::End), b"a\nx");
        assert_eq!(insert(b"a\r\nb", "x", Place::After("b")), b"a\r\nb\r\nx");
        assert_eq!(insert(b"a\nb", "x", Place::After("a")), b"a\nx\nb");
    }

    #[test]
    fn a_place_that_is_not_there_is_named() {
        assert_eq!(Lines::of(b"a\n").insert("x", &Place::After("b")), Err("b"));
    }

    #[test]
    fn removing_leaves_the_others() {
        let mut lines = Lines::of(b"a\r\nb\nc");
        assert_eq!(lines.remove(|text| text == b"b"), 1);
        assert_eq!(lines.bytes(), b"a\r\nc");
    }
}
