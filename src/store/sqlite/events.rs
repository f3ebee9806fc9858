//! Event rows: written in the transaction of what they tell, read by number.

use chrono::{DateTime, Utc};
use sqlx::{Pool, Sqlite, SqliteConnection};

use super::columns::Columns;
use super::statement::statement;
use crate::card::InstitutionId;
use crate::store::{EventRow, StoreError};

statement!(WRITE_EVENT = "INSERT INTO event (at, kind, institution, data) VALUES ($1, $2, $3, $4)");
statement!(
    EVENTS_AFTER = "SELECT number, at, kind, institution, data FROM event WHERE number > $1 ORDER BY number LIMIT $2"
);

/// Writes one event.
pub(super) async fn write(
    connection: &mut SqliteConnection,
    at: DateTime<Utc>,
    kind: &str,
    institution: Option<&InstitutionId>,
    data: &serde_json::Value,
) -> Result<(), StoreError> {
    let call = WRITE_EVENT.call().bind(at.timestamp_micros()).bind(kind).bind(institution.map(InstitutionId::as_str));
    call.bind(data.to_string()).run(connection).await?;
    Ok(())
}

/// Events with a number over `number`.
pub(super) async fn after(readers: &Pool<Sqlite>, number: i64, limit: u32) -> Result<Vec<EventRow>, StoreError> {
    let rows = EVENTS_AFTER.call().bind(number).bind(limit).rows(readers).await?;
    rows.iter()
        .map(|row| {
            let mut columns = Columns::of("event", row);
            Ok(EventRow {
                number: columns.take()?,
                at: columns.instant()?,
                kind: columns.take()?,
                institution: columns.parse_optional()?,
                data: columns.take()?,
            })
        })
        .collect()
}
