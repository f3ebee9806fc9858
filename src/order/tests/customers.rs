use super::*;
use crate::card::Customer;
use crate::order::{CreateAccount, UpdateAccount};

fn created(line: &Value) -> Customer {
    match operation(line) {
        Operation::CreateCustomer(order) => order.customer,
        other => panic!("{other:?}"),
    }
}

fn updated(body: &Value, was: &Customer) -> Customer {
    let line = json!({"orderId": "o", "op": "updateCustomer", "institutionId": "1", "auditUser": "ops", "customerId": "1",
        "body": body});
    match operation(&line) {
        Operation::UpdateCustomer(order) => order.change.apply(was),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_customer_needs_what_s3_requires() {
    for field in ["customerNumber", "locale", "regNo", "firstName", "lastName", "address"] {
        let refusal = read(&with(customer(), &format!("body.{field}"), json!(null))).unwrap_err();
        assert_eq!(refusal, ErrorCode::FieldMissing.because(format!("body.{field} is missing")));
    }
}

#[test]
fn customer_numbers_have_at_most_32_letters_and_digits() {
    use ErrorCode as E;
    each(
        &customer(),
        "body.customerNumber",
        &[
            (json!("Ab1".repeat(10) + "xy"), None),
            (json!("a".repeat(33)), Some(E::FieldTooLong)),
            (json!(""), Some(E::FieldTooShort)),
            (json!("a-1"), Some(E::FieldPattern)),
            (json!("ä"), Some(E::FieldPattern)),
            (json!(1), Some(E::FieldType)),
        ],
    );
}

#[test]
fn locales_are_those_of_s3() {
    use ErrorCode as E;
    each(
        &customer(),
        "body.locale",
        &[
            (json!("kok_IN"), None),
            (json!("sv_FI"), None),
            (json!("fi_fi"), Some(E::FieldValue)),
            (json!("fi-FI"), Some(E::FieldValue)),
            (json!("xx_XX"), Some(E::FieldValue)),
        ],
    );
}

#[test]
fn names_of_a_customer_have_1_to_255_characters() {
    for field in ["salutation", "middleName"] {
        limit(&customer(), &format!("body.{field}"), 255);
        accented(&customer(), &format!("body.{field}"), 255);
    }
    for field in ["firstName", "lastName", "regNo"] {
        let path = format!("body.{field}");
        accented(&customer(), &path, 255);
        each(
            &customer(),
            &path,
            &[(json!(""), Some(ErrorCode::FieldTooShort)), (json!(1), Some(ErrorCode::FieldType))],
        );
    }
}

#[test]
fn phones_are_a_plus_and_at_most_15_digits() {
    use ErrorCode as E;
    for field in ["body.phoneNumber", "body.mobileNumber"] {
        each(
            &customer(),
            field,
            &[
                (json!("+358401234567"), None),
                (json!("+123456789012345"), None),
                (json!("+1234567890123456"), Some(E::FieldTooLong)),
                (json!("+"), Some(E::FieldTooShort)),
                (json!("358401234567"), Some(E::FieldPattern)),
                (json!("+358 40"), Some(E::FieldPattern)),
                (json!("++1"), Some(E::FieldPattern)),
                (json!(358), Some(E::FieldType)),
            ],
        );
    }
}

#[test]
fn what_is_not_kept_is_validated_all_the_same() {
    use ErrorCode as E;
    each(
        &customer(),
        "body.email",
        &[
            (json!("a@b"), None),
            (json!(format!("{}@b", "a".repeat(252))), None),
            (json!(format!("{}@b", "a".repeat(253))), Some(E::FieldTooLong)),
            (json!("a.example"), Some(E::FieldPattern)),
            (json!("a@b@c"), Some(E::FieldPattern)),
            (json!("a b@c"), Some(E::FieldPattern)),
            (json!(1), Some(E::FieldType)),
        ],
    );
    each(
        &customer(),
        "body.dateOfBirth",
        &[
            (json!("1980-02-29"), None),
            (json!("1981-02-29"), Some(E::FieldPattern)),
            (json!("29.02.1980"), Some(E::FieldPattern)),
            (json!(1980), Some(E::FieldType)),
        ],
    );
    each(
        &customer(),
        "body.nationality",
        &[
            (json!(["FIN", "QZZ", "ROM"]), None),
            (json!([]), None),
            (json!(["fin"]), Some(E::FieldValue)),
            (json!(["ROU", "XXX"]), Some(E::FieldValue)),
            (json!([1]), Some(E::FieldType)),
            (json!("FIN"), Some(E::FieldType)),
        ],
    );
    each(
        &customer(),
        "body.screening",
        &[(json!({"pep": false, "any": ["thing"]}), None), (json!("x"), Some(E::FieldType))],
    );
    each(&customer(), "body.title", &[(json!("x"), Some(E::FieldUnknown))]);
}

#[test]
fn addresses_have_the_limits_of_the_file() {
    address_fields(&customer(), "body.address");
    address_fields(&customer(), "body.temporaryAddress");
}

#[test]
fn r86_an_incomplete_address_is_held_later_not_refused() {
    assert!(read(&with(customer(), "body.address", json!({"city": "Mariehamn"}))).is_ok());
}

#[test]
fn a_zip_code_given_as_a_number_becomes_text() {
    let made = created(&with(customer(), "body.address.zipCode", json!(22100)));
    assert_eq!(made.address.zip_code.as_deref(), Some("22100"));
    let made = created(&with(customer(), "body.address.zipCode", json!("00100")));
    assert_eq!(made.address.zip_code.as_deref(), Some("00100"));
}

#[test]
fn r84_a_temporary_address_has_days_at_both_ends_or_neither() {
    use ErrorCode as E;
    let line = with(customer(), "body.temporaryAddress", json!({"address1": "Mökki 1", "validTo": "2026-12-31"}));
    each(
        &line,
        "body.temporaryAddress.validFrom",
        &[
            (json!("2026-12-31"), None),
            (json!(null), None),
            (json!("2026-12-1"), Some(E::FieldPattern)),
            (json!("2026-12-01T00:00:00Z"), Some(E::FieldPattern)),
        ],
    );
    let refusal = read(&with(line.clone(), "body.temporaryAddress.validFrom", json!("2027-01-01"))).unwrap_err();
    assert_eq!(refusal, E::FieldValue.because("body.temporaryAddress.validTo is before validFrom"));
    let address = created(&line).temporary_address.unwrap();
    assert_eq!((address.valid_from, address.valid_to), (None, "2026-12-31".parse().ok()));
}

#[test]
fn texts_are_kept_in_nfc() {
    let made = created(&with(customer(), "body.firstName", json!("Zoe\u{308}")));
    assert_eq!(made.name.first_name, "Zo\u{EB}");
}

#[test]
fn an_update_changes_what_it_names_and_addresses_whole() {
    let was = created(&with(
        with(customer(), "body.address.address2", json!("B 5")),
        "body.mobileNumber",
        json!("+358401234567"),
    ));
    assert_eq!(updated(&json!({}), &was), was);
    assert_eq!(updated(&json!({"lastName": null}), &was), was);
    let new = updated(&json!({"lastName": "Virtanen", "phoneNumber": "+3581", "email": "a@b", "regNo": "2"}), &was);
    assert_eq!((new.name.last_name.as_str(), new.name.first_name.as_str()), ("Virtanen", "Monica"));
    assert_eq!((new.phone_number.as_deref(), new.mobile_number.as_deref()), (Some("+3581"), Some("+358401234567")));
    let new = updated(&json!({"address": {"address1": "Queens street 1"}}), &was);
    assert_eq!(new.address.address2, None, "no line of the old address is left");
    assert_eq!(new.address.city, None);
    assert_eq!(new.locale, was.locale);
}

#[test]
fn accounts_have_a_holder_and_perhaps_an_address() {
    use ErrorCode as E;
    let line =
        json!({"orderId": "o", "op": "createAccount", "institutionId": "1", "auditUser": "ops", "customerId": "7"});
    let expected = CreateAccount { account_id: None, customer_id: "7".parse().unwrap(), address: None };
    assert_eq!(operation(&line), Operation::CreateAccount(expected));
    each(&line, "customerId", &[(json!(null), Some(E::FieldMissing))]);
    each(&line, "body", &[(json!({}), None), (json!({"name": "x"}), Some(E::FieldUnknown))]);
    address_fields(&with(line, "body", json!({})), "body.address");
}

#[test]
fn an_account_update_names_the_account_and_has_a_body() {
    use ErrorCode as E;
    let line = json!({"orderId": "o", "op": "updateAccount", "institutionId": "1", "auditUser": "ops", "accountId": "7",
        "body": {}});
    let expected = UpdateAccount { account_id: "7".parse().unwrap(), address: None };
    assert_eq!(operation(&line), Operation::UpdateAccount(expected));
    each(&line, "accountId", &[(json!(null), Some(E::FieldMissing))]);
    each(&line, "body", &[(json!(null), Some(E::FieldMissing))]);
    each(&line, "customerId", &[(json!("8"), Some(E::FieldUnknown))]);
    address_fields(&line, "body.address");
}
