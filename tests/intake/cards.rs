use chrono::TimeDelta;
use emboss::card::{CardStatus, Expiry, PinStatus, PlasticStatus, ProductionEvent};
use serde_json::{Value, json};

use crate::desk::*;

#[tokio::test]
async fn r20_a_physical_card_gets_one_marked_plastic() {
    let desk = Desk::with_customers().await;
    let body = json!({"embossing": {"firstName": "Monica", "lastName": "Liikamaa"}, "segment": "SEGMENT_B"});
    let answer = desk.take(&new_card("3001", body)).await;
    let plastic_id = answer["plasticIds"][0].as_str().unwrap().to_owned();
    assert_eq!(answer["description"], "Card created");
    assert_eq!((&answer["id"], &answer["cardId"]), (&json!("3001"), &json!("3001")));
    assert_eq!(answer["plasticIds"].as_array().unwrap().len(), 1);

    let plastics = desk.plastics("3001").await;
    assert_eq!(shape(&plastics), [(1, ProductionEvent::Ncrd, PlasticStatus::Inactive, true)]);
    let made = at("2026-11-20T10:15:00Z");
    assert_eq!(plastics[0].marked_at, Some(made), "marked when it was ordered");
    assert_eq!(plastics[0].plastic_id.to_string(), plastic_id);
    assert_eq!(plastics[0].cvv_key.as_deref(), Some("cvk-1"));
    assert_eq!(plastics[0].cvv2_key, "cvk2-1");
    let requests = desk.requests("3001").await;
    let (request, claimed) = &requests[0];
    assert_eq!((requests.len(), *claimed), (1, false));
    assert_eq!((request.event, request.marked_at, request.reproduction), (ProductionEvent::Ncrd, made, false));

    let stored = desk.card("3001").await.unwrap();
    assert_eq!((stored.version, stored.card.status, stored.card.status_since), (1, CardStatus::Ok, made));
    assert_eq!(stored.card.product_code, "VISA_CARD", "the institution's default");
    assert_eq!(stored.card.pin_status, PinStatus::Default, "R33");
    assert_eq!(stored.card.embossing.first_name.as_deref(), Some("Monica"));
}

#[tokio::test]
async fn r117_expiry_is_the_month_of_the_order_plus_the_months_of_the_product() {
    let desk = Desk::with_customers().await;
    desk.take(&with(new_card("1", json!({"embossing": {}})), "at", json!("2022-03-31T23:59:59Z"))).await;
    assert_eq!(desk.plastics("1").await[0].expiry, Expiry::new(2025, 3).unwrap());
    desk.take(&new_card("2", json!({"embossing": {}, "expiration": {"year": 2027, "month": 2}}))).await;
    assert_eq!(desk.plastics("2").await[0].expiry, Expiry::new(2027, 2).unwrap());
    let (code, ..) = desk.refuse(&new_card("3", json!({"productCode": "VISA_FOREVER"}))).await;
    assert_eq!(code, "EXPIRY_OUT_OF_RANGE");
}

#[tokio::test]
async fn r20_instant_issuing_makes_the_virtual_plastic_first() {
    let desk = Desk::with_customers().await;
    let line =
        with(new_card("3001", json!({"productCode": "MC_INSTANT", "embossing": {}})), "scheme", json!("MASTERCARD"));
    let answer = desk.take(&line).await;
    let plastics = desk.plastics("3001").await;
    assert_eq!(
        shape(&plastics),
        [
            (1, ProductionEvent::Nvrt, PlasticStatus::Active, false),
            (2, ProductionEvent::Rallre, PlasticStatus::Inactive, true)
        ]
    );
    assert_eq!(plastics[0].expiry, plastics[1].expiry, "A6");
    let ids: Vec<String> = plastics.iter().map(|plastic| plastic.plastic_id.to_string()).collect();
    assert_eq!(answer["plasticIds"], json!(ids), "in sequence order");
    let requests = desk.requests("3001").await;
    assert_eq!(requests.len(), 1);
    assert_eq!(requests[0].0.plastic_id, plastics[1].plastic_id);
}

#[tokio::test]
async fn r20_a_virtual_card_marks_nothing() {
    let desk = Desk::with_customers().await;
    desk.take(&new_card("3001", json!({"productCode": "VISA_VIRTUAL"}))).await;
    let plastics = desk.plastics("3001").await;
    assert_eq!(shape(&plastics), [(1, ProductionEvent::Nvrt, PlasticStatus::Active, false)]);
    assert_eq!((plastics[0].cvv_key.as_deref(), plastics[0].cvv2_key.as_str()), (None, "cvk2-1"));
    assert_eq!(desk.requests("3001").await, []);
}

