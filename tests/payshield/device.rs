//! The test device itself, held against `vectors.json` over its own line: it is right before anything is held against it.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use serde_json::Value;

use crate::hsm::ciphers::{cvv, pvv};
use crate::hsm::faults::{Act, When};
use crate::hsm::lmk::{Dialect, Lmk, PinForm, Use};
use crate::hsm::{Hsm, Setup, account_of, blocks, vector_key};

const PAN: &str = "4000001234567899";
const ACCOUNT: &str = "000123456789";
const FORMS: [PinForm; 5] =
    [PinForm::Digits(5), PinForm::Digits(13), PinForm::Hex(6), PinForm::Hex(16), PinForm::Block(32)];

fn vectors() -> Value {
    serde_json::from_str(include_str!("../vectors.json")).unwrap()
}

fn list(name: &str) -> Vec<Value> {
    vectors()[name].as_array().unwrap().clone()
}

fn text<'a>(entry: &'a Value, field: &str) -> &'a str {
    entry[field].as_str().unwrap()
}

/// A line to the device as bytes.
struct Wire(TcpStream);

impl Wire {
    fn to(hsm: &Hsm) -> Self {
        let stream = TcpStream::connect(hsm.address()).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
        Self(stream)
    }

    fn send(&mut self, message: &str) {
        let length = u16::try_from(message.len()).unwrap().to_be_bytes();
        self.0.write_all(&[&length, message.as_bytes()].concat()).unwrap();
    }

    fn hear(&mut self) -> Option<String> {
        let mut length = [0; 2];
        self.0.read_exact(&mut length).ok()?;
        let mut message = vec![0; usize::from(u16::from_be_bytes(length))];
        self.0.read_exact(&mut message).ok()?;
        String::from_utf8(message).ok()
    }

    /// The answer without its header; header and letters are checked.
    fn ask(&mut self, message: &str) -> String {
        self.send(&format!("7X9z{message}"));
        let answer = self.hear().expect("an answer");
        let letters: Vec<u8> = message.bytes().take(2).zip([0, 1]).map(|(letter, more)| letter + more).collect();
        assert_eq!(&answer[..6], format!("7X9z{}", String::from_utf8(letters).unwrap()));
        answer[6..].to_owned()
    }
}

#[test]
fn check_values_are_the_vectors() {
    for (label, key) in vectors()["keys"].as_object().unwrap() {
        let expected = text(key, "kcv");
        assert_eq!(&vector_key(label).check_value()[..expected.len()], expected, "{label}");
    }
}

#[test]
fn cvvs_are_the_vectors_and_the_public_answers() {
    for entry in list("cvv").into_iter().chain(list("cvv_second_pass")) {
        let key = vector_key(text(&entry, "key"));
        let made = cvv(&key, text(&entry, "pan"), text(&entry, "expiry_yymm"), text(&entry, "service_code"));
        assert_eq!(made, text(&entry, "value"), "{}", text(&entry, "kind"));
    }
    for entry in vectors()["public_known_answers"]["cvv"].as_array().unwrap() {
        let key = tdes(text(entry, "cvk"));
        let made = cvv(&key, text(entry, "pan"), text(entry, "expiry"), text(entry, "service_code"));
        assert_eq!(made, text(entry, "cvv"), "{}", text(entry, "source"));
    }
}

fn tdes(key: &str) -> crate::hsm::ciphers::Clear {
    crate::hsm::ciphers::Clear::Tdes(hex::decode(key).unwrap())
}

#[test]
fn pvvs_are_the_vectors_and_the_public_answers() {
    for entry in list("pvv").into_iter().chain(list("pvv_second_pass")) {
        let made =
            pvv(&vector_key("PVK_1"), &account_of(text(&entry, "pan")), text(&entry, "pvki"), text(&entry, "pin"));
        assert_eq!(made, text(&entry, "pvv"));
    }
    for entry in vectors()["public_known_answers"]["pvv"].as_array().unwrap() {
        let account = account_of(text(entry, "pan"));
        let made = pvv(&tdes(text(entry, "pvk")), &account, text(entry, "pvki"), text(entry, "pin"));
        assert_eq!(made, text(entry, "pvv"), "{}", text(entry, "source"));
    }
}

