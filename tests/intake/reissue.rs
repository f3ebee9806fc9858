use chrono::TimeDelta;
use emboss::ambient::FixedClock;
use emboss::card::{CardStatus, Expiry, PinStatus, PlasticStatus, ProductionEvent};
use emboss::store::Store;
use serde_json::{Value, json};

use crate::desk::*;
use PlasticStatus::{Active, Cancelled, Inactive, Locked};
use ProductionEvent::{Ncrd, Rplre};

fn reissue(card: &str) -> Value {
    for_card("reissueCard", card)
}

fn expiry(text: &str) -> Expiry {
    text.parse().unwrap()
}

/// Card 3001 with plastic 1 (NCRD), produced.
async fn with_card(product: &str, expires: &str, produced: PlasticStatus) -> Desk {
    let desk = Desk::with_customers().await;
    make_card(&desk, product, expires, produced).await;
    desk
}

async fn make_card(desk: &Desk, product: &str, expires: &str, produced: PlasticStatus) {
    let expires = expiry(expires);
    let body = json!({"productCode": product, "embossing": {"firstName": "Monica", "lastName": "Liikamaa"},
        "expiration": {"year": expires.year(), "month": expires.month()}});
    desk.take(&new_card("3001", body)).await;
    desk.produce("3001", produced).await;
}

#[tokio::test]
async fn r20_r114_r118_a_reissue_marks_the_cards_next_plastic() {
    let desk = with_card("VISA_CARD", "2029-11", Active).await;
    let line = with(reissue("3001"), "at", json!("2026-11-20T11:00:00Z"));
    let answer = desk.take(&line).await;
    assert_eq!(
        (&answer["description"], &answer["id"], &answer["cardId"]),
        (&json!("Card reissued"), &json!("3001"), &json!("3001"))
    );
    assert_eq!(answer.get("warnings"), None);

    let plastics = desk.plastics("3001").await;
    assert_eq!(shape(&plastics), [(1, Ncrd, Active, true), (2, Rplre, Inactive, true)]);
    assert_eq!(answer["plasticIds"], json!([plastics[1].plastic_id.to_string()]), "the new one only");
    let ordered = at("2026-11-20T11:00:00Z");
    assert_eq!(plastics[1].marked_at, Some(ordered));
    assert_eq!(
        (plastics[1].expiry, &plastics[1].cvv_key, &plastics[1].cvv2_key, plastics[1].embossing_date),
        (plastics[0].expiry, &plastics[0].cvv_key, &plastics[0].cvv2_key, None),
        "R115: all of it stays"
    );
    let requests = desk.requests("3001").await;
    let (request, claimed) = &requests[0];
    assert_eq!((requests.len(), *claimed, request.reproduction), (1, false, false));
    assert_eq!((request.plastic_id, request.event, request.marked_at), (plastics[1].plastic_id, Rplre, ordered));
    let stored = desk.card("3001").await.unwrap();
    assert_eq!((stored.version, stored.card.pin_status), (1, PinStatus::Default), "the card stays as it is");

    let before = desk.dump().await;
    assert_eq!(desk.take(&line).await, answer, "the same order is answered the same");
    assert_eq!(desk.dump().await, before, "and makes nothing");
}

#[tokio::test]
async fn r118_the_number_of_a_cancelled_plastic_is_not_used_again() {
    let desk = with_card("VISA_CARD", "2029-11", Locked).await;
    desk.take(&reissue("3001")).await;
    desk.take(&cancel("3001", 2)).await;
    desk.take(&with(reissue("3001"), "plasticId", json!("77"))).await;
    let plastics = desk.plastics("3001").await;
    assert_eq!(shape(&plastics), [(1, Ncrd, Locked, true), (2, Rplre, Cancelled, true), (3, Rplre, Inactive, true)]);
    assert_eq!(plastics[2].plastic_id.get(), 77, "the id the order gives");
}

