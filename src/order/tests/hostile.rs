//! Whatever bytes come, a line is read or refused; nothing panics and nothing is let through unchecked.

use proptest::prelude::*;

use super::checklist::full;
use super::*;
use crate::order::MAX_LINE_BYTES;

/// The full line with one piece of its text replaced.
fn rewritten(name: &str, from: &str, to: &str) -> String {
    let line = full(name).to_string();
    assert!(line.contains(from), "{from} is not in {line}");
    line.replacen(from, to, 1)
}

fn code(line: &str) -> Option<ErrorCode> {
    read_text(line).err().map(|refusal| refusal.code)
}

#[test]
fn numbers_are_what_their_field_takes_and_json_has() {
    use ErrorCode as E;
    let long = "1".repeat(5000);
    for number in ["1e400", "-1e400", "0x10", "01", "+1", ".5", "1.", "NaN", "Infinity", "1e", "--1", &long] {
        for (name, from) in [
            ("createCard", "\"year\":2029"),
            ("createCustomer", "\"zipCode\":\"22100\""),
            ("updateCard", "\"count\":5"),
        ] {
            let (key, _) = from.split_once(':').unwrap();
            let line = rewritten(name, from, &format!("{key}:{number}"));
            assert_eq!(code(&line), Some(E::NotJson), "{key} {number:.9}");
        }
    }
    for number in ["-0", "-0.0", "2e3", "2029.0", "1e-400", "9223372036854775808", "-9223372036854775809", "1e300"] {
        assert_eq!(code(&rewritten("createCard", "\"year\":2029", &format!("\"year\":{number}"))), Some(E::FieldType));
    }
    for number in ["-0", "-1", "2e3", "22100.0", "18446744073709551616"] {
        let line = rewritten("createCustomer", "\"zipCode\":\"22100\"", &format!("\"zipCode\":{number}"));
        assert_eq!(code(&line), Some(E::FieldType), "{number}");
    }
    for number in ["-0", "0.0", "1e-400", "1e308"] {
        let line = rewritten("updateCard", "\"sumAmount\":1200", &format!("\"sumAmount\":{number}"));
        assert_eq!(code(&line), None, "{number}");
    }
}

#[test]
fn surrogates_come_in_pairs_and_nul_never() {
    use ErrorCode as E;
    for (text, expected) in [
        (r"\ud83d\ude00", None),
        (r"\ud83d", Some(E::NotJson)),
        (r"\ude00", Some(E::NotJson)),
        (r"\ude00\ud83d", Some(E::NotJson)),
        (r"\ud83dx", Some(E::NotJson)),
        (r"\ud83d\u0041", Some(E::NotJson)),
        (r"\u0000", Some(E::CharacterIllegal)),
        ("\0", Some(E::NotJson)),
        ("\t", Some(E::NotJson)),
        (r"\t", Some(E::CharacterIllegal)),
        ("\u{7F}", Some(E::CharacterIllegal)),
        ("\u{2028}", Some(E::CharacterIllegal)),
        (r"\x41", Some(E::NotJson)),
        (r"\u{41}", Some(E::NotJson)),
        ("\u{FEFF}", None),
        ("\u{10FFFF}", None),
    ] {
        let line = rewritten("createCustomer", "Kings street 12", &format!("Kings street {text}"));
        assert_eq!(code(&line), expected, "{text:?}");
    }
}

#[test]
fn bytes_that_no_utf8_writer_writes_are_refused() {
    for bytes in [&b"\xC0\x80"[..], b"\xED\xA0\x80", b"\xF4\x90\x80\x80", b"\xFF", b"\xE2\x82", b"\x80"] {
        let line = full("createCustomer").to_string();
        let (before, after) = line.split_once("Kings").unwrap();
        let line = [before.as_bytes(), bytes, after.as_bytes()].concat();
        assert_eq!(Envelope::read(&line).unwrap_err().refusal.code, ErrorCode::NotUtf8, "{bytes:x?}");
    }
    let utf16: Vec<u8> = full("reorderPin").to_string().encode_utf16().flat_map(u16::to_le_bytes).collect();
    assert_eq!(Envelope::read(&utf16).unwrap_err().refusal.code, ErrorCode::NotJson);
    assert_eq!(Envelope::read(&[&b"\xFF\xFE"[..], &utf16].concat()).unwrap_err().refusal.code, ErrorCode::NotUtf8);
}