#[test]
fn pin_blocks_are_the_vectors() {
    for entry in list("pin_blocks") {
        let format = u8::try_from(entry["format"].as_u64().unwrap()).unwrap();
        let (pan, pin) = (text(&entry, "pan"), text(&entry, "pin"));
        let account = if format == 4 { pan.to_owned() } else { account_of(pan) };
        for (label, field) in [
            ("ZPK_TDES_2KEY", "enc_ZPK_TDES_2KEY"),
            ("ZPK_TDES_3KEY", "enc_ZPK_TDES_3KEY"),
            ("ZPK_AES_128", "encrypted"),
        ] {
            let (key, Some(expected)) = (vector_key(label), entry[field].as_str()) else { continue };
            let block = hex::decode(expected).unwrap();
            assert_eq!(blocks::opened(format, &key, &account, &block).as_deref(), Ok(pin));
            let made = blocks::sealed(format, &key, &account, pin, [1, 2, 3, 4, 5, 6, 7, 8]);
            // The fill of format 3 is the device's own.
            if format != 3 {
                assert_eq!(made, block, "format {format}");
            }
            assert_eq!(blocks::opened(format, &key, &account, &made).as_deref(), Ok(pin));
        }
    }
    let zpk = vector_key("ZPK_TDES_2KEY");
    for entry in list("pin_block_must_reject") {
        let block = zpk.seal(&hex::decode(text(&entry, "clear")).unwrap());
        let opened = blocks::opened(0, &zpk, &account_of(text(&entry, "pan")), &block);
        assert_ne!(opened.as_deref(), Ok("1234"), "{}", text(&entry, "why"));
    }
}

#[test]
fn a_pin_under_the_lmk_is_of_one_account_and_shows_nothing() {
    for form in FORMS {
        let lmk = Lmk::seeded(3, Dialect::Variant, form);
        let other = Lmk::seeded(4, Dialect::Variant, form);
        let mut foreign = 0;
        for number in 0..80 {
            let (account, pin) = (format!("{number:012}"), format!("{:04}", number * 37 % 10_000));
            let sealed = lmk.pin(&account, &pin);
            assert_eq!(sealed.len(), form.length(), "{form:?}");
            assert_eq!(lmk.clear_pin(&account, &sealed).as_deref(), Some(pin.as_str()), "{form:?}");
            foreign += usize::from(lmk.clear_pin("999999999999", &sealed) == Some(pin.clone()));
            foreign += usize::from(other.clear_pin(&account, &sealed) == Some(pin));
        }
        // One in 10,000 by chance, in the shortest form.
        assert!(foreign < 3, "{form:?}: {foreign}");
    }
    let long = Lmk::seeded(3, Dialect::Variant, PinForm::Hex(16));
    assert_eq!(long.clear_pin(ACCOUNT, &long.pin(ACCOUNT, "123456789012")).as_deref(), Some("123456789012"));
}

#[test]
fn keys_open_for_their_own_use_only() {
    for dialect in [Dialect::Variant, Dialect::KeyBlock] {
        let lmk = Lmk::seeded(3, dialect, PinForm::Hex(16));
        let other = Lmk::seeded(4, dialect, PinForm::Hex(16));
        for label in ["CVK_A_B", "ZPK_TDES_3KEY", "ZPK_AES_128"] {
            let key = vector_key(label);
            if dialect == Dialect::Variant && label == "ZPK_AES_128" {
                continue;
            }
            let wrapped = lmk.wrapped(&key, Use::Zpk);
            assert_eq!(lmk.key_length(wrapped.as_bytes()), Some(wrapped.len()));
            assert!(!wrapped.contains(&hex::encode_upper(&key.bytes()[..8])));
            assert_eq!(lmk.opened(&wrapped, Use::Zpk), Ok(key));
            assert!(lmk.opened(&wrapped, Use::Pvk).is_err(), "{dialect:?} {label}");
            assert!(other.opened(&wrapped, Use::Zpk).is_err(), "{dialect:?} {label}");
        }
    }
}

