//! Key blocks: TR-31 / ANSI X9.143, versions B (TDES) and D (AES), read and made.
//!
//! Invariants: nothing of a block is used before its MAC over header and key has been found right, in constant time;
//! an error never holds key material. The header binds usage, algorithm and mode to the key, so a block whose header
//! was changed does not open.

mod header;
#[cfg(test)]
mod tests;

use zeroize::Zeroizing;

use self::header::{FIXED, Header, Version};
use super::cipher::{Aes, BlockCipher, Tag, Tdes};
use super::kbpk::Kbpk;
use crate::ambient::Random;

/// Why a key block does not open, or cannot be made. Each sentence goes on from the name of the key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Tr31Error {
    /// Not a key block at all.
    #[error("it is not a TR-31 key block: one line of 16 header characters and hexadecimal digits is expected")]
    Malformed,
    /// Another version.
    #[error("its key block is neither version B nor version D")]
    Version,
    /// The length in the header is not that of the line.
    #[error("its key block says it has {declared} characters, but has {actual}")]
    Length {
        /// What the header says, in characters.
        declared: usize,
        /// What was read, in characters.
        actual: usize,
    },
    /// Optional blocks that do not add up.
    #[error("the optional blocks in its key block's header do not add up")]
    OptionalBlocks,
    /// What follows the header is no encrypted key and MAC.
    #[error("what follows its key block's header is not an encrypted key and a MAC in hexadecimal digits")]
    Ciphertext,
    /// Version B under an AES key, or D under a TDES key.
    #[error("its key block is version {version}, which needs {needed} as protection key, and this one is not")]
    Protection {
        /// `B` or `D`.
        version: char,
        /// Which key would do.
        needed: &'static str,
    },
    /// Altered, or another protection key.
    #[error("the MAC of its key block is wrong: the block was altered, or another key protects it")]
    Mac,
    /// The key has no length its algorithm knows.
    #[error("the key in its key block has a length its algorithm does not know")]
    KeyLength,
}

/// A key out of a block whose MAC was right.
pub struct OpenedBlock {
    /// Two characters, for example `C0`.
    pub usage: String,
    /// `T` TDES, `A` AES, `H` HMAC and others.
    pub algorithm: char,
    /// Mode of use, for example `E` (encrypt only), `B` (both), `N` (anything).
    pub mode: char,
    /// `E`, `N` or `S`.
    pub exportability: char,
    /// The hash of an HMAC key as optional block `HM` names it (`21` = SHA-256), where it does.
    pub hash: Option<String>,
    /// The key.
    pub key: Zeroizing<Vec<u8>>,
}

impl std::fmt::Debug for OpenedBlock {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "OpenedBlock({}{}{})", self.usage, self.algorithm, self.mode)
    }
}

/// What a new block says about its key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BlockTerms {
    /// Two characters, for example `C0`.
    pub usage: &'static str,
    /// `T`, `A` or `H`.
    pub algorithm: char,
    /// Mode of use.
    pub mode: char,
}

/// An `HM` block that says SHA-256, and padding up to a whole AES block.
const HMAC_SHA_256: &str = "HM0621PB0A000000";

/// Opens a key block.
///
/// # Errors
/// [`Tr31Error`], by what is wrong.
pub fn open(block: &str, kbpk: &Kbpk) -> Result<OpenedBlock, Tr31Error> {
    let header = Header::read(block)?;
    let version = header.version;
    let rest = hex::decode(&block[header.length..]).map_err(|_| Tr31Error::Ciphertext)?;
    let size = version.block_len();
    // The least is one cipher block and the MAC, which is one block long in both versions.
    if rest.len() < 2 * size || !rest.len().is_multiple_of(size) {
        return Err(Tr31Error::Ciphertext);
    }
    let (ciphertext, mac) = rest.split_at(rest.len() - size);
    let keys = Derived::from(version, kbpk)?;
    let mut clear = Zeroizing::new(ciphertext.to_vec());
    keys.decrypt(mac, &mut clear).ok_or(Tr31Error::Ciphertext)?;
    if !keys.tag(&block[..header.length], &clear).is_some_and(|tag| tag.is(mac)) {
        return Err(Tr31Error::Mac);
    }
    let key = inner_key(&clear, header.algorithm)?;
    let Header { usage, algorithm, mode, exportability, hash, .. } = header;
    Ok(OpenedBlock { usage, algorithm, mode, exportability, hash, key })
}

/// Makes a key block, not exportable, of the version the protection key is for (D where it may be either). The
/// padding is random and hides the length of TDES and AES keys.
///
/// # Errors
/// [`Tr31Error::KeyLength`] where the algorithm does not know the key's length.
pub fn make(kbpk: &Kbpk, terms: BlockTerms, key: &[u8], random: &Random) -> Result<String, Tr31Error> {
    let version = if kbpk.aes().is_some() { Version::D } else { Version::B };
    let longest = match terms.algorithm {
        'T' => 24,
        'A' => 32,
        _ => key.len(),
    };
    let whole = (2 + longest).next_multiple_of(version.block_len());
    let mut padding = Zeroizing::new(vec![0; whole.saturating_sub(2 + key.len())]);
    random.fill(&mut padding);
    let optional = if terms.algorithm == 'H' { HMAC_SHA_256 } else { "" };
    sealed(version, kbpk, terms, optional, key, &padding)
}