#[tokio::test]
async fn r118_after_plastic_99_there_is_none() {
    let desk = with_card("VISA_CARD", "2029-11", Active).await;
    desk.execute("UPDATE plastic SET sequence_number = 98").await;
    desk.take(&reissue("3001")).await;
    assert_eq!(desk.plastics("3001").await[1].sequence_number, 99);
    desk.take(&cancel("3001", 99)).await;
    desk.refuse_now(&reissue("3001"), "SEQUENCE_EXHAUSTED", &["3001", "99", "R118"]).await;
}

/// Expiry 2026-12: on 31 October two months later is its last day, on 1 November it is past it.
#[tokio::test]
async fn r115_less_than_two_months_before_its_end_expiry_and_keys_are_new() {
    for (ordered, expected, key) in
        [("2026-10-31T23:59:59.999999Z", "2026-12", "cvk2-1"), ("2026-11-01T00:00:00Z", "2029-12", "cvk-1")]
    {
        let mut desk = with_card("VISA_CARD", "2026-12", Active).await;
        // The product has another CVV2 key by now.
        desk.configure(&CATALOGUE.replacen("cvv2_key = \"cvk2-1\"", "cvv2_key = \"cvk-1\"", 1));
        desk.take(&with(reissue("3001"), "at", json!(ordered))).await;
        let new = desk.plastics("3001").await.remove(1);
        assert_eq!((new.expiry, new.cvv2_key.as_str()), (expiry(expected), key), "{ordered}");
        assert_eq!(new.cvv_key.as_deref(), Some("cvk-1"));
    }
}

/// A cancelled plastic with a new expiry says nothing about the next one.
#[tokio::test]
async fn r115_the_newest_plastic_that_is_there_counts() {
    let desk = with_card("VISA_CARD", "2026-12", Active).await;
    desk.take(&reissue("3001")).await;
    desk.take(&cancel("3001", 2)).await;
    desk.take(&reissue("3001")).await;
    let expiries: Vec<_> = desk.plastics("3001").await.iter().map(|plastic| plastic.expiry.to_string()).collect();
    assert_eq!(expiries, ["2026-12", "2029-12", "2029-12"]);
    desk.produce("3001", Active).await;
    desk.take(&reissue("3001")).await;
    assert_eq!(desk.plastics("3001").await[3].expiry, expiry("2029-12"), "three years are left");
}

#[tokio::test]
async fn r115_a_new_expiry_must_be_within_2099_and_the_same_one_always_is() {
    let desk = with_card("VISA_LONG", "2026-12", Active).await;
    desk.refuse_now(&reissue("3001"), "EXPIRY_OUT_OF_RANGE", &["1200 months", "2026-12", "R115"]).await;
    desk.take(&with(reissue("3001"), "at", json!("2026-10-31T12:00:00Z"))).await;
}

/// A key whose time is over makes no new CVV2, and goes on making that of a card that keeps its expiry.
#[tokio::test]
async fn r115_a_new_expiry_needs_keys_that_take_new_cards() {
    for key in ["cvk-1", "cvk2-1"] {
        let ends = at("2026-12-01T00:00:00Z");
        let mut desk = Desk::with_keys(|keys| {
            for wrapped in keys.keys.iter_mut().filter(|wrapped| wrapped.id == key) {
                wrapped.window.not_after = Some(ends);
                wrapped.window.retire_at = Some(ends + TimeDelta::days(1000));
            }
        })
        .await;
        desk.customers().await;
        make_card(&desk, "VISA_CARD", "2027-03", Active).await;
        desk.clock = FixedClock(at("2027-02-10T12:00:00Z"));
        let late = with(reissue("3001"), "at", json!("2027-02-10T10:00:00Z"));
        desk.refuse_for(&late, "KEY_UNUSABLE", "SECURITY_ERROR", &["VISA_CARD", key]).await;
        desk.take(&with(reissue("3001"), "at", json!("2027-01-31T10:00:00Z"))).await;
    }
}

