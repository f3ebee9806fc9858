//! Orders as the card platform sends them; what an order leaves out is filled in at the import.

use serde_json::{Value, json};

/// A person with a customer and an account of the same number.
pub fn person(number: u32) -> Vec<Value> {
    vec![
        json!({"op": "createCustomer", "customerId": number.to_string(), "body": {
            "customerNumber": format!("C{number}"), "locale": "fi_FI", "regNo": "010190-123A",
            "firstName": "Monica", "lastName": "Liikamaa",
            "address": {"address1": "Strandgatan 1", "city": "Mariehamn", "zipCode": "22100", "country": "FIN"}}}),
        json!({"op": "createAccount", "accountId": number.to_string(), "customerId": number.to_string(), "body": {}}),
    ]
}

/// A card of that person, as ordered by default: product VISA_CARD, a random PIN, the default house.
pub fn card(card: u32, person: u32) -> Value {
    json!({"op": "createCard", "cardId": card.to_string(), "customerId": person.to_string(),
        "accountId": person.to_string(), "cardRole": "MAIN", "scheme": "VISA",
        "body": {"productCode": "VISA_CARD", "embossing": {"firstName": "Monica", "lastName": "Liikamaa"}}})
}

/// A change of a card.
pub fn update_card(card: u32, body: Value) -> Value {
    json!({"op": "updateCard", "cardId": card.to_string(), "body": body})
}

/// An order for a card that says the rest in its envelope: reissueCard, replaceCard, orderPhysical, reorderPin.
pub fn for_card(operation: &str, card: u32) -> Value {
    json!({"op": operation, "cardId": card.to_string()})
}

/// CANCEL or ACTIVATE of a plastic.
pub fn update_plastic(card: u32, sequence_number: u32, action: &str) -> Value {
    json!({"op": "updatePlastic", "cardId": card.to_string(), "sequenceNumber": sequence_number,
        "body": {"action": action}})
}

/// `value` with the fields of `more` put in, however deep they stand.
pub fn with(mut value: Value, more: Value) -> Value {
    merge(&mut value, more);
    value
}

fn merge(into: &mut Value, more: Value) {
    match (into, more) {
        (Value::Object(into), Value::Object(more)) => {
            for (key, value) in more {
                merge(into.entry(key).or_insert(Value::Null), value);
            }
        }
        (into, more) => *into = more,
    }
}
