//! Which reason wins, and where a record stands in its file.

use super::*;
use crate::card::CardDeliveryType;

/// Puts one thing right.
type Repair = fn(&mut Dossier);

#[test]
fn the_order_of_reasons_is_the_table_of_decide() {
    // Everything is wrong at once; each step puts one thing right, and the next reason shows.
    let mut dossier = dossier();
    dossier.card.embossing = crate::card::Embossing { physical: Some(false), ..Default::default() };
    dossier.card.status = CardStatus::Closed;
    dossier.card.scheduled_closing = Some(cut_off());
    dossier.card.product_code = "VISA_OLD".into();
    dossier.card.pin_status = PinStatus::Waiting;
    dossier.customer.address = Address::default();
    dossier.plastics = vec![
        plastic(2, ProductionEvent::Nvrt, PlasticStatus::Closed),
        plastic(3, ProductionEvent::Rpl, PlasticStatus::Inactive),
        plastic(4, ProductionEvent::Rpl, PlasticStatus::Inactive),
    ];
    dossier.plastics[0].expiry = Expiry::new(2026, 10).unwrap();
    dossier.requests =
        vec![request(2, ProductionEvent::Rallre), request(3, ProductionEvent::Rpl), request(4, ProductionEvent::Rpl)];

    let steps: [(&str, Repair); 14] = [
        ("EXCLUDE VIRTUAL_EVENT !", |dossier| dossier.plastics[0].event = ProductionEvent::Rallre),
        ("EXCLUDE PHYSICAL_FALSE", |dossier| dossier.card.embossing.physical = Some(true)),
        ("EXCLUDE CARD_STATUS_FINAL !", |dossier| dossier.card.status = CardStatus::Blocked),
        ("EXCLUDE CARD_CLOSED_BY_SCHEDULE", |dossier| dossier.card.scheduled_closing = None),
        ("EXCLUDE PLASTIC_EXPIRED", |dossier| dossier.plastics[0].expiry = Expiry::new(2029, 1).unwrap()),
        ("HOLD EVENT_SEQUENCE_MISMATCH", |dossier| dossier.plastics[0].status = PlasticStatus::Inactive),
        ("HOLD DUPLICATE_MARKED !", |dossier| dossier.requests.truncate(1)),
        ("HOLD EVENT_SEQUENCE_MISMATCH", |dossier| {
            dossier.plastics.push(plastic(1, ProductionEvent::Nvrt, PlasticStatus::Active));
        }),
        ("HOLD CARD_BLOCKED", |dossier| dossier.card.status = CardStatus::Ok),
        ("HOLD PRODUCT_UNKNOWN", |dossier| dossier.card.product_code = "VISA_CARD".into()),
        ("HOLD HELD_PIN_WAIT", |dossier| dossier.card.pin_status = PinStatus::Set),
        ("HOLD PIN_NOT_AVAILABLE", |dossier| dossier.pin_version = Some(1)),
        ("HOLD NAME_MISSING", |dossier| {
            dossier.card.embossing.first_name = Some("Monica".into());
            dossier.card.embossing.last_name = Some("Liikamaa".into());
        }),
        ("HOLD ADDRESS_MISSING", |dossier| dossier.customer.address = address("Customer")),
    ];
    for (expected, repair) in steps {
        assert_eq!(told_of(&dossier), expected);
        repair(&mut dossier);
    }
    assert_eq!(told_of(&dossier), "PRODUCE");
}

fn key(event: ProductionEvent, layout: Option<&str>, kind: Option<CardDeliveryType>, plastic_id: i64) -> String {
    let request = request(1, event);
    let mut agreement = terms().agreement;
    agreement.bulk.insert(CardDeliveryType::Custom1, "BRANCH-HEL".into());
    sort_key(&request, PlasticId::new(plastic_id).unwrap(), layout, kind, &agreement)
}

