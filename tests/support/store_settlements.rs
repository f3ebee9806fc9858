//! Settlement: rules R60 to R70, R28 and R125.

use super::night::*;
use super::seed::*;
use emboss::card::*;
use emboss::selection::{PinAction, Request};
use emboss::settlement::FileState;
use emboss::store::*;

pub(crate) async fn r60_nothing_moves_before_the_settlement_and_all_with_it(store: &dyn Store) {
    let mut seed = Seed::begin(store).await;
    for number in [1, 2, 3] {
        seed.marked_card(number, None).await;
    }
    seed.commit().await;
    let run = Run::begin(store, 20, 1).await;
    let mut file = run.claim(store, &mut Script::default()).await.files.remove(0);
    run.publish(store, &mut file).await;
    for plastic in [1, 2, 3] {
        assert_eq!(status_of(store, plastic).await, PlasticStatus::Inactive);
    }
    let outcome = store.settle(&file, run.epoch).await.unwrap();
    assert_eq!(outcome, SettleOutcome { moved: 3, ..SettleOutcome::default() });
    let plastics = store.plastics(None, 10).await.unwrap();
    let found: Vec<_> = plastics.iter().map(|row| (row.plastic.status, row.plastic.embossing_date)).collect();
    // R70: the date of the run.
    assert_eq!(found, [(PlasticStatus::Active, Some("2026-11-20".parse().unwrap())); 3]);
    assert_eq!(store.file(file.file_id).await.unwrap().unwrap().state, FileState::Settled);
    assert_eq!(live(store, 1).await, []);
    let night = store.night(&run.night(), &issuer(), &house("HOUSE")).await.unwrap().unwrap();
    assert_eq!(night.state, NightState::Done);
    assert_eq!(store.unfinished().await.unwrap(), []);
}

pub(crate) async fn r63_an_active_plastic_closes_the_older_ones_of_its_card(store: &dyn Store) {
    let mut seed = Seed::begin(store).await;
    seed.reissued_card(10, None).await;
    seed.reissued_card(20, None).await;
    seed.card(30, None).await;
    for (number, sequence, status) in [
        (30, 1, PlasticStatus::Closed),
        (31, 2, PlasticStatus::Locked),
        (32, 3, PlasticStatus::Cancelled),
        (33, 4, PlasticStatus::Active),
        (34, 5, PlasticStatus::Inactive),
    ] {
        seed.plastic(&plastic(number, 30, sequence, ProductionEvent::Rpl, status)).await;
    }
    seed.request(30, &request(34, ProductionEvent::Rpl)).await;
    seed.commit().await;
    let run = Run::begin(store, 20, 1).await;
    let mut script = Script { hold: vec![uid(21)], ..Script::default() };
    let mut file = run.claim(store, &mut script).await.files.remove(0);
    let outcome = run.settle(store, &mut file).await;
    assert_eq!((outcome.moved, outcome.closed), (2, 3));
    let mut found = Vec::new();
    for number in [10, 11, 20, 21, 30, 31, 32, 33, 34] {
        found.push(status_of(store, number).await.as_str());
    }
    assert_eq!(found, ["CLOSED", "ACTIVE", "ACTIVE", "INACTIVE", "CLOSED", "CLOSED", "CANCELLED", "CLOSED", "ACTIVE"]);
}

pub(crate) async fn r64_r65_a_locked_plastic_leaves_the_older_ones_alone(store: &dyn Store) {
    let mut seed = Seed::begin(store).await;
    seed.card(10, None).await;
    seed.plastic(&plastic(10, 10, 1, ProductionEvent::Nvrt, PlasticStatus::Active)).await;
    seed.plastic(&plastic(11, 10, 2, ProductionEvent::Rallre, PlasticStatus::Inactive)).await;
    seed.request(10, &request(11, ProductionEvent::Rallre)).await;
    seed.commit().await;
    let run = Run::begin(store, 20, 1).await;
    let mut script = Script { settles_to: PlasticStatus::Locked, ..Script::default() };
    let mut file = run.claim(store, &mut script).await.files.remove(0);
    let outcome = run.settle(store, &mut file).await;
    assert_eq!((outcome.moved, outcome.closed), (1, 0));
    assert_eq!(status_of(store, 10).await, PlasticStatus::Active);
    assert_eq!(status_of(store, 11).await, PlasticStatus::Locked);
}

pub(crate) async fn r67_pin_orders_and_reproductions_move_nothing(store: &dyn Store) {
    let mut seed = Seed::begin(store).await;
    seed.card(10, None).await;
    seed.plastic(&plastic(10, 10, 1, ProductionEvent::Ncrd, PlasticStatus::Locked)).await;
    seed.plastic(&plastic(11, 10, 2, ProductionEvent::Rplre, PlasticStatus::Active)).await;
    seed.request(10, &pin_order(10, 11)).await;
    let reproduction = Request { reproduction: true, ..request(11, ProductionEvent::Rplre) };
    seed.request(10, &reproduction).await;
    seed.commit().await;
    let run = Run::begin(store, 20, 1).await;
    let mut script = Script { pin: PinAction::None, ..Script::default() };
    let mut file = run.claim(store, &mut script).await.files.remove(0);
    assert_eq!(store.item_counts(file.file_id).await.unwrap().records, 2);
    assert_eq!(run.settle(store, &mut file).await, SettleOutcome::default());
    assert_eq!(status_of(store, 10).await, PlasticStatus::Locked);
    assert_eq!(status_of(store, 11).await, PlasticStatus::Active);
    assert_eq!(live(store, 10).await, []);
    let plastics = store.plastics(None, 10).await.unwrap();
    assert!(plastics.iter().all(|row| row.plastic.embossing_date.is_none()));
}

