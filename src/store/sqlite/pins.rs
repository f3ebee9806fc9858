//! PINs of a claimed file: which are missing, and the first one made for a request kept for ever (R40).

use serde_json::json;
use sqlx::SqliteConnection;

use super::columns::Columns;
use super::items::must_be_ours;
use super::many::{ManyRows, ROWS_PER_INSERT};
use super::statement::statement;
use super::{SqliteStore, array_of};
use crate::card::FileId;
use crate::store::{NewPin, PinToIssue, StoreError};

// The index of items that need a PIN shrinks as they get one: a page never passes the ones done before.
statement!(
    ITEMS_WITHOUT_PIN = "SELECT need.record_uid, need.event, need.card_id, need.product_code, c.pan,
    (SELECT COALESCE(MAX(version), 0) + 1 FROM pin
      WHERE pin.institution = need.institution AND pin.card_id = need.card_id),
    made.version
  FROM (SELECT record_uid, event, institution, card_id, product_code FROM file_item
         WHERE file_id = $1 AND live = 1 AND pin_action = 'GENERATE' AND pin_version IS NULL LIMIT $2) AS need
  CROSS JOIN card AS c ON c.institution = need.institution AND c.card_id = need.card_id
  LEFT JOIN pin AS made ON made.record_uid = need.record_uid"
);
statement!(
    LINK_PINS = "UPDATE file_item INDEXED BY item_record SET pin_version = made.version FROM pin AS made
    WHERE file_item.file_id = $1 AND file_item.live = 1 AND file_item.duplicate = 0 AND file_item.pin_action = 'GENERATE'
      AND file_item.pin_version IS NULL AND made.record_uid = file_item.record_uid
      AND file_item.record_uid IN (SELECT value FROM json_each($2))"
);
const SAVE_PINS: ManyRows = ManyRows {
    name: "SAVE_PINS",
    insert: "INSERT INTO pin (institution, card_id, version, record_uid, scheme, stored, pvv, pvki, pvv_key, made_at)",
    columns: 10,
    then: "ON CONFLICT DO NOTHING",
};
statement!(INSTITUTION_OF_FILE = "SELECT institution FROM file WHERE file_id = $1");

/// Items that need a PIN, after linking those whose PIN an earlier try made.
pub(super) async fn to_issue(store: &SqliteStore, file_id: FileId, limit: u32) -> Result<Vec<PinToIssue>, StoreError> {
    loop {
        let call = ITEMS_WITHOUT_PIN.call().bind(file_id.to_string()).bind(limit);
        let rows = call.rows(&store.pools.readers).await?;
        let (mut made, mut missing) = (Vec::new(), Vec::new());
        for row in &rows {
            let mut columns = Columns::of("file_item", row);
            let request = PinToIssue {
                record_uid: columns.parse()?,
                event: columns.parse()?,
                card_id: columns.card_id()?,
                product_code: columns.take()?,
                pan: columns.take()?,
                version: columns.take()?,
            };
            match columns.take::<Option<i64>>()? {
                Some(_) => made.push(json!(request.record_uid)),
                None => missing.push(request),
            }
        }
        if !made.is_empty() {
            let mut transaction = store.begin().await?;
            link(&mut transaction, file_id, made).await?;
            super::commit(transaction).await?;
        }
        if !missing.is_empty() || rows.is_empty() {
            return Ok(missing);
        }
    }
}

/// Persists PINs and links them. One that lost to an earlier PIN of its request is forgotten, and the earlier linked;
/// one whose version another request of the card took meanwhile stays to be issued again.
pub(super) async fn save(store: &SqliteStore, file_id: FileId, epoch: i64, pins: &[NewPin]) -> Result<(), StoreError> {
    let mut transaction = store.begin().await?;
    must_be_ours(&mut transaction, file_id, epoch).await?;
    let row = INSTITUTION_OF_FILE.call().bind(file_id.to_string()).row(&mut *transaction).await?;
    let institution: String = row.map_or(Ok(String::new()), |row| Columns::of("file", &row).take())?;
    let made_at_us = store.clock.now().timestamp_micros();
    for rows in pins.chunks(ROWS_PER_INSERT) {
        let call = rows.iter().fold(SAVE_PINS.call(rows.len()), |call, NewPin { record_uid, card_id, pin }| {
            let call = call.bind(institution.as_str()).bind(card_id.get()).bind(pin.version);
            let call = call.bind(record_uid.to_string()).bind(pin.scheme.as_str()).bind(pin.stored.as_slice());
            let call = call.bind(pin.pvv.as_deref()).bind(pin.pvki.as_deref()).bind(pin.pvv_key.as_deref());
            call.bind(made_at_us)
        });
        call.run(&mut *transaction).await?;
    }
    link(&mut transaction, file_id, pins.iter().map(|pin| json!(pin.record_uid)).collect()).await?;
    super::commit(transaction).await
}

async fn link(
    connection: &mut SqliteConnection,
    file_id: FileId,
    record_uids: Vec<serde_json::Value>,
) -> Result<(), StoreError> {
    LINK_PINS.call().bind(file_id.to_string()).bind(array_of(record_uids)).run(connection).await?;
    Ok(())
}
