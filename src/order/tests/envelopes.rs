use super::*;
use crate::order::{MAX_LINE_BYTES, PlasticAction, PlasticReference, UpdatePlastic};

#[test]
fn the_example_of_the_intake_page_is_taken() {
    let order = read_text(
        r#"{"orderId":"o-17","op":"createCard","institutionId":"246001","at":"2026-11-20T10:15:00Z","customerId":"1001","accountId":"2001","cardId":"3001","cardRole":"MAIN","scheme":"MASTERCARD","auditUser":"ops","body":{"embossing":{"firstName":"Monica","lastName":"Liikamaa","manufacturer":"FACTORY_X","physical":true}}}"#,
    )
    .unwrap();
    assert_eq!(order.order_id.as_str(), "o-17");
    assert_eq!(order.institution.as_str(), "246001");
    assert_eq!(order.at.to_rfc3339(), "2026-11-20T10:15:00+00:00");
    let Operation::CreateCard(card) = order.operation else { panic!("not a card") };
    assert_eq!(card.parties.card_id.unwrap().get(), 3001);
    assert_eq!(card.embossing.unwrap().manufacturer.as_deref(), Some("FACTORY_X"));
}

#[test]
fn order_ids_have_1_to_64_characters_of_their_class() {
    use ErrorCode as E;
    each(
        &plastic(),
        "orderId",
        &[
            (json!("A.z_9:-"), None),
            (json!("x".repeat(64)), None),
            (json!("x".repeat(65)), Some(E::FieldPattern)),
            (json!(""), Some(E::FieldPattern)),
            (json!("a b"), Some(E::FieldPattern)),
            (json!("ä"), Some(E::FieldPattern)),
            (json!(17), Some(E::FieldType)),
            (json!(null), Some(E::FieldMissing)),
        ],
    );
}

#[test]
fn institutions_have_1_to_6_digits() {
    use ErrorCode as E;
    each(
        &plastic(),
        "institutionId",
        &[
            (json!("000001"), None),
            (json!("1"), None),
            (json!("1000001"), Some(E::FieldPattern)),
            (json!(""), Some(E::FieldPattern)),
            (json!("24600x"), Some(E::FieldPattern)),
            (json!(246_001), Some(E::FieldType)),
            (json!(null), Some(E::FieldMissing)),
        ],
    );
}

#[test]
fn ids_have_1_to_18_digits_without_a_leading_zero() {
    use ErrorCode as E;
    for (line, path) in [
        (plastic(), "plasticId"),
        (customer(), "customerId"),
        (card(), "customerId"),
        (card(), "accountId"),
        (card(), "cardId"),
        (card(), "plasticId"),
        (update(), "cardId"),
        (update(), "body.customerId"),
        (update(), "body.accountId"),
    ] {
        each(
            &line,
            path,
            &[
                (json!("1"), None),
                (json!("9".repeat(18)), None),
                (json!("1".repeat(19)), Some(E::FieldPattern)),
                (json!("0"), Some(E::FieldPattern)),
                (json!("01"), Some(E::FieldPattern)),
                (json!("-1"), Some(E::FieldPattern)),
                (json!(""), Some(E::FieldPattern)),
                (json!(1), Some(E::FieldType)),
            ],
        );
    }
}

#[test]
fn at_is_utc_with_at_most_six_digits_and_not_in_the_future() {
    use ErrorCode as E;
    each(
        &plastic(),
        "at",
        &[
            (json!("2026-11-20T12:05:00Z"), None),
            (json!("2026-11-20T12:05:00.000001Z"), Some(E::OrderInFuture)),
            (json!("2027-11-20T12:00:00Z"), Some(E::OrderInFuture)),
            (json!("2026-11-20T12:00:00.123456Z"), None),
            (json!("2026-11-20T12:00:00.1234567Z"), Some(E::FieldPattern)),
            (json!("2026-11-20T12:00:00+00:00"), Some(E::FieldPattern)),
            (json!("2026-11-20"), Some(E::FieldPattern)),
            (json!(1_795_176_000), Some(E::FieldType)),
        ],
    );
    assert_eq!(read(&plastic()).unwrap().at, now(), "absent: now");
    assert_eq!(read(&with(plastic(), "at", json!(null))).unwrap().at, now(), "null: now");
}

#[test]
fn a_defaulted_time_keeps_microseconds_only() {
    let now: DateTime<Utc> = "2026-11-20T12:00:00.123456789Z".parse().unwrap();
    let order = Envelope::read(plastic().to_string().as_bytes()).unwrap().order(now).unwrap();
    assert_eq!(order.at.to_rfc3339(), "2026-11-20T12:00:00.123456+00:00");
}

#[test]
fn a_defaulted_time_is_not_in_the_canonical_form() {
    let text = |line: &Value| Envelope::read(line.to_string().as_bytes()).unwrap().canonical().to_owned();
    assert_eq!(
        text(&plastic()),
        r#"{"auditUser":"ops","body":{"action":"CANCEL"},"institutionId":"246001","op":"updatePlastic","orderId":"o-4","plasticId":"5"}"#
    );
    assert_eq!(text(&plastic()), text(&with(plastic(), "at", json!(null))));
    assert_ne!(text(&plastic()), text(&with(plastic(), "at", json!("2026-11-20T12:00:00Z"))));
}

#[test]
fn operations_that_do_not_exist_are_refused_by_their_own_code() {
    for name in ["CreateCard", "deleteCard", ""] {
        let refusal = read(&with(card(), "op", json!(name))).unwrap_err();
        assert_eq!(refusal.code, ErrorCode::OperationUnknown);
    }
    each(&card(), "op", &[(json!(null), Some(ErrorCode::FieldMissing)), (json!(1), Some(ErrorCode::FieldType))]);
}

