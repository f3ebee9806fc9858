//! Card secrets: the keys, encryption at rest, and the card cryptography behind one trait.
//!
//! Invariants: a key is used only for its TR-31 usage; nothing in the program can print a PIN; PANs and PINs leave
//! this module encrypted, or inside secret types on their way into a document.

pub mod at_rest;
mod cipher;
mod cvv;
mod digits;
pub mod index;
pub mod kbpk;
pub mod key_set;
pub mod keys;
pub mod opening;
pub mod payshield;
mod pin;
mod pin_block;
mod published;
mod pvv;
pub mod ring;
mod safe;
pub mod settings;
pub mod software;
pub mod tr31;
pub mod tracks;
#[cfg(test)]
mod vectors;

pub use at_rest::VaultError;
pub use keys::{CvkUse, KeyAlgorithm, KeyError, KeyInfo, KeyUsage};
pub use opening::{KbpkComponents, Protection, ProviderKeys, VaultFinding, VaultKeys, WrappedKey};
pub use safe::Vault;

use std::sync::Arc;

use async_trait::async_trait;
use chrono::{DateTime, Utc};

use crate::agreement::Cvv2Expiry;
use crate::ambient::Random;
use crate::card::{CardId, Cvv, Expiry, InstitutionId, Pan, PinBlock, PinBlockFormat, SecretHex};

/// A wrapped secret as it stands in the database: key id, nonce and ciphertext, opaque to everybody else.
#[derive(Clone, PartialEq, Eq)]
pub struct Wrapped(pub Vec<u8>);

impl std::fmt::Debug for Wrapped {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Wrapped({} bytes)", self.0.len())
    }
}

impl Wrapped {
    /// The key it is sealed under; `None` where it is not of the form this program writes.
    pub fn key_id(&self) -> Option<&str> {
        at_rest::key_id(&self.0)
    }
}

/// What a wrapped secret belongs to: bound as associated data, so that rows cannot be swapped.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Purpose {
    /// The PAN of a card.
    Pan,
    /// The PIN of a card, in the stored form of its provider.
    Pin {
        /// PIN version of the card.
        version: i64,
    },
    /// The PVV of that PIN.
    Pvv {
        /// PIN version of the card.
        version: i64,
    },
    /// The fill seed of a file.
    FillSeed {
        /// The file.
        file_id: crate::card::FileId,
    },
}

/// The owner of a wrapped secret: institution, and card where there is one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Owner {
    /// The issuer.
    pub institution: InstitutionId,
    /// The card; `None` for a file's fill seed.
    pub card_id: Option<CardId>,
}

/// A PIN in the opaque form its provider stores; never a clear PIN.
#[derive(Clone, PartialEq, Eq)]
pub struct StoredPin {
    /// Which provider and form, for example `software/iso4`.
    pub scheme: String,
    /// Its bytes.
    pub bytes: zeroize::Zeroizing<Vec<u8>>,
}

impl std::fmt::Debug for StoredPin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "StoredPin({})", self.scheme)
    }
}

/// A PIN verification value with the key it was made under.
#[derive(Clone, PartialEq, Eq)]
pub struct Pvv {
    /// Four digits, secret.
    pub value: Cvv,
    /// PIN verification key indicator.
    pub pvki: String,
    /// The key.
    pub key_id: String,
}

impl std::fmt::Debug for Pvv {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Pvv({})", self.key_id)
    }
}

/// What issuing a PIN gives back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IssuedPin {
    /// The PIN, opaque.
    pub stored: StoredPin,
    /// Its PVV, where the product has one.
    pub pvv: Option<Pvv>,
}

/// Which PVV to make with a PIN.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PvvSpec {
    /// The key (usage V2).
    pub key_id: String,
    /// PIN verification key indicator, one digit.
    pub pvki: String,
}

/// The digit order and content of a CVV.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CvvSpec<'a> {
    /// The key (usage C0).
    pub key_id: &'a str,
    /// Last month of validity.
    pub expiry: Expiry,
    /// YYMM or MMYY.
    pub order: Cvv2Expiry,
    /// 999 for iCVV, 000 for CVV2, else the card's.
    pub service_code: &'a str,
}

impl PvvSpec {
    /// The indicator as the digit that it must be.
    ///
    /// # Errors
    /// [`CryptoError::Configuration`] where it is not one digit.
    fn pvki_digit(&self) -> Result<u8, CryptoError> {
        match self.pvki.as_bytes() {
            [digit @ b'0'..=b'9'] => Ok(*digit),
            _ => Err(CryptoError::Configuration("a PIN verification key indicator is one digit".to_owned())),
        }
    }
}

