//! Imports beside a claim, and beside each other: on PostgreSQL they are at work at once.

use std::str::FromStr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use emboss::ambient::Clock;
use emboss::card::{CardStatus, PinStatus};
use emboss::store::settings::{DatabaseAddress, DatabaseSettings};
use emboss::store::{PostgresAccess, SqlStore, Store};
use serde_json::{Value, json};
use sqlx::postgres::{PgConnectOptions, PgConnection};
use sqlx::{ConnectOptions, Executor};

use crate::desk::*;
use crate::pins::with_card;
use crate::support::postgres::{Cluster, Database, PASSWORD};

/// A desk over a database of a server, with card 3001 of a product with a PIN, and a session of somebody else.
async fn on_postgres() -> (Desk, Database, PgConnection) {
    let database = Cluster::shared().database();
    let settings: DatabaseSettings = toml::from_str(&format!("url = \"{}\"", database.url())).unwrap();
    let DatabaseAddress::Postgres(address) = settings.address().unwrap() else { panic!("a server") };
    let password = Some(PASSWORD.to_owned().into());
    let access = PostgresAccess { tls: address.tls(None), root_certificate: None, password, address };
    let mut desk = with_card().await;
    let clock: Arc<dyn Clock> = Arc::new(desk.clock);
    desk.store = SqlStore::postgres(access, Duration::from_secs(30), Some(clock), true).await.unwrap();
    desk.store = desk.store.with_audit_key(desk.vault.audit_key());
    desk.customers().await;
    desk.take(&new_card("3001", json!({"productCode": "VISA_PIN", "embossing": {}}))).await;
    let other = PgConnectOptions::from_str(&database.url()).unwrap().password(PASSWORD).connect().await.unwrap();
    (desk, database, other)
}

/// Waits until so many sessions wait for what another one holds.
async fn waiting(database: &Database, sessions: u32) {
    let started = Instant::now();
    let question = format!("SELECT count(DISTINCT pid) >= {sessions} FROM pg_locks WHERE NOT granted");
    while database.psql(&question) != "t" {
        assert!(started.elapsed() < Duration::from_secs(30), "not {sessions} wait for what is held");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// The answer to setPin while a claim has marked the card's request and then ends with `end`.
async fn answered_beside_a_claim(end: &'static str) -> (Desk, Value, Database) {
    let (desk, database, mut claim) = on_postgres().await;
    claim.execute("BEGIN; UPDATE production_request SET state = 'CLAIMED', file_id = 'f'").await.unwrap();
    let lines = [desk.order_with("3001", "4711").await];
    let ended = async {
        waiting(&database, 1).await;
        claim.execute(end).await.unwrap();
    };
    let (mut answers, ()) = tokio::join!(desk.import(&lines), ended);
    (desk, answers.remove(0), database)
}

#[tokio::test]
async fn r32_a_claim_that_commits_while_a_pin_is_set_is_waited_for_and_then_refused() {
    let (desk, answer, _server) = answered_beside_a_claim("COMMIT").await;
    assert_eq!(answer["errorCode"], "PIN_IN_PRODUCTION", "{answer}");
    let card = desk.card("3001").await.unwrap();
    assert_eq!((card.version, card.card.pin_status), (1, PinStatus::Default));
    let mut work = desk.store.intake().await.unwrap();
    assert_eq!(work.next_pin_version(&issuer(), card_id("3001")).await.unwrap(), 1, "no PIN was written");
}

#[tokio::test]
async fn r32_a_claim_that_leaves_nothing_leaves_the_card_to_its_pin() {
    let (desk, answer, _server) = answered_beside_a_claim("ROLLBACK").await;
    assert_eq!(answer["description"], "PIN set", "{answer}");
    assert_eq!(desk.card("3001").await.unwrap().card.pin_status, PinStatus::Set);
}

#[tokio::test]
async fn two_imports_of_one_file_at_once_carry_it_out_once_and_answer_alike() {
    let (desk, _server, _) = on_postgres().await;
    let made = |id: u32| new_card(&id.to_string(), json!({"productCode": "VISA_PIN", "embossing": {}}));
    let lines: Vec<Value> = (4001..4041).map(made).collect();
    let (one, other) = tokio::join!(desk.import(&lines), desk.import(&lines));
    assert_eq!(one, other);
    assert!(one.iter().all(|answer| answer["description"] == "Card created"), "{one:?}");
}

#[tokio::test]
async fn two_imports_that_take_the_same_cards_in_opposite_order_are_both_carried_out() {
    let (desk, database, mut holder) = on_postgres().await;
    for id in ["3002", "3003"] {
        desk.take(&new_card(id, json!({"productCode": "VISA_PIN", "embossing": {}}))).await;
    }
    let ids = ["3001", "3002", "3003"];
    let waits = ids.map(|id| for_card_with("updateCard", id, json!({"pinStatus": "W"})));
    let mut blocks = ids.map(|id| status(id, "CARD_BLOCKED"));
    blocks.reverse();
    // Each has its first card when both come to the one in the middle; let go, each needs what the other has.
    holder.execute("BEGIN; SELECT 1 FROM card WHERE card_id = 3002 FOR UPDATE").await.unwrap();
    let let_go = async {
        waiting(&database, 2).await;
        holder.execute("COMMIT").await.unwrap();
    };
    let (one, other, ()) = tokio::join!(desk.import(&waits), desk.import(&blocks), let_go);
    assert!(one.iter().chain(&other).all(|answer| answer["description"] == "Card updated"), "{one:?} {other:?}");
    for id in ids {
        let card = desk.card(id).await.unwrap();
        assert_eq!(
            (card.version, card.card.pin_status, card.card.status),
            (3, PinStatus::Waiting, CardStatus::Blocked)
        );
    }
}
