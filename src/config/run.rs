//! The `[run]` section: where sealed files wait, how far clocks may differ, and how much is done at once.

use serde::Deserialize;

use super::finding::{Finding, Findings};

/// `[run]`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RunSettings {
    /// Folder of sealed files, mode 0700; never holds plaintext.
    pub spool: String,
    /// Days a sealed file is kept after SETTLED; in every other state it is kept for ever.
    pub spool_retention_days: u32,
    /// Fault 24: the most seconds by which the clocks of host and database may differ.
    pub clock_skew_max_s: u32,
    /// Agreements that are worked on at the same time.
    pub agreements_at_once: u32,
    /// Connections to one destination at the same time, whatever the number of agreements that send there.
    pub uploads_at_once: u32,
}

impl Default for RunSettings {
    fn default() -> Self {
        Self {
            spool: "spool".to_owned(),
            spool_retention_days: 35,
            clock_skew_max_s: 300,
            agreements_at_once: 4,
            uploads_at_once: 2,
        }
    }
}

impl RunSettings {
    pub(super) fn validate(&self, found: &mut Vec<Finding>) {
        let mut findings = Findings::of("[run]", found);
        findings.require(!self.spool.is_empty(), "spool", "is empty", "name a folder of this host");
        findings.range("spool_retention_days", self.spool_retention_days.into(), 1, 3650);
        findings.range("clock_skew_max_s", self.clock_skew_max_s.into(), 1, 300);
        findings.range("agreements_at_once", self.agreements_at_once.into(), 1, 64);
        findings.range("uploads_at_once", self.uploads_at_once.into(), 1, 16);
    }
}
