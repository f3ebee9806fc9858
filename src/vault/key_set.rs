//! Key sets for `init`, `demo` and fixtures: keys made or given, a protection key in two components, and the blocks.
//!
//! Invariant: what is made here opens with [`Vault::open`](super::Vault::open); nothing else is promised. Keys of a
//! production come from a key ceremony.

use std::fmt;

use zeroize::Zeroizing;

use super::KeyWindow;
use super::cipher::{aes_kcv, exclusive_or};
use super::kbpk::Kbpk;
use super::keys::{KeyAlgorithm, KeyUsage, kcv};
use super::opening::{KbpkComponents, Protection, ProviderKeys, VaultKeys, WrappedKey};
use super::tr31::{self, BlockTerms, Tr31Error};
use crate::ambient::Random;

/// Name of the protection key of a set.
pub const KBPK_NAME: &str = "main";
/// Id of the data key.
pub const DATA_KEY: &str = "dek-1";
/// Id of the PAN index key.
pub const PAN_INDEX_KEY: &str = "pix-1";
/// Id of the key of the audit chain.
pub const AUDIT_KEY: &str = "aud-1";
/// Id of the PIN storage key.
pub const PIN_STORAGE_KEY: &str = "pin-1";
/// Id of the key of CVV1 and iCVV.
pub const CVV_KEY: &str = "cvk-1";
/// Id of the key of CVV2.
pub const CVV2_KEY: &str = "cvk2-1";
/// Id of the key of the PVV.
pub const PVV_KEY: &str = "pvk-1";

/// A key with its bytes, before it is wrapped.
pub struct RawKey {
    /// Its id.
    pub id: String,
    /// What it is for.
    pub usage: KeyUsage,
    /// Algorithm and length.
    pub algorithm: KeyAlgorithm,
    /// The key.
    pub bytes: Zeroizing<Vec<u8>>,
}

impl fmt::Debug for RawKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RawKey({} {} {})", self.id, self.usage, self.algorithm)
    }
}

/// A protection key in two components, and keys under it.
pub struct KeySet {
    /// Two hexadecimal lines.
    pub components: [Zeroizing<String>; 2],
    /// Their check values, 6 digits.
    pub component_kcvs: [String; 2],
    /// The check value of the whole, 6 digits.
    pub kcv: String,
    /// The keys.
    pub keys: Vec<MadeKey>,
}

impl fmt::Debug for KeySet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "KeySet({:?})", self.keys)
    }
}

/// One key of a set, wrapped.
#[derive(Clone, PartialEq, Eq)]
pub struct MadeKey {
    /// Its id.
    pub id: String,
    /// What it is for.
    pub usage: KeyUsage,
    /// Algorithm and length.
    pub algorithm: KeyAlgorithm,
    /// Its check value, 6 digits.
    pub kcv: String,
    /// Its TR-31 block, one line.
    pub block: String,
}

impl fmt::Debug for MadeKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "MadeKey({} {} {})", self.id, self.usage, self.algorithm)
    }
}

impl KeySet {
    /// The set as a vault is opened from it, with the ids of this module as the vault's own keys; not live.
    pub fn vault_keys(&self) -> VaultKeys {
        let wrapped = |key: &MadeKey| WrappedKey {
            id: key.id.clone(),
            block: key.block.clone(),
            protection: Protection::Kbpk(KBPK_NAME.to_owned()),
            kcv: Some(key.kcv.clone()),
            window: KeyWindow::default(),
        };
        VaultKeys {
            kbpks: vec![KbpkComponents {
                name: KBPK_NAME.to_owned(),
                components: self.components.to_vec(),
                component_kcvs: self.component_kcvs.to_vec(),
                kcv: Some(self.kcv.clone()),
            }],
            keys: self.keys.iter().map(wrapped).collect(),
            data_key: DATA_KEY.to_owned(),
            pan_index_key: PAN_INDEX_KEY.to_owned(),
            audit_key: AUDIT_KEY.to_owned(),
            provider: ProviderKeys::Software { pin_storage_key: PIN_STORAGE_KEY.to_owned(), allow_software_pin: false },
            live: false,
        }
    }
}

/// A whole set of random keys: data, PAN index, audit, PIN storage, CVK, CVV2, PVK, and a zone PIN key for each id given.
///
/// # Errors
/// [`Tr31Error::KeyLength`] where a zone PIN key is asked for as HMAC.
pub fn make_test_keys(random: &Random, zone_keys: &[(&str, KeyAlgorithm)]) -> Result<KeySet, Tr31Error> {
    use KeyAlgorithm::{Aes256, Hmac, Tdes2Key};
    let own = [
        (DATA_KEY, KeyUsage::DataEncryption, Aes256),
        (PAN_INDEX_KEY, KeyUsage::Hmac, Hmac),
        (AUDIT_KEY, KeyUsage::Hmac, Hmac),
        (PIN_STORAGE_KEY, KeyUsage::DataEncryption, Aes256),
        (CVV_KEY, KeyUsage::CardVerification, Tdes2Key),
        (CVV2_KEY, KeyUsage::CardVerification, Tdes2Key),
        (PVV_KEY, KeyUsage::PinVerification, Tdes2Key),
    ];
    let zone = zone_keys.iter().map(|(id, algorithm)| (*id, KeyUsage::PinEncryption, *algorithm));
    let keys: Vec<RawKey> = own
        .into_iter()
        .chain(zone)
        .map(|(id, usage, algorithm)| RawKey { id: id.to_owned(), usage, algorithm, bytes: made(algorithm, random) })
        .collect();
    key_set_from(&keys, random)
}

