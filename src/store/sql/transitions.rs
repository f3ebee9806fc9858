//! Every transition of a file but the claim's, the settlement's and those of a resend.
//!
//! Invariants: a transition is one UPDATE guarded by the state and the epoch the caller saw, and hits one row; its
//! event and its entry in the audit are written in the same transaction; once a rename was attempted a file is never
//! sealed again; what is sealed is what was claimed.

use chrono::{DateTime, Utc};
use serde_json::json;

use super::connection::Connection;
use super::files::{about, known};
use super::statement::{Call, statement};
use super::{SqlStore, audit, events, guarded, items};
use crate::settlement::{Authority, FileEvent, FileState, IllegalTransition};
use crate::store::{FileChange, FileRow, StoreError};

statement!(
    MOVE_FILE = "UPDATE file SET state = $4, trouble = $5, published_at = COALESCE($6, published_at),
        rename_attempted = CASE WHEN $7 = 1 THEN 1 ELSE rename_attempted END, delivery_number = $8
    WHERE file_id = $1 AND state = $2 AND epoch = $3"
);
statement!(
    SEAL_FILE = "UPDATE file SET state = $4, sealed_epoch = $3, file_name = $5, sha256 = $6, size_bytes = $7,
        records = $8, cards = $9, pin_only = $10, by_production_event = $11, key_fingerprints = $12, trouble = NULL
    WHERE file_id = $1 AND state = $2 AND epoch = $3"
);
statement!(
    UNSEAL_FILE = "UPDATE file SET state = $4, sealed_epoch = NULL, file_name = NULL, sha256 = NULL, size_bytes = NULL,
        records = NULL, cards = NULL, pin_only = NULL, by_production_event = NULL, key_fingerprints = NULL, trouble = $5,
        abandoned = CASE WHEN $6 = 1 THEN 1 ELSE abandoned END
    WHERE file_id = $1 AND state = $2 AND epoch = $3 AND rename_attempted = 0"
);
statement!(RENAME_ATTEMPTED = "SELECT rename_attempted FROM file WHERE file_id = $1 AND state = $2 AND epoch = $3");
statement!(
    SEND_DELIVERY = "INSERT INTO delivery
        (file_id, delivery_number, state, attempt, temporary_name, identity, rename_attempt, started_at)
    VALUES ($1, $2, 'SENDING', $3, $4, $5, 0, $6)
    ON CONFLICT (file_id, delivery_number)
    DO UPDATE SET state = 'SENDING', attempt = excluded.attempt, temporary_name = excluded.temporary_name,
        identity = excluded.identity, rename_attempt = 0, started_at = excluded.started_at
    WHERE delivery.attempt < excluded.attempt"
);
statement!(
    MOVE_DELIVERY = "UPDATE delivery SET state = $3, rename_attempt = COALESCE($4, rename_attempt),
        published_at = COALESCE($5, published_at)
    WHERE file_id = $1 AND delivery_number = $2"
);
statement!(
    FORGET_ATTEMPT = "UPDATE delivery SET state = $3, temporary_name = '' WHERE file_id = $1 AND delivery_number = $2"
);

/// A transition under way: the file as the caller saw it, and where it goes.
pub(super) struct Transition<'a> {
    pub(super) file: &'a FileRow,
    pub(super) event: FileEvent,
    pub(super) epoch: i64,
    pub(super) to: FileState,
    pub(super) now: DateTime<Utc>,
}

/// One transition of a file.
pub(super) async fn advance(
    store: &SqlStore,
    file: &FileRow,
    event: FileEvent,
    epoch: i64,
    change: FileChange,
) -> Result<FileRow, StoreError> {
    let to = file.after(event)?;
    let mut transaction = store.begin().await?;
    let step = Transition { file, event, epoch, to, now: store.time(&mut transaction).await? };
    let authority = if let FileChange::Ordered(authority) = &change { Some(authority.clone()) } else { None };
    if event == FileEvent::Resend || file.is_resend() {
        step.write_again(&mut transaction, change).await?;
    } else {
        step.write(&mut transaction, change).await?;
    }
    let moved = known(&mut transaction, file.file_id).await?;
    step.tell(store, &mut transaction, &moved, authority.as_ref()).await?;
    transaction.commit().await?;
    Ok(moved)
}

