//! The fields that several commands share: the PIN under the LMK, PIN blocks with their format, account numbers.
//!
//! Invariant: what is in a field has the field's length and characters, so that no value can be read as a neighbour's.

use std::fmt;

use zeroize::Zeroizing;

use crate::card::{Pan, PinBlockFormat, SecretHex};
use crate::vault::CryptoError;

/// A PIN under the LMK, as the device gives it and takes it back.
///
/// Its length is a security setting of the device: 5 to 13 digits, or hexadecimal digits, under a variant LMK and a
/// TDES key-block LMK; `J` and 32 hexadecimal digits under an AES key-block LMK. It does not tell how long the PIN is.
#[derive(Clone, PartialEq, Eq)]
pub struct PinUnderLmk(Zeroizing<String>);

impl fmt::Debug for PinUnderLmk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PinUnderLmk(***)")
    }
}

impl PinUnderLmk {
    /// 5 to 64 digits and upper-case letters; `None` for anything else.
    pub fn read(bytes: &[u8]) -> Option<Self> {
        let plausible = |byte: &u8| byte.is_ascii_digit() || byte.is_ascii_uppercase();
        if !(5..=64).contains(&bytes.len()) || !bytes.iter().all(plausible) {
            return None;
        }
        Some(Self(Zeroizing::new(std::str::from_utf8(bytes).ok()?.to_owned())))
    }

    /// As it stands in commands, and in a stored PIN.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A PIN block under a zone PIN key, of the length of its format.
#[derive(Clone, PartialEq, Eq)]
pub struct ZoneBlock {
    format: PinBlockFormat,
    digits: SecretHex,
}

impl fmt::Debug for ZoneBlock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ZoneBlock({})", self.format)
    }
}

impl ZoneBlock {
    /// Takes hexadecimal digits, in either case.
    ///
    /// # Errors
    /// [`CryptoError::Card`] where they are not as many as the format has, or something else.
    pub fn read(digits: &str, format: PinBlockFormat) -> Result<Self, CryptoError> {
        let length = block_digits(format);
        if digits.len() != length || !digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Err(CryptoError::Card(format!("a PIN block of this format has {length} hexadecimal digits")));
        }
        Ok(Self { format, digits: SecretHex::new(digits.to_ascii_uppercase()) })
    }

    /// Its format.
    pub fn format(&self) -> PinBlockFormat {
        self.format
    }

    /// Its digits.
    pub fn as_str(&self) -> &str {
        self.digits.expose()
    }
}

/// Hexadecimal digits of a PIN block.
pub(super) fn block_digits(format: PinBlockFormat) -> usize {
    match format {
        PinBlockFormat::Iso0 | PinBlockFormat::Iso3 => 16,
        PinBlockFormat::Iso4 => 32,
    }
}

/// The device's code of a PIN block format.
pub(super) fn format_code(format: PinBlockFormat) -> &'static str {
    match format {
        PinBlockFormat::Iso0 => "01",
        PinBlockFormat::Iso3 => "47",
        PinBlockFormat::Iso4 => "48",
    }
}

/// The account number as most commands want it: the 12 rightmost digits without the check digit.
pub(super) fn account(pan: &Pan) -> &str {
    let without_check_digit = &pan.expose()[..pan.expose().len() - 1];
    // A PAN has 13 digits or more, so there are always 12 here.
    &without_check_digit[without_check_digit.len() - 12..]
}

/// The account number beside a PIN block of a format, with what ends it.
///
/// Formats 0 and 3 bind the 12 digits of [`account`]. Format 4 binds the whole PAN and its length (ISO 9564-1, 9.4.2.3),
/// which 12 digits do not tell: beside code 48 the field is the PAN with its check digit, and a semicolon ends it.
/// (That the field is of variable length and ended so is told by two of the sources, without an example.)
pub(super) fn block_account(pan: &Pan, format: PinBlockFormat) -> [&str; 2] {
    match format {
        PinBlockFormat::Iso0 | PinBlockFormat::Iso3 => [account(pan), ""],
        PinBlockFormat::Iso4 => [pan.expose(), ";"],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_account_number_is_twelve_digits_without_the_check_digit() {
        for (but_the_check_digit, digits) in [
            ("400000123456789", "000123456789"),
            ("400000123456", "400000123456"),
            ("400000123456789012", "123456789012"),
        ] {
            assert_eq!(account(&Pan::with_check_digit(but_the_check_digit).unwrap()), digits);
        }
    }

    #[test]
    fn format_4_is_beside_the_whole_number_and_its_end() {
        let pan = Pan::parse("4000001234567899").unwrap();
        assert_eq!(block_account(&pan, PinBlockFormat::Iso0).concat(), "000123456789");
        assert_eq!(block_account(&pan, PinBlockFormat::Iso3).concat(), "000123456789");
        assert_eq!(block_account(&pan, PinBlockFormat::Iso4).concat(), "4000001234567899;");
    }

    #[test]
    fn a_pin_under_the_lmk_has_any_length_a_device_may_be_set_to() {
        for good in ["01234", "5049248", "0123456789ABC", "J0123456789ABCDEF0123456789ABCDEF"] {
            assert_eq!(PinUnderLmk::read(good.as_bytes()).unwrap().as_str(), good);
        }
        let long = "0".repeat(65);
        for bad in ["", "1234", "0123\u{19}", "0123 4", "01234abc", "01234\u{e9}", long.as_str()] {
            assert!(PinUnderLmk::read(bad.as_bytes()).is_none(), "{bad:?}");
        }
    }

    #[test]
    fn a_pin_block_has_the_length_of_its_format_and_nothing_prints_it() {
        let block = ZoneBlock::read("87c832f7179e9cce", PinBlockFormat::Iso3).unwrap();
        assert_eq!((block.as_str(), block.format()), ("87C832F7179E9CCE", PinBlockFormat::Iso3));
        for (digits, format) in [
            ("87C832F7179E9CC", PinBlockFormat::Iso0),
            ("87C832F7179E9CCE", PinBlockFormat::Iso4),
            ("87C832F7179E9CCE0", PinBlockFormat::Iso3),
            ("87C832F7179E9CCG", PinBlockFormat::Iso0),
            ("", PinBlockFormat::Iso0),
        ] {
            assert!(matches!(ZoneBlock::read(digits, format), Err(CryptoError::Card(_))), "{digits}");
        }
        let pin = PinUnderLmk::read(b"0123456").unwrap();
        assert_eq!(format!("{block:?} {pin:?}"), "ZoneBlock(ISO_3) PinUnderLmk(***)");
    }
}
