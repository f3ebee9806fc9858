//! Headers of requests: an answer belongs to the request whose header it repeats.
//!
//! Invariant: no two requests in flight have the same header, on whatever connections they are, and one comes back as
//! late as its length allows.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

/// Headers are counted with these: every device repeats them unchanged.
const DIGITS: &[u8; 36] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ";

/// How many different headers of so many characters there are, as far as they can be counted.
pub fn different(length: u32) -> u64 {
    36_u64.saturating_pow(length)
}

/// Gives headers out.
#[derive(Debug)]
pub(super) struct Headers {
    length: u32,
    given: Mutex<Given>,
}

#[derive(Debug)]
struct Given {
    last: u64,
    in_flight: BTreeSet<u64>,
}

/// A header in flight; another request may have it once this is dropped.
pub(super) struct Header {
    headers: Arc<Headers>,
    number: u64,
    text: String,
}

impl fmt::Debug for Header {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Header({})", self.text)
    }
}

impl Headers {
    /// Those of so many characters, counted on from a number.
    pub(super) fn of_length(length: u32, from: u64) -> Arc<Self> {
        let given = Given { last: from % different(length), in_flight: BTreeSet::new() };
        Arc::new(Self { length, given: Mutex::new(given) })
    }

    /// Others of the same length.
    pub(super) fn counting_from(&self, from: u64) -> Arc<Self> {
        Self::of_length(self.length, from)
    }

    /// The next one. There must be more different ones than are in flight.
    pub(super) fn next(self: &Arc<Self>) -> Header {
        let mut given = self.given.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            given.last = given.last.wrapping_add(1) % different(self.length);
            let number = given.last;
            if given.in_flight.insert(number) {
                return Header { headers: Arc::clone(self), number, text: text(number, self.length) };
            }
        }
    }
}

impl Header {
    pub(super) fn as_str(&self) -> &str {
        &self.text
    }
}

impl Drop for Header {
    fn drop(&mut self) {
        self.headers.given.lock().unwrap_or_else(PoisonError::into_inner).in_flight.remove(&self.number);
    }
}

fn text(mut number: u64, length: u32) -> String {
    let mut digits = vec!['0'; length as usize];
    for digit in digits.iter_mut().rev() {
        *digit = char::from(DIGITS[(number % 36) as usize]);
        number /= 36;
    }
    digits.into_iter().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_are_counted_in_digits_and_letters() {
        let headers = Headers::of_length(4, 0);
        let first: Vec<String> = (0..36).map(|_| headers.next().as_str().to_owned()).collect();
        assert_eq!((&*first[0], &*first[9], &*first[35]), ("0001", "000A", "0010"));
        assert_eq!(text(36_u64.pow(4) - 1, 4), "ZZZZ");
        assert_eq!(Headers::of_length(4, 36_u64.pow(4) * 7 + 35).next().as_str(), "0010", "from any number");
        assert_eq!(Headers::of_length(255, u64::MAX - 1).next().as_str().len(), 255);
        assert_eq!(text(1, 255), format!("{}1", "0".repeat(254)));
        assert_eq!((different(1), different(4), different(255)), (36, 1_679_616, u64::MAX));
    }

    #[test]
    fn no_two_in_flight_are_the_same() {
        let headers = Headers::of_length(1, 36);
        let mut slow: Vec<Header> = (0..35).map(|_| headers.next()).collect();
        let texts: BTreeSet<&str> = slow.iter().map(Header::as_str).collect();
        assert_eq!((texts.len(), texts.contains("0")), (35, false));
        for _ in 0..3 {
            assert_eq!(headers.next().as_str(), "0", "the only one that is free");
        }
        drop(slow.remove(4));
        assert_eq!(headers.next().as_str(), "5");
    }
}
