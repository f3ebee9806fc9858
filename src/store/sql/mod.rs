//! The store over SQL: one body of code for every database.
//!
//! Invariants: whatever changes together is one transaction that takes its turn at the start (`connection.rs`); a text is
//! written once where the databases agree and once for each where they do not (`statement.rs`); what only one database
//! has stands in a file of its own: `sqlite.rs`, `postgres.rs`.

mod again;
mod audit;
mod audit_walk;
mod claim;
mod claim_statements;
mod columns;
mod connection;
mod dossiers;
mod events;
mod files;
mod ids;
mod intake;
mod intake_statements;
mod items;
mod many;
mod pins;
mod place;
mod plastics;
mod postgres;
mod postgres_lock;
mod probes;
mod renewals;
mod runs;
mod sealed;
mod settle;
mod settle_statements;
mod sqlite;
mod sqlite_lock;
mod standing;
mod statement;
mod stories;
mod story_statements;
mod transitions;
mod value;

use async_trait::async_trait;
use chrono::{DateTime, NaiveDate, Utc};
use serde::Serialize;

use self::place::Place;
pub use self::place::SqlStore;
pub use self::postgres::PostgresAccess;
use super::{
    AgreementNight, ClaimOrder, Claimed, Decide, Due, EventRow, FileChange, FileRow, IntakeWork, ItemCounts, NewFile,
    NewPin, NightKey, PinToIssue, PinnedItem, PlasticRow, RenewalOrder, RunLock, RunRow, SettleOutcome, Stay, Store,
    StoreError,
};
use crate::card::{CardId, Expiry, FileId, InstitutionId, ManufacturerCode, PlasticId, RecordUid, RunId};
use crate::renewal::Renewable;
use crate::selection::{Dossier, ReasonCode};
use crate::settlement::{Authority, FileEvent};

/// JSON text of a value of ours.
fn text_of(what: &'static str, value: &(impl Serialize + ?Sized)) -> Result<String, StoreError> {
    // Not serde's message: it may quote values.
    serde_json::to_string(value).map_err(|_| corrupt(what, "it cannot be written as JSON"))
}

fn corrupt(what: &str, reason: &str) -> StoreError {
    StoreError::Corrupt { what: what.to_owned(), reason: reason.to_owned() }
}

/// Every guarded statement changes exactly one row.
fn guarded(changed: u64, what: impl FnOnce() -> String, reason: &str) -> Result<(), StoreError> {
    if changed == 1 { Ok(()) } else { Err(StoreError::Corrupt { what: what(), reason: reason.to_owned() }) }
}

#[async_trait]
impl Store for SqlStore {
    async fn now(&self) -> Result<DateTime<Utc>, StoreError> {
        match &self.clock {
            Some(clock) => Ok(clock.now()),
            None => self.time(&mut self.reader().await?).await,
        }
    }

    async fn lock(&self, holder: &str) -> Result<Box<dyn RunLock>, StoreError> {
        match &self.place {
            Place::Sqlite { path, .. } => {
                // By its real path: a link to the database must not get a lock of its own.
                let path = std::fs::canonicalize(path).unwrap_or_else(|_| path.clone());
                sqlite_lock::take(&sqlite_lock::path_of(&path), holder)
            }
            Place::Postgres { access, .. } => postgres_lock::take(access, holder).await,
        }
    }

    async fn begin_run(&self, run: &RunRow) -> Result<i64, StoreError> {
        runs::begin(self, run).await
    }

    async fn begin_action(&self) -> Result<i64, StoreError> {
        runs::begin_action(self).await
    }

    async fn end_run(&self, run_id: RunId, at: DateTime<Utc>, exit_code: i32, report: &str) -> Result<(), StoreError> {
        runs::end(self, run_id, at, exit_code, report).await
    }

    async fn runs(&self, limit: u32) -> Result<Vec<RunRow>, StoreError> {
        runs::newest(self, limit).await
    }

    async fn marker(&self, name: &str) -> Result<Option<String>, StoreError> {
        runs::marker(self, name).await
    }

    async fn set_marker(&self, name: &str, value: &str) -> Result<(), StoreError> {
        runs::set_marker(self, name, value).await
    }

    async fn due_institutions(&self, cut_off: DateTime<Utc>) -> Result<Vec<(InstitutionId, u64)>, StoreError> {
        dossiers::institutions(self, cut_off.timestamp_micros()).await
    }

    async fn dossiers(&self, due: &Due, after: Option<CardId>, limit: u32) -> Result<Vec<Dossier>, StoreError> {
        dossiers::read(self, due, after, limit).await
    }

    async fn renewable(
        &self,
        of: &InstitutionId,
        expiry: Expiry,
        after: Option<PlasticId>,
        limit: u32,
    ) -> Result<Vec<Renewable>, StoreError> {
        renewals::page(self, of, expiry, after, limit).await
    }

    async fn renew(&self, order: &RenewalOrder<'_>) -> Result<Vec<CardId>, StoreError> {
        renewals::renew(self, order).await
    }

