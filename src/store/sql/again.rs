//! What was settled goes out once more: the later deliveries of a file, and its duplicates.
//!
//! Invariants: the row of a file that is sent again stays SETTLED, so that no plastic moves a second time; the delivery's
//! row is guarded by the state the caller saw, the file's by its epoch. A duplicate's items name the requests, versions
//! and PINs of the original's and move nothing.

use chrono::SubsecRound;
use serde_json::json;

use super::claim::expect_count;
use super::claim_statements::{LAST_FILE, NEW_FILE};
use super::columns::Columns;
use super::connection::Connection;
use super::statement::{Call, statement};
use super::transitions::Transition;
use super::{SqlStore, audit, files, items, runs};
use crate::document::FileType;
use crate::settlement::{Authority, FileEvent, FileState};
use crate::store::{FileChange, FileRow, NewFile, StoreError};

statement!(
    KEEP_SETTLED = "UPDATE file SET trouble = $3, delivery_number = $4
    WHERE file_id = $1 AND epoch = $2 AND state = 'SETTLED'"
);
statement!(
    NEW_DELIVERY = "INSERT INTO delivery
        (file_id, delivery_number, state, attempt, temporary_name, identity, rename_attempt, started_at)
    VALUES ($1, $2, $3, $4, '', '', 0, $5)"
);
statement!(
    BEGIN_ATTEMPT =
        "UPDATE delivery SET state = $4, attempt = $5, temporary_name = $6, identity = $7, rename_attempt = 0,
        started_at = $8
    WHERE file_id = $1 AND delivery_number = $2 AND state = $3 AND attempt < $5"
);
statement!(
    MOVE_AGAIN = "UPDATE delivery SET state = $4, rename_attempt = COALESCE($5, rename_attempt),
        published_at = COALESCE($6, published_at)
    WHERE file_id = $1 AND delivery_number = $2 AND state = $3"
);
statement!(
    ASK_AGAIN = "UPDATE delivery SET state = $4, temporary_name = ''
    WHERE file_id = $1 AND delivery_number = $2 AND state = $3"
);
statement!(OUR_SETTLED_FILE = "SELECT 1 FROM file WHERE file_id = $1 AND epoch = $2 AND state = 'SETTLED'");
statement!(
    COPY_ITEMS = "INSERT INTO file_item (file_id, epoch, sort_key, record_uid, institution, card_id, plastic_id, event,
        reproduction, card_version, product_code, customer_id, customer_version, account_id, account_version, pin_action,
        pin_version, prints_pin, settles_to, duplicate)
    SELECT CAST($2 AS TEXT), CAST($3 AS BIGINT), sort_key, record_uid, institution, card_id, plastic_id, event,
        reproduction, card_version, product_code, customer_id, customer_version, account_id, account_version, pin_action,
        pin_version, prints_pin, NULL, 1
    FROM file_item WHERE file_id = $1 AND live = 1"
);

impl Transition<'_> {
    /// A transition of a settled file's newest delivery; [`FileEvent::Resend`] makes it.
    pub(super) async fn write_again(&self, connection: &mut Connection, change: FileChange) -> Result<(), StoreError> {
        use FileEvent as E;
        let trouble = if let FileChange::Because(why) = &change { Some(why.clone()) } else { None };
        let number = self.file.delivery_number + u32::from(self.event == E::Resend);
        let call = KEEP_SETTLED.call().bind(self.file.file_id.to_string()).bind(self.epoch).bind(trouble).bind(number);
        self.hit(call.run(connection).await?)?;
        let changed = match (self.event, change) {
            (E::Resend, FileChange::Ordered(_)) => {
                let call = NEW_DELIVERY.call().bind(self.file.file_id.to_string()).bind(number);
                let call = call.bind(self.to.as_str()).bind(self.file.attempt);
                call.bind(self.now.timestamp_micros()).run(connection).await?
            }
            (E::Send, FileChange::Send { attempt, temporary_name, identity }) => {
                let call = self.delivery(BEGIN_ATTEMPT.call()).bind(self.to.as_str()).bind(attempt);
                let call = call.bind(temporary_name).bind(identity).bind(self.now.timestamp_micros());
                call.run(connection).await?
            }
            (E::ResolveNotDelivered, FileChange::Ordered(_)) => {
                self.delivery(ASK_AGAIN.call()).bind(self.to.as_str()).run(connection).await?
            }
            (E::Complete, FileChange::Complete) | (E::Refuse | E::Doubt, FileChange::Because(_)) => {
                self.move_again(connection, None, None).await?
            }
            (E::Withdraw, FileChange::Because(_) | FileChange::Ordered(_)) => {
                self.move_again(connection, None, None).await?
            }
            (E::Rename, FileChange::Rename { rename_attempt }) => {
                self.move_again(connection, Some(rename_attempt), None).await?
            }
            (E::Publish, FileChange::Publish { at }) => self.move_again(connection, None, Some(at)).await?,
            (E::ResolveDelivered, FileChange::Ordered(_)) => self.move_again(connection, None, Some(self.now)).await?,
            _ => return Err(self.of_another()),
        };
        self.one_delivery(changed)
    }

    async fn move_again(
        &self,
        connection: &mut Connection,
        rename_attempt: Option<u32>,
        published_at: Option<chrono::DateTime<chrono::Utc>>,
    ) -> Result<u64, StoreError> {
        let state = if self.event == FileEvent::Withdraw { "WITHDRAWN" } else { self.to.as_str() };
        let call = self.delivery(MOVE_AGAIN.call()).bind(state).bind(rename_attempt);
        call.bind(published_at.map(|at| at.timestamp_micros())).run(connection).await
    }

    /// The guard of the delivery's row, `$1` to `$3`.
    fn delivery(&self, call: Call) -> Call {
        call.bind(self.file.file_id.to_string()).bind(self.file.delivery_number).bind(self.file.state.as_str())
    }
}

