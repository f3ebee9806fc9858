//! The `[database]` section of the configuration.

use serde::Deserialize;

/// `[database]`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DatabaseSettings {
    /// `sqlite:PATH`, relative to the configuration file.
    pub url: String,
    /// Password, never inline.
    #[serde(default)]
    pub password_file: Option<String>,
    /// How long a SQLite writer waits for another.
    #[serde(default = "thirty")]
    pub busy_timeout_s: u64,
}

fn thirty() -> u64 {
    30
}
