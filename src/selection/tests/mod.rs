//! The rules of selection, each under its number; and the builders they share.
//!
//! [`dossier`] is a card that goes: NCRD, sequence 1, marked the day before, pinStatus D, no PIN on record. A test
//! changes what its rule is about and nothing else.

mod addresses;
mod events;
mod letters;
mod lines;
mod matrix;
mod order;
mod pins;
mod rules;
mod statuses;

use chrono::{DateTime, TimeDelta, Utc};
use uuid::Uuid;

use super::*;
use crate::agreement::Terms;
use crate::card::{
    Address, CardId, CardStatus, CustomerId, Expiry, PinStatus, Plastic, PlasticId, PlasticStatus, ProductionEvent,
};

/// 2026-11-21, 03:00:00Z.
pub(crate) fn cut_off() -> DateTime<Utc> {
    "2026-11-21T03:00:00Z".parse().unwrap()
}

pub(crate) fn terms() -> Terms {
    let physical = r#"
        institution = "246001"
        code = "VISA_CARD"
        scheme = "VISA"
        form = "physical"
        pan_prefixes = ["40000012"]
        months = 36
        service_code = "201"
        cvv_key = "cvk-1"
        cvv2_key = "cvk2-1"
        stripe = { track1 = "{pvki}{pvv}{cvv}", track2 = "{pvki}{pvv}{cvv}" }
        pin = { pvv_key = "pvk-1", pvki = "1" }
    "#;
    let products = [
        physical.to_owned(),
        physical.replace("VISA_CARD", "VISA_NO_PIN").replace("pin = {", "# "),
        physical.replace("VISA_CARD", "VISA_PLAIN").replace("stripe = {", "# "),
        physical.replace("VISA_CARD", "VISA_FLAT").replace("\"physical\"", "\"virtual\""),
        physical
            .replace("VISA_CARD", "VISA_VIRTUAL")
            .replace("\"physical\"", "\"virtual\"")
            .replace("service_code", "# "),
    ];
    let products = products.iter().map(|text| toml::from_str::<crate::agreement::Product>(text).unwrap());
    Terms {
        institution: toml::from_str("id = \"246001\"\ndefault_manufacturer = \"FACTORY_X\"").unwrap(),
        manufacturer: toml::from_str("code = \"FACTORY_X\"\nrecipients = []\ndestination = \"factory-x\"").unwrap(),
        agreement: toml::from_str(
            "institution = \"246001\"\nmanufacturer = \"FACTORY_X\"\nformat = \"xml\"\nversion = 2",
        )
        .unwrap(),
        products: products.map(|product| (product.code.clone(), product)).collect(),
    }
}

/// A complete address whose city tells where it was taken from.
pub(crate) fn address(city: &str) -> Address {
    Address {
        address1: Some("Kings street 12".into()),
        city: Some(city.into()),
        zip_code: Some("02210".into()),
        country: Some("FIN".into()),
        ..Address::default()
    }
}

pub(crate) fn plastic(number: u8, event: ProductionEvent, status: PlasticStatus) -> Plastic {
    Plastic {
        plastic_id: PlasticId::new(5000 + i64::from(number)).unwrap(),
        card_id: CardId::new(3001).unwrap(),
        sequence_number: number,
        event,
        status,
        expiry: Expiry::new(2029, 12).unwrap(),
        marked_at: Some(cut_off() - TimeDelta::days(1)),
        cvv_key: Some("cvk-1".into()),
        cvv2_key: "cvk2-1".into(),
        embossing_date: None,
    }
}

/// The due request of plastic `number`.
pub(crate) fn request(number: u8, event: ProductionEvent) -> Request {
    Request {
        record_uid: crate::card::RecordUid(Uuid::from_u128(u128::from(number) * 100 + event as u128)),
        plastic_id: PlasticId::new(5000 + i64::from(number)).unwrap(),
        event,
        reproduction: false,
        marked_at: cut_off() - TimeDelta::days(1),
    }
}

fn card() -> Card {
    serde_json::from_value(serde_json::json!({
        "customerId": "1001", "accountId": "2001", "role": "MAIN", "productCode": "VISA_CARD", "scheme": "VISA",
        "status": "CARD_OK", "statusSince": "2026-11-01T00:00:00Z", "pinStatus": "D",
        "embossing": {"firstName": "Monica", "lastName": "Liikamaa"}
    }))
    .unwrap()
}

