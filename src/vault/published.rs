//! Check values of test keys that are published: a live environment refuses them.
//!
//! The keys are those of this project's own test vectors, and of the known answers everybody prints.

/// Whether this is the check value (6 or 10 digits) of a published test key.
pub(super) fn is_published(kcv: &str) -> bool {
    PUBLISHED.contains(&kcv)
}

/// Full check values: 6 digits of TDES keys, 10 of AES keys.
const PUBLISHED: &[&str] = &[
    "E5063D",     // CVK_A_B
    "D8F71C",     // CVK2_A_B
    "17FB96",     // PVK_1
    "EB3618",     // PVK_IBM
    "D4574E",     // ZPK_TDES_2KEY
    "99A4C8",     // ZPK_TDES_3KEY
    "808B8535ED", // ZPK_AES_128
    "28B3968D05", // ZPK_AES_256
    "0EDB56",     // ZMK_TDES_2KEY
    "2DDCA9",     // KBPK_TDES_3KEY
    "0A5ECFD8AF", // KBPK_AES_256
    "597F10FDC5", // DEK_AES_256
    "DCA506",     // CVV known answer
    "08D7B4",     // CVV known answer
    "98964FF967", // format 4 known answer
    "53E107B36E", // format 4 known answer
    "F7BAA8",     // TR-31 known answer, protection key
    "57C409",     // TR-31 known answer
    "2331550BC9", // TR-31 known answer, protection key
    "08793E25AB", // TR-31 known answer
    "ABF549C520", // TR-31 known answer, protection key
    "FF5087",     // TR-31 known answer
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::vault::cipher::{aes_kcv, tdes_kcv};
    use crate::vault::vectors::{self, text};

    #[test]
    fn every_key_of_the_vectors_is_known() {
        for (label, key) in vectors::all()["keys"].as_object().unwrap() {
            assert!(is_published(text(key, "kcv")), "{label}");
        }
        for (list, field) in [("cvv", "cvk"), ("pvv", "pvk")] {
            for entry in vectors::known(list) {
                let kcv = tdes_kcv(&vectors::hex(&entry, field)).unwrap();
                assert!(is_published(&kcv), "{list} {kcv}");
            }
        }
        for (list, field) in [("pinblock_fmt4", "key"), ("tr31_unwrap", "kbpk")] {
            for entry in vectors::known(list) {
                let key = vectors::hex(&entry, field);
                let version_b = entry["key_block"].as_str().is_some_and(|block| block.starts_with('B'));
                let kcv = if version_b { tdes_kcv(&key) } else { aes_kcv(&key) }.unwrap();
                assert!(is_published(&kcv), "{list} {kcv}");
            }
        }
    }

    #[test]
    fn other_keys_are_not() {
        assert!(!is_published(&tdes_kcv(&[0x33; 24]).unwrap()));
        assert!(!is_published(""));
    }
}
