//! What `[database]` must say (its settings belong to the store).

use super::finding::{Finding, Findings};
use crate::store::settings::DatabaseSettings;

/// Adds the faults of `[database]`.
pub(super) fn validate(database: &DatabaseSettings, found: &mut Vec<Finding>) {
    let mut findings = Findings::of("[database]", found);
    // The URL is never repeated: it may hold a password.
    match database.url.strip_prefix("sqlite:") {
        Some(path) => findings.require(!path.is_empty(), "url", "names no file", "write sqlite:PATH"),
        None => findings.add("url", "is not a database this version opens", "write sqlite:PATH"),
    }
    if let Some(file) = &database.password_file {
        findings.path("password_file", file);
        findings.add("password_file", "is set for SQLite, which knows no password", "remove it");
    }
    findings.range("busy_timeout_s", database.busy_timeout_s, 1, 3600);
}
