//! What a key is: usage, algorithm, check value, window, and its cipher.
//!
//! Invariants: usage, algorithm, length and mode of use belong together, or the key is refused; its cipher is made once,
//! when it is admitted, and its bytes are not kept beside it.

use aes_gcm::Aes256Gcm;
use aes_gcm::aead::KeyInit;
use chrono::{DateTime, Utc};

use super::KeyWindow;
use super::cipher::{Aes, Tdes, aes_kcv, hmac_kcv, tdes_kcv};
use super::cvv::CvvKey;
use super::index::Index;
use super::payshield::key::LmkKey;
use super::settings::LmkKeySettings;
use super::tr31::OpenedBlock;
use crate::card::product::words;

words!(
    /// What a key is for (TR-31 key usage).
    KeyUsage {
        /// Card verification values.
        CardVerification = "C0",
        /// PIN verification values.
        PinVerification = "V2",
        /// PIN blocks towards an embossing house or from an issuer (zone PIN key).
        PinEncryption = "P0",
        /// Data at rest, and the stored PIN.
        DataEncryption = "D0",
        /// The PAN index.
        Hmac = "M7",
    }
);

words!(
    /// Algorithm and length of a key.
    KeyAlgorithm {
        /// TDES, 16 bytes.
        Tdes2Key = "TDES_2KEY",
        /// TDES, 24 bytes.
        Tdes3Key = "TDES_3KEY",
        /// AES, 16 bytes.
        Aes128 = "AES_128",
        /// AES, 24 bytes.
        Aes192 = "AES_192",
        /// AES, 32 bytes.
        Aes256 = "AES_256",
        /// HMAC-SHA-256, 32 bytes or more.
        Hmac = "HMAC",
    }
);

impl KeyUsage {
    /// Whether it is for CVVs, PVVs or PINs: what a payment HSM computes where there is one.
    pub fn is_of_cards(self) -> bool {
        matches!(self, Self::CardVerification | Self::PinVerification | Self::PinEncryption)
    }
}

impl KeyAlgorithm {
    /// Whether it is AES of any length.
    pub fn is_aes(self) -> bool {
        matches!(self, Self::Aes128 | Self::Aes192 | Self::Aes256)
    }

    /// Whether it is TDES of any length.
    pub fn is_tdes(self) -> bool {
        matches!(self, Self::Tdes2Key | Self::Tdes3Key)
    }
}

/// What is known about a key; never its bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyInfo {
    /// The name the configuration uses.
    pub id: String,
    /// What it is for.
    pub usage: KeyUsage,
    /// Algorithm and length.
    pub algorithm: KeyAlgorithm,
    /// Check value: 6 hexadecimal digits of a TDES key, 10 of any other.
    pub kcv: String,
    /// When it may be used.
    pub window: KeyWindow,
}

impl KeyInfo {
    /// The 6 digits of the check value that are shown in headers and reports.
    pub fn shown_kcv(&self) -> &str {
        self.kcv.get(..6).unwrap_or(&self.kcv)
    }

    /// Whether it could be the data key, and so open what was sealed while it was.
    pub fn could_seal(&self) -> bool {
        self.usage == KeyUsage::DataEncryption && self.algorithm == KeyAlgorithm::Aes256
    }
}

/// What a card verification key is wanted for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CvkUse {
    /// A card with a new PAN or a new expiry: until `not_after`.
    New,
    /// A card that keeps both, and so its CVV2: until `retire_at`.
    Reissue,
}

