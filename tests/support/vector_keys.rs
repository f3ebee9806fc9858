//! The keys of `vectors.json` as a key set: what fixtures and the vault's tests open a vault from.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::sync::Arc;

use emboss::ambient::Random;
use emboss::vault::key_set::{self, RawKey};
use emboss::vault::settings::LmkKeySettings;
use emboss::vault::{KeyAlgorithm, KeyUsage, Protection, ProviderKeys, Vault, VaultKeys};
use zeroize::Zeroizing;

/// Ids, labels in `vectors.json`, usage and algorithm of the keys.
const KEYS: [(&str, &str, KeyUsage, KeyAlgorithm); 8] = [
    (key_set::DATA_KEY, "DEK_AES_256", KeyUsage::DataEncryption, KeyAlgorithm::Aes256),
    (key_set::PIN_STORAGE_KEY, "ZPK_AES_256", KeyUsage::DataEncryption, KeyAlgorithm::Aes256),
    (key_set::CVV_KEY, "CVK_A_B", KeyUsage::CardVerification, KeyAlgorithm::Tdes2Key),
    (key_set::CVV2_KEY, "CVK2_A_B", KeyUsage::CardVerification, KeyAlgorithm::Tdes2Key),
    (key_set::PVV_KEY, "PVK_1", KeyUsage::PinVerification, KeyAlgorithm::Tdes2Key),
    ("zpk-x-1", "ZPK_TDES_2KEY", KeyUsage::PinEncryption, KeyAlgorithm::Tdes2Key),
    ("zpk-x-2", "ZPK_TDES_3KEY", KeyUsage::PinEncryption, KeyAlgorithm::Tdes3Key),
    ("zpk-x-3", "ZPK_AES_128", KeyUsage::PinEncryption, KeyAlgorithm::Aes128),
];

/// The keys, unwrapped; the PAN index key is the bytes 1 to 32 and the audit key 2 to 33, since the vectors have none.
pub(crate) fn raw_keys() -> Vec<RawKey> {
    let vectors: serde_json::Value = serde_json::from_str(include_str!("../vectors.json")).unwrap();
    let bytes = |label: &str| Zeroizing::new(hex::decode(vectors["keys"][label]["hex"].as_str().unwrap()).unwrap());
    let hmac = |id: &str, from: u8| RawKey {
        id: id.to_owned(),
        usage: KeyUsage::Hmac,
        algorithm: KeyAlgorithm::Hmac,
        bytes: Zeroizing::new((from..from + 32).collect()),
    };
    KEYS.iter()
        .map(|(id, label, usage, algorithm)| RawKey {
            id: (*id).to_owned(),
            usage: *usage,
            algorithm: *algorithm,
            bytes: bytes(label),
        })
        .chain([hmac(key_set::PAN_INDEX_KEY, 1), hmac(key_set::AUDIT_KEY, 2)])
        .collect()
}

/// What a vault with these keys is opened from.
pub(crate) fn vault_keys() -> VaultKeys {
    key_set::key_set_from(&raw_keys(), &Random::seeded(1)).unwrap().vault_keys()
}

/// The same where a payment HSM has the keys of cards: `wrap` gives a key under its LMK by its label, or `None` where it
/// cannot hold one of that algorithm.
pub(crate) fn vault_keys_under_lmk(
    provider: ProviderKeys,
    wrap: impl Fn(&str, KeyUsage, KeyAlgorithm) -> Option<String>,
) -> VaultKeys {
    let mut keys = vault_keys();
    keys.keys.retain_mut(|key| {
        let Some((_, label, usage, algorithm)) = KEYS.iter().find(|(id, ..)| *id == key.id) else { return true };
        if *usage == KeyUsage::DataEncryption {
            return key.id != key_set::PIN_STORAGE_KEY;
        }
        let Some(wrapped) = wrap(label, *usage, *algorithm) else { return false };
        key.block = wrapped;
        key.protection = Protection::Lmk(LmkKeySettings { usage: *usage, algorithm: *algorithm });
        true
    });
    VaultKeys { provider, ..keys }
}

/// A vault with these keys.
pub(crate) fn vault() -> Vault {
    Vault::open(vault_keys(), Arc::new(Random::seeded(2))).unwrap()
}
