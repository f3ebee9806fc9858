//! TDES and AES with their key schedules made once, and the key check values of both.
//!
//! Invariants: a cipher is made from a key of a right length or not at all; blocks are changed in place, so that a
//! clear block leaves no copy behind; schedules are wiped on drop.

use aes::cipher::{BlockCipherDecrypt, BlockCipherEncrypt, KeyInit};
use aes::{Aes128, Aes192, Aes256};
use cmac::{Cmac, Mac};
use des::{Des, TdesEde3};
use hmac::Hmac;
use sha2::Sha256;
use zeroize::Zeroizing;

/// A block cipher over blocks of `N` bytes.
pub(super) trait BlockCipher<const N: usize> {
    /// Encrypts one block in place.
    fn encrypt(&self, block: &mut [u8; N]);

    /// Decrypts one block in place.
    fn decrypt(&self, block: &mut [u8; N]);

    /// Encrypts whole blocks in cipher block chaining mode; a broken last block is left alone.
    fn encrypt_chained(&self, mut chain: [u8; N], data: &mut [u8]) {
        for block in data.as_chunks_mut::<N>().0 {
            exclusive_or(block, &chain);
            self.encrypt(block);
            chain = *block;
        }
    }

    /// The inverse of [`encrypt_chained`](Self::encrypt_chained).
    fn decrypt_chained(&self, mut chain: [u8; N], data: &mut [u8]) {
        for block in data.as_chunks_mut::<N>().0 {
            let next = *block;
            self.decrypt(block);
            exclusive_or(block, &chain);
            chain = next;
        }
    }
}

/// `left` becomes `left` xor `right`.
pub(super) fn exclusive_or(left: &mut [u8], right: &[u8]) {
    for (left, right) in left.iter_mut().zip(right) {
        *left ^= right;
    }
}

/// Single DES: the first step of a CVV, and nothing else.
pub(super) struct SingleDes(Des);

impl SingleDes {
    /// `None` unless the key has 8 bytes.
    pub(super) fn new(key: &[u8]) -> Option<Self> {
        Des::new_from_slice(key).ok().map(Self)
    }

    /// Encrypts one block in place.
    pub(super) fn encrypt(&self, block: &mut [u8; 8]) {
        self.0.encrypt_block(block.into());
    }
}

/// Triple DES with two or three keys (two: the third is the first again).
pub(super) struct Tdes(TdesEde3);

impl Tdes {
    /// `None` unless the key has 16 or 24 bytes.
    pub(super) fn new(key: &[u8]) -> Option<Self> {
        TdesEde3::new_from_slice(three_keys(key)?.as_slice()).ok().map(Self)
    }
}

impl BlockCipher<8> for Tdes {
    fn encrypt(&self, block: &mut [u8; 8]) {
        self.0.encrypt_block(block.into());
    }

    fn decrypt(&self, block: &mut [u8; 8]) {
        self.0.decrypt_block(block.into());
    }
}

fn three_keys(key: &[u8]) -> Option<Zeroizing<[u8; 24]>> {
    let mut keys = Zeroizing::new([0; 24]);
    let third = match key.len() {
        16 => &key[..8],
        24 => &key[16..],
        _ => return None,
    };
    keys[..16].copy_from_slice(&key[..16]);
    keys[16..].copy_from_slice(third);
    Some(keys)
}

/// AES of any key length.
pub(super) enum Aes {
    /// 16 bytes.
    Bits128(Box<Aes128>),
    /// 24 bytes.
    Bits192(Box<Aes192>),
    /// 32 bytes.
    Bits256(Box<Aes256>),
}

impl Aes {
    /// `None` unless the key has 16, 24 or 32 bytes.
    pub(super) fn new(key: &[u8]) -> Option<Self> {
        match key.len() {
            16 => Aes128::new_from_slice(key).ok().map(|cipher| Self::Bits128(Box::new(cipher))),
            24 => Aes192::new_from_slice(key).ok().map(|cipher| Self::Bits192(Box::new(cipher))),
            32 => Aes256::new_from_slice(key).ok().map(|cipher| Self::Bits256(Box::new(cipher))),
            _ => None,
        }
    }
}

impl BlockCipher<16> for Aes {
    fn encrypt(&self, block: &mut [u8; 16]) {
        match self {
            Self::Bits128(cipher) => cipher.encrypt_block(block.into()),
            Self::Bits192(cipher) => cipher.encrypt_block(block.into()),
            Self::Bits256(cipher) => cipher.encrypt_block(block.into()),
        }
    }

    fn decrypt(&self, block: &mut [u8; 16]) {
        match self {
            Self::Bits128(cipher) => cipher.decrypt_block(block.into()),
            Self::Bits192(cipher) => cipher.decrypt_block(block.into()),
            Self::Bits256(cipher) => cipher.decrypt_block(block.into()),
        }
    }
}

/// A CMAC (NIST SP 800-38B) that is still to be finished: as a tag, or against one in constant time.
pub(super) enum Tag {
    /// TDES, 8 bytes.
    Tdes(Cmac<TdesEde3>),
    /// AES-128, 16 bytes.
    Aes128(Cmac<Aes128>),
    /// AES-192, 16 bytes.
    Aes192(Cmac<Aes192>),
    /// AES-256, 16 bytes.
    Aes256(Cmac<Aes256>),
}

