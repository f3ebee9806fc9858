//! The frozen items of a file: read by pages with the versions the claim pinned, counted, released.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde_json::json;
use sha2::{Digest as _, Sha256};

use super::claim::expect_count;
use super::columns::{Columns, plastic_json};
use super::connection::Connection;
use super::statement::{Row, statement};
use super::value::Value;
use super::{SqlStore, audit, corrupt, events, files, guarded};
use crate::card::{FileId, RecordUid};
use crate::document::FileType;
use crate::selection::{PinAction, ReasonCode};
use crate::store::{FileRow, ItemCounts, ItemPin, PinnedItem, StoreError};

// Along the file, everything else by its key: on SQLite CROSS JOIN says so. On PostgreSQL the page is cut before the
// joins: told only to sort what was joined, it would join and sort the whole file for each page.
statement!(
    ITEMS = sqlite(
        "SELECT i.record_uid, i.event, i.reproduction, i.sort_key, i.pin_action, i.prints_pin, i.card_id, ",
        plastic_json!(),
        ", cv.data, kv.data, av.data, c.pan,
    COALESCE(made.version, had.version), COALESCE(made.scheme, had.scheme), COALESCE(made.stored, had.stored),
    COALESCE(made.pvv, had.pvv), COALESCE(made.pvki, had.pvki), COALESCE(made.pvv_key, had.pvv_key)
  FROM file_item AS i
  CROSS JOIN plastic AS p ON p.institution = i.institution AND p.plastic_id = i.plastic_id
  CROSS JOIN card AS c ON c.institution = i.institution AND c.card_id = i.card_id
  CROSS JOIN card_version AS cv
    ON cv.institution = i.institution AND cv.card_id = i.card_id AND cv.version = i.card_version
  CROSS JOIN customer_version AS kv
    ON kv.institution = i.institution AND kv.customer_id = i.customer_id AND kv.version = i.customer_version
  CROSS JOIN account_version AS av
    ON av.institution = i.institution AND av.account_id = i.account_id AND av.version = i.account_version
  LEFT JOIN pin AS made ON made.record_uid = CASE WHEN i.pin_action = 'GENERATE' THEN i.record_uid END AND made.void = 0
  LEFT JOIN pin AS had ON had.institution = i.institution AND had.card_id = i.card_id AND had.version = i.pin_version
 WHERE i.file_id = $1 AND i.live = 1 AND i.sort_key > $2
 ORDER BY i.sort_key LIMIT $3"
    ),
    postgres(
        "SELECT i.record_uid, i.event, i.reproduction, i.sort_key, i.pin_action, i.prints_pin, i.card_id, ",
        plastic_json!(postgres),
        ", cv.data, kv.data, av.data, c.pan,
    COALESCE(made.version, had.version), COALESCE(made.scheme, had.scheme), COALESCE(made.stored, had.stored),
    COALESCE(made.pvv, had.pvv), COALESCE(made.pvki, had.pvki), COALESCE(made.pvv_key, had.pvv_key)
  FROM (SELECT * FROM file_item WHERE file_id = $1 AND live = 1 AND sort_key > $2
         ORDER BY sort_key LIMIT $3) AS i
  JOIN plastic AS p ON p.institution = i.institution AND p.plastic_id = i.plastic_id
  JOIN card AS c ON c.institution = i.institution AND c.card_id = i.card_id
  JOIN card_version AS cv
    ON cv.institution = i.institution AND cv.card_id = i.card_id AND cv.version = i.card_version
  JOIN customer_version AS kv
    ON kv.institution = i.institution AND kv.customer_id = i.customer_id AND kv.version = i.customer_version
  JOIN account_version AS av
    ON av.institution = i.institution AND av.account_id = i.account_id AND av.version = i.account_version
  LEFT JOIN pin AS made ON made.record_uid = CASE WHEN i.pin_action = 'GENERATE' THEN i.record_uid END AND made.void = 0
  LEFT JOIN pin AS had ON had.institution = i.institution AND had.card_id = i.card_id AND had.version = i.pin_version
 ORDER BY i.sort_key"
    )
);
statement!(
    ITEM_COUNTS = "SELECT COUNT(CASE WHEN live = 1 THEN 1 END),
        COUNT(CASE WHEN live = 1 AND pin_action <> 'NONE' THEN 1 END),
        COUNT(CASE WHEN live = 1 AND pin_action = 'GENERATE' THEN 1 END), COUNT(CASE WHEN live = 0 THEN 1 END)
    FROM file_item WHERE file_id = $1"
);
// What an earlier claim of the file took back stands there too, under an epoch of its own.
statement!(
    FELL_OUT = "SELECT reason, COUNT(*) FROM file_item
    WHERE file_id = $1 AND live = 0 AND epoch = (SELECT MAX(epoch) FROM file_item WHERE file_id = $1)
    GROUP BY reason"
);
// Nobody takes the file over before what was asked for is committed; SQLite has one writer anyway.
statement!(
    OUR_CLAIMED_FILE = sqlite("SELECT 1 FROM file WHERE file_id = $1 AND state = 'CLAIMED' AND epoch = $2"),
    postgres("SELECT 1 FROM file WHERE file_id = $1 AND state = 'CLAIMED' AND epoch = $2 FOR NO KEY UPDATE")
);
statement!(
    RELEASE_SOME = sqlite(
        "UPDATE file_item SET live = 0, reason = $3
    WHERE file_id = $1 AND live = 1 AND record_uid IN (SELECT value FROM json_each($2))"
    ),
    postgres("UPDATE file_item SET live = 0, reason = $3 WHERE file_id = $1 AND live = 1 AND record_uid = ANY($2)")
);
statement!(
    REOPEN_SOME = sqlite(
        "UPDATE production_request SET state = 'OPEN', file_id = NULL
    WHERE record_uid IN (SELECT value FROM json_each($2)) AND state = 'CLAIMED' AND file_id = $1"
    ),
    postgres(
        "UPDATE production_request SET state = 'OPEN', file_id = NULL
    WHERE record_uid = ANY($2) AND state = 'CLAIMED' AND file_id = $1"
    )
);
statement!(
    REOPEN_REQUESTS = "UPDATE production_request SET state = 'OPEN', file_id = NULL
    WHERE state = 'CLAIMED' AND file_id = $1
      AND record_uid IN (SELECT record_uid FROM file_item WHERE file_id = $1 AND live = 1)"
);
statement!(CARD_OF_REQUEST = "SELECT card_id FROM production_request WHERE record_uid = $1");
statement!(RELEASE_ITEMS = "UPDATE file_item SET live = 0, reason = $2 WHERE file_id = $1 AND live = 1");

