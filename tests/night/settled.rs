//! What a settlement does to plastics: R60-R70 with the sequences of S4, and what it tells.

use serde_json::json;

use crate::rigged::{Rigged, Trick};
use crate::site::{
    DATE, NEXT, ORDERED, Site, card, for_card, night_of, only, only_file, person, row, update_card, update_plastic,
    with,
};
use emboss::delivery::{Refusal, Step};
use emboss::report::Outcome;

#[tokio::test]
async fn r60_nothing_moves_while_the_house_refuses() {
    for step in [Step::Create, Step::Write, Step::Rename] {
        let site = Site::with_cards(&[3001, 3002]).await;
        let mut night = site.open_for(DATE).await;
        Rigged::into(&mut night, Trick::Refuse(step, Refusal::PermissionDenied), None, &site.path("out"));
        let report = night.run(&night_of(DATE)).await.unwrap();
        assert_eq!((only(&report).outcome, report.exit_code()), (Outcome::Unfinished, 1), "{report}");
        let sum = report.arithmetic();
        assert_eq!((sum.selected, sum.delivered, sum.undelivered.values().sum::<u64>()), (2, 0, 2), "{report}");
        assert!(sum.adds_up());
        assert_eq!((site.status(3001).await, site.status(3002).await), ("INACTIVE".into(), "INACTIVE".into()));
        assert!(site.events("plastic.moved").await.is_empty());
        let published = site.names_in("out").into_iter().filter(|name| name.ends_with(".pgp")).count();
        assert_eq!(published, 0, "{step}");
    }
}

/// R61: one plastic that cannot be moved keeps all of its file from moving.
#[tokio::test]
async fn r61_all_plastics_of_a_file_move_in_one_transaction_or_none() {
    let site = Site::with_cards(&[3001, 3002, 3003]).await;
    site.sql(
        "CREATE TRIGGER stuck BEFORE UPDATE ON plastic WHEN NEW.card_id = 3003 AND NEW.status = 'ACTIVE'
         BEGIN SELECT RAISE(ABORT, 'stuck'); END",
    )
    .await;
    let night = site.open_for(DATE).await;
    let error = site.run_fails(&night, DATE).await;
    assert_eq!(error.exit_code(), 3, "{error}");
    drop(night);
    assert_eq!(site.states().await, ["PUBLISHED"]);
    for number in [3001, 3002, 3003] {
        assert_eq!(site.status(number).await, "INACTIVE");
    }
    assert!(site.events("plastic.moved").await.is_empty(), "and nothing is told");

    site.sql("DROP TRIGGER stuck").await;
    let report = site.run(DATE).await;
    assert_eq!((report.exit_code(), report.arithmetic().delivered), (0, 3), "{report}");
    for number in [3001, 3002, 3003] {
        assert_eq!(site.status(number).await, "ACTIVE");
    }
    assert_eq!(site.names_in("out").len(), 1, "published once");
}

/// S4's example: (1 ACTIVE, 2 INACTIVE) -> (1 CLOSED, 2 ACTIVE), by way of a reissue.
#[tokio::test]
async fn r62_r63_r66_a_new_card_becomes_active_and_its_reissue_closes_it() {
    let site = Site::with_cards(&[3001]).await;
    site.run(DATE).await;
    assert_eq!(site.plastics(3001).await, [row(1, "ACTIVE")], "R66: one flip only");

    site.take("2026-11-21T10:00:00Z", &[for_card("reissueCard", 3001)]).await;
    assert_eq!(site.plastics(3001).await, [row(1, "ACTIVE"), row(2, "INACTIVE")]);
    site.run(NEXT).await;
    assert_eq!(site.plastics(3001).await, [row(1, "CLOSED"), row(2, "ACTIVE")]);
    let record = &site.delivered()[1].records[0];
    assert_eq!((record.production_event.as_str(), record.sequence_number), ("RPLRE", 2));
    assert!(record.pin_mailer.is_none(), "R35, R42: the PIN stays and is not mailed again");
    assert_eq!(site.number("SELECT COUNT(*) FROM pin").await, 1);
}

/// A product that is produced locked: the older plastic stays until ACTIVATE.
#[tokio::test]
async fn r62_r64_r68_a_locked_product_closes_its_predecessor_at_activation() {
    let site = Site::new();
    site.edit("pan_prefixes = [\"40000012\"]", "pan_prefixes = [\"40000012\"]\nproduced = \"locked\"");
    let mut orders = person(1001);
    orders.push(card(3001, 1001));
    site.take(ORDERED, &orders).await;
    site.run(DATE).await;
    assert_eq!(site.plastics(3001).await, [row(1, "LOCKED")]);
    site.take("2026-11-21T10:00:00Z", &[update_plastic(3001, 1, "ACTIVATE")]).await;
    site.take("2026-11-21T10:00:01Z", &[for_card("reissueCard", 3001)]).await;
    let early = &site.import("2026-11-21T10:00:02Z", &[update_plastic(3001, 2, "ACTIVATE")]).await[0];
    assert!(!early["errorCode"].is_null(), "R68: ACTIVATE on INACTIVE is refused");
    site.run(NEXT).await;
    assert_eq!(site.plastics(3001).await, [row(1, "ACTIVE"), row(2, "LOCKED")]);
    site.take("2026-11-22T10:00:00Z", &[update_plastic(3001, 2, "ACTIVATE")]).await;
    assert_eq!(site.plastics(3001).await, [row(1, "CLOSED"), row(2, "ACTIVE")]);
}

