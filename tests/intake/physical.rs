use chrono::TimeDelta;
use emboss::ambient::FixedClock;
use emboss::card::{Card, Embossing, PlasticStatus, ProductionEvent};
use serde_json::{Value, json};

use crate::desk::*;
use PlasticStatus::{Active, Cancelled, Closed, Inactive, Locked};
use ProductionEvent::{Nvrt, Rallre};

fn order_physical(card: &str) -> Value {
    for_card("orderPhysical", card)
}

async fn with_card(body: Value) -> Desk {
    let desk = Desk::with_customers().await;
    desk.take(&new_card("3001", body)).await;
    desk
}

fn virtual_form() -> Value {
    json!({"embossing": {"firstName": "Monica", "lastName": "Liikamaa", "physical": false},
        "expiration": {"year": 2028, "month": 2}})
}

#[tokio::test]
async fn r20_a6_the_physical_form_takes_expiry_and_cvv2_of_the_virtual_one() {
    let mut desk = with_card(virtual_form()).await;
    // Another key by now, which would give another CVV2.
    desk.configure(&CATALOGUE.replacen("cvv2_key = \"cvk2-1\"", "cvv2_key = \"cvk-1\"", 1));
    let was = desk.card("3001").await.unwrap().card;
    let line = with(order_physical("3001"), "at", json!("2026-11-20T11:00:00Z"));
    let answer = desk.take(&line).await;
    assert_eq!(
        (&answer["description"], &answer["id"], &answer["cardId"]),
        (&json!("Physical card ordered"), &json!("3001"), &json!("3001"))
    );
    let plastics = desk.plastics("3001").await;
    assert_eq!(shape(&plastics), [(1, Nvrt, Active, false), (2, Rallre, Inactive, true)]);
    assert_eq!(answer["plasticIds"], json!([plastics[1].plastic_id.to_string()]));
    let new = &plastics[1];
    assert_eq!((new.expiry.to_string().as_str(), new.cvv2_key.as_str()), ("2028-02", "cvk2-1"), "A6");
    assert_eq!(new.cvv_key.as_deref(), Some("cvk-1"));
    let ordered = at("2026-11-20T11:00:00Z");
    assert_eq!(new.marked_at, Some(ordered));
    let requests = desk.requests("3001").await;
    assert_eq!((requests.len(), requests[0].0.event, requests[0].0.marked_at), (1, Rallre, ordered));
    assert_eq!(requests[0].0.plastic_id, new.plastic_id);

    let stored = desk.card("3001").await.unwrap();
    let expected = Card { embossing: Embossing { physical: Some(true), ..was.embossing.clone() }, ..was };
    assert!(
        stored.version == 2 && stored.card == expected,
        "A23: the card is physical from now on, nothing else changes"
    );
    let before = desk.dump().await;
    assert_eq!(desk.take(&line).await, answer);
    assert_eq!(desk.dump().await, before, "the same order makes nothing more");
}

#[tokio::test]
async fn a23_a_virtual_product_needs_a_service_code() {
    let desk = with_card(json!({"productCode": "VISA_EITHER"})).await;
    desk.take(&with(order_physical("3001"), "plasticId", json!("77"))).await;
    let plastics = desk.plastics("3001").await;
    assert_eq!(shape(&plastics), [(1, Nvrt, Active, false), (2, Rallre, Inactive, true)]);
    assert_eq!((plastics[1].plastic_id.get(), plastics[1].cvv_key.as_deref()), (77, None), "neither stripe nor chip");
    assert_eq!(desk.card("3001").await.unwrap().card.embossing.physical, Some(true));

    let desk = with_card(json!({"productCode": "VISA_VIRTUAL"})).await;
    desk.refuse_now(&order_physical("3001"), "PRODUCT_VIRTUAL", &["VISA_VIRTUAL", "3001", "service code", "A23"]).await;
}

/// The product was virtual when the card was made and has a stripe now: the virtual plastic has no CVV1 to take over.
#[tokio::test]
async fn a6_the_first_cvv1_is_made_with_the_key_the_product_has_now() {
    let was =
        "form = \"virtual\"\npan_prefixes = [\"40000066\"]\nmonths = 24\nservice_code = \"201\"\ncvv2_key = \"cvk2-1\"";
    let now = "form = \"physical\"\npan_prefixes = [\"40000066\"]\nmonths = 24\nservice_code = \"201\"\ncvv2_key = \"cvk-1\"\n\
        cvv_key = \"cvk-1\"\nstripe = { track1 = \"{cvv}\", track2 = \"{cvv}\" }";
    let ends = at("2026-12-01T00:00:00Z");
    let mut desk = Desk::with_keys(|keys| {
        for wrapped in keys.keys.iter_mut().filter(|wrapped| wrapped.id == "cvk-1") {
            wrapped.window.not_after = Some(ends);
            wrapped.window.retire_at = Some(ends + TimeDelta::days(1000));
        }
    })
    .await;
    desk.customers().await;
    desk.take(&new_card("3001", json!({"productCode": "VISA_EITHER"}))).await;
    desk.configure(&CATALOGUE.replacen(was, now, 1));
    desk.clock = FixedClock(ends + TimeDelta::days(1));
    desk.refuse_for(&order_physical("3001"), "KEY_UNUSABLE", "SECURITY_ERROR", &["VISA_EITHER", "cvk-1"]).await;
    desk.clock = FixedClock(ends - TimeDelta::days(1));
    desk.take(&order_physical("3001")).await;
    let new = desk.plastics("3001").await.remove(1);
    assert_eq!((new.cvv_key.as_deref(), new.cvv2_key.as_str()), (Some("cvk-1"), "cvk2-1"));
}