/// Why a key cannot enter the ring, or cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// No such key.
    #[error("key {id} does not exist in the configuration")]
    Unknown {
        /// The id asked for.
        id: String,
    },
    /// A key of another usage.
    #[error("key {id} has usage {usage}; it must not be used as {wanted}")]
    WrongUsage {
        /// The key.
        id: String,
        /// Its usage.
        usage: KeyUsage,
        /// What was wanted.
        wanted: KeyUsage,
    },
    /// A key of the right usage and a wrong algorithm.
    #[error("key {id} is {algorithm}; {needed} is needed here")]
    WrongAlgorithm {
        /// The key.
        id: String,
        /// Its algorithm.
        algorithm: KeyAlgorithm,
        /// What would do.
        needed: &'static str,
    },
    /// The block says a usage this program has no use for.
    #[error("key {id} has TR-31 usage {usage}; the program uses C0, V2, P0, D0 and M7")]
    UsageUnknown {
        /// The key.
        id: String,
        /// What its block says.
        usage: String,
    },
    /// Algorithm or length does not fit the usage.
    #[error("key {id} of usage {usage} must be {needed}")]
    Unfit {
        /// The key.
        id: String,
        /// Its usage.
        usage: KeyUsage,
        /// What it must be.
        needed: &'static str,
    },
    /// The mode of use forbids it.
    #[error("key {id} of usage {usage} has mode of use {mode}; it must be one of {needed}")]
    Mode {
        /// The key.
        id: String,
        /// Its usage.
        usage: KeyUsage,
        /// Its mode.
        mode: char,
        /// Modes that would do.
        needed: &'static str,
    },
    /// The halves of a TDES key are the same: single DES.
    #[error("key {id} is a TDES key with equal parts, which is single DES; it needs to be made anew")]
    EqualParts {
        /// The key.
        id: String,
    },
    /// Under the LMK of a payment HSM, and wanted in this process.
    #[error("key {id} is under the LMK of a payment HSM; only provider \"payshield\" can use it")]
    UnderLmk {
        /// The key.
        id: String,
    },
    /// In a key block, and wanted in a payment HSM.
    #[error(
        "key {id} is not under the LMK: import it into the payment HSM and give what that exports, with lmk in its [[key]]"
    )]
    NotUnderLmk {
        /// The key.
        id: String,
    },
    /// Asked for before `not_before`.
    #[error("key {id} must not be used before {from}")]
    TooEarly {
        /// The key.
        id: String,
        /// `not_before`.
        from: DateTime<Utc>,
    },
    /// Asked for after `not_after`.
    #[error("key {id} must not be used after {until}; a new key is needed in its place")]
    Ended {
        /// The key.
        id: String,
        /// `not_after`.
        until: DateTime<Utc>,
    },
    /// A CVK after `retire_at`.
    #[error("key {id} was retired at {until}: cards that are bound to it cannot be made again")]
    Retired {
        /// The key.
        id: String,
        /// `retire_at`.
        until: DateTime<Utc>,
    },
}

/// A key with its cipher.
pub(super) struct Key {
    /// What is known about it.
    pub(super) info: KeyInfo,
    /// TR-31 mode of use.
    pub(super) mode: char,
    /// Ready to be used.
    pub(super) cipher: Cipher,
}

/// The cipher of a key, after its usage and algorithm.
pub(super) enum Cipher {
    /// C0.
    Cvv(Box<CvvKey>),
    /// V2, and P0 for formats 0 and 3.
    Tdes(Box<Tdes>),
    /// P0 for format 4, and D0 of fewer than 32 bytes.
    Aes(Aes),
    /// D0 of 32 bytes: for the stored PIN, or for data at rest.
    Data(Aes, Box<Aes256Gcm>),
    /// M7.
    Hmac(Box<Index>),
    /// C0, V2 or P0 of a payment HSM: only the device can use it.
    Lmk(LmkKey),
}

impl std::fmt::Debug for Key {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Key({} {})", self.info.id, self.info.usage)
    }
}

impl Key {
    /// Takes a key from its opened block, if usage, algorithm, length and mode belong together.
    ///
    /// # Errors
    /// [`KeyError`], by what does not.
    pub(super) fn admit(id: &str, block: &OpenedBlock, window: KeyWindow) -> Result<Self, KeyError> {
        let usage: KeyUsage = block
            .usage
            .parse()
            .map_err(|_| KeyError::UsageUnknown { id: id.to_owned(), usage: block.usage.clone() })?;
        let (allowed, needed) = usage.terms();
        let unfit = || KeyError::Unfit { id: id.to_owned(), usage, needed };
        let algorithm = algorithm_of(block).filter(|algorithm| allowed.contains(algorithm)).ok_or_else(unfit)?;
        let modes = usage.modes();
        if !modes.contains(block.mode) {
            return Err(KeyError::Mode { id: id.to_owned(), usage, mode: block.mode, needed: modes });
        }
        if algorithm.is_tdes() && has_equal_parts(&block.key) {
            return Err(KeyError::EqualParts { id: id.to_owned() });
        }
        let cipher = Cipher::of(usage, algorithm, &block.key).ok_or_else(unfit)?;
        let kcv = kcv(algorithm, &block.key).ok_or_else(unfit)?;
        let info = KeyInfo { id: id.to_owned(), usage, algorithm, kcv, window };
        Ok(Self { info, mode: block.mode, cipher })
    }
}

