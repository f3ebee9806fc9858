//! R1-R10, R13-R15, R144: which requests are looked at, and by what.

use super::*;
use crate::agreement::{Institution, Manufacturer};

#[test]
fn r1_every_physical_event_of_an_inactive_plastic_is_selected() {
    for event in ["NCRD", "NLOST", "RALLNLOST", "RALLRE", "RPL", "RPLRE"] {
        assert_eq!(told_of(&dossier_of(event.parse().unwrap())), "PRODUCE", "{event}");
    }
    let mut reordered = dossier_of(ProductionEvent::Ropin);
    reordered.pin_version = Some(1);
    assert_eq!(told_of(&reordered), "PRODUCE");
}

#[test]
fn r1_r3_a_reproduction_needs_a_produced_plastic_and_a_first_production_an_inactive_one() {
    for (status, first, again) in [
        (PlasticStatus::Inactive, "PRODUCE", "HOLD EVENT_SEQUENCE_MISMATCH"),
        (PlasticStatus::Active, "HOLD EVENT_SEQUENCE_MISMATCH", "PRODUCE"),
        (PlasticStatus::Locked, "HOLD EVENT_SEQUENCE_MISMATCH", "PRODUCE"),
        (PlasticStatus::Closed, "HOLD EVENT_SEQUENCE_MISMATCH", "HOLD EVENT_SEQUENCE_MISMATCH"),
    ] {
        let mut dossier = dossier();
        dossier.plastics[0].status = status;
        assert_eq!(told_of(&dossier), first, "{status}");
        dossier.requests[0].reproduction = true;
        assert_eq!(told_of(&dossier), again, "{status}");
    }
}

#[test]
fn r2_a_card_marked_long_ago_goes_as_soon_as_nothing_holds_it() {
    let mut dossier = dossier();
    dossier.requests[0].marked_at = cut_off() - TimeDelta::days(40);
    dossier.card.pin_status = PinStatus::Waiting;
    assert_eq!(told_of(&dossier), "HOLD HELD_PIN_WAIT");
    dossier.card.pin_status = PinStatus::Default;
    assert_eq!(told_of(&dossier), "PRODUCE");
}

#[test]
fn r4_physical_false_is_never_selected_whatever_the_event() {
    for event in ["NCRD", "NLOST", "RALLNLOST", "RALLRE", "RPL", "RPLRE", "ROPIN"] {
        let mut dossier = dossier_of(event.parse().unwrap());
        dossier.card.embossing.physical = Some(false);
        assert_eq!(told_of(&dossier), "EXCLUDE PHYSICAL_FALSE", "{event}");
    }
}

#[test]
fn a23_absent_physical_is_what_the_product_is() {
    for (product, physical, expected) in [
        ("VISA_CARD", None, "PRODUCE"),
        ("VISA_CARD", Some(true), "PRODUCE"),
        ("VISA_FLAT", None, "EXCLUDE PHYSICAL_FALSE"),
        ("VISA_FLAT", Some(true), "PRODUCE"),
        // A virtual product without a service code can make no record.
        ("VISA_VIRTUAL", None, "EXCLUDE PHYSICAL_FALSE"),
        ("VISA_VIRTUAL", Some(true), "EXCLUDE PHYSICAL_FALSE"),
    ] {
        let mut dossier = dossier();
        dossier.card.product_code = product.into();
        dossier.card.embossing.physical = physical;
        assert_eq!(told_of(&dossier), expected, "{product} {physical:?}");
    }
}

#[test]
fn r5_virtual_events_are_excluded_with_an_alert() {
    for event in [ProductionEvent::Nvrt, ProductionEvent::Nlostvrt, ProductionEvent::Rvrt] {
        let mut dossier = dossier();
        dossier.plastics = vec![plastic(1, event, PlasticStatus::Inactive)];
        dossier.requests = vec![request(1, event)];
        assert_eq!(told_of(&dossier), "EXCLUDE VIRTUAL_EVENT !", "{event}");
    }
}

#[test]
fn r6_marked_exactly_at_t0_is_due_and_a_microsecond_later_is_not() {
    let mut request = request(1, ProductionEvent::Ncrd);
    for (after_us, due) in [(-1, true), (0, true), (1, false)] {
        request.marked_at = cut_off() + TimeDelta::microseconds(after_us);
        assert_eq!(is_due(&request, cut_off()), due, "{after_us}");
    }
}

