//! Why a file cannot be sealed or opened, each in one sentence with the key's fingerprint.

use chrono::{DateTime, Utc};

/// Why sealing or opening failed. The unusable-key variants stop an agreement before it claims (R135, KEY_UNUSABLE).
#[derive(Debug, thiserror::Error)]
pub enum SealError {
    /// Not an OpenPGP certificate.
    #[error("the OpenPGP key of {name} cannot be read: {reason}")]
    Unreadable {
        /// Whose key.
        name: String,
        /// What the parser said.
        reason: String,
    },
    /// The file holds another certificate than the pinned one.
    #[error(
        "the OpenPGP key of {name} is not the pinned one: expected {expected}, found {found}; ask its owner by telephone before changing the fingerprint"
    )]
    Fingerprint {
        /// Whose key.
        name: String,
        /// As configured.
        expected: String,
        /// What the file holds.
        found: String,
    },
    /// Taken back by its owner.
    #[error("the OpenPGP key {fingerprint} of {name} is revoked ({reason}); get its new certificate")]
    Revoked {
        /// Whose key.
        name: String,
        /// Its fingerprint.
        fingerprint: String,
        /// The owner's reason.
        reason: String,
    },
    /// Over.
    #[error("the OpenPGP key {fingerprint} of {name} expired on {at}; get its renewed certificate")]
    Expired {
        /// Whose key.
        name: String,
        /// Its fingerprint.
        fingerprint: String,
        /// When.
        at: DateTime<Utc>,
    },
    /// Made later than the instant of sealing.
    #[error("the OpenPGP key {fingerprint} of {name} is valid only from {from}; check the clock")]
    NotYetValid {
        /// Whose key.
        name: String,
        /// Its fingerprint.
        fingerprint: String,
        /// From when.
        from: DateTime<Utc>,
    },
    /// No usable subkey with the flags it takes.
    #[error("the OpenPGP key {fingerprint} of {name} has no usable key to {purpose}: {reason}")]
    NoUsableKey {
        /// Whose key.
        name: String,
        /// Its fingerprint.
        fingerprint: String,
        /// `encrypt to` or `sign with`.
        purpose: &'static str,
        /// Why none of its keys will do.
        reason: String,
    },
    /// Its self-signature is missing, or too weak for the policy.
    #[error("the OpenPGP key {fingerprint} of {name} is not acceptable: {reason}")]
    Unacceptable {
        /// Whose key.
        name: String,
        /// Its fingerprint.
        fingerprint: String,
        /// What the policy said.
        reason: String,
    },
    /// A house without recipients: nobody could read the file.
    #[error("there is no recipient to encrypt to")]
    NoRecipients,
    /// A wrong or missing passphrase.
    #[error("the secret OpenPGP key {fingerprint} cannot be unlocked; check its passphrase_file")]
    Locked {
        /// Its fingerprint.
        fingerprint: String,
    },
    /// Writing the message failed, often because its sink did.
    #[error("the OpenPGP message cannot be written")]
    Write(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The message cannot be opened with this key, or is not OpenPGP.
    #[error("the OpenPGP message cannot be opened")]
    Open(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// A key could not be made.
    #[error("an OpenPGP key cannot be made")]
    Generate(#[source] Box<dyn std::error::Error + Send + Sync>),
}