#[test]
fn the_envelope_has_no_field_of_another_operation() {
    use ErrorCode as E;
    each(&customer(), "accountId", &[(json!("1"), Some(E::FieldUnknown))]);
    each(&customer(), "cardRole", &[(json!("MAIN"), Some(E::FieldUnknown))]);
    each(&plastic(), "cardId", &[(json!("1"), Some(E::FieldUnknown))]);
    each(&card(), "sequenceNumber", &[(json!(1), Some(E::FieldUnknown))]);
    each(&card(), "institution", &[(json!("1"), Some(E::FieldUnknown))]);
}

#[test]
fn audit_user_is_required_by_every_operation() {
    use ErrorCode as E;
    for line in [customer(), card(), update(), plastic()] {
        limit_without_null(&line, "auditUser", 255);
        each(&line, "auditUser", &[(json!(null), Some(E::FieldMissing)), (json!(""), Some(E::FieldTooShort))]);
        each(&line, "body", &[(json!(null), Some(E::FieldMissing)), (json!("x"), Some(E::FieldType))]);
    }
}

fn limit_without_null(line: &Value, path: &str, max: usize) {
    each(line, path, &[(json!("a".repeat(max)), None), (json!("a".repeat(max + 1)), Some(ErrorCode::FieldTooLong))]);
}

#[test]
fn card_roles_and_schemes_are_those_of_the_api() {
    words(&card(), "cardRole", &["MAIN", "SUPPLEMENTARY"], &["main", "", "OTHER"]);
    each(&card(), "cardRole", &[(json!(null), Some(ErrorCode::FieldMissing))]);
    words(&card(), "scheme", &["VISA", "MASTERCARD"], &["AMEX", "visa"]);
    for field in ["customerId", "accountId"] {
        each(&card(), field, &[(json!(null), Some(ErrorCode::FieldMissing))]);
    }
    each(&update(), "cardId", &[(json!(null), Some(ErrorCode::FieldMissing))]);
}

#[test]
fn a_plastic_is_named_by_id_or_by_card_and_number() {
    use ErrorCode as E;
    let by_number = with(with(plastic(), "plasticId", json!(null)), "cardId", json!("7"));
    each(
        &by_number,
        "sequenceNumber",
        &[
            (json!(1), None),
            (json!(99), None),
            (json!(0), Some(E::FieldValue)),
            (json!(100), Some(E::FieldValue)),
            (json!("1"), Some(E::FieldType)),
            (json!(1.5), Some(E::FieldType)),
            (json!(null), Some(E::FieldMissing)),
        ],
    );
    each(&plastic(), "plasticId", &[(json!(null), Some(E::FieldMissing))]);
    let Operation::UpdatePlastic(order) = operation(&with(by_number, "sequenceNumber", json!(2))) else { panic!() };
    let expected = PlasticReference::Number("7".parse().unwrap(), 2);
    assert_eq!(order, UpdatePlastic { plastic: expected, action: PlasticAction::Cancel });
    words(&plastic(), "body.action", &["CANCEL", "ACTIVATE"], &["LOCK", "cancel"]);
    each(&plastic(), "body.action", &[(json!(null), Some(E::FieldMissing))]);
    each(&plastic(), "body.reason", &[(json!("x"), Some(E::FieldUnknown))]);
}

#[test]
fn a_line_has_at_most_64_kibibytes() {
    let line = plastic().to_string();
    let padded = |bytes: usize| format!("{line}{}", " ".repeat(bytes - line.len()));
    assert!(read_text(&padded(65_536)).is_ok());
    let refusal = read_text(&padded(65_537)).unwrap_err();
    assert_eq!((refusal.code, MAX_LINE_BYTES), (ErrorCode::LineTooLong, 65_536));
}

#[test]
fn bytes_that_are_not_utf8_are_refused_with_their_place() {
    let refusal = Envelope::read(b"{\"orderId\":\"\xC3\x28\"}").unwrap_err().refusal;
    assert_eq!(refusal, ErrorCode::NotUtf8.because("byte 13 is not UTF-8"));
}

#[test]
fn the_order_id_is_known_as_soon_as_it_can_be_read() {
    let unreadable = Envelope::read(br#"{"orderId":"o-9","institutionId":7}"#).unwrap_err();
    assert_eq!(unreadable.order_id.unwrap().as_str(), "o-9");
    let unreadable = Envelope::read(br#"{"orderId":"o 9","institutionId":"7"}"#).unwrap_err();
    assert_eq!(unreadable.order_id, None);
}

#[test]
fn r138_no_refusal_repeats_what_the_line_holds() {
    let canary = "4000001234567899";
    for (path, value) in [
        ("orderId", json!(format!("{canary} "))),
        ("op", json!(canary)),
        ("institutionId", json!(canary)),
        ("cardId", json!(format!("0{canary}"))),
        ("cardRole", json!(canary)),
        ("at", json!(canary)),
        (canary, json!("x")),
        ("body", json!({ canary: "x" })),
        ("body", json!({"embossing": {"firstName": format!("{canary}{canary}")}})),
        ("body", json!({"embossing": {"firstName": format!("{canary}!")}})),
        ("body", json!({"segment": canary})),
        ("body", json!({"productCode": canary})),
        ("body", json!({"cardAddress": {"country": canary}})),
        ("body", json!({"encryptedData": {"cardNumber": canary}})),
        ("body", json!({"additionalValues": [{"key": canary, "value": "x"}]})),
    ] {
        let refusal = read(&with(card(), path, value)).unwrap_err();
        assert!(!refusal.reason.contains("400000"), "{path}: {refusal}");
    }
}
