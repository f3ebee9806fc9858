use emboss::card::PlasticStatus;
use emboss::store::Store;
use serde_json::{Value, json};

use crate::desk::*;

fn by_id(id: &str, action: &str) -> Value {
    order("updatePlastic", json!({"plasticId": id, "body": {"action": action}}))
}

fn by_number(card: &str, number: u8, action: &str) -> Value {
    order("updatePlastic", json!({"cardId": card, "sequenceNumber": number, "body": {"action": action}}))
}

async fn statuses(desk: &Desk, card: &str) -> Vec<PlasticStatus> {
    desk.plastics(card).await.iter().map(|plastic| plastic.status).collect()
}

/// Card 3001 with plastics 1 (NVRT, ACTIVE) and 2 (RALLRE, INACTIVE, marked).
async fn with_instant_card() -> Desk {
    let desk = Desk::with_customers().await;
    desk.take(&new_card("3001", json!({"productCode": "MC_INSTANT", "embossing": {}}))).await;
    desk
}

async fn settle(desk: &Desk, number: usize, to: PlasticStatus) {
    let plastic = desk.plastics("3001").await.remove(number - 1);
    let mut work = desk.store.intake().await.unwrap();
    work.move_plastic(&issuer(), &plastic, to, at("2026-11-20T12:00:00Z")).await.unwrap();
    work.commit().await.unwrap();
}

#[tokio::test]
async fn r122_an_unclaimed_plastic_is_cancelled_with_its_request() {
    let desk = with_instant_card().await;
    let id = desk.plastics("3001").await[1].plastic_id.to_string();
    let answer = desk.take(&by_id(&id, "CANCEL")).await;
    assert_eq!((&answer["description"], &answer["id"]), (&json!("Plastic cancelled"), &json!(id)));
    assert_eq!(statuses(&desk, "3001").await, [PlasticStatus::Active, PlasticStatus::Cancelled], "R118: its row stays");
    assert_eq!(desk.requests("3001").await, []);
    let (code, kind, _) = desk.refuse(&by_id(&id, "CANCEL")).await;
    assert_eq!((code.as_str(), kind.as_str()), ("PLASTIC_UNKNOWN", "DYNAMIC_VALIDATION_ERROR"), "it has disappeared");
    assert_eq!(desk.refuse(&by_number("3001", 2, "ACTIVATE")).await.0, "PLASTIC_UNKNOWN");
}

#[tokio::test]
async fn r123_a_claimed_plastic_is_in_production() {
    let desk = with_instant_card().await;
    desk.execute("UPDATE production_request SET state = 'CLAIMED', file_id = 'f'").await;
    let (code, kind, reason) = desk.refuse(&by_number("3001", 2, "CANCEL")).await;
    assert_eq!((code.as_str(), kind.as_str()), ("IN_PRODUCTION", "DYNAMIC_VALIDATION_ERROR"));
    assert!(reason.contains("is INACTIVE and in production") && reason.contains("R123"), "{reason}");
    assert_eq!(statuses(&desk, "3001").await[1], PlasticStatus::Inactive);
    desk.execute("UPDATE production_request SET state = 'OPEN', file_id = NULL").await;
    desk.take(&by_number("3001", 2, "CANCEL")).await;
}

#[tokio::test]
async fn r122_only_inactive_plastics_are_cancelled() {
    let desk = with_instant_card().await;
    for status in [PlasticStatus::Active, PlasticStatus::Locked, PlasticStatus::Closed] {
        if status != PlasticStatus::Active {
            settle(&desk, 1, status).await;
        }
        let (code, _, reason) = desk.refuse(&by_number("3001", 1, "CANCEL")).await;
        assert_eq!(code, "PLASTIC_NOT_INACTIVE", "{status}");
        assert!(reason.contains(status.as_str()) && reason.contains("R122"), "{reason}");
    }
}

#[tokio::test]
async fn r64_activating_a_locked_plastic_closes_the_older_ones() {
    let desk = with_instant_card().await;
    settle(&desk, 2, PlasticStatus::Locked).await;
    assert_eq!(statuses(&desk, "3001").await, [PlasticStatus::Active, PlasticStatus::Locked]);
    let answer = desk.take(&by_number("3001", 2, "ACTIVATE")).await;
    assert_eq!(answer["description"], "Plastic activated");
    assert_eq!(statuses(&desk, "3001").await, [PlasticStatus::Closed, PlasticStatus::Active]);
}

#[tokio::test]
async fn r64_an_older_locked_plastic_is_closed_and_a_cancelled_one_left() {
    let desk = with_instant_card().await;
    settle(&desk, 1, PlasticStatus::Cancelled).await;
    settle(&desk, 2, PlasticStatus::Locked).await;
    desk.take(&by_number("3001", 2, "ACTIVATE")).await;
    assert_eq!(statuses(&desk, "3001").await, [PlasticStatus::Cancelled, PlasticStatus::Active]);
    let desk = with_instant_card().await;
    settle(&desk, 1, PlasticStatus::Locked).await;
    settle(&desk, 2, PlasticStatus::Locked).await;
    desk.take(&by_number("3001", 2, "ACTIVATE")).await;
    assert_eq!(statuses(&desk, "3001").await, [PlasticStatus::Closed, PlasticStatus::Active]);
}

#[tokio::test]
async fn r68_only_locked_plastics_are_activated() {
    let desk = with_instant_card().await;
    let (code, kind, reason) = desk.refuse(&by_number("3001", 2, "ACTIVATE")).await;
    assert_eq!((code.as_str(), kind.as_str()), ("PLASTIC_NOT_LOCKED", "DYNAMIC_VALIDATION_ERROR"));
    assert!(reason.contains("INACTIVE") && reason.contains("R68"), "{reason}");
    assert_eq!(desk.refuse(&by_number("3001", 1, "ACTIVATE")).await.0, "PLASTIC_NOT_LOCKED");
}

#[tokio::test]
async fn plastics_that_are_not_there_are_unknown() {
    let desk = with_instant_card().await;
    assert_eq!(desk.refuse(&by_id("999", "CANCEL")).await.2, "plastic 999 is not known");
    assert_eq!(desk.refuse(&by_number("3001", 3, "CANCEL")).await.2, "plastic 3 of card 3001 is not known");
    assert_eq!(desk.refuse(&by_number("9", 1, "CANCEL")).await.0, "CARD_UNKNOWN");
    let id = desk.plastics("3001").await[1].plastic_id.to_string();
    let line = with(by_id(&id, "CANCEL"), "institutionId", json!("246002"));
    assert_eq!(desk.refuse(&line).await.0, "PLASTIC_UNKNOWN", "of another institution");
}