#[tokio::test]
async fn a23_physical_false_on_a_physical_product_makes_a_virtual_plastic() {
    let desk = Desk::with_customers().await;
    for (id, product) in [("1", "VISA_CARD"), ("2", "MC_INSTANT")] {
        desk.take(&new_card(id, json!({"productCode": product, "embossing": {"physical": false}}))).await;
        let expected = [(1, ProductionEvent::Nvrt, PlasticStatus::Active, false)];
        assert_eq!(shape(&desk.plastics(id).await), expected, "{product}");
        assert_eq!(desk.requests(id).await, []);
    }
}

#[tokio::test]
async fn a23_a_virtual_product_makes_no_plastic_on_demand() {
    let desk = Desk::with_customers().await;
    let line = new_card("1", json!({"productCode": "VISA_VIRTUAL", "embossing": {"physical": true}}));
    assert_eq!(desk.refuse(&line).await.0, "PRODUCT_VIRTUAL");
    desk.take(&new_card("1", json!({"productCode": "VISA_VIRTUAL", "embossing": {"physical": false}}))).await;
}

#[tokio::test]
async fn s0_a_physical_card_needs_an_embossing_object_but_no_names() {
    let desk = Desk::with_customers().await;
    let (code, kind, reason) = desk.refuse(&new_card("1", json!({}))).await;
    assert_eq!((code.as_str(), kind.as_str()), ("FIELD_MISSING", "STATIC_VALIDATION_ERROR"));
    assert_eq!(reason, "body.embossing is missing");
    desk.take(&new_card("1", json!({"embossing": {}}))).await;
}

#[tokio::test]
async fn products_are_found_by_code_or_default_and_their_scheme_is_checked() {
    let desk = Desk::with_customers().await;
    let (code, kind, _) = desk.refuse(&new_card("1", json!({"productCode": "NO_SUCH", "embossing": {}}))).await;
    assert_eq!((code.as_str(), kind.as_str()), ("PRODUCT_UNKNOWN", "DYNAMIC_VALIDATION_ERROR"));
    let line = with(new_card("1", json!({"embossing": {}})), "scheme", json!("MASTERCARD"));
    assert_eq!(desk.refuse(&line).await.0, "SCHEME_MISMATCH");
    let line = with(new_card("1", json!({"embossing": {}})), "institutionId", json!("246002"));
    assert_eq!(desk.refuse(&line).await.0, "PRODUCT_MISSING");
}

#[tokio::test]
async fn customer_and_account_must_be_there() {
    let desk = Desk::with_customers().await;
    let line = new_card("1", json!({"embossing": {}}));
    let answer = desk.import(&[with(line.clone(), "customerId", json!("9"))]).await.remove(0);
    assert_eq!((&answer["code"], &answer["errorCode"]), (&json!("404"), &json!("CUSTOMER_UNKNOWN")));
    let answer = desk.import(&[with(line, "accountId", json!("9"))]).await.remove(0);
    assert_eq!((&answer["code"], &answer["errorCode"]), (&json!("404"), &json!("ACCOUNT_UNKNOWN")));
}

#[tokio::test]
async fn s0_a_main_card_belongs_to_the_account_holder() {
    let desk = Desk::with_customers().await;
    let line = with(new_card("1", json!({"embossing": {}})), "customerId", json!("1002"));
    let (code, kind, _) = desk.refuse(&line).await;
    assert_eq!((code.as_str(), kind.as_str()), ("ROLE_MISMATCH", "DYNAMIC_VALIDATION_ERROR"));
    desk.take(&with(line, "cardRole", json!("SUPPLEMENTARY"))).await;
}

#[tokio::test]
async fn ids_given_must_be_free_and_others_are_assigned() {
    let desk = Desk::with_customers().await;
    let line = with(new_card("3001", json!({"embossing": {}})), "plasticId", json!("70"));
    assert_eq!(desk.take(&line).await["plasticIds"], json!(["70"]));
    let (code, _, reason) = desk.refuse(&new_card("3001", json!({"embossing": {}}))).await;
    assert_eq!((code.as_str(), reason.as_str()), ("ID_IN_USE", "card 3001 is there already"));
    let line = with(new_card("3002", json!({"embossing": {}})), "plasticId", json!("70"));
    assert_eq!(desk.refuse(&line).await.2, "plastic 70 is there already");
    assert_eq!(desk.card("3002").await, None, "a refused order leaves nothing");
    let line = with(new_card("1", json!({"embossing": {}})), "cardId", Value::Null);
    let answer = desk.take(&line).await;
    assert_eq!((&answer["cardId"], &answer["plasticIds"]), (&json!("1"), &json!(["1"])));
}