/// Makes a DUPLICATE of a settled file, under the agreement's next number.
pub(super) async fn duplicate(
    store: &SqlStore,
    original: &FileRow,
    new: &NewFile,
    epoch: i64,
    authority: &Authority,
) -> Result<FileRow, StoreError> {
    let mut transaction = store.begin().await?;
    runs::still_ours(&mut transaction, epoch, || format!("file {}", original.file_id)).await?;
    let call = OUR_SETTLED_FILE.call().bind(original.file_id.to_string()).bind(epoch);
    if call.row(&mut transaction).await?.is_none() {
        return Err(StoreError::Stale { file_id: original.file_id, event: FileEvent::Resend, epoch });
    }
    let now = store.time(&mut transaction).await?;
    make_file(&mut transaction, original, new, epoch, now.trunc_subsecs(0).timestamp_micros()).await?;
    let count = items::counts(&mut transaction, original.file_id).await?.records;
    let call = COPY_ITEMS.call().bind(original.file_id.to_string()).bind(new.file_id.to_string()).bind(epoch);
    expect_count(call.run(&mut transaction).await?, count, "items of the duplicate")?;
    items::keep_digest(&mut transaction, new.file_id).await?;
    let made = files::known(&mut transaction, new.file_id).await?;
    let mut data = audit::of_file(&made, files::about(&made));
    data["resendOfFileId"] = json!(original.file_id);
    data["items"] = json!(count);
    let (institution, subject) = (Some(&made.institution), new.file_id.to_string());
    let order = audit::Order { action: "file.duplicated", institution, subject: &subject, authority };
    order.write(store, &mut transaction, now, data).await?;
    transaction.commit().await?;
    Ok(made)
}

/// The duplicate's row: the original's night, run, format and T0, an id, a number and a time of its own.
async fn make_file(
    connection: &mut Connection,
    original: &FileRow,
    new: &NewFile,
    epoch: i64,
    data_as_of_us: i64,
) -> Result<(), StoreError> {
    let FileRow { institution, manufacturer, .. } = original;
    let call = LAST_FILE.call().bind(institution.as_str()).bind(manufacturer.as_str());
    let row = call.row(connection).await?;
    let row = row.ok_or_else(|| super::corrupt("file", "the agreement of a settled file has no last number"))?;
    let mut columns = Columns::of("file", &row);
    let (number, previous) = (columns.take::<i64>()? + 1, columns.take::<String>()?);
    let call = NEW_FILE.call().bind(new.file_id.to_string()).bind(institution.as_str());
    let call = call.bind(original.night.to_string()).bind(original.run_id.to_string()).bind(original.format.as_str());
    let call = call.bind(original.version.number()).bind(original.cut_off.timestamp_micros()).bind(data_as_of_us);
    let call = call.bind(epoch).bind(manufacturer.as_str()).bind(number).bind(Some(previous));
    let call = call.bind(FileType::Duplicate.as_str()).bind(FileState::Claimed.as_str());
    let call = call.bind(new.fill_seed.as_slice()).bind(original.file_id.to_string());
    call.run(connection).await?;
    Ok(())
}
