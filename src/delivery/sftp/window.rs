//! The bytes of an upload that are under way: shown to libssh2 and not acknowledged yet.
//!
//! Invariants: the same bytes are shown again, from the first unacknowledged one on, until they are acknowledged; never
//! more than the window's size is under way.
//!
//! Why: libssh2 sends ahead only within what one call shows it. A window that moves along keeps a long line full, where
//! parts that are each acknowledged to their end leave it empty for a round trip every time.

use std::time::{Duration, Instant};

/// First size: small enough for a slow line to take within one timeout. Doubled while the line is quick.
const FIRST: usize = 256 * 1024;

/// Largest size: more gains little on any line.
const LAST: usize = 4 * 1024 * 1024;

/// A window that moves along.
#[derive(Debug)]
pub(super) struct Window {
    bytes: Vec<u8>,
    acknowledged: usize,
    size: usize,
    /// Acknowledged at this size, and since when.
    passed: usize,
    since: Instant,
}

impl Window {
    pub(super) fn new() -> Self {
        Self { bytes: Vec::new(), acknowledged: 0, size: FIRST, passed: 0, since: Instant::now() }
    }

    /// Adds bytes at its end.
    pub(super) fn put(&mut self, bytes: &[u8]) {
        self.bytes.drain(..self.acknowledged);
        self.acknowledged = 0;
        self.bytes.extend_from_slice(bytes);
    }

    /// How many bytes are not acknowledged.
    pub(super) fn waiting(&self) -> usize {
        self.bytes.len() - self.acknowledged
    }

    /// Whether more bytes wait than may be under way.
    pub(super) fn is_over_full(&self) -> bool {
        self.waiting() > self.size
    }

    /// What libssh2 is to be shown.
    pub(super) fn shown(&self) -> &[u8] {
        &self.bytes[self.acknowledged..][..self.waiting().min(self.size)]
    }

    /// So many bytes are acknowledged. Everything that is shown must be sent within one timeout, so the size grows only
    /// while a window takes less than `quick`.
    pub(super) fn acknowledge(&mut self, count: usize, quick: Duration) {
        self.acknowledged += count;
        self.passed += count;
        if self.passed < self.size {
            return;
        }
        if self.since.elapsed() < quick {
            self.size = (self.size * 2).min(LAST);
        }
        (self.passed, self.since) = (0, Instant::now());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const QUICK: Duration = Duration::from_secs(3600);

    #[test]
    fn what_is_not_acknowledged_is_shown_again() {
        let mut window = Window::new();
        window.put(b"abcdef");
        assert_eq!(window.shown(), b"abcdef");
        window.acknowledge(2, QUICK);
        assert_eq!(window.shown(), b"cdef");
        window.put(b"gh");
        assert_eq!((window.shown(), window.waiting()), (&b"cdefgh"[..], 6));
        window.acknowledge(6, QUICK);
        assert_eq!((window.shown(), window.waiting()), (&b""[..], 0));
    }

    #[test]
    fn no_more_than_its_size_is_under_way_and_a_quick_line_doubles_it() {
        let mut window = Window::new();
        window.put(&vec![0; 2 * LAST]);
        assert!(window.is_over_full());
        let mut sizes = Vec::new();
        while window.waiting() > 0 {
            sizes.push(window.shown().len());
            window.acknowledge(window.shown().len(), QUICK);
        }
        let mib = 1024 * 1024;
        assert_eq!(sizes, [mib / 4, mib / 2, mib, 2 * mib, 4 * mib, mib / 4]);
    }

    #[test]
    fn a_slow_line_keeps_the_first_size() {
        let mut window = Window::new();
        window.put(&vec![0; LAST]);
        window.acknowledge(FIRST, Duration::ZERO);
        assert_eq!(window.shown().len(), FIRST);
    }
}
