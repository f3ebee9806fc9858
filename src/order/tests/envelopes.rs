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
fn an_order_without_a_time_was_made_now() {
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
fn a_plastic_is_named_by_id_or_by_card_and_number() {
    let by_number = with(with(plastic(), "plasticId", json!(null)), "cardId", json!("7"));
    let Operation::UpdatePlastic(order) = operation(&with(by_number, "sequenceNumber", json!(2))) else { panic!() };
    let expected = PlasticReference::Number("7".parse().unwrap(), 2);
    assert_eq!(order, UpdatePlastic { plastic: expected, action: PlasticAction::Cancel });
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
