//! The key ring: every key by its id, handed out for its own usage only.
//!
//! Invariant: no cipher leaves the ring but through a function named for its usage. Time is asked separately, by
//! whoever decides what is made ([`KeyRing::live`], [`KeyRing::live_cvk`]): a CVK that may make no new card still
//! computes the CVV of the cards it was pinned to.

#[cfg(test)]
mod tests;

use std::cmp::Reverse;
use std::collections::BTreeMap;

use aes_gcm::Aes256Gcm;
use chrono::{DateTime, Utc};

use super::cipher::{Aes, Tdes};
use super::cvv::CvvKey;
use super::index::Index;
use super::keys::{Cipher, CvkUse, Key, KeyError, KeyInfo, KeyUsage};
use super::payshield::key::LmkKey;

/// All keys of a configuration.
#[derive(Debug, Default)]
pub struct KeyRing(BTreeMap<String, Key>);

/// What a zone PIN key is wanted for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ZoneUse {
    /// Making a block for a house.
    Encrypt,
    /// Taking in a block of an issuer.
    Decrypt,
    /// Comparing a block with a stored PIN: only whether they agree comes out, so that any mode of use will do.
    Compare,
}

impl KeyRing {
    /// Adds a key; `false`, and nothing done, where the id is taken.
    pub(super) fn add(&mut self, key: Key) -> bool {
        let free = !self.0.contains_key(&key.info.id);
        if free {
            self.0.insert(key.info.id.clone(), key);
        }
        free
    }

    /// What is known about a key.
    pub fn info(&self, id: &str) -> Option<&KeyInfo> {
        self.0.get(id).map(|key| &key.info)
    }

    /// What is known about every key, by id.
    pub fn infos(&self) -> impl Iterator<Item = &KeyInfo> {
        self.0.values().map(|key| &key.info)
    }

    /// Whether a key may be used as `usage` at an instant. A CVK is asked as for new cards.
    ///
    /// # Errors
    /// [`KeyError`]: no such key, another usage, too early, ended or retired.
    pub fn live(&self, id: &str, usage: KeyUsage, at: DateTime<Utc>) -> Result<&KeyInfo, KeyError> {
        let key = &self.key(id, usage)?.info;
        begun(key, at)?;
        not_retired(key, at)?;
        match key.window.not_after {
            Some(until) if at > until => Err(KeyError::Ended { id: id.to_owned(), until }),
            _ => Ok(key),
        }
    }

    /// Whether a card verification key may be used for new cards, or for reissues, at an instant.
    ///
    /// # Errors
    /// [`KeyError`]: no such key, another usage, too early, ended or retired.
    pub fn live_cvk(&self, id: &str, wanted: CvkUse, at: DateTime<Utc>) -> Result<&KeyInfo, KeyError> {
        match wanted {
            CvkUse::New => self.live(id, KeyUsage::CardVerification, at),
            CvkUse::Reissue => {
                let key = &self.key(id, KeyUsage::CardVerification)?.info;
                begun(key, at)?;
                not_retired(key, at)?;
                Ok(key)
            }
        }
    }

    /// Whether an issuer's PIN blocks may be taken in under a key at an instant: a zone PIN key that may decrypt.
    ///
    /// # Errors
    /// [`KeyError`]: no such key, another usage or mode of use, too early or ended.
    pub fn live_for_issuer(&self, id: &str, at: DateTime<Utc>) -> Result<&KeyInfo, KeyError> {
        self.zpk(id, ZoneUse::Decrypt)?;
        self.live(id, KeyUsage::PinEncryption, at)
    }

    /// Those of a list of zone PIN keys that may make blocks for a house at an instant, in the order of the list.
    pub fn zone_keys(&self, ids: &[String], at: DateTime<Utc>) -> Vec<&KeyInfo> {
        let usable = |id: &String| {
            self.zpk(id, ZoneUse::Encrypt).ok()?;
            self.live(id, KeyUsage::PinEncryption, at).ok()
        };
        ids.iter().filter_map(usable).collect()
    }

    /// The one of a list of zone PIN keys under which blocks for a house are made at an instant: of those in force the
    /// one that began last; of several that began together, or have no beginning, the first of the list. So a rollover
    /// is two keys in the list and `not_before` of the new one, and the same instant always gives the same key.
    pub fn zone_key(&self, ids: &[String], at: DateTime<Utc>) -> Option<&KeyInfo> {
        self.zone_keys(ids, at).into_iter().min_by_key(|key| Reverse(key.window.not_before))
    }

    /// Whether a key is one that makes blocks for a house, whenever that may be.
    ///
    /// # Errors
    /// [`KeyError`]: no such key, another usage, or a mode of use that forbids it.
    pub fn encrypts_for_house(&self, id: &str) -> Result<&KeyInfo, KeyError> {
        self.zpk(id, ZoneUse::Encrypt).map(|key| &key.info)
    }

