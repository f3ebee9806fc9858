//! What stands in a field: patterns, words and tracks.

use crate::{BOTH, NEITHER, Seen, judge};

/// One wrong text for one field of version 2; the JSON key is the element's name with a small first letter.
fn wrong_text(field: &str, right: &str, wrong: &str, seen: Seen, says: &str) {
    let key = field[..1].to_ascii_lowercase() + &field[1..];
    let xml = |value: &str| format!("<{field}>{value}</{field}>");
    let json = |value: &str| format!("\"{key}\":\"{value}\"");
    judge(2, (&xml(right), &xml(wrong)), (&json(right), &json(wrong)), seen, says);
}

#[test]
fn patterns_and_words() {
    for (field, right, wrongs, says) in [
        (
            "Pan",
            "4000001234567899",
            &["400000123456789", "40000012345678990", "400000123456789A"][..],
            "record 1: pan must be",
        ),
        ("PanMasked", "400000******7899", &["400000*****7899", "4000001234567899"], "record 1: panMasked must be"),
        ("SequenceNumber", "01", &["1", "00", "001"], "record 1: sequenceNumber must be"),
        ("Expiry", "2029-12", &["2029-13", "2029-00", "29-12", "2029-1", "202912"], "record 1: expiry must be"),
        ("ServiceCode", "201", &["20", "2011", "20A"], "record 1: serviceCode must be"),
        ("Cvv2", "137", &["13", "1370"], "record 1: cvv2 must be"),
        ("CardId", "3001", &["A3001", "1234567890123456789"], "record 1: cardId must be"),
        (
            "CustomerNumber",
            "C1001",
            &["C-1001", "C12345678901234567890123456789012"],
            "record 1: customerNumber must be",
        ),
        ("ProductCode", "VISA_CARD", &["V", "visa", "1VISA"], "record 1: productCode must be"),
        ("Scheme", "VISA", &["AMEX", "visa"], "record 1: scheme must be one of"),
        ("RecordType", "CARD", &["CARDS"], "record 1: recordType must be one of"),
        ("ProductionEvent", "NCRD", &["NVRT", "NLOSTVRT", "RVRT", "XXX"], "record 1: productionEvent must be"),
        ("ProductionReason", "NEW_CARD", &["NEW"], "record 1: productionReason must be one of"),
        ("CardRole", "MAIN", &["OTHER"], "record 1: cardRole must be one of"),
        ("CharacterSet", "EMBOSSED_DEFAULT", &["LATIN"], "record 1: embossing.characterSet must be one of"),
        ("Segment", "SEGMENT_A", &["SEGMENT_G"], "record 1: segment must be one of"),
        ("Locale", "fi_FI", &["fi-FI", "fi_SE", "FI"], "record 1: locale must be"),
        ("Country", "FIN", &["FI", "fin", "FINL"], "record 1: cardDelivery.address.country must be"),
        (
            "Phone",
            "+358401234567",
            &["358401234567", "+", "+1234567890123456", "+358 40"],
            "record 1: cardDelivery.phone",
        ),
        ("DeliveryType", "MAIL", &["EPIN", "CUSTOM_6"], "record 1: pinMailer.deliveryType must be one of"),
        ("AddressSource", "CARD", &["ACCOUNTS"], "record 1: cardDelivery.addressSource must be one of"),
        (
            "Value",
            "52843BDD26A501AE",
            &["52843bdd26a501ae", "52843BDD26A501A", "52843BDD26A501AE52843BDD"],
            "record 2: pinMailer.pinBlock",
        ),
        ("Key", "PROMO", &["PROMO/", "PROMOTION"], "record 1: additionalValues[1].key must be"),
        ("Value", "12|3", &["12/3", "1,2", "1&#38;2"], "record 1: additionalValues[2].value must be"),
        (
            "RecordUid",
            "7d0e7f3a-3f0a-4c43-9a54-1d9f6c0f2b11",
            &["7D0E7F3A-3F0A-4C43-9A54-1D9F6C0F2B11", "7d0e"],
            "record 1: recordUid",
        ),
        ("Kcv", "D4574E", &["D4574", "D4574G"], "header: pinKeys[1].kcv must be"),
        ("Algorithm", "TDES_2KEY", &["DES"], "header: pinKeys[1].algorithm must be"),
        ("PanHashTotal", "000246913578", &["246913578"], "trailer: panHashTotal"),
        ("FileType", "NORMAL", &["RESEND"], "header: fileType"),
        ("Environment", "LIVE", &["PRODUCTION"], "header: environment"),
        ("CutOff", "2026-11-21T03:00:00Z", &["2026-11-21T03:00:00+00:00", "2026-11-21T03:00:00.0Z"], "header: cutOff"),
    ] {
        for wrong in wrongs {
            wrong_text(field, right, wrong, BOTH, says);
        }
    }
}

#[test]
fn tracks_without_sentinels_and_within_their_lengths() {
    let long = "B4000001234567899^LIIKAMAA/MONICA^2912201184846338888888888888888888888888888";
    assert_eq!(long.len(), 77);
    for (field, right, wrong, says) in [
        ("Track1", "B4000001234567899^LIIKAMAA/MONICA^291220118484633", long, "record 1: track1 must be"),
        (
            "Track1",
            "B4000001234567899^LIIKAMAA/MONICA^291220118484633",
            "%B4000001234567899^LIIKAMAA/MONICA^291220118484633?",
            "record 1: track1 must be",
        ),
        (
            "Track1",
            "B4000001234567899^LIIKAMAA/MONICA^291220118484633",
            "B4000001234567899^Liikamaa/Monica^291220118484633",
            "record 1: track1 must be",
        ),
        (
            "Track2",
            "4000001234567899=291220118484633",
            ";4000001234567899=291220118484633?",
            "record 1: track2 must be",
        ),
        (
            "Track2",
            "4000001234567899=291220118484633",
            "4000001234567899=291220118484633888888",
            "record 1: track2 must",
        ),
        (
            "Track2",
            "4000001234567899D291220118484278",
            "4000001234567899D29122011848427",
            "record 1: chip.track2 must be",
        ),
        (
            "Track2",
            "4000001234567899D291220118484278",
            "4000001234567899=291220118484278",
            "record 1: chip.track2 must be",
        ),
    ] {
        wrong_text(field, right, wrong, BOTH, says);
    }
    let fits = &long[..76];
    wrong_text("Track1", "B4000001234567899^LIIKAMAA/MONICA^291220118484633", fits, NEITHER, "");
    wrong_text(
        "Track2",
        "4000001234567899D291220118484278",
        "4000001234567899D2912201184842F",
        BOTH,
        "record 1: chip.track2",
    );
    wrong_text("Track2", "4000001234567899D291220118484278", "4000001234567899D291220118484F", NEITHER, "");
}
