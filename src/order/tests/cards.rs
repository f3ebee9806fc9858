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

pub(super) const LINES: [(&str, usize); 9] = [
    ("firstName", 26),
    ("lastName", 26),
    ("additionalEmbossingName", 26),
    ("companyName", 26),
    ("additionalField1", 32),
    ("additionalField2", 32),
    ("additionalField3", 32),
    ("additionalField4", 32),
    ("additionalField5", 32),
];

#[test]
fn r91_embossed_lines_end_at_their_limit() {
    for line in [card(), with(update(), "body.embossing", json!({}))] {
        for (field, max) in LINES {
            let path = format!("body.embossing.{field}");
            limit(&line, &path, max);
            accented(&line, &path, max);
        }
        limit(&line, "body.embossing.externalLayoutCode", 32);
    }
}

#[test]
fn r93_embossed_lines_take_the_printed_set_and_no_more() {
    use ErrorCode as E;
    for (field, _) in LINES {
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
    limit(&card(), "body.embossing.manufacturer", 255);
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
fn product_codes_are_2_to_65_characters_of_their_pattern() {
    use ErrorCode as E;
    each(
        &card(),
        "body.productCode",
        &[
            (json!("V1"), None),
            (json!(format!("V{}", "_".repeat(64))), None),
            (json!(format!("V{}", "_".repeat(65))), Some(E::FieldTooLong)),
            (json!("V"), Some(E::FieldTooShort)),
            (json!("1V"), Some(E::FieldPattern)),
            (json!("_V"), Some(E::FieldPattern)),
            (json!("Visa"), Some(E::FieldPattern)),
            (json!("VISA CARD"), Some(E::FieldPattern)),
        ],
    );
}

#[test]
fn digital_layout_codes_are_letters_and_digits() {
    limit(&card(), "body.digitalLayoutCode", 32);
    each(
        &card(),
        "body.digitalLayoutCode",
        &[(json!(""), Some(ErrorCode::FieldTooShort)), (json!("a-b"), Some(ErrorCode::FieldPattern))],
    );
}

#[test]
fn expirations_are_a_year_and_a_month() {
    use ErrorCode as E;
    let line = with(card(), "body.expiration", json!({"year": 2029, "month": 12}));
    assert_eq!(created(&line).expiration, Expiry::new(2029, 12));
    each(
        &line,
        "body.expiration.month",
        &[
            (json!(1), None),
            (json!(0), Some(E::FieldValue)),
            (json!(13), Some(E::FieldValue)),
            (json!("12"), Some(E::FieldType)),
            (json!(null), Some(E::FieldMissing)),
        ],
    );
    each(
        &line,
        "body.expiration.year",
        &[
            (json!(2000), None),
            (json!(2099), None),
            (json!(1999), Some(E::FieldValue)),
            (json!(2100), Some(E::FieldValue)),
            (json!(29), Some(E::FieldValue)),
            (json!(null), Some(E::FieldMissing)),
        ],
    );
    each(&line, "body.expiration.day", &[(json!(1), Some(E::FieldUnknown))]);
}

#[test]
fn scheduled_closing_is_time_based_in_utc() {
    use ErrorCode as E;
    let line = with(card(), "body.scheduledClosing", json!({"type": "TIMEBASED", "time": "2099-12-31T03:00:00.000Z"}));
    assert_eq!(created(&line).scheduled_closing.unwrap().to_rfc3339(), "2099-12-31T03:00:00+00:00");
    words(&line, "body.scheduledClosing.type", &["TIMEBASED"], &["timebased", "COUNT"]);
    each(&line, "body.scheduledClosing.type", &[(json!(null), Some(E::FieldMissing))]);
    each(
        &line,
        "body.scheduledClosing.time",
        &[
            (json!("2099-12-31T03:00:00+01:00"), Some(E::FieldPattern)),
            (json!("2099-12-31"), Some(E::FieldPattern)),
            (json!(null), Some(E::FieldMissing)),
        ],
    );
}

#[test]
fn r99_additional_values_are_at_most_ten_pairs() {
    use ErrorCode as E;
    let pair = |key: &str, value: &str| json!({"key": key, "value": value});
    let pairs = |count: usize| json!(vec![pair("k", "v"); count]);
    each(
        &card(),
        "body.additionalValues",
        &[
            (pairs(10), None),
            (pairs(11), Some(E::FieldTooLong)),
            (json!([]), None),
            (json!([pair(&"k".repeat(8), &"é".repeat(50))]), None),
            (json!([pair(&"k".repeat(9), "v")]), Some(E::FieldTooLong)),
            (json!([pair("k", &"v".repeat(51))]), Some(E::FieldTooLong)),
            (json!([pair("", "v")]), Some(E::FieldTooShort)),
            (json!([pair("k", "")]), Some(E::FieldTooShort)),
            (json!([pair("a-_ 9", "a|_ +.'-é")]), None),
            (json!([pair("a.b", "v")]), Some(E::FieldPattern)),
            (json!([pair("é", "v")]), Some(E::FieldPattern)),
            (json!([pair("k", "a&b")]), Some(E::FieldPattern)),
            (json!([pair("k", "a,b")]), Some(E::FieldPattern)),
            (json!([pair("k", "a/b")]), Some(E::FieldPattern)),
            (json!([pair("k", "a\nb")]), Some(E::CharacterIllegal)),
            (json!([{"key": "k"}]), Some(E::FieldMissing)),
            (json!([{"value": "v"}]), Some(E::FieldMissing)),
            (json!([{"key": "k", "value": "v", "more": 1}]), Some(E::FieldUnknown)),
            (json!(["k"]), Some(E::FieldType)),
            (json!([null]), Some(E::FieldType)),
            (json!({"k": "v"}), Some(E::FieldType)),
        ],
    );
    let order =
        created(&with(card(), "body.additionalValues", json!([pair("b", "1"), pair("a", "2"), pair("b", "3")])));
    let kept: Vec<_> = order.additional_values.iter().map(|pair| (pair.key.as_str(), pair.value.as_str())).collect();
    assert_eq!(kept, [("b", "1"), ("a", "2"), ("b", "3")], "order and duplicates stay");
}

#[test]
fn words_of_a_new_card_are_those_of_the_api() {
    let segments = ["SEGMENT_A", "SEGMENT_B", "SEGMENT_C", "SEGMENT_D", "SEGMENT_E", "SEGMENT_F"];
    let ways = ["CUSTOM_1", "CUSTOM_2", "CUSTOM_3", "CUSTOM_4", "CUSTOM_5", "MAIL", "COURIER"];
    for line in [card(), update()] {
        words(&line, "body.segment", &segments, &["SEGMENT_G", "A"]);
        words(&line, "body.pinStatus", &["D", "W", "S"], &["d", "X"]);
        words(&line, "body.cardDeliveryType", &ways, &["CUSTOM_6", "EPIN"]);
        words(&line, "body.pinDeliveryType", &ways, &["CUSTOM_6"]);
        words(&line, "body.pinDeliveryType", &["EPIN"], &[]);
    }
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
fn addresses_of_a_card_have_the_limits_of_the_file() {
    for line in [card(), update()] {
        address_fields(&line, "body.cardAddress");
        address_fields(&line, "body.pinAddress");
    }
}

#[test]
fn encrypted_data_has_a_bounded_length() {
    limit(&card(), "body.encryptedData", 4096);
    each(&card(), "body.encryptedData", &[(json!(""), Some(ErrorCode::FieldTooShort))]);
    each(&update(), "body.encryptedData", &[(json!("x"), Some(ErrorCode::FieldUnknown))]);
}

#[test]
fn a_body_has_no_field_of_another_operation() {
    use ErrorCode as E;
    for field in ["status", "usageLimits", "reason", "customerId"] {
        each(&card(), &format!("body.{field}"), &[(json!("x"), Some(E::FieldUnknown))]);
    }
    for field in ["productCode", "expiration", "scheduledClosing", "additionalValues", "digitalLayoutCode"] {
        each(&update(), &format!("body.{field}"), &[(json!("x"), Some(E::FieldUnknown))]);
    }
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
    limit(&update(), "body.reason", 32);
}

#[test]
fn limiters_are_checked_in_shape() {
    use ErrorCode as E;
    let value = json!({"code": "ATM", "reset": true, "singleAmount": 12.5, "count": 5, "sumAmount": 1200});
    let line = with(update(), "body.usageLimits", json!([{"code": "24H", "values": [value]}]));
    assert!(read(&line).is_ok());
    each(
        &update(),
        "body.usageLimits",
        &[
            (json!([]), None),
            (json!([{"code": "24H"}]), None),
            (json!([{"values": []}]), Some(E::FieldMissing)),
            (json!([{"code": 24, "values": []}]), Some(E::FieldType)),
            (json!([{"code": "24H", "values": {}}]), Some(E::FieldType)),
            (json!([{"code": "24H", "period": 1}]), Some(E::FieldUnknown)),
            (json!([{"code": "24H", "values": [{}]}]), Some(E::FieldMissing)),
            (json!([{"code": "24H", "values": [{"code": "ATM", "reset": 1}]}]), Some(E::FieldType)),
            (json!([{"code": "24H", "values": [{"code": "ATM", "count": 1.5}]}]), Some(E::FieldType)),
            (json!([{"code": "24H", "values": [{"code": "ATM", "count": -1}]}]), Some(E::FieldValue)),
            (json!([{"code": "24H", "values": [{"code": "ATM", "sumAmount": "1"}]}]), Some(E::FieldType)),
            (json!([{"code": "24H", "values": [{"code": "ATM", "singleAmount": -0.5}]}]), Some(E::FieldValue)),
            (json!({"code": "24H"}), Some(E::FieldType)),
        ],
    );
    let line = with(update(), "body.regionAndEcommBlocking", json!({}));
    for region in ["ecomm", "africa", "asia", "europe", "home", "northAmerica", "oceania", "southAmerica"] {
        each(
            &line,
            &format!("body.regionAndEcommBlocking.{region}"),
            &[(json!(true), None), (json!("yes"), Some(E::FieldType))],
        );
    }
    each(&line, "body.regionAndEcommBlocking.antarctica", &[(json!(true), Some(E::FieldUnknown))]);
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