#[test]
fn every_command_answers_as_the_vectors_say() {
    for (dialect, form) in [(Dialect::Variant, PinForm::Digits(5)), (Dialect::KeyBlock, PinForm::Block(32))] {
        let hsm = Hsm::start(&Setup { pin_form: form, ..Setup::new(dialect) });
        let key = |label, what_for| hsm.wrapped(&vector_key(label), what_for);
        let (cvk, pvk, zpk) = (key("CVK_A_B", Use::Cvk), key("PVK_1", Use::Pvk), key("ZPK_TDES_2KEY", Use::Zpk));
        let mut wire = Wire::to(&hsm);
        assert_eq!(wire.ask("NC"), format!("00{}1500-0023", hsm.check_value()));
        assert_eq!(&wire.ask("NO00")[..2], "00");
        let second_pass = &list("cvv_second_pass")[0];
        assert_eq!(wire.ask(&format!("CW{cvk}{};2912201", text(second_pass, "pan"))), "00100");
        let stored = wire.ask(&format!("JE{zpk}311D385594D0906A01{ACCOUNT}"));
        let stored = stored.strip_prefix("00").unwrap();
        assert_eq!(stored.len(), form.length());
        assert_eq!(wire.ask(&format!("DG{pvk}{stored}{ACCOUNT}1")), "008484");
        assert_eq!(wire.ask(&format!("JG{zpk}01{ACCOUNT}{stored}")), "00311D385594D0906A");
        assert_eq!(wire.ask(&format!("EC{zpk}{pvk}311D385594D0906A01{ACCOUNT}18484")), "00");
        assert_eq!(wire.ask(&format!("EC{zpk}{pvk}BC71E93B1C1F99D501{ACCOUNT}18484")), "01");
        assert_eq!(wire.ask(&format!("BE{zpk}441D89698456663347{ACCOUNT}{stored}")), "00");
        assert_eq!(wire.ask(&format!("BE{zpk}BC71E93B1C1F99D501{ACCOUNT}{stored}")), "01");
        let same = wire.ask(&format!("CC{zpk}{zpk}12441D896984566633{}01{ACCOUNT}", "47"));
        assert_eq!(same, "0004311D385594D0906A01", "from format 3 to format 0");
        let made = wire.ask(&format!("JA{ACCOUNT}04"));
        assert_eq!(hsm.clear_pin(PAN, &made.as_bytes()[2..]).unwrap(), hsm.made()[0].pin);
        let (flag, kind) = if dialect == Dialect::Variant { ("1", "402") } else { ("F", "FFF") };
        assert_eq!(wire.ask(&format!("BUFF{flag}{cvk};{kind}"))[..8], *"00E5063D");
        assert_eq!(wire.ask(&format!("BUFF{flag}{cvk};{kind};001")), "00E5063D");
        assert_eq!(hsm.journal().codes(), "NC NO CW JE DG JG EC EC BE BE CC JA BU BU".split(' ').collect::<Vec<_>>());
        assert!(hsm.journal().of("DG")[0].account.as_deref() == Some(ACCOUNT));
    }
}

#[test]
fn format_4_is_with_the_whole_number_and_an_aes_key() {
    let hsm = Hsm::start(&Setup::new(Dialect::KeyBlock));
    let zpk = hsm.wrapped(&vector_key("ZPK_AES_128"), Use::Zpk);
    let mut wire = Wire::to(&hsm);
    let stored = wire.ask(&format!("JE{zpk}7FFC1A0034F726B2123868E946A6F26C48{PAN};"));
    let stored = stored.strip_prefix("00").unwrap();
    assert_eq!(hsm.clear_pin(PAN, stored.as_bytes()).as_deref(), Some("1234"));
    let block = wire.ask(&format!("JG{zpk}48{PAN};{stored}"));
    let block = hex::decode(block.strip_prefix("00").unwrap()).unwrap();
    assert_eq!(blocks::opened(4, &vector_key("ZPK_AES_128"), PAN, &block).as_deref(), Ok("1234"));
    assert_eq!(wire.ask(&format!("JG{zpk}01{ACCOUNT}{stored}")), "A7", "AES and format 0");
}

