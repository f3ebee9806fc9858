//! The calendar of R110 worked out by hand, and who is due on it.

use super::*;
use crate::selection::tests::{dossier, plastic, terms};
use PlasticStatus::{Active, Cancelled, Closed, Inactive, Locked};
use ProductionEvent::{Ncrd, Nvrt, Rallre, Rpl, Rplre, Rvrt};

fn date(text: &str) -> NaiveDate {
    text.parse().unwrap()
}

fn expiry(text: &str) -> Expiry {
    text.parse().unwrap()
}

/// The night of a date.
fn day(text: &str, renewal_days: u32) -> Day {
    Day { date: date(text), cut_off: format!("{text}T03:00:00Z").parse().unwrap(), renewal_days }
}

/// The first renewal date of what ends in December 2029: 31 December less 45 days.
const DUE: &str = "2029-11-16";

/// A card in 00 with one plastic that ends in 12/2029.
fn card() -> Renewable {
    let dossier = dossier();
    let plastics = vec![plastic(1, Ncrd, Active)];
    Renewable { card_id: dossier.card_id, card_version: 4, card: dossier.card.into(), plastics }
}

fn with(plastics: Vec<Plastic>) -> Renewable {
    Renewable { plastics, ..card() }
}

fn ruled(found: &Renewable, on: &str) -> Ruling {
    rule(found, day(on, 45), &terms().products)
}

fn renewed(found: &Renewable) -> Renewal {
    match ruled(found, DUE) {
        Ruling::Renew(renewal) => renewal,
        other => panic!("not renewed: {other:?}"),
    }
}

#[test]
fn r110_the_renewal_date_is_the_last_day_of_the_month_less_the_days() {
    for (ends, days, due) in [
        ("2022-06", 45, "2022-05-16"),
        ("2024-02", 45, "2024-01-15"),
        ("2023-02", 45, "2023-01-14"),
        ("2024-12", 45, "2024-11-16"),
        ("2025-01", 45, "2024-12-17"),
        ("2024-03", 31, "2024-02-29"),
        ("2024-03", 1, "2024-03-30"),
        ("2024-12", 365, "2024-01-01"),
        ("2025-12", 365, "2024-12-31"),
        ("2026-01", 90, "2025-11-02"),
    ] {
        assert_eq!(renewal_date(expiry(ends), days), date(due), "{ends} less {days}");
    }
}

#[test]
fn r110_a_card_is_due_from_its_renewal_date_until_it_expires() {
    for (on, is_due) in [
        ("2022-05-15", false),
        ("2022-05-16", true),
        ("2022-05-17", true),
        ("2022-06-01", true),
        ("2022-06-30", true),
        ("2022-07-01", false),
    ] {
        assert_eq!(day(on, 45).is_due(expiry("2022-06")), is_due, "{on}");
    }
    // To the second: valid until the last one of its month.
    let last = Day { cut_off: "2022-06-30T23:59:58Z".parse().unwrap(), ..day("2022-06-30", 45) };
    assert!(last.is_due(expiry("2022-06")));
    let over = Day { cut_off: "2022-06-30T23:59:59Z".parse().unwrap(), ..last };
    assert!(!over.is_due(expiry("2022-06")));
}

#[test]
fn r110_the_months_that_are_due_on_a_day() {
    let months = |on: &str, days| day(on, days).expiries().map(|expiry| expiry.to_string()).collect::<Vec<_>>();
    assert_eq!(months("2022-05-15", 45), ["2022-05"], "June is due a day later");
    assert_eq!(months("2022-05-16", 45), ["2022-05", "2022-06"]);
    assert_eq!(months("2024-12-16", 45), ["2024-12"]);
    assert_eq!(months("2024-12-17", 45), ["2024-12", "2025-01"], "over the end of the year");
    assert_eq!(months("2024-02-01", 1), [""; 0], "nothing ends tomorrow");
    assert_eq!(months("2024-02-28", 1), ["2024-02"]);
    assert_eq!(months("2024-01-01", 365).len(), 12, "all of 2024");
    assert_eq!(months("2099-12-31", 365), ["2099-12"], "where the calendar of cards ends");
    let over = Day { cut_off: "2022-06-30T23:59:59Z".parse().unwrap(), ..day("2022-06-30", 45) };
    assert_eq!(over.expiries().collect::<Vec<_>>(), [expiry("2022-07")]);
}

