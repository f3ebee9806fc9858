//! One line of each operation with every field it has.

use super::*;

/// What an operation is called here: its name, and for updatePlastic also which of its two forms.
pub(super) const LINES: [&str; 13] = [
    "createCustomer",
    "updateCustomer",
    "createAccount",
    "updateAccount",
    "createCard",
    "updateCard",
    "setPin",
    "reissueCard",
    "replaceCard",
    "reorderPin",
    "orderPhysical",
    "updatePlastic",
    "updatePlastic by number",
];

/// The line, valid as it is.
pub(in super::super) fn full(name: &str) -> Value {
    let mut line = json!({"orderId": "o-1", "op": name.split(' ').next(), "institutionId": "246001",
        "at": "2026-11-20T10:15:00Z", "auditUser": "ops"});
    line.as_object_mut().unwrap().extend(own(name).as_object().unwrap().clone());
    line
}

fn own(name: &str) -> Value {
    match name {
        "createCustomer" | "updateCustomer" => json!({"customerId": "1001", "body": customer_body()}),
        "createAccount" => json!({"accountId": "2001", "customerId": "1001", "body": {"address": address()}}),
        "updateAccount" => json!({"accountId": "2001", "body": {"address": address()}}),
        "createCard" => json!({"customerId": "1001", "accountId": "2001", "cardId": "3001", "plasticId": "5001",
            "cardRole": "MAIN", "scheme": "VISA", "body": card_body()}),
        "updateCard" => json!({"cardId": "3001", "body": update_body()}),
        "setPin" => json!({"cardId": "3001",
            "body": {"pinBlock": "0123456789ABCDEF", "format": "ISO_0", "keyId": "zpk-1"}}),
        "reissueCard" => json!({"cardId": "3001", "plasticId": "5001", "body": {"pinStatus": "W"}}),
        "replaceCard" => json!({"cardId": "3001", "plasticId": "5001", "body": {"pinStatus": "W",
            "embossing": embossing(), "expiration": {"year": 2029, "month": 12}, "newCardId": "3002"}}),
        "reorderPin" => json!({"cardId": "3001", "body": {}}),
        "orderPhysical" => json!({"cardId": "3001", "plasticId": "5001", "body": {}}),
        "updatePlastic" => json!({"plasticId": "5001", "body": {"action": "CANCEL"}}),
        "updatePlastic by number" => json!({"cardId": "3001", "sequenceNumber": 2, "body": {"action": "CANCEL"}}),
        other => panic!("{other} has no line"),
    }
}

fn customer_body() -> Value {
    let mut temporary = address();
    let days = json!({"validFrom": "2026-11-01", "validTo": "2026-12-31"});
    temporary.as_object_mut().unwrap().extend(days.as_object().unwrap().clone());
    json!({"customerNumber": "C1", "locale": "fi_FI", "regNo": "1", "salutation": "Ms", "firstName": "Monica",
        "middleName": "Maria", "lastName": "Liikamaa", "address": address(), "temporaryAddress": temporary,
        "phoneNumber": "+3581", "mobileNumber": "+3582", "email": "a@b", "dateOfBirth": "1980-02-29",
        "nationality": ["FIN"], "screening": {"pep": false}})
}

fn card_body() -> Value {
    json!({"productCode": "VISA_CARD", "expiration": {"year": 2029, "month": 12}, "segment": "SEGMENT_A",
        "pinStatus": "D", "digitalLayoutCode": "abc123",
        "scheduledClosing": {"type": "TIMEBASED", "time": "2099-12-31T03:00:00.000Z"},
        "additionalValues": [{"key": "k", "value": "v"}], "encryptedData": "a.b.c.d.e", "embossing": embossing(),
        "pinAddress": address(), "cardAddress": address(), "cardDeliveryType": "MAIL", "pinDeliveryType": "EPIN"})
}

fn update_body() -> Value {
    let value = json!({"code": "ATM", "reset": true, "singleAmount": 12.5, "count": 5, "sumAmount": 1200});
    json!({"customerId": "1001", "accountId": "2001", "status": "CARD_OK", "pinStatus": "D", "embossing": embossing(),
        "segment": "SEGMENT_A", "cardAddress": address(), "pinAddress": address(), "cardDeliveryType": "MAIL",
        "pinDeliveryType": "EPIN", "reason": "asked for", "usageLimits": [{"code": "24H", "values": [value]}],
        "regionAndEcommBlocking": {"ecomm": true, "africa": true, "asia": true, "europe": true, "home": true,
            "northAmerica": true, "oceania": true, "southAmerica": true}})
}

/// Both names empty, so that each has room up to its own limit.
fn embossing() -> Value {
    json!({"firstName": "", "lastName": "", "additionalEmbossingName": "A", "companyName": "A",
        "additionalField1": "A", "additionalField2": "A", "additionalField3": "A", "additionalField4": "A",
        "additionalField5": "A", "externalLayoutCode": "BlueCard", "manufacturer": "FACTORY_X", "physical": true})
}

fn address() -> Value {
    json!({"address1": "Kings street 12", "address2": "B", "address3": "C", "address4": "D", "city": "Mariehamn",
        "zipCode": "22100", "country": "FIN", "region": "Åland"})
}
