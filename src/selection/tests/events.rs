//! R20-R28: what each event means.

use super::*;
use crate::card::PinDeliveryType;

#[test]
fn r21_ncrd_is_for_the_first_sequence_number_only() {
    let mut dossier = dossier();
    dossier.plastics = vec![
        plastic(1, ProductionEvent::Ncrd, PlasticStatus::Active),
        plastic(2, ProductionEvent::Ncrd, PlasticStatus::Inactive),
    ];
    dossier.requests = vec![request(2, ProductionEvent::Ncrd)];
    let verdict = verdict(&dossier, &terms());
    assert_eq!(told(&verdict), "EXCLUDE EVENT_SEQUENCE_MISMATCH");
    assert_eq!(detail(&verdict), "NCRD on sequence 2");
}

#[test]
fn r22_rallre_and_rallnlost_need_an_earlier_plastic() {
    for event in [ProductionEvent::Rallre, ProductionEvent::Rallnlost] {
        let mut dossier = dossier_of(event);
        assert_eq!(told_of(&dossier), "PRODUCE", "{event}");
        dossier.plastics.remove(0);
        assert_eq!(told_of(&dossier), "HOLD EVENT_SEQUENCE_MISMATCH", "{event}");
        // A later one does not help.
        dossier.plastics.push(plastic(3, ProductionEvent::Nvrt, PlasticStatus::Active));
        assert_eq!(told_of(&dossier), "HOLD EVENT_SEQUENCE_MISMATCH", "{event}");
    }
}

#[test]
fn r22_other_events_ask_for_no_earlier_plastic() {
    for event in [ProductionEvent::Nlost, ProductionEvent::Rpl, ProductionEvent::Rplre] {
        let mut dossier = dossier();
        dossier.plastics = vec![plastic(2, event, PlasticStatus::Inactive)];
        dossier.requests = vec![request(2, event)];
        assert_eq!(told_of(&dossier), "PRODUCE", "{event}");
    }
}

#[test]
fn r23_instant_issuing_is_sorted_and_made_as_the_physical_plastic() {
    let production = produced(&dossier_of(ProductionEvent::Rallre), &terms());
    assert!(production.sort_key.contains("\u{1}000000000000005002\u{1}"), "plastic 2 of the dossier");
}

fn reordered() -> Dossier {
    let mut dossier = dossier_of(ProductionEvent::Ropin);
    dossier.pin_version = Some(1);
    dossier
}

#[test]
fn r25_ropin_is_a_letter_without_a_card() {
    let production = produced(&reordered(), &terms());
    assert_eq!((production.pin, production.card_delivery), (PinAction::Stored, None));
    assert_eq!(production.pin_mailer.unwrap().address, address("Customer"));
}

#[test]
fn r25_ropin_asks_nothing_of_names_layouts_and_the_cards_address() {
    let mut dossier = reordered();
    dossier.card.embossing.first_name = None;
    dossier.card.embossing.company_name = Some("漢".repeat(40));
    dossier.card.embossing.external_layout_code = Some("Unheard of".into());
    dossier.card.card_address = Some(Address::default());
    assert_eq!(told_of(&dossier), "PRODUCE");
}

#[test]
fn r26_ropin_needs_a_stored_pin() {
    let mut dossier = reordered();
    dossier.pin_version = None;
    let verdict = verdict(&dossier, &terms());
    assert_eq!((told(&verdict).as_str(), detail(&verdict)), ("HOLD PIN_NOT_AVAILABLE", "no PIN on record"));
}

#[test]
fn r26_ropin_needs_a_product_with_a_pin() {
    let mut dossier = reordered();
    dossier.card.product_code = "VISA_NO_PIN".into();
    assert_eq!(told_of(&dossier), "HOLD PIN_NOT_AVAILABLE");
}

#[test]
fn r26_ropin_needs_a_physical_plastic_that_is_active_or_locked() {
    for (event, status, expected) in [
        (ProductionEvent::Ncrd, PlasticStatus::Active, "PRODUCE"),
        (ProductionEvent::Ncrd, PlasticStatus::Locked, "PRODUCE"),
        (ProductionEvent::Ncrd, PlasticStatus::Inactive, "HOLD PIN_NOT_AVAILABLE"),
        (ProductionEvent::Ncrd, PlasticStatus::Closed, "HOLD PIN_NOT_AVAILABLE"),
        (ProductionEvent::Nvrt, PlasticStatus::Active, "HOLD PIN_NOT_AVAILABLE"),
    ] {
        let mut dossier = reordered();
        dossier.plastics = vec![plastic(1, event, status)];
        assert_eq!(told_of(&dossier), expected, "{event} {status}");
    }
}

