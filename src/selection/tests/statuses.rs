//! R14, R15, R50-R55: the card's status, its scheduled closing, the plastic's expiry.

use super::*;

fn with_status(event: ProductionEvent, status: CardStatus) -> Dossier {
    let mut dossier = dossier_of(event);
    dossier.pin_version = Some(1);
    dossier.card.status = status;
    dossier
}

#[test]
fn r50_to_r52_every_status_for_every_event() {
    for event in ["NCRD", "NLOST", "RALLNLOST", "RALLRE", "RPL", "RPLRE", "ROPIN"] {
        for (status, expected) in [
            (CardStatus::Ok, "PRODUCE"),
            (CardStatus::NoRenewal, if event == "RPL" { "EXCLUDE RENEWAL_STOPPED" } else { "PRODUCE" }),
            (CardStatus::Blocked, "HOLD CARD_BLOCKED"),
            (CardStatus::SuspectedFraud, "HOLD CARD_BLOCKED"),
            (CardStatus::ClosedDueToFraud, "EXCLUDE CARD_STATUS_FINAL !"),
            (CardStatus::Lost, "EXCLUDE CARD_STATUS_FINAL !"),
            (CardStatus::Stolen, "EXCLUDE CARD_STATUS_FINAL !"),
            (CardStatus::Closed, "EXCLUDE CARD_STATUS_FINAL !"),
            (CardStatus::Invalid, "EXCLUDE CARD_STATUS_FINAL !"),
        ] {
            assert_eq!(told_of(&with_status(event.parse().unwrap(), status)), expected, "{event} {status}");
        }
    }
}

#[test]
fn r50_a_renewed_plastic_may_be_made_a_second_time_in_status_50() {
    let mut dossier = with_status(ProductionEvent::Rpl, CardStatus::NoRenewal);
    dossier.plastics[1].status = PlasticStatus::Active;
    dossier.requests[0].reproduction = true;
    assert_eq!(told_of(&dossier), "PRODUCE");
}

#[test]
fn r51_an_institution_may_produce_on_05_but_never_on_205() {
    let mut terms = terms();
    terms.institution.produce_blocked = true;
    let blocked = with_status(ProductionEvent::Ncrd, CardStatus::Blocked);
    assert_eq!(told(&verdict(&blocked, &terms)), "PRODUCE");
    let fraud = verdict(&with_status(ProductionEvent::Ncrd, CardStatus::SuspectedFraud), &terms);
    assert_eq!((told(&fraud).as_str(), detail(&fraud)), ("HOLD CARD_BLOCKED", "status 205"));
}

#[test]
fn r52_alerts_only_where_the_order_came_after_the_closing() {
    let mut dossier = with_status(ProductionEvent::Ncrd, CardStatus::Stolen);
    let marked = dossier.requests[0].marked_at;
    for (since, expected, why) in [
        (
            marked - TimeDelta::microseconds(1),
            "EXCLUDE CARD_STATUS_FINAL !",
            "status 43, ordered after the closing; cancel the plastic",
        ),
        (marked, "EXCLUDE CARD_STATUS_FINAL", "status 43; cancel the plastic"),
        (marked + TimeDelta::microseconds(1), "EXCLUDE CARD_STATUS_FINAL", "status 43; cancel the plastic"),
    ] {
        dossier.card.status_since = since;
        let verdict = verdict(&dossier, &terms());
        assert_eq!((told(&verdict).as_str(), detail(&verdict)), (expected, why));
    }
}

#[test]
fn r53_the_new_card_goes_whatever_became_of_the_lost_one() {
    let mut new_card = dossier_of(ProductionEvent::Nlost);
    new_card.card.replaces = CardId::new(3000);
    assert_eq!(told_of(&new_card), "PRODUCE");
    let mut old_card = dossier();
    old_card.card.status = CardStatus::Lost;
    assert_eq!(told_of(&old_card), "EXCLUDE CARD_STATUS_FINAL !");
}

#[test]
fn r54_a_card_back_in_ok_goes_whatever_it_was_before() {
    let mut dossier = with_status(ProductionEvent::Ncrd, CardStatus::Lost);
    assert_eq!(told_of(&dossier), "EXCLUDE CARD_STATUS_FINAL !");
    dossier.card.status = CardStatus::Ok;
    assert_eq!(told_of(&dossier), "PRODUCE");
}

#[test]
fn r14_closing_at_t0_is_closed_and_a_microsecond_later_is_not() {
    let mut dossier = dossier();
    for (after_us, expected) in
        [(-1, "EXCLUDE CARD_CLOSED_BY_SCHEDULE"), (0, "EXCLUDE CARD_CLOSED_BY_SCHEDULE"), (1, "PRODUCE")]
    {
        dossier.card.scheduled_closing = Some(cut_off() + TimeDelta::microseconds(after_us));
        assert_eq!(told_of(&dossier), expected, "{after_us}");
    }
}

#[test]
fn r14_closing_within_seven_days_is_made_with_a_warning() {
    let mut dossier = dossier();
    let seven = TimeDelta::days(7);
    for (left, expected) in [(TimeDelta::days(1), true), (seven, true), (seven + TimeDelta::microseconds(1), false)] {
        dossier.card.scheduled_closing = Some(cut_off() + left);
        let warnings = warned(&produced(&dossier, &terms()));
        assert_eq!(warnings == [WarningCode::ClosingSoon], expected, "{left}");
    }
    dossier.card.scheduled_closing = Some(cut_off() + TimeDelta::hours(30));
    assert_eq!(produced(&dossier, &terms()).warnings[0].detail, "1 days");
}

#[test]
fn r15_a_plastic_is_good_to_the_last_second_of_its_month() {
    let mut dossier = dossier();
    dossier.plastics[0].expiry = Expiry::new(2026, 11).unwrap();
    for (at, expected) in [
        ("2026-11-30T23:59:58Z", "PRODUCE"),
        ("2026-11-30T23:59:59Z", "EXCLUDE PLASTIC_EXPIRED"),
        ("2026-12-01T00:00:00Z", "EXCLUDE PLASTIC_EXPIRED"),
    ] {
        let candidate = Candidate { dossier: &dossier, request: &dossier.requests[0] };
        assert_eq!(told(&select(&candidate, &terms(), at.parse().unwrap(), 7)), expected, "{at}");
    }
}
