//! Block ciphers, check values and decimalisation as the device does them; only the crates are shared with the program.

use aes::cipher::{BlockCipherDecrypt, BlockCipherEncrypt, KeyInit};
use aes::{Aes128, Aes192, Aes256};
use des::{Des, TdesEde3};

/// A key in the clear, as only the inside of a device has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Clear {
    /// TDES, 16 or 24 bytes.
    Tdes(Vec<u8>),
    /// AES, 16, 24 or 32 bytes.
    Aes(Vec<u8>),
}

impl Clear {
    /// Its bytes.
    pub fn bytes(&self) -> &[u8] {
        let (Self::Tdes(bytes) | Self::Aes(bytes)) = self;
        bytes
    }

    /// Bytes of one block.
    pub fn block_length(&self) -> usize {
        if matches!(self, Self::Tdes(_)) { 8 } else { 16 }
    }

    /// One block, encrypted.
    pub fn seal(&self, block: &[u8]) -> Vec<u8> {
        let mut sealed = block.to_vec();
        match self {
            Self::Tdes(key) => {
                let cipher = TdesEde3::new_from_slice(&three_parts(key)).expect("24 bytes");
                cipher.encrypt_block(sealed.as_mut_slice().try_into().expect("one block"));
            }
            Self::Aes(key) => {
                let block = sealed.as_mut_slice().try_into().expect("one block");
                match key.len() {
                    16 => Aes128::new_from_slice(key).expect("a key").encrypt_block(block),
                    24 => Aes192::new_from_slice(key).expect("a key").encrypt_block(block),
                    _ => Aes256::new_from_slice(key).expect("a key").encrypt_block(block),
                }
            }
        }
        sealed
    }

    /// One block, decrypted.
    pub fn open(&self, block: &[u8]) -> Vec<u8> {
        let mut opened = block.to_vec();
        match self {
            Self::Tdes(key) => {
                let cipher = TdesEde3::new_from_slice(&three_parts(key)).expect("24 bytes");
                cipher.decrypt_block(opened.as_mut_slice().try_into().expect("one block"));
            }
            Self::Aes(key) => {
                let block = opened.as_mut_slice().try_into().expect("one block");
                match key.len() {
                    16 => Aes128::new_from_slice(key).expect("a key").decrypt_block(block),
                    24 => Aes192::new_from_slice(key).expect("a key").decrypt_block(block),
                    _ => Aes256::new_from_slice(key).expect("a key").decrypt_block(block),
                }
            }
        }
        opened
    }

    /// Its check value: a block of zeros under TDES, the CMAC of a block of zeros under AES (ISO 11568, X9.24-1).
    pub fn check_value(&self) -> String {
        let zeros = self.seal(&vec![0; self.block_length()]);
        match self {
            Self::Tdes(_) => hex::encode_upper(zeros),
            // The CMAC of one whole block of zeros is the first subkey, encrypted.
            Self::Aes(_) => hex::encode_upper(self.seal(&doubled(&zeros))),
        }
    }
}

/// A subkey of CMAC: doubling in the field of 128 bits.
fn doubled(block: &[u8]) -> Vec<u8> {
    let number = u128::from_be_bytes(block.try_into().expect("one block"));
    let carried = if number >> 127 == 1 { 0x87 } else { 0 };
    ((number << 1) ^ carried).to_be_bytes().to_vec()
}

/// A TDES key of two parts uses its first part again.
fn three_parts(key: &[u8]) -> Vec<u8> {
    if key.len() == 16 { [key, &key[..8]].concat() } else { key.to_vec() }
}

/// One block under single DES.
fn single(key: &[u8], block: &[u8]) -> Vec<u8> {
    let mut sealed = block.to_vec();
    let cipher = Des::new_from_slice(key).expect("8 bytes");
    cipher.encrypt_block(sealed.as_mut_slice().try_into().expect("one block"));
    sealed
}

/// Left xor right.
pub fn xor(left: &[u8], right: &[u8]) -> Vec<u8> {
    left.iter().zip(right).map(|(left, right)| left ^ right).collect()
}

/// The first digits of a cryptogram: its decimal digits in their order, and then, where they are not enough, its letters
/// less ten.
fn decimal(cryptogram: &[u8], digits: usize) -> String {
    let nibbles: Vec<u8> = cryptogram.iter().flat_map(|byte| [byte >> 4, byte & 15]).collect();
    let first = nibbles.iter().filter(|nibble| **nibble < 10);
    let second = nibbles.iter().filter(|nibble| **nibble >= 10).map(|nibble| nibble - 10);
    first.copied().chain(second).take(digits).map(|digit| char::from(b'0' + digit)).collect()
}

/// A CVV of three digits, from the expiry as it stands in the command.
pub fn cvv(cvk: &Clear, pan: &str, expiry: &str, service_code: &str) -> String {
    let data = hex::decode(format!("{:0<32}", format!("{pan}{expiry}{service_code}"))).expect("digits");
    let first = single(&cvk.bytes()[..8], &data[..8]);
    decimal(&cvk.seal(&xor(&first, &data[8..])), 3)
}

/// A PVV of four digits; the account number has twelve.
pub fn pvv(pvk: &Clear, account: &str, pvki: &str, pin: &str) -> String {
    let data = hex::decode(format!("{}{pvki}{}", &account[1..], &pin[..4])).expect("digits");
    decimal(&pvk.seal(&data), 4)
}
