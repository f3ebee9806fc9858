//! The commands, field by field: pure functions from what is asked to what goes over the wire.
//!
//! Invariants: no field is of another length than the device reads; a key stands with its scheme letter (U or T and a
//! cryptogram under a variant LMK, S and a key block under a key-block LMK), which is all that tells the two dialects
//! apart, but for BU. Header and length of the message are added where it is sent.

use super::command::Command;
use super::field::{PinUnderLmk, ZoneBlock, account, block_account, format_code};
use super::key::LmkKey;
use crate::card::{Pan, PinBlockFormat};
use crate::vault::KeyUsage;

/// Digits of the PINs that are made, as JA writes it.
const PIN_LENGTH: &str = "04";

/// The longest PIN that CC is to take in; the device wants this value and no other.
const MAXIMUM_PIN_LENGTH: &str = "12";

/// Put together in one piece, so that nothing is left behind in a smaller one.
fn command(code: [u8; 2], fields: &[&str]) -> Command {
    Command::new(code, fields.concat())
}

/// NC: diagnostics, which tell the check value of the LMK.
pub fn diagnostics() -> Command {
    command(*b"NC", &[])
}

/// NO: status, in its first mode.
pub fn status() -> Command {
    command(*b"NO", &["00"])
}

/// JA: a random PIN of four digits (R39), under the LMK.
pub fn random_pin(pan: &Pan) -> Command {
    command(*b"JA", &[account(pan), PIN_LENGTH])
}

/// DG: the PVV of a PIN under the LMK. `pvki` is one digit.
pub fn pvv(pvk: &LmkKey, pin: &PinUnderLmk, pan: &Pan, pvki: char) -> Command {
    command(*b"DG", &[pvk.as_str(), pin.as_str(), account(pan), pvki.encode_utf8(&mut [0; 4])])
}

/// JG: a PIN under the LMK as a PIN block under a zone PIN key. The device draws the fill of formats 3 and 4.
pub fn pin_to_zone(zpk: &LmkKey, format: PinBlockFormat, pan: &Pan, pin: &PinUnderLmk) -> Command {
    let [number, end] = block_account(pan, format);
    command(*b"JG", &[zpk.as_str(), format_code(format), number, end, pin.as_str()])
}

/// JE: the PIN of a block under a zone PIN key, under the LMK.
pub fn pin_from_zone(zpk: &LmkKey, block: &ZoneBlock, pan: &Pan) -> Command {
    let [number, end] = block_account(pan, block.format());
    command(*b"JE", &[zpk.as_str(), block.as_str(), format_code(block.format()), number, end])
}

/// CC: a PIN block translated from a zone PIN key to the same key and format. What is wanted of the answer is the length
/// of the PIN, which no command that gives it under the LMK tells. The key must allow both directions.
pub fn pin_length(zpk: &LmkKey, block: &ZoneBlock, pan: &Pan) -> Command {
    let ([number, end], format) = (block_account(pan, block.format()), format_code(block.format()));
    let (key, digits) = (zpk.as_str(), block.as_str());
    command(*b"CC", &[key, key, MAXIMUM_PIN_LENGTH, digits, format, format, number, end])
}

/// CW: a card verification value. `expiry` is four digits in the order the value wants, `service_code` three.
pub fn cvv(cvk: &LmkKey, pan: &Pan, expiry: &str, service_code: &str) -> Command {
    command(*b"CW", &[cvk.as_str(), pan.expose(), ";", expiry, service_code])
}

/// EC: whether the PIN of a block has a PVV of four digits. `pvki` is one digit.
pub fn has_pvv(zpk: &LmkKey, pvk: &LmkKey, block: &ZoneBlock, pan: &Pan, pvki: char, pvv: &str) -> Command {
    let ([number, end], format) = (block_account(pan, block.format()), format_code(block.format()));
    let mut pvki_digit = [0; 4];
    command(
        *b"EC",
        &[zpk.as_str(), pvk.as_str(), block.as_str(), format, number, end, pvki.encode_utf8(&mut pvki_digit), pvv],
    )
}

/// BE: whether a block holds the PIN that is given under the LMK.
pub fn holds_pin(zpk: &LmkKey, block: &ZoneBlock, pan: &Pan, pin: &PinUnderLmk) -> Command {
    let ([number, end], format) = (block_account(pan, block.format()), format_code(block.format()));
    command(*b"BE", &[zpk.as_str(), block.as_str(), format, number, end, pin.as_str()])
}

/// BU: the check value of a key, six digits.
///
/// A key block says its usage and length itself: type code FF, length F and type FFF say so. Under a variant LMK the
/// type code FF means that the type follows the key: which variant of which LMK pair it is under.
pub fn check_value(key: &LmkKey, usage: KeyUsage) -> Command {
    let (length, kind) = match key.scheme() {
        'U' => ("1", variant_key_type(usage)),
        'T' => ("2", variant_key_type(usage)),
        _ => ("F", "FFF"),
    };
    command(*b"BU", &["FF", length, key.as_str(), ";", kind, ";", "00", "1"])
}

/// Key type codes of a variant LMK.
fn variant_key_type(usage: KeyUsage) -> &'static str {
    match usage {
        KeyUsage::CardVerification => "402",
        KeyUsage::PinVerification => "002",
        KeyUsage::PinEncryption => "001",
        // Never under an LMK here; the device refuses this type.
        KeyUsage::DataEncryption | KeyUsage::Hmac => "FFF",
    }
}

#[cfg(test)]
mod tests;