pub(crate) async fn r69_a_plastic_that_is_not_inactive_is_told_and_the_others_move(store: &dyn Store) {
    let mut seed = Seed::begin(store).await;
    for number in [1, 2] {
        seed.marked_card(number, None).await;
    }
    seed.commit().await;
    let run = Run::begin(store, 20, 1).await;
    let mut file = run.claim(store, &mut Script::default()).await.files.remove(0);
    run.publish(store, &mut file).await;
    let mut seed = Seed::begin(store).await;
    let read = seed.work.plastic(&issuer(), plastic_id(1)).await.unwrap().unwrap();
    seed.work.move_plastic(&issuer(), &read, PlasticStatus::Closed, marked()).await.unwrap();
    seed.commit().await;
    let outcome = store.settle(&file, run.epoch).await.unwrap();
    let mismatch = SettleMismatch { record_uid: uid(1), plastic_id: plastic_id(1), found: PlasticStatus::Closed };
    assert_eq!((outcome.moved, &outcome.mismatches[..]), (1, &[mismatch][..]));
    assert_eq!(status_of(store, 1).await, PlasticStatus::Closed);
    assert_eq!(status_of(store, 2).await, PlasticStatus::Active);
    assert_eq!((live(store, 1).await, live(store, 2).await), (vec![], vec![]));
    assert_eq!(store.settle(&file, run.epoch).await.unwrap(), outcome);
}

pub(crate) async fn r70_one_event_per_plastic_with_its_record(store: &dyn Store) {
    let mut seed = Seed::begin(store).await;
    seed.marked_card(1, None).await;
    seed.reissued_card(10, None).await;
    seed.commit().await;
    let run = Run::begin(store, 20, 1).await;
    let mut file = run.claim(store, &mut Script::default()).await.files.remove(0);
    run.settle(store, &mut file).await;
    let events = store.events(0, 100).await.unwrap();
    let moved: Vec<serde_json::Value> = events
        .iter()
        .filter(|event| event.kind == "plastic.moved")
        .map(|event| serde_json::from_str(&event.data).unwrap())
        .collect();
    let told = |plastic: &str, card: &str, from: &str, to: &str, record: u64| {
        serde_json::json!({
            "plasticId": plastic, "cardId": card, "from": from, "to": to, "fileId": file.file_id, "recordNumber": record,
        })
    };
    assert_eq!(
        moved,
        [
            told("1", "1", "INACTIVE", "ACTIVE", 1),
            told("11", "10", "INACTIVE", "ACTIVE", 2),
            told("10", "10", "ACTIVE", "CLOSED", 2),
        ]
    );
    assert_eq!(events.last().unwrap().kind, "file.settled");
}

async fn waiting_pin_order(store: &dyn Store, prints_pin: bool) -> (SettleOutcome, usize) {
    let mut seed = Seed::begin(store).await;
    seed.reissued_card(10, None).await;
    seed.request(10, &pin_order(10, 10)).await;
    seed.reissued_card(20, None).await;
    let late = Request { marked_at: at("2026-11-20T03:00:00.000001Z"), ..pin_order(20, 20) };
    seed.request(20, &late).await;
    seed.commit().await;
    let run = Run::begin(store, 20, 1).await;
    let mut script = Script { prints_pin, hold: vec![uid(1_000_010)], ..Script::default() };
    let mut file = run.claim(store, &mut script).await.files.remove(0);
    let outcome = run.settle(store, &mut file).await;
    assert_eq!(live(store, 20).await, [(uid(1_000_020), false)]);
    (outcome, live(store, 10).await.len())
}

pub(crate) async fn r28_a_letter_with_the_card_supersedes_the_waiting_pin_order(store: &dyn Store) {
    let (outcome, waiting) = waiting_pin_order(store, true).await;
    assert_eq!((outcome.superseded, waiting), (1, 0));
    let events = store.events(0, 100).await.unwrap();
    let closed: Vec<_> = events.iter().filter(|event| event.kind == "request.closed").collect();
    assert_eq!(closed.len(), 1);
    assert!(closed[0].data.contains("SUPERSEDED"), "{}", closed[0].data);
}

pub(crate) async fn r28_without_a_letter_the_pin_order_goes_on_waiting(store: &dyn Store) {
    let (outcome, waiting) = waiting_pin_order(store, false).await;
    assert_eq!((outcome.superseded, waiting), (0, 1));
}

