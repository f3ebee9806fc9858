//! reissueCard, replaceCard, orderPhysical and reorderPin.

use super::*;
use crate::card::{Expiry, PinStatus};
use crate::order::{OrderPhysical, ReissueCard, ReplaceCard};

fn line(op: &str) -> Value {
    json!({"orderId": "o-5", "op": op, "institutionId": "246001", "auditUser": "ops", "cardId": "3001"})
}

fn with_body(op: &str) -> Value {
    with(line(op), "body", json!({}))
}

fn reissued(line: &Value) -> ReissueCard {
    match operation(line) {
        Operation::ReissueCard(order) => order,
        other => panic!("{other:?}"),
    }
}

fn replaced(line: &Value) -> ReplaceCard {
    match operation(line) {
        Operation::ReplaceCard(order) => *order,
        other => panic!("{other:?}"),
    }
}

const OPERATIONS: [&str; 4] = ["reissueCard", "replaceCard", "orderPhysical", "reorderPin"];

#[test]
fn a_body_may_be_absent_null_or_empty() {
    for op in OPERATIONS {
        let expected = operation(&line(op));
        assert_eq!(operation(&with_body(op)), expected);
        each(
            &line(op),
            "body",
            &[
                (json!(null), None),
                (json!([]), Some(ErrorCode::FieldType)),
                (json!("W"), Some(ErrorCode::FieldType)),
                (json!({"reason": "x"}), Some(ErrorCode::FieldUnknown)),
            ],
        );
    }
    let card_id = "3001".parse().unwrap();
    assert_eq!(reissued(&line("reissueCard")), ReissueCard { card_id, plastic_id: None, pin_status: None });
    assert_eq!(
        operation(&line("orderPhysical")),
        Operation::OrderPhysical(OrderPhysical { card_id, plastic_id: None })
    );
    assert_eq!(operation(&line("reorderPin")), Operation::ReorderPin(card_id));
    let order = replaced(&line("replaceCard"));
    assert_eq!((order.card_id, order.plastic_id, order.new_card_id), (card_id, None, None));
    assert_eq!((order.pin_status, order.embossing, order.expiration), (PinStatus::Default, None, None), "R33, R38");
}

#[test]
fn the_envelope_names_card_and_plastic() {
    use ErrorCode as E;
    let ids = [
        (json!("1"), None),
        (json!("9".repeat(18)), None),
        (json!("1".repeat(19)), Some(E::FieldPattern)),
        (json!("0"), Some(E::FieldPattern)),
        (json!("01"), Some(E::FieldPattern)),
        (json!(""), Some(E::FieldPattern)),
        (json!(1), Some(E::FieldType)),
    ];
    for op in OPERATIONS {
        each(&line(op), "cardId", &ids);
        each(&line(op), "cardId", &[(json!(null), Some(E::FieldMissing))]);
        for field in ["customerId", "accountId", "sequenceNumber", "newCardId", "pinStatus"] {
            each(&line(op), field, &[(json!("1"), Some(E::FieldUnknown))]);
        }
    }
    for op in ["reissueCard", "replaceCard", "orderPhysical"] {
        each(&line(op), "plasticId", &ids);
        each(&line(op), "plasticId", &[(json!(null), None)]);
    }
    each(&line("reorderPin"), "plasticId", &[(json!("1"), Some(E::FieldUnknown))]);
    each(&with_body("replaceCard"), "body.newCardId", &ids);
    let order = reissued(&with(line("reissueCard"), "plasticId", json!("77")));
    assert_eq!(order.plastic_id.unwrap().get(), 77);
    let order = replaced(&with(with_body("replaceCard"), "body.newCardId", json!("78")));
    assert_eq!(order.new_card_id.unwrap().get(), 78);
}

