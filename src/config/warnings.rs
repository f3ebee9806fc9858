//! The `[warnings]` section: how early people want to be told.

use serde::Deserialize;

use super::finding::{Finding, Findings, repeated};

/// `[warnings]`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct WarningSettings {
    /// R135: days before a key or certificate expires.
    pub key_expiry_days: Vec<u32>,
    /// R31: ages in days of a card that waits for its PIN.
    pub pin_wait_days: Vec<u32>,
    /// R14: a card that closes within so many days after the run is produced with a warning.
    pub closing_soon_days: u32,
}

impl Default for WarningSettings {
    fn default() -> Self {
        Self { key_expiry_days: vec![60, 30, 7], pin_wait_days: vec![7, 30, 90], closing_soon_days: 7 }
    }
}

impl WarningSettings {
    pub(super) fn validate(&self, found: &mut Vec<Finding>) {
        let mut findings = Findings::of("[warnings]", found);
        for (key, days) in [("key_expiry_days", &self.key_expiry_days), ("pin_wait_days", &self.pin_wait_days)] {
            for day in days {
                findings.range(key, (*day).into(), 1, 3650);
            }
            for day in repeated(days) {
                findings.add(key, format!("names {day} twice"), "name each number of days once");
            }
        }
        findings.range("closing_soon_days", self.closing_soon_days.into(), 0, 3650);
    }
}