impl Tag {
    /// Under a TDES key of 16 or 24 bytes; `None` for other lengths.
    pub(super) fn tdes(key: &[u8], parts: &[&[u8]]) -> Option<Self> {
        begun(three_keys(key)?.as_slice(), parts).map(Self::Tdes)
    }

    /// Under an AES key of 16, 24 or 32 bytes; `None` for other lengths.
    pub(super) fn aes(key: &[u8], parts: &[&[u8]]) -> Option<Self> {
        match key.len() {
            16 => begun(key, parts).map(Self::Aes128),
            24 => begun(key, parts).map(Self::Aes192),
            32 => begun(key, parts).map(Self::Aes256),
            _ => None,
        }
    }

    /// The tag.
    pub(super) fn bytes(self) -> Zeroizing<Vec<u8>> {
        Zeroizing::new(match self {
            Self::Tdes(tag) => tag.finalize().into_bytes().to_vec(),
            Self::Aes128(tag) => tag.finalize().into_bytes().to_vec(),
            Self::Aes192(tag) => tag.finalize().into_bytes().to_vec(),
            Self::Aes256(tag) => tag.finalize().into_bytes().to_vec(),
        })
    }

    /// Whether `expected` is the whole tag; takes the same time for every wrong tag.
    pub(super) fn is(self, expected: &[u8]) -> bool {
        match self {
            Self::Tdes(tag) => tag.verify_slice(expected),
            Self::Aes128(tag) => tag.verify_slice(expected),
            Self::Aes192(tag) => tag.verify_slice(expected),
            Self::Aes256(tag) => tag.verify_slice(expected),
        }
        .is_ok()
    }
}

fn begun<M: Mac + KeyInit>(key: &[u8], parts: &[&[u8]]) -> Option<M> {
    let mut mac = <M as KeyInit>::new_from_slice(key).ok()?;
    for part in parts {
        mac.update(part);
    }
    Some(mac)
}

/// TDES key check value: the first 3 bytes of the encrypted zero block, as 6 hexadecimal digits.
pub(super) fn tdes_kcv(key: &[u8]) -> Option<String> {
    let mut block = [0; 8];
    Tdes::new(key)?.encrypt(&mut block);
    Some(hex::encode_upper(&block[..3]))
}

/// AES key check value: the first 5 bytes of the CMAC over 16 zero bytes, as 10 hexadecimal digits.
pub(super) fn aes_kcv(key: &[u8]) -> Option<String> {
    Some(hex::encode_upper(&Tag::aes(key, &[&[0; 16]])?.bytes()[..5]))
}

/// HMAC key check value, by analogy with AES: the first 5 bytes of the HMAC-SHA-256 over 16 zero bytes.
pub(super) fn hmac_kcv(key: &[u8]) -> Option<String> {
    let mac: Hmac<Sha256> = begun(key, &[&[0; 16]])?;
    Some(hex::encode_upper(&mac.finalize().into_bytes()[..5]))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::vault::vectors::{self, text};

    #[test]
    fn check_values_of_all_vector_keys() {
        for (label, key) in vectors::all()["keys"].as_object().unwrap() {
            let bytes = vectors::hex(key, "hex");
            let kcv = if text(key, "alg") == "AES" { aes_kcv(&bytes) } else { tdes_kcv(&bytes) };
            assert_eq!(kcv.as_deref(), Some(text(key, "kcv")), "{label}");
        }
    }

    #[test]
    fn only_whole_keys_make_a_cipher() {
        for length in 0..=40 {
            let key = vec![0x5A; length];
            assert_eq!(Tdes::new(&key).is_some(), [16, 24].contains(&length), "TDES {length}");
            assert_eq!(Aes::new(&key).is_some(), [16, 24, 32].contains(&length), "AES {length}");
            assert_eq!(SingleDes::new(&key).is_some(), length == 8, "DES {length}");
            assert_eq!(Tag::tdes(&key, &[]).is_some(), [16, 24].contains(&length), "TDES CMAC {length}");
            assert_eq!(Tag::aes(&key, &[]).is_some(), [16, 24, 32].contains(&length), "AES CMAC {length}");
        }
    }

    #[test]
    fn chaining_is_undone() {
        let cipher = Tdes::new(&[0x31; 24]).unwrap();
        let mut data = *b"twenty-four bytes here..";
        cipher.encrypt_chained([7; 8], &mut data);
        assert_ne!(&data, b"twenty-four bytes here..");
        cipher.decrypt_chained([7; 8], &mut data);
        assert_eq!(&data, b"twenty-four bytes here..");
    }

    #[test]
    fn a_tag_is_only_itself() {
        let tag = || Tag::aes(&[1; 16], &[b"ab", b"c"]).unwrap();
        let bytes = tag().bytes();
        assert!(tag().is(&bytes));
        assert!(!tag().is(&bytes[..15]));
        assert!(!tag().is(&[0; 16]));
        assert!(Tag::aes(&[1; 16], &[b"abc"]).unwrap().is(&bytes));
    }
}