#[tokio::test]
async fn a_given_plastic_id_is_that_of_the_plastic_to_be_produced() {
    let desk = Desk::with_customers().await;
    let body = json!({"productCode": "MC_INSTANT", "embossing": {}});
    let answer = desk.take(&with(new_card("1", body), "plasticId", json!("1"))).await;
    assert_eq!(answer["plasticIds"], json!(["2", "1"]), "the assigned id leaves out the given one");
}

#[tokio::test]
async fn card_numbers_are_made_in_a_range_of_the_product_and_sealed() {
    let desk = Desk::with_customers().await;
    let mut prefixes = [0, 0];
    for id in 1..=40 {
        desk.take(&new_card(&id.to_string(), json!({"embossing": {}}))).await;
        let pan = desk.pan(&id.to_string()).await;
        assert_eq!(pan.expose().len(), 16);
        let place = ["40000012", "4000002345"].iter().position(|prefix| pan.expose().starts_with(prefix));
        prefixes[place.expect("in a range")] += 1;
    }
    assert!(prefixes.iter().all(|count| *count > 0), "both ranges are used: {prefixes:?}");
}

#[tokio::test]
async fn a_full_range_is_said_clearly_and_every_number_of_it_was_used_once() {
    let desk = Desk::with_customers().await;
    let mut made = std::collections::BTreeSet::new();
    for id in 1..=10 {
        desk.take(&new_card(&id.to_string(), json!({"productCode": "VISA_TINY"}))).await;
        made.insert(desk.pan(&id.to_string()).await.expose().to_owned());
    }
    assert_eq!(made.len(), 10);
    let (code, kind, reason) = desk.refuse(&new_card("11", json!({"productCode": "VISA_TINY"}))).await;
    assert_eq!((code.as_str(), kind.as_str()), ("CARD_NUMBERS_EXHAUSTED", "UNEXPECTED_ERROR"));
    assert_eq!(reason, "the card number ranges of product VISA_TINY are full, or nearly");
    assert_eq!(desk.card("11").await, None);
}

#[tokio::test]
async fn r36_s_without_a_pin_is_taken_with_a_warning() {
    let desk = Desk::with_customers().await;
    let answer = desk.take(&new_card("1", json!({"embossing": {}, "pinStatus": "S"}))).await;
    assert_eq!(answer["warnings"][0]["code"], "PIN_NOT_AVAILABLE");
    assert_eq!(desk.card("1").await.unwrap().card.pin_status, PinStatus::Set);
    let answer = desk.take(&new_card("2", json!({"embossing": {}, "pinStatus": "W"}))).await;
    assert_eq!(answer.get("warnings"), None);
}

#[tokio::test]
async fn a_cvk_past_its_time_takes_no_new_cards() {
    let now = at("2026-11-20T12:00:00Z");
    for (key, product) in [("cvk-1", "VISA_CARD"), ("cvk2-1", "VISA_VIRTUAL")] {
        let desk = Desk::with_keys(|keys| {
            for wrapped in &mut keys.keys {
                if wrapped.id == key {
                    wrapped.window.not_after = Some(now - TimeDelta::seconds(1));
                    wrapped.window.retire_at = Some(now + TimeDelta::days(100));
                }
            }
        })
        .await;
        desk.customers().await;
        let (code, kind, reason) = desk.refuse(&new_card("1", json!({"productCode": product, "embossing": {}}))).await;
        assert_eq!((code.as_str(), kind.as_str()), ("KEY_UNUSABLE", "SECURITY_ERROR"));
        assert!(reason.contains(key) && reason.contains(product), "{reason}");
    }
}

#[tokio::test]
async fn a_stripe_key_past_its_time_does_not_stop_a_virtual_product() {
    let desk = Desk::with_keys(|keys| {
        for wrapped in keys.keys.iter_mut().filter(|wrapped| wrapped.id == "cvk-1") {
            wrapped.window.not_after = Some(at("2026-11-01T00:00:00Z"));
        }
    })
    .await;
    desk.customers().await;
    desk.take(&new_card("1", json!({"productCode": "VISA_VIRTUAL"}))).await;
}
