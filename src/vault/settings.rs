//! The `[vault]` and `[[key]]` sections of the configuration.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde::Deserialize;

use super::keys::{KeyAlgorithm, KeyUsage};

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
    /// Key (usage M7) of the audit chain; never in the database.
    pub audit_key: String,
    /// Key (usage D0) of the software provider's stored PIN; a payment HSM has its own.
    #[serde(default)]
    pub pin_storage_key: Option<String>,
    /// Key block protection keys, by name.
    pub kbpk: BTreeMap<String, KbpkSettings>,
    /// `[vault.payshield]`, for that provider.
    #[serde(default)]
    pub payshield: Option<PayShieldSettings>,
}

/// Who computes card secrets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Provider {
    /// This process.
    #[default]
    Software,
    /// Thales payShield, over TCP or TLS.
    PayShield,
}

/// `[vault.payshield]`: the devices and how they are spoken to (`card-secrets.md` 3).
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PayShieldSettings {
    /// Which kind of local master key the devices have.
    pub lmk: LmkDialect,
    /// Check value of that LMK as NC shows it: 16 hexadecimal digits; a device with another is not used.
    pub lmk_check_value: String,
    /// `HOST:PORT` of each device, in the order of preference.
    pub devices: Vec<String>,
    /// Connections to each device; one request is in flight on each.
    #[serde(default = "connections")]
    pub connections: u32,
    /// Most commands a second to all devices together, because live authorisations share them; absent = no cap.
    #[serde(default)]
    pub commands_per_s: Option<u32>,
    /// How long a connection may take to be made, and an answer to come.
    #[serde(default = "timeout_ms")]
    pub timeout_ms: u32,
    /// Tries of a command before the agreement waits for another run, the first one included.
    #[serde(default = "attempts")]
    pub attempts: u32,
    /// Characters of the message header, as the devices are configured.
    #[serde(default = "header_length")]
    pub header_length: u32,
    /// TLS with certificates on both sides; absent = plain TCP.
    #[serde(default)]
    pub tls: Option<HsmTlsSettings>,
}

/// Which kind of local master key an HSM has: it decides in which form keys stand in commands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LmkDialect {
    /// A variant LMK: keys with a scheme letter (U, T) before the cryptogram.
    Variant,
    /// A key-block LMK: keys as Thales key blocks, with S before them.
    KeyBlock,
}

/// `[vault.payshield.tls]`: PEM files.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HsmTlsSettings {
    /// Authority of the devices' certificates; no other is believed.
    pub ca_file: String,
    /// Our certificate.
    pub certificate_file: String,
    /// Its private key.
    pub key_file: String,
    /// The name in the devices' certificates; absent = the host of each.
    #[serde(default)]
    pub server_name: Option<String>,
}

fn connections() -> u32 {
    4
}

fn timeout_ms() -> u32 {
    5_000
}

fn attempts() -> u32 {
    3
}

fn header_length() -> u32 {
    4
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

/// `[[key]]`: a TR-31 block under a protection key, or a key under the LMK of a payment HSM.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeySettings {
    /// The name other sections use.
    pub id: String,
    /// File with the block, or the key under the LMK, on one line.
    pub block_file: String,
    /// Which key protects it; not with `lmk`.
    #[serde(default)]
    pub kbpk: Option<String>,
    /// What it is, where a payment HSM protects it; not with `kbpk`.
    #[serde(default)]
    pub lmk: Option<LmkKeySettings>,
    /// Its check value; of a key under the LMK it must be there, since only the device can tell it.
    #[serde(default)]
    pub kcv: Option<String>,
    /// Of a CVK under the LMK: the CVV of [`super::payshield::proof::CHECKED_PAN`], as it was written down when the key
    /// was made; `emboss check` compares what the devices make.
    #[serde(default)]
    pub check_cvv: Option<String>,
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

/// `lmk = { usage, algorithm }` of a key: a key under the LMK does not say everything about itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LmkKeySettings {
    /// TR-31 usage: C0, V2 or P0.
    pub usage: KeyUsage,
    /// Algorithm and length.
    pub algorithm: KeyAlgorithm,
}

fn instant<'de, D: serde::Deserializer<'de>>(from: D) -> Result<Option<DateTime<Utc>>, D::Error> {
    let written = toml::value::Datetime::deserialize(from)?.to_string();
    DateTime::parse_from_rfc3339(&written)
        .map(|instant| Some(instant.with_timezone(&Utc)))
        .map_err(|_| serde::de::Error::custom("must be a date and time with Z, for example 2029-01-01T00:00:00Z"))
}
