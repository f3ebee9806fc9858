//! The vault from outside: what it refuses to open with, and what it keeps apart.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

#[allow(dead_code, reason = "shared with other tests, which use other parts of it")]
#[path = "support/vector_keys.rs"]
mod vector_keys;

use std::sync::Arc;

use chrono::{DateTime, Utc};
use emboss::agreement::Cvv2Expiry;
use emboss::ambient::Random;
use emboss::card::{CardId, Cvv, Expiry, FileId, InstitutionId, Pan, PinBlock, PinBlockFormat, RecordUid, SecretHex};
use emboss::chain::{Entry, NOTHING_BEFORE};
use emboss::vault::key_set::{self, RawKey, key_set_from, make_test_keys};
use emboss::vault::{
    CryptoError, CvkUse, CvvSpec, KeyAlgorithm, KeyUsage, KeyWindow, Owner, Protection, ProviderKeys, Pvv, PvvSpec,
    StoredPin, Vault, VaultError, VaultKeys, Wrapped,
};
use vector_keys::{raw_keys, vault, vault_keys};

fn pan() -> Pan {
    Pan::parse("4000001234567899").unwrap()
}

fn institution(id: &str) -> InstitutionId {
    id.parse().unwrap()
}

fn owner(institution_id: &str, card: i64) -> Owner {
    Owner { institution: institution(institution_id), card_id: CardId::new(card) }
}

fn stored() -> StoredPin {
    StoredPin { scheme: "software/iso4".to_owned(), bytes: vec![7; 16].into() }
}

fn findings(keys: VaultKeys) -> Vec<String> {
    let found = Vault::open(keys, Arc::new(Random::seeded(3))).unwrap_err();
    assert!(found.iter().all(|finding| finding.text.contains(&finding.subject)), "{found:?}");
    found.into_iter().map(|finding| finding.text).collect()
}

fn random_keys() -> VaultKeys {
    make_test_keys(&Random::seeded(4), &[("zpk-x-1", KeyAlgorithm::Tdes2Key)]).unwrap().vault_keys()
}

#[test]
fn a_sealed_value_opens_for_its_own_row() {
    let vault = vault();
    let card = owner("246001", 3001);
    assert_eq!(vault.open_pan(&card, &vault.seal_pan(&card, &pan())).unwrap(), pan());
    assert_eq!(vault.open_pin(&card, 2, &vault.seal_pin(&card, 2, &stored())).unwrap(), stored());
    let pvv = Pvv { value: Cvv::new("8484"), pvki: "1".to_owned(), key_id: "pvk-1".to_owned() };
    assert_eq!(vault.open_pvv(&card, 2, &vault.seal_pvv(&card, 2, &pvv)).unwrap(), pvv);
    let (bank, file) = (institution("246001"), FileId(Random::seeded(5).uuid()));
    let wrapped = vault.seal_fill_seed(&bank, file, &[9; 32]);
    assert_eq!(*vault.open_fill_seed(&bank, file, &wrapped).unwrap(), [9; 32]);
}

#[test]
fn a_value_moved_to_another_row_does_not_open() {
    let vault = vault();
    let card = owner("246001", 3001);
    let wrapped = vault.seal_pan(&card, &pan());
    for other in [owner("246001", 3002), owner("24600", 3001), owner("246002", 3001), owner("246001", 0)] {
        assert!(refused(&vault.open_pan(&other, &wrapped)), "{other:?}");
    }
    let pin = vault.seal_pin(&card, 1, &stored());
    assert!(refused(&vault.open_pin(&card, 2, &pin)), "another version");
    assert!(refused(&vault.open_pin(&owner("246001", 3002), 1, &pin)), "another card");
    assert!(refused(&vault.open_pvv(&card, 1, &pin)), "another column");
    assert!(refused(&vault.open_pan(&card, &pin)), "another column");
    let bank = institution("246001");
    let files = [FileId(Random::seeded(5).uuid()), FileId(Random::seeded(6).uuid())];
    let seed = vault.seal_fill_seed(&bank, files[0], &[9; 32]);
    assert!(refused(&vault.open_fill_seed(&bank, files[1], &seed)), "another file");
    assert!(refused(&vault.open_fill_seed(&institution("246002"), files[0], &seed)), "another institution");
}

fn refused<T>(opened: &Result<T, VaultError>) -> bool {
    matches!(opened, Err(VaultError::Refused { .. }))
}

