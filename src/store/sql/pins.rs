//! PINs of a claimed file: which are missing, and the first one made for a request kept for ever (R40).

use super::SqlStore;
use super::columns::Columns;
use super::items::must_be_ours;
use super::many::Kind::{Bytes, Integer, Text};
use super::many::ManyRows;
use super::statement::{Row, statement};
use super::value::Value;
use crate::card::FileId;
use crate::store::{NewPin, PinToIssue, StoreError};

// Along the file, from where the last page ended. A PIN is found by the request it was made for: whether it is there is asked
// per item, because PostgreSQL would rather join all items with all PINs.
statement!(
    ITEMS_WITHOUT_PIN = sqlite(
        "SELECT need.record_uid, need.event, need.card_id, need.product_code, c.pan,
    (SELECT COALESCE(MAX(version), 0) + 1 FROM pin
      WHERE pin.institution = need.institution AND pin.card_id = need.card_id),
    need.sort_key
  FROM (SELECT record_uid, event, institution, card_id, product_code, sort_key FROM file_item
         WHERE file_id = $1 AND live = 1 AND pin_action = 'GENERATE' AND sort_key > $2
           AND (SELECT made.version FROM pin AS made WHERE made.record_uid = file_item.record_uid AND made.void = 0) IS NULL
         ORDER BY sort_key LIMIT $3) AS need
  CROSS JOIN card AS c ON c.institution = need.institution AND c.card_id = need.card_id"
    ),
    postgres(
        "SELECT need.record_uid, need.event, need.card_id, need.product_code, c.pan,
    (SELECT COALESCE(MAX(version), 0) + 1 FROM pin
      WHERE pin.institution = need.institution AND pin.card_id = need.card_id),
    need.sort_key
  FROM (SELECT record_uid, event, institution, card_id, product_code, sort_key FROM file_item
         WHERE file_id = $1 AND live = 1 AND pin_action = 'GENERATE' AND sort_key > $2
           AND (SELECT made.version FROM pin AS made WHERE made.record_uid = file_item.record_uid AND made.void = 0) IS NULL
         ORDER BY sort_key LIMIT $3) AS need
  JOIN card AS c ON c.institution = need.institution AND c.card_id = need.card_id
 ORDER BY need.sort_key"
    )
);
const SAVE_PINS: ManyRows = ManyRows {
    name: "SAVE_PINS",
    insert: "INSERT INTO pin (institution, card_id, version, record_uid, scheme, stored, pvv, pvki, pvv_key, made_at)",
    kinds: &[Text, Integer, Integer, Text, Text, Bytes, Bytes, Text, Text, Integer],
    then: "ON CONFLICT DO NOTHING",
};
statement!(INSTITUTION_OF_FILE = "SELECT institution FROM file WHERE file_id = $1");

/// Items after a sort key that need a PIN and have none.
pub(super) async fn to_issue(
    store: &SqlStore,
    file_id: FileId,
    after: Option<&str>,
    limit: u32,
) -> Result<Vec<PinToIssue>, StoreError> {
    let call = ITEMS_WITHOUT_PIN.call().bind(file_id.to_string()).bind(after.unwrap_or("")).bind(limit);
    let take = |row: &Row| {
        let mut columns = Columns::of("file_item", row);
        Ok(PinToIssue {
            record_uid: columns.parse()?,
            event: columns.parse()?,
            card_id: columns.card_id()?,
            product_code: columns.take()?,
            pan: columns.take()?,
            version: columns.take()?,
            sort_key: columns.take()?,
        })
    };
    call.each(&mut store.reader().await?, take).await
}

/// Persists PINs; how many. One that lost to an earlier PIN of its request is forgotten; one whose version another
/// request of the card took meanwhile stays to be issued again.
pub(super) async fn save(store: &SqlStore, file_id: FileId, epoch: i64, pins: &[NewPin]) -> Result<u64, StoreError> {
    let mut transaction = store.begin().await?;
    must_be_ours(&mut transaction, file_id, epoch).await?;
    let row = INSTITUTION_OF_FILE.call().bind(file_id.to_string()).row(&mut transaction).await?;
    let institution: String = row.map_or(Ok(String::new()), |row| Columns::of("file", &row).take())?;
    let made_at_us = store.time(&mut transaction).await?.timestamp_micros();
    let rows = pins.iter().map(|pin| columns_of(&institution, pin, made_at_us)).collect();
    let saved = SAVE_PINS.write(rows, &mut transaction).await?;
    transaction.commit().await?;
    Ok(saved)
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
