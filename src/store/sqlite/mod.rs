//! SQLite: the embedded database. One file, one writer at a time, readers beside it.
//!
//! Invariants: every transaction that writes begins IMMEDIATE, so that it waits for its turn at the start and is never
//! refused half-way (fault 32); the database's time is the clock given at [`SqliteStore::open`].

mod claim;
mod claim_statements;
mod columns;
mod dossiers;
mod events;
mod files;
mod intake;
mod intake_statements;
mod items;
mod lock;
mod many;
mod opening;
mod pins;
mod plastics;
mod runs;
mod settle;
mod settle_statements;
mod statement;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use serde::Serialize;
use sqlx::pool::PoolConnection;
use sqlx::{Sqlite, Transaction};

use self::opening::Pools;
use self::statement::statement;
use super::{
    AgreementNight, ClaimOrder, Claimed, Decide, Due, EventRow, FileChange, FileRow, IntakeWork, ItemCounts, NewPin,
    NightKey, PinToIssue, PinnedItem, PlasticRow, RunLock, RunRow, SettleOutcome, Store, StoreError,
};
use crate::ambient::{Clock, Random};
use crate::card::{CardId, FileId, InstitutionId, ManufacturerCode, RecordUid, RunId};
use crate::selection::{Dossier, ReasonCode};
use crate::settlement::FileEvent;

statement!(BEGIN = "BEGIN IMMEDIATE");
statement!(COMMIT = "COMMIT");
statement!(ROLLBACK = "ROLLBACK");
statement!(ACQUIRE = "SELECT 1");

/// The store on one SQLite file.
pub struct SqliteStore {
    path: PathBuf,
    pools: Pools,
    clock: Arc<dyn Clock>,
}

impl std::fmt::Debug for SqliteStore {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "SqliteStore({})", self.path.display())
    }
}

impl SqliteStore {
    /// Opens the database file; with `create`, makes it (mode 0600) and its tables where they are not there.
    ///
    /// `clock` is the database's time: SQLite has none of its own beside the host's.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] where the file cannot be used or cannot be durable, [`StoreError::Schema`] where
    /// its tables are not this version's.
    pub async fn open(
        path: &Path,
        busy_timeout: Duration,
        clock: Arc<dyn Clock>,
        random: Arc<Random>,
        create: bool,
    ) -> Result<Self, StoreError> {
        let pools = opening::open(path, busy_timeout, &random, create).await?;
        Ok(Self { path: path.to_owned(), pools, clock })
    }

    /// Closes every connection and folds the write-ahead log into the file; dropping does so too, a little later.
    pub async fn close(&self) {
        self.pools.readers.close().await;
        self.pools.writer.close().await;
    }

    async fn reader(&self) -> Result<PoolConnection<Sqlite>, StoreError> {
        self.pools.readers.acquire().await.map_err(|error| ACQUIRE.failed(error))
    }

    async fn begin(&self) -> Result<Transaction<'static, Sqlite>, StoreError> {
        self.pools.writer.begin_with("BEGIN IMMEDIATE").await.map_err(|error| BEGIN.failed(error))
    }
}

/// Makes a transaction durable; an error leaves open whether it is, so callers read the state again.
async fn commit(transaction: Transaction<'static, Sqlite>) -> Result<(), StoreError> {
    transaction.commit().await.map_err(|error| COMMIT.failed(error))
}

/// JSON text of a value of ours.
fn text_of(what: &'static str, value: &(impl Serialize + ?Sized)) -> Result<String, StoreError> {
    // Not serde's message: it may quote values.
    serde_json::to_string(value)
        .map_err(|_| StoreError::Corrupt { what: what.to_owned(), reason: "it cannot be written as JSON".to_owned() })
}

/// Row values as a JSON array, for statements that write many rows at once.
fn array_of(rows: Vec<serde_json::Value>) -> String {
    serde_json::Value::Array(rows).to_string()
}

/// Every guarded statement changes exactly one row.
fn guarded(changed: u64, what: impl FnOnce() -> String, reason: &str) -> Result<(), StoreError> {
    if changed == 1 { Ok(()) } else { Err(StoreError::Corrupt { what: what(), reason: reason.to_owned() }) }
}

#[async_trait]
impl Store for SqliteStore {
    async fn now(&self) -> Result<DateTime<Utc>, StoreError> {
        Ok(self.clock.now())
    }

    async fn lock(&self, holder: &str) -> Result<Box<dyn RunLock>, StoreError> {
        // By its real path: a link to the database must not get a lock of its own.
        let path = std::fs::canonicalize(&self.path).unwrap_or_else(|_| self.path.clone());
        lock::take(&lock::path_of(&path), holder)
    }

