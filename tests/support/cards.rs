//! Card cryptography counted again, from the standards and not from the library: only the block ciphers are shared.

use aes::Aes256;
use aes::cipher::{BlockCipherDecrypt, BlockCipherEncrypt, KeyInit};
use des::{Des, TdesEde3};

/// A key of `vectors.json`.
pub fn key(name: &str) -> Vec<u8> {
    let vectors: serde_json::Value = serde_json::from_str(include_str!("../vectors.json")).expect("vectors.json");
    hex::decode(vectors["keys"][name]["hex"].as_str().expect("a key")).expect("hexadecimal")
}

/// The zone PIN key of this id, by its name in `vectors.json`.
fn zone_key(id: &str) -> Vec<u8> {
    key(match id {
        "zpk-x-1" => "ZPK_TDES_2KEY",
        "zpk-y-1" => "ZPK_AES_256",
        other => panic!("no zone PIN key {other}"),
    })
}

fn tdes(double: &[u8]) -> TdesEde3 {
    let triple = [double, &double[..8]].concat();
    TdesEde3::new_from_slice(&triple).expect("24 bytes")
}

fn bytes<const N: usize>(text: &str) -> [u8; N] {
    hex::decode(text).expect("hexadecimal").try_into().expect("one block")
}

fn xor<const N: usize>(left: [u8; N], right: [u8; N]) -> [u8; N] {
    std::array::from_fn(|i| left[i] ^ right[i])
}

/// The PIN in a block (ISO 9564-1 formats 0, 3 and 4).
pub fn pin(format: &str, key_id: &str, block: &str, pan: &str) -> String {
    let key = zone_key(key_id);
    let twelve = &pan[3..15];
    let (control, field) = match format {
        "ISO_0" | "ISO_3" => {
            let mut block = bytes::<8>(block);
            tdes(&key).decrypt_block((&mut block).into());
            let clear = hex::encode_upper(xor(block, bytes(&format!("0000{twelve}"))));
            let fill = &clear[6..];
            let is_fill = |c: char| if format == "ISO_0" { c == 'F' } else { ('A'..='F').contains(&c) };
            assert!(fill.chars().all(is_fill), "the fill of {format}");
            (&format[4..], clear)
        }
        "ISO_4" => {
            let aes = Aes256::new_from_slice(&key).expect("32 bytes");
            let mut block = bytes::<16>(block);
            aes.decrypt_block((&mut block).into());
            let pan_field = format!("4{pan}{}", "0".repeat(15));
            let mut block = xor(block, bytes(&pan_field));
            aes.decrypt_block((&mut block).into());
            let clear = hex::encode_upper(block);
            assert_eq!(&clear[6..16], "AAAAAAAAAA", "the fill of ISO_4");
            ("4", clear)
        }
        other => panic!("a PIN block of format {other}"),
    };
    assert_eq!(&field[..2], format!("{control}4"), "control and length of {format}");
    assert!(field[2..6].bytes().all(|b| b.is_ascii_digit()), "a PIN is four digits (R39)");
    field[2..6].to_owned()
}

/// Digits first, then letters minus ten: two passes.
fn decimalised(block: [u8; 8], length: usize) -> String {
    let text = hex::encode_upper(block);
    let digits = text.chars().filter(char::is_ascii_digit);
    let letters = text.chars().filter(|c| !c.is_ascii_digit()).map(|c| char::from(c as u8 - b'A' + b'0'));
    digits.chain(letters).take(length).collect()
}

/// CVV, iCVV or CVV2, by service code.
pub fn cvv(key_name: &str, pan: &str, expiry: &str, service_code: &str) -> String {
    let key = key(key_name);
    let text = format!("{:0<32}", format!("{pan}{expiry}{service_code}"));
    let mut first = bytes::<8>(&text[..16]);
    Des::new_from_slice(&key[..8]).expect("8 bytes").encrypt_block((&mut first).into());
    let mut block = xor(first, bytes(&text[16..]));
    tdes(&key).encrypt_block((&mut block).into());
    decimalised(block, 3)
}

/// PIN verification value.
pub fn pvv(pan: &str, pvki: char, pin: &str) -> String {
    let mut block = bytes::<8>(&format!("{}{pvki}{pin}", &pan[4..15]));
    tdes(&key("PVK_1")).encrypt_block((&mut block).into());
    decimalised(block, 4)
}

/// Whether the last digit is the check digit.
pub fn luhn(pan: &str) -> bool {
    let digits = pan.bytes().rev().map(|b| u32::from(b - b'0')).enumerate();
    let sum: u32 = digits.map(|(i, d)| if i % 2 == 0 { d } else { d * 2 / 10 + d * 2 % 10 }).sum();
    sum.is_multiple_of(10)
}

#[test]
fn the_recount_itself_gives_the_values_of_the_vectors() {
    let vectors: serde_json::Value = serde_json::from_str(include_str!("../vectors.json")).expect("vectors.json");
    let text = |value: &serde_json::Value, name: &str| value[name].as_str().expect("text").to_owned();
    let known =
        vectors["cvv"].as_array().expect("cvv").iter().chain(vectors["cvv_second_pass"].as_array().expect("cvv"));
    for vector in known {
        let [pan, expiry, code] = ["pan", "expiry_yymm", "service_code"].map(|name| text(vector, name));
        assert_eq!(cvv(&text(vector, "key"), &pan, &expiry, &code), text(vector, "value"));
    }
    for vector in
        vectors["pvv"].as_array().expect("pvv").iter().chain(vectors["pvv_second_pass"].as_array().expect("pvv"))
    {
        assert_eq!(pvv(&text(vector, "pan"), '1', &text(vector, "pin")), text(vector, "pvv"));
    }
    // samples/v2.json, record 1: the PIN block of the vectors' Visa card.
    assert_eq!(pin("ISO_0", "zpk-x-1", "311D385594D0906A", "4000001234567899").len(), 4);
}