fn instant_card(number: u32) -> serde_json::Value {
    with(card(number, 1001), json!({"body": {"productCode": "VISA_INSTANT"}}))
}

#[tokio::test]
async fn r65_r23_instant_issuing_closes_the_virtual_plastic_when_the_physical_one_becomes_active() {
    let site = Site::with_cards(&[]).await;
    site.take(ORDERED, &[instant_card(3001)]).await;
    assert_eq!(site.plastics(3001).await, [row(1, "ACTIVE"), row(2, "INACTIVE")]);
    site.run(DATE).await;
    let file = &site.delivered()[0];
    assert_eq!(file.records.len(), 1, "R5: the virtual plastic is in no file");
    assert_eq!((file.records[0].sequence_number, file.records[0].production_event.as_str()), (2, "RALLRE"));
    assert_eq!(site.plastics(3001).await, [row(1, "CLOSED"), row(2, "ACTIVE")]);
}

/// The trap: with a locked product the customer would lose the instant card overnight.
#[tokio::test]
async fn r65_with_a_locked_product_the_virtual_plastic_stays_active() {
    let site = Site::new();
    site.edit("pan_prefixes = [\"40000034\"]", "pan_prefixes = [\"40000034\"]\nproduced = \"locked\"");
    let mut orders = person(1001);
    orders.push(instant_card(3001));
    site.take(ORDERED, &orders).await;
    site.run(DATE).await;
    assert_eq!(site.plastics(3001).await, [row(1, "ACTIVE"), row(2, "LOCKED")]);
    site.take("2026-11-21T10:00:00Z", &[update_plastic(3001, 2, "ACTIVATE")]).await;
    assert_eq!(site.plastics(3001).await, [row(1, "CLOSED"), row(2, "ACTIVE")]);
}

/// R53, R66: the new card goes, W on the lost card does not hold it (R38), and the lost card's plastic is left alone.
#[tokio::test]
async fn r38_r53_r66_a_replacement_never_touches_the_plastics_of_the_lost_card() {
    let site = Site::with_cards(&[3001]).await;
    site.run(DATE).await;
    let lost = update_card(3001, json!({"status": "CARD_BLOCKED", "pinStatus": "W"}));
    let replace = with(for_card("replaceCard", 3001), json!({"body": {"newCardId": "3002"}}));
    site.take("2026-11-21T10:00:00Z", &[lost, replace]).await;
    let report = site.run(NEXT).await;
    assert_eq!(site.delivered()[1].cards(), [3002]);
    assert_eq!(site.delivered()[1].records[0].production_event.as_str(), "NLOST");
    assert_eq!(site.plastics(3002).await, [row(1, "ACTIVE")]);
    assert_eq!(site.plastics(3001).await, [row(1, "ACTIVE")], "another card id: not ours to close");
    assert_eq!(report.exit_code(), 0, "{report}");
    let pans = site.delivered().iter().map(|file| file.records[0].pan_masked.clone()).collect::<Vec<_>>();
    assert_ne!(pans[0], pans[1], "R24: the PAN of the card the plastic belongs to");
}

#[tokio::test]
async fn r25_r67_a_reordered_pin_is_mailed_and_moves_nothing() {
    let site = Site::with_cards(&[3001]).await;
    site.run(DATE).await;
    let mailed = site.delivered()[0].records[0].pin_mailer.clone().expect("R41: a new PIN is mailed");
    site.reorder_pin(3001, "2026-11-21T10:00:00Z").await;
    let before = site.events("plastic.moved").await.len();
    let report = site.run(NEXT).await;
    let file = &site.delivered()[1];
    let record = &file.records[0];
    assert_eq!((record.record_type.as_str(), record.production_event.as_str()), ("PIN_ONLY", "ROPIN"));
    assert!(record.cvv2.is_none() && record.track1.is_none() && record.card_delivery.is_none());
    let again = record.pin_mailer.as_ref().expect("R25: its letter");
    assert_eq!(again.address, mailed.address);
    assert_eq!((file.trailer.number_of_cards, file.trailer.number_of_pin_only), (0, 1));
    assert_eq!((site.plastics(3001).await, site.events("plastic.moved").await.len()), (vec![row(1, "ACTIVE")], before));
    assert_eq!(site.number("SELECT COUNT(*) FROM pin").await, 1, "the same PIN");
    assert_eq!((only_file(&report).cards, only_file(&report).pin_only), (0, 1));
}

