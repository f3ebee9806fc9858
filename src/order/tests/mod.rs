//! Every field of every operation at its limit and one past it.

mod cards;
mod customers;
mod envelopes;
mod hostile;
mod later;

use chrono::{DateTime, Utc};
use serde_json::{Value, json};

use super::error::{ErrorCode, Refusal};
use super::{Envelope, Operation, Order};

fn now() -> DateTime<Utc> {
    "2026-11-20T12:00:00Z".parse().unwrap()
}

fn read(line: &Value) -> Result<Order, Refusal> {
    read_text(&line.to_string())
}

fn read_text(line: &str) -> Result<Order, Refusal> {
    Envelope::read(line.as_bytes()).map_err(|unreadable| unreadable.refusal)?.order(now())
}

/// Replaces the value at a path like `body.embossing.firstName`; null takes it away.
fn with(mut line: Value, path: &str, value: Value) -> Value {
    let pointer = format!("/{}", path.replace('.', "/"));
    let (parent, field) = pointer.rsplit_once('/').unwrap();
    line.pointer_mut(parent).unwrap().as_object_mut().unwrap().insert(field.to_owned(), value);
    line
}

/// Reads `line` with the field at `path` set to each value; `None` = it must be taken.
fn each(line: &Value, path: &str, cases: &[(Value, Option<ErrorCode>)]) {
    for (value, expected) in cases {
        let got = read(&with(line.clone(), path, value.clone()));
        let code = got.as_ref().err().map(|refusal| refusal.code);
        assert_eq!(code, *expected, "{path} = {value}: {got:?}");
        if let (Err(refusal), Some(text)) = (&got, value.as_str()) {
            let needed = path.rsplit('.').next().unwrap();
            assert!(refusal.reason.contains(needed), "{path}: the reason does not name it: {}", refusal.reason);
            assert!(text.len() < 4 || !refusal.reason.contains(text), "{path}: the reason repeats the value");
        }
    }
}

/// `max` characters are taken, one more is not. Both NFC forms of é count one.
fn limit(line: &Value, path: &str, max: usize) {
    each(
        line,
        path,
        &[
            (json!("a".repeat(max)), None),
            (json!("a".repeat(max + 1)), Some(ErrorCode::FieldTooLong)),
            (json!(1), Some(ErrorCode::FieldType)),
            (json!(["a"]), Some(ErrorCode::FieldType)),
            (json!("a\u{1}"), Some(ErrorCode::CharacterIllegal)),
            (json!(null), None),
        ],
    );
}

fn accented(line: &Value, path: &str, max: usize) {
    each(
        line,
        path,
        &[
            (json!("é".repeat(max)), None),
            (json!("e\u{301}".repeat(max)), None),
            (json!("é".repeat(max + 1)), Some(ErrorCode::FieldTooLong)),
        ],
    );
}

fn words(line: &Value, path: &str, allowed: &[&str], refused: &[&str]) {
    for word in allowed {
        each(line, path, &[(json!(word), None)]);
    }
    for word in refused {
        each(line, path, &[(json!(word), Some(ErrorCode::FieldValue))]);
    }
    each(line, path, &[(json!(1), Some(ErrorCode::FieldType))]);
}

fn customer() -> Value {
    json!({"orderId": "o-1", "op": "createCustomer", "institutionId": "246001", "auditUser": "ops",
        "body": {"customerNumber": "C1", "locale": "fi_FI", "regNo": "1", "firstName": "Monica", "lastName": "Liikamaa",
            "address": {"address1": "Kings street 12", "city": "Mariehamn", "zipCode": "22100", "country": "FIN"}}})
}

fn card() -> Value {
    json!({"orderId": "o-2", "op": "createCard", "institutionId": "246001", "auditUser": "ops", "customerId": "1001",
        "accountId": "2001", "cardRole": "MAIN", "body": {"embossing": {}}})
}

fn update() -> Value {
    json!({"orderId": "o-3", "op": "updateCard", "institutionId": "246001", "auditUser": "ops", "cardId": "3001", "body": {}})
}

fn plastic() -> Value {
    json!({"orderId": "o-4", "op": "updatePlastic", "institutionId": "246001", "auditUser": "ops", "plasticId": "5",
        "body": {"action": "CANCEL"}})
}

fn address_fields(line: &Value, path: &str) {
    use ErrorCode as E;
    let line = &with(line.clone(), path, json!({}));
    for field in ["address1", "address2", "address3", "address4", "city"] {
        limit(line, &format!("{path}.{field}"), 255);
        accented(line, &format!("{path}.{field}"), 255);
        each(line, &format!("{path}.{field}"), &[(json!(""), Some(E::FieldTooShort))]);
    }
    limit(line, &format!("{path}.region"), 32);
    each(
        line,
        &format!("{path}.zipCode"),
        &[
            (json!("0".repeat(32)), None),
            (json!("0".repeat(33)), Some(E::FieldTooLong)),
            (json!(22100), None),
            (json!(2.5), Some(E::FieldType)),
            (json!(-1), Some(E::FieldType)),
            (json!(""), Some(E::FieldTooShort)),
        ],
    );
    each(
        line,
        &format!("{path}.country"),
        &[
            (json!("FIN"), None),
            (json!("QZZ"), None),
            (json!("ROM"), None),
            (json!("XXX"), Some(E::FieldValue)),
            (json!("fin"), Some(E::FieldValue)),
            (json!("FI"), Some(E::FieldValue)),
            (json!("FINN"), Some(E::FieldTooLong)),
        ],
    );
    each(line, &format!("{path}.street"), &[(json!("x"), Some(E::FieldUnknown))]);
    each(line, path, &[(json!("Kings street 12"), Some(E::FieldType))]);
}

fn operation(line: &Value) -> Operation {
    read(line).unwrap().operation
}