#[test]
fn a_byte_order_mark_is_named_because_nobody_sees_it() {
    let refusal = read_text(&format!("\u{FEFF}{}", full("reorderPin"))).unwrap_err();
    let reason = "the line begins with a byte order mark (U+FEFF): write the file without one";
    assert_eq!(refusal, ErrorCode::NotJson.because(reason));
}

#[test]
fn only_one_object_is_on_a_line() {
    let line = full("reorderPin").to_string();
    for behind in ["\0", "x", "{}", ",", "\u{A0}", "\u{FEFF}", "//", "}"] {
        assert_eq!(code(&format!("{line}{behind}")), Some(ErrorCode::NotJson), "{behind:?}");
    }
    assert_eq!(code(&format!(" \t{line}\r")), None);
}

#[test]
fn nesting_ends_at_127_and_no_depth_ends_the_program() {
    let screening = |depth: usize| {
        let nested = format!("{}{}", "[".repeat(depth), "]".repeat(depth));
        rewritten("createCustomer", "{\"pep\":false}", &format!("{{\"a\":{nested}}}"))
    };
    // The line, its body and screening are three.
    assert_eq!(code(&screening(124)), None);
    assert_eq!(code(&screening(125)), Some(ErrorCode::NotJson));
    for deep in ["[".repeat(MAX_LINE_BYTES), "{\"a\":".repeat(MAX_LINE_BYTES / 5), screening(30_000)] {
        assert!(matches!(code(&deep), Some(ErrorCode::NotJson | ErrorCode::LineTooLong)));
    }
}

#[test]
fn a_line_full_of_content_is_taken_at_64_kibibytes_and_refused_one_past_it() {
    let line = |bytes: usize| {
        let empty = rewritten("createCustomer", "{\"pep\":false}", "{\"a\":\"\"}");
        rewritten("createCustomer", "{\"pep\":false}", &format!("{{\"a\":\"{}\"}}", "x".repeat(bytes - empty.len())))
    };
    assert_eq!(line(MAX_LINE_BYTES).len(), MAX_LINE_BYTES);
    assert_eq!(code(&line(MAX_LINE_BYTES)), None);
    assert_eq!(code(&line(MAX_LINE_BYTES + 1)), Some(ErrorCode::LineTooLong));
}

#[test]
fn thousands_of_fields_and_the_longest_key_are_refused_by_name_only() {
    let many: Vec<String> = (0..5000).map(|number| format!("\"k{number}\":1")).collect();
    let line = rewritten("reorderPin", "\"body\":{}", &format!("\"body\":{{{}}}", many.join(",")));
    assert_eq!(code(&line), Some(ErrorCode::FieldUnknown));
    let twice = line.replacen("\"k4999\":1", "\"k0\":1", 1);
    assert_eq!(code(&twice), Some(ErrorCode::DuplicateKey));
    let key = "k".repeat(60_000);
    let refusal = read(&with(full("reorderPin"), &key, json!(1))).unwrap_err();
    assert_eq!(refusal, ErrorCode::FieldUnknown.because("a field with an unusual name is not known here"));
}

proptest! {
    #[test]
    fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        let _ = Envelope::read(&bytes).map(|envelope| envelope.order(now()));
    }

    #[test]
    fn any_change_of_one_byte_is_read_or_refused(place in 0..400_usize, byte in any::<u8>()) {
        let mut line = customer().to_string().into_bytes();
        let place = place % line.len();
        line[place] = byte;
        let _ = Envelope::read(&line).map(|envelope| envelope.order(now()));
    }

    #[test]
    fn what_is_taken_is_within_its_limits(first in "\\PC{0,30}", last in "\\PC{0,30}") {
        let line = with(with(card(), "body.embossing.firstName", json!(first)), "body.embossing.lastName", json!(last));
        if let Ok(order) = read(&line) {
            let Operation::CreateCard(order) = order.operation else { panic!("not a card") };
            let embossing = order.embossing.unwrap();
            let characters: String = embossing.lines().map(|(_, text)| text).collect();
            prop_assert!(characters.chars().count() <= 26);
            prop_assert!(characters.chars().all(|c| crate::card::CharacterSet::Printed.contains(c)));
        }
    }

    #[test]
    fn canonical_text_reads_back_to_itself(key in "[a-z]{1,8}", text in "\\PC{0,40}", number in any::<i64>()) {
        let line = json!({"orderId": "o", "institutionId": "1", key: {"b": text, "a": number}});
        let canonical = |text: &str| Envelope::read(text.as_bytes()).map(|envelope| envelope.canonical().to_owned());
        if let Ok(once) = canonical(&line.to_string()) {
            prop_assert_eq!(canonical(&once), Ok(once.clone()));
        }
    }
}