/// A plastic made while the product had neither stripe nor chip has no CVV1: the first one is made with today's key.
#[tokio::test]
async fn r115_a_product_that_got_a_stripe_has_a_first_cvv1() {
    let mut desk = with_card("VISA_PIN", "2029-11", Active).await;
    assert_eq!(desk.plastics("3001").await[0].cvv_key, None);
    let striped = "months = 36\nservice_code = \"201\"\ncvv_key = \"cvk-1\"\n\
        stripe = { track1 = \"{cvv}\", track2 = \"{cvv}\" }\ncvv2_key = \"cvk2-1\"\npin";
    desk.configure(&CATALOGUE.replacen("months = 36\ncvv2_key = \"cvk2-1\"\npin", striped, 1));
    desk.take(&reissue("3001")).await;
    let new = desk.plastics("3001").await.remove(1);
    assert_eq!((new.cvv_key.as_deref(), new.cvv2_key.as_str()), (Some("cvk-1"), "cvk2-1"));
}

#[tokio::test]
async fn the_pin_status_that_an_order_names_is_a_version_of_the_card() {
    for (word, version, warning) in [("W", 2, None), ("S", 2, Some("PIN_NOT_AVAILABLE")), ("D", 1, None)] {
        let desk = with_card("VISA_PIN", "2029-11", Active).await;
        let answer = desk.take(&for_card_with("reissueCard", "3001", json!({"pinStatus": word}))).await;
        let stored = desk.card("3001").await.unwrap();
        assert_eq!((stored.version, stored.card.pin_status.as_str()), (version, word));
        assert_eq!(answer["warnings"][0]["code"].as_str(), warning);
        assert_eq!(desk.plastics("3001").await.len(), 2, "{word}: W holds it at the claim, it is not refused");
    }
    let desk = with_card("VISA_PIN", "2029-11", Active).await;
    desk.has_pin("3001").await;
    let answer = desk.take(&for_card_with("reissueCard", "3001", json!({"pinStatus": "S"}))).await;
    assert_eq!(answer.get("warnings"), None, "there is a PIN");
}

#[tokio::test]
async fn r114_only_a_card_in_status_00_is_reissued() {
    for (word, code, named) in [
        ("CARD_BLOCKED", "CARD_STATUS_NOT_OK", "R114"),
        ("SUSPECTED_FRAUD", "CARD_STATUS_NOT_OK", "R114"),
        ("CARD_NO_RENEWAL", "CARD_STATUS_NOT_OK", "R114"),
        ("CARD_LOST", "CARD_STATUS_FINAL", "R52"),
        ("CARD_STOLEN", "CARD_STATUS_FINAL", "R52"),
        ("CARD_CLOSED_DUE_TO_FRAUD", "CARD_STATUS_FINAL", "R52"),
        ("CARD_CLOSED", "CARD_STATUS_FINAL", "R52"),
    ] {
        let desk = with_card("VISA_CARD", "2029-11", Active).await;
        desk.take(&status("3001", word)).await;
        desk.refuse_now(&reissue("3001"), code, &["3001", word, named]).await;
    }
    let desk = with_card("VISA_CARD", "2029-11", Active).await;
    let mut card = desk.card("3001").await.unwrap().card;
    card.status = CardStatus::Invalid;
    let mut work = desk.store.intake().await.unwrap();
    work.put_card(&issuer(), card_id("3001"), 2, &card, at("2026-11-20T10:20:00Z")).await.unwrap();
    work.commit().await.unwrap();
    desk.refuse_now(&reissue("3001"), "CARD_STATUS_FINAL", &["CARD_INVALID"]).await;
}