#[test]
fn r111_only_cards_in_00_are_renewed_and_nothing_is_remembered() {
    for status in CardStatus::ALL {
        let mut found = card();
        found.card.status = *status;
        let is_renewed = matches!(ruled(&found, DUE), Ruling::Renew(_));
        assert_eq!(is_renewed, *status == CardStatus::Ok, "{status}");
    }
    // A13: blocked on its date, it is renewed on any day on which it is 00 again, up to its last one.
    for (on, is_renewed) in [("2029-11-15", false), ("2029-11-17", true), ("2029-12-31", true), ("2030-01-01", false)] {
        assert_eq!(matches!(ruled(&card(), on), Ruling::Renew(_)), is_renewed, "{on}");
    }
}

#[test]
fn r112_a_renewal_makes_the_next_plastic_with_a_new_expiry() {
    let renewal = renewed(&card());
    assert_eq!((renewal.card_id, renewal.card_version), (card().card_id, 4));
    assert_eq!((renewal.sequence_number, renewal.event, renewal.expiry), (2, Rpl, expiry("2032-12")));
    assert_eq!(renewal.closes, [], "its settlement closes the older one");
    let cut_off = day(DUE, 45).cut_off;
    let made = renewal.plastic(PlasticId::new(9).unwrap(), cut_off);
    assert_eq!((made.status, made.marked_at), (Inactive, Some(cut_off)));
    assert_eq!((made.cvv_key.as_deref(), made.cvv2_key.as_str()), (Some("cvk-1"), "cvk2-1"), "the product's of today");
    let mut plain = card();
    plain.card.product_code = "VISA_PLAIN".into();
    assert_eq!(renewed(&plain).cvv_key, None, "nothing carries a CVV1 where there is neither stripe nor chip");
    // The rule asked again of what it made.
    let again = with(vec![plastic(1, Ncrd, Active), made]);
    assert_eq!(ruled(&again, DUE), Ruling::NotDue);
}

#[test]
fn r112_r20_a_virtual_card_gets_an_active_plastic_that_closes_the_one_before() {
    let mut found = with(vec![plastic(1, Nvrt, Closed), plastic(2, Rvrt, Active)]);
    found.card.product_code = "VISA_VIRTUAL".into();
    let renewal = renewed(&found);
    assert_eq!((renewal.sequence_number, renewal.event, renewal.expiry), (3, Rvrt, expiry("2032-12")));
    assert_eq!(renewal.closes, [(found.plastics[1].plastic_id, Active)]);
    let made = renewal.plastic(PlasticId::new(9).unwrap(), day(DUE, 45).cut_off);
    assert_eq!((made.status, made.marked_at), (Active, None));
    let again = with(vec![plastic(1, Nvrt, Closed), plastic(2, Rvrt, Closed), made]);
    assert_eq!(ruled(&again, DUE), Ruling::NotDue);
}

#[test]
fn r112_r118_the_next_number_counts_cancelled_plastics() {
    let found = with(vec![plastic(1, Ncrd, Locked), plastic(2, Rplre, Cancelled)]);
    let renewal = renewed(&found);
    assert_eq!((renewal.sequence_number, renewal.predecessor), (3, found.plastics[0].plastic_id));
    let last = |number| with(vec![plastic(1, Ncrd, Active), plastic(number, Rplre, Cancelled)]);
    assert_eq!(renewed(&last(98)).sequence_number, 99);
    assert_eq!(ruled(&last(99), DUE), Ruling::Obstructed(Obstacle::SequenceExhausted));
}

