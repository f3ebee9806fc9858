//! Runs that die and are resumed: from every state, at every writing step, before it and after it.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use emboss::night::{Observer, Stage};
use emboss::report::Outcome;
use emboss::settlement::FileState;
use serde_json::json;

use crate::rigged::{Rigged, Trick};
use crate::site::{
    DATE, NEXT, ORDERED, Site, card, night_of, only, only_file, sha256, update_card, update_plastic, with,
};
use crate::tripwire::{Tripwire, When};

/// Runs the night of [`DATE`] on a database that goes away at a step; the run must end with exit 3.
async fn die(site: &Site, step: &str, when: When) {
    let mut night = site.open_for(DATE).await;
    night.store = Tripwire::at(night.store, step, when);
    let error = site.run_fails(&night, DATE).await;
    assert_eq!(error.exit_code(), 3, "{step} {when:?}: {error}");
}

/// The promise: one file, one PIN a card, every plastic moved once, nothing left over, and a second run says so.
async fn check_promise(site: &Site, cards: &[u32], what: &str) {
    let files = site.delivered();
    assert_eq!(files.len(), 1, "{what}: {:?}", site.names_in("out"));
    assert_eq!(files[0].header.sequence_number, 1, "{what}");
    let expected: Vec<i64> = cards.iter().copied().map(i64::from).collect();
    assert_eq!(files[0].cards(), expected, "{what}");
    let (rows, file) = (site.files().await, &files[0]);
    assert_eq!(rows.len(), 1, "{what}");
    assert_eq!(
        (rows[0].state.as_str(), rows[0].sha256.as_deref()),
        ("SETTLED", Some(&*sha256(&file.sealed))),
        "{what}"
    );
    for number in cards {
        assert_eq!(site.status(*number).await, "ACTIVE", "{what}");
    }
    let moved = site.events("plastic.moved").await;
    assert_eq!(moved.len(), cards.len(), "{what}: each plastic moves once");
    assert_eq!(site.number("SELECT COUNT(*) FROM pin").await, i64::try_from(cards.len()).unwrap(), "{what} (R40)");
    let again = site.run(DATE).await;
    assert_eq!((only(&again).outcome, again.exit_code()), (Outcome::AlreadyDelivered, 0), "{what}: {again}");
    assert_eq!(site.names_in("out").len(), 1, "{what}");
}

/// R61 and faults 1 to 8: dies at every writing step of a night, with the step done or not, and is resumed once.
#[tokio::test]
async fn r61_a_run_that_dies_at_any_step_is_resumed_to_the_same_end() {
    let cards = [3001, 3002, 3003];
    let site = Site::with_cards(&cards).await;
    let mut night = site.open_for(DATE).await;
    let listing = Tripwire::listing(night.store);
    night.store = Arc::clone(&listing) as _;
    night.run(&night_of(DATE)).await.unwrap();
    let steps = listing.steps();
    let transitions = ["begin_run", "claim", "save_pins", "seal", "send", "complete", "rename", "publish", "settle"];
    assert_eq!(steps[..9], transitions, "the steps of a night");
    for (number, step) in steps.iter().enumerate() {
        for when in [When::Before, When::After] {
            let what = format!("{step} {when:?}");
            let site = Site::with_cards(&cards).await;
            let mut night = site.open_for(DATE).await;
            night.store = Tripwire::number(night.store, number, when);
            let error = site.run_fails(&night, DATE).await;
            assert_eq!(error.exit_code(), 3, "{what}");
            let moved = site.number("SELECT COUNT(*) FROM plastic WHERE status = 'ACTIVE'").await;
            let settled = site.number("SELECT COUNT(*) FROM file WHERE state = 'SETTLED'").await;
            assert_eq!(moved, settled * 3, "{what}: all plastics of the file moved or none");
            drop(night);
            let report = site.run(DATE).await;
            assert_eq!(report.exit_code(), 0, "{what}: {report}");
            check_promise(&site, &cards, &what).await;
        }
    }
}

