//! The store over SQL: one body of code for every database.
//!
//! Invariants: whatever changes together is one transaction that takes its turn at the start (`connection.rs`); a text is
//! written once where the databases agree and once for each where they do not (`statement.rs`); what only one database
//! has stands in a file of its own: `sqlite.rs`, `postgres.rs`.

mod again;
mod audit;
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
mod plastics;
mod postgres;
mod postgres_lock;
mod probes;
mod renewals;
mod runs;
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

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, NaiveDate, Utc};
use serde::Serialize;
use sqlx::PgPool;
use tokio::sync::Mutex;

use self::columns::Columns;
use self::connection::{Connection, Held, Transaction};
pub use self::postgres::PostgresAccess;
use self::sqlite::Pools;
use self::statement::{failed, statement};
use super::{
    AgreementNight, AuditRow, ClaimOrder, Claimed, Decide, Due, EventRow, FileChange, FileRow, IntakeWork, ItemCounts,
    NewFile, NewPin, NightKey, PinToIssue, PinnedItem, PlasticRow, RenewalOrder, RunLock, RunRow, SettleOutcome, Stay,
    Store, StoreError,
};
use crate::ambient::{Clock, Random};
use crate::card::{CardId, Expiry, FileId, InstitutionId, ManufacturerCode, PlasticId, RecordUid, RunId};
use crate::renewal::Renewable;
use crate::selection::{Dossier, ReasonCode};
use crate::settlement::{Authority, FileEvent};

// Not now(), which stands still within a transaction.
statement!(
    SERVER_TIME = sqlite("SELECT CAST(unixepoch('subsec') * 1000000 AS INTEGER)"),
    postgres("SELECT CAST(EXTRACT(EPOCH FROM clock_timestamp()) * 1000000 AS BIGINT)")
);

/// The store on one database.
pub struct SqlStore {
    place: Place,
    /// The database's time; `None` asks its server.
    clock: Option<Arc<dyn Clock>>,
}

/// Where the database is.
enum Place {
    Sqlite {
        path: PathBuf,
        pools: Pools,
        /// Who writes next.
        turn: Arc<Mutex<()>>,
    },
    Postgres {
        access: PostgresAccess,
        pool: PgPool,
    },
}

impl std::fmt::Debug for SqlStore {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.place {
            Place::Sqlite { path, .. } => write!(f, "SqlStore(sqlite:{})", path.display()),
            Place::Postgres { access, .. } => write!(f, "SqlStore({})", access.address),
        }
    }
}

impl SqlStore {
    /// Opens the SQLite file; with `create`, makes it (mode 0600) and its tables where they are not there.
    ///
    /// `clock` is the database's time: SQLite has none of its own beside the host's.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] where the file cannot be used or cannot be durable, [`StoreError::Schema`] where
    /// its tables are not this version's.
    pub async fn sqlite(
        path: &Path,
        busy_timeout: Duration,
        clock: Arc<dyn Clock>,
        random: Arc<Random>,
        create: bool,
    ) -> Result<Self, StoreError> {
        let pools = sqlite::open(path, busy_timeout, &random, create).await?;
        let place = Place::Sqlite { path: path.to_owned(), pools, turn: Arc::default() };
        Ok(Self { place, clock: Some(clock) })
    }

    /// Opens the PostgreSQL database; with `create`, makes its tables where there are none and the role may.
    ///
    /// `busy_timeout` is how long one waits for a free connection. Without a `clock` the server's time is the
    /// database's time.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] where it cannot be reached or is not durable, [`StoreError::Schema`] where its tables
    /// are not this version's.
    pub async fn postgres(
        access: PostgresAccess,
        busy_timeout: Duration,
        clock: Option<Arc<dyn Clock>>,
        create: bool,
    ) -> Result<Self, StoreError> {
        let pool = postgres::open(&access, busy_timeout, create).await?;
        Ok(Self { place: Place::Postgres { access, pool }, clock })
    }

    async fn reader(&self) -> Result<Connection, StoreError> {
        let taken = match &self.place {
            Place::Sqlite { pools, .. } => {
                pools.readers.acquire().await.map(|taken| Connection::Sqlite(Held::Reader(taken)))
            }
            Place::Postgres { pool, .. } => pool.acquire().await.map(|taken| Connection::Postgres(Held::Reader(taken))),
        };
        taken.map_err(|source| failed("ACQUIRE", source))
    }

    /// A transaction that may write.
    async fn begin(&self) -> Result<Transaction, StoreError> {
        self.begin_with("BEGIN").await
    }

    /// One that sees a single state of the database from its first statement to its last.
    async fn begin_snapshot(&self) -> Result<Transaction, StoreError> {
        self.begin_with("BEGIN ISOLATION LEVEL REPEATABLE READ").await
    }

    async fn begin_with(&self, on_postgres: &'static str) -> Result<Transaction, StoreError> {
        let begun = match &self.place {
            Place::Sqlite { pools, turn, .. } => {
                let turn = Arc::clone(turn).lock_owned().await;
                // One writer sees nobody else's changes, so every transaction of SQLite is a snapshot.
                let begun = pools.writer.begin_with("BEGIN IMMEDIATE").await;
                begun.map(|transaction| Transaction::sqlite(transaction, turn))
            }
            Place::Postgres { pool, .. } => pool.begin_with(on_postgres).await.map(Transaction::postgres),
        };
        begun.map_err(|source| failed("BEGIN", source))
    }

    /// The database's time.
    async fn time(&self, connection: &mut Connection) -> Result<DateTime<Utc>, StoreError> {
        if let Some(clock) = &self.clock {
            return Ok(clock.now());
        }
        let row = SERVER_TIME.call().row(connection).await?;
        let row = row.ok_or_else(|| corrupt("the server's clock", "it gave no time"))?;
        Columns::of("clock", &row).instant()
    }
}

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
        order.write(&mut transaction, now, data.clone()).await?;
        transaction.commit().await
    }

    async fn audit(&self, after: i64, limit: u32) -> Result<Vec<AuditRow>, StoreError> {
        audit::after(self, after, limit).await
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
        Ok(Box::new(intake::SqlIntake::new(self.begin().await?)))
    }

    async fn close(&self) {
        match &self.place {
            // Folds the write-ahead log into the file; dropping does so too, a little later.
            Place::Sqlite { pools, .. } => {
                pools.readers.close().await;
                pools.writer.close().await;
            }
            Place::Postgres { pool, .. } => pool.close().await,
        }
    }
}
