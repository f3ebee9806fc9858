//! Answers of `vectors.json`, answers put together by hand, and answers that are none.

use std::collections::BTreeSet;

use super::*;
use crate::ambient::Random;
use crate::vault::vectors;

const BLOCK: &str = "87C832F7179E9CCE";

fn reply(error: &str, fields: &str) -> Reply {
    Reply { error: error.to_owned(), fields: Zeroizing::new(fields.as_bytes().to_vec()) }
}

/// Error code and fields of the vectors' answer to a command.
fn vector(command: &str) -> Reply {
    let frames = vectors::list("payshield_frames_variant_lmk");
    let frame = frames.iter().find(|frame| vectors::text(frame, "cmd").starts_with(command)).unwrap();
    let bytes = vectors::hex(frame, "response");
    // Two bytes of length, four characters of header, two letters.
    reply(std::str::from_utf8(&bytes[8..10]).unwrap(), std::str::from_utf8(&bytes[10..]).unwrap())
}

#[test]
fn answers_of_the_vectors_are_read() {
    let told = diagnostics(&vector("NC")).unwrap();
    assert_eq!((told.lmk_check_value.as_str(), told.firmware.as_str()), ("9D04A00000000000", "1500-0023"));
    assert_eq!(random_pin(&vector("JA")).unwrap().as_str(), "01234");
    assert_eq!(pin_to_zone(&vector("JG"), PinBlockFormat::Iso0).unwrap().expose(), BLOCK);
    assert_eq!(pvv(&vector("DG")).unwrap().expose(), "8156");
    assert_eq!(cvv(&vector("CW")).unwrap().expose(), "705");
}

#[test]
fn answers_without_a_vector_are_read() {
    let short = status(&reply("00", "31641500-0023")).unwrap();
    assert_eq!(short, Status { sockets: 64, firmware: "1500-0023".to_owned() });
    assert_eq!(status(&reply("00", "31081500-002300000")).unwrap().sockets, 8);
    assert_eq!(pin_from_zone(&reply("00", "5049248")).unwrap().as_str(), "5049248");
    let aes = "JC3999796741E7075ADEAF47C43A226BF";
    assert_eq!(pin_from_zone(&reply("00", aes)).unwrap().as_str(), aes);
    let block = format!("{BLOCK}0f{}", "11".repeat(7));
    assert_eq!(
        pin_to_zone(&reply("00", &block), PinBlockFormat::Iso4).unwrap().expose(),
        format!("{BLOCK}0F11111111111111")
    );
    assert_eq!(pin_length(&reply("00", &format!("06{BLOCK}47")), PinBlockFormat::Iso3), Ok(6));
    assert_eq!(pin_length(&reply("00", &format!("04{block}48")), PinBlockFormat::Iso4), Ok(4));
    assert_eq!(check_value(&reply("00", "8ffed1")).unwrap(), "8FFED1");
    assert_eq!(check_value(&reply("00", "6AE7CD3DFB6F78F0")).unwrap(), "6AE7CD");
}

#[test]
fn yes_is_00_and_no_is_01_and_no_other_code_is_either() {
    assert_eq!((has_pvv(&reply("00", "")), has_pvv(&reply("01", ""))), (Ok(true), Ok(false)));
    assert_eq!((holds_pin(&reply("00", "")), holds_pin(&reply("01", ""))), (Ok(true), Ok(false)));
    // A block that holds no PIN at all does not hold this one; for EC it is the card that is wrong.
    assert_eq!((holds_pin(&reply("20", "")), holds_pin(&reply("24", ""))), (Ok(false), Ok(false)));
    assert!(matches!(has_pvv(&reply("20", "")), Err(CryptoError::Card(_))));
    // The stored PIN is wrong, not the block.
    assert!(matches!(holds_pin(&reply("14", "")), Err(CryptoError::Card(_))));
    assert!(matches!(holds_pin(&reply("02", "")), Err(CryptoError::Configuration(_))));
    // In a command that asks no question, 01 is a key's parity.
    assert!(matches!(check_value(&reply("01", "8FFED1")), Err(CryptoError::Configuration(_))));
    assert!(matches!(cvv(&reply("01", "705")), Err(CryptoError::Configuration(_))));
    assert!(matches!(pvv(&reply("02", "8156")), Err(CryptoError::Configuration(_))));
}

