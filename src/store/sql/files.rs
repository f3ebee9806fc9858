//! Files: how they are read and taken over into another epoch, and what every event about one says.
//!
//! Invariant: a settled file that is being sent again is read in the state of its newest delivery.

use serde_json::json;

use super::columns::Columns;
use super::connection::Connection;
use super::statement::{Call, Row, statement};
use super::{SqlStore, runs};
use crate::agreement::FileVersion;
use crate::card::FileId;
use crate::settlement::FileState;
use crate::store::{FileRow, NightKey, StoreError};

/// A SELECT of files with their newest delivery.
macro_rules! files {
    ($visibility:vis $name:ident, $rest:literal) => {
        statement!(
            $visibility $name = "SELECT f.file_id, f.night, f.run_id, f.institution, f.manufacturer, f.sequence_number,
    f.previous_file_id, f.file_type, f.resend_of, f.format, f.version, f.cut_off, f.data_as_of,
    CASE WHEN f.state = 'SETTLED' AND d.state IN ('SENDING', 'READY', 'RENAMING', 'UNCERTAIN') THEN d.state ELSE f.state END,
    f.epoch, f.sealed_epoch, f.fill_seed, f.file_name, f.sha256, f.size_bytes, f.records, f.cards, f.pin_only,
    f.by_production_event, f.delivery_number, COALESCE(d.attempt, 0), d.temporary_name, d.identity,
    COALESCE(d.rename_attempt, 0), f.trouble, f.published_at, f.settled_at, f.rename_attempted, f.abandoned, f.items_sha256
  FROM file AS f
  LEFT JOIN delivery AS d ON d.file_id = f.file_id AND d.delivery_number = f.delivery_number ",
            $rest
        );
    };
}
files!(FILE, "WHERE f.file_id = $1");
files!(
    UNFINISHED,
    "WHERE f.file_id IN (SELECT file_id FROM file WHERE state <> 'SETTLED' UNION ALL
    SELECT file_id FROM delivery WHERE state IN ('SENDING', 'READY', 'RENAMING', 'UNCERTAIN'))
 ORDER BY f.institution, f.manufacturer, f.sequence_number"
);
files!(FILES_NAMED, "WHERE f.file_id = $1 OR f.file_name = $1 OR f.file_name = $2 ORDER BY f.data_as_of DESC LIMIT 1");
files!(FILES_OF_NIGHT, "WHERE f.night = $1 ORDER BY f.institution, f.manufacturer, f.sequence_number");
files!(NEWEST_FILES, "ORDER BY f.data_as_of DESC, f.institution, f.manufacturer, f.sequence_number DESC LIMIT $1");
files!(
    pub(super) CLAIMED_BEFORE,
    "WHERE f.institution = $1 AND f.manufacturer = $2 AND f.state = 'CLAIMED' AND f.file_type = 'NORMAL'
   AND f.abandoned = 0 AND f.cut_off < $3 ORDER BY f.sequence_number"
);

statement!(ADOPT = "UPDATE file SET epoch = $4 WHERE file_id = $1 AND state = $2 AND epoch = $3");
fn file_row(row: &Row) -> Result<FileRow, StoreError> {
    let mut columns = Columns::of("file", row);
    Ok(FileRow {
        file_id: columns.parse()?,
        night: columns.parse()?,
        run_id: columns.parse()?,
        institution: columns.parse()?,
        manufacturer: columns.parse()?,
        sequence_number: columns.number()?,
        previous_file_id: columns.parse_optional()?,
        file_type: columns.parse()?,
        resend_of: columns.parse_optional()?,
        format: columns.parse()?,
        version: columns.number::<FileVersion>()?,
        cut_off: columns.instant()?,
        data_as_of: columns.instant()?,
        state: columns.parse()?,
        epoch: columns.take()?,
        sealed_epoch: columns.take()?,
        fill_seed: columns.take()?,
        file_name: columns.take()?,
        sha256: columns.take()?,
        size_bytes: columns.number_optional()?,
        records: columns.number_optional()?,
        cards: columns.number_optional()?,
        pin_only: columns.number_optional()?,
        by_production_event: columns.take()?,
        delivery_number: columns.number()?,
        attempt: columns.number()?,
        temporary_name: columns.take::<Option<String>>()?.filter(|name| !name.is_empty()),
        identity: columns.take()?,
        rename_attempt: columns.number()?,
        trouble: columns.take()?,
        published_at: columns.instant_optional()?,
        settled_at: columns.instant_optional()?,
        rename_attempted: columns.flag()?,
        abandoned: columns.flag()?,
        items_sha256: columns.take()?,
    })
}

/// One file.
pub(super) async fn file(connection: &mut Connection, file_id: FileId) -> Result<Option<FileRow>, StoreError> {
    let row = FILE.call().bind(file_id.to_string()).row(connection).await?;
    row.as_ref().map(file_row).transpose()
}

/// A file that must be there.
pub(super) async fn known(connection: &mut Connection, file_id: FileId) -> Result<FileRow, StoreError> {
    let found = file(connection, file_id).await?;
    found.ok_or_else(|| StoreError::Corrupt { what: format!("file {file_id}"), reason: "it is not there".to_owned() })
}

/// The rows of a call on [`files`].
pub(super) async fn list(call: Call, connection: &mut Connection) -> Result<Vec<FileRow>, StoreError> {
    call.each(connection, file_row).await
}

/// Files that are not settled.
pub(super) async fn unfinished(store: &SqlStore) -> Result<Vec<FileRow>, StoreError> {
    UNFINISHED.call().each(&mut store.reader().await?, file_row).await
}

/// The newest file of that name, with or without `.pgp`, or of that id.
pub(super) async fn named(store: &SqlStore, name: &str) -> Result<Option<FileRow>, StoreError> {
    let call = FILES_NAMED.call().bind(name).bind(format!("{name}.pgp"));
    let row = call.row(&mut store.reader().await?).await?;
    row.as_ref().map(file_row).transpose()
}

/// Files of a night.
pub(super) async fn of_night(store: &SqlStore, night: &NightKey) -> Result<Vec<FileRow>, StoreError> {
    FILES_OF_NIGHT.call().bind(night.to_string()).each(&mut store.reader().await?, file_row).await
}

/// The newest files.
pub(super) async fn newest(store: &SqlStore, limit: u32) -> Result<Vec<FileRow>, StoreError> {
    NEWEST_FILES.call().bind(limit).each(&mut store.reader().await?, file_row).await
}

/// Takes a file over into a new epoch.
pub(super) async fn adopt(store: &SqlStore, file: &FileRow, epoch: i64) -> Result<FileRow, StoreError> {
    let mut transaction = store.begin().await?;
    runs::still_ours(&mut transaction, epoch, || format!("file {}", file.file_id)).await?;
    let state = if file.is_resend() { FileState::Settled } else { file.state };
    let call = ADOPT.call().bind(file.file_id.to_string()).bind(state.as_str()).bind(file.epoch).bind(epoch);
    if call.run(&mut transaction).await? != 1 {
        return Err(StoreError::Superseded { what: format!("file {}", file.file_id), epoch });
    }
    let adopted = known(&mut transaction, file.file_id).await?;
    transaction.commit().await?;
    Ok(adopted)
}

/// What every event about a file says.
pub(super) fn about(file: &FileRow) -> serde_json::Value {
    json!({
        "fileId": file.file_id, "manufacturer": file.manufacturer, "sequenceNumber": file.sequence_number,
        "night": file.night.to_string(), "fileName": file.file_name, "sha256": file.sha256, "records": file.records,
    })
}