#[test]
fn bodies_have_the_fields_of_their_operation_only() {
    let fields = [
        ("pinStatus", json!("S")),
        ("newCardId", json!("4001")),
        ("expiration", json!({"year": 2030, "month": 1})),
        ("embossing", json!({"firstName": "Monica"})),
        ("pinBlock", json!("0123456789ABCDEF")),
        ("productCode", json!("VISA_CARD")),
        ("encryptedData", json!("x")),
        ("status", json!("CARD_LOST")),
        ("segment", json!("SEGMENT_A")),
    ];
    for (op, allowed) in [
        ("reissueCard", &["pinStatus"][..]),
        ("replaceCard", &["pinStatus", "newCardId", "expiration", "embossing"][..]),
        ("orderPhysical", &[][..]),
        ("reorderPin", &[][..]),
    ] {
        for (field, value) in &fields {
            let expected = (!allowed.contains(field)).then_some(ErrorCode::FieldUnknown);
            each(&with_body(op), &format!("body.{field}"), &[(value.clone(), expected)]);
        }
    }
}

#[test]
fn pin_status_is_one_of_three_words() {
    for op in ["reissueCard", "replaceCard"] {
        words(&with_body(op), "body.pinStatus", &["D", "W", "S"], &["d", "X", ""]);
    }
    let order = reissued(&with(with_body("reissueCard"), "body.pinStatus", json!("W")));
    assert_eq!(order.pin_status, Some(PinStatus::Waiting));
    assert_eq!(reissued(&with(with_body("reissueCard"), "body.pinStatus", json!(null))).pin_status, None);
    let order = replaced(&with(with_body("replaceCard"), "body.pinStatus", json!("S")));
    assert_eq!(order.pin_status, PinStatus::Set);
    let order = replaced(&with(with_body("replaceCard"), "body.pinStatus", json!(null)));
    assert_eq!(order.pin_status, PinStatus::Default, "R33: null is absent");
}

#[test]
fn r91_the_lines_of_a_replacement_end_at_their_limit() {
    let line = with(with_body("replaceCard"), "body.embossing", json!({}));
    for (field, max) in super::cards::LINES {
        let path = format!("body.embossing.{field}");
        limit(&line, &path, max);
        accented(&line, &path, max);
        each(&line, &path, &[(json!("a\u{2019}b"), Some(ErrorCode::Charset)), (json!(""), None)]);
    }
    limit(&line, "body.embossing.externalLayoutCode", 32);
    limit(&line, "body.embossing.manufacturer", 255);
    each(
        &line,
        "body.embossing.physical",
        &[(json!(true), None), (json!(false), None), (json!("no"), Some(ErrorCode::FieldType))],
    );
    each(&line, "body.embossing.line9", &[(json!("x"), Some(ErrorCode::FieldUnknown))]);
    let names = with(line, "body.embossing.lastName", json!("b".repeat(13)));
    assert!(read(&with(names.clone(), "body.embossing.firstName", json!("a".repeat(13)))).is_ok());
    let refusal = read(&with(names, "body.embossing.firstName", json!("a".repeat(14)))).unwrap_err();
    assert_eq!(refusal.code, ErrorCode::NameTooLong, "R90");
}

#[test]
fn r117_the_expiration_of_a_replacement_is_a_month_of_2000_to_2099() {
    use ErrorCode as E;
    let line = with(with_body("replaceCard"), "body.expiration", json!({"year": 2030, "month": 5}));
    assert_eq!(replaced(&line).expiration, Expiry::new(2030, 5));
    each(
        &line,
        "body.expiration.year",
        &[
            (json!(2000), None),
            (json!(2099), None),
            (json!(1999), Some(E::FieldValue)),
            (json!(2100), Some(E::FieldValue)),
            (json!("2030"), Some(E::FieldType)),
            (json!(null), Some(E::FieldMissing)),
        ],
    );
    each(
        &line,
        "body.expiration.month",
        &[
            (json!(1), None),
            (json!(12), None),
            (json!(0), Some(E::FieldValue)),
            (json!(13), Some(E::FieldValue)),
            (json!(1.5), Some(E::FieldType)),
            (json!(null), Some(E::FieldMissing)),
        ],
    );
    each(&line, "body.expiration.day", &[(json!(1), Some(E::FieldUnknown))]);
}