/// The state each crash leaves is the one the table in `docs/ARCHITECTURE.md` names, so that the test above met every state.
#[tokio::test]
async fn a_crash_leaves_the_state_that_was_written_before_the_step() {
    for (step, when, state) in [
        ("save_pins", When::Before, "CLAIMED"),
        ("save_pins", When::After, "CLAIMED"),
        ("seal", When::After, "SEALED"),
        ("send", When::After, "SENDING"),
        ("complete", When::Before, "SENDING"),
        ("complete", When::After, "READY"),
        ("rename", When::After, "RENAMING"),
        ("publish", When::Before, "RENAMING"),
        ("publish", When::After, "PUBLISHED"),
        ("settle", When::Before, "PUBLISHED"),
    ] {
        let site = Site::with_cards(&[3001]).await;
        die(&site, step, when).await;
        assert_eq!(site.states().await, [state], "{step} {when:?}");
        let report = site.run(DATE).await;
        let sum = report.arithmetic();
        assert_eq!((sum.selected, sum.delivered, sum.adds_up()), (1, 1, true), "{step} {when:?}: {report}");
        assert_eq!((only_file(&report).state, report.exit_code()), (FileState::Settled, 0));
    }
}

/// R34, R40: the PINs of a run that died between PIN and seal are the PINs of the file that goes out.
#[tokio::test]
async fn r34_r40_a_pin_is_made_once_although_the_run_dies_before_it_is_sealed() {
    let site = Site::with_cards(&[3001, 3002]).await;
    die(&site, "save_pins", When::After).await;
    let query =
        "SELECT card_id || ' ' || version || ' ' || record_uid || ' ' || hex(stored) || hex(pvv) FROM pin ORDER BY 1";
    let before = site.texts(query).await;
    assert_eq!(before.len(), 2);
    site.run(DATE).await;
    assert_eq!(site.texts(query).await, before, "the first persisted PIN wins");
    let pinned = "SELECT COUNT(*) FROM file_item JOIN pin USING (record_uid)
        WHERE live = 1 AND version = 1 AND pin_action = 'GENERATE'";
    assert_eq!(site.number(pinned).await, 2, "and the file carries it");
}

/// R40, R125: sealed, lost before it was sent, and composed again under the same ids: the same plaintext, so the same
/// PIN blocks and PVVs (a PIN in the magnetic stripe's PVV and one in the chip must stay one).
#[tokio::test]
async fn r40_r125_two_tries_at_composing_give_the_same_records() {
    let site = Site::with_cards(&[3001, 3002]).await;
    die(&site, "seal", When::Before).await;
    let spooled = site.names_in("spool");
    let first = spooled.iter().find(|name| name.ends_with(".pgp")).expect("sealed, but not yet committed");
    let kept = site.path("first.xml.pgp");
    std::fs::copy(site.path("spool").join(first), &kept).unwrap();
    site.run(DATE).await;
    let (first, second) = (site.open_file(&kept), &site.delivered()[0]);
    assert_eq!(first.records, second.records);
    assert_eq!(first.header, second.header, "same id, number, run and dataAsOf");
    assert_eq!(first.trailer.records_sha256, second.trailer.records_sha256);
}

#[tokio::test]
async fn r125_a_sealed_file_is_frozen_the_retry_sends_the_same_bytes() {
    for (step, when) in [("seal", When::After), ("complete", When::Before), ("rename", When::After)] {
        let site = Site::with_cards(&[3001]).await;
        die(&site, step, when).await;
        let sealed = site.files().await[0].sha256.clone();
        assert!(sealed.is_some(), "{step}");
        let change = json!({"embossing": {"lastName": "Changed"}, "status": "CARD_BLOCKED"});
        site.take(ORDERED, &[update_card(3001, change)]).await;
        site.run(DATE).await;
        let file = &site.delivered()[0];
        assert_eq!(Some(sha256(&file.sealed)), sealed, "{step}: bytes equal");
        assert_eq!(file.records[0].embossing.as_ref().unwrap().last_name.as_deref(), Some("Liikamaa"));
    }
}

