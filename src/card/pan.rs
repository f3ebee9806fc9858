//! The primary account number: ISO/IEC 7812 digits with a Luhn check digit, kept secret.

use std::fmt;

use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

/// A card number of 13 to 19 digits whose check digit is right. Cards of this program have 16 (S4).
#[derive(Clone, PartialEq, Eq)]
pub struct Pan(Zeroizing<String>);

/// Why digits are not a PAN. They are never repeated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PanError {
    /// Not 13 to 19 ASCII digits.
    #[error("a card number has 13 to 19 digits")]
    NotDigits,
    /// The Luhn check digit is wrong.
    #[error("the card number's check digit is wrong")]
    CheckDigit,
}

/// How a PAN is shown: the first digits, stars, the last four.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum PanMask {
    /// First six and last four.
    #[default]
    #[serde(rename = "6+4")]
    SixFour,
    /// First eight and last four, where an agreement says so.
    #[serde(rename = "8+4")]
    EightFour,
}

impl Pan {
    /// Checks length, digits and check digit.
    ///
    /// # Errors
    /// [`PanError`], which never holds the digits.
    pub fn parse(digits: &str) -> Result<Self, PanError> {
        if !(13..=19).contains(&digits.len()) || !digits.bytes().all(|b| b.is_ascii_digit()) {
            return Err(PanError::NotDigits);
        }
        if luhn_sum(digits.as_bytes()) != 0 {
            return Err(PanError::CheckDigit);
        }
        Ok(Self(Zeroizing::new(digits.to_owned())))
    }

    /// Completes `prefix` (all digits but the last) with its check digit.
    ///
    /// # Errors
    /// [`PanError::NotDigits`] where the result would not have 13 to 19 digits.
    pub fn with_check_digit(prefix: &str) -> Result<Self, PanError> {
        let mut digits = Zeroizing::new(format!("{prefix}0"));
        if !digits.bytes().all(|b| b.is_ascii_digit()) {
            return Err(PanError::NotDigits);
        }
        let check = (10 - luhn_sum(digits.as_bytes())) % 10;
        digits.pop();
        digits.push(char::from(b'0' + check));
        Self::parse(&digits)
    }

    /// The clear digits: for the document writer and the vault.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// The last four digits.
    pub fn last4(&self) -> &str {
        &self.0[self.0.len() - 4..]
    }

    /// The first six digits (the BIN, as most systems show it).
    pub fn first6(&self) -> &str {
        &self.0[..6]
    }

    /// `400000******7899`: what may be printed and logged.
    pub fn masked(&self, mask: PanMask) -> String {
        let shown = match mask {
            PanMask::SixFour => 6,
            PanMask::EightFour => 8,
        };
        let stars = "*".repeat(self.0.len() - shown - 4);
        format!("{}{stars}{}", &self.0[..shown], self.last4())
    }
}

impl fmt::Debug for Pan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.masked(PanMask::SixFour))
    }
}

/// The Luhn sum (ISO/IEC 7812-1 annex B) modulo 10 of digits that end with their check digit; 0 when right.
fn luhn_sum(digits: &[u8]) -> u8 {
    let sum: u32 = digits
        .iter()
        .rev()
        .enumerate()
        .map(|(place, digit)| {
            let value = u32::from(digit - b'0');
            if place % 2 == 0 { value } else { value * 2 / 10 + value * 2 % 10 }
        })
        .sum();
    // Safe because: modulo 10 fits.
    (sum % 10) as u8
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn masks_as_the_vectors_do() {
        for (pan, masked) in [
            ("4000001234567899", "400000******7899"),
            ("2223001234567894", "222300******7894"),
            ("4000001234567890124", "400000*********0124"),
            ("4000001234562", "400000***4562"),
            ("370000123456784", "370000*****6784"),
        ] {
            let pan = Pan::parse(pan).unwrap();
            assert_eq!(pan.masked(PanMask::SixFour), masked);
            assert_eq!(format!("{pan:?}"), masked);
        }
    }

    #[test]
    fn eight_and_four_only_where_agreed() {
        let pan = Pan::parse("4000001234567899").unwrap();
        assert_eq!(pan.masked(PanMask::EightFour), "40000012****7899");
    }

    #[test]
    fn refuses_a_wrong_check_digit_and_wrong_lengths() {
        assert_eq!(Pan::parse("4000001234567890"), Err(PanError::CheckDigit));
        assert_eq!(Pan::parse("400000123456"), Err(PanError::NotDigits));
        assert_eq!(Pan::parse("40000012345678990000"), Err(PanError::NotDigits));
        assert_eq!(Pan::parse("400000123456789x"), Err(PanError::NotDigits));
    }

    #[test]
    fn makes_the_check_digit() {
        assert_eq!(Pan::with_check_digit("400000123456789").unwrap().expose(), "4000001234567899");
    }
}
