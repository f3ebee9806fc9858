//! PINs of a claimed file: which are missing, and the first one made for a request kept for ever (R40).

use sqlx::SqliteConnection;

use super::columns::Columns;
use super::items::must_be_ours;
use super::statement::statement;
use super::{Rows, SqliteStore};
use crate::card::FileId;
use crate::store::{NewPin, PinToIssue, StoreError};

// The index of items that need a PIN shrinks as they get one: a page never passes the ones done before.
statement!(
    ITEMS_WITHOUT_PIN = "SELECT need.record_uid, need.event, need.card_id, cv.data ->> 'productCode', c.pan,
    (SELECT COALESCE(MAX(version), 0) + 1 FROM pin
      WHERE pin.institution = need.institution AND pin.card_id = need.card_id),
    made.version
  FROM (SELECT * FROM file_item
         WHERE file_id = $1 AND live = 1 AND pin_action = 'GENERATE' AND pin_version IS NULL LIMIT $2) AS need
  CROSS JOIN card AS c ON c.institution = need.institution AND c.card_id = need.card_id
  CROSS JOIN card_version AS cv
    ON cv.institution = need.institution AND cv.card_id = need.card_id AND cv.version = need.card_version
  LEFT JOIN pin AS made ON made.record_uid = need.record_uid"
);
statement!(
    LINK_PINS = "UPDATE file_item INDEXED BY item_record SET pin_version = made.version FROM pin AS made
    WHERE file_item.file_id = $1 AND file_item.live = 1 AND file_item.duplicate = 0 AND file_item.pin_action = 'GENERATE'
      AND file_item.pin_version IS NULL AND made.record_uid = file_item.record_uid
      AND file_item.record_uid IN (SELECT value FROM json_each($2))"
);
statement!(
    SAVE_PINS = "INSERT INTO pin
        (institution, card_id, version, record_uid, scheme, stored, pvv, pvki, pvv_key, made_at)
    SELECT $1, value ->> 0, value ->> 1, value ->> 2, value ->> 3, unhex(value ->> 4), unhex(value ->> 5),
        value ->> 6, value ->> 7, $3
    FROM json_each($2) WHERE true ON CONFLICT DO NOTHING"
);
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
                Some(_) => made.push(request.record_uid),
                None => missing.push(request),
            }
        }
        if !made.is_empty() {
            let mut transaction = store.begin().await?;
            link(&mut transaction, file_id, Rows::of(made)?).await?;
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
    let rows = Rows::of(pins.iter().map(|NewPin { record_uid, card_id, pin }| {
        let (stored, pvv) = (hex::encode(&pin.stored), pin.pvv.as_ref().map(hex::encode));
        (card_id.get(), pin.version, record_uid, &pin.scheme, stored, pvv, &pin.pvki, &pin.pvv_key)
    }))?;
    let call = SAVE_PINS.call().bind(institution).bind(rows.into_text());
    call.bind(store.clock.now().timestamp_micros()).run(&mut *transaction).await?;
    link(&mut transaction, file_id, Rows::of(pins.iter().map(|pin| pin.record_uid))?).await?;
    super::commit(transaction).await
}

async fn link(connection: &mut SqliteConnection, file_id: FileId, record_uids: Rows) -> Result<(), StoreError> {
    LINK_PINS.call().bind(file_id.to_string()).bind(record_uids.into_text()).run(connection).await?;
    Ok(())
}
