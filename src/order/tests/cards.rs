use super::*;
use crate::card::{Embossing, Expiry, PinStatus};
use crate::order::{CreateCard, UpdateCard};

fn created(line: &Value) -> CreateCard {
    match operation(line) {
        Operation::CreateCard(order) => *order,
        other => panic!("{other:?}"),
    }
}

fn updated(line: &Value) -> UpdateCard {
    match operation(line) {
        Operation::UpdateCard(order) => *order,
        other => panic!("{other:?}"),
    }
}

const LINES: [&str; 9] = [
    "firstName",
    "lastName",
    "additionalEmbossingName",
    "companyName",
    "additionalField1",
    "additionalField2",
    "additionalField3",
    "additionalField4",
    "additionalField5",
];

#[test]
fn r93_embossed_lines_take_the_printed_set_and_no_more() {
    use ErrorCode as E;
    for field in LINES {
        each(
            &card(),
            &format!("body.embossing.{field}"),
            &[
                (json!("-/.,&+' aZ09"), None),
                (json!("ŒÞẞọſĲŉ"), None),
                (json!("a\u{2019}b"), Some(E::Charset)),
                (json!("a\u{A0}b"), Some(E::Charset)),
                (json!("a_b"), Some(E::Charset)),
                (json!("日本"), Some(E::Charset)),
                (json!("a\tb"), Some(E::CharacterIllegal)),
            ],
        );
    }
}

#[test]
fn r90_first_and_last_name_have_26_together_without_the_space() {
    let line = with(card(), "body.embossing.lastName", json!("b".repeat(13)));
    assert!(read(&with(line.clone(), "body.embossing.firstName", json!("a".repeat(13)))).is_ok());
    let refusal = read(&with(line, "body.embossing.firstName", json!("a".repeat(14)))).unwrap_err();
    assert_eq!(refusal.code, ErrorCode::NameTooLong);
    assert_eq!(
        refusal.reason,
        "body.embossing.firstName and lastName have 27 characters together, at most 26 are allowed"
    );
}

#[test]
fn r92_missing_names_are_held_later_not_refused() {
    assert_eq!(created(&card()).embossing, Some(Embossing::default()));
    let empty = with(card(), "body.embossing.firstName", json!(""));
    assert_eq!(created(&empty).embossing, Some(Embossing::default()), "an empty line is none");
}

#[test]
fn r08_a_manufacturer_is_judged_at_the_claim() {
    for (code, kept) in [("FACTORY_X", Some("FACTORY_X")), ("factory x", Some("factory x")), ("", None)] {
        let order = created(&with(card(), "body.embossing.manufacturer", json!(code)));
        assert_eq!(order.embossing.unwrap().manufacturer.as_deref(), kept);
    }
}

#[test]
fn the_embossing_object_has_its_own_fields_only() {
    use ErrorCode as E;
    each(
        &card(),
        "body.embossing.physical",
        &[(json!(true), None), (json!(false), None), (json!("yes"), Some(E::FieldType))],
    );
    each(&card(), "body.embossing.additionalField6", &[(json!("x"), Some(E::FieldUnknown))]);
    assert_eq!(created(&with(card(), "body.embossing", json!(null))).embossing, None);
}

#[test]
fn expirations_are_a_year_and_a_month() {
    let line = with(card(), "body.expiration", json!({"year": 2029, "month": 12}));
    assert_eq!(created(&line).expiration, Expiry::new(2029, 12));
}

#[test]
fn scheduled_closing_is_time_based_in_utc() {
    let line = with(card(), "body.scheduledClosing", json!({"type": "TIMEBASED", "time": "2099-12-31T03:00:00.000Z"}));
    assert_eq!(created(&line).scheduled_closing.unwrap().to_rfc3339(), "2099-12-31T03:00:00+00:00");
}

#[test]
fn r99_additional_values_are_at_most_ten_pairs() {
    let pair = |key: &str, value: &str| json!({"key": key, "value": value});
    let pairs = |count: usize| json!(vec![pair("k", "v"); count]);
    let line = |count| with(card(), "body.additionalValues", pairs(count));
    assert_eq!(created(&line(10)).additional_values.len(), 10);
    assert_eq!(read(&line(11)).unwrap_err().code, ErrorCode::FieldTooLong);
    let order =
        created(&with(card(), "body.additionalValues", json!([pair("b", "1"), pair("a", "2"), pair("b", "3")])));
    let kept: Vec<_> = order.additional_values.iter().map(|pair| (pair.key.as_str(), pair.value.as_str())).collect();
    assert_eq!(kept, [("b", "1"), ("a", "2"), ("b", "3")], "order and duplicates stay");
}

#[test]
fn r87_epin_is_no_way_to_send_a_card() {
    let refusal = read(&with(card(), "body.cardDeliveryType", json!("EPIN"))).unwrap_err();
    assert_eq!(refusal.code, ErrorCode::FieldValue);
}

#[test]
fn r33_an_absent_pin_status_is_d() {
    assert_eq!(created(&card()).pin_status, PinStatus::Default);
    assert_eq!(created(&with(card(), "body.pinStatus", json!("W"))).pin_status, PinStatus::Waiting);
    assert_eq!(updated(&update()).pin_status, None, "an update leaves it");
}

#[test]
fn statuses_are_those_that_s1_lets_be_set() {
    let allowed = [
        "CARD_OK",
        "CARD_BLOCKED",
        "SUSPECTED_FRAUD",
        "CARD_CLOSED_DUE_TO_FRAUD",
        "CARD_NO_RENEWAL",
        "CARD_LOST",
        "CARD_STOLEN",
        "CARD_CLOSED",
    ];
    for status in allowed {
        each(&update(), "body.status", &[(json!(status), None)]);
    }
    for status in ["CARD_INVALID", "OK", "00", "14"] {
        let refusal = read(&with(update(), "body.status", json!(status))).unwrap_err();
        assert_eq!(refusal.code, ErrorCode::FieldValue, "{status}");
    }
}

#[test]
fn an_embossing_update_changes_the_lines_it_names() {
    let was = Embossing {
        first_name: Some("Monica".into()),
        last_name: Some("Liikamaa".into()),
        company_name: Some("Example".into()),
        physical: Some(true),
        ..Embossing::default()
    };
    let body = json!({"lastName": "Virtanen", "companyName": "", "physical": null});
    let change = updated(&with(update(), "body.embossing", body)).embossing.unwrap();
    let expected = Embossing { last_name: Some("Virtanen".into()), company_name: None, ..was.clone() };
    assert_eq!(change.apply(&was).unwrap(), expected);
}

#[test]
fn r90_a_new_last_name_must_fit_the_first_name_that_is_there() {
    let was = Embossing { first_name: Some("a".repeat(13)), ..Embossing::default() };
    let change = |length: usize| {
        let body = json!({"lastName": "b".repeat(length)});
        updated(&with(update(), "body.embossing", body)).embossing.unwrap()
    };
    assert!(change(13).apply(&was).is_ok());
    assert_eq!(change(14).apply(&was).unwrap_err().code, ErrorCode::NameTooLong);
}
