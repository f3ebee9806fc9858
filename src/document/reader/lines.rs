//! Lines of a file, one at a time, in one buffer that is wiped at the end.

use std::io::{self, BufRead, Read};

use zeroize::Zeroizing;

use super::ReadError;

/// Longer than any line of ours, short enough that a hostile file cannot fill the memory.
const LONGEST_LINE: u64 = 16 * 1024 * 1024;

pub(super) struct Lines<R> {
    source: R,
    line: Zeroizing<Vec<u8>>,
    number: u64,
}

impl<R: BufRead> Lines<R> {
    pub(super) fn new(source: R) -> Self {
        Self { source, line: Zeroizing::new(Vec::with_capacity(64 * 1024)), number: 0 }
    }

    /// The next line without its line break.
    pub(super) fn next(&mut self) -> Result<&str, ReadError> {
        self.line.clear();
        self.number += 1;
        let line = self.number;
        self.source.by_ref().take(LONGEST_LINE).read_until(b'\n', &mut self.line)?;
        if self.line.last() != Some(&b'\n') {
            let long = self.line.len() as u64 == LONGEST_LINE;
            return Err(if long { ReadError::LineTooLong { line } } else { ReadError::Truncated { line } });
        }
        let text = std::str::from_utf8(&self.line).map_err(|_| ReadError::NotUtf8 { line })?;
        Ok(&text[..text.len() - 1])
    }

    /// The next line, which must be this one.
    pub(super) fn expect(&mut self, expected: &str) -> Result<(), ReadError> {
        let found = self.next()? == expected;
        if found { Ok(()) } else { Err(self.unexpected(expected)) }
    }

    /// The line just read is not what the frame asks for.
    pub(super) fn unexpected(&self, expected: &str) -> ReadError {
        ReadError::Frame { line: self.number, expected: expected.to_owned() }
    }

    /// Nothing may follow.
    pub(super) fn end(&mut self) -> Result<(), ReadError> {
        loop {
            match self.source.fill_buf() {
                Ok([]) => return Ok(()),
                Ok(_) => return Err(ReadError::Frame { line: self.number + 1, expected: "the end".to_owned() }),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error.into()),
            }
        }
    }
}