/// Wraps given keys under a new protection key (AES, 32 bytes, in two components).
///
/// # Errors
/// [`Tr31Error::KeyLength`] where a key does not have the length of its algorithm.
pub fn key_set_from(keys: &[RawKey], random: &Random) -> Result<KeySet, Tr31Error> {
    let (first, second) = (random_bytes(32, random), random_bytes(32, random));
    let mut whole = first.clone();
    exclusive_or(&mut whole, &second);
    let short = |key: &[u8]| aes_kcv(key).map(|kcv| kcv[..6].to_owned()).ok_or(Tr31Error::KeyLength);
    let component_kcvs = [short(&first)?, short(&second)?];
    let kcv = short(&whole)?;
    let components = [&first, &second].map(|part| Zeroizing::new(hex::encode_upper(part.as_slice())));
    let kbpk = Kbpk::whole(whole).ok_or(Tr31Error::KeyLength)?;
    let keys = keys.iter().map(|key| wrapped(&kbpk, key, random)).collect::<Result<_, _>>()?;
    Ok(KeySet { components, component_kcvs, kcv, keys })
}

fn wrapped(kbpk: &Kbpk, key: &RawKey, random: &Random) -> Result<MadeKey, Tr31Error> {
    if length(key.algorithm) != key.bytes.len() {
        return Err(Tr31Error::KeyLength);
    }
    let terms = BlockTerms { usage: key.usage.as_str(), algorithm: letter(key.algorithm), mode: mode(key.usage) };
    let block = tr31::make(kbpk, terms, &key.bytes, random)?;
    let kcv = kcv(key.algorithm, &key.bytes).ok_or(Tr31Error::KeyLength)?[..6].to_owned();
    Ok(MadeKey { id: key.id.clone(), usage: key.usage, algorithm: key.algorithm, kcv, block })
}

/// Bytes of a key; of an HMAC key what is made here.
fn length(algorithm: KeyAlgorithm) -> usize {
    match algorithm {
        KeyAlgorithm::Tdes2Key | KeyAlgorithm::Aes128 => 16,
        KeyAlgorithm::Tdes3Key | KeyAlgorithm::Aes192 => 24,
        KeyAlgorithm::Aes256 | KeyAlgorithm::Hmac => 32,
    }
}

fn letter(algorithm: KeyAlgorithm) -> char {
    match algorithm {
        KeyAlgorithm::Tdes2Key | KeyAlgorithm::Tdes3Key => 'T',
        KeyAlgorithm::Aes128 | KeyAlgorithm::Aes192 | KeyAlgorithm::Aes256 => 'A',
        KeyAlgorithm::Hmac => 'H',
    }
}

/// Both directions, since a set serves both sides of a demonstration.
fn mode(usage: KeyUsage) -> char {
    match usage {
        KeyUsage::CardVerification | KeyUsage::PinVerification | KeyUsage::Hmac => 'C',
        KeyUsage::PinEncryption | KeyUsage::DataEncryption => 'B',
    }
}

fn made(algorithm: KeyAlgorithm, random: &Random) -> Zeroizing<Vec<u8>> {
    let mut bytes = random_bytes(length(algorithm), random);
    if algorithm.is_tdes() {
        // Odd parity, as HSMs expect of a DES key.
        for byte in bytes.iter_mut() {
            *byte ^= u8::from(byte.count_ones().is_multiple_of(2));
        }
    }
    bytes
}

fn random_bytes(length: usize, random: &Random) -> Zeroizing<Vec<u8>> {
    let mut bytes = Zeroizing::new(vec![0; length]);
    random.fill(&mut bytes);
    bytes
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::vault::Vault;

    #[test]
    fn a_made_set_opens() {
        let random = Arc::new(Random::seeded(7));
        let zone = [("zpk-x-1", KeyAlgorithm::Tdes2Key), ("zpk-x-2", KeyAlgorithm::Aes128)];
        let set = make_test_keys(&random, &zone).unwrap();
        let vault = Vault::open(set.vault_keys(), Arc::clone(&random)).unwrap();
        let ids: Vec<&str> = vault.keys().map(|key| key.id.as_str()).collect();
        assert_eq!(ids, ["aud-1", "cvk-1", "cvk2-1", "dek-1", "pin-1", "pix-1", "pvk-1", "zpk-x-1", "zpk-x-2"]);
        for made in &set.keys {
            let info = vault.key(&made.id).unwrap();
            assert_eq!((info.usage, info.algorithm), (made.usage, made.algorithm));
            assert_eq!(info.shown_kcv(), made.kcv);
        }
    }

    #[test]
    fn made_tdes_keys_have_odd_parity() {
        let key = made(KeyAlgorithm::Tdes3Key, &Random::seeded(3));
        assert!(key.iter().all(|byte| byte.count_ones() % 2 == 1));
    }

    #[test]
    fn nothing_is_shown() {
        let set = make_test_keys(&Random::seeded(7), &[]).unwrap();
        let shown = format!("{set:?} {:?}", set.vault_keys());
        for secret in set.components.iter().map(|part| part.as_str()).chain(set.keys.iter().map(|key| &*key.block)) {
            assert!(!shown.contains(secret));
        }
    }

    #[test]
    fn a_key_of_another_length_is_refused() {
        let key = |length: usize| RawKey {
            id: "cvk-1".to_owned(),
            usage: KeyUsage::CardVerification,
            algorithm: KeyAlgorithm::Tdes2Key,
            bytes: Zeroizing::new((0..length).map(|byte| byte as u8).collect()),
        };
        assert!(key_set_from(&[key(16)], &Random::seeded(1)).is_ok());
        assert_eq!(key_set_from(&[key(24)], &Random::seeded(1)).unwrap_err(), Tr31Error::KeyLength);
    }
}