#[test]
fn r6_a_second_plastic_marked_after_t0_does_not_disturb_tonights() {
    let mut dossier = dossier_of(ProductionEvent::Rplre);
    dossier.plastics.push(plastic(3, ProductionEvent::Rpl, PlasticStatus::Inactive));
    dossier.requests.push(request(3, ProductionEvent::Rpl));
    dossier.requests[1].marked_at = cut_off();
    assert_eq!(told_of(&dossier), "HOLD DUPLICATE_MARKED !");
    dossier.requests[1].marked_at = cut_off() + TimeDelta::microseconds(1);
    assert_eq!(told_of(&dossier), "PRODUCE");
}

fn houses() -> Vec<Manufacturer> {
    let mut inactive = terms().manufacturer;
    inactive.code = "FACTORY_OLD".parse().unwrap();
    inactive.active = false;
    vec![terms().manufacturer, inactive]
}

fn institution(default: Option<&str>) -> Institution {
    let mut institution = terms().institution;
    institution.default_manufacturer = default.map(|code| code.parse().unwrap());
    institution
}

#[test]
fn r8_a_card_without_a_house_is_held_with_what_is_wrong() {
    let long = "A".repeat(33);
    for (named, default, code) in [
        (None, None, ReasonCode::ManufacturerMissing),
        (None, Some("FACTORY_GONE"), ReasonCode::ManufacturerUnknown),
        (None, Some("FACTORY_OLD"), ReasonCode::ManufacturerUnknown),
        (Some("FACTORY_GONE"), Some("FACTORY_X"), ReasonCode::ManufacturerUnknown),
        (Some("FACTORY_OLD"), None, ReasonCode::ManufacturerUnknown),
        (Some("FACTORY_X"), None, ReasonCode::ManufacturerUnknown),
        (Some("factory_x"), None, ReasonCode::ManufacturerInvalid),
        (Some("FACTORY X"), None, ReasonCode::ManufacturerInvalid),
        // T4: anchored, so a good part of a bad text does not make it good.
        (Some("FACTORY_X;"), None, ReasonCode::ManufacturerInvalid),
        (Some(";FACTORY_X"), None, ReasonCode::ManufacturerInvalid),
        (Some("FACTORY_X\n"), None, ReasonCode::ManufacturerInvalid),
        (Some("FACTORY_\u{C5}"), None, ReasonCode::ManufacturerInvalid),
        (Some(""), None, ReasonCode::ManufacturerInvalid),
        (Some(&long), None, ReasonCode::ManufacturerInvalid),
        (Some(&long[1..]), None, ReasonCode::ManufacturerUnknown),
    ] {
        let mut dossier = dossier();
        dossier.card.embossing.manufacturer = named.map(str::to_owned);
        let reason = unrouted(&dossier, &institution(default), &houses());
        assert_eq!(reason.code, code, "{named:?} {default:?}");
        if code == ReasonCode::ManufacturerInvalid {
            assert_eq!(reason.detail, "manufacturer must match [A-Z0-9_-]{1,32}");
        }
    }
}

#[test]
fn r8_an_unrouted_card_that_is_excluded_anyway_says_so_first() {
    let verdict = |dossier: &Dossier| {
        let candidate = Candidate { dossier, request: &dossier.requests[0] };
        told(&select_unrouted(&candidate, &institution(None), &terms().products, &houses(), cut_off()))
    };
    assert_eq!(verdict(&dossier()), "HOLD MANUFACTURER_MISSING");
    let mut lost = dossier();
    lost.card.status = CardStatus::Lost;
    assert_eq!(verdict(&lost), "EXCLUDE CARD_STATUS_FINAL !");
    let mut marked_by_mistake = dossier();
    marked_by_mistake.plastics[0].event = ProductionEvent::Nvrt;
    assert_eq!(verdict(&marked_by_mistake), "EXCLUDE VIRTUAL_EVENT !");
}

#[test]
fn r9_r10_role_and_segment_change_nothing() {
    let main = dossier();
    let mut other = dossier();
    other.card.role = crate::card::CardRole::Supplementary;
    other.card.segment = Some(crate::card::Segment::F);
    assert_eq!(verdict(&main, &terms()), verdict(&other, &terms()));
}

