//! The demo's night: fixture orders, the fixture's clock, throw-away keys, a local folder as destination.

use chrono::{DateTime, NaiveDate, TimeZone, Utc};

/// The orders of `fixtures/a-first-night`.
pub const ORDERS: &str = include_str!("../../fixtures/a-first-night/orders-1.jsonl");

/// The night that is shown.
pub const BUSINESS_DATE: NaiveDate = match NaiveDate::from_ymd_opt(2026, 11, 21) {
    Some(date) => date,
    None => NaiveDate::MIN,
};

/// When the demo's run starts: four seconds past 03:00 UTC.
pub fn start() -> DateTime<Utc> {
    Utc.from_utc_datetime(&BUSINESS_DATE.and_hms_opt(3, 0, 4).unwrap_or_default())
}

/// The card whose record is shown.
pub const SHOWN_CARD: &str = "3001";