    async fn begin_run(&self, run: &RunRow) -> Result<i64, StoreError> {
        runs::begin(self, run).await
    }

    async fn end_run(&self, run_id: RunId, at: DateTime<Utc>, exit_code: i32, report: &str) -> Result<(), StoreError> {
        runs::end(self, run_id, at, exit_code, report).await
    }

    async fn runs(&self, limit: u32) -> Result<Vec<RunRow>, StoreError> {
        runs::newest(&self.pools.readers, limit).await
    }

    async fn marker(&self, name: &str) -> Result<Option<String>, StoreError> {
        runs::marker(&self.pools.readers, name).await
    }

    async fn set_marker(&self, name: &str, value: &str) -> Result<(), StoreError> {
        runs::set_marker(self, name, value).await
    }

    async fn due_institutions(&self, cut_off: DateTime<Utc>) -> Result<Vec<(InstitutionId, u64)>, StoreError> {
        dossiers::institutions(&self.pools.readers, cut_off.timestamp_micros()).await
    }

    async fn dossiers(&self, due: &Due, after: Option<CardId>, limit: u32) -> Result<Vec<Dossier>, StoreError> {
        dossiers::read(&self.pools.readers, due, after, limit).await
    }

    async fn claim(&self, order: &ClaimOrder, decide: &mut dyn Decide) -> Result<Claimed, StoreError> {
        claim::claim(self, order, decide).await
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
        let mut reader = self.reader().await?;
        runs::night(&mut reader, night, institution, manufacturer).await
    }

    async fn unfinished(&self) -> Result<Vec<FileRow>, StoreError> {
        files::unfinished(&self.pools.readers).await
    }

    async fn file(&self, file_id: FileId) -> Result<Option<FileRow>, StoreError> {
        let mut reader = self.reader().await?;
        files::file(&mut reader, file_id).await
    }

    async fn files(&self, night: &NightKey) -> Result<Vec<FileRow>, StoreError> {
        files::of_night(&self.pools.readers, night).await
    }

    async fn adopt(&self, file: &FileRow, epoch: i64) -> Result<FileRow, StoreError> {
        files::adopt(self, file, epoch).await
    }

    async fn pins_to_issue(&self, file_id: FileId, limit: u32) -> Result<Vec<PinToIssue>, StoreError> {
        pins::to_issue(self, file_id, limit).await
    }

    async fn save_pins(&self, file_id: FileId, epoch: i64, pins: &[NewPin]) -> Result<(), StoreError> {
        pins::save(self, file_id, epoch, pins).await
    }

    async fn release(
        &self,
        file_id: FileId,
        epoch: i64,
        record_uid: RecordUid,
        code: ReasonCode,
    ) -> Result<(), StoreError> {
        items::release(self, file_id, epoch, record_uid, code).await
    }

    async fn items(&self, file_id: FileId, after: Option<&str>, limit: u32) -> Result<Vec<PinnedItem>, StoreError> {
        items::page(&self.pools.readers, file_id, after, limit).await
    }

    async fn item_counts(&self, file_id: FileId) -> Result<ItemCounts, StoreError> {
        let mut reader = self.reader().await?;
        items::counts(&mut reader, file_id).await
    }

    async fn advance(
        &self,
        file: &FileRow,
        event: FileEvent,
        epoch: i64,
        change: FileChange,
    ) -> Result<FileRow, StoreError> {
        files::advance(self, file, event, epoch, change).await
    }

    async fn settle(&self, file: &FileRow, epoch: i64) -> Result<SettleOutcome, StoreError> {
        settle::settle(self, file, epoch).await
    }

    async fn newest_files(&self, limit: u32) -> Result<Vec<FileRow>, StoreError> {
        files::newest(&self.pools.readers, limit).await
    }

    async fn plastics(&self, after: Option<(InstitutionId, i64)>, limit: u32) -> Result<Vec<PlasticRow>, StoreError> {
        plastics::page(&self.pools.readers, after, limit).await
    }

    async fn events(&self, after: i64, limit: u32) -> Result<Vec<EventRow>, StoreError> {
        events::after(&self.pools.readers, after, limit).await
    }

    async fn note_event(
        &self,
        kind: &str,
        institution: Option<&InstitutionId>,
        data: &serde_json::Value,
    ) -> Result<(), StoreError> {
        let mut transaction = self.begin().await?;
        events::write(&mut transaction, self.clock.now(), kind, institution, data).await?;
        commit(transaction).await
    }

    async fn intake(&self) -> Result<Box<dyn IntakeWork>, StoreError> {
        Ok(Box::new(intake::SqliteIntake::new(self.begin().await?)))
    }

    async fn close(&self) {
        SqliteStore::close(self).await;
    }
}
