use emboss::card::{PlasticStatus, ProductionEvent};
use serde_json::{Value, json};

use crate::desk::*;
use PlasticStatus::{Active, Closed, Locked};
use ProductionEvent::{Ropin, Rplre};

fn reorder(card: &str) -> Value {
    for_card("reorderPin", card)
}

/// Card 3001 of a product with a PIN, its plastic still to be produced.
async fn with_card() -> Desk {
    let desk = Desk::with_customers().await;
    desk.take(&new_card("3001", json!({"productCode": "VISA_PIN", "embossing": {}}))).await;
    desk
}

/// The ROPIN requests: plastic number and whether it is claimed.
async fn letters(desk: &Desk) -> Vec<(u8, bool)> {
    let plastics = desk.plastics("3001").await;
    let requests = desk.requests("3001").await;
    let number = |id| plastics.iter().find(|plastic| plastic.plastic_id == id).unwrap().sequence_number;
    let letters = requests.into_iter().filter(|(request, _)| request.event == Ropin);
    letters.map(|(request, claimed)| (number(request.plastic_id), claimed)).collect()
}

#[tokio::test]
async fn r25_a_reordered_pin_is_a_request_and_no_plastic() {
    for produced in [Active, Locked] {
        let desk = with_card().await;
        desk.produce("3001", produced).await;
        desk.has_pin("3001").await;
        let plastics = desk.plastics("3001").await;
        let line = with(reorder("3001"), "at", json!("2026-11-20T11:00:00Z"));
        let answer = desk.take(&line).await;
        assert_eq!(
            (&answer["description"], &answer["id"], &answer["cardId"]),
            (&json!("PIN reordered"), &json!("3001"), &json!("3001"))
        );
        assert_eq!((answer.get("plasticIds"), answer.get("warnings")), (None, None));
        let requests = desk.requests("3001").await;
        let (request, claimed) = &requests[0];
        assert_eq!((requests.len(), request.event, *claimed, request.reproduction), (1, Ropin, false, false));
        assert_eq!((request.plastic_id, request.marked_at), (plastics[0].plastic_id, at("2026-11-20T11:00:00Z")));
        assert_eq!(desk.plastics("3001").await, plastics, "no plastic is made or moved");
        assert_eq!(desk.card("3001").await.unwrap().version, 1);
        let before = desk.dump().await;
        assert_eq!(desk.take(&line).await, answer);
        assert_eq!(desk.dump().await, before, "the same order makes no second letter");
    }
}

/// R26: it is held until there is what it needs, and the answer says so.
#[tokio::test]
async fn r26_without_a_pin_or_a_plastic_in_use_it_is_taken_with_a_warning() {
    let desk = with_card().await;
    desk.has_pin("3001").await;
    let answer = desk.take(&reorder("3001")).await;
    assert_eq!(answer["warnings"][0]["code"], "PIN_NOT_AVAILABLE");
    assert!(answer["warnings"][0]["text"].as_str().unwrap().contains("ACTIVE or LOCKED"), "{answer}");
    assert_eq!(letters(&desk).await, [(1, false)], "for the newest plastic there is");

    let desk = with_card().await;
    desk.produce("3001", Active).await;
    let answer = desk.take(&reorder("3001")).await;
    assert_eq!(answer["warnings"][0]["code"], "PIN_NOT_AVAILABLE");
    assert!(answer["warnings"][0]["text"].as_str().unwrap().contains("no PIN is on record"), "{answer}");
    assert_eq!(letters(&desk).await, [(1, false)]);
}

#[tokio::test]
async fn r26_the_plastic_in_use_is_the_one_the_customer_holds() {
    let desk = with_card().await;
    desk.produce("3001", Active).await;
    desk.has_pin("3001").await;
    desk.take(&for_card("reissueCard", "3001")).await;
    let answer = desk.take(&reorder("3001")).await;
    assert_eq!((answer.get("warnings"), letters(&desk).await), (None, vec![(1, false)]), "2 is not produced yet");

    let desk = with_card().await;
    desk.produce("3001", Closed).await;
    desk.execute(
        "INSERT INTO plastic SELECT institution, 900, card_id, 2, 'RPLRE', 'CANCELLED', expiry, marked_at, cvv_key,
            cvv2_key, embossing_date FROM plastic",
    )
    .await;
    assert_eq!(desk.plastics("3001").await[1].event, Rplre);
    desk.take(&reorder("3001")).await;
    assert_eq!(letters(&desk).await, [(1, false)], "a cancelled plastic has disappeared");
}

#[tokio::test]
async fn r130_one_pin_order_at_a_time() {
    let desk = with_card().await;
    desk.produce("3001", Active).await;
    desk.has_pin("3001").await;
    desk.take(&reorder("3001")).await;
    desk.refuse_now(&reorder("3001"), "PIN_ORDER_OPEN", &["3001", "OPEN", "R130"]).await;
    desk.execute("UPDATE production_request SET state = 'CLAIMED', file_id = 'f' WHERE live = 1").await;
    desk.refuse_now(&reorder("3001"), "PIN_ORDER_OPEN", &["3001", "CLAIMED", "R130"]).await;
    desk.produce("3001", Active).await;
    desk.take(&reorder("3001")).await;
    assert_eq!(letters(&desk).await, [(1, false)]);
}

/// R55, R30: blocks and waits are the claim's to look at.
#[tokio::test]
async fn r55_only_a_card_that_is_closed_for_good_gets_no_letter() {
    for word in ["CARD_OK", "CARD_NO_RENEWAL", "CARD_BLOCKED", "SUSPECTED_FRAUD"] {
        let desk = with_card().await;
        desk.take(&for_card_with("updateCard", "3001", json!({"status": word, "pinStatus": "W"}))).await;
        desk.take(&reorder("3001")).await;
    }
    for word in ["CARD_LOST", "CARD_STOLEN", "CARD_CLOSED_DUE_TO_FRAUD", "CARD_CLOSED"] {
        let desk = with_card().await;
        desk.take(&status("3001", word)).await;
        desk.refuse_now(&reorder("3001"), "CARD_STATUS_FINAL", &["3001", word, "R52"]).await;
    }
}

#[tokio::test]
async fn what_is_not_there_is_refused() {
    let mut desk = with_card().await;
    desk.refuse_now(&reorder("9"), "CARD_UNKNOWN", &["card 9"]).await;
    desk.take(&new_card("3002", json!({"embossing": {}}))).await;
    desk.refuse_now(&reorder("3002"), "PRODUCT_WITHOUT_PIN", &["VISA_CARD", "3002", "R26"]).await;
    desk.take(&cancel("3001", 1)).await;
    desk.refuse_now(&reorder("3001"), "PLASTIC_UNKNOWN", &["3001", "R26"]).await;
    let body = json!({"productCode": "VISA_PIN", "embossing": {},
        "scheduledClosing": {"type": "TIMEBASED", "time": "2026-11-20T10:15:00Z"}});
    desk.take(&new_card("3003", body)).await;
    desk.refuse_now(&reorder("3003"), "CARD_CLOSED_BY_SCHEDULE", &["3003", "R14"]).await;
    desk.configure(&CATALOGUE.replacen("code = \"VISA_PIN\"", "code = \"VISA_OTHER\"", 1));
    desk.refuse_now(&reorder("3001"), "PRODUCT_UNKNOWN", &["VISA_PIN", "3001"]).await;
}
