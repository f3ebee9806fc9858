//! What the orders of a card's later life become in a night: reissue, replacement, physical form, PIN letter.

use emboss::document::Record;
use serde_json::{Value, json};

use crate::site::{DATE, NEXT, ORDERED, Site, card, for_card, only, person, row, update_plastic, with};

const AFTERWARDS: &str = "2026-11-23";

/// Event, state and reason of every request of a card, in the order in which they were marked.
async fn requests(site: &Site, card: u32) -> Vec<String> {
    site.texts(&format!(
        "SELECT event || ' ' || state || ' ' || COALESCE(reason, '-') FROM production_request WHERE card_id = {card}
         ORDER BY number"
    ))
    .await
}

async fn expiries(site: &Site, card: u32) -> Vec<String> {
    site.texts(&format!("SELECT CAST(expiry AS TEXT) FROM plastic WHERE card_id = {card} ORDER BY sequence_number"))
        .await
}

fn replace(card: u32, new: u32, body: Value) -> Value {
    with(with(for_card("replaceCard", card), json!({"body": {"newCardId": new.to_string()}})), json!({"body": body}))
}

fn of_product(number: u32, product: &str) -> Value {
    with(card(number, 1001), json!({"body": {"productCode": product}}))
}

/// The delivered record of the newest file, which has no other.
fn newest(site: &Site) -> Record {
    let mut file = site.delivered().pop().expect("a file");
    assert_eq!(file.records.len(), 1, "{}", file.name);
    file.records.remove(0)
}

#[tokio::test]
async fn r115_r35_a_reissue_keeps_number_expiry_cvv2_and_pin() {
    let site = Site::with_cards(&[3001]).await;
    site.run(DATE).await;
    let first = newest(&site);
    site.take("2026-11-21T10:00:00Z", &[for_card("reissueCard", 3001)]).await;
    let report = site.run(NEXT).await;
    let again = newest(&site);
    assert_eq!((again.production_event.as_str(), again.sequence_number), ("RPLRE", 2));
    assert!(again.pan.expose() == first.pan.expose() && again.cvv2 == first.cvv2, "R115: number and CVV2 stay");
    assert_eq!((expiries(&site, 3001).await, again.expiry), (vec!["202911".to_owned(); 2], first.expiry));
    assert!(first.pin_mailer.is_some() && again.pin_mailer.is_none(), "R42: the same PIN, no letter");
    assert!(again.chip_pin.is_some(), "the chip has it");
    assert_eq!(site.number("SELECT COUNT(*) FROM pin").await, 1, "R35: no PIN is made");
    assert_eq!(site.plastics(3001).await, [row(1, "CLOSED"), row(2, "ACTIVE")], "R63");
    assert_eq!((report.arithmetic().delivered, report.exit_code()), (1, 0), "{report}");
    site.run(AFTERWARDS).await;
    assert_eq!(site.delivered().len(), 2, "once");
}

/// The order is made on the first day on which less than two months are left, and goes out in the night after it.
#[tokio::test]
async fn r115_a_reissue_in_the_last_two_months_has_a_new_expiry_and_cvv2() {
    let site = Site::with_cards(&[]).await;
    let ends = |year: u32, month: u32| json!({"body": {"expiration": {"year": year, "month": month}}});
    let cards = [with(card(3001, 1001), ends(2027, 1)), with(card(3002, 1001), ends(2026, 12))];
    site.take("2026-10-20T10:00:00Z", &cards).await;
    site.run("2026-10-21").await;
    site.take("2026-11-30T23:59:00Z", &[for_card("reissueCard", 3001), for_card("reissueCard", 3002)]).await;
    site.run("2026-12-01").await;
    assert_eq!(expiries(&site, 3001).await, ["202701", "202701"], "two months are left: 30 January");
    assert_eq!(expiries(&site, 3002).await, ["202612", "202912"]);
    let files = site.delivered();
    let (was, now) = (&files[0].records, &files[1].records);
    assert!(was[0].cvv2 == now[0].cvv2 && was[1].cvv2 != now[1].cvv2, "the CVV2 goes with the expiry");
    assert_eq!((now[1].card_id.get(), now[1].expiry.to_string().as_str()), (3002, "2029-12"));
    assert!(was[1].pan.expose() == now[1].pan.expose() && now[1].pin_mailer.is_none(), "number and PIN stay");
}