#[test]
fn a_changed_byte_does_not_open() {
    let vault = vault();
    let card = owner("246001", 3001);
    let Wrapped(sealed) = vault.seal_pan(&card, &pan());
    for at in 0..sealed.len() {
        let mut changed = sealed.clone();
        changed[at] ^= 1;
        assert!(vault.open_pan(&card, &Wrapped(changed)).is_err(), "byte {at}");
    }
    for length in 0..sealed.len() {
        assert!(vault.open_pan(&card, &Wrapped(sealed[..length].to_vec())).is_err(), "{length} bytes");
    }
}

#[test]
fn the_form_at_rest_is_version_key_nonce_ciphertext_tag() {
    let vault = vault();
    let card = owner("246001", 3001);
    let (first, second) = (vault.seal_pan(&card, &pan()), vault.seal_pan(&card, &pan()));
    assert_eq!(first.0[..7], *b"\x01\x05dek-1");
    assert_eq!(first.0.len(), 7 + 12 + 16 + 16);
    assert_ne!(first, second, "the nonce is random");
    assert!(!first.0.windows(4).any(|bytes| bytes == b"7899"));
    assert_eq!(format!("{first:?}"), "Wrapped(51 bytes)");
}

#[test]
fn after_a_rotation_old_rows_open_with_the_old_key() {
    let card = owner("246001", 3001);
    let old = vault().seal_pan(&card, &pan());
    let mut raw = raw_keys();
    raw.push(RawKey {
        id: "dek-2".to_owned(),
        usage: KeyUsage::DataEncryption,
        algorithm: KeyAlgorithm::Aes256,
        bytes: vec![0x44; 32].into(),
    });
    let mut keys = key_set_from(&raw, &Random::seeded(6)).unwrap().vault_keys();
    keys.data_key = "dek-2".to_owned();
    let rotated = Vault::open(keys, Arc::new(Random::seeded(7))).unwrap();
    assert_eq!(rotated.open_pan(&card, &old).unwrap(), pan());
    let new = rotated.seal_pan(&card, &pan());
    assert_eq!(new.0[..7], *b"\x01\x05dek-2");
    let error = vault().open_pan(&card, &new).unwrap_err();
    assert_eq!(
        error.to_string(),
        "the card number of card 3001 of institution 246001 is sealed under key dek-2, which is not there as an AES_256 \
         key of usage D0"
    );
}

