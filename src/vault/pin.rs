//! A clear PIN, for the moment between two cipher blocks.
//!
//! Invariants (R39): it never leaves this room, nothing can print it, and it is wiped on drop.

use std::fmt;

use zeroize::Zeroizing;

use crate::ambient::Random;

/// Digits of a PIN this program issues or takes in (R39); PIN blocks themselves hold 4 to 12.
pub(super) const ISSUED_LENGTH: usize = 4;

/// 4 to 12 digits.
pub(super) struct Pin {
    digits: Zeroizing<[u8; 12]>,
    length: usize,
}

impl fmt::Debug for Pin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Pin(***)")
    }
}

impl Pin {
    /// Four digits, every one of the 10,000 PINs equally likely.
    pub(super) fn random(random: &Random) -> Self {
        let mut digits = Zeroizing::new([0; 12]);
        for digit in &mut digits[..ISSUED_LENGTH] {
            *digit = random.digit();
        }
        Self { digits, length: ISSUED_LENGTH }
    }

    /// From digit values; `None` unless there are 4 to 12 and each is 0 to 9.
    pub(super) fn from_digits(values: &[u8]) -> Option<Self> {
        if !(4..=12).contains(&values.len()) || values.iter().any(|digit| *digit > 9) {
            return None;
        }
        let mut digits = Zeroizing::new([0; 12]);
        digits[..values.len()].copy_from_slice(values);
        Some(Self { digits, length: values.len() })
    }

    /// The digit values.
    pub(super) fn digits(&self) -> &[u8] {
        &self.digits[..self.length]
    }

    /// Whether it has the length this program issues.
    pub(super) fn is_issuable(&self) -> bool {
        self.length == ISSUED_LENGTH
    }

    /// Whether two PINs are the same, in a time that does not tell where they differ.
    pub(super) fn is(&self, other: &Self) -> bool {
        let differences = self.digits.iter().zip(other.digits.iter()).fold(0, |all, (a, b)| all | (a ^ b));
        std::hint::black_box(differences) == 0 && self.length == other.length
    }
}

#[cfg(test)]
impl Pin {
    /// From text, for tests.
    pub(super) fn of(text: &str) -> Self {
        Self::from_digits(&super::digits::values(text).collect::<Vec<_>>()).unwrap()
    }

    /// As text, for tests.
    pub(super) fn shown(&self) -> String {
        self.digits().iter().map(ToString::to_string).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn r39_a_pin_is_four_digits_and_cannot_be_printed() {
        let pin = Pin::random(&Random::seeded(1));
        assert_eq!(pin.digits().len(), 4);
        assert!(pin.digits().iter().all(|digit| *digit < 10));
        assert_eq!(format!("{pin:?}"), "Pin(***)");
    }

    #[test]
    fn every_digit_is_equally_likely() {
        let random = Random::seeded(20_260_101);
        let mut counts = [[0_u32; 10]; 4];
        for _ in 0..20_000 {
            for (place, digit) in Pin::random(&random).digits().iter().enumerate() {
                counts[place][usize::from(*digit)] += 1;
            }
        }
        // 2,000 expected each, standard deviation 42: six of them.
        assert!(counts.iter().flatten().all(|count| (1_746..=2_254).contains(count)), "{counts:?}");
    }

    #[test]
    fn lengths_of_4_to_12_and_digits_only() {
        for length in 0..=14 {
            assert_eq!(Pin::from_digits(&vec![9; length]).is_some(), (4..=12).contains(&length), "{length}");
        }
        assert!(Pin::from_digits(&[1, 2, 3, 10]).is_none());
        assert!(Pin::of("1234").is_issuable());
        assert!(!Pin::of("12345").is_issuable());
    }

    #[test]
    fn the_same_pin_is_the_same() {
        assert!(Pin::of("1234").is(&Pin::of("1234")));
        assert!(!Pin::of("1234").is(&Pin::of("1235")));
        assert!(!Pin::of("0000").is(&Pin::of("00000")));
    }
}
