//! Key blocks against the vectors: opened, made to the byte, and refused when altered.

use super::*;
use crate::vault::vectors::{self, text};

fn whole(name: &str) -> Kbpk {
    Kbpk::whole(vectors::key(name)).unwrap()
}

fn protecting(hex_key: &str) -> Kbpk {
    Kbpk::whole(Zeroizing::new(hex::decode(hex_key).unwrap())).unwrap()
}

#[test]
fn opens_the_published_blocks() {
    for entry in vectors::known("tr31_unwrap") {
        let kbpk = protecting(text(&entry, "kbpk"));
        let opened = open(text(&entry, "key_block"), &kbpk).unwrap();
        let source = text(&entry, "source");
        assert_eq!(hex::encode_upper(&*opened.key), text(&entry, "key"), "{source}");
        assert_eq!(opened.usage, text(&entry, "usage"), "{source}");
        assert_eq!(opened.algorithm.to_string(), text(&entry, "algorithm"), "{source}");
        assert_eq!(opened.mode.to_string(), text(&entry, "mode"), "{source}");
        assert_eq!(opened.exportability.to_string(), text(&entry, "exportability"), "{source}");
    }
}

#[test]
fn opens_our_vectors_and_refuses_them_altered() {
    for entry in vectors::list("tr31") {
        let kbpk = whole(text(&entry, "kbpk"));
        let opened = open(text(&entry, "key_block"), &kbpk).unwrap();
        assert_eq!(opened.key, vectors::key(text(&entry, "key")));
        assert_eq!(opened.usage, text(&entry, "usage"));
        for altered in ["must_fail_tampered", "must_fail_usage_changed"] {
            assert_eq!(open(text(&entry, altered), &kbpk).unwrap_err(), Tr31Error::Mac, "{altered}");
        }
    }
}

/// The padding of a vector block, so that making it again must give the same block.
fn padding_of(block: &str, kbpk: &Kbpk) -> Zeroizing<Vec<u8>> {
    let header = Header::read(block).unwrap();
    let rest = hex::decode(&block[header.length..]).unwrap();
    let (ciphertext, mac) = rest.split_at(rest.len() - header.version.block_len());
    let mut clear = Zeroizing::new(ciphertext.to_vec());
    Derived::from(header.version, kbpk).unwrap().decrypt(mac, &mut clear).unwrap();
    let key = inner_key(&clear, header.algorithm).unwrap();
    Zeroizing::new(clear[2 + key.len()..].to_vec())
}

#[test]
fn makes_the_vectors_again_to_the_byte() {
    for entry in vectors::list("tr31") {
        let (block, kbpk) = (text(&entry, "key_block"), whole(text(&entry, "kbpk")));
        let version = if text(&entry, "version") == "B" { Version::B } else { Version::D };
        let algorithm = text(&entry, "algorithm").chars().next().unwrap();
        let terms = BlockTerms { usage: "P0", algorithm, mode: 'E' };
        let key = vectors::key(text(&entry, "key"));
        let made = sealed(version, &kbpk, terms, "", &key, &padding_of(block, &kbpk)).unwrap();
        assert_eq!(made, block);
    }
}

#[test]
fn what_is_made_opens_again() {
    let random = Random::seeded(1);
    let other: Vec<u8> = vectors::key("KBPK_TDES_3KEY").iter().map(|byte| byte ^ 0x5a).collect();
    let components = [hex::encode(other), "5a".repeat(24)];
    let tdes = Kbpk::join(&components, &[], Some("2DDCA9")).unwrap();
    let aes = whole("KBPK_AES_256");
    let cases = [("C0", 'T', 'C', 16), ("V2", 'T', 'C', 16), ("P0", 'T', 'B', 24), ("P0", 'A', 'E', 16)];
    let cases = cases.into_iter().chain([("D0", 'A', 'B', 24), ("D0", 'A', 'B', 32), ("M7", 'H', 'C', 32)]);
    for (usage, algorithm, mode, length) in cases {
        let key: Vec<u8> = (1..=length).collect();
        for (kbpk, version) in [(&tdes, "B"), (&aes, "D")] {
            let block = make(kbpk, BlockTerms { usage, algorithm, mode }, &key, &random).unwrap();
            assert!(block.starts_with(version), "{block}");
            let opened = open(&block, kbpk).unwrap();
            assert_eq!(*opened.key, key, "{block}");
            assert_eq!((opened.usage.as_str(), opened.algorithm, opened.mode), (usage, algorithm, mode));
            assert_eq!(opened.exportability, 'N');
            assert_eq!(opened.hash.as_deref(), (algorithm == 'H').then_some("21"));
        }
    }
}

#[test]
fn the_padding_hides_the_length_and_is_random() {
    let (random, kbpk) = (Random::seeded(1), whole("KBPK_AES_256"));
    let terms = BlockTerms { usage: "P0", algorithm: 'A', mode: 'E' };
    let short = make(&kbpk, terms, &[1; 16], &random).unwrap();
    let long = make(&kbpk, terms, &[1; 32], &random).unwrap();
    assert_eq!((short.len(), long.len()), (144, 144));
    assert_ne!(short, make(&kbpk, terms, &[1; 16], &random).unwrap());
}