pub(crate) async fn r37_a_night_never_changes_the_pin_status(store: &dyn Store) {
    let mut seed = Seed::begin(store).await;
    for number in [1, 2] {
        seed.marked_card(number, None).await;
    }
    let chosen = Card { pin_status: PinStatus::Set, ..card(2, None) };
    seed.work.put_card(&issuer(), card_id(2), 2, &chosen, marked()).await.unwrap();
    seed.commit().await;
    let run = Run::begin(store, 20, 1).await;
    let mut file = run.claim(store, &mut Script::default()).await.files.remove(0);
    // Both get a new PIN here, which is more than the rules would ask for.
    assert_eq!(issue_pins(store, &run, file.file_id).await, 2);
    run.settle(store, &mut file).await;
    let mut work = store.intake().await.unwrap();
    for (number, version, expected) in [(1, 1, PinStatus::Default), (2, 2, PinStatus::Set)] {
        let stored = work.card(&issuer(), card_id(number)).await.unwrap().unwrap();
        assert_eq!((stored.version, stored.card.pin_status), (version, expected), "card {number}");
        assert_eq!(work.newest_pin(&issuer(), card_id(number)).await.unwrap(), Some(1));
    }
}

pub(crate) async fn r125_cards_closed_after_the_claim_are_counted(store: &dyn Store) {
    let mut seed = Seed::begin(store).await;
    for number in [1, 2, 3] {
        seed.marked_card(number, None).await;
    }
    seed.lose_card(3).await;
    seed.commit().await;
    let run = Run::begin(store, 20, 1).await;
    let mut file = run.claim(store, &mut Script::default()).await.files.remove(0);
    run.publish(store, &mut file).await;
    let mut seed = Seed::begin(store).await;
    seed.lose_card(1).await;
    // Changed, but not closed; and closed before, changed again.
    seed.work.put_card(&issuer(), card_id(2), 2, &card(2, None), marked()).await.unwrap();
    seed.lose_card(3).await;
    seed.commit().await;
    let outcome = store.settle(&file, run.epoch).await.unwrap();
    assert_eq!((outcome.closed_after_sealing, outcome.moved), (1, 3));
}

pub(crate) async fn fault_8_a_settlement_asked_for_again_tells_the_same(store: &dyn Store) {
    let mut seed = Seed::begin(store).await;
    seed.reissued_card(10, None).await;
    seed.commit().await;
    let run = Run::begin(store, 20, 1).await;
    let mut file = run.claim(store, &mut Script::default()).await.files.remove(0);
    let outcome = run.settle(store, &mut file).await;
    let events = store.events(0, 100).await.unwrap().len();
    assert_eq!(store.settle(&file, run.epoch).await.unwrap(), outcome);
    assert_eq!(store.events(0, 100).await.unwrap().len(), events);
    let stale = store.settle(&file, run.epoch - 1).await;
    assert!(matches!(stale, Err(StoreError::Stale { .. })), "{stale:?}");
}

pub(crate) async fn a_night_is_done_with_its_last_file(store: &dyn Store) {
    let mut seed = Seed::begin(store).await;
    for number in [1, 2] {
        seed.marked_card(number, None).await;
    }
    seed.commit().await;
    let run = Run::begin(store, 20, 1).await;
    let order = ClaimOrder { max_records_per_file: 1, ..run.order("HOUSE") };
    let files = store.claim(&order, &mut Script::default()).await.unwrap().files;
    for (mut file, state) in files.into_iter().zip([NightState::Claimed, NightState::Done]) {
        run.settle(store, &mut file).await;
        let night = store.night(&run.night(), &issuer(), &house("HOUSE")).await.unwrap().unwrap();
        assert_eq!(night.state, state);
    }
}

pub(crate) async fn r7_institutions_are_apart(store: &dyn Store) {
    // The same numbers in two institutions: only the claimed one's plastics move.
    for of in ["246001", "246002"] {
        let mut seed = Seed::begin(store).await;
        seed.of = of.parse().unwrap();
        seed.card(10, None).await;
        seed.plastic(&plastic(10, 10, 1, ProductionEvent::Ncrd, PlasticStatus::Active)).await;
        seed.plastic(&plastic(11, 10, 2, ProductionEvent::Rplre, PlasticStatus::Inactive)).await;
        let number = if of == "246001" { 11 } else { 911 };
        let own = Request { record_uid: uid(number), ..request(11, ProductionEvent::Rplre) };
        seed.request(10, &own).await;
        seed.commit().await;
    }
    let run = Run::begin(store, 20, 1).await;
    let mut file = run.claim(store, &mut Script::default()).await.files.remove(0);
    run.settle(store, &mut file).await;
    let plastics = store.plastics(None, 10).await.unwrap();
    let found: Vec<_> = plastics.iter().map(|row| (row.institution.as_str(), row.plastic.status.as_str())).collect();
    assert_eq!(found, [("246001", "CLOSED"), ("246001", "ACTIVE"), ("246002", "ACTIVE"), ("246002", "INACTIVE")]);
    // Pages go on behind the last plastic.
    let page = store.plastics(Some(("246001".parse().unwrap(), 11)), 10).await.unwrap();
    assert_eq!(page, plastics[2..]);
}