    async fn claim(&self, order: &ClaimOrder, decide: &mut dyn Decide) -> Result<Claimed, StoreError> {
        claim::claim(self, order, decide).await
    }

    async fn note_stays(&self, epoch: i64, night: NaiveDate, stays: &[Stay]) -> Result<(), StoreError> {
        standing::note(self, epoch, night, stays).await
    }

    async fn stop(&self, night: &AgreementNight, epoch: i64) -> Result<(), StoreError> {
        runs::stop(self, night, epoch).await
    }

    async fn night(
        &self,
        night: &NightKey,
        institution: &InstitutionId,
        manufacturer: &ManufacturerCode,
    ) -> Result<Option<AgreementNight>, StoreError> {
        runs::night(&mut self.reader().await?, night, institution, manufacturer).await
    }

    async fn unfinished(&self) -> Result<Vec<FileRow>, StoreError> {
        files::unfinished(self).await
    }

    async fn file(&self, file_id: FileId) -> Result<Option<FileRow>, StoreError> {
        files::file(&mut self.reader().await?, file_id).await
    }

    async fn file_named(&self, name: &str) -> Result<Option<FileRow>, StoreError> {
        files::named(self, name).await
    }

    async fn files(&self, night: &NightKey) -> Result<Vec<FileRow>, StoreError> {
        files::of_night(self, night).await
    }

    async fn adopt(&self, file: &FileRow, epoch: i64) -> Result<FileRow, StoreError> {
        files::adopt(self, file, epoch).await
    }

    async fn pins_to_issue(
        &self,
        file_id: FileId,
        after: Option<&str>,
        limit: u32,
    ) -> Result<Vec<PinToIssue>, StoreError> {
        pins::to_issue(self, file_id, after, limit).await
    }

    async fn save_pins(&self, file_id: FileId, epoch: i64, pins: &[NewPin]) -> Result<u64, StoreError> {
        pins::save(self, file_id, epoch, pins).await
    }

    async fn release(&self, file_id: FileId, epoch: i64, fallen: &[(RecordUid, ReasonCode)]) -> Result<(), StoreError> {
        items::release(self, file_id, epoch, fallen).await
    }

    async fn items(&self, file_id: FileId, after: Option<&str>, limit: u32) -> Result<Vec<PinnedItem>, StoreError> {
        items::page(self, file_id, after, limit).await
    }

    async fn item_counts(&self, file_id: FileId) -> Result<ItemCounts, StoreError> {
        items::counts(&mut self.reader().await?, file_id).await
    }

    async fn advance(
        &self,
        file: &FileRow,
        event: FileEvent,
        epoch: i64,
        change: FileChange,
    ) -> Result<FileRow, StoreError> {
        transitions::advance(self, file, event, epoch, change).await
    }

    async fn settle(&self, file: &FileRow, epoch: i64) -> Result<SettleOutcome, StoreError> {
        settle::settle(self, file, epoch).await
    }

    async fn newest_files(&self, limit: u32) -> Result<Vec<FileRow>, StoreError> {
        files::newest(self, limit).await
    }

    async fn plastics(&self, after: Option<(InstitutionId, i64)>, limit: u32) -> Result<Vec<PlasticRow>, StoreError> {
        plastics::page(self, after, limit).await
    }

    async fn events(&self, after: i64, limit: u32) -> Result<Vec<EventRow>, StoreError> {
        events::after(self, after, limit).await
    }

    async fn duplicate(
        &self,
        original: &FileRow,
        new: &NewFile,
        epoch: i64,
        authority: &Authority,
    ) -> Result<FileRow, StoreError> {
        again::duplicate(self, original, new, epoch, authority).await
    }

    async fn note_audited(
        &self,
        action: &str,
        institution: Option<&InstitutionId>,
        subject: &str,
        authority: &Authority,
        data: &serde_json::Value,
    ) -> Result<(), StoreError> {
        let mut transaction = self.begin().await?;
        let now = self.time(&mut transaction).await?;
        let order = audit::Order { action, institution, subject, authority };
        order.write(self, &mut transaction, now, data.clone()).await?;
        transaction.commit().await
    }

    async fn note_event(
        &self,
        kind: &str,
        institution: Option<&InstitutionId>,
        data: &serde_json::Value,
    ) -> Result<(), StoreError> {
        let mut transaction = self.begin().await?;
        let now = self.time(&mut transaction).await?;
        events::write(&mut transaction, now, kind, institution, data).await?;
        transaction.commit().await
    }

    async fn intake(&self) -> Result<Box<dyn IntakeWork>, StoreError> {
        Ok(Box::new(intake::SqlIntake::begin(self.begin().await?).await?))
    }

    async fn close(&self) {
        match &self.place {
            // Folds the write-ahead log into the file; dropping does so too, a little later.
            Place::Sqlite { pools, .. } => {
                pools.readers.close().await;
                pools.writer.close().await;
            }
            Place::Postgres { pool, beside, .. } => {
                pool.close().await;
                beside.close().await;
            }
        }
    }
}
