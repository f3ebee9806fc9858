//! R41, R42, R87: which records carry a PIN letter, and how it is delivered.

use super::*;
use crate::card::PinDeliveryType;

fn letter(dossier: &Dossier, terms: &Terms) -> Option<PinDeliveryType> {
    produced(dossier, terms).pin_mailer.map(|mailer| mailer.kind)
}

#[test]
fn r41_a_generated_pin_goes_by_every_type_but_epin() {
    for kind in PinDeliveryType::ALL {
        let mut dossier = dossier();
        dossier.card.pin_delivery_type = Some(*kind);
        let production = produced(&dossier, &terms());
        assert_eq!(production.pin, PinAction::Generate);
        let expected = (*kind != PinDeliveryType::Epin).then_some(*kind);
        assert_eq!(production.pin_mailer.map(|mailer| mailer.kind), expected, "{kind}");
    }
}

#[test]
fn r87_the_agreements_pin_delivery_type_stands_in_for_an_absent_one() {
    let mut terms = terms();
    assert_eq!(letter(&dossier(), &terms), Some(PinDeliveryType::Mail));
    terms.agreement.pin_delivery_type = PinDeliveryType::Custom3;
    assert_eq!(letter(&dossier(), &terms), Some(PinDeliveryType::Custom3));
    terms.agreement.pin_delivery_type = PinDeliveryType::Epin;
    assert_eq!(letter(&dossier(), &terms), None);
    let mut by_mail = dossier();
    by_mail.card.pin_delivery_type = Some(PinDeliveryType::Mail);
    assert_eq!(letter(&by_mail, &terms), Some(PinDeliveryType::Mail), "the card's own word is stronger");
}

#[test]
fn r41_a_pin_the_customer_set_gets_a_letter_only_where_configured() {
    let mut dossier = dossier();
    dossier.card.pin_status = PinStatus::Set;
    dossier.pin_version = Some(1);
    let mut terms = terms();
    assert_eq!(letter(&dossier, &terms), None);
    terms.institution.mailer_for_reissue = true;
    assert_eq!(letter(&dossier, &terms), None, "a new card is no reissue");
    terms.institution.mailer_for_set_pin = true;
    assert_eq!(letter(&dossier, &terms), Some(PinDeliveryType::Mail));
    dossier.card.pin_delivery_type = Some(PinDeliveryType::Epin);
    assert_eq!(letter(&dossier, &terms), None);
}

#[test]
fn r42_an_unchanged_pin_gets_a_letter_only_where_configured() {
    for event in [ProductionEvent::Rpl, ProductionEvent::Rplre] {
        let mut dossier = dossier_of(event);
        dossier.pin_version = Some(1);
        let mut terms = terms();
        assert_eq!(letter(&dossier, &terms), None, "{event}");
        terms.institution.mailer_for_set_pin = true;
        assert_eq!(letter(&dossier, &terms), None, "{event}: nobody set it");
        terms.institution.mailer_for_reissue = true;
        assert_eq!(letter(&dossier, &terms), Some(PinDeliveryType::Mail), "{event}");
    }
}

#[test]
fn r41_ropin_always_has_its_letter() {
    let mut dossier = dossier_of(ProductionEvent::Ropin);
    dossier.pin_version = Some(1);
    for status in [PinStatus::Default, PinStatus::Set] {
        dossier.card.pin_status = status;
        assert_eq!(letter(&dossier, &terms()), Some(PinDeliveryType::Mail), "{status}");
    }
}

#[test]
fn r41_without_a_letter_the_pin_address_is_not_asked_for() {
    let mut dossier = dossier();
    dossier.card.pin_address = Some(Address::default());
    assert_eq!(told_of(&dossier), "HOLD ADDRESS_INCOMPLETE");
    dossier.card.pin_delivery_type = Some(PinDeliveryType::Epin);
    assert_eq!(told_of(&dossier), "PRODUCE");
}
