//! A key under the LMK of a payShield, in the form it has in commands.
//!
//! Such a cryptogram opens nowhere but in a device with that LMK. What it is for is written beside it in the
//! configuration; what the form itself says must agree with that.

use std::fmt;

use crate::vault::keys::KeyAlgorithm;
use crate::vault::settings::LmkDialect;

/// A key as commands carry it: scheme letter first.
#[derive(Clone, PartialEq, Eq)]
pub struct LmkKey(String);

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
        if fits { Ok(Self(text.to_owned())) } else { Err("is not a key of that form; export it from the device again") }
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