impl Transition<'_> {
    async fn write(&self, connection: &mut Connection, change: FileChange) -> Result<(), StoreError> {
        use FileEvent as E;
        let number = self.file.delivery_number;
        match (self.event, change) {
            (E::Seal, change @ FileChange::Seal { .. }) => self.seal(connection, change).await,
            (E::LoseSpool, FileChange::Nothing) => self.unseal(connection, "SPOOL_LOST").await,
            (E::Abandon, FileChange::Ordered(_)) => {
                self.unseal(connection, "abandoned").await?;
                items::release_all(connection, self.file, "abandoned").await?;
                items::keep_digest(connection, self.file.file_id).await.map(drop)
            }
            (E::Send, FileChange::Send { attempt, temporary_name, identity }) => {
                let number = number.max(1);
                self.move_file(connection, self.file.trouble.as_deref(), None, number).await?;
                let call = SEND_DELIVERY.call().bind(self.file.file_id.to_string()).bind(number).bind(attempt);
                let call = call.bind(temporary_name).bind(identity).bind(self.now.timestamp_micros());
                let what = || format!("delivery {number} of file {}", self.file.file_id);
                guarded(call.run(connection).await?, what, "an attempt of that number was made before")
            }
            (E::Complete, FileChange::Complete) => {
                self.move_file(connection, self.file.trouble.as_deref(), None, number).await?;
                self.move_delivery(connection, self.to.as_str(), None, None).await
            }
            (E::ResolveNotDelivered, FileChange::Ordered(_)) => {
                self.move_file(connection, None, None, number).await?;
                let call = FORGET_ATTEMPT.call().bind(self.file.file_id.to_string()).bind(number);
                self.one_delivery(call.bind(self.to.as_str()).run(connection).await?)
            }
            (E::Rename, FileChange::Rename { rename_attempt }) => {
                self.move_file(connection, self.file.trouble.as_deref(), None, number).await?;
                self.move_delivery(connection, self.to.as_str(), Some(rename_attempt), None).await
            }
            (E::Publish, FileChange::Publish { at }) => self.publish(connection, at).await,
            (E::ResolveDelivered, FileChange::Ordered(_)) => self.publish(connection, self.now).await,
            (E::Refuse | E::Doubt, FileChange::Because(why)) => {
                self.move_file(connection, Some(&why), None, number).await?;
                self.move_delivery(connection, self.to.as_str(), None, None).await
            }
            _ => Err(self.of_another()),
        }
    }

    /// An event with a change that is not its own.
    pub(super) fn of_another(&self) -> StoreError {
        StoreError::Corrupt {
            what: format!("file {}", self.file.file_id),
            reason: format!("{} was asked for with what belongs to another transition", self.event),
        }
    }

    async fn publish(&self, connection: &mut Connection, at: DateTime<Utc>) -> Result<(), StoreError> {
        self.move_file(connection, None, Some(at), self.file.delivery_number).await?;
        self.move_delivery(connection, self.to.as_str(), None, Some(at)).await
    }

    async fn seal(&self, connection: &mut Connection, change: FileChange) -> Result<(), StoreError> {
        let FileChange::Seal {
            file_name,
            sha256,
            size_bytes,
            records,
            cards,
            pin_only,
            by_production_event,
            key_fingerprints,
        } = change
        else {
            return Ok(());
        };
        let call = self.guard(SEAL_FILE.call()).bind(self.to.as_str()).bind(file_name).bind(sha256);
        let call = call.bind(size_bytes.cast_signed()).bind(records.cast_signed()).bind(cards.cast_signed());
        let call = call.bind(pin_only.cast_signed()).bind(by_production_event).bind(key_fingerprints);
        self.hit(call.run(connection).await?)?;
        let items::ItemsDigest { count: live, sha256 } = items::digest(connection, self.file.file_id).await?;
        // As the row has it: items may have left the file since the caller saw it.
        if known(connection, self.file.file_id).await?.items_sha256 != Some(sha256) {
            return Err(StoreError::Corrupt {
                what: format!("file {}", self.file.file_id),
                reason: "its items are not those that were claimed: somebody changed them; emboss audit verify".into(),
            });
        }
        if live != records {
            return Err(StoreError::Corrupt {
                what: format!("file {}", self.file.file_id),
                reason: format!("{records} records were sealed, {live} items stand in it"),
            });
        }
        Ok(())
    }

    /// Back to CLAIMED; the attempts already made keep their numbers.
    async fn unseal(&self, connection: &mut Connection, why: &str) -> Result<(), StoreError> {
        let call = self.guard(UNSEAL_FILE.call()).bind(self.to.as_str()).bind(why);
        let call = call.bind(self.event == FileEvent::Abandon);
        if call.run(connection).await? != 1 {
            return Err(match self.guard(RENAME_ATTEMPTED.call()).row(connection).await? {
                // The row is ours, so it is the rename that forbids it.
                Some(_) => StoreError::Illegal {
                    file_id: self.file.file_id,
                    source: IllegalTransition { state: FileState::Renaming, event: self.event },
                },
                None => self.stale(),
            });
        }
        if matches!(self.file.state, FileState::Sending | FileState::Ready) {
            self.move_delivery(connection, "WITHDRAWN", None, None).await?;
        }
        Ok(())
    }

    async fn move_file(
        &self,
        connection: &mut Connection,
        trouble: Option<&str>,
        published_at: Option<DateTime<Utc>>,
        delivery_number: u32,
    ) -> Result<(), StoreError> {
        let call = self.guard(MOVE_FILE.call()).bind(self.to.as_str()).bind(trouble);
        let call = call.bind(published_at.map(|at| at.timestamp_micros())).bind(self.event == FileEvent::Rename);
        self.hit(call.bind(delivery_number).run(connection).await?)
    }

    async fn move_delivery(
        &self,
        connection: &mut Connection,
        state: &str,
        rename_attempt: Option<u32>,
        published_at: Option<DateTime<Utc>>,
    ) -> Result<(), StoreError> {
        let number = self.file.delivery_number;
        let call = MOVE_DELIVERY.call().bind(self.file.file_id.to_string()).bind(number).bind(state);
        let call = call.bind(rename_attempt).bind(published_at.map(|at| at.timestamp_micros()));
        self.one_delivery(call.run(connection).await?)
    }

    /// A delivery's row changes alone, and it is there.
    pub(super) fn one_delivery(&self, changed: u64) -> Result<(), StoreError> {
        let what = || format!("delivery {} of file {}", self.file.delivery_number, self.file.file_id);
        guarded(changed, what, "it is not there, or not where it was")
    }

    /// The guard's parameters, `$1` to `$3` of every transition.
    fn guard(&self, call: Call) -> Call {
        call.bind(self.file.file_id.to_string()).bind(self.file.state.as_str()).bind(self.epoch)
    }

    pub(super) fn hit(&self, changed: u64) -> Result<(), StoreError> {
        if changed == 1 { Ok(()) } else { Err(self.stale()) }
    }

    fn stale(&self) -> StoreError {
        StoreError::Stale { file_id: self.file.file_id, event: self.event, epoch: self.epoch }
    }

    async fn tell(
        &self,
        store: &SqlStore,
        connection: &mut Connection,
        moved: &FileRow,
        authority: Option<&Authority>,
    ) -> Result<(), StoreError> {
        let mut data = about(moved);
        data["from"] = json!(self.file.state);
        data["to"] = json!(self.to);
        data["epoch"] = json!(self.epoch);
        data["delivery"] = json!(moved.delivery_number);
        data["attempt"] = json!(moved.attempt);
        data["trouble"] = json!(moved.trouble);
        let (kind, institution) = (kind_of(self.event), Some(&moved.institution));
        match authority {
            Some(authority) => {
                // What was taken back is told as it was.
                data["fileName"] = json!(self.file.file_name);
                data["sha256"] = json!(self.file.sha256);
                let order = audit::Order { action: kind, institution, subject: &moved.file_id.to_string(), authority };
                order.write(store, connection, self.now, audit::of_file(moved, data)).await
            }
            None => {
                events::write(connection, self.now, kind, institution, &data).await?;
                let data = audit::of_file(moved, data);
                let entering = vec![audit::Entering::of_program(kind, moved.file_id, data)];
                audit::enter(store, connection, self.now, entering).await
            }
        }
    }
}

fn kind_of(event: FileEvent) -> &'static str {
    match event {
        FileEvent::Seal => "file.sealed",
        FileEvent::LoseSpool => "file.spool_lost",
        FileEvent::Send => "file.sending",
        FileEvent::Complete => "file.ready",
        FileEvent::Rename => "file.renaming",
        FileEvent::Refuse => "file.refused",
        FileEvent::Publish => "file.published",
        FileEvent::Doubt => "file.uncertain",
        FileEvent::Settle => "file.settled",
        FileEvent::ResolveDelivered => "file.resolved_delivered",
        FileEvent::ResolveNotDelivered => "file.resolved_not_delivered",
        FileEvent::Abandon => "file.abandoned",
        FileEvent::Resend => "file.resend_ordered",
        FileEvent::Withdraw => "file.resend_withdrawn",
    }
}