#[test]
fn r13_two_marked_plastics_are_both_held_with_an_alert() {
    let mut dossier = dossier();
    dossier.plastics.push(plastic(2, ProductionEvent::Ncrd, PlasticStatus::Inactive));
    dossier.requests.push(request(2, ProductionEvent::Ncrd));
    for index in [0, 1] {
        let verdict = verdict_on(&dossier, index, &terms());
        assert_eq!(told(&verdict), "HOLD DUPLICATE_MARKED !", "{index}");
        assert_eq!(detail(&verdict), "2 INACTIVE plastics are marked");
    }
}

#[test]
fn r13_counts_neither_unmarked_nor_virtual_plastics_nor_reordered_pins_nor_reproductions() {
    let mut dossier = dossier_of(ProductionEvent::Rplre);
    dossier.pin_version = Some(1);
    dossier.plastics.push(plastic(3, ProductionEvent::Rpl, PlasticStatus::Inactive));
    assert_eq!(told_of(&dossier), "PRODUCE");
    dossier.plastics.push(plastic(4, ProductionEvent::Rvrt, PlasticStatus::Inactive));
    dossier.requests.push(request(4, ProductionEvent::Rvrt));
    dossier.requests.push(request(1, ProductionEvent::Ropin));
    let again = Request { reproduction: true, ..request(1, ProductionEvent::Ncrd) };
    dossier.requests.push(again);
    let told: Vec<String> = (0..4).map(|index| told(&verdict_on(&dossier, index, &terms()))).collect();
    assert_eq!(told, ["PRODUCE", "EXCLUDE VIRTUAL_EVENT !", "PRODUCE", "PRODUCE"]);
}

#[test]
fn r13_holds_only_the_plastics_that_are_to_be_made() {
    let mut dossier = dossier_of(ProductionEvent::Rplre);
    dossier.pin_version = Some(1);
    dossier.plastics.push(plastic(3, ProductionEvent::Rpl, PlasticStatus::Inactive));
    dossier.requests.push(request(3, ProductionEvent::Rpl));
    dossier.requests.push(request(1, ProductionEvent::Ropin));
    dossier.requests.push(Request { reproduction: true, ..request(1, ProductionEvent::Ncrd) });
    let told: Vec<String> = (0..4).map(|index| told(&verdict_on(&dossier, index, &terms()))).collect();
    assert_eq!(told, ["HOLD DUPLICATE_MARKED !", "HOLD DUPLICATE_MARKED !", "PRODUCE", "PRODUCE"]);
}

#[test]
fn r124_a_request_whose_plastic_is_gone_makes_nothing() {
    let mut dossier = dossier();
    dossier.plastics.clear();
    assert_eq!(told_of(&dossier), "EXCLUDE CANCELLED");
}

#[test]
fn r144_the_codes_of_the_rules_are_stable_words() {
    let listed = "HELD_PIN_WAIT PIN_GENERATION_FAILED PIN_NOT_AVAILABLE CARD_BLOCKED CARD_STATUS_FINAL \
                  RENEWAL_STOPPED CARD_CLOSED_BY_SCHEDULE PLASTIC_EXPIRED PHYSICAL_FALSE VIRTUAL_EVENT \
                  EVENT_SEQUENCE_MISMATCH DUPLICATE_MARKED MANUFACTURER_MISSING MANUFACTURER_UNKNOWN \
                  MANUFACTURER_INVALID ADDRESS_MISSING ADDRESS_INCOMPLETE ADDRESS_CHARSET ADDRESS_TOO_LONG \
                  NAME_MISSING NAME_TOO_LONG CHARSET FIELD_TOO_LONG ADDITIONAL_VALUE_INVALID LAYOUT_UNKNOWN \
                  INSTITUTION_UNKNOWN KEY_UNUSABLE CARD_DATA_UNAVAILABLE CRYPTO_UNAVAILABLE NOTHING_TO_PRINT \
                  SUPERSEDED WAITING_FOR_CARD_FILE SETTLE_MISMATCH SPOOL_LOST CLOSED_AFTER_SEALING";
    for code in listed.split(' ') {
        assert_eq!(code.parse::<ReasonCode>().map(ReasonCode::as_str), Ok(code));
    }
}

#[test]
fn a_card_of_a_product_that_is_no_longer_configured_is_held() {
    let mut dossier = dossier();
    dossier.card.product_code = "VISA_OLD".into();
    let verdict = verdict(&dossier, &terms());
    assert_eq!((told(&verdict).as_str(), detail(&verdict)), ("HOLD PRODUCT_UNKNOWN", "VISA_OLD is not configured"));
}