/// The newest plastic decides, and a card that is supplied already gets nothing.
#[test]
fn r113_a_card_with_a_later_or_an_inactive_plastic_is_not_renewed() {
    let later = |number, event, status| Plastic { expiry: expiry("2032-12"), ..plastic(number, event, status) };
    for (plastics, is_renewed, what) in [
        (vec![plastic(1, Ncrd, Active), plastic(2, Rplre, Active)], true, "an ordinary reissue ends with the card"),
        (vec![plastic(1, Ncrd, Active), later(2, Rplre, Inactive)], false, "A14: reissued in the last two months"),
        (vec![plastic(1, Ncrd, Closed), later(2, Rplre, Active)], false, "and delivered"),
        (vec![plastic(1, Ncrd, Active), later(2, Rplre, Locked)], false, "and locked"),
        (vec![plastic(1, Ncrd, Active), later(2, Rplre, Cancelled)], true, "and cancelled"),
        (vec![plastic(1, Nvrt, Active), plastic(2, Rallre, Inactive)], false, "its first plastic is not made yet"),
        (vec![plastic(1, Ncrd, Inactive)], false, "never made"),
        (vec![plastic(1, Ncrd, Inactive), plastic(2, Rplre, Active)], false, "an older one is still to be made"),
        (vec![later(1, Ncrd, Active), plastic(2, Rplre, Active)], false, "an older one in use lasts longer"),
        (vec![plastic(1, Ncrd, Active), plastic(2, Rplre, Closed)], false, "the newest is not in use"),
        (vec![plastic(1, Ncrd, Active), plastic(2, Rpl, Locked)], true, "LOCKED is in use"),
        (vec![plastic(1, Ncrd, Cancelled)], false, "cancelled before it was made"),
        (vec![], false, "no plastic at all"),
    ] {
        assert_eq!(matches!(ruled(&with(plastics), DUE), Ruling::Renew(_)), is_renewed, "{what}");
    }
}

#[test]
fn r14_a_card_that_closes_until_t0_is_not_renewed() {
    for (closing, is_renewed) in [
        ("2029-11-16T02:59:59Z", false),
        ("2029-11-16T03:00:00Z", false),
        ("2029-11-16T03:00:01Z", true),
        ("2029-12-31T03:00:00Z", true),
    ] {
        let mut found = card();
        found.card.scheduled_closing = Some(closing.parse().unwrap());
        assert_eq!(matches!(ruled(&found, DUE), Ruling::Renew(_)), is_renewed, "{closing}");
    }
}

/// A plastic that could not be claimed afterwards is not made.
#[test]
fn r4_r110_what_no_plastic_can_be_made_of_is_an_obstacle() {
    for (product, physical, expected) in [
        ("VISA_CARD", Some(true), None),
        ("VISA_CARD", Some(false), Some(Obstacle::PhysicalFalse)),
        ("VISA_FLAT", None, Some(Obstacle::PhysicalFalse)),
        ("VISA_FLAT", Some(true), None),
        ("VISA_VIRTUAL", Some(true), Some(Obstacle::PhysicalFalse)),
        ("VISA_GONE", Some(false), Some(Obstacle::ProductUnknown)),
    ] {
        let mut found = card();
        found.card.product_code = product.into();
        found.card.physical = physical;
        let obstacle = match ruled(&found, DUE) {
            Ruling::Obstructed(obstacle) => Some(obstacle),
            _ => None,
        };
        assert_eq!(obstacle, expected, "{product} {physical:?}");
    }
    let late = with(vec![Plastic { expiry: expiry("2097-01"), ..plastic(1, Ncrd, Active) }]);
    assert_eq!(ruled(&late, "2097-01-01"), Ruling::Obstructed(Obstacle::ExpiryOutOfRange));
    let latest = with(vec![Plastic { expiry: expiry("2096-12"), ..plastic(1, Ncrd, Active) }]);
    assert!(matches!(ruled(&latest, "2096-12-01"), Ruling::Renew(renewal) if renewal.expiry == expiry("2099-12")));
}

#[test]
fn r112_a_tally_counts_by_event_and_reason() {
    let mut tally = RenewalTally::new("246001".parse().unwrap());
    for event in [Rpl, Rvrt, Rpl] {
        tally.add(event);
    }
    tally.skipped.insert(Obstacle::KeyUnusable, 3);
    assert_eq!(tally.to_string(), "246001: RPL 2, RVRT 1; not renewed: KEY_UNUSABLE 3");
    let expected = json!({
        "institution": "246001", "renewed": { "RPL": 2, "RVRT": 1 },
        "skipped": { "total": 3, "byReason": { "KEY_UNUSABLE": 3 } },
    });
    assert_eq!(tally.to_json(), expected);
}
