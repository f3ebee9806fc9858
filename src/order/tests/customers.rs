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
fn nationalities_are_countries_and_a_screening_is_whatever_object() {
    use ErrorCode as E;
    each(
        &customer(),
        "body.nationality",
        &[
            (json!(["FIN", "QZZ", "ROM"]), None),
            (json!(["fin"]), Some(E::FieldValue)),
            (json!(["FIN", "XXX"]), Some(E::FieldValue)),
            (json!([["FIN"]]), Some(E::FieldType)),
        ],
    );
    each(&customer(), "body.screening", &[(json!({"pep": false, "any": ["thing"]}), None)]);
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
    let line =
        json!({"orderId": "o", "op": "createAccount", "institutionId": "1", "auditUser": "ops", "customerId": "7"});
    let expected = CreateAccount { account_id: None, customer_id: "7".parse().unwrap(), address: None };
    assert_eq!(operation(&line), Operation::CreateAccount(expected));
}

#[test]
fn an_account_update_names_the_account_and_has_a_body() {
    let line = json!({"orderId": "o", "op": "updateAccount", "institutionId": "1", "auditUser": "ops", "accountId": "7",
        "body": {}});
    let expected = UpdateAccount { account_id: "7".parse().unwrap(), address: None };
    assert_eq!(operation(&line), Operation::UpdateAccount(expected));
}