#[test]
fn any_changed_character_is_refused() {
    let kbpk = whole("KBPK_AES_256");
    let block = make(&kbpk, BlockTerms { usage: "M7", algorithm: 'H', mode: 'C' }, &[9; 32], &Random::seeded(3));
    let block = block.unwrap();
    for at in 0..block.len() {
        let mut altered = block.clone().into_bytes();
        altered[at] = if altered[at] == b'1' { b'2' } else { b'1' };
        assert!(open(std::str::from_utf8(&altered).unwrap(), &kbpk).is_err(), "character {at}");
    }
}

/// A version D block of our own with the given optional blocks.
fn with_optional(count: usize, optional: &str) -> String {
    let (kbpk, key) = (whole("KBPK_AES_256"), [5; 16]);
    let keys = Derived::from(Version::D, &kbpk).unwrap();
    let mut clear = [&[0, 128][..], &key, &[0; 14]].concat();
    let length = FIXED + optional.len() + 2 * (clear.len() + 16);
    let header = format!("D{length:04}D0AB00N{count:02}00{optional}");
    let mac = keys.tag(&header, &clear).unwrap().bytes();
    keys.encrypt(&mac, &mut clear).unwrap();
    format!("{header}{}{}", hex::encode_upper(clear), hex::encode_upper(&*mac))
}

#[test]
fn optional_blocks_are_skipped() {
    let kbpk = whole("KBPK_AES_256");
    // A label, a padding block, and one with the long form of length (00, 2 digits, 0x10 characters in all).
    for (count, optional) in [(0, ""), (2, "LB0Ahello1PB06xx"), (1, "TS000210ABCDEFGH"), (1, "PB10000000000000")] {
        let opened = open(&with_optional(count, optional), &kbpk).unwrap();
        assert_eq!(*opened.key, [5; 16], "{optional}");
    }
}

#[test]
fn optional_blocks_that_do_not_add_up_are_refused() {
    let kbpk = whole("KBPK_AES_256");
    for (count, optional) in [
        (1, "LB03xxxxxxxxxxxx"),
        (1, "LBxxxxxxxxxxxxxx"),
        (1, "LBFFxxxxxxxxxxxx"),
        (1, "TS0000xxxxxxxxxx"),
        (1, "TS0002+1xxxxxxxx"),
        (99, "LB10xxxxxxxxxxxx"),
    ] {
        assert_eq!(open(&with_optional(count, optional), &kbpk).unwrap_err(), Tr31Error::OptionalBlocks, "{optional}");
    }
}

#[test]
fn one_error_for_each_fault() {
    let kbpk = whole("KBPK_AES_256");
    let block = with_optional(0, "");
    let fault = |text: &str| open(text, &kbpk).unwrap_err();
    assert_eq!(fault(""), Tr31Error::Malformed);
    assert_eq!(fault(&block[..15]), Tr31Error::Malformed);
    assert_eq!(fault(&block.replace("D0AB", "D0\u{e9}")), Tr31Error::Malformed);
    assert_eq!(fault(&block.replace("D0AB", "D0A-")), Tr31Error::Malformed);
    assert_eq!(fault(&block.replacen('D', "A", 1)), Tr31Error::Version);
    assert_eq!(fault(&block.replacen('D', "C", 1)), Tr31Error::Version);
    let short = &block[..block.len() - 1];
    assert_eq!(fault(short), Tr31Error::Length { declared: block.len(), actual: block.len() - 1 });
    assert_eq!(fault("D0016D0AB00N0000"), Tr31Error::Ciphertext);
    assert_eq!(fault(&format!("D0048D0AB00N0000{}", "0".repeat(32))), Tr31Error::Ciphertext);
    assert_eq!(fault(&format!("{}g", &block[..block.len() - 1])), Tr31Error::Ciphertext);
    assert_eq!(open(&block, &whole("ZPK_AES_256")).unwrap_err(), Tr31Error::Mac);
}

#[test]
fn version_b_needs_tdes_and_version_d_aes() {
    let b = text(&vectors::list("tr31")[0], "key_block").to_owned();
    let refused = open(&b, &whole("KBPK_AES_256")).unwrap_err();
    assert!(matches!(refused, Tr31Error::Protection { version: 'B', .. }), "{refused}");
    let checked = Kbpk::join(&["4b".repeat(16), "5a".repeat(16)], &[], Some("82E136")).unwrap();
    let refused = open(&with_optional(0, ""), &checked).unwrap_err();
    assert!(matches!(refused, Tr31Error::Protection { version: 'D', .. }), "{refused}");
}

#[test]
fn keys_of_impossible_lengths_are_not_made() {
    let (random, kbpk) = (Random::seeded(1), whole("KBPK_AES_256"));
    for (algorithm, length) in [('T', 8), ('T', 15), ('T', 25), ('T', 32), ('A', 17), ('A', 33), ('H', 0), ('H', 8192)]
    {
        let terms = BlockTerms { usage: "D0", algorithm, mode: 'B' };
        let refused = make(&kbpk, terms, &vec![1; length], &random);
        assert_eq!(refused.unwrap_err(), Tr31Error::KeyLength, "{algorithm} {length}");
    }
}
