use chrono::TimeDelta;
use emboss::ambient::FixedClock;
use emboss::card::{Card, CardStatus, Expiry, PinStatus, PlasticStatus, ProductionEvent};
use emboss::store::Store;
use serde_json::{Value, json};

use crate::desk::*;
use PlasticStatus::{Active, Inactive};
use ProductionEvent::{Ncrd, Nlost, Nlostvrt, Nvrt, Rallnlost, Rallre};

fn replace(card: &str) -> Value {
    for_card("replaceCard", card)
}

/// Card 3001 with everything an order can say.
async fn with_card() -> Desk {
    let desk = Desk::with_customers().await;
    let body = json!({
        "embossing": {"firstName": "Monica", "lastName": "Liikamaa", "companyName": "Example", "manufacturer": "HOUSE"},
        "segment": "SEGMENT_B", "pinStatus": "W", "digitalLayoutCode": "Layout1",
        "additionalValues": [{"key": "k", "value": "v"}],
        "scheduledClosing": {"type": "TIMEBASED", "time": "2028-01-01T00:00:00Z"},
        "cardAddress": {"address1": "Card street 1", "city": "Turku", "zipCode": "20100", "country": "FIN"},
        "pinAddress": {"address1": "Pin street 1", "city": "Turku", "zipCode": "20100", "country": "FIN"},
        "cardDeliveryType": "COURIER", "pinDeliveryType": "CUSTOM_1"});
    desk.take(&new_card("3001", body)).await;
    desk
}

async fn read(desk: &Desk, card: &str) -> Card {
    desk.card(card).await.unwrap().card
}

#[tokio::test]
async fn r116_r24_a_replacement_is_a_new_card_that_is_linked_to_the_lost_one() {
    let desk = with_card().await;
    let was = read(&desk, "3001").await;
    let line = with(replace("3001"), "at", json!("2026-11-20T11:00:00Z"));
    let answer = desk.take(&line).await;
    let new_id = answer["id"].as_str().unwrap().to_owned();
    assert_ne!(new_id, "3001");
    assert_eq!((&answer["description"], &answer["cardId"]), (&json!("Card replaced"), &json!(new_id)));
    assert_eq!(answer.get("warnings"), None);

    let ordered = at("2026-11-20T11:00:00Z");
    let old = desk.card("3001").await.unwrap();
    let expected =
        Card { status: CardStatus::Lost, status_since: ordered, replaced_by: Some(card_id(&new_id)), ..was.clone() };
    assert!(old.version == 2 && old.card == expected, "the lost card: 41, and what replaces it");
    let new = desk.card(&new_id).await.unwrap();
    let expected = Card {
        status: CardStatus::Ok,
        status_since: ordered,
        pin_status: PinStatus::Default,
        replaces: Some(card_id("3001")),
        ..was
    };
    assert!(new.version == 1 && new.card == expected, "the new card: all of the old one but its PIN status (R38)");
    let pan = desk.pan(&new_id).await;
    assert!(pan.expose().starts_with("40000012") || pan.expose().starts_with("4000002345"), "in the product's range");
    assert!(pan.expose() != desk.pan("3001").await.expose(), "R24: a number of its own");

    let before = desk.dump().await;
    assert_eq!(desk.take(&line).await, answer, "the same order is answered the same");
    assert_eq!(desk.dump().await, before, "and makes no second card");
}

#[tokio::test]
async fn r20_r117_its_plastic_is_marked_with_the_expiry_and_the_keys_of_a_new_card() {
    let mut desk = with_card().await;
    desk.configure(&CATALOGUE.replacen("cvv2_key = \"cvk2-1\"", "cvv2_key = \"cvk-1\"", 1));
    let answer = desk.take(&with(replace("3001"), "at", json!("2026-10-31T23:00:00Z"))).await;
    let new_id = answer["id"].as_str().unwrap();
    let plastics = desk.plastics(new_id).await;
    assert_eq!(shape(&plastics), [(1, Nlost, Inactive, true)]);
    assert_eq!(answer["plasticIds"], json!([plastics[0].plastic_id.to_string()]));
    assert_eq!(plastics[0].expiry, Expiry::new(2029, 10).unwrap(), "the order's month + 36");
    assert_eq!(
        (plastics[0].cvv_key.as_deref(), plastics[0].cvv2_key.as_str()),
        (Some("cvk-1"), "cvk-1"),
        "today's keys"
    );
    let requests = desk.requests(new_id).await;
    assert_eq!((requests.len(), requests[0].0.event, requests[0].1), (1, Nlost, false));
    assert_eq!(requests[0].0.marked_at, at("2026-10-31T23:00:00Z"));
    assert_eq!(requests[0].0.plastic_id, plastics[0].plastic_id);
}