    /// A key under the LMK of a payment HSM, for its usage.
    pub(super) fn under_lmk(&self, id: &str, usage: KeyUsage) -> Result<&LmkKey, KeyError> {
        match &self.key(id, usage)?.cipher {
            Cipher::Lmk(key) => Ok(key),
            _ => Err(KeyError::NotUnderLmk { id: id.to_owned() }),
        }
    }

    /// A card verification key.
    pub(super) fn cvk(&self, id: &str) -> Result<&CvvKey, KeyError> {
        let key = self.key(id, KeyUsage::CardVerification)?;
        match &key.cipher {
            Cipher::Cvv(cipher) => Ok(cipher),
            _ => Err(key.wrong("a card verification key")),
        }
    }

    /// A PIN verification key.
    pub(super) fn pvk(&self, id: &str) -> Result<&Tdes, KeyError> {
        let key = self.key(id, KeyUsage::PinVerification)?;
        match &key.cipher {
            Cipher::Tdes(cipher) => Ok(cipher),
            _ => Err(key.wrong("a PIN verification key")),
        }
    }

    /// A TDES zone PIN key.
    pub(super) fn zpk_tdes(&self, id: &str, wanted: ZoneUse) -> Result<&Tdes, KeyError> {
        let key = self.zpk(id, wanted)?;
        match &key.cipher {
            Cipher::Tdes(cipher) => Ok(cipher),
            _ => Err(key.wrong("a TDES key, for PIN block formats 0 and 3,")),
        }
    }

    /// An AES zone PIN key.
    pub(super) fn zpk_aes(&self, id: &str, wanted: ZoneUse) -> Result<&Aes, KeyError> {
        let key = self.zpk(id, wanted)?;
        match &key.cipher {
            Cipher::Aes(cipher) => Ok(cipher),
            _ => Err(key.wrong("an AES key, for PIN block format 4,")),
        }
    }

    /// The AES key of stored PINs.
    pub(super) fn pin_storage(&self, id: &str) -> Result<&Aes, KeyError> {
        let key = self.key(id, KeyUsage::DataEncryption)?;
        match &key.cipher {
            Cipher::Data(cipher, _) | Cipher::Aes(cipher) => Ok(cipher),
            _ => Err(key.wrong("an AES key")),
        }
    }

    /// A key of data at rest.
    pub(super) fn data(&self, id: &str) -> Result<&Aes256Gcm, KeyError> {
        let key = self.key(id, KeyUsage::DataEncryption)?;
        match &key.cipher {
            Cipher::Data(_, cipher) => Ok(cipher),
            _ => Err(key.wrong("AES_256")),
        }
    }

    /// The key of the PAN index.
    pub(super) fn index(&self, id: &str) -> Result<&Index, KeyError> {
        let key = self.key(id, KeyUsage::Hmac)?;
        match &key.cipher {
            Cipher::Hmac(index) => Ok(index),
            _ => Err(key.wrong("an HMAC key")),
        }
    }

    fn zpk(&self, id: &str, wanted: ZoneUse) -> Result<&Key, KeyError> {
        let key = self.key(id, KeyUsage::PinEncryption)?;
        let needed = match wanted {
            ZoneUse::Encrypt => "BEN",
            ZoneUse::Decrypt => "BDN",
            ZoneUse::Compare => "BEDN",
        };
        if needed.contains(key.mode) {
            return Ok(key);
        }
        Err(KeyError::Mode { id: id.to_owned(), usage: key.info.usage, mode: key.mode, needed })
    }

    fn key(&self, id: &str, wanted: KeyUsage) -> Result<&Key, KeyError> {
        let key = self.0.get(id).ok_or_else(|| KeyError::Unknown { id: id.to_owned() })?;
        if key.info.usage == wanted {
            return Ok(key);
        }
        Err(KeyError::WrongUsage { id: id.to_owned(), usage: key.info.usage, wanted })
    }
}

impl Key {
    fn wrong(&self, needed: &'static str) -> KeyError {
        if matches!(self.cipher, Cipher::Lmk(_)) {
            return KeyError::UnderLmk { id: self.info.id.clone() };
        }
        KeyError::WrongAlgorithm { id: self.info.id.clone(), algorithm: self.info.algorithm, needed }
    }
}

fn begun(key: &KeyInfo, at: DateTime<Utc>) -> Result<(), KeyError> {
    match key.window.not_before {
        Some(from) if at < from => Err(KeyError::TooEarly { id: key.id.clone(), from }),
        _ => Ok(()),
    }
}

fn not_retired(key: &KeyInfo, at: DateTime<Utc>) -> Result<(), KeyError> {
    match key.window.retire_at {
        Some(until) if at > until => Err(KeyError::Retired { id: key.id.clone(), until }),
        _ => Ok(()),
    }
}