#[test]
fn index_order_mac_and_fill_are_what_their_standards_give() {
    // Computed with another implementation of HMAC and HKDF, for the PAN index key 01 02 .. 20.
    let vault = vault();
    let index = "e2b704a6dcf97149f66bb195eee74c370096b28a91732d6430b3848aee557a6e";
    assert_eq!(hex::encode(vault.pan_index(&pan())), index);
    let order_mac = "c7ba08a5ed721e764b59b064af0c452d2a3fa8ee4799a403cfd2dc1f6e1ddefe";
    assert_eq!(hex::encode(vault.order_mac(br#"{"orderId":"o-1"}"#)), order_mac);
    let record: RecordUid = "7d0e7f3a-3f0a-4c43-9a54-1d9f6c0f2b11".parse().unwrap();
    assert_eq!(hex::encode(vault.fill(&[0x2A; 32], record)), "2d874cf193dfe6ab");
    // HKDF and HMAC of Python, over an entry that says nothing but its number.
    let nothing = Entry { number: 1, at_us: 0, actor: "", action: "", subject: "", reason: "", data: "" };
    let chained = "cd14fda0146750db448bd14f4eb0db700f7a4e0d7b569a28d6ceb28a83f80f83";
    assert_eq!(hex::encode(vault.audit_key().mac(&nothing, &NOTHING_BEFORE)), chained);
    assert_eq!(vault.audit_key().id(), key_set::AUDIT_KEY);
    let by_id = |id| vault.audit_keys().get(id).map(|key| hex::encode(key.mac(&nothing, &NOTHING_BEFORE)));
    assert_eq!((by_id(key_set::AUDIT_KEY).as_deref(), by_id(key_set::PAN_INDEX_KEY)), (Some(chained), None));
    assert_ne!(vault.pan_index(&pan()), vault.order_mac(pan().expose().as_bytes()), "the order MAC has its own key");
}

#[test]
fn keys_tell_what_they_are() {
    let vault = vault();
    let key = vault.key("cvk-1").unwrap();
    assert_eq!(
        (key.usage, key.algorithm, key.kcv.as_str()),
        (KeyUsage::CardVerification, KeyAlgorithm::Tdes2Key, "E5063D")
    );
    assert_eq!(vault.key("dek-1").unwrap().kcv, "597F10FDC5");
    assert_eq!(vault.key("dek-1").unwrap().shown_kcv(), "597F10");
    assert_eq!(vault.key("pix-1").unwrap().kcv, "F08DCC9EF1");
    assert_eq!(vault.key("no-such-key"), None);
    assert_eq!(vault.keys().count(), 10);
}

#[test]
fn windows_come_from_the_configuration() {
    let (until, retired): (DateTime<Utc>, DateTime<Utc>) =
        ("2029-01-01T00:00:00Z".parse().unwrap(), "2033-01-01T00:00:00Z".parse().unwrap());
    let mut keys = vault_keys();
    let cvk = keys.keys.iter_mut().find(|key| key.id == "cvk-1").unwrap();
    cvk.window = KeyWindow { not_before: None, not_after: Some(until), retire_at: Some(retired) };
    let vault = Vault::open(keys, Arc::new(Random::seeded(3))).unwrap();
    let later = "2030-06-01T00:00:00Z".parse().unwrap();
    assert!(vault.live_cvk("cvk-1", CvkUse::New, later).is_err());
    assert!(vault.live_cvk("cvk-1", CvkUse::Reissue, later).is_ok());
    assert!(vault.live("zpk-x-1", KeyUsage::PinEncryption, later).is_ok());
}

#[test]
fn every_finding_comes_at_once() {
    let mut keys = vault_keys();
    keys.keys[0].kcv = Some("000000".to_owned());
    keys.keys[1].protection = Protection::Kbpk("other".to_owned());
    let tampered = keys.keys[2].block.replacen("D0", "D1", 1);
    keys.keys[2].block = tampered;
    keys.keys[4].id = "pvk 1".to_owned();
    keys.keys[6].id = "zpk-x-1".to_owned();
    keys.keys[7].window.retire_at = Some("2033-01-01T00:00:00Z".parse().unwrap());
    keys.pan_index_key = "pix-9".to_owned();
    let found = findings(keys);
    let expected = [
        "key dek-1 has check value 597F10, the configuration says another",
        "key pin-1 is protected by other, which the configuration does not have",
        "key cvk-1 does not open under main: its key block says it has 1112 characters, but has 112",
        "key \"pvk 1\": an id has 1 to 64 letters, digits, full stops, hyphens or underscores",
        "key zpk-x-1 stands twice in the configuration",
        "key zpk-x-3: retire_at belongs to card verification keys (C0) only",
        "pan_index_key: key pix-9 does not exist in the configuration",
    ];
    assert_eq!(found, expected);
}

#[test]
fn a_protection_key_that_cannot_be_joined_is_one_finding() {
    let mut keys = vault_keys();
    keys.kbpks[0].components.pop();
    keys.kbpks[0].component_kcvs.clear();
    assert_eq!(findings(keys), ["protection key main cannot be joined: it has 1 component(s); two or more are needed"]);
}

#[test]
fn the_vault_s_own_keys_differ_and_are_of_the_right_kind() {
    let mut keys = vault_keys();
    keys.provider = ProviderKeys::Software { pin_storage_key: "dek-1".to_owned(), allow_software_pin: false };
    assert_eq!(findings(keys), ["key dek-1 is both data_key and pin_storage_key; each needs a key of its own"]);
    let mut keys = vault_keys();
    keys.data_key = "pix-1".to_owned();
    keys.pan_index_key = "zpk-x-3".to_owned();
    assert_eq!(
        findings(keys),
        [
            "data_key: key pix-1 has usage M7; it must not be used as D0",
            "pan_index_key: key zpk-x-3 has usage P0; it must not be used as M7",
        ]
    );
}

#[test]
fn windows_that_cannot_be_are_found() {
    let at = |year: i32| Some(format!("{year}-01-01T00:00:00Z").parse().unwrap());
    for (not_before, not_after, retire_at, fault) in [
        (at(2030), at(2029), None, "not_after must be later than not_before"),
        (at(2029), at(2029), None, "not_after must be later than not_before"),
        (None, at(2029), at(2028), "retire_at must be later than not_after and not_before"),
        (at(2029), None, at(2028), "retire_at must be later than not_after and not_before"),
    ] {
        let mut keys = vault_keys();
        let cvk = keys.keys.iter_mut().find(|key| key.id == "cvk-1").unwrap();
        cvk.window = KeyWindow { not_before, not_after, retire_at };
        assert_eq!(findings(keys), [format!("key cvk-1: {fault}")]);
    }
}

#[test]
fn live_refuses_every_published_test_key() {
    let mut keys = vault_keys();
    keys.live = true;
    let found = findings(keys);
    assert_eq!(found.len(), 8, "all but the PAN index key: {found:?}");
    assert!(found.iter().all(|text| text.contains("published test key")));
    assert!(found[2].starts_with("key cvk-1 has the check value"));
}

#[test]
fn live_refuses_a_published_protection_key() {
    let mut keys = random_keys();
    keys.live = true;
    let kbpk = &mut keys.kbpks[0];
    // KBPK_AES_256 of the vectors, in two parts. The blocks then open no more, which is found as well.
    let published = "C6232F9E1DFB6CE27F4B6E9C9E6DCAB0BBB09F3DB94E007372811939874B89B6";
    let other: Vec<u8> = hex::decode(published).unwrap().iter().map(|byte| byte ^ 0x5a).collect();
    kbpk.components = vec![hex::encode(other).into(), "5a".repeat(32).into()];
    kbpk.component_kcvs.clear();
    kbpk.kcv = Some("0A5ECF".to_owned());
    let found = findings(keys);
    assert!(found[0].starts_with("protection key main has the check value of a published test key"), "{found:?}");
}

#[tokio::test]
async fn live_refuses_pins_in_software_unless_allowed() {
    let mut keys = random_keys();
    keys.live = true;
    let vault = Vault::open(keys, Arc::new(Random::seeded(3))).unwrap();
    let crypto = vault.crypto();
    let spec = PvvSpec { key_id: key_set::PVV_KEY.to_owned(), pvki: "1".to_owned() };
    let value = SecretHex::new("311D385594D0906A");
    let block = PinBlock { format: PinBlockFormat::Iso0, key_id: "zpk-x-1".to_owned(), value: value.clone() };
    let refused = [
        crypto.verify_block(&pan(), &stored(), &block).await.err(),
        crypto.issue_pin(&pan(), None).await.err(),
        crypto.pvv(&pan(), &stored(), &spec).await.err(),
        crypto.pin_block(&pan(), &stored(), "zpk-x-1", PinBlockFormat::Iso0, [0; 8]).await.err(),
        crypto.import_pin(&pan(), &value, "zpk-x-1", PinBlockFormat::Iso0).await.err(),
    ];
    for error in refused {
        let Some(CryptoError::Configuration(text)) = error else { panic!("{error:?}") };
        assert!(text.contains("allow_software_pin = true"), "{text}");
    }
    let expiry = Expiry::new(2029, 12).unwrap();
    let spec = CvvSpec { key_id: key_set::CVV_KEY, expiry, order: Cvv2Expiry::Yymm, service_code: "201" };
    assert!(crypto.cvv(&pan(), &spec).await.is_ok(), "a programme without PINs works");
    let mut keys = random_keys();
    keys.live = true;
    keys.provider =
        ProviderKeys::Software { pin_storage_key: key_set::PIN_STORAGE_KEY.to_owned(), allow_software_pin: true };
    let vault = Vault::open(keys, Arc::new(Random::seeded(3))).unwrap();
    assert!(vault.crypto().issue_pin(&pan(), None).await.is_ok());
}

#[test]
fn card_numbers_are_masked_as_the_vectors_are() {
    let vectors: serde_json::Value = serde_json::from_str(include_str!("vectors.json")).unwrap();
    let cases = vectors["pan_masking"].as_array().unwrap();
    assert_eq!(cases.len(), 5);
    for case in cases {
        let pan = Pan::parse(case["pan"].as_str().unwrap());
        assert_eq!(pan.is_ok(), case["luhn_ok"].as_bool().unwrap());
        assert_eq!(format!("{:?}", pan.unwrap()), case["masked"].as_str().unwrap());
    }
}

#[test]
fn nothing_prints_a_secret() {
    let keys = vault_keys();
    let secrets: Vec<String> = raw_keys()
        .iter()
        .map(|key| hex::encode_upper(key.bytes.as_slice()))
        .chain(keys.keys.iter().map(|key| key.block.clone()))
        .chain(keys.kbpks[0].components.iter().map(|part| part.to_string()))
        .collect();
    let shown = format!("{keys:?} {:?} {:?}", raw_keys(), vault());
    for secret in secrets {
        assert!(!shown.contains(&secret));
    }
}
