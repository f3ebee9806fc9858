//! PIN blocks of ISO 9564-1: formats 0 and 3 under TDES, format 4 under AES.
//!
//! Invariants: every format binds the PAN; a block is taken apart strictly (control, length, digits, fill), since a
//! wrong PAN or key shows itself only there; clear blocks are wiped.

use zeroize::Zeroizing;

use super::cipher::{Aes, BlockCipher, Tdes, exclusive_or};
use super::digits::{account_part, pack, unpack, values};
use super::pin::Pin;

/// Why a clear PIN block is not one. Nothing of its content is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum PinBlockError {
    /// The first half byte is not the format.
    #[error("the PIN block is of another format, or of another card or key")]
    Control,
    /// Not 4 to 12 digits.
    #[error("the PIN block does not hold a PIN of 4 to 12 digits, or is of another card or key")]
    Pin,
    /// What follows the PIN is not what the format fills with.
    #[error("the PIN block is not filled as its format asks, or is of another card or key")]
    Fill,
}

/// The two formats that share a build: control half byte, length, PIN, fill; xor the account part.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ShortFormat {
    /// Filled with F.
    Iso0,
    /// Filled with half bytes A to F: the fill, of which as many are taken as there is room.
    Iso3,
}

impl ShortFormat {
    fn control(self) -> u8 {
        match self {
            Self::Iso0 => 0,
            Self::Iso3 => 3,
        }
    }

    fn fills_with(self, half: u8) -> bool {
        match self {
            Self::Iso0 => half == 0xF,
            Self::Iso3 => half >= 0xA,
        }
    }
}

/// Ten half bytes A to F for format 3 out of 8 random bytes: the digits to base 6 of the number they are.
pub(super) fn letters(fill: [u8; 8]) -> [u8; 10] {
    let mut number = u64::from_be_bytes(fill);
    std::array::from_fn(|_| {
        let letter = number % 6;
        number /= 6;
        // Safe because: the remainder is 0 to 5.
        0xA + letter as u8
    })
}

/// A clear block of format 0 or 3; `letters` is read in format 3 only.
pub(super) fn short_clear(format: ShortFormat, pan: &str, pin: &Pin, letters: [u8; 10]) -> Zeroizing<[u8; 8]> {
    let mut halves = Zeroizing::new([0xF; 16]);
    if format == ShortFormat::Iso3 {
        let taken = 2 + pin.digits().len();
        halves[taken..].copy_from_slice(&letters[..16 - taken]);
    }
    put_pin(&mut *halves, format.control(), pin);
    let mut block = Zeroizing::new([0; 8]);
    pack(&*halves, &mut *block);
    exclusive_or(&mut *block, &*short_account(pan));
    block
}

/// The PIN of a clear block of format 0 or 3.
pub(super) fn short_pin(format: ShortFormat, pan: &str, clear: &[u8; 8]) -> Result<Pin, PinBlockError> {
    let mut block = Zeroizing::new(*clear);
    exclusive_or(&mut *block, &*short_account(pan));
    let halves: Zeroizing<Vec<u8>> = Zeroizing::new(unpack(&*block).collect());
    take_pin(&halves, format.control(), |half| format.fills_with(half))
}

/// Four zeros and the account part.
fn short_account(pan: &str) -> Zeroizing<[u8; 8]> {
    let mut field = Zeroizing::new([0; 8]);
    pack(&*account_part::<12>(pan), &mut field[2..]);
    field
}

fn put_pin(halves: &mut [u8], control: u8, pin: &Pin) {
    let digits = pin.digits();
    halves[0] = control;
    // Safe because: a PIN has 4 to 12 digits.
    halves[1] = digits.len() as u8;
    halves[2..2 + digits.len()].copy_from_slice(digits);
}

fn take_pin(halves: &[u8], control: u8, fills: impl Fn(u8) -> bool) -> Result<Pin, PinBlockError> {
    if halves[0] != control {
        return Err(PinBlockError::Control);
    }
    let end = 2 + usize::from(halves[1]);
    let pin = halves.get(2..end).and_then(Pin::from_digits).ok_or(PinBlockError::Pin)?;
    if halves[end..].iter().all(|half| fills(*half)) { Ok(pin) } else { Err(PinBlockError::Fill) }
}

/// A block of format 0 or 3 under a TDES key.
pub(super) fn short_encrypted(
    key: &Tdes,
    format: ShortFormat,
    pan: &str,
    pin: &Pin,
    fill: [u8; 8],
) -> Zeroizing<[u8; 8]> {
    let mut block = short_clear(format, pan, pin, letters(fill));
    key.encrypt(&mut block);
    block
}

/// The PIN of such a block.
pub(super) fn short_decrypted(
    key: &Tdes,
    format: ShortFormat,
    pan: &str,
    block: [u8; 8],
) -> Result<Pin, PinBlockError> {
    let mut clear = Zeroizing::new(block);
    key.decrypt(&mut clear);
    short_pin(format, pan, &clear)
}