/// R52, R53: the claim leaves the lost card's plastics out, so the order leaves them alone.
#[tokio::test]
async fn r53_plastics_and_requests_of_the_lost_card_stay() {
    let desk = with_card().await;
    let (plastics, requests) = (desk.plastics("3001").await, desk.requests("3001").await);
    assert_eq!((shape(&plastics), requests.len()), (vec![(1, Ncrd, Inactive, true)], 1));
    desk.take(&replace("3001")).await;
    assert_eq!((desk.plastics("3001").await, desk.requests("3001").await), (plastics, requests));
}

#[tokio::test]
async fn r20_each_product_gets_the_events_of_a_loss() {
    let desk = Desk::with_customers().await;
    for (card, body, was, expected) in [
        (
            "101",
            json!({"productCode": "MC_INSTANT", "embossing": {}}),
            vec![(1, Nvrt, Active, false), (2, Rallre, Inactive, true)],
            vec![(1, Nlostvrt, Active, false), (2, Rallnlost, Inactive, true)],
        ),
        (
            "102",
            json!({"productCode": "VISA_VIRTUAL"}),
            vec![(1, Nvrt, Active, false)],
            vec![(1, Nlostvrt, Active, false)],
        ),
        (
            "103",
            json!({"embossing": {"physical": false}}),
            vec![(1, Nvrt, Active, false)],
            vec![(1, Nlostvrt, Active, false)],
        ),
        (
            "104",
            json!({"embossing": {"physical": true}}),
            vec![(1, Ncrd, Inactive, true)],
            vec![(1, Nlost, Inactive, true)],
        ),
    ] {
        desk.take(&new_card(card, body)).await;
        assert_eq!(shape(&desk.plastics(card).await), was);
        let answer = desk.take(&with(replace(card), "plasticId", json!(format!("90{card}")))).await;
        let plastics = desk.plastics(answer["id"].as_str().unwrap()).await;
        assert_eq!(shape(&plastics), expected, "card {card}");
        let ids: Vec<_> = plastics.iter().map(|plastic| plastic.plastic_id.to_string()).collect();
        assert_eq!(answer["plasticIds"], json!(ids), "in sequence order");
        assert_eq!(ids.last(), Some(&format!("90{card}")), "the id given is the produced one's, or the only one's");
        let marked = expected.iter().filter(|plastic| plastic.3).count();
        assert_eq!(desk.requests(answer["id"].as_str().unwrap()).await.len(), marked);
    }
}

/// The physical form that a virtual product's card was given is an order of its own for the new card too.
#[tokio::test]
async fn r20_a_virtual_product_is_replaced_by_a_virtual_plastic_although_it_had_a_physical_one() {
    let desk = Desk::with_customers().await;
    desk.take(&new_card("3001", json!({"productCode": "VISA_EITHER"}))).await;
    desk.take(&for_card("orderPhysical", "3001")).await;
    let answer = desk.take(&with(replace("3001"), "body", json!({"newCardId": "3002"}))).await;
    assert_eq!(shape(&desk.plastics("3002").await), [(1, Nlostvrt, Active, false)], "{answer}");
    desk.take(&for_card("orderPhysical", "3002")).await;
    assert_eq!(shape(&desk.plastics("3002").await)[1], (2, Rallre, Inactive, true));
}

#[tokio::test]
async fn the_body_of_a_replacement_says_what_is_different() {
    let desk = with_card().await;
    let body = json!({"pinStatus": "S", "newCardId": "4001", "expiration": {"year": 2030, "month": 5},
        "embossing": {"lastName": "Virtanen", "companyName": ""}});
    let answer = desk.take(&with(with(replace("3001"), "body", body), "plasticId", json!("55"))).await;
    assert_eq!((&answer["id"], &answer["plasticIds"]), (&json!("4001"), &json!(["55"])));
    assert_eq!(answer["warnings"][0]["code"], "PIN_NOT_AVAILABLE");
    let new = read(&desk, "4001").await;
    assert_eq!(new.pin_status, PinStatus::Set);
    assert_eq!(
        (new.embossing.first_name.as_deref(), new.embossing.last_name.as_deref(), new.embossing.company_name),
        (Some("Monica"), Some("Virtanen"), None)
    );
    assert_eq!(desk.plastics("4001").await[0].expiry, Expiry::new(2030, 5).unwrap(), "R117");
    let old = read(&desk, "3001").await;
    assert_eq!(old.embossing.last_name.as_deref(), Some("Liikamaa"), "the lost card keeps its lines");
    assert_eq!(old.pin_status, PinStatus::Waiting, "R38");

    let body = json!({"newCardId": "4002", "embossing": {"physical": false}});
    desk.take(&with(replace("4001"), "body", body)).await;
    assert_eq!(shape(&desk.plastics("4002").await), [(1, Nlostvrt, Active, false)], "A23");
    let body = json!({"newCardId": "4003", "embossing": {"physical": true}});
    desk.take(&with(replace("4002"), "body", body)).await;
    assert_eq!(shape(&desk.plastics("4003").await), [(1, Nlost, Inactive, true)]);
}

