//! What was ordered before the night: one card of each kind that a crash could treat differently.

use serde_json::{Value, json};

/// The night; long past by the clock of whoever runs the tests.
pub(crate) const DATE: &str = "2026-02-21";

/// The day before it.
const ORDERED: &str = "2026-02-20T10:00:00Z";

/// A first card with a random PIN.
pub(crate) const FIRST: u32 = 3001;
/// A card whose virtual plastic is closed when the physical one is made.
pub(crate) const INSTANT: u32 = 3002;
/// A card that waits for its PIN: held.
pub(crate) const WAITING: u32 = 3003;
/// A card of a product without a PIN.
pub(crate) const WITHOUT_PIN: u32 = 3004;
/// One more with a PIN.
pub(crate) const SECOND: u32 = 3005;

/// The cards that are due and not held, in file order: by plastic, and so as they were ordered.
pub(crate) const PRODUCED: [u32; 4] = [FIRST, INSTANT, WITHOUT_PIN, SECOND];
/// Those of them that get a PIN.
pub(crate) const WITH_PIN: [u32; 3] = [FIRST, INSTANT, SECOND];

/// An order of the day before the first night.
pub(crate) fn order_at(number: u32, operation: &str, ids: Value, body: Value) -> Value {
    order(number, operation, ids, body)
}

fn order(number: u32, operation: &str, ids: Value, body: Value) -> Value {
    let mut order = json!({"orderId": format!("o-{number}"), "op": operation, "institutionId": "246001", "at": ORDERED,
        "auditUser": "ops", "body": body});
    for (key, id) in ids.as_object().unwrap() {
        order[key] = id.clone();
    }
    order
}

fn card(number: u32, product: &str, pin_status: Option<&str>) -> Value {
    let mut body = json!({"productCode": product, "embossing": {"firstName": "Monica", "lastName": "Liikamaa"}});
    if let Some(status) = pin_status {
        body["pinStatus"] = status.into();
    }
    let ids = json!({"customerId": "1001", "accountId": "2001", "cardId": number.to_string(), "cardRole": "MAIN",
        "scheme": "VISA"});
    order(number, "createCard", ids, body)
}

/// More cards like the first, as lines.
pub(crate) fn more_cards(first: u32, cards: u32) -> String {
    (first..first + cards).map(|number| format!("{}\n", card(number, "VISA_CARD", None))).collect()
}

/// The orders; `crowd` more cards like the first make the file longer.
pub(crate) fn orders(crowd: u32) -> String {
    let customer = json!({"customerNumber": "C1001", "locale": "fi_FI", "regNo": "010190-123A", "firstName": "Monica",
        "lastName": "Liikamaa",
        "address": {"address1": "Strandgatan 1", "city": "Mariehamn", "zipCode": "22100", "country": "FIN"}});
    let mut orders = vec![
        order(1, "createCustomer", json!({"customerId": "1001"}), customer),
        order(2, "createAccount", json!({"accountId": "2001", "customerId": "1001"}), json!({})),
        card(FIRST, "VISA_CARD", None),
        card(INSTANT, "VISA_INSTANT", None),
        card(WAITING, "VISA_CARD", Some("W")),
        card(WITHOUT_PIN, "VISA_NO_PIN", None),
        card(SECOND, "VISA_CARD", None),
    ];
    orders.extend((0..crowd).map(|number| card(4000 + number, "VISA_CARD", None)));
    orders.iter().map(|order| format!("{order}\n")).collect()
}