impl Key {
    /// Takes a key under the LMK of a payment HSM, if usage and algorithm belong together. Its check value is what the
    /// configuration says: the device confirms it.
    ///
    /// # Errors
    /// [`KeyError`], by what does not.
    pub(super) fn under_lmk(
        id: &str,
        key: LmkKey,
        told: LmkKeySettings,
        kcv: &str,
        window: KeyWindow,
    ) -> Result<Self, KeyError> {
        let LmkKeySettings { usage, algorithm } = told;
        let (allowed, needed) = usage.terms();
        if !usage.is_of_cards() || !allowed.contains(&algorithm) {
            return Err(KeyError::Unfit { id: id.to_owned(), usage, needed });
        }
        let info = KeyInfo { id: id.to_owned(), usage, algorithm, kcv: kcv.to_ascii_uppercase(), window };
        Ok(Self { info, mode: 'N', cipher: Cipher::Lmk(key) })
    }
}

impl KeyUsage {
    /// Algorithms it may have, and those in words.
    fn terms(self) -> (&'static [KeyAlgorithm], &'static str) {
        use KeyAlgorithm::{Aes128, Aes192, Aes256, Hmac, Tdes2Key, Tdes3Key};
        match self {
            Self::CardVerification | Self::PinVerification => (&[Tdes2Key], "a TDES key of 16 bytes"),
            Self::PinEncryption => {
                (&[Tdes2Key, Tdes3Key, Aes128, Aes192, Aes256], "a TDES key of 16 or 24 bytes or an AES key")
            }
            Self::DataEncryption => (&[Aes128, Aes192, Aes256], "an AES key"),
            Self::Hmac => (&[Hmac], "an HMAC-SHA-256 key of 32 to 64 bytes"),
        }
    }

    /// TR-31 modes of use it may have.
    fn modes(self) -> &'static str {
        match self {
            Self::CardVerification | Self::PinVerification | Self::Hmac => "CGN",
            Self::PinEncryption => "BEDN",
            Self::DataEncryption => "BN",
        }
    }
}

fn algorithm_of(block: &OpenedBlock) -> Option<KeyAlgorithm> {
    let sha_256 = block.hash.as_deref().is_none_or(|hash| hash == "21");
    Some(match (block.algorithm, block.key.len()) {
        ('T', 16) => KeyAlgorithm::Tdes2Key,
        ('T', 24) => KeyAlgorithm::Tdes3Key,
        ('A', 16) => KeyAlgorithm::Aes128,
        ('A', 24) => KeyAlgorithm::Aes192,
        ('A', 32) => KeyAlgorithm::Aes256,
        ('H', 32..=64) if sha_256 => KeyAlgorithm::Hmac,
        _ => return None,
    })
}

/// Whether neighbouring 8-byte parts are the same but for parity bits: then TDES is single DES.
fn has_equal_parts(key: &[u8]) -> bool {
    let parts = key.as_chunks::<8>().0;
    parts.windows(2).any(|pair| pair[0].iter().zip(&pair[1]).all(|(a, b)| a | 1 == b | 1))
}

/// The check value of a key.
pub(super) fn kcv(algorithm: KeyAlgorithm, key: &[u8]) -> Option<String> {
    match algorithm {
        KeyAlgorithm::Tdes2Key | KeyAlgorithm::Tdes3Key => tdes_kcv(key),
        KeyAlgorithm::Hmac => hmac_kcv(key),
        KeyAlgorithm::Aes128 | KeyAlgorithm::Aes192 | KeyAlgorithm::Aes256 => aes_kcv(key),
    }
}

impl Cipher {
    fn of(usage: KeyUsage, algorithm: KeyAlgorithm, key: &[u8]) -> Option<Self> {
        Some(match (usage, algorithm) {
            (KeyUsage::CardVerification, _) => Self::Cvv(Box::new(CvvKey::new(key)?)),
            (KeyUsage::DataEncryption, KeyAlgorithm::Aes256) => {
                Self::Data(Aes::new(key)?, Box::new(Aes256Gcm::new_from_slice(key).ok()?))
            }
            (KeyUsage::Hmac, _) => Self::Hmac(Box::new(Index::new(key)?)),
            (_, algorithm) if algorithm.is_aes() => Self::Aes(Aes::new(key)?),
            _ => Self::Tdes(Box::new(Tdes::new(key)?)),
        })
    }
}

#[cfg(test)]
mod tests;
