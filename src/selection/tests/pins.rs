//! R30-R38, R40: whether there is a PIN and which.

use super::*;

#[test]
fn r30_w_holds_every_event() {
    for event in ["NCRD", "NLOST", "RALLNLOST", "RALLRE", "RPL", "RPLRE", "ROPIN"] {
        let mut dossier = dossier_of(event.parse().unwrap());
        dossier.pin_version = Some(1);
        dossier.card.pin_status = PinStatus::Waiting;
        assert_eq!(told_of(&dossier), "HOLD HELD_PIN_WAIT", "{event}");
    }
}

#[test]
fn r30_w_holds_a_reproduction_and_a_product_without_pin_too() {
    let mut dossier = dossier();
    dossier.card.pin_status = PinStatus::Waiting;
    dossier.card.product_code = "VISA_NO_PIN".into();
    assert_eq!(told_of(&dossier), "HOLD HELD_PIN_WAIT");
    dossier.card.product_code = "VISA_CARD".into();
    dossier.requests[0].reproduction = true;
    dossier.plastics[0].status = PlasticStatus::Active;
    assert_eq!(told_of(&dossier), "HOLD HELD_PIN_WAIT");
}

#[test]
fn r31_w_never_becomes_d() {
    let mut dossier = dossier();
    dossier.card.pin_status = PinStatus::Waiting;
    for days in [0, 1, 7, 40, 3650] {
        dossier.requests[0].marked_at = cut_off() - TimeDelta::days(days);
        let verdict = verdict(&dossier, &terms());
        assert_eq!(told(&verdict), "HOLD HELD_PIN_WAIT", "{days}");
        assert_eq!(detail(&verdict), format!("waiting for {days} days"));
    }
}

#[test]
fn r31_days_are_whole_days_and_the_highest_age_reached_is_warned() {
    let mut request = request(1, ProductionEvent::Ncrd);
    for (hours, days) in [(23, 0), (24, 1), (24 * 7 - 1, 6), (24 * 7, 7)] {
        request.marked_at = cut_off() - TimeDelta::hours(hours);
        assert_eq!(days_waiting(&request, cut_off()), days, "{hours}");
    }
    let ages = [7, 30, 90];
    for (days, age) in [(6, None), (7, Some(7)), (29, Some(7)), (30, Some(30)), (400, Some(90))] {
        assert_eq!(warning_age(days, &ages), age, "{days}");
    }
}

#[test]
fn r32_w_to_s_goes_with_the_set_pin_and_w_to_d_with_a_random_one() {
    let mut dossier = dossier();
    dossier.card.pin_status = PinStatus::Waiting;
    assert_eq!(told_of(&dossier), "HOLD HELD_PIN_WAIT");
    dossier.card.pin_status = PinStatus::Default;
    assert_eq!(produced(&dossier, &terms()).pin, PinAction::Generate);
    dossier.card.pin_status = PinStatus::Set;
    dossier.pin_version = Some(1);
    assert_eq!(produced(&dossier, &terms()).pin, PinAction::Stored);
}

#[test]
fn r36_s_without_a_pin_never_gets_a_random_one() {
    for event in ["NCRD", "NLOST", "RALLNLOST", "RALLRE", "RPL", "RPLRE", "ROPIN"] {
        let mut dossier = dossier_of(event.parse().unwrap());
        dossier.card.pin_status = PinStatus::Set;
        assert_eq!(told_of(&dossier), "HOLD PIN_NOT_AVAILABLE", "{event}");
    }
}

#[test]
fn r38_w_on_the_lost_card_does_not_hold_the_new_one() {
    let mut lost = dossier();
    lost.card.status = CardStatus::Lost;
    lost.card.pin_status = PinStatus::Waiting;
    let mut new_card = dossier_of(ProductionEvent::Nlost);
    new_card.card.replaces = Some(lost.card_id);
    assert_eq!(told_of(&lost), "EXCLUDE CARD_STATUS_FINAL !");
    assert_eq!(produced(&new_card, &terms()).pin, PinAction::Generate);
}

#[test]
fn r40_deciding_again_comes_to_the_same_end() {
    // A PIN issued for the request itself does not count as on record, see Dossier::pin_version.
    let dossier = dossier_of(ProductionEvent::Rplre);
    let first = produced(&dossier, &terms());
    assert_eq!(first, produced(&dossier, &terms()));
    assert_eq!(first.pin, PinAction::Generate);
    assert!(first.pin_mailer.is_some());
}

#[test]
fn r35_a_reproduction_keeps_a_pin_that_is_there() {
    for (event, on_record, expected) in [
        (ProductionEvent::Ncrd, Some(1), PinAction::Stored),
        (ProductionEvent::Ncrd, None, PinAction::Generate),
        (ProductionEvent::Rallre, Some(1), PinAction::Stored),
        (ProductionEvent::Nlost, Some(1), PinAction::Stored),
    ] {
        let mut dossier = dossier_of(event);
        dossier.pin_version = on_record;
        dossier.requests[0].reproduction = true;
        dossier.plastics.last_mut().unwrap().status = PlasticStatus::Active;
        assert_eq!(produced(&dossier, &terms()).pin, expected, "{event} {on_record:?}");
    }
}

#[test]
fn a_product_without_a_pin_has_no_pin_and_no_letter() {
    let mut dossier = dossier();
    dossier.card.product_code = "VISA_NO_PIN".into();
    for status in [PinStatus::Default, PinStatus::Set] {
        dossier.card.pin_status = status;
        let production = produced(&dossier, &terms());
        assert_eq!((production.pin, production.pin_mailer), (PinAction::None, None), "{status}");
    }
}
