//! Lines of input, one at a time and never more than 64 KiB of one: what is longer is skipped to its end.

use std::io::{self, BufRead};

use crate::order::MAX_LINE_BYTES;

/// A line that is not blank.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Line {
    /// Its number in the input, from 1; blank lines count.
    pub(super) number: u64,
    /// Its bytes without the line break; `None` where there were too many.
    pub(super) bytes: Option<Vec<u8>>,
}

/// Reads lines from a source.
pub(super) struct Lines<R> {
    from: R,
    number: u64,
}

impl<R: BufRead> Lines<R> {
    pub(super) fn new(from: R) -> Self {
        Self { from, number: 0 }
    }

    /// The number of the last line read.
    pub(super) fn number(&self) -> u64 {
        self.number
    }

    /// The next line that is not blank; `None` at the end of input.
    ///
    /// # Errors
    /// What the source says.
    pub(super) fn next(&mut self) -> io::Result<Option<Line>> {
        loop {
            let Some(bytes) = self.read_line()? else { return Ok(None) };
            self.number += 1;
            if bytes.as_deref().is_none_or(|bytes| !bytes.trim_ascii().is_empty()) {
                return Ok(Some(Line { number: self.number, bytes }));
            }
        }
    }

    fn read_line(&mut self) -> io::Result<Option<Option<Vec<u8>>>> {
        let mut line = Some(Vec::new());
        let mut begun = false;
        loop {
            let buffer = match self.from.fill_buf() {
                Ok(buffer) => buffer,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(error),
            };
            if buffer.is_empty() {
                return Ok(begun.then_some(line));
            }
            begun = true;
            let end = buffer.iter().position(|byte| *byte == b'\n');
            let content = &buffer[..end.unwrap_or(buffer.len())];
            line = line.filter(|line: &Vec<u8>| line.len() + content.len() <= MAX_LINE_BYTES);
            if let Some(line) = &mut line {
                line.extend_from_slice(content);
            }
            let used = end.map_or(buffer.len(), |end| end + 1);
            self.from.consume(used);
            if end.is_some() {
                return Ok(Some(line));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::BufReader;

    use super::*;

    fn lines(input: &[u8], buffer: usize) -> Vec<(u64, Option<usize>)> {
        let mut lines = Lines::new(BufReader::with_capacity(buffer, input));
        let mut read = Vec::new();
        while let Some(line) = lines.next().unwrap() {
            read.push((line.number, line.bytes.map(|bytes| bytes.len())));
        }
        read
    }

    #[test]
    fn blank_lines_count_and_are_not_given() {
        for buffer in [1, 3, 8192] {
            assert_eq!(lines(b"\n{}\n \t\r\n\n{ }", buffer), [(2, Some(2)), (5, Some(3))]);
            assert_eq!(lines(b"{}\n", buffer), [(1, Some(2))]);
            assert_eq!(lines(b"", buffer), []);
        }
    }

    #[test]
    fn a_line_over_the_limit_is_skipped_to_its_end() {
        for buffer in [7, 8192] {
            let mut input = vec![b'x'; MAX_LINE_BYTES];
            input.extend_from_slice(b"\n");
            input.extend(vec![b'x'; MAX_LINE_BYTES + 1]);
            input.extend_from_slice(b"\n{}\n");
            assert_eq!(lines(&input, buffer), [(1, Some(MAX_LINE_BYTES)), (2, None), (3, Some(2))]);
        }
        assert_eq!(lines(&vec![b' '; 10 * MAX_LINE_BYTES], 8192), [(1, None)], "even where it is blank");
    }
}