#[test]
fn what_is_wrong_has_its_error_code() {
    let hsm = Hsm::start(&Setup::new(Dialect::Variant));
    let key = |label, what_for| hsm.wrapped(&vector_key(label), what_for);
    let (pvk, zpk) = (key("PVK_1", Use::Pvk), key("ZPK_TDES_2KEY", Use::Zpk));
    let mut wire = Wire::to(&hsm);
    let stored = wire.ask(&format!("JE{zpk}311D385594D0906A01{ACCOUNT}"))[2..].to_owned();
    for (message, code) in [
        (format!("JA{ACCOUNT}"), "15"),
        (format!("JA{ACCOUNT}03"), "24"),
        (format!("JE{zpk}FFFFFFFFFFFFFFFF01{ACCOUNT}"), "20"),
        (format!("JE{zpk}311D385594D0906A05{ACCOUNT}"), "23"),
        (format!("JG{zpk}01{ACCOUNT}0000000000000000"), "14"),
        (format!("DG{zpk}{stored}{ACCOUNT}1"), "10"),
        (format!("DG{pvk}{stored}{ACCOUNT}"), "15"),
        ("DGS0016V2".to_owned(), "A1"),
        ("ZZ".to_owned(), "67"),
    ] {
        assert_eq!(wire.ask(&message), code, "{message}");
    }
    let six = blocks::sealed(0, &vector_key("ZPK_TDES_2KEY"), ACCOUNT, "12345", [0; 8]);
    let short = Hsm::start(&Setup { pin_form: PinForm::Digits(5), ..Setup::new(Dialect::Variant) });
    assert_eq!(Wire::to(&short).ask(&format!("JE{zpk}{}01{ACCOUNT}", hex::encode_upper(six))), "24");
}

#[test]
fn faults_happen_when_they_are_told_to() {
    let hsm = Hsm::start(&Setup::new(Dialect::Variant));
    hsm.fail(When::command("NC").times(1), Act::Error("41"));
    hsm.fail(When::command("NO").after(1).times(1), Act::WrongHeader);
    hsm.fail(When::command("JA").for_account("000000000002"), Act::Error("15"));
    hsm.fail(When::command("JA").on_connection(2), Act::Reset(5));
    let (mut first, mut second) = (Wire::to(&hsm), Wire::to(&hsm));
    assert_eq!(first.ask("NC"), "41");
    assert_eq!(&first.ask("NC")[..2], "00");
    assert_eq!(&first.ask("NO00")[..2], "00");
    first.send("1234NO00");
    assert_ne!(&first.hear().unwrap()[..4], "1234");
    assert_eq!(first.ask("JA00000000000204"), "15");
    assert_eq!(&first.ask("JA00000000000304")[..2], "00");
    second.send("1234JA00000000000304");
    assert_eq!(second.hear(), None);
    assert_eq!(hsm.made().len(), 2, "a refused command makes nothing, a lost answer does");
}

#[test]
fn a_late_answer_comes_before_the_next_one_and_a_crossed_one_elsewhere() {
    let hsm = Hsm::start(&Setup::new(Dialect::Variant));
    hsm.fail(When::command("JA").times(1), Act::Late);
    hsm.fail(When::command("JA").after(1).times(1), Act::Crossed);
    let (mut first, mut second) = (Wire::to(&hsm), Wire::to(&hsm));
    first.send("AAAAJA00000000000104");
    first.send("BBBBNC");
    assert!(first.hear().unwrap().starts_with("AAAAJB00"));
    assert!(first.hear().unwrap().starts_with("BBBBND00"));
    first.send("CCCCJA00000000000104");
    while hsm.journal().count() < 3 {
        std::thread::yield_now();
    }
    second.send("DDDDJA00000000000204");
    assert!(second.hear().unwrap().starts_with("CCCCJB00"));
    let violations = hsm.journal().violations();
    assert!(violations[0].contains("two commands in flight") || violations[0].contains("had failed"), "{violations:?}");
}

#[test]
fn a_device_dies_and_comes_back() {
    let hsm = Hsm::start(&Setup::new(Dialect::Variant));
    hsm.die_after(2);
    let mut wire = Wire::to(&hsm);
    wire.ask("NC");
    wire.ask("NC");
    wire.send("7X9zNC");
    assert_eq!(wire.hear(), None);
    assert!(TcpStream::connect(hsm.address()).is_err());
    hsm.come_back();
    assert_eq!(&Wire::to(&hsm).ask("NC")[..2], "00");
}

#[test]
fn a_limit_and_chance_are_counted() {
    let hsm = Hsm::start(&Setup::new(Dialect::Variant));
    hsm.limit(0, "41");
    assert_eq!(Wire::to(&hsm).ask("NC"), "41");
    hsm.heal();
    hsm.fail_by_chance(9, &[(300, Act::Error("42"))]);
    let mut wire = Wire::to(&hsm);
    let failed = (0..400).filter(|number| wire.ask(&format!("JA{number:012}04")) == "42").count();
    assert!((60..=180).contains(&failed), "{failed} of 400");
}