#[tokio::test]
async fn r118_r122_a_cancelled_reissue_is_in_no_file_and_the_next_one_goes() {
    let site = Site::with_cards(&[3001]).await;
    site.run(DATE).await;
    let orders = [for_card("reissueCard", 3001), update_plastic(3001, 2, "CANCEL"), for_card("reissueCard", 3001)];
    site.take("2026-11-21T10:00:00Z", &orders).await;
    site.run(NEXT).await;
    assert_eq!(newest(&site).sequence_number, 3);
    assert_eq!(site.plastics(3001).await, [row(1, "CLOSED"), row(2, "CANCELLED"), row(3, "ACTIVE")]);
    assert_eq!(requests(&site, 3001).await, ["NCRD SENT -", "RPLRE CLOSED CANCELLED", "RPLRE SENT -"]);
}

/// The lost card was never produced: its plastic stays out for good, the new card's goes.
#[tokio::test]
async fn r52_r53_the_marked_plastic_of_a_lost_card_is_excluded_without_an_alert() {
    let site = Site::with_cards(&[3001]).await;
    site.take("2026-11-20T11:00:00Z", &[replace(3001, 3002, json!({}))]).await;
    let report = site.run(DATE).await;
    let record = newest(&site);
    assert_eq!((record.card_id.get(), record.production_event.as_str(), record.sequence_number), (3002, "NLOST", 1));
    assert!(record.pin_mailer.is_some(), "R34: a new card has a new PIN");
    assert_eq!(only(&report).tally.excluded.get("CARD_STATUS_FINAL"), Some(&1), "{report}");
    assert_eq!((report.alerts.len(), report.exit_code()), (0, 0), "it was ordered before the loss: {report}");
    assert_eq!(
        (site.plastics(3001).await, site.plastics(3002).await),
        (vec![row(1, "INACTIVE")], vec![row(1, "ACTIVE")])
    );
    assert_eq!(
        (requests(&site, 3001).await, requests(&site, 3002).await),
        (vec!["NCRD OPEN -".into()], vec!["NLOST SENT -".into()])
    );
}

/// R66 with instant issuing: the new card's virtual plastic closes with its physical one; the lost card's do not.
#[tokio::test]
async fn r65_r66_rallnlost_closes_the_virtual_plastic_of_the_new_card_only() {
    let site = Site::with_cards(&[]).await;
    site.take(ORDERED, &[of_product(3001, "VISA_INSTANT")]).await;
    site.run(DATE).await;
    assert_eq!(site.plastics(3001).await, [row(1, "CLOSED"), row(2, "ACTIVE")]);
    site.take("2026-11-21T10:00:00Z", &[for_card("reissueCard", 3001), replace(3001, 3002, json!({}))]).await;
    let lost = [row(1, "CLOSED"), row(2, "ACTIVE"), row(3, "INACTIVE")];
    assert_eq!(site.plastics(3001).await, lost);
    assert_eq!(site.plastics(3002).await, [row(1, "ACTIVE"), row(2, "INACTIVE")], "usable before the night");
    site.run(NEXT).await;
    let record = newest(&site);
    assert_eq!(
        (record.card_id.get(), record.production_event.as_str(), record.sequence_number),
        (3002, "RALLNLOST", 2)
    );
    assert_eq!(site.plastics(3002).await, [row(1, "CLOSED"), row(2, "ACTIVE")], "R65");
    assert_eq!(site.plastics(3001).await, lost, "R66: nothing of the lost card moves");
    assert_eq!(site.number("SELECT COUNT(*) FROM pin WHERE card_id = 3002").await, 1, "R20: a PIN of its own");
}

