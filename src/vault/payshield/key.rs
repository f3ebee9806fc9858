//! A key under the LMK of a payShield, in the form it has in commands.
//!
//! Such a cryptogram opens nowhere but in a device with that LMK. What it is for is written beside it in the
//! configuration; what the form itself says must agree with that.

use std::fmt;

use zeroize::Zeroizing;

use crate::vault::keys::KeyAlgorithm;
use crate::vault::settings::LmkDialect;

/// A key as commands carry it: scheme letter first.
#[derive(Clone, PartialEq, Eq)]
pub struct LmkKey(Zeroizing<String>);

impl fmt::Debug for LmkKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("LmkKey")
    }
}

impl LmkKey {
    /// Reads one line.
    ///
    /// # Errors
    /// A sentence's end, without the key: what is wrong with its form.
    pub fn parse(text: &str, dialect: LmkDialect, algorithm: KeyAlgorithm) -> Result<Self, &'static str> {
        let text = text.trim();
        let hex_of = |length: usize, hex: &str| hex.len() == length && hex.bytes().all(|byte| byte.is_ascii_hexdigit());
        let fits = match (dialect, algorithm, text.split_at_checked(1)) {
            (LmkDialect::Variant, KeyAlgorithm::Tdes2Key, Some(("U", hex))) => hex_of(32, hex),
            (LmkDialect::Variant, KeyAlgorithm::Tdes3Key, Some(("T", hex))) => hex_of(48, hex),
            (LmkDialect::Variant, ..) => {
                return Err(
                    "must be U and 32, or T and 48 hexadecimal digits, as its algorithm says: a variant LMK holds TDES keys",
                );
            }
            (LmkDialect::KeyBlock, _, Some(("S", block))) => is_key_block(block),
            (LmkDialect::KeyBlock, ..) => false,
        };
        if fits {
            Ok(Self(Zeroizing::new(text.to_owned())))
        } else {
            Err("is not a key of that form; export it from the device again")
        }
    }

    /// As it stands in a command.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Its scheme letter: U or T under a variant LMK, S for a key block.
    pub fn scheme(&self) -> char {
        self.0.chars().next().unwrap_or('S')
    }
}

/// Version, and its whole length in digits 1 to 4, are what a key block says of its form.
fn is_key_block(block: &str) -> bool {
    let length = block.get(1..5).and_then(|digits| digits.parse::<usize>().ok());
    matches!(block.as_bytes().first(), Some(b'0' | b'1'))
        && length == Some(block.len())
        && block.bytes().all(|byte| byte.is_ascii_alphanumeric())
}

#[cfg(test)]
impl LmkKey {
    /// Of either dialect, for tests.
    pub(crate) fn of(text: &str) -> Self {
        let (dialect, algorithm) = match (text.as_bytes()[0], text.len()) {
            (b'S', _) => (LmkDialect::KeyBlock, KeyAlgorithm::Aes128),
            (b'U', _) => (LmkDialect::Variant, KeyAlgorithm::Tdes2Key),
            _ => (LmkDialect::Variant, KeyAlgorithm::Tdes3Key),
        };
        Self::parse(text, dialect, algorithm).unwrap()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_has_the_form_of_its_dialect_and_algorithm() {
        let (double, triple) = (format!("U{}", "A1".repeat(16)), format!("T{}", "A1".repeat(24)));
        let block = format!("S10072P0TB00E0000{}", "A1".repeat(28));
        let parse = |text: &str, dialect, algorithm| LmkKey::parse(text, dialect, algorithm).is_ok();
        assert!(parse(&double, LmkDialect::Variant, KeyAlgorithm::Tdes2Key));
        assert!(parse(&triple, LmkDialect::Variant, KeyAlgorithm::Tdes3Key));
        assert!(parse(&format!(" {block}\n"), LmkDialect::KeyBlock, KeyAlgorithm::Aes256));
        assert!(!parse(&double, LmkDialect::Variant, KeyAlgorithm::Tdes3Key));
        assert!(!parse(&double, LmkDialect::Variant, KeyAlgorithm::Aes128));
        assert!(!parse(&double, LmkDialect::KeyBlock, KeyAlgorithm::Tdes2Key));
        assert!(!parse(&block, LmkDialect::Variant, KeyAlgorithm::Tdes2Key));
        for broken in [&block[..block.len() - 1], &block.replace("0072", "0073"), &block.replace('A', ";"), "S", ""] {
            assert!(!parse(broken, LmkDialect::KeyBlock, KeyAlgorithm::Tdes2Key), "{broken}");
        }
        let letters = [double, triple, block].map(|text| LmkKey::of(&text).scheme());
        assert_eq!(letters, ['U', 'T', 'S']);
    }

    #[test]
    fn nothing_prints_a_key() {
        assert_eq!(format!("{:?}", LmkKey::of(&format!("U{}", "A1".repeat(16)))), "LmkKey");
    }
}