#[tokio::test]
async fn r114_a_card_with_an_inactive_plastic_is_not_reissued() {
    let desk = Desk::with_customers().await;
    desk.take(&new_card("3001", json!({"embossing": {}}))).await;
    let id = desk.plastics("3001").await[0].plastic_id.to_string();
    desk.refuse_now(&reissue("3001"), "PLASTIC_INACTIVE", &[&format!("plastic {id}"), "3001", "INACTIVE", "R114"])
        .await;
    desk.produce("3001", Active).await;
    desk.take(&reissue("3001")).await;
    desk.refuse_now(&reissue("3001"), "PLASTIC_INACTIVE", &["R114"]).await;
}

#[tokio::test]
async fn r114_a_card_without_a_physical_plastic_in_use_is_not_reissued() {
    let desk = Desk::with_customers().await;
    desk.take(&new_card("1", json!({"productCode": "VISA_VIRTUAL"}))).await;
    desk.take(&new_card("2", json!({"embossing": {"physical": false}}))).await;
    desk.take(&new_card("3", json!({"embossing": {}}))).await;
    desk.take(&cancel("3", 1)).await;
    desk.take(&new_card("4", json!({"embossing": {}}))).await;
    desk.produce("4", PlasticStatus::Closed).await;
    desk.take(&new_card("5", json!({"embossing": {}}))).await;
    desk.produce("5", Active).await;
    desk.take(&for_card_with("updateCard", "5", json!({"embossing": {"physical": false}}))).await;
    for (card, named) in [
        ("1", "ACTIVE or LOCKED"),
        ("2", "physical false"),
        ("3", "ACTIVE or LOCKED"),
        ("4", "ACTIVE or LOCKED"),
        ("5", "physical false"),
    ] {
        desk.refuse_now(&reissue(card), "NO_PHYSICAL_PLASTIC", &[&format!("card {card} "), named, "R114"]).await;
    }
}

/// A18: the physical plastic of instant issuing is reissued like any other.
#[tokio::test]
async fn a18_an_instantly_issued_card_is_reissued() {
    let desk = Desk::with_customers().await;
    desk.take(&new_card("3001", json!({"productCode": "MC_INSTANT", "embossing": {}}))).await;
    desk.produce("3001", Locked).await;
    desk.take(&reissue("3001")).await;
    assert_eq!(shape(&desk.plastics("3001").await)[2], (3, Rplre, Inactive, true));
}

#[tokio::test]
async fn r14_a_card_is_open_until_its_scheduled_closing() {
    let desk = Desk::with_customers().await;
    let body = json!({"embossing": {}, "scheduledClosing": {"type": "TIMEBASED", "time": "2026-11-20T11:00:00Z"}});
    desk.take(&new_card("3001", body)).await;
    desk.produce("3001", Active).await;
    let line = |time: &str| with(reissue("3001"), "at", json!(time));
    desk.refuse_now(&line("2026-11-20T11:00:00Z"), "CARD_CLOSED_BY_SCHEDULE", &["3001", "scheduledClosing", "R14"])
        .await;
    desk.take(&line("2026-11-20T10:59:59.999999Z")).await;
}

#[tokio::test]
async fn what_is_not_there_or_taken_is_refused() {
    let mut desk = with_card("VISA_CARD", "2029-11", Active).await;
    desk.refuse_now(&reissue("9"), "CARD_UNKNOWN", &["card 9"]).await;
    desk.refuse_now(&with(reissue("3001"), "institutionId", json!("246002")), "CARD_UNKNOWN", &["3001"]).await;
    let id = desk.plastics("3001").await[0].plastic_id.to_string();
    desk.refuse_now(&with(reissue("3001"), "plasticId", json!(id)), "ID_IN_USE", &[&format!("plastic {id}")]).await;
    desk.configure(&CATALOGUE.replacen("code = \"VISA_CARD\"", "code = \"VISA_OTHER\"", 1));
    desk.refuse_now(&reissue("3001"), "PRODUCT_UNKNOWN", &["VISA_CARD", "3001"]).await;
}
