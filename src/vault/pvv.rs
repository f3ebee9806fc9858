//! The PIN verification value: four digits by which a host knows a PIN without keeping it.

use zeroize::Zeroizing;

use super::cipher::{BlockCipher, Tdes};
use super::digits::{account_part, decimalise, pack};
use super::pin::Pin;

/// Four digits over the 11 rightmost PAN digits without the check digit, the key indicator and the 4 leftmost PIN digits.
pub(super) fn value(key: &Tdes, pan: &str, pvki: u8, pin: &Pin) -> String {
    let mut halves = Zeroizing::new([0; 16]);
    halves[..11].copy_from_slice(&*account_part::<11>(pan));
    halves[11] = pvki;
    halves[12..].copy_from_slice(&pin.digits()[..4]);
    let mut block = Zeroizing::new([0; 8]);
    pack(&*halves, &mut *block);
    key.encrypt(&mut block);
    decimalise(&block, 4)
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;
    use crate::vault::vectors::{self, text};

    fn computed(key: &[u8], entry: &Value) -> String {
        let pvki = text(entry, "pvki").parse().unwrap();
        value(&Tdes::new(key).unwrap(), text(entry, "pan"), pvki, &Pin::of(text(entry, "pin")))
    }

    #[test]
    fn the_public_value() {
        for entry in vectors::known("pvv") {
            assert_eq!(computed(&vectors::hex(&entry, "pvk"), &entry), text(&entry, "pvv"));
        }
    }

    #[test]
    fn our_values_and_the_one_that_needs_the_second_pass() {
        for entry in vectors::list("pvv").into_iter().chain(vectors::list("pvv_second_pass")) {
            assert_eq!(computed(&vectors::key(text(&entry, "key")), &entry), text(&entry, "pvv"));
        }
    }

    #[test]
    fn only_the_four_leftmost_pin_digits_count() {
        let key = Tdes::new(&vectors::key("PVK_1")).unwrap();
        assert_eq!(value(&key, "4000001234567899", 1, &Pin::of("123499")), "8484");
    }
}
