use emboss::card::{AccountId, CardStatus, CustomerId, PinStatus};
use emboss::store::Store;
use serde_json::{Value, json};

use crate::desk::*;

fn update(card: &str, body: Value) -> Value {
    order("updateCard", json!({"cardId": card, "body": body}))
}

async fn with_card() -> Desk {
    let desk = Desk::with_customers().await;
    let body = json!({"embossing": {"firstName": "Monica", "lastName": "Liikamaa"}, "segment": "SEGMENT_A",
        "cardAddress": {"address1": "Card street 1", "address2": "C", "city": "Turku", "zipCode": "20100", "country": "FIN"}});
    desk.take(&new_card("3001", body)).await;
    desk
}

#[tokio::test]
async fn r120_an_update_inserts_the_next_version() {
    let desk = Desk::with_customers().await;
    let id = CustomerId::new(1001).unwrap();
    let body = json!({"lastName": "Virtanen", "address": {"address1": "New street 2", "city": "Turku"}});
    let answer = desk.take(&order("updateCustomer", json!({"customerId": "1001", "body": body}))).await;
    assert_eq!((&answer["description"], &answer["id"]), (&json!("Customer updated"), &json!("1001")));
    let (version, customer) = desk.store.intake().await.unwrap().customer(&issuer(), id).await.unwrap().unwrap();
    assert_eq!(
        (version, customer.name.last_name.as_str(), customer.name.first_name.as_str()),
        (2, "Virtanen", "Monica")
    );
    assert_eq!((customer.address.address2, customer.address.zip_code), (None, None), "the whole address object");
    desk.take(&order("updateCustomer", json!({"customerId": "1001", "body": {}}))).await;
    let (version, _) = desk.store.intake().await.unwrap().customer(&issuer(), id).await.unwrap().unwrap();
    assert_eq!(version, 2, "an update that changes nothing is no version");
    assert_eq!(
        desk.refuse(&order("updateCustomer", json!({"customerId": "9", "body": {}}))).await.0,
        "CUSTOMER_UNKNOWN"
    );
}

#[tokio::test]
async fn r120_an_account_gets_a_new_address() {
    let desk = Desk::with_customers().await;
    let body =
        json!({"address": {"address1": "Account street 1", "city": "Turku", "zipCode": 20100, "country": "FIN"}});
    desk.take(&order("updateAccount", json!({"accountId": "2001", "body": body}))).await;
    let id = AccountId::new(2001).unwrap();
    let (version, account) = desk.store.intake().await.unwrap().account(&issuer(), id).await.unwrap().unwrap();
    assert_eq!((version, account.customer_id.get()), (2, 1001));
    assert_eq!(account.address.unwrap().zip_code.as_deref(), Some("20100"));
    assert_eq!(desk.refuse(&order("updateAccount", json!({"accountId": "9", "body": {}}))).await.0, "ACCOUNT_UNKNOWN");
}

#[tokio::test]
async fn s1_only_what_is_given_changes_in_a_card() {
    let desk = with_card().await;
    let was = desk.card("3001").await.unwrap().card;
    desk.take(&update("3001", json!({"segment": null, "status": null, "embossing": {"firstName": null}}))).await;
    assert_eq!(desk.card("3001").await.unwrap().version, 1);
    let body = json!({"segment": "SEGMENT_B", "pinStatus": "W", "embossing": {"lastName": "Virtanen"},
        "cardAddress": {"address1": "Card street 9"}, "cardDeliveryType": "COURIER", "pinDeliveryType": "EPIN",
        "usageLimits": [], "regionAndEcommBlocking": {}, "reason": "x"});
    desk.take(&update("3001", body)).await;
    let stored = desk.card("3001").await.unwrap();
    let mut expected = was;
    expected.segment = Some(emboss::card::Segment::B);
    expected.pin_status = PinStatus::Waiting;
    expected.embossing.last_name = Some("Virtanen".into());
    expected.card_address =
        Some(emboss::card::Address { address1: Some("Card street 9".into()), ..Default::default() });
    expected.card_delivery_type = Some(emboss::card::CardDeliveryType::Courier);
    expected.pin_delivery_type = Some(emboss::card::PinDeliveryType::Epin);
    assert_eq!((stored.version, stored.card == expected), (2, true));
    assert_eq!(desk.refuse(&update("9", json!({}))).await.0, "CARD_UNKNOWN");
}