/// The PIN field of format 4: control, length, PIN, A up to 8 bytes, and 8 bytes of fill.
pub(super) fn iso4_pin_field(pin: &Pin, fill: [u8; 8]) -> Zeroizing<[u8; 16]> {
    let mut halves = Zeroizing::new([0xA; 16]);
    put_pin(&mut *halves, 4, pin);
    let mut field = Zeroizing::new([0; 16]);
    pack(&*halves, &mut field[..8]);
    field[8..].copy_from_slice(&fill);
    field
}

/// The PAN field of format 4: digits beyond 12, the PAN, zeros. A PAN under 12 digits is filled with zeros on the left.
pub(super) fn iso4_pan_field(pan: &str) -> Zeroizing<[u8; 16]> {
    let mut halves = Zeroizing::new([0; 32]);
    let over = pan.len().saturating_sub(12);
    // Safe because: a PAN has at most 19 digits, and what would not fit is cut by the copy below.
    halves[0] = over as u8;
    let lead = 1 + 12_usize.saturating_sub(pan.len());
    for (place, digit) in halves[lead..].iter_mut().zip(values(pan)) {
        *place = digit;
    }
    let mut field = Zeroizing::new([0; 16]);
    pack(&*halves, &mut *field);
    field
}

/// A block of format 4 under an AES key.
pub(super) fn iso4_encrypted(key: &Aes, pan: &str, pin: &Pin, fill: [u8; 8]) -> Zeroizing<[u8; 16]> {
    let mut block = iso4_pin_field(pin, fill);
    key.encrypt(&mut block);
    exclusive_or(&mut *block, &*iso4_pan_field(pan));
    key.encrypt(&mut block);
    block
}