#[tokio::test]
async fn there_is_one_physical_form_and_a_cancelled_one_is_none() {
    let desk = with_card(virtual_form()).await;
    desk.take(&order_physical("3001")).await;
    for status in [Inactive, Active, Locked, Closed] {
        desk.execute(&format!("UPDATE plastic SET status = '{status}' WHERE sequence_number = 2")).await;
        let word = format!("physical and {status}");
        desk.refuse_now(&order_physical("3001"), "PHYSICAL_PLASTIC_EXISTS", &["3001", &word, "R20"]).await;
    }
    desk.execute("UPDATE plastic SET status = 'INACTIVE' WHERE sequence_number = 2").await;
    desk.take(&cancel("3001", 2)).await;
    desk.take(&order_physical("3001")).await;
    let expected = [(1, Nvrt, Active, false), (2, Rallre, Cancelled, true), (3, Rallre, Inactive, true)];
    assert_eq!(shape(&desk.plastics("3001").await), expected, "R118");
    assert_eq!(desk.card("3001").await.unwrap().version, 2, "it is physical already: no version");
}

/// The physical plastic of instant issuing was cancelled: it can be ordered again.
#[tokio::test]
async fn an_instantly_issued_card_whose_plastic_was_cancelled_gets_another() {
    let desk = with_card(json!({"productCode": "MC_INSTANT", "embossing": {}})).await;
    desk.refuse_now(&order_physical("3001"), "PHYSICAL_PLASTIC_EXISTS", &["INACTIVE"]).await;
    desk.take(&cancel("3001", 2)).await;
    desk.take(&order_physical("3001")).await;
    assert_eq!(shape(&desk.plastics("3001").await)[2], (3, Rallre, Inactive, true));
}

#[tokio::test]
async fn nothing_else_may_be_on_its_way() {
    let desk = with_card(virtual_form()).await;
    desk.execute("UPDATE plastic SET status = 'INACTIVE'").await;
    desk.refuse_now(&order_physical("3001"), "PLASTIC_INACTIVE", &["3001", "INACTIVE", "R114"]).await;
    desk.execute("UPDATE plastic SET status = 'CLOSED'").await;
    desk.refuse_now(&order_physical("3001"), "PLASTIC_UNKNOWN", &["3001", "virtual", "R22"]).await;
    desk.execute("UPDATE plastic SET status = 'ACTIVE', sequence_number = 99").await;
    desk.refuse_now(&order_physical("3001"), "SEQUENCE_EXHAUSTED", &["3001", "R118"]).await;
}

#[tokio::test]
async fn r51_a_blocked_card_may_order_and_a_closed_one_may_not() {
    for word in ["CARD_OK", "CARD_NO_RENEWAL", "CARD_BLOCKED", "SUSPECTED_FRAUD"] {
        let desk = with_card(virtual_form()).await;
        desk.take(&status("3001", word)).await;
        desk.take(&order_physical("3001")).await;
        assert_eq!(desk.card("3001").await.unwrap().card.status.as_str(), word);
    }
    for word in ["CARD_LOST", "CARD_STOLEN", "CARD_CLOSED_DUE_TO_FRAUD", "CARD_CLOSED"] {
        let desk = with_card(virtual_form()).await;
        desk.take(&status("3001", word)).await;
        desk.refuse_now(&order_physical("3001"), "CARD_STATUS_FINAL", &["3001", word, "R52"]).await;
    }
}

#[tokio::test]
async fn r14_a_card_is_open_until_its_scheduled_closing() {
    let mut body = virtual_form();
    body["scheduledClosing"] = json!({"type": "TIMEBASED", "time": "2026-11-20T11:00:00Z"});
    let desk = with_card(body).await;
    let line = |time: &str| with(order_physical("3001"), "at", json!(time));
    desk.refuse_now(&line("2026-11-20T11:00:00Z"), "CARD_CLOSED_BY_SCHEDULE", &["3001", "R14"]).await;
    desk.take(&line("2026-11-20T10:59:59.999999Z")).await;
}

#[tokio::test]
async fn what_is_not_there_or_taken_is_refused() {
    let mut desk = with_card(virtual_form()).await;
    desk.refuse_now(&order_physical("9"), "CARD_UNKNOWN", &["card 9"]).await;
    let id = desk.plastics("3001").await[0].plastic_id.to_string();
    desk.refuse_now(&with(order_physical("3001"), "plasticId", json!(id)), "ID_IN_USE", &[&format!("plastic {id}")])
        .await;
    desk.configure(&CATALOGUE.replacen("code = \"VISA_CARD\"", "code = \"VISA_OTHER\"", 1));
    desk.refuse_now(&order_physical("3001"), "PRODUCT_UNKNOWN", &["VISA_CARD", "3001"]).await;
}
