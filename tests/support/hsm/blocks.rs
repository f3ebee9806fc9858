//! PIN blocks of formats 0, 3 and 4 (ISO 9564-1), as the device makes and opens them.

use super::ciphers::{Clear, xor};

/// Why a block is not one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unsound {
    /// Control, fill or digits are wrong, or it is another account's: error 20.
    Content,
    /// Its PIN is shorter than 4 or longer than 12 digits: error 24.
    Length,
}

/// A PIN block. `account` is twelve digits for formats 0 and 3, the whole number for format 4; `random` is 8 bytes of fill.
pub fn sealed(format: u8, key: &Clear, account: &str, pin: &str, random: [u8; 8]) -> Vec<u8> {
    let head = format!("{format}{:X}{pin}", pin.len());
    let missing = 16 - head.len();
    if format == 4 {
        let field = [digits(&format!("{head}{}", "A".repeat(missing))), random.to_vec()].concat();
        return key.seal(&xor(&key.seal(&field), &whole_field(account)));
    }
    let fill: String = match format {
        0 => "F".repeat(missing),
        _ => random.iter().flat_map(|byte| [byte % 6, byte / 6 % 6]).map(|letter| char::from(b'A' + letter)).collect(),
    };
    key.seal(&xor(&digits(&format!("{head}{}", &fill[..missing])), &twelve_field(account)))
}

/// The PIN in a block.
pub fn opened(format: u8, key: &Clear, account: &str, block: &[u8]) -> Result<String, Unsound> {
    let field = match format {
        4 => key.open(&xor(&key.open(block), &whole_field(account))),
        _ => xor(&key.open(block), &twelve_field(account)),
    };
    let text = hex::encode_upper(&field[..8]);
    let (control, rest) = text.split_at(1);
    let length = usize::from_str_radix(&rest[..1], 16).expect("a nibble");
    if control != format.to_string() {
        return Err(Unsound::Content);
    }
    if !(4..=12).contains(&length) {
        return Err(Unsound::Length);
    }
    let (pin, fill) = rest[1..].split_at(length);
    let is_fill = |letter: char| match format {
        0 => letter == 'F',
        3 => letter.is_ascii_alphabetic(),
        _ => letter == 'A',
    };
    let sound = pin.bytes().all(|digit| digit.is_ascii_digit()) && fill.chars().all(is_fill);
    if sound { Ok(pin.to_owned()) } else { Err(Unsound::Content) }
}

/// The twelve digits of an account number, right-aligned in a block.
fn twelve_field(account: &str) -> Vec<u8> {
    digits(&format!("{account:0>16}"))
}

/// How many digits beyond twelve, and the number, in a block of format 4.
fn whole_field(pan: &str) -> Vec<u8> {
    digits(&format!("{:0<32}", format!("{}{pan:0>12}", pan.len().saturating_sub(12))))
}

fn digits(text: &str) -> Vec<u8> {
    hex::decode(text).expect("hexadecimal")
}
