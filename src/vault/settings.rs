//! The `[vault]` and `[[key]]` sections of the configuration.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde::Deserialize;

/// `[vault]`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct VaultSettings {
    /// Who computes card secrets.
    #[serde(default)]
    pub provider: Provider,
    /// With `environment = "live"` the software provider refuses PINs unless this is set.
    #[serde(default)]
    pub allow_software_pin: bool,
    /// Key (usage D0) of PAN, PVV and stored PIN at rest.
    pub data_key: String,
    /// Key (usage M7) of the PAN index.
    pub pan_index_key: String,
    /// Key (usage D0) of the software provider's stored PIN.
    pub pin_storage_key: String,
    /// Key block protection keys, by name.
    pub kbpk: BTreeMap<String, KbpkSettings>,
}

/// Who computes card secrets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Provider {
    /// This process.
    #[default]
    Software,
}

/// `[vault.kbpk.NAME]`: two or more XOR components.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KbpkSettings {
    /// One hex line per file.
    pub component_files: Vec<String>,
    /// Check value of each component, in the same order; absent = not checked.
    #[serde(default)]
    pub component_kcvs: Vec<String>,
    /// Check value of the whole key.
    #[serde(default)]
    pub kcv: Option<String>,
}

/// `[[key]]`: one TR-31 block.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeySettings {
    /// The name other sections use.
    pub id: String,
    /// File with the block on one line.
    pub block_file: String,
    /// Which key protects it.
    pub kbpk: String,
    /// Its check value.
    #[serde(default)]
    pub kcv: Option<String>,
    /// Not before.
    #[serde(default, deserialize_with = "instant")]
    pub not_before: Option<DateTime<Utc>>,
    /// Not after; of a CVK: no new cards after this.
    #[serde(default, deserialize_with = "instant")]
    pub not_after: Option<DateTime<Utc>>,
    /// CVK only: reissues until this.
    #[serde(default, deserialize_with = "instant")]
    pub retire_at: Option<DateTime<Utc>>,
}

fn instant<'de, D: serde::Deserializer<'de>>(from: D) -> Result<Option<DateTime<Utc>>, D::Error> {
    let written = toml::value::Datetime::deserialize(from)?.to_string();
    DateTime::parse_from_rfc3339(&written)
        .map(|instant| Some(instant.with_timezone(&Utc)))
        .map_err(|_| serde::de::Error::custom("must be a date and time with Z, for example 2029-01-01T00:00:00Z"))
}
