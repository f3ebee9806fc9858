//! Which blocks become keys, and which are refused.

use zeroize::Zeroizing;

use super::*;
use crate::vault::vectors;

fn block(usage: &str, algorithm: char, mode: char, key: &[u8]) -> OpenedBlock {
    let key = Zeroizing::new(key.to_vec());
    OpenedBlock { usage: usage.to_owned(), algorithm, mode, exportability: 'N', hash: None, key }
}

fn counting(length: u8) -> Vec<u8> {
    (1..=length).map(|byte| byte * 3).collect()
}

fn admitted(block: &OpenedBlock) -> Result<Key, KeyError> {
    Key::admit("k-1", block, KeyWindow::default())
}

#[test]
fn a_key_has_the_check_value_of_its_vector() {
    for (name, usage, algorithm, kcv, shown) in [
        ("CVK_A_B", "C0", 'T', "E5063D", "E5063D"),
        ("PVK_1", "V2", 'T', "17FB96", "17FB96"),
        ("ZPK_TDES_3KEY", "P0", 'T', "99A4C8", "99A4C8"),
        ("ZPK_AES_128", "P0", 'A', "808B8535ED", "808B85"),
        ("DEK_AES_256", "D0", 'A', "597F10FDC5", "597F10"),
    ] {
        let key = admitted(&block(usage, algorithm, 'N', &vectors::key(name))).unwrap();
        assert_eq!((key.info.kcv.as_str(), key.info.shown_kcv()), (kcv, shown), "{name}");
        assert_eq!(format!("{key:?}"), format!("Key(k-1 {usage})"));
    }
}

#[test]
fn usage_and_algorithm_belong_together() {
    let right = [("C0", 'T', 16), ("V2", 'T', 16), ("P0", 'T', 16), ("P0", 'T', 24), ("P0", 'A', 16), ("P0", 'A', 32)];
    let right = [&right[..], &[("D0", 'A', 16), ("D0", 'A', 32), ("M7", 'H', 32), ("M7", 'H', 64)]].concat();
    for (usage, algorithm, length) in right {
        assert!(admitted(&block(usage, algorithm, 'N', &counting(length))).is_ok(), "{usage} {algorithm} {length}");
    }
    let wrong = [("C0", 'T', 24), ("C0", 'A', 16), ("C0", 'T', 8), ("V2", 'T', 24), ("V2", 'A', 32), ("P0", 'H', 32)];
    let wrong =
        [&wrong[..], &[("D0", 'T', 16), ("D0", 'A', 17), ("M7", 'A', 32), ("M7", 'H', 31), ("M7", 'H', 65)]].concat();
    for (usage, algorithm, length) in wrong {
        let refused = admitted(&block(usage, algorithm, 'N', &counting(length))).unwrap_err();
        assert!(matches!(refused, KeyError::Unfit { .. }), "{usage} {algorithm} {length}: {refused}");
    }
}

#[test]
fn modes_of_use_are_checked() {
    for (usage, algorithm, length, right) in [
        ("C0", 'T', 16, "CGN"),
        ("V2", 'T', 16, "CGN"),
        ("P0", 'T', 16, "BEDN"),
        ("D0", 'A', 32, "BN"),
        ("M7", 'H', 32, "CGN"),
    ] {
        for mode in ('A'..='Z').chain(['0']) {
            let key = admitted(&block(usage, algorithm, mode, &counting(length)));
            assert_eq!(key.is_ok(), right.contains(mode), "{usage} {mode}");
            assert!(!key.is_err_and(|error| !matches!(error, KeyError::Mode { .. })), "{usage} {mode}");
        }
    }
}

#[test]
fn other_usages_and_hashes_are_refused() {
    let refused = admitted(&block("B0", 'T', 'N', &counting(16))).unwrap_err();
    assert!(matches!(refused, KeyError::UsageUnknown { .. }), "{refused}");
    let mut hmac = block("M7", 'H', 'C', &counting(32));
    hmac.hash = Some("21".to_owned());
    assert!(admitted(&hmac).is_ok());
    hmac.hash = Some("22".to_owned());
    assert!(matches!(admitted(&hmac).unwrap_err(), KeyError::Unfit { .. }));
}

#[test]
fn tdes_with_equal_parts_is_refused() {
    let (a, b, c) = ([0x10; 8], [0x20; 8], [0x31; 8]);
    // Parity bits do not count: 0x11 is 0x10 to TDES.
    for parts in [vec![a, a], vec![a, [0x11; 8]], vec![a, a, b], vec![a, b, b]] {
        let refused = admitted(&block("P0", 'T', 'B', &parts.concat())).unwrap_err();
        assert!(matches!(refused, KeyError::EqualParts { .. }), "{refused}");
    }
    for parts in [vec![a, b], vec![a, b, c], vec![a, b, a]] {
        assert!(admitted(&block("P0", 'T', 'B', &parts.concat())).is_ok());
    }
}
