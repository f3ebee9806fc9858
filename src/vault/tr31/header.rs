//! The clear header of a key block: what the key inside may be used for (ANSI X9.143, clause 6).
//!
//! Until the block's MAC has been checked, nothing in a header may be believed; only its lengths are used before.

use super::Tr31Error;

/// Versions this program reads and makes; A and C (key variants) are withdrawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Version {
    /// TDES protection, key derivation by CMAC.
    B,
    /// AES protection, key derivation by CMAC.
    D,
}

impl Version {
    /// Bytes of a cipher block, and of the MAC.
    pub(super) fn block_len(self) -> usize {
        match self {
            Self::B => 8,
            Self::D => 16,
        }
    }
}

/// Characters of the fixed header.
pub(super) const FIXED: usize = 16;

/// A header that is well-formed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Header {
    /// B or D.
    pub(super) version: Version,
    /// Two characters, for example `P0`.
    pub(super) usage: String,
    /// `T`, `A`, `H` and others.
    pub(super) algorithm: char,
    /// Mode of use, for example `E`.
    pub(super) mode: char,
    /// `E`, `N` or `S`.
    pub(super) exportability: char,
    /// Hash of an HMAC key (optional block `HM`), where it is said.
    pub(super) hash: Option<String>,
    /// Characters of the header with its optional blocks.
    pub(super) length: usize,
}

impl Header {
    /// Reads the header of a block and checks every length.
    ///
    /// # Errors
    /// [`Tr31Error::Malformed`], [`Tr31Error::Version`], [`Tr31Error::Length`] and [`Tr31Error::OptionalBlocks`].
    pub(super) fn read(block: &str) -> Result<Self, Tr31Error> {
        let bytes = block.as_bytes();
        if bytes.len() < FIXED || !bytes.iter().all(|byte| (0x20..0x7F).contains(byte)) {
            return Err(Tr31Error::Malformed);
        }
        let version = match bytes[0] {
            b'B' => Version::B,
            b'D' => Version::D,
            _ => return Err(Tr31Error::Version),
        };
        let declared = number(&block[1..5], 10).ok_or(Tr31Error::Malformed)?;
        if declared != block.len() {
            return Err(Tr31Error::Length { declared, actual: block.len() });
        }
        if !bytes[5..12].iter().all(u8::is_ascii_alphanumeric) {
            return Err(Tr31Error::Malformed);
        }
        let (length, hash) = optional_blocks(block)?;
        Ok(Self {
            version,
            usage: block[5..7].to_owned(),
            algorithm: char::from(bytes[7]),
            mode: char::from(bytes[8]),
            exportability: char::from(bytes[11]),
            hash,
            length,
        })
    }
}

/// Skips the optional blocks: only the hash of an HMAC key matters here. Gives where they end.
fn optional_blocks(block: &str) -> Result<(usize, Option<String>), Tr31Error> {
    let count = number(&block[12..14], 10).ok_or(Tr31Error::OptionalBlocks)?;
    let (mut at, mut hash) = (FIXED, None);
    for _ in 0..count {
        let id = block.get(at..at + 2).ok_or(Tr31Error::OptionalBlocks)?;
        let (head, length) = optional_length(block, at).ok_or(Tr31Error::OptionalBlocks)?;
        let content = block.get(at + head..at + length).ok_or(Tr31Error::OptionalBlocks)?;
        if id == "HM" {
            hash = Some(content.to_owned());
        }
        at += length;
    }
    Ok((at, hash))
}

/// Characters before the content of the optional block at `at`, and of the whole of it: two hexadecimal digits, or
/// `00`, two digits that count digits, and those.
fn optional_length(block: &str, at: usize) -> Option<(usize, usize)> {
    let (head, length) = match number(block.get(at + 2..at + 4)?, 16)? {
        0 => {
            let digits = number(block.get(at + 4..at + 6)?, 16)?;
            (6 + digits, number(block.get(at + 6..at + 6 + digits)?, 16)?)
        }
        length => (4, length),
    };
    (length >= head).then_some((head, length))
}

fn number(digits: &str, radix: u32) -> Option<usize> {
    let plain = digits.chars().all(|digit| digit.is_digit(radix));
    if plain { usize::from_str_radix(digits, radix).ok() } else { None }
}
