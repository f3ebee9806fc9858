//! The log of what stood in a request's way, night by night: for people, read by no decision (R54).
//!
//! Invariants: one row per request and reason, with the first and the last night and their number; a night counts once,
//! however often it is run; where nothing is held, nothing is written.

use chrono::NaiveDate;

use super::connection::Connection;
use super::many::Kind::{Integer, Text};
use super::many::ManyRows;
use super::value::Value;
use super::{SqlStore, runs};
use crate::store::{Stay, StoreError};

const WRITE_STANDING: ManyRows = ManyRows {
    name: "WRITE_STANDING",
    insert: "INSERT INTO standing (record_uid, kind, code, first_night, last_night, times)",
    kinds: &[Text, Text, Text, Text, Text, Integer],
    then: "ON CONFLICT (record_uid, kind, code)
    DO UPDATE SET last_night = excluded.last_night, times = standing.times + 1
    WHERE standing.last_night < excluded.last_night",
};

/// Requests of one transaction, outside a claim.
const AT_ONCE: usize = 1_000;

/// Writes what stays on a night, the date of T0; the same request at most once.
pub(super) async fn write(connection: &mut Connection, night: NaiveDate, stays: &[Stay]) -> Result<(), StoreError> {
    if stays.is_empty() {
        return Ok(());
    }
    let night = night.to_string();
    let row = |stay: &Stay| -> Vec<Value> {
        vec![
            stay.record_uid.to_string().into(),
            stay.standing.as_str().into(),
            stay.code.as_str().into(),
            night.as_str().into(),
            night.as_str().into(),
            1_i64.into(),
        ]
    };
    WRITE_STANDING.write(stays.iter().map(row).collect(), connection).await?;
    Ok(())
}

/// The same in transactions of its own, as long as no later run has begun.
pub(super) async fn note(store: &SqlStore, epoch: i64, night: NaiveDate, stays: &[Stay]) -> Result<(), StoreError> {
    for page in stays.chunks(AT_ONCE) {
        let mut transaction = store.begin().await?;
        write(&mut transaction, night, page).await?;
        runs::ours_until_commit(&mut transaction, epoch, || "the log of what was held".to_owned()).await?;
        transaction.commit().await?;
    }
    Ok(())
}