/// SQL of a text behind its length and a colon, so that no two rows of other contents have the same letters.
macro_rules! sized {
    ($column:literal) => {
        concat!("CAST(length(i.", $column, ") AS TEXT) || ':' || i.", $column, " || ' ' || ")
    };
}
/// SQL of a number.
macro_rules! plain {
    ($column:literal) => {
        concat!("CAST(i.", $column, " AS TEXT) || ' ' || ")
    };
}
/// SQL of everything an item pins, as one line of text. On PostgreSQL CONCAT would take half as long again.
macro_rules! item_line {
    () => {
        concat!(
            sized!("sort_key"),
            plain!("epoch"),
            sized!("record_uid"),
            sized!("institution"),
            plain!("card_id"),
            plain!("plastic_id"),
            sized!("event"),
            plain!("reproduction"),
            plain!("card_version"),
            sized!("product_code"),
            plain!("customer_id"),
            plain!("customer_version"),
            plain!("account_id"),
            plain!("account_version"),
            sized!("pin_action"),
            "COALESCE(CAST(i.pin_version AS TEXT), '') || ' ' || ",
            plain!("prints_pin"),
            "COALESCE(CAST(length(i.settles_to) AS TEXT) || ':' || i.settles_to, ':') || ' ' || ",
            "CAST(i.duplicate AS TEXT) || '\n'"
        )
    };
}
// A page of a file's live items in their order, as one text: the driver's cost is per row.
statement!(
    ITEM_LINES = "SELECT COUNT(*), string_agg(line, '' ORDER BY sort_key), MAX(sort_key) FROM (SELECT ",
    item_line!(),
    " AS line, i.sort_key FROM file_item AS i WHERE i.file_id = $1 AND i.live = 1 AND i.sort_key > $2
    ORDER BY i.sort_key LIMIT $3) AS page"
);
statement!(PUT_DIGEST = "UPDATE file SET items_sha256 = $2 WHERE file_id = $1");

/// Items digested at once.
const DIGEST_PAGE: u32 = 5_000;