/// R53, R54: what became of the lost card may be told before the night; the new card goes all the same.
#[tokio::test]
async fn r53_r116_a_lost_card_told_to_be_stolen_holds_up_nothing() {
    for told in ["CARD_STOLEN", "CARD_CLOSED_DUE_TO_FRAUD"] {
        let site = Site::with_cards(&[3001]).await;
        site.run(DATE).await;
        let status = crate::site::update_card(3001, json!({"status": told}));
        site.take("2026-11-21T10:00:00Z", &[replace(3001, 3002, json!({"pinStatus": "D"})), status]).await;
        let report = site.run(NEXT).await;
        assert_eq!((newest(&site).card_id.get(), report.exit_code()), (3002, 0), "{report}");
        assert_eq!(
            (site.plastics(3001).await, site.plastics(3002).await),
            (vec![row(1, "ACTIVE")], vec![row(1, "ACTIVE")])
        );
    }
}

/// R38 from the other side: W of the replacement holds it, whatever the lost card's was.
#[tokio::test]
async fn r30_r38_w_of_a_replacement_holds_it() {
    let site = Site::with_cards(&[3001]).await;
    site.run(DATE).await;
    site.take("2026-11-21T10:00:00Z", &[replace(3001, 3002, json!({"pinStatus": "W"}))]).await;
    let report = site.run(NEXT).await;
    assert_eq!(only(&report).tally.held.get("HELD_PIN_WAIT"), Some(&1), "{report}");
    assert_eq!((site.delivered().len(), site.plastics(3002).await), (1, vec![row(1, "INACTIVE")]));
}

#[tokio::test]
async fn r20_r22_the_physical_form_of_a_virtual_card_goes_out_and_closes_it() {
    for (produced, expected) in [("active", ["CLOSED", "ACTIVE"]), ("locked", ["ACTIVE", "LOCKED"])] {
        let site = Site::new();
        site.edit(
            "pan_prefixes = [\"40000012\"]",
            &format!("pan_prefixes = [\"40000012\"]\nproduced = \"{produced}\""),
        );
        site.take(ORDERED, &person(1001)).await;
        site.take(ORDERED, &[with(card(3001, 1001), json!({"body": {"embossing": {"physical": false}}}))]).await;
        assert_eq!(site.run(DATE).await.arithmetic().selected, 0, "R5: a virtual plastic is in no file");
        site.take("2026-11-21T10:00:00Z", &[for_card("orderPhysical", 3001)]).await;
        let report = site.run(NEXT).await;
        let record = newest(&site);
        assert_eq!((record.production_event.as_str(), record.sequence_number), ("RALLRE", 2), "R23");
        assert_eq!(expiries(&site, 3001).await, ["202911", "202911"], "A6");
        assert!(record.pin_mailer.is_some(), "R34: the first PIN of the card");
        assert_eq!(report.exit_code(), 0, "{report}");
        assert_eq!(site.plastics(3001).await, [row(1, expected[0]), row(2, expected[1])], "R64, R65: {produced}");
    }
}

/// A virtual product that was given a service code: without the order nothing of it is made.
#[tokio::test]
async fn a23_a_virtual_product_with_a_service_code_is_produced_once_it_is_ordered() {
    let site = Site::with_cards(&[]).await;
    site.add(
        "[[product]]\ninstitution = \"246001\"\ncode = \"VISA_EITHER\"\nscheme = \"VISA\"\nform = \"virtual\"\n\
         pan_prefixes = [\"40000078\"]\nmonths = 24\nservice_code = \"201\"\ncvv2_key = \"cvk2-1\"\n",
    );
    site.take(ORDERED, &[of_product(3001, "VISA_EITHER")]).await;
    site.take("2026-11-20T11:00:00Z", &[for_card("orderPhysical", 3001)]).await;
    let report = site.run(DATE).await;
    let record = newest(&site);
    assert_eq!((record.production_event.as_str(), record.sequence_number), ("RALLRE", 2));
    assert!(record.cvv2.is_some() && record.track1.is_none(), "a plastic without stripe and chip");
    assert!(record.pin_mailer.is_none(), "of a product without a PIN");
    assert_eq!((site.plastics(3001).await, report.exit_code()), (vec![row(1, "CLOSED"), row(2, "ACTIVE")], 0));
}