#[test]
fn r26_ropin_that_outlived_its_plastic_goes_for_the_one_in_use() {
    let mut dossier = reordered();
    dossier.plastics[0].status = PlasticStatus::Closed;
    dossier.plastics[0].expiry = Expiry::new(2026, 10).unwrap();
    assert_eq!(told_of(&dossier), "EXCLUDE PLASTIC_EXPIRED");
    dossier.plastics.push(plastic(2, ProductionEvent::Rpl, PlasticStatus::Active));
    assert_eq!(told_of(&dossier), "PRODUCE");
    assert_eq!(plastic_in_use(&dossier.plastics).map(|plastic| plastic.sequence_number), Some(2));
}

#[test]
fn r27_ropin_by_epin_is_closed_with_nothing_to_print() {
    let mut dossier = reordered();
    dossier.card.pin_delivery_type = Some(PinDeliveryType::Epin);
    assert_eq!(told_of(&dossier), "CLOSE NOTHING_TO_PRINT");
    let mut terms = terms();
    terms.agreement.pin_delivery_type = PinDeliveryType::Epin;
    dossier.card.pin_delivery_type = None;
    assert_eq!(told(&verdict(&dossier, &terms)), "CLOSE NOTHING_TO_PRINT");
    dossier.card.pin_delivery_type = Some(PinDeliveryType::Mail);
    assert_eq!(told(&verdict(&dossier, &terms)), "PRODUCE");
}

#[test]
fn r27_closing_is_for_ever_so_blocks_and_waits_come_first() {
    let mut dossier = reordered();
    dossier.card.pin_delivery_type = Some(PinDeliveryType::Epin);
    dossier.card.pin_status = PinStatus::Waiting;
    assert_eq!(told_of(&dossier), "HOLD HELD_PIN_WAIT");
    dossier.card.status = CardStatus::Blocked;
    assert_eq!(told_of(&dossier), "HOLD CARD_BLOCKED");
}

/// A reissue and a reordered PIN of the same card in one night.
fn both() -> Dossier {
    let mut dossier = dossier_of(ProductionEvent::Rplre);
    dossier.pin_version = Some(1);
    dossier.requests.push(request(1, ProductionEvent::Ropin));
    dossier
}

#[test]
fn r28_without_a_letter_in_the_card_record_both_go() {
    let dossier = both();
    let (card, letter) = (verdict_on(&dossier, 0, &terms()), verdict_on(&dossier, 1, &terms()));
    assert_eq!([told(&card), told(&letter)], ["PRODUCE", "PRODUCE"]);
    let (Verdict::Produce(card), Verdict::Produce(letter)) = (card, letter) else { panic!("both go") };
    assert!(card.pin_mailer.is_none() && letter.pin_mailer.is_some());
    assert_ne!(card.sort_key, letter.sort_key);
}

#[test]
fn r28_with_a_letter_in_the_card_record_ropin_waits_for_it() {
    let mut terms = terms();
    terms.institution.mailer_for_reissue = true;
    let mut dossier = both();
    assert_eq!(told(&verdict_on(&dossier, 0, &terms)), "PRODUCE");
    assert_eq!(told(&verdict_on(&dossier, 1, &terms)), "HOLD WAITING_FOR_CARD_FILE");
    // A card that does not go tonight cannot carry the letter.
    dossier.card.embossing.first_name = None;
    assert_eq!(told(&verdict_on(&dossier, 0, &terms)), "HOLD NAME_MISSING");
    assert_eq!(told(&verdict_on(&dossier, 1, &terms)), "PRODUCE");
    // Nor can one that was marked after T0.
    let mut later = both();
    later.requests[0].marked_at = cut_off() + TimeDelta::seconds(1);
    assert_eq!(told(&verdict_on(&later, 1, &terms)), "PRODUCE");
}
