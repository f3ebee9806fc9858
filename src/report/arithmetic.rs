//! The sum of a run: what was selected against what became of it.

use std::collections::BTreeMap;
use std::fmt;

/// The two sides of the night's promise: selected = delivered + undelivered + held + excluded + closed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Arithmetic {
    /// Requests that were OPEN and due, or in an unfinished file of this date.
    pub selected: u64,
    /// Records of files that reached the house.
    pub delivered: u64,
    /// Records of files that did not, by state.
    pub undelivered: BTreeMap<&'static str, u64>,
    /// Held.
    pub held: u64,
    /// Excluded.
    pub excluded: u64,
    /// Closed without a record.
    pub closed: u64,
}

impl Arithmetic {
    /// Whether nothing was lost.
    pub fn adds_up(&self) -> bool {
        let undelivered: u64 = self.undelivered.values().sum();
        self.selected == self.delivered + undelivered + self.held + self.excluded + self.closed
    }
}

impl fmt::Display for Arithmetic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} selected = {} delivered", self.selected, self.delivered)?;
        for (state, count) in &self.undelivered {
            write!(f, " + {count} {state}")?;
        }
        write!(f, " + {} held + {} excluded + {} closed", self.held, self.excluded, self.closed)?;
        f.write_str(if self.adds_up() { ": adds up." } else { ": DOES NOT ADD UP." })
    }
}