/// A digest over the live items of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ItemsDigest {
    pub(super) count: u64,
    /// SHA-256 of their lines, in lower-case hexadecimal.
    pub(super) sha256: String,
}

/// The digest over a file's live items, in their order.
pub(super) async fn digest(connection: &mut Connection, file_id: FileId) -> Result<ItemsDigest, StoreError> {
    let (mut count, mut hasher, mut after) = (0, Sha256::new(), String::new());
    loop {
        let call = ITEM_LINES.call().bind(file_id.to_string()).bind(after).bind(DIGEST_PAGE);
        let row = call.row(connection).await?.ok_or_else(|| corrupt("file_item", "its lines were not given"))?;
        let mut columns = Columns::of("file_item", &row);
        let lines: u64 = columns.number()?;
        if lines == 0 {
            return Ok(ItemsDigest { count, sha256: hex::encode(hasher.finalize()) });
        }
        count += lines;
        hasher.update(columns.take::<&str>()?);
        after = columns.take()?;
    }
}

/// The same, kept with the file: whoever changes the items of a file does this behind it.
pub(super) async fn keep_digest(connection: &mut Connection, file_id: FileId) -> Result<ItemsDigest, StoreError> {
    let digest = digest(connection, file_id).await?;
    let call = PUT_DIGEST.call().bind(file_id.to_string()).bind(digest.sha256.as_str());
    guarded(call.run(connection).await?, || format!("file {file_id}"), "it is not there")?;
    Ok(digest)
}

/// A page of items.
pub(super) async fn page(
    store: &SqlStore,
    file_id: FileId,
    after: Option<&str>,
    limit: u32,
) -> Result<Vec<PinnedItem>, StoreError> {
    let call = ITEMS.call().bind(file_id.to_string()).bind(after.unwrap_or("")).bind(limit);
    call.each(&mut store.reader().await?, item).await
}

fn item(row: &Row) -> Result<PinnedItem, StoreError> {
    let mut columns = Columns::of("file_item", row);
    let record_uid: RecordUid = columns.parse()?;
    read_item(record_uid, &mut columns).map_err(|error| match error {
        StoreError::Corrupt { what, reason } => {
            StoreError::Corrupt { what: format!("request {record_uid} ({what})"), reason }
        }
        other => other,
    })
}

fn read_item(record_uid: RecordUid, columns: &mut Columns<'_>) -> Result<PinnedItem, StoreError> {
    let event = columns.parse()?;
    let reproduction = columns.flag()?;
    let sort_key = columns.take()?;
    let pin_action = pin_action(columns.take()?)?;
    let prints_pin = columns.flag()?;
    let card_id = columns.card_id()?;
    Ok(PinnedItem {
        record_uid,
        event,
        reproduction,
        sort_key,
        pin_action,
        prints_pin,
        plastic: columns.plastic(card_id)?,
        card_id,
        card: columns.json()?,
        customer: columns.json()?,
        account: columns.json()?,
        pan: columns.take()?,
        pin: match columns.take::<Option<i64>>()? {
            None => None,
            Some(version) => Some(ItemPin {
                version,
                scheme: columns.take()?,
                stored: columns.take()?,
                pvv: columns.take()?,
                pvki: columns.take()?,
                pvv_key: columns.take()?,
            }),
        },
    })
}

fn pin_action(word: &str) -> Result<PinAction, StoreError> {
    [PinAction::None, PinAction::Generate, PinAction::Stored]
        .into_iter()
        .find(|action| action.as_str() == word)
        .ok_or_else(|| StoreError::Corrupt {
            what: "file_item, column pin_action".into(),
            reason: "it is not an action".into(),
        })
}

/// Counts of the live items, and of those that fell out since the claim.
pub(super) async fn counts(connection: &mut Connection, file_id: FileId) -> Result<ItemCounts, StoreError> {
    let row = ITEM_COUNTS.call().bind(file_id.to_string()).row(connection).await?;
    let Some(row) = row else { return Ok(ItemCounts::default()) };
    let mut columns = Columns::of("file_item", &row);
    let (records, with_pin, new_pin) = (columns.number()?, columns.number()?, columns.number()?);
    let mut counts = ItemCounts { records, with_pin, new_pin, fell_out: 0 };
    if columns.number::<u64>()? == 0 {
        return Ok(counts);
    }
    let fell_out = |row: &Row| {
        let mut columns = Columns::of("file_item", row);
        let (reason, number): (Option<String>, u64) = (columns.take()?, columns.number()?);
        let code = reason.and_then(|reason| reason.parse::<ReasonCode>().ok());
        Ok(if code.is_some_and(ReasonCode::is_bad_data) { number } else { 0 })
    };
    counts.fell_out = FELL_OUT.call().bind(file_id.to_string()).each(connection, fell_out).await?.iter().sum();
    Ok(counts)
}