fn sealed(
    version: Version,
    kbpk: &Kbpk,
    terms: BlockTerms,
    optional: &str,
    key: &[u8],
    padding: &[u8],
) -> Result<String, Tr31Error> {
    let mut clear = Zeroizing::new(Vec::with_capacity(2 + key.len() + padding.len()));
    let bits = u16::try_from(key.len() * 8).map_err(|_| Tr31Error::KeyLength)?;
    clear.extend_from_slice(&bits.to_be_bytes());
    clear.extend_from_slice(key);
    clear.extend_from_slice(padding);
    inner_key(&clear, terms.algorithm)?;
    let size = version.block_len();
    let length = FIXED + optional.len() + 2 * (clear.len() + size);
    if !clear.len().is_multiple_of(size) || length > 9_999 {
        return Err(Tr31Error::KeyLength);
    }
    let BlockTerms { usage, algorithm, mode } = terms;
    let blocks = if optional.is_empty() { 0 } else { 2 };
    let header = format!("{version:?}{length:04}{usage}{algorithm}{mode}00N{blocks:02}00{optional}");
    let keys = Derived::from(version, kbpk)?;
    let mac = keys.tag(&header, &clear).ok_or(Tr31Error::KeyLength)?.bytes();
    keys.encrypt(&mac, &mut clear).ok_or(Tr31Error::KeyLength)?;
    Ok(format!("{header}{}{}", hex::encode_upper(&*clear), hex::encode_upper(&*mac)))
}

/// The key behind its length in bits, where the algorithm knows that length.
fn inner_key(clear: &[u8], algorithm: char) -> Result<Zeroizing<Vec<u8>>, Tr31Error> {
    let (length, rest) = clear.split_first_chunk::<2>().ok_or(Tr31Error::KeyLength)?;
    let bits = usize::from(u16::from_be_bytes(*length));
    let known = match algorithm {
        'T' => matches!(bits, 128 | 192),
        'A' => matches!(bits, 128 | 192 | 256),
        _ => bits > 0 && bits.is_multiple_of(8),
    };
    let key = rest.get(..bits / 8).filter(|_| known).ok_or(Tr31Error::KeyLength)?;
    Ok(Zeroizing::new(key.to_vec()))
}

/// The two keys a protection key is derived into: the one that encrypts, as cipher, and the one of the MAC.
enum Derived {
    /// Version B.
    Tdes(Box<Tdes>, Zeroizing<Vec<u8>>),
    /// Version D.
    Aes(Aes, Zeroizing<Vec<u8>>),
}

impl Derived {
    fn from(version: Version, kbpk: &Kbpk) -> Result<Self, Tr31Error> {
        let refused = |version, needed| Tr31Error::Protection { version, needed };
        let key = match version {
            Version::B => kbpk.tdes().ok_or(refused('B', "a TDES key of 16 or 24 bytes"))?,
            Version::D => kbpk.aes().ok_or(refused('D', "an AES key"))?,
        };
        Self::both(version, key).ok_or(Tr31Error::KeyLength)
    }

    fn both(version: Version, key: &[u8]) -> Option<Self> {
        let (encryption, authentication) = (derived(version, key, 0)?, derived(version, key, 1)?);
        Some(match version {
            Version::B => Self::Tdes(Box::new(Tdes::new(&encryption)?), authentication),
            Version::D => Self::Aes(Aes::new(&encryption)?, authentication),
        })
    }

    /// `None`, and nothing done, where `mac` is not one block long.
    fn decrypt(&self, mac: &[u8], data: &mut [u8]) -> Option<()> {
        match self {
            Self::Tdes(cipher, _) => cipher.decrypt_chained(mac.try_into().ok()?, data),
            Self::Aes(cipher, _) => cipher.decrypt_chained(mac.try_into().ok()?, data),
        }
        Some(())
    }

    /// Likewise.
    fn encrypt(&self, mac: &[u8], data: &mut [u8]) -> Option<()> {
        match self {
            Self::Tdes(cipher, _) => cipher.encrypt_chained(mac.try_into().ok()?, data),
            Self::Aes(cipher, _) => cipher.encrypt_chained(mac.try_into().ok()?, data),
        }
        Some(())
    }

    fn tag(&self, header: &str, clear: &[u8]) -> Option<Tag> {
        match self {
            Self::Tdes(_, key) => Tag::tdes(key, &[header.as_bytes(), clear]),
            Self::Aes(_, key) => Tag::aes(key, &[header.as_bytes(), clear]),
        }
    }
}

/// One derived key (clause 5.3.2.1 for TDES, 5.3.2.3 for AES): as many CMACs over counter, purpose, algorithm and length
/// as the protection key is long. `purpose` is 0 for encryption, 1 for the MAC.
fn derived(version: Version, key: &[u8], purpose: u8) -> Option<Zeroizing<Vec<u8>>> {
    let algorithm = match (version, key.len()) {
        (Version::B, 16) => 0,
        (Version::B, 24) => 1,
        (Version::D, 16) => 2,
        (Version::D, 24) => 3,
        (Version::D, 32) => 4,
        _ => return None,
    };
    let [high, low] = u16::try_from(key.len() * 8).ok()?.to_be_bytes();
    let mut derived = Zeroizing::new(Vec::with_capacity(32));
    for counter in 1..=key.len().div_ceil(version.block_len()) {
        let input = [u8::try_from(counter).ok()?, 0, purpose, 0, 0, algorithm, high, low];
        let tag = match version {
            Version::B => Tag::tdes(key, &[&input]),
            Version::D => Tag::aes(key, &[&input]),
        };
        derived.extend_from_slice(&tag?.bytes());
    }
    derived.truncate(key.len());
    Some(derived)
}