#[tokio::test]
async fn r125_a_card_that_was_closed_after_sealing_is_listed() {
    let site = Site::with_cards(&[3001, 3002]).await;
    die(&site, "seal", When::After).await;
    site.take(ORDERED, &[update_card(3002, json!({"status": "CARD_STOLEN"}))]).await;
    let report = site.run(DATE).await;
    assert_eq!(site.delivered()[0].cards(), [3001, 3002], "the file is frozen");
    let codes: Vec<&str> = report.alerts.iter().map(|alert| alert.code.as_str()).collect();
    assert_eq!((codes, report.exit_code()), (vec!["CLOSED_AFTER_SEALING"], 1));
}

#[tokio::test]
async fn r120_late_binding_an_update_before_the_claim_is_in_the_file_one_after_it_is_not() {
    let site = Site::with_cards(&[3001]).await;
    // Ordered after T0, but the run is late: it is in, because it is committed before the claim.
    site.take("2026-11-21T03:00:01Z", &[update_card(3001, json!({"embossing": {"firstName": "Before"}}))]).await;
    die(&site, "claim", When::After).await;
    site.take("2026-11-21T03:00:05Z", &[update_card(3001, json!({"embossing": {"firstName": "After"}}))]).await;
    site.run(DATE).await;
    let record = &site.delivered()[0].records[0];
    assert_eq!(record.embossing.as_ref().unwrap().first_name.as_deref(), Some("Before"), "even when resumed");
}

/// CLAIMED: resumed for a later T0, the file is claimed again under its id and number.
#[tokio::test]
async fn r125_a_claimed_file_is_claimed_again_for_a_later_night_under_its_id_and_number() {
    let site = Site::with_cards(&[3001, 3002]).await;
    die(&site, "save_pins", When::After).await;
    let (claimed, pins) = (site.files().await, site.texts("SELECT hex(stored) FROM pin ORDER BY record_uid").await);
    site.take("2026-11-21T10:00:00Z", &[card(3003, 1001), update_card(3002, json!({"status": "CARD_STOLEN"}))]).await;
    let report = site.run(NEXT).await;
    let file = &site.delivered()[0];
    assert_eq!(file.cards(), [3001, 3003], "the stolen card stays out, the new one goes");
    assert_eq!((file.header.file_id.to_string(), file.header.sequence_number), (claimed[0].file_id.clone(), 1));
    assert_eq!(report.total().excluded.get("CARD_STATUS_FINAL"), Some(&1), "{report}");
    let sum = report.arithmetic();
    assert!(sum.adds_up() && sum.selected == 3 && sum.delivered == 2, "{report}");
    let now = site.texts("SELECT hex(stored) FROM pin ORDER BY record_uid").await;
    assert!(pins.iter().all(|pin| now.contains(pin)), "PINs stay with their requests");
    assert_eq!(now.len(), 3);
    let earlier = site.run(DATE).await;
    assert_eq!(earlier.exit_code(), 0, "nothing is left for the earlier date: {earlier}");
    assert_eq!(site.names_in("out").len(), 1);
}

#[tokio::test]
async fn r122_r123_cancel_before_the_claim_and_while_claimed() {
    let site = Site::with_cards(&[3001, 3002]).await;
    site.take(ORDERED, &[update_plastic(3001, 1, "CANCEL")]).await;
    die(&site, "claim", When::After).await;
    let refused = &site.import("2026-11-21T03:10:00Z", &[update_plastic(3002, 1, "CANCEL")]).await[0];
    assert_eq!(refused["errorType"], "DYNAMIC_VALIDATION_ERROR", "{refused}");
    assert!(refused["errorReason"].as_str().unwrap().contains("in production"), "{refused}");
    let report = site.run(DATE).await;
    assert_eq!(site.delivered()[0].cards(), [3002], "the cancelled one is in no file");
    assert_eq!((report.arithmetic().selected, report.exit_code()), (1, 0));
    assert_eq!(site.texts("SELECT data ->> 'status' FROM card_version WHERE card_id = 3001").await, ["CARD_OK"]);
}

/// R123: released, CANCEL works again. The release is the one for a later night.
#[tokio::test]
async fn r123_a_released_plastic_can_be_cancelled_again() {
    let site = Site::with_cards(&[3001, 3002]).await;
    die(&site, "claim", When::After).await;
    site.take("2026-11-21T10:00:00Z", &[update_card(3001, json!({"pinStatus": "W"}))]).await;
    site.run(NEXT).await;
    assert_eq!(site.delivered()[0].cards(), [3002]);
    site.take("2026-11-22T10:00:00Z", &[update_plastic(3001, 1, "CANCEL")]).await;
    assert_eq!(site.status(3001).await, "CANCELLED");
}