/// Refuses unless the file is CLAIMED and in our epoch.
pub(super) async fn must_be_ours(connection: &mut Connection, file_id: FileId, epoch: i64) -> Result<(), StoreError> {
    match OUR_CLAIMED_FILE.call().bind(file_id.to_string()).bind(epoch).row(connection).await? {
        Some(_) => Ok(()),
        None => Err(StoreError::Superseded { what: format!("file {file_id}, once CLAIMED by us,"), epoch }),
    }
}

/// Takes items out of a file, each with its reason: their requests are OPEN again.
pub(super) async fn release(
    store: &SqlStore,
    file_id: FileId,
    epoch: i64,
    fallen: &[(RecordUid, ReasonCode)],
) -> Result<(), StoreError> {
    let mut transaction = store.begin().await?;
    must_be_ours(&mut transaction, file_id, epoch).await?;
    let file = files::known(&mut transaction, file_id).await?;
    let now = store.time(&mut transaction).await?;
    let mut by_reason: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    let mut reasons = BTreeMap::<&str, u64>::new();
    for (record_uid, code) in fallen {
        *reasons.entry(code.as_str()).or_default() += 1;
        by_reason.entry(code.as_str()).or_default().push(record_uid.to_string());
    }
    for (code, uids) in by_reason {
        let what = format!("requests of file {file_id} that fell out with {code}");
        let call = RELEASE_SOME.call().bind(file_id.to_string()).bind(Value::Texts(uids.clone())).bind(code);
        expect_count(call.run(&mut transaction).await?, uids.len() as u64, &what)?;
        // A duplicate's requests are SENT with its original, and stay so.
        if file.file_type == FileType::Normal {
            let call = REOPEN_SOME.call().bind(file_id.to_string()).bind(Value::Texts(uids.clone()));
            expect_count(call.run(&mut transaction).await?, uids.len() as u64, &what)?;
        }
        for record_uid in uids {
            let mut data = files::about(&file);
            data["recordUid"] = json!(record_uid);
            data["reason"] = json!(code);
            tell_released(&mut transaction, now, &file, &record_uid, &data).await?;
        }
    }
    keep_digest(&mut transaction, file_id).await?;
    let file = files::known(&mut transaction, file_id).await?;
    let mut data = audit::of_file(&file, files::about(&file));
    data["released"] = json!(reasons);
    let entering = vec![audit::Entering::of_program("file.items_released", file_id, data)];
    audit::enter(store, &mut transaction, now, entering).await?;
    transaction.commit().await
}

async fn tell_released(
    connection: &mut Connection,
    now: DateTime<Utc>,
    file: &FileRow,
    record_uid: &str,
    data: &serde_json::Value,
) -> Result<(), StoreError> {
    let row = CARD_OF_REQUEST.call().bind(record_uid).row(connection).await?;
    let row = row.ok_or_else(|| StoreError::Corrupt {
        what: format!("request {record_uid}"),
        reason: format!("file {} has it, but it is not there", file.file_id),
    })?;
    let card_id = Columns::of("production_request", &row).card_id()?;
    events::write_of_card(connection, now, "item.released", &file.institution, card_id, data).await
}

/// Takes every item out of a file: their requests are OPEN again, those of a duplicate stay SENT.
pub(super) async fn release_all(connection: &mut Connection, file: &FileRow, reason: &str) -> Result<(), StoreError> {
    let id = file.file_id.to_string();
    let reopened = match file.file_type {
        FileType::Normal => Some(REOPEN_REQUESTS.call().bind(id.as_str()).run(connection).await?),
        FileType::Duplicate => None,
    };
    let released = RELEASE_ITEMS.call().bind(id).bind(reason).run(connection).await?;
    match reopened {
        Some(reopened) if reopened != released => Err(StoreError::Corrupt {
            what: format!("file {}", file.file_id),
            reason: format!("{released} items stand in it, {reopened} requests are CLAIMED by it"),
        }),
        _ => Ok(()),
    }
}
