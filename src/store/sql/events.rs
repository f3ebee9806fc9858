//! Event rows: written in the transaction of what they tell, read by number.

use chrono::{DateTime, Utc};

use super::SqlStore;
use super::claim::expect_count;
use super::columns::Columns;
use super::connection::{Connection, Database};
use super::many::Kind::{Integer, Text};
use super::many::ManyRows;
use super::statement::{Row, statement};
use crate::card::{CardId, InstitutionId};
use crate::store::{EventRow, StoreError};

statement!(WRITE_EVENT = "INSERT INTO event (at, kind, institution, data, card_id) VALUES ($1, $2, $3, $4, $5)");
const WRITE_EVENTS: ManyRows = ManyRows {
    name: "WRITE_EVENTS",
    insert: "INSERT INTO event (at, kind, institution, data, card_id)",
    kinds: &[Integer, Text, Text, Text, Integer],
    then: "",
};
statement!(
    EVENTS_AFTER = "SELECT number, at, kind, institution, data FROM event WHERE number > $1 ORDER BY number LIMIT $2"
);

// The key is ours alone in the database: the letters "embo" and a number.
statement!(TURN = sqlite("SELECT 1"), postgres("SELECT pg_advisory_xact_lock(1701667439, 2)"));

/// Waits for the turn to write events, until the transaction ends. PostgreSQL gives numbers out before it is known in
/// which order transactions commit; without turns a reader that goes on after number N would pass over one below N that
/// commits late. So whoever tells something tells it at the end of its transaction. SQLite has one writer anyway.
pub(super) async fn turn(connection: &mut Connection) -> Result<(), StoreError> {
    if connection.database() == Database::Postgres {
        TURN.call().row(connection).await?;
    }
    Ok(())
}

/// Writes one event.
pub(super) async fn write(
    connection: &mut Connection,
    at: DateTime<Utc>,
    kind: &str,
    institution: Option<&InstitutionId>,
    data: &serde_json::Value,
) -> Result<(), StoreError> {
    write_about(connection, at, kind, (institution, None), data).await
}

/// Writes one event that tells of one card alone, so that the card's story finds it.
pub(super) async fn write_of_card(
    connection: &mut Connection,
    at: DateTime<Utc>,
    kind: &str,
    institution: &InstitutionId,
    card_id: CardId,
    data: &serde_json::Value,
) -> Result<(), StoreError> {
    write_about(connection, at, kind, (Some(institution), Some(card_id)), data).await
}

async fn write_about(
    connection: &mut Connection,
    at: DateTime<Utc>,
    kind: &str,
    (institution, card_id): (Option<&InstitutionId>, Option<CardId>),
    data: &serde_json::Value,
) -> Result<(), StoreError> {
    turn(connection).await?;
    let call = WRITE_EVENT.call().bind(at.timestamp_micros()).bind(kind).bind(institution.map(InstitutionId::as_str));
    call.bind(data.to_string()).bind(card_id.map(CardId::get)).run(connection).await?;
    Ok(())
}

/// Writes many events of an institution, each of one card, in their order.
pub(super) async fn write_many(
    connection: &mut Connection,
    at: DateTime<Utc>,
    institution: &InstitutionId,
    told: Vec<(CardId, &'static str, serde_json::Value)>,
) -> Result<(), StoreError> {
    turn(connection).await?;
    let columns = |(card_id, kind, data): (CardId, &str, serde_json::Value)| {
        let card_id = card_id.get().into();
        vec![at.timestamp_micros().into(), kind.into(), institution.as_str().into(), data.to_string().into(), card_id]
    };
    let rows: Vec<_> = told.into_iter().map(columns).collect();
    let count = rows.len() as u64;
    expect_count(WRITE_EVENTS.write(rows, connection).await?, count, "events")
}

/// Events with a number over `number`.
pub(super) async fn after(store: &SqlStore, number: i64, limit: u32) -> Result<Vec<EventRow>, StoreError> {
    EVENTS_AFTER.call().bind(number).bind(limit).each(&mut store.reader().await?, row).await
}

/// A row of number, instant, kind, institution and data.
pub(super) fn row(row: &Row) -> Result<EventRow, StoreError> {
    let mut columns = Columns::of("event", row);
    Ok(EventRow {
        number: columns.take()?,
        at: columns.instant()?,
        kind: columns.take()?,
        institution: columns.parse_optional()?,
        data: columns.take()?,
    })
}
