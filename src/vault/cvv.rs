//! Card verification values: CVV, iCVV and CVV2 of Visa, which are the CVC values of Mastercard.

use super::cipher::{BlockCipher, SingleDes, Tdes, exclusive_or};
use super::digits::{decimalise, pack, values};

/// A card verification key: its left half alone, and both halves as TDES.
pub(super) struct CvvKey {
    left: SingleDes,
    pair: Tdes,
}

impl CvvKey {
    /// `None` unless the key has 16 bytes.
    pub(super) fn new(key: &[u8]) -> Option<Self> {
        if key.len() != 16 {
            return None;
        }
        Some(Self { left: SingleDes::new(&key[..8])?, pair: Tdes::new(key)? })
    }

    /// Three digits over PAN, expiry (4 digits, in the product's order) and service code (3 digits).
    pub(super) fn value(&self, pan: &str, expiry: &str, service_code: &str) -> String {
        let mut halves = [0; 32];
        let digits = values(pan).chain(values(expiry)).chain(values(service_code));
        for (place, digit) in halves.iter_mut().zip(digits) {
            *place = digit;
        }
        let (mut block, mut second) = ([0; 8], [0; 8]);
        pack(&halves[..16], &mut block);
        pack(&halves[16..], &mut second);
        self.left.encrypt(&mut block);
        exclusive_or(&mut block, &second);
        self.pair.encrypt(&mut block);
        decimalise(&block, 3)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::vault::vectors::{self, text};

    #[test]
    fn the_public_values() {
        for entry in vectors::known("cvv") {
            let key = CvvKey::new(&vectors::hex(&entry, "cvk")).unwrap();
            let value = key.value(text(&entry, "pan"), text(&entry, "expiry"), text(&entry, "service_code"));
            assert_eq!(value, text(&entry, "cvv"), "{}", text(&entry, "source"));
        }
    }

    #[test]
    fn our_values_and_the_one_that_needs_the_second_pass() {
        for entry in vectors::list("cvv").into_iter().chain(vectors::list("cvv_second_pass")) {
            let key = CvvKey::new(&vectors::key(text(&entry, "key"))).unwrap();
            let value = key.value(text(&entry, "pan"), text(&entry, "expiry_yymm"), text(&entry, "service_code"));
            assert_eq!(value, text(&entry, "value"), "{}", text(&entry, "kind"));
        }
    }

    #[test]
    fn the_order_of_the_expiry_matters() {
        let entry = &vectors::all()["cvv2_expiry_order"];
        let key = CvvKey::new(&vectors::key("CVK2_A_B")).unwrap();
        let pan = text(entry, "pan");
        assert_eq!(key.value(pan, "1229", "000"), text(entry, "MMYY_1229_value"));
        assert_eq!(key.value(pan, "2912", "000"), text(entry, "YYMM_2912_value"));
    }

    #[test]
    fn a_key_has_two_halves() {
        for length in [0, 8, 15, 17, 24, 32] {
            assert!(CvvKey::new(&vec![1; length]).is_none(), "{length}");
        }
    }
}