#[tokio::test]
async fn r41_a_pin_that_is_delivered_electronically_has_no_letter() {
    let site = Site::with_cards(&[3001]).await;
    site.take(ORDERED, &[with(card(3002, 1001), json!({"body": {"pinDeliveryType": "EPIN"}}))]).await;
    site.run(DATE).await;
    let file = &site.delivered()[0];
    let letters: Vec<bool> = file.records.iter().map(|record| record.pin_mailer.is_some()).collect();
    assert_eq!(letters, [true, false]);
    assert!(file.records[1].chip_pin.is_some(), "the chip has its PIN all the same");
    let [letter, chip] =
        [&file.records[0].pin_mailer.as_ref().unwrap().pin_block, file.records[0].chip_pin.as_ref().unwrap()];
    assert!(letter == chip, "chip and letter carry the same block");
    assert_eq!(file.trailer.number_of_pin_mailers, 1);
}

/// R69: a plastic was cancelled by hand in the database while its file was published: the others settle.
#[tokio::test]
async fn r69_a_plastic_that_was_moved_by_hand_is_a_mismatch_and_the_others_settle() {
    use crate::tripwire::{Tripwire, When};
    let site = Site::with_cards(&[3001, 3002, 3003]).await;
    let mut night = site.open_for(DATE).await;
    night.store = Tripwire::at(night.store, "settle", When::Before);
    site.run_fails(&night, DATE).await;
    drop(night);
    site.sql("UPDATE plastic SET status = 'CANCELLED' WHERE card_id = 3002").await;

    let report = site.run(DATE).await;
    assert_eq!(report.exit_code(), 1, "{report}");
    let alerts: Vec<&str> = report.alerts.iter().map(|alert| alert.code.as_str()).collect();
    assert_eq!(alerts, ["SETTLE_MISMATCH"]);
    assert!(report.alerts[0].text.contains("CANCELLED"), "what was found: {}", report.alerts[0].text);
    assert_eq!((site.status(3001).await, site.status(3003).await), ("ACTIVE".into(), "ACTIVE".into()));
    assert_eq!(site.status(3002).await, "CANCELLED", "R69: never forced");
    let requests =
        site.texts("SELECT state || ' ' || COALESCE(reason, '-') FROM production_request ORDER BY card_id").await;
    assert_eq!(requests, ["SENT -", "SENT SETTLE_MISMATCH", "SENT -"]);
    assert_eq!((site.states().await, report.arithmetic().adds_up()), (vec!["SETTLED".to_owned()], true));
}

#[tokio::test]
async fn r70_each_plastic_has_its_date_and_one_event_with_file_and_record_number() {
    let site = Site::with_cards(&[3002, 3001]).await;
    site.take(ORDERED, &[instant_card(3003)]).await;
    // A run that is so late that its clock shows the next day: the date is the run's.
    let report = site.open("2026-11-22T01:00:00Z").await.run(&night_of(DATE)).await.unwrap();
    let dates = site.texts("SELECT COALESCE(embossing_date, '-') FROM plastic ORDER BY card_id, sequence_number").await;
    assert_eq!(dates, [DATE, DATE, "-", DATE]);
    let file = &site.delivered()[0];
    let moved = site.events("plastic.moved").await;
    assert_eq!(moved.len(), 4, "three produced and one closed");
    for record in &file.records {
        let card_id = record.card_id.to_string();
        let told: Vec<_> = moved.iter().filter(|event| event["cardId"] == card_id && event["to"] == "ACTIVE").collect();
        assert_eq!(told.len(), 1);
        assert_eq!(told[0]["from"], "INACTIVE");
        assert_eq!(told[0]["fileId"], file.header.file_id.to_string());
        assert_eq!(told[0]["recordNumber"], record.record_number);
        assert_eq!(told[0]["plasticId"], record.plastic_id.to_string());
    }
    let closed: Vec<_> = moved.iter().filter(|event| event["to"] == "CLOSED").collect();
    assert_eq!((closed.len(), &closed[0]["cardId"], &closed[0]["from"]), (1, &json!("3003"), &json!("ACTIVE")));
    assert_eq!(report.exit_code(), 0);
}

/// R130: one live item per request, and the database itself refuses a second one.
#[tokio::test]
async fn r130_a_request_is_in_one_file_only() {
    let site = Site::with_cards(&[3001]).await;
    site.run(DATE).await;
    site.run(NEXT).await;
    site.run_now("2026-11-22T10:00:00Z", &[3001]).await;
    assert_eq!(site.names_in("out").len(), 1);
    assert_eq!(site.number("SELECT COUNT(*) FROM file_item WHERE live = 1").await, 1);
    let twice =
        "INSERT INTO file_item SELECT file_id, sort_key || 'x', epoch, record_uid, institution, card_id, plastic_id,
        event, reproduction, card_version, product_code, customer_id, customer_version, account_id, account_version,
        pin_action, pin_version, prints_pin, settles_to, duplicate, live, reason FROM file_item";
    let refused = site.try_sql(twice).await.unwrap_err().to_string();
    assert!(refused.contains("UNIQUE"), "{refused}");
}