#[tokio::test]
async fn r90_a_new_name_must_fit_the_one_that_is_there() {
    let desk = with_card().await;
    let line = update("3001", json!({"embossing": {"lastName": "b".repeat(21)}}));
    assert_eq!(desk.refuse(&line).await.0, "NAME_TOO_LONG");
    desk.take(&update("3001", json!({"embossing": {"lastName": "b".repeat(20)}}))).await;
}

#[tokio::test]
async fn a_new_status_says_since_when() {
    let desk = with_card().await;
    let line = with(update("3001", json!({"status": "CARD_BLOCKED"})), "at", json!("2026-11-20T11:00:00Z"));
    desk.take(&line).await;
    let card = desk.card("3001").await.unwrap().card;
    assert_eq!((card.status, card.status_since), (CardStatus::Blocked, at("2026-11-20T11:00:00Z")));
    let line = with(update("3001", json!({"status": "CARD_BLOCKED"})), "at", json!("2026-11-20T11:30:00Z"));
    desk.take(&line).await;
    assert_eq!(desk.card("3001").await.unwrap().card.status_since, at("2026-11-20T11:00:00Z"), "the same status");
    desk.take(&update("3001", json!({"status": "CARD_OK"}))).await;
}

#[tokio::test]
async fn s4_lost_stolen_and_fraud_are_final() {
    let desk = Desk::with_customers().await;
    for (id, status) in [("1", "CARD_LOST"), ("2", "CARD_STOLEN"), ("3", "CARD_CLOSED_DUE_TO_FRAUD")] {
        desk.take(&new_card(id, json!({"embossing": {}}))).await;
        desk.take(&update(id, json!({"status": status}))).await;
        let (code, kind, reason) = desk.refuse(&update(id, json!({"status": "CARD_OK"}))).await;
        assert_eq!((code.as_str(), kind.as_str()), ("CARD_STATUS_FINAL", "DYNAMIC_VALIDATION_ERROR"));
        assert_eq!(reason, format!("card {id} is {status}, which is final (R116)"));
        desk.take(&update(id, json!({"status": status, "segment": "SEGMENT_C"}))).await;
    }
    for (id, status) in [("4", "CARD_CLOSED"), ("5", "CARD_NO_RENEWAL"), ("6", "SUSPECTED_FRAUD")] {
        desk.take(&new_card(id, json!({"embossing": {}}))).await;
        desk.take(&update(id, json!({"status": status}))).await;
        desk.take(&update(id, json!({"status": "CARD_OK"}))).await;
    }
}

#[tokio::test]
async fn r36_s_is_taken_with_a_warning_while_no_pin_is_on_record() {
    let desk = with_card().await;
    let answer = desk.take(&update("3001", json!({"pinStatus": "S"}))).await;
    assert_eq!(answer["warnings"][0]["code"], "PIN_NOT_AVAILABLE");
    desk.has_pin("3001").await;
    let answer = desk.take(&update("3001", json!({"pinStatus": "S"}))).await;
    assert_eq!(answer.get("warnings"), None);
}

#[tokio::test]
async fn r32_w_after_the_claim_is_taken_and_the_answer_says_it_is_late() {
    let desk = with_card().await;
    assert_eq!(desk.take(&update("3001", json!({"pinStatus": "W"}))).await.get("warnings"), None);
    desk.execute("UPDATE production_request SET state = 'CLAIMED', file_id = 'f'").await;
    let answer = desk.take(&update("3001", json!({"pinStatus": "W"}))).await;
    assert_eq!(answer["warnings"][0]["code"], "IN_PRODUCTION");
    assert_eq!(
        answer["warnings"][0]["text"],
        "plastic 1 is already in production: the change counts from the next one"
    );
    let answer = desk.take(&update("3001", json!({"segment": "SEGMENT_C"}))).await;
    assert_eq!(answer.get("warnings"), None);
}

#[tokio::test]
async fn a_card_is_linked_anew_by_the_rules_of_a_new_one() {
    let desk = with_card().await;
    assert_eq!(desk.refuse(&update("3001", json!({"customerId": "9"}))).await.0, "CUSTOMER_UNKNOWN");
    assert_eq!(desk.refuse(&update("3001", json!({"accountId": "9"}))).await.0, "ACCOUNT_UNKNOWN");
    assert_eq!(desk.refuse(&update("3001", json!({"customerId": "1002"}))).await.0, "ROLE_MISMATCH");
    desk.take(&account("2002", "1002")).await;
    desk.take(&update("3001", json!({"customerId": "1002", "accountId": "2002"}))).await;
    let card = desk.card("3001").await.unwrap().card;
    assert_eq!((card.customer_id.get(), card.account_id.get()), (1002, 2002));
}