/// R28 without a letter with the card: one record each, and their identities differ.
#[tokio::test]
async fn r28_r25_a_reissue_and_a_pin_order_are_one_record_each() {
    let site = Site::with_cards(&[3001]).await;
    site.run(DATE).await;
    site.take("2026-11-21T10:00:00Z", &[for_card("reissueCard", 3001), for_card("reorderPin", 3001)]).await;
    site.run(NEXT).await;
    let file = &site.delivered()[1];
    let what =
        |record: &Record| (record.production_event.as_str(), record.record_type.as_str(), record.pin_mailer.is_some());
    let mut records: Vec<_> = file.records.iter().map(what).collect();
    records.sort_unstable();
    assert_eq!(records, [("ROPIN", "PIN_ONLY", true), ("RPLRE", "CARD", false)]);
    assert_ne!(file.records[0].record_uid, file.records[1].record_uid);
    assert_eq!(requests(&site, 3001).await, ["NCRD SENT -", "RPLRE SENT -", "ROPIN SENT -"]);
    assert_eq!(site.plastics(3001).await, [row(1, "CLOSED"), row(2, "ACTIVE")], "the letter moved nothing of it");
}

/// R28 with a letter with the card: the PIN order waits for that file and is closed with it; then the next is taken.
#[tokio::test]
async fn r28_the_letter_of_a_reissue_answers_the_pin_order() {
    let site = Site::with_cards(&[3001]).await;
    site.edit("default_product = \"VISA_CARD\"", "default_product = \"VISA_CARD\"\nmailer_for_reissue = true");
    site.run(DATE).await;
    site.take("2026-11-21T10:00:00Z", &[for_card("reissueCard", 3001), for_card("reorderPin", 3001)]).await;
    let report = site.run(NEXT).await;
    assert_eq!(only(&report).tally.held.get("WAITING_FOR_CARD_FILE"), Some(&1), "{report}");
    let record = newest(&site);
    assert_eq!((record.production_event.as_str(), record.pin_mailer.is_some()), ("RPLRE", true));
    assert_eq!(requests(&site, 3001).await, ["NCRD SENT -", "RPLRE SENT -", "ROPIN CLOSED SUPERSEDED"]);
    assert_eq!(site.number("SELECT COUNT(*) FROM pin").await, 1);
    assert!(report.arithmetic().adds_up());

    site.reorder_pin(3001, "2026-11-22T10:00:00Z").await;
    site.run(AFTERWARDS).await;
    assert_eq!(newest(&site).record_type.as_str(), "PIN_ONLY", "R130: the one before is answered");
}

/// R26, R28: a PIN that is reordered before there is one is told by the letter of the card's own file.
#[tokio::test]
async fn r26_r28_a_pin_order_that_comes_before_the_card_is_answered_by_its_letter() {
    let site = Site::with_cards(&[3001]).await;
    let answer = &site.import("2026-11-20T11:00:00Z", &[for_card("reorderPin", 3001)]).await[0];
    assert_eq!(answer["warnings"][0]["code"], "PIN_NOT_AVAILABLE", "{answer}");
    let report = site.run(DATE).await;
    assert_eq!(only(&report).tally.held.get("PIN_NOT_AVAILABLE"), Some(&1), "{report}");
    assert!(newest(&site).pin_mailer.is_some());
    assert_eq!(requests(&site, 3001).await, ["NCRD SENT -", "ROPIN CLOSED SUPERSEDED"]);
}

#[tokio::test]
async fn r27_a_pin_that_is_delivered_electronically_is_not_mailed_again() {
    let site = Site::with_cards(&[]).await;
    site.take(ORDERED, &[with(card(3001, 1001), json!({"body": {"pinDeliveryType": "EPIN"}}))]).await;
    site.run(DATE).await;
    site.reorder_pin(3001, "2026-11-21T10:00:00Z").await;
    let report = site.run(NEXT).await;
    assert_eq!((report.arithmetic().closed, site.delivered().len()), (1, 1), "{report}");
    assert_eq!(requests(&site, 3001).await[1], "ROPIN CLOSED NOTHING_TO_PRINT");
}
