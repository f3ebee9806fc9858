//! Commands against the frames of `vectors.json`, and against strings put together by hand from the layouts.

use super::*;
use crate::vault::vectors;

const PAN: &str = "4000001234567899";
const ZPK: &str = "U0123456789ABCDEFFEDCBA9876543210";
const PVK: &str = "UFFEEDDCCBBAA99887766554433221100";
const CVK: &str = "U00112233445566778899AABBCCDDEEFF";

fn pan() -> Pan {
    Pan::parse(PAN).unwrap()
}

fn pin(text: &str) -> PinUnderLmk {
    PinUnderLmk::read(text.as_bytes()).unwrap()
}

fn block(digits: &str, format: PinBlockFormat) -> ZoneBlock {
    ZoneBlock::read(digits, format).unwrap()
}

/// What goes over the wire behind length and header.
fn wire(command: &Command) -> String {
    format!("{}{}", command.code(), std::str::from_utf8(command.fields()).unwrap())
}

/// A key block of usage and algorithm; 72 characters behind the S.
fn key_block(usage: &str, algorithm: char) -> LmkKey {
    LmkKey::of(&format!("S10072{usage}{algorithm}N00N0000{}", "5A".repeat(28)))
}

#[test]
fn commands_are_the_frames_of_the_vectors_byte_by_byte() {
    let (zpk, pvk, cvk) = (LmkKey::of(ZPK), LmkKey::of(PVK), LmkKey::of(CVK));
    let made = [
        diagnostics(),
        random_pin(&pan()),
        pin_to_zone(&zpk, PinBlockFormat::Iso0, &pan(), &pin("01234")),
        pvv(&pvk, &pin("01234"), &pan(), '1'),
        cvv(&cvk, &pan(), "2912", "201"),
    ];
    let frames = vectors::list("payshield_frames_variant_lmk");
    assert_eq!(made.len(), frames.len());
    for (command, frame) in made.iter().zip(&frames) {
        let sent = vectors::hex(frame, "request");
        // Two bytes of length, four characters of header.
        assert_eq!(wire(command).as_bytes(), &sent[6..], "{}", vectors::text(frame, "cmd"));
        let answer = vectors::hex(frame, "response");
        assert_eq!(command.answer_code(), answer[6..8], "{}", vectors::text(frame, "cmd"));
    }
}

#[test]
fn commands_without_a_vector_under_a_variant_lmk() {
    let (zpk, pvk) = (LmkKey::of(ZPK), LmkKey::of(PVK));
    let iso0 = block("87C832F7179E9CCE", PinBlockFormat::Iso0);
    let iso3 = block("87C832F7179E9CCE", PinBlockFormat::Iso3);
    assert_eq!(wire(&status()), "NO00");
    assert_eq!(
        wire(&pin_from_zone(&zpk, &iso0, &pan())),
        "JEU0123456789ABCDEFFEDCBA987654321087C832F7179E9CCE01000123456789"
    );
    assert_eq!(
        wire(&pin_length(&zpk, &iso3, &pan())),
        "CCU0123456789ABCDEFFEDCBA9876543210U0123456789ABCDEFFEDCBA98765432101287C832F7179E9CCE4747000123456789"
    );
    assert_eq!(
        wire(&has_pvv(&zpk, &pvk, &iso0, &pan(), '1', "8156")),
        "ECU0123456789ABCDEFFEDCBA9876543210UFFEEDDCCBBAA9988776655443322110087C832F7179E9CCE0100012345678918156"
    );
    assert_eq!(
        wire(&holds_pin(&zpk, &iso3, &pan(), &pin("5049248"))),
        "BEU0123456789ABCDEFFEDCBA987654321087C832F7179E9CCE470001234567895049248"
    );
    assert_eq!(
        wire(&pin_to_zone(&zpk, PinBlockFormat::Iso3, &pan(), &pin("0123456789ABC"))),
        "JGU0123456789ABCDEFFEDCBA9876543210470001234567890123456789ABC"
    );
}

#[test]
fn under_a_key_block_lmk_the_whole_block_stands_in_the_keys_place() {
    let (zpk, pvk, cvk) = (key_block("P0", 'A'), key_block("V2", 'T'), key_block("C0", 'T'));
    let (z, v, c) = (zpk.as_str(), pvk.as_str(), cvk.as_str());
    assert!(z.starts_with("S10072P0AN00N0000") && z.len() == 73);
    let under = "JC3999796741E7075ADEAF47C43A226BF";
    let iso4 = block(&"0F".repeat(16), PinBlockFormat::Iso4);
    let digits = "0F0F0F0F0F0F0F0F0F0F0F0F0F0F0F0F";
    let to_zone = pin_to_zone(&zpk, PinBlockFormat::Iso4, &pan(), &pin(under));
    assert_eq!(wire(&to_zone), format!("JG{z}484000001234567899;{under}"));
    let from_zone = pin_from_zone(&zpk, &iso4, &pan());
    assert_eq!(wire(&from_zone), format!("JE{z}{digits}484000001234567899;"));
    let length = pin_length(&zpk, &iso4, &pan());
    assert_eq!(wire(&length), format!("CC{z}{z}12{digits}48484000001234567899;"));
    let held = holds_pin(&zpk, &iso4, &pan(), &pin(under));
    assert_eq!(wire(&held), format!("BE{z}{digits}484000001234567899;{under}"));
    let has = has_pvv(&zpk, &pvk, &iso4, &pan(), '1', "8156");
    assert_eq!(wire(&has), format!("EC{z}{v}{digits}484000001234567899;18156"));
    assert_eq!(wire(&pvv(&pvk, &pin(under), &pan(), '2')), format!("DG{v}{under}0001234567892"));
    assert_eq!(wire(&cvv(&cvk, &pan(), "1229", "000")), format!("CW{c}4000001234567899;1229000"));
}

#[test]
fn a_check_value_is_asked_for_by_type_and_length_or_by_the_block() {
    let asked = |key: &LmkKey, usage| wire(&check_value(key, usage));
    let triple = format!("T{}", "0123456789ABCDEF".repeat(3));
    assert_eq!(asked(&LmkKey::of(ZPK), KeyUsage::PinEncryption), format!("BUFF1{ZPK};001;001"));
    assert_eq!(asked(&LmkKey::of(&triple), KeyUsage::PinEncryption), format!("BUFF2{triple};001;001"));
    assert_eq!(asked(&LmkKey::of(PVK), KeyUsage::PinVerification), format!("BUFF1{PVK};002;001"));
    assert_eq!(asked(&LmkKey::of(CVK), KeyUsage::CardVerification), format!("BUFF1{CVK};402;001"));
    for (usage, name) in [(KeyUsage::PinEncryption, "P0"), (KeyUsage::CardVerification, "C0")] {
        let key = key_block(name, 'T');
        assert_eq!(asked(&key, usage), format!("BUFFF{};FFF;001", key.as_str()));
    }
}

#[test]
fn nothing_prints_what_a_command_carries() {
    let command = pvv(&LmkKey::of(PVK), &pin("01234"), &pan(), '1');
    assert_eq!(format!("{command:?}"), "Command(DG)");
}