#[test]
fn records_sort_by_type_layout_delivery_and_plastic_number() {
    use CardDeliveryType::{Courier, Custom1, Custom2, Mail};
    use ProductionEvent::{Ncrd, Ropin, Rplre};
    let in_order = [
        key(Ncrd, None, Some(Courier), 9),
        key(Ncrd, None, Some(Custom1), 8),
        key(Ncrd, None, Some(Custom2), 7),
        key(Ncrd, None, Some(Mail), 1),
        key(Rplre, None, Some(Mail), 9),
        key(Ncrd, None, Some(Mail), 10),
        key(Ncrd, None, Some(Mail), 999_999_999_999_999_999),
        key(Ncrd, Some("Blue"), Some(Mail), 2),
        // A space sorts behind the end of the text, as code points have it.
        key(Ncrd, Some("Blue Card"), Some(Courier), 1),
        key(Ncrd, Some("BlueCard"), Some(Courier), 1),
        key(Ncrd, Some("blue"), Some(Courier), 1),
        key(Ncrd, Some("Äpple"), Some(Courier), 1),
        key(Ncrd, Some("\u{FFFD}"), Some(Courier), 1),
        key(Ncrd, Some("\u{10000}"), Some(Courier), 1),
        key(Ropin, None, None, 1),
        key(Ropin, None, None, 2),
    ];
    for pair in in_order.windows(2) {
        assert!(pair[0].as_bytes() < pair[1].as_bytes(), "{pair:?}");
    }
}

#[test]
fn a_plastic_made_twice_has_two_keys() {
    let mut dossier = dossier();
    dossier.plastics[0].status = PlasticStatus::Active;
    dossier.pin_version = Some(1);
    dossier.requests = vec![
        Request { reproduction: true, ..request(1, ProductionEvent::Ncrd) },
        Request {
            reproduction: true,
            record_uid: crate::card::RecordUid(Uuid::from_u128(7)),
            ..request(1, ProductionEvent::Ncrd)
        },
    ];
    let keys: Vec<String> = (0..2)
        .map(|index| match verdict_on(&dossier, index, &terms()) {
            Verdict::Produce(production) => production.sort_key,
            other => panic!("{}", told(&other)),
        })
        .collect();
    assert_ne!(keys[0], keys[1]);
}

#[test]
fn the_key_of_a_record_is_made_of_what_the_record_carries() {
    let mut dossier = dossier();
    dossier.card.embossing.external_layout_code = Some("BlueCard".into());
    dossier.card.card_delivery_type = Some(CardDeliveryType::Custom1);
    let mut terms = terms();
    terms.agreement.bulk.insert(CardDeliveryType::Custom1, "BRANCH-HEL".into());
    let uid = dossier.requests[0].record_uid;
    let expected = format!("0\u{1}BlueCard\u{1}CUSTOM_1\u{1}BRANCH-HEL\u{1}000000000000005001\u{1}{uid}");
    assert_eq!(produced(&dossier, &terms).sort_key, expected);
}

proptest::proptest! {
    /// R93, R138: whatever stands in a field, no reason and no warning repeats it, and no input panics.
    #[test]
    fn r93_no_reason_repeats_a_value(texts in proptest::collection::vec("\\PC{0,40}", 12), which in 0usize..12) {
        let mut dossier = dossier();
        let mut texts = texts;
        texts[which] = format!("Canary{}", texts[which]);
        let text = |index: usize| Some(texts[index].clone());
        let embossing = &mut dossier.card.embossing;
        embossing.first_name = text(0).map(|name| name.chars().take(20).collect());
        embossing.last_name = text(1).map(|name| name.chars().take(6).collect());
        embossing.company_name = text(2);
        embossing.additional_field1 = text(3);
        embossing.external_layout_code = text(4);
        dossier.customer.address.address1 = text(5);
        dossier.customer.address.zip_code = text(6);
        dossier.customer.name.last_name = texts[7].clone();
        dossier.customer.customer_number = texts[8].clone();
        let pair = crate::card::AdditionalValue { key: texts[9].clone(), value: texts[10].clone() };
        dossier.card.additional_values = vec![pair];
        embossing_manufacturer(&mut dossier, &texts[11]);
        let mut terms = terms();
        terms.manufacturer.address_line_max = Some(30);
        terms.manufacturer.address_characters = crate::card::LetterSet::Latin;
        let verdict = verdict(&dossier, &terms);
        let routing = unrouted(&dossier, &terms.institution, &[]);
        proptest::prop_assert!(!detail(&verdict).contains("Canary") && !routing.detail.contains("Canary"));
        if let Verdict::Produce(production) = verdict {
            proptest::prop_assert!(production.warnings.iter().all(|warning| !warning.detail.contains("Canary")));
        }
    }
}

fn embossing_manufacturer(dossier: &mut Dossier, text: &str) {
    dossier.card.embossing.manufacturer = Some(text.to_owned());
}
