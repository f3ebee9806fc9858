//! PIN blocks as an issuer and an embossing house make and open them, from ISO 9564-1 and not from the library: only the
//! block ciphers are shared.
#![allow(dead_code, reason = "every test file uses another part of this")]
#![allow(unreachable_pub, reason = "shared between test files")]

use aes::Aes128;
use aes::cipher::{BlockCipherDecrypt, BlockCipherEncrypt, KeyInit};
use des::TdesEde3;

/// The PIN block of a PIN for a card number: `format` is `ISO_0`, `ISO_3` or `ISO_4`.
pub fn sealed(format: &str, key: &[u8], pan: &str, pin: &str) -> String {
    if format == "ISO_4" {
        let aes = Aes128::new_from_slice(key).expect("16 bytes");
        let mut block = bytes::<16>(&format!("{}0123456789ABCDEF", padded("4", pin, "A")));
        aes.encrypt_block((&mut block).into());
        let mut block = xor(block, pan_field(pan));
        aes.encrypt_block((&mut block).into());
        return hex::encode_upper(block);
    }
    let (control, fill) = if format == "ISO_0" { ("0", "F") } else { ("3", "C") };
    let mut block = xor(bytes(&padded(control, pin, fill)), bytes(&format!("0000{}", &pan[3..15])));
    tdes(key).encrypt_block((&mut block).into());
    hex::encode_upper(block)
}

/// The PIN in a block; the block must be sound.
pub fn opened(format: &str, key: &[u8], pan: &str, block: &str) -> String {
    let (control, clear) = if format == "ISO_4" {
        let aes = Aes128::new_from_slice(key).expect("16 bytes");
        let mut block = bytes::<16>(block);
        aes.decrypt_block((&mut block).into());
        let mut block = xor(block, pan_field(pan));
        aes.decrypt_block((&mut block).into());
        ("4", hex::encode_upper(block))
    } else {
        let mut block = bytes::<8>(block);
        tdes(key).decrypt_block((&mut block).into());
        let clear = hex::encode_upper(xor(block, bytes(&format!("0000{}", &pan[3..15]))));
        (if format == "ISO_0" { "0" } else { "3" }, clear)
    };
    assert_eq!(&clear[..2], format!("{control}4"), "control and length of {format}");
    clear[2..6].to_owned()
}

/// Control, length and PIN, filled up to 16 digits.
fn padded(control: &str, pin: &str, fill: &str) -> String {
    let text = format!("{control}{:X}{pin}", pin.len());
    let missing = 16 - text.len();
    text + &fill.repeat(missing)
}

/// A number of 16 digits: four more than twelve.
fn pan_field(pan: &str) -> [u8; 16] {
    assert_eq!(pan.len(), 16);
    bytes(&format!("4{pan}{}", "0".repeat(15)))
}

fn tdes(key: &[u8]) -> TdesEde3 {
    let triple = if key.len() == 16 { [key, &key[..8]].concat() } else { key.to_vec() };
    TdesEde3::new_from_slice(&triple).expect("24 bytes")
}

fn bytes<const N: usize>(text: &str) -> [u8; N] {
    hex::decode(text).expect("hexadecimal").try_into().expect("one block")
}

fn xor<const N: usize>(left: [u8; N], right: [u8; N]) -> [u8; N] {
    std::array::from_fn(|i| left[i] ^ right[i])
}

#[test]
fn blocks_made_here_are_those_of_the_vectors() {
    let vectors: serde_json::Value = serde_json::from_str(include_str!("../vectors.json")).expect("vectors.json");
    let key = |name: &str| hex::decode(vectors["keys"][name]["hex"].as_str().expect("a key")).expect("hexadecimal");
    let pan = "4000001234567899";
    assert_eq!(sealed("ISO_0", &key("ZPK_TDES_2KEY"), pan, "1234"), "311D385594D0906A");
    assert_eq!(sealed("ISO_0", &key("ZPK_TDES_3KEY"), pan, "1234"), "189CA6D6D9981ABA");
    for (format, key, block) in [
        ("ISO_3", key("ZPK_TDES_2KEY"), "441D896984566633"),
        ("ISO_4", key("ZPK_AES_128"), "7FFC1A0034F726B2123868E946A6F26C"),
    ] {
        assert_eq!(opened(format, &key, pan, block), "1234");
        assert_eq!(opened(format, &key, pan, &sealed(format, &key, pan, "9876")), "9876");
    }
}