/// The PIN of such a block.
pub(super) fn iso4_decrypted(key: &Aes, pan: &str, block: [u8; 16]) -> Result<Pin, PinBlockError> {
    let mut clear = Zeroizing::new(block);
    key.decrypt(&mut clear);
    exclusive_or(&mut *clear, &*iso4_pan_field(pan));
    key.decrypt(&mut clear);
    let halves: Zeroizing<Vec<u8>> = Zeroizing::new(unpack(&clear[..8]).collect());
    take_pin(&halves, 4, |half| half == 0xA)
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;
    use crate::vault::vectors::{self, text};

    fn array<const N: usize>(hex_digits: &str) -> [u8; N] {
        hex::decode(hex_digits).unwrap().try_into().unwrap()
    }

    fn format_of(entry: &Value) -> ShortFormat {
        match entry["format"].as_u64() {
            Some(0) => ShortFormat::Iso0,
            Some(3) => ShortFormat::Iso3,
            other => panic!("format {other:?}"),
        }
    }

    fn fill_of(entry: &Value) -> [u8; 10] {
        entry["fill"].as_str().map_or([0; 10], |fill| unpack(&array::<5>(fill)).collect::<Vec<_>>().try_into().unwrap())
    }

    #[test]
    fn formats_0_and_3_are_the_vectors() {
        let short: Vec<Value> = vectors::list("pin_blocks").into_iter().filter(|entry| entry["format"] != 4).collect();
        assert_eq!(short.len(), 4);
        for entry in short {
            let (pan, pin) = (text(&entry, "pan"), Pin::of(text(&entry, "pin")));
            let clear = short_clear(format_of(&entry), pan, &pin, fill_of(&entry));
            assert_eq!(hex::encode_upper(*clear), text(&entry, "clear"));
            assert!(short_pin(format_of(&entry), pan, &clear).unwrap().is(&pin));
            for zone_key in ["ZPK_TDES_2KEY", "ZPK_TDES_3KEY"] {
                let Some(expected) = entry[format!("enc_{zone_key}")].as_str() else { continue };
                let key = Tdes::new(&vectors::key(zone_key)).unwrap();
                let mut block = clear.clone();
                key.encrypt(&mut block);
                assert_eq!(hex::encode_upper(*block), expected);
                assert!(short_decrypted(&key, format_of(&entry), pan, *block).unwrap().is(&pin));
            }
        }
    }

    #[test]
    fn format_0_needs_no_fill_and_is_the_vectors_to_the_end() {
        for entry in vectors::list("pin_blocks").iter().filter(|entry| entry["format"] == 0) {
            let key = Tdes::new(&vectors::key("ZPK_TDES_2KEY")).unwrap();
            let pin = Pin::of(text(entry, "pin"));
            let block = short_encrypted(&key, ShortFormat::Iso0, text(entry, "pan"), &pin, [0x55; 8]);
            assert_eq!(hex::encode_upper(*block), text(entry, "enc_ZPK_TDES_2KEY"));
        }
    }

    #[test]
    fn format_4_is_the_vectors_step_by_step() {
        let ours = vectors::list("pin_blocks").into_iter().filter(|entry| entry["format"] == 4);
        let ours = ours.map(|entry| (vectors::key(text(&entry, "key")), entry));
        let known = vectors::known("pinblock_fmt4").into_iter().filter(|entry| entry["random"].is_string());
        let known = known.map(|entry| (vectors::hex(&entry, "key"), entry));
        let cases: Vec<_> = ours.chain(known).collect();
        assert_eq!(cases.len(), 3);
        for (key, entry) in cases {
            let (key, pan, pin) = (Aes::new(&key).unwrap(), text(&entry, "pan"), Pin::of(text(&entry, "pin")));
            let mut block = iso4_pin_field(&pin, array(text(&entry, "random")));
            assert_eq!(hex::encode_upper(*block), text(&entry, "pin_field"));
            key.encrypt(&mut block);
            assert_eq!(hex::encode_upper(*block), text(&entry, "block_a"));
            let pan_field = iso4_pan_field(pan);
            assert_eq!(hex::encode_upper(*pan_field), text(&entry, "pan_field"));
            exclusive_or(&mut *block, &*pan_field);
            assert_eq!(hex::encode_upper(*block), text(&entry, "block_b"));
            let whole = iso4_encrypted(&key, pan, &pin, array(text(&entry, "random")));
            assert_eq!(hex::encode_upper(*whole), text(&entry, "encrypted"));
            assert!(iso4_decrypted(&key, pan, *whole).unwrap().is(&pin));
        }
    }

    #[test]
    fn public_blocks_are_read() {
        for entry in vectors::known("pinblock_fmt4") {
            let key = Aes::new(&vectors::hex(&entry, "key")).unwrap();
            let pin = iso4_decrypted(&key, text(&entry, "pan"), array(text(&entry, "encrypted"))).unwrap();
            assert_eq!(pin.shown(), text(&entry, "pin"));
        }
        for entry in vectors::known("pinblock_fmt0") {
            let clear = array(text(&entry, "clear_block"));
            let pan = text(&entry, "pan");
            assert_eq!(short_pin(ShortFormat::Iso0, pan, &clear).unwrap().shown(), text(&entry, "pin"));
            let made = short_clear(ShortFormat::Iso0, pan, &Pin::of(text(&entry, "pin")), [0; 10]);
            assert_eq!(*made, clear);
        }
    }

    #[test]
    fn what_must_be_rejected_is() {
        let cases = vectors::list("pin_block_must_reject");
        let read = |entry: &Value| short_pin(format_of(entry), text(entry, "pan"), &array(text(entry, "clear")));
        // Another PAN: an error, or at least another PIN than the 1234 inside.
        assert!(read(&cases[0]).map_or(true, |pin| pin.shown() != "1234"));
        assert_eq!(read(&cases[1]).unwrap_err(), PinBlockError::Pin);
        assert_eq!(read(&cases[2]).unwrap_err(), PinBlockError::Control);
        assert_eq!(cases.len(), 3);
    }

    #[test]
    fn a_block_is_read_strictly() {
        // All for PAN 4000001234567899, whose account part begins with zeros.
        let read = |format, clear| short_pin(format, "4000001234567899", &array(clear)).unwrap_err();
        assert_eq!(read(ShortFormat::Iso0, "0D1234FEDCBA9876"), PinBlockError::Pin, "13 digits");
        assert_eq!(read(ShortFormat::Iso0, "0412A4FEDCBA9876"), PinBlockError::Pin, "a digit A");
        assert_eq!(read(ShortFormat::Iso0, "041234EEDCBA9876"), PinBlockError::Fill, "E among the F");
        assert_eq!(read(ShortFormat::Iso3, "3412349EEAA99550"), PinBlockError::Fill, "9 among the letters");
        assert_eq!(read(ShortFormat::Iso3, "041234FEDCBA9876"), PinBlockError::Control);
    }

    #[test]
    fn lengths_of_4_to_12_survive_every_format() {
        let (tdes, aes) = (Tdes::new(&[0x1F; 24]).unwrap(), Aes::new(&[3; 32]).unwrap());
        for length in 4..=12 {
            let pin = Pin::from_digits(&vec![7; length]).unwrap();
            for pan in ["4000001234562", "370000123456784", "4000001234567899", "4000001234567890124"] {
                for format in [ShortFormat::Iso0, ShortFormat::Iso3] {
                    let block = short_encrypted(&tdes, format, pan, &pin, [0x9C; 8]);
                    assert!(short_decrypted(&tdes, format, pan, *block).unwrap().is(&pin), "{format:?} {length}");
                }
                let block = iso4_encrypted(&aes, pan, &pin, [0x9C; 8]);
                assert!(iso4_decrypted(&aes, pan, *block).unwrap().is(&pin), "{length}");
            }
        }
    }

    #[test]
    fn the_letters_are_a_to_f_and_all_occur() {
        assert_eq!(letters([0; 8]), [0xA; 10]);
        // 5 + 4*6 + 3*36 = 137.
        assert_eq!(letters([0, 0, 0, 0, 0, 0, 0, 137])[..4], [0xF, 0xE, 0xD, 0xA]);
        assert!(letters([0xFF; 8]).iter().all(|letter| (0xA..=0xF).contains(letter)));
    }
}