#[tokio::test]
async fn fault_30_a_stopped_run_begins_no_new_transition_and_is_resumed() {
    use emboss::delivery::Step;
    for (step, state) in [(Step::Connect, "SEALED"), (Step::Close, "READY"), (Step::Rename, "PUBLISHED")] {
        let site = Site::with_cards(&[3001, 3002]).await;
        let mut night = site.open_for(DATE).await;
        Rigged::into(&mut night, Trick::StopAt(step), None, &site.path("out"));
        let error = site.run_fails(&night, DATE).await;
        assert_eq!(error.exit_code(), 3);
        assert!(night.stop.load(Ordering::Relaxed));
        assert_eq!(site.states().await, [state], "stopped at {step}");
        assert_eq!(site.status(3001).await, "INACTIVE");
        drop(night);
        assert_eq!(site.run(DATE).await.exit_code(), 0, "the lock was released");
        check_promise(&site, &[3001, 3002], &format!("stopped at {step}")).await;
    }
}

#[tokio::test]
async fn r131_numbers_are_dense_over_crashes_empty_nights_and_on_demand_runs() {
    let site = Site::with_cards(&[3001]).await;
    die(&site, "seal", When::Before).await;
    site.run(DATE).await;
    site.run(NEXT).await;
    site.take("2026-11-22T10:00:00Z", &[card(3002, 1001)]).await;
    site.run_now("2026-11-22T12:00:00Z", &[]).await;
    site.take("2026-11-22T13:00:00Z", &[with(card(3003, 1001), json!({"body": {"pinStatus": "W"}}))]).await;
    site.run("2026-11-23").await;
    site.take("2026-11-23T10:00:00Z", &[card(3004, 1001)]).await;
    site.run("2026-11-24").await;
    let files = site.delivered();
    let numbers: Vec<u64> = files.iter().map(|file| file.header.sequence_number).collect();
    assert_eq!(numbers, [1, 2, 3]);
    let before: Vec<_> = files.iter().map(|file| file.header.previous_file_id).collect();
    let ids: Vec<_> = files.iter().map(|file| Some(file.header.file_id)).collect();
    assert_eq!(before, [None, ids[0], ids[1]], "each names the one before it");
}

/// Tells how many records each attempt at composing was for.
#[derive(Debug, Default)]
struct Attempts(std::sync::Mutex<Vec<u64>>);

impl Observer for Attempts {
    fn progress(&self, _subject: &str, stage: Stage, _done: u64, total: u64) {
        if stage == Stage::Seal {
            self.0.lock().unwrap().push(total);
        }
    }

    fn finished(&self, _subject: &str, _stage: Stage) {}
}

/// night.md 2, Counts: cards that fall out while composing end that attempt. One more is enough for all of them: a key
/// that retired would else have a night composed once for each of its cards.
#[tokio::test]
async fn all_cards_that_fall_out_cost_one_more_attempt() {
    let site = Site::with_cards(&[3001, 3002, 3003, 3004, 3005]).await;
    die(&site, "save_pins", When::After).await;
    site.sql("UPDATE pin SET stored = x'00' WHERE card_id IN (3001, 3003, 3005)").await;
    let mut night = site.open_for(DATE).await;
    let attempts = Arc::new(Attempts::default());
    night.observer = Arc::clone(&attempts) as _;
    let report = night.run(&night_of(DATE)).await.unwrap();
    assert_eq!(*attempts.0.lock().unwrap(), [5, 2], "records of each attempt");
    assert_eq!(site.delivered()[0].cards(), [3002, 3004]);
    assert_eq!(report.total().held.get("PIN_NOT_AVAILABLE"), Some(&3), "{report}");
    assert_eq!((report.alerts.len(), report.arithmetic().adds_up()), (1, true), "one alert for all three: {report}");
    assert!(report.alerts[0].text.starts_with("3 cards fell out of file"), "{report}");
}
