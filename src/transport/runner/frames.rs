//! Cuts the byte streams of the remote shell into markers and data. Only RS + token begins a marker.

/// A piece of one stream.
#[derive(Debug, PartialEq, Eq)]
pub enum Piece {
    Data(Vec<u8>),
    /// The words of a marker.
    Mark(String),
}

/// Holds back no more than an unfinished marker.
#[derive(Debug)]
pub struct Splitter {
    start: Vec<u8>,
    held: Vec<u8>,
}

impl Piece {
    /// About what it takes in memory; markers are not free, a hostile host could send nothing else.
    pub fn size(&self) -> usize {
        match self {
            Piece::Data(data) => data.len() + 32,
            Piece::Mark(mark) => mark.len() + 64,
        }
    }
}

/// No marker of ours is longer.
const LONGEST_MARK: usize = 256;

impl Splitter {
    pub fn new(token: &str) -> Splitter {
        Splitter { start: format!("\u{1e}{token} ").into_bytes(), held: vec![] }
    }

    pub fn push(&mut self, bytes: &[u8]) -> Vec<Piece> {
        self.held.extend_from_slice(bytes);
        let input = std::mem::take(&mut self.held);
        let (mut pieces, mut data, mut at) = (vec![], vec![], 0);
        while at < input.len() {
            let rest = &input[at..];
            let plain = rest.iter().position(|&b| b == self.start[0]).unwrap_or(rest.len());
            data.extend_from_slice(&rest[..plain]);
            at += plain;
            let rest = &input[at..];
            let known = rest.len().min(self.start.len());
            if known == 0 {
                break;
            }
            if rest[..known] != self.start[..known] {
                data.push(rest[0]);
                at += 1;
                continue;
            }
            match rest.iter().take(LONGEST_MARK).position(|&b| b == b'\n') {
                Some(end) => {
                    flush(&mut data, &mut pieces);
                    let words = String::from_utf8_lossy(&rest[self.start.len()..end]);
                    pieces.push(Piece::Mark(words.trim_end_matches('\r').to_owned()));
                    at += end + 1;
                }
                None if rest.len() >= LONGEST_MARK => {
                    data.push(rest[0]);
                    at += 1;
                }
                None => {
                    self.held = rest.to_vec();
                    break;
                }
            }
        }
        flush(&mut data, &mut pieces);
        pieces
    }
}

fn flush(data: &mut Vec<u8>, pieces: &mut Vec<Piece>) {
    if !data.is_empty() {
        pieces.push(Piece::Data(std::mem::take(data)));
    }
}

#[cfg(test)]
mod tests {
    use super::{Piece, Splitter};
    use proptest::prelude::{ProptestConfig, any, prop_assert_eq, proptest};

    #[test]
    fn markers_come_out_of_the_middle_of_a_line() {
        let pieces = Splitter::new("T").push(b"noise\x1e\x1eT b 0\nhello\x1eT e 0 1\n");
        let mark = |text: &str| Piece::Mark(text.into());
        let data = |bytes: &[u8]| Piece::Data(bytes.into());
        assert_eq!(pieces, [data(b"noise\x1e"), mark("b 0"), data(b"hello"), mark("e 0 1")]);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(200))]
        /// However the bytes are cut into packets, the same comes out, and data is never lost.
        #[test]
        fn cuts_do_not_matter(before in any::<Vec<u8>>(), after in any::<Vec<u8>>(), size in 1usize..9) {
            let whole = [&before[..], b"\x1eTOKEN e 7 0\n", &after[..]].concat();
            let mut splitter = Splitter::new("TOKEN");
            let (mut data, mut marks) = (vec![], vec![]);
            for piece in whole.chunks(size).flat_map(|chunk| splitter.push(chunk)) {
                match piece {
                    Piece::Data(bytes) => data.extend(bytes),
                    Piece::Mark(words) => marks.push(words),
                }
            }
            data.extend(&splitter.held);
            prop_assert_eq!(data, [before, after].concat());
            prop_assert_eq!(marks, vec!["e 7 0".to_owned()]);
        }
    }
}