impl CvvSpec<'_> {
    /// The expiry's four digits in their order, and the service code's three.
    ///
    /// # Errors
    /// [`CryptoError::Configuration`] where the service code is not three digits.
    fn digits(&self) -> Result<(String, &str), CryptoError> {
        if self.service_code.len() != 3 || !self.service_code.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(CryptoError::Configuration("a service code has three digits".to_owned()));
        }
        let expiry = match self.order {
            Cvv2Expiry::Yymm => self.expiry.yymm(),
            Cvv2Expiry::Mmyy => self.expiry.mmyy(),
        };
        Ok((expiry, self.service_code))
    }
}

/// Of a stored PIN whose form is not the asked provider's.
const OF_ANOTHER_PROVIDER: &str =
    "the stored PIN was made by another provider of card cryptography; this one cannot read it";

/// Why card cryptography failed, by what must happen next.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CryptoError {
    /// This card cannot be done: it is held, the others go on.
    #[error("{0}")]
    Card(String),
    /// Keys or settings are wrong: the agreement stops before any file leaves.
    #[error("{0}")]
    Configuration(String),
    /// A device did not answer: another try may help.
    #[error("{0}")]
    Transient(String),
}

/// Card cryptography, provided by software or by a payment HSM. One shared contract test runs against every provider.
#[async_trait]
pub trait CardCrypto: Send + Sync + std::fmt::Debug {
    /// The word for reports: `software` or `payshield`.
    fn name(&self) -> &'static str;

    /// The same provider drawing from another source; `None` where it draws from none of ours, as a device does.
    fn with_random(&self, _random: &Arc<Random>) -> Option<Arc<dyn CardCrypto>> {
        None
    }

    /// Cards that may be worked on at once: as many as it can answer at the same time.
    fn at_once(&self) -> usize {
        1
    }

    /// Whether it can work at all.
    async fn health(&self) -> Result<(), CryptoError>;

    /// Key check value: six hexadecimal digits, by key id.
    async fn kcv(&self, key_id: &str) -> Result<String, CryptoError>;

    /// Makes a random PIN of four digits and its PVV.
    async fn issue_pin(&self, pan: &Pan, pvv: Option<&PvvSpec>) -> Result<IssuedPin, CryptoError>;

    /// The PVV of a stored PIN.
    async fn pvv(&self, pan: &Pan, pin: &StoredPin, spec: &PvvSpec) -> Result<Pvv, CryptoError>;

    /// The stored PIN as a PIN block under a zone PIN key. `fill` is 8 bytes of fill for formats 3 and 4; a device draws
    /// its own.
    async fn pin_block(
        &self,
        pan: &Pan,
        pin: &StoredPin,
        zpk: &str,
        format: PinBlockFormat,
        fill: [u8; 8],
    ) -> Result<PinBlock, CryptoError>;

    /// Takes a PIN block from an issuer into the stored form.
    async fn import_pin(
        &self,
        pan: &Pan,
        block: &SecretHex,
        zpk: &str,
        format: PinBlockFormat,
    ) -> Result<StoredPin, CryptoError>;

    /// A card verification value of three digits.
    async fn cvv(&self, pan: &Pan, spec: &CvvSpec<'_>) -> Result<Cvv, CryptoError>;

    /// Whether a PIN block under a zone PIN key holds the stored PIN.
    async fn verify_block(&self, pan: &Pan, pin: &StoredPin, block: &PinBlock) -> Result<bool, CryptoError>;
}

/// What a key may be used for when (validity window of `[[key]]`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct KeyWindow {
    /// Not before.
    pub not_before: Option<DateTime<Utc>>,
    /// Not after; of a CVK: no new cards after this.
    pub not_after: Option<DateTime<Utc>>,
    /// CVK only: reissues until this.
    pub retire_at: Option<DateTime<Utc>>,
}

crate::card::product::words!(
    /// Where an instant stands in the window of a key.
    KeyState {
        /// Before `not_before`.
        NotYet = "NOT_YET",
        /// It may be used for everything.
        InForce = "IN_FORCE",
        /// After `not_after`; a CVK still serves reissues.
        Ended = "ENDED",
        /// A CVK after `retire_at`.
        Retired = "RETIRED",
    }
);

impl KeyWindow {
    /// Where an instant stands in it; both of its ends belong to it.
    pub fn state(&self, at: DateTime<Utc>) -> KeyState {
        let passed = |until: Option<DateTime<Utc>>| until.is_some_and(|until| at > until);
        if self.not_before.is_some_and(|from| at < from) {
            KeyState::NotYet
        } else if passed(self.retire_at) {
            KeyState::Retired
        } else if passed(self.not_after) {
            KeyState::Ended
        } else {
            KeyState::InForce
        }
    }
}
