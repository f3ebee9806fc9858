//! The keys of `fixtures/keys/`: test keys that everybody may know, and how they were made.
//!
//! The card keys are those of `vectors.json`, wrapped as TR-31 blocks under its KBPK_AES_256, which lies there in two
//! components. A block holds random padding and an OpenPGP key random numbers, so making them again gives other bytes:
//! they were made once, by `cargo test --test fixture_keys -- --ignored`, which writes only what is not there.

#![allow(clippy::unwrap_used, reason = "whatever cannot be read fails the test")]

use std::fs;
use std::path::{Path, PathBuf};

use emboss::ambient::Random;
use emboss::seal::generate_key;
use emboss::vault::kbpk::Kbpk;
use emboss::vault::tr31::{self, BlockTerms};
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

/// Key id, its name in `vectors.json`, usage, algorithm, mode.
const BLOCKS: &[(&str, &str, &str, char, char)] = &[
    ("dek-1", "DEK_AES_256", "D0", 'A', 'B'),
    ("pix-1", "PIX_HMAC_256", "M7", 'H', 'C'),
    ("aud-1", "AUD_HMAC_256", "M7", 'H', 'C'),
    ("pin-1", "PIN_AES_256", "D0", 'A', 'B'),
    ("cvk-1", "CVK_A_B", "C0", 'T', 'C'),
    ("cvk2-1", "CVK2_A_B", "C0", 'T', 'C'),
    ("pvk-1", "PVK_1", "V2", 'T', 'C'),
    ("zpk-x-1", "ZPK_TDES_2KEY", "P0", 'T', 'E'),
    ("zpk-y-1", "ZPK_AES_256", "P0", 'A', 'E'),
    ("zpk-bank-1", "ZPK_TDES_3KEY", "P0", 'T', 'D'),
    ("zpk-bank-2", "ZPK_AES_128", "P0", 'A', 'D'),
];

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/keys")
}

/// A key of `vectors.json`; one that is not listed there is the SHA-256 of its label.
fn key(name: &str) -> Vec<u8> {
    let vectors: serde_json::Value = serde_json::from_str(include_str!("vectors.json")).unwrap();
    match vectors["keys"][name]["hex"].as_str() {
        Some(text) => hex::decode(text).unwrap(),
        None => Sha256::digest(format!("EMBOSS-TEST-ONLY/{name}")).to_vec(),
    }
}

fn component(number: u8) -> String {
    fs::read_to_string(folder().join(format!("kbpk-{number}.hex"))).unwrap().trim().to_owned()
}

#[test]
fn the_components_join_to_the_protection_key_of_the_vectors() {
    let (first, second) = (hex::decode(component(1)).unwrap(), hex::decode(component(2)).unwrap());
    let joined: Vec<u8> = first.iter().zip(&second).map(|(a, b)| a ^ b).collect();
    assert_eq!(joined, key("KBPK_AES_256"));
    assert_ne!(first, key("KBPK_AES_256"), "no component is the key");
}

#[test]
fn every_block_holds_the_key_of_the_vectors_it_is_named_for() {
    let kbpk = Kbpk::join(&[component(1), component(2)], &[], Some("0A5ECFD8AF")).unwrap();
    for (id, name, usage, algorithm, _) in BLOCKS {
        let block = fs::read_to_string(folder().join(format!("{id}.tr31"))).unwrap();
        let opened = tr31::open(block.trim(), &kbpk).unwrap();
        assert_eq!((opened.usage.as_str(), opened.algorithm), (*usage, *algorithm), "{id}");
        assert_eq!(opened.key.as_slice(), key(name), "{id}");
    }
}

#[test]
#[ignore = "makes the keys once; see fixtures/README.md"]
fn make() {
    let write = |name: &str, content: &[u8]| {
        let path = folder().join(name);
        if !path.exists() {
            fs::write(path, content).unwrap();
        }
    };
    let random = Random::system();
    let whole = key("KBPK_AES_256");
    let first: [u8; 32] = random.bytes();
    let second: Vec<u8> = first.iter().zip(&whole).map(|(a, b)| a ^ b).collect();
    write("kbpk-1.hex", format!("{}\n", hex::encode_upper(first)).as_bytes());
    write("kbpk-2.hex", format!("{}\n", hex::encode_upper(second)).as_bytes());
    let kbpk = Kbpk::whole(Zeroizing::new(whole)).unwrap();
    for (id, name, usage, algorithm, mode) in BLOCKS {
        let terms = BlockTerms { usage, algorithm: *algorithm, mode: *mode };
        let block = tr31::make(&kbpk, terms, &key(name), &random).unwrap();
        write(&format!("{id}.tr31"), format!("{block}\n").as_bytes());
    }
    let at = "2026-01-01T00:00:00Z".parse().unwrap();
    for (name, user_id) in [
        ("signer", "Example Bank embossing, test only <embossing@bank.example>"),
        ("factory-x", "Factory X, test only <incoming@factory-x.example>"),
        ("factory-y", "Factory Y, test only <incoming@factory-y.example>"),
    ] {
        if !folder().join(format!("{name}.key")).exists() {
            let made = generate_key(user_id, at).unwrap();
            write(&format!("{name}.key"), &made.secret_key);
            write(&format!("{name}.asc"), &made.certificate);
        }
    }
}
