//! The `[signer]` section of the configuration.

use serde::Deserialize;

/// `[signer]`: our OpenPGP key.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SignerSettings {
    /// Secret key, armored or binary; unencrypted, or with `passphrase_file`.
    pub key_file: String,
    /// Passphrase of the key.
    #[serde(default)]
    pub passphrase_file: Option<String>,
    /// 40 (v4) or 64 (v6) hexadecimal digits.
    pub fingerprint: String,
}
