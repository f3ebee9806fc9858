//! PINs of a claimed file: which are missing, and the first one made for a request kept for ever (R40).

use super::SqlStore;
use super::columns::Columns;
use super::connection::Connection;
use super::items::must_be_ours;
use super::many::Kind::{Bytes, Integer, Text};
use super::many::ManyRows;
use super::statement::{Row, statement};
use super::value::Value;
use crate::card::FileId;
use crate::store::{NewPin, PinToIssue, StoreError};

// The index of items that need a PIN shrinks as they get one: a page never passes the ones done before. In the file's
// order, which SQLite's index has by itself, so that the same randomness gives the same PINs.
statement!(
    ITEMS_WITHOUT_PIN = sqlite(
        "SELECT need.record_uid, need.event, need.card_id, need.product_code, c.pan,
    (SELECT COALESCE(MAX(version), 0) + 1 FROM pin
      WHERE pin.institution = need.institution AND pin.card_id = need.card_id),
    made.version
  FROM (SELECT record_uid, event, institution, card_id, product_code FROM file_item
         WHERE file_id = $1 AND live = 1 AND pin_action = 'GENERATE' AND pin_version IS NULL LIMIT $2) AS need
  CROSS JOIN card AS c ON c.institution = need.institution AND c.card_id = need.card_id
  LEFT JOIN pin AS made ON made.record_uid = need.record_uid AND made.void = 0"
    ),
    postgres(
        "SELECT need.record_uid, need.event, need.card_id, need.product_code, c.pan,
    (SELECT COALESCE(MAX(version), 0) + 1 FROM pin
      WHERE pin.institution = need.institution AND pin.card_id = need.card_id),
    made.version
  FROM (SELECT record_uid, event, institution, card_id, product_code, sort_key FROM file_item
         WHERE file_id = $1 AND live = 1 AND pin_action = 'GENERATE' AND pin_version IS NULL
         ORDER BY sort_key LIMIT $2) AS need
  JOIN card AS c ON c.institution = need.institution AND c.card_id = need.card_id
  LEFT JOIN pin AS made ON made.record_uid = need.record_uid AND made.void = 0
 ORDER BY need.sort_key"
    )
);
// From the records asked for to their items. PostgreSQL would rather walk the file or the items that need a PIN, all of
// them for each page; so nothing it is told fits the indexes of those.
statement!(
    LINK_PINS = sqlite("UPDATE file_item INDEXED BY item_record SET pin_version = made.version FROM pin AS made
    WHERE file_item.file_id = $1 AND file_item.live = 1 AND file_item.duplicate = 0 AND file_item.pin_action = 'GENERATE'
      AND file_item.pin_version IS NULL AND made.record_uid = file_item.record_uid AND made.void = 0
      AND file_item.record_uid IN (SELECT value FROM json_each($2))"),
    postgres("UPDATE file_item SET pin_version = made.version FROM pin AS made
    WHERE file_item.record_uid = ANY($2) AND file_item.live = 1 AND file_item.duplicate = 0
      AND made.record_uid = file_item.record_uid AND made.void = 0
      AND file_item.pin_version IS DISTINCT FROM made.version
      AND file_item.pin_action = 'GENERATE' AND file_item.file_id || '' = $1")
);
const SAVE_PINS: ManyRows = ManyRows {
    name: "SAVE_PINS",
    insert: "INSERT INTO pin (institution, card_id, version, record_uid, scheme, stored, pvv, pvki, pvv_key, made_at)",
    kinds: &[Text, Integer, Integer, Text, Text, Bytes, Bytes, Text, Text, Integer],
    then: "ON CONFLICT DO NOTHING",
};
statement!(INSTITUTION_OF_FILE = "SELECT institution FROM file WHERE file_id = $1");

/// Items that need a PIN, after linking those whose PIN an earlier try made.
pub(super) async fn to_issue(store: &SqlStore, file_id: FileId, limit: u32) -> Result<Vec<PinToIssue>, StoreError> {
    loop {
        let call = ITEMS_WITHOUT_PIN.call().bind(file_id.to_string()).bind(limit);
        let (mut made, mut missing) = (Vec::new(), Vec::new());
        let take = |row: &Row| {
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
                Some(_) => made.push(request.record_uid.to_string()),
                None => missing.push(request),
            }
            Ok(())
        };
        let found = call.each(&mut store.reader().await?, take).await?;
        if !made.is_empty() {
            let mut transaction = store.begin().await?;
            link(&mut transaction, file_id, made).await?;
            transaction.commit().await?;
        }
        if !missing.is_empty() || found.is_empty() {
            return Ok(missing);
        }
    }
}

/// Persists PINs and links them. One that lost to an earlier PIN of its request is forgotten, and the earlier linked;
/// one whose version another request of the card took meanwhile stays to be issued again.
pub(super) async fn save(store: &SqlStore, file_id: FileId, epoch: i64, pins: &[NewPin]) -> Result<(), StoreError> {
    let mut transaction = store.begin().await?;
    must_be_ours(&mut transaction, file_id, epoch).await?;
    let row = INSTITUTION_OF_FILE.call().bind(file_id.to_string()).row(&mut transaction).await?;
    let institution: String = row.map_or(Ok(String::new()), |row| Columns::of("file", &row).take())?;
    let made_at_us = store.time(&mut transaction).await?.timestamp_micros();
    let rows = pins.iter().map(|pin| columns_of(&institution, pin, made_at_us)).collect();
    SAVE_PINS.write(rows, &mut transaction).await?;
    link(&mut transaction, file_id, pins.iter().map(|pin| pin.record_uid.to_string()).collect()).await?;
    transaction.commit().await
}

/// The columns of [`SAVE_PINS`].
fn columns_of(institution: &str, NewPin { record_uid, card_id, pin }: &NewPin, made_at_us: i64) -> Vec<Value> {
    vec![
        institution.into(),
        card_id.get().into(),
        pin.version.into(),
        record_uid.to_string().into(),
        pin.scheme.as_str().into(),
        pin.stored.as_slice().into(),
        pin.pvv.as_deref().into(),
        pin.pvki.as_deref().into(),
        pin.pvv_key.as_deref().into(),
        made_at_us.into(),
    ]
}

async fn link(connection: &mut Connection, file_id: FileId, record_uids: Vec<String>) -> Result<(), StoreError> {
    LINK_PINS.call().bind(file_id.to_string()).bind(Value::Texts(record_uids)).run(connection).await?;
    Ok(())
}