pub(crate) fn dossier() -> Dossier {
    Dossier {
        institution: "246001".parse().unwrap(),
        card_id: CardId::new(3001).unwrap(),
        card_version: 1,
        card: card(),
        customer_version: 1,
        customer: Customer {
            customer_number: "C1001".into(),
            locale: "fi_FI".into(),
            name: crate::card::Recipient {
                salutation: None,
                first_name: "Monica".into(),
                middle_name: None,
                last_name: "Liikamaa".into(),
            },
            address: address("Customer"),
            temporary_address: None,
            phone_number: None,
            mobile_number: None,
        },
        account_version: 1,
        account: Account { customer_id: CustomerId::new(1001).unwrap(), address: None },
        plastics: vec![plastic(1, ProductionEvent::Ncrd, PlasticStatus::Inactive)],
        pin_version: None,
        requests: vec![request(1, ProductionEvent::Ncrd)],
    }
}

/// The card of [`dossier`] with an earlier ACTIVE plastic 1, where its event needs one, and the event's due request.
pub(crate) fn dossier_of(event: ProductionEvent) -> Dossier {
    let mut dossier = dossier();
    if matches!(event, ProductionEvent::Ncrd | ProductionEvent::Nlost) {
        dossier.plastics = vec![plastic(1, event, PlasticStatus::Inactive)];
        dossier.requests = vec![request(1, event)];
        return dossier;
    }
    let first = match event {
        ProductionEvent::Rallre => ProductionEvent::Nvrt,
        ProductionEvent::Rallnlost => ProductionEvent::Nlostvrt,
        _ => ProductionEvent::Ncrd,
    };
    dossier.plastics = vec![plastic(1, first, PlasticStatus::Active)];
    if event == ProductionEvent::Ropin {
        dossier.requests = vec![request(1, event)];
    } else {
        dossier.plastics.push(plastic(2, event, PlasticStatus::Inactive));
        dossier.requests = vec![request(2, event)];
    }
    dossier
}

/// The verdict on the dossier's first request.
pub(crate) fn verdict(dossier: &Dossier, terms: &Terms) -> Verdict {
    verdict_on(dossier, 0, terms)
}

pub(crate) fn verdict_on(dossier: &Dossier, index: usize, terms: &Terms) -> Verdict {
    select(&Candidate { dossier, request: &dossier.requests[index] }, terms, cut_off(), 7)
}

/// A verdict in one line: `PRODUCE`, `HOLD CODE`, `EXCLUDE CODE`, `CLOSE CODE`, with ` !` for an alert.
pub(crate) fn told(verdict: &Verdict) -> String {
    let (kind, reason) = match verdict {
        Verdict::Produce(_) => return "PRODUCE".into(),
        Verdict::Hold(reason) => ("HOLD", reason),
        Verdict::Exclude(reason) => ("EXCLUDE", reason),
        Verdict::Close(reason) => ("CLOSE", reason),
    };
    format!("{kind} {}{}", reason.code, if reason.alert { " !" } else { "" })
}

pub(crate) fn told_of(dossier: &Dossier) -> String {
    told(&verdict(dossier, &terms()))
}

pub(crate) fn detail(verdict: &Verdict) -> &str {
    match verdict {
        Verdict::Produce(_) => "",
        Verdict::Hold(reason) | Verdict::Exclude(reason) | Verdict::Close(reason) => &reason.detail,
    }
}

/// What is made of the dossier's first request.
pub(crate) fn produced(dossier: &Dossier, terms: &Terms) -> Production {
    match verdict(dossier, terms) {
        Verdict::Produce(production) => *production,
        other => panic!("not produced: {}: {}", told(&other), detail(&other)),
    }
}

fn warned(production: &Production) -> Vec<WarningCode> {
    production.warnings.iter().map(|warning| warning.code).collect()
}

#[test]
fn the_dossier_of_the_tests_goes() {
    assert_eq!(told_of(&dossier()), "PRODUCE");
    assert_eq!(produced(&dossier(), &terms()).warnings, []);
}