#[tokio::test]
async fn no_pin_is_taken_over() {
    let desk = Desk::with_customers().await;
    desk.take(&new_card("3001", json!({"productCode": "VISA_PIN", "embossing": {}}))).await;
    desk.has_pin("3001").await;
    desk.take(&with(replace("3001"), "body", json!({"newCardId": "3002"}))).await;
    let mut work = desk.store.intake().await.unwrap();
    assert_eq!(work.newest_pin(&issuer(), card_id("3002")).await.unwrap(), None);
    assert_eq!(work.newest_pin(&issuer(), card_id("3001")).await.unwrap(), Some(1));
}

#[tokio::test]
async fn r116_lost_stolen_fraud_and_blocked_cards_are_replaced_closed_ones_are_not() {
    let replaced = [
        "CARD_OK",
        "CARD_NO_RENEWAL",
        "CARD_BLOCKED",
        "SUSPECTED_FRAUD",
        "CARD_LOST",
        "CARD_STOLEN",
        "CARD_CLOSED_DUE_TO_FRAUD",
    ];
    let desk = Desk::with_customers().await;
    for (number, word) in (101..).zip(replaced) {
        let card = number.to_string();
        desk.take(&new_card(&card, json!({"embossing": {}}))).await;
        desk.take(&with(status(&card, word), "at", json!("2026-11-20T10:20:00Z"))).await;
        desk.take(&with(replace(&card), "at", json!("2026-11-20T10:30:00Z"))).await;
        let old = read(&desk, &card).await;
        let since = if word == "CARD_LOST" { "2026-11-20T10:20:00Z" } else { "2026-11-20T10:30:00Z" };
        assert_eq!((old.status, old.status_since), (CardStatus::Lost, at(since)), "{word}");
    }
    desk.take(&new_card("91", json!({"embossing": {}}))).await;
    desk.take(&status("91", "CARD_CLOSED")).await;
    desk.refuse_now(&replace("91"), "CARD_STATUS_FINAL", &["91", "CARD_CLOSED", "R116"]).await;
    let mut card = read(&desk, "91").await;
    card.status = CardStatus::Invalid;
    let mut work = desk.store.intake().await.unwrap();
    work.put_card(&issuer(), card_id("91"), 3, &card, at("2026-11-20T10:20:00Z")).await.unwrap();
    work.commit().await.unwrap();
    desk.refuse_now(&replace("91"), "CARD_STATUS_FINAL", &["91", "CARD_INVALID", "R116"]).await;
}

#[tokio::test]
async fn r116_a_lost_card_is_replaced_once_and_its_replacement_may_be_lost_too() {
    let desk = with_card().await;
    desk.take(&with(replace("3001"), "body", json!({"newCardId": "3002"}))).await;
    desk.refuse_now(&replace("3001"), "ALREADY_REPLACED", &["3001", "CARD_LOST", "card 3002", "R116"]).await;
    desk.take(&with(replace("3002"), "body", json!({"newCardId": "3003"}))).await;
    let chain = [read(&desk, "3002").await, read(&desk, "3003").await];
    assert_eq!((chain[0].replaces, chain[0].replaced_by), (Some(card_id("3001")), Some(card_id("3003"))));
    assert_eq!((chain[1].replaces, chain[1].replaced_by), (Some(card_id("3002")), None));
}

/// S4: what became of the lost card may be told afterwards, once, and nothing else.
#[tokio::test]
async fn r116_a_replaced_card_may_become_stolen_or_a_fraud() {
    for (told, other) in [("CARD_STOLEN", "CARD_CLOSED_DUE_TO_FRAUD"), ("CARD_CLOSED_DUE_TO_FRAUD", "CARD_STOLEN")] {
        let desk = with_card().await;
        desk.take(&status("3001", "CARD_LOST")).await;
        for word in [told, other, "CARD_OK", "CARD_CLOSED", "CARD_BLOCKED"] {
            desk.refuse_now(&status("3001", word), "CARD_STATUS_FINAL", &["3001", "CARD_LOST"]).await;
        }
        desk.take(&with(replace("3001"), "body", json!({"newCardId": "3002"}))).await;
        for word in ["CARD_OK", "CARD_CLOSED", "CARD_BLOCKED", "SUSPECTED_FRAUD", "CARD_NO_RENEWAL"] {
            desk.refuse_now(&status("3001", word), "CARD_STATUS_FINAL", &["3001", "CARD_LOST"]).await;
        }
        desk.take(&with(status("3001", told), "at", json!("2026-11-20T11:00:00Z"))).await;
        let old = read(&desk, "3001").await;
        assert_eq!((old.status.as_str(), old.status_since), (told, at("2026-11-20T11:00:00Z")));
        assert_eq!(old.replaced_by, Some(card_id("3002")));
        for word in [other, "CARD_LOST", "CARD_OK"] {
            desk.refuse_now(&status("3001", word), "CARD_STATUS_FINAL", &["3001", told]).await;
        }
        desk.refuse_now(&replace("3001"), "ALREADY_REPLACED", &["card 3002", told]).await;
    }
}