/// A parser with what it reads dropped, the command whose answer it is, and an answer it takes.
type Case = (&'static str, Box<dyn Fn(&Reply) -> Result<(), CryptoError>>, String);

/// Every parser, and whether its last field may be of another length.
fn cases() -> Vec<(Case, bool)> {
    let format = PinBlockFormat::Iso0;
    let fixed: Vec<Case> = vec![
        ("DG", Box::new(|reply| pvv(reply).map(drop)), "8156".to_owned()),
        ("CW", Box::new(|reply| cvv(reply).map(drop)), "705".to_owned()),
        ("JG", Box::new(move |reply| pin_to_zone(reply, format).map(drop)), BLOCK.to_owned()),
        ("CC", Box::new(move |reply| pin_length(reply, format).map(drop)), format!("04{BLOCK}01")),
        ("BU", Box::new(|reply| check_value(reply).map(drop)), "8FFED1".to_owned()),
        ("NO", Box::new(|reply| status(reply).map(drop)), "31641500-002300000".to_owned()),
        ("EC", Box::new(|reply| has_pvv(reply).map(drop)), String::new()),
        ("BE", Box::new(|reply| holds_pin(reply).map(drop)), String::new()),
    ];
    let open: Vec<Case> = vec![
        ("NC", Box::new(|reply| diagnostics(reply).map(drop)), "9D04A000000000001500-0023".to_owned()),
        ("JA", Box::new(|reply| random_pin(reply).map(drop)), "0123456".to_owned()),
        ("JE", Box::new(|reply| pin_from_zone(reply).map(drop)), "0123456".to_owned()),
    ];
    fixed.into_iter().map(|case| (case, false)).chain(open.into_iter().map(|case| (case, true))).collect()
}

fn is_unreadable(command: &str, outcome: Result<(), CryptoError>) -> bool {
    matches!(outcome, Err(CryptoError::Configuration(text)) if text.contains(&format!("answer to {command} cannot be read")))
}

#[test]
fn a_short_or_long_answer_is_refused() {
    for ((command, parse, good), open) in cases() {
        assert_eq!(parse(&reply("00", &good)), Ok(()), "{command}");
        // As short as NO may be without what is reserved; JA and JE without one of any five characters; NC with any firmware.
        let may_end = |length: usize| match command {
            "NO" => [13, 14].contains(&length),
            "JA" | "JE" => length >= 5,
            "NC" => length > 16,
            _ => false,
        };
        for length in 0..good.len() {
            let outcome = parse(&reply("00", &good[..length]));
            if may_end(length) {
                assert_eq!(outcome, Ok(()), "{command} cut to {length}");
            } else {
                assert!(is_unreadable(command, outcome), "{command} cut to {length}");
            }
        }
        if !open {
            assert!(is_unreadable(command, parse(&reply("00", &format!("{good}0")))), "{command}");
        }
        let far_too_long = format!("{good}{}", "0".repeat(70));
        assert!(is_unreadable(command, parse(&reply("00", &far_too_long))), "{command}");
    }
}

#[test]
fn an_answer_with_other_characters_is_refused_wherever_they_stand() {
    for ((command, parse, good), _) in cases() {
        for at in 0..=good.len() {
            for byte in [0x00, 0x0A, 0x19, 0x7F, 0x80, 0xC3, 0xFF] {
                let mut bytes = good.clone().into_bytes();
                match bytes.get_mut(at) {
                    Some(place) => *place = byte,
                    None => bytes.push(byte),
                }
                let broken = Reply { error: "00".to_owned(), fields: Zeroizing::new(bytes) };
                assert!(is_unreadable(command, parse(&broken)), "{command}: {byte:02X} at {at}");
            }
        }
    }
    assert!(is_unreadable("CW", cvv(&reply("00", "70A")).map(drop)));
    assert!(is_unreadable("DG", pvv(&reply("00", "8 56")).map(drop)));
    assert!(is_unreadable("JG", pin_to_zone(&reply("00", "87C832F7179E9CCG"), PinBlockFormat::Iso0).map(drop)));
    assert!(is_unreadable("CC", pin_length(&reply("00", &format!("04{BLOCK}47")), PinBlockFormat::Iso0).map(drop)));
    assert!(is_unreadable("JA", random_pin(&reply("00", "0123 4")).map(drop)));
}

#[test]
fn every_parser_refuses_by_the_class_of_the_error_code() {
    for ((command, parse, good), _) in cases() {
        for code in ["14", "15", "22", "81", "86"] {
            let refused = parse(&reply(code, ""));
            assert!(matches!(&refused, Err(CryptoError::Card(text)) if text.contains(command)), "{command} {code}");
        }
        for code in ["41", "42"] {
            assert!(matches!(parse(&reply(code, &good)), Err(CryptoError::Transient(_))), "{command} {code}");
        }
        for code in ["10", "13", "23", "27", "67", "68", "69", "A4", "B2", "99", "", "x"] {
            assert!(matches!(parse(&reply(code, &good)), Err(CryptoError::Configuration(_))), "{command} {code}");
        }
    }
}

#[test]
fn no_bytes_make_a_parser_panic_and_no_refusal_holds_them() {
    let random = Random::seeded(20_261_122);
    let mut refusals = BTreeSet::new();
    let secret = "J9E8D7C6B5A4F3E2";
    for length in 0..40 {
        for _ in 0..50 {
            let mut bytes: Vec<u8> = (0..length).map(|_| random.bytes::<1>()[0]).collect();
            refusals.extend(read_by_all(&bytes));
            // Half of them with an error code of success, so that fields are looked at.
            bytes.splice(0..0, *b"00");
            refusals.extend(read_by_all(&bytes));
        }
    }
    for error in ["00", "01", "20", "41", "A6", "ZZ"] {
        for cut in 0..=secret.len() {
            refusals.extend(read_by_all(format!("{error}{}", &secret[..cut]).as_bytes()));
        }
    }
    assert!(refusals.len() > 20, "{}", refusals.len());
    for sentence in refusals {
        assert!(sentence.is_ascii() && !sentence.contains(&secret[1..5]), "{sentence}");
    }
    assert!(read_by_all(b"00").len() < read_by_all(b"0").len());
}

#[test]
fn nothing_prints_what_an_answer_holds() {
    let answer = reply("00", "0123456");
    assert_eq!(format!("{answer:?}"), "Reply(00)");
    assert_eq!(format!("{:?}", Fields { command: "JA", rest: "0123456" }), "Fields(JA, 7 characters)");
    assert_eq!(format!("{:?}", random_pin(&answer).unwrap()), "PinUnderLmk(***)");
}
