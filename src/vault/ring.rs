//! The key ring: every key by its id, handed out for its own usage only.
//!
//! Invariant: no cipher leaves the ring but through a function named for its usage. Time is asked separately, by
//! whoever decides what is made ([`KeyRing::live`], [`KeyRing::live_cvk`]): a CVK that may make no new card still
//! computes the CVV of the cards it was pinned to.

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

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;
    use zeroize::Zeroizing;

    use super::*;
    use crate::vault::KeyWindow;
    use crate::vault::tr31::OpenedBlock;

    fn instant(text: &str) -> DateTime<Utc> {
        text.parse().unwrap()
    }

    fn ring() -> KeyRing {
        let window = KeyWindow {
            not_before: Some(instant("2026-01-01T00:00:00Z")),
            not_after: Some(instant("2029-01-01T00:00:00Z")),
            retire_at: None,
        };
        let cvk = KeyWindow { retire_at: Some(instant("2033-01-01T00:00:00Z")), ..window };
        let mut ring = KeyRing::default();
        let keys = [("cvk-1", "C0", 'T', 'C', 16, cvk), ("pvk-1", "V2", 'T', 'C', 16, KeyWindow::default())];
        let keys =
            keys.into_iter().chain([("zpk-1", "P0", 'T', 'E', 16, window), ("zpk-2", "P0", 'A', 'D', 16, window)]);
        let keys = keys.chain([("dek-1", "D0", 'A', 'B', 32, window), ("pin-1", "D0", 'A', 'B', 16, window)]);
        for (id, usage, algorithm, mode, length, window) in keys.chain([("pix-1", "M7", 'H', 'C', 32, window)]) {
            let key = Zeroizing::new((1..=length).map(|byte| byte * 3).collect());
            let block = OpenedBlock { usage: usage.to_owned(), algorithm, mode, exportability: 'N', hash: None, key };
            assert!(ring.add(Key::admit(id, &block, window).unwrap()));
        }
        ring
    }

    #[test]
    fn a_key_is_refused_for_every_other_usage() {
        let ring = ring();
        let at = instant("2027-01-01T00:00:00Z");
        for (id, own) in [("cvk-1", "C0"), ("pvk-1", "V2"), ("zpk-1", "P0"), ("dek-1", "D0"), ("pix-1", "M7")] {
            for usage in KeyUsage::ALL {
                let live = ring.live(id, *usage, at);
                assert_eq!(live.is_ok(), usage.as_str() == own, "{id} as {usage}");
            }
            let used = [ring.cvk(id).is_ok(), ring.pvk(id).is_ok(), ring.zpk_tdes(id, ZoneUse::Encrypt).is_ok()];
            assert_eq!(used, ["C0", "V2", "P0"].map(|usage| usage == own), "{id}");
            let used = [ring.data(id).is_ok(), ring.pin_storage(id).is_ok(), ring.index(id).is_ok()];
            assert_eq!(used, ["D0", "D0", "M7"].map(|usage| usage == own), "{id}");
        }
        assert_eq!(ring.live("cvk-9", KeyUsage::Hmac, at).unwrap_err(), KeyError::Unknown { id: "cvk-9".to_owned() });
    }

    #[test]
    fn algorithm_and_mode_are_checked_too() {
        let ring = ring();
        assert!(matches!(ring.zpk_aes("zpk-1", ZoneUse::Encrypt), Err(KeyError::WrongAlgorithm { .. })));
        assert!(matches!(ring.zpk_tdes("zpk-2", ZoneUse::Decrypt), Err(KeyError::WrongAlgorithm { .. })));
        assert!(matches!(ring.data("pin-1"), Err(KeyError::WrongAlgorithm { .. })));
        assert!(ring.pin_storage("pin-1").is_ok());
        assert!(matches!(ring.zpk_tdes("zpk-1", ZoneUse::Decrypt), Err(KeyError::Mode { .. })));
        assert!(matches!(ring.zpk_aes("zpk-2", ZoneUse::Encrypt), Err(KeyError::Mode { .. })));
        assert!(ring.zpk_tdes("zpk-1", ZoneUse::Compare).is_ok());
        assert!(ring.zpk_aes("zpk-2", ZoneUse::Compare).is_ok());
    }

    #[test]
    fn the_window_is_kept_to_the_second() {
        let ring = ring();
        let (from, until) = (instant("2026-01-01T00:00:00Z"), instant("2029-01-01T00:00:00Z"));
        let second = TimeDelta::seconds(1);
        let live = |at| ring.live("zpk-1", KeyUsage::PinEncryption, at);
        assert_eq!(live(from - second).unwrap_err(), KeyError::TooEarly { id: "zpk-1".to_owned(), from });
        assert!(live(from).is_ok());
        assert!(live(until).is_ok());
        assert_eq!(live(until + second).unwrap_err(), KeyError::Ended { id: "zpk-1".to_owned(), until });
        assert!(ring.live("pvk-1", KeyUsage::PinVerification, instant("1999-01-01T00:00:00Z")).is_ok());
    }

    #[test]
    fn the_end_of_a_cvk_ends_new_cards_only_and_its_retirement_ends_reissues() {
        let ring = ring();
        let (until, retired) = (instant("2029-01-01T00:00:00Z"), instant("2033-01-01T00:00:00Z"));
        let second = TimeDelta::seconds(1);
        let cvk = |wanted, at| ring.live_cvk("cvk-1", wanted, at).map(|_| ());
        assert_eq!(cvk(CvkUse::New, until), Ok(()));
        assert_eq!(cvk(CvkUse::New, until + second), Err(KeyError::Ended { id: "cvk-1".to_owned(), until }));
        assert_eq!(cvk(CvkUse::Reissue, until + second), Ok(()));
        assert_eq!(cvk(CvkUse::Reissue, retired), Ok(()));
        let end = KeyError::Retired { id: "cvk-1".to_owned(), until: retired };
        assert_eq!(cvk(CvkUse::Reissue, retired + second), Err(end.clone()));
        assert_eq!(cvk(CvkUse::New, retired + second), Err(end));
        let early = instant("2025-12-31T23:59:59Z");
        assert!(matches!(cvk(CvkUse::Reissue, early), Err(KeyError::TooEarly { .. })));
        assert!(matches!(ring.live_cvk("pvk-1", CvkUse::Reissue, until), Err(KeyError::WrongUsage { .. })));
    }

    #[test]
    fn an_id_is_there_once() {
        let mut ring = ring();
        let again = Zeroizing::new((1..=16).collect());
        let block = OpenedBlock {
            usage: "C0".to_owned(),
            algorithm: 'T',
            mode: 'C',
            exportability: 'N',
            hash: None,
            key: again,
        };
        assert!(!ring.add(Key::admit("pvk-1", &block, KeyWindow::default()).unwrap()));
        assert_eq!(ring.info("pvk-1").unwrap().usage, KeyUsage::PinVerification);
        assert_eq!(ring.infos().count(), 7);
    }
}