#[tokio::test]
async fn r14_a_card_is_replaced_until_its_scheduled_closing() {
    let desk = Desk::with_customers().await;
    let body = json!({"embossing": {}, "scheduledClosing": {"type": "TIMEBASED", "time": "2026-11-20T11:00:00Z"}});
    desk.take(&new_card("3001", body)).await;
    let line = |time: &str| with(replace("3001"), "at", json!(time));
    desk.refuse_now(&line("2026-11-20T11:00:00Z"), "CARD_CLOSED_BY_SCHEDULE", &["3001", "R14"]).await;
    desk.take(&line("2026-11-20T10:59:59.999999Z")).await;
}

#[tokio::test]
async fn what_is_not_there_or_taken_or_does_not_fit_is_refused() {
    let mut desk = with_card().await;
    desk.take(&new_card("3009", json!({"productCode": "VISA_VIRTUAL"}))).await;
    desk.refuse_now(&replace("9"), "CARD_UNKNOWN", &["card 9"]).await;
    desk.refuse_now(&with(replace("3001"), "institutionId", json!("246002")), "CARD_UNKNOWN", &["3001"]).await;
    for taken in ["3001", "3009"] {
        let line = with(replace("3001"), "body", json!({"newCardId": taken}));
        desk.refuse_now(&line, "ID_IN_USE", &[&format!("card {taken}")]).await;
    }
    let id = desk.plastics("3009").await[0].plastic_id.to_string();
    desk.refuse_now(&with(replace("3001"), "plasticId", json!(id)), "ID_IN_USE", &[&format!("plastic {id}")]).await;
    let line = with(replace("3009"), "body", json!({"embossing": {"physical": true}}));
    desk.refuse_now(&line, "PRODUCT_VIRTUAL", &["VISA_VIRTUAL", "physical"]).await;
    let long = with(replace("3001"), "body", json!({"embossing": {"lastName": "b".repeat(21)}}));
    desk.refuse_for(&long, "NAME_TOO_LONG", "STATIC_VALIDATION_ERROR", &["27"]).await;
    desk.configure(&CATALOGUE.replacen("code = \"VISA_CARD\"", "code = \"VISA_OTHER\"", 1));
    desk.refuse_now(&replace("3001"), "PRODUCT_UNKNOWN", &["VISA_CARD", "3001"]).await;
}

#[tokio::test]
async fn r117_an_expiry_past_2099_is_refused_and_one_that_is_given_is_taken() {
    let desk = Desk::with_customers().await;
    let given = json!({"year": 2030, "month": 1});
    desk.take(&new_card("3001", json!({"productCode": "VISA_LONG", "embossing": {}, "expiration": given}))).await;
    desk.refuse_now(&replace("3001"), "EXPIRY_OUT_OF_RANGE", &["1200 months"]).await;
    desk.take(&with(replace("3001"), "body", json!({"expiration": given}))).await;
}

#[tokio::test]
async fn a_replacement_needs_keys_and_numbers_for_a_new_card() {
    let ends = at("2026-12-01T00:00:00Z");
    let mut desk = Desk::with_keys(|keys| {
        for wrapped in keys.keys.iter_mut().filter(|wrapped| wrapped.id == "cvk-1") {
            wrapped.window.not_after = Some(ends);
            wrapped.window.retire_at = Some(ends + TimeDelta::days(1000));
        }
    })
    .await;
    desk.customers().await;
    desk.take(&new_card("3001", json!({"embossing": {}}))).await;
    desk.clock = FixedClock(at("2026-12-02T00:00:00Z"));
    desk.refuse_for(&replace("3001"), "KEY_UNUSABLE", "SECURITY_ERROR", &["VISA_CARD", "cvk-1"]).await;

    for card in 1..=10 {
        desk.take(&new_card(&card.to_string(), json!({"productCode": "VISA_TINY"}))).await;
    }
    desk.refuse_for(&replace("1"), "CARD_NUMBERS_EXHAUSTED", "UNEXPECTED_ERROR", &["VISA_TINY"]).await;
}
