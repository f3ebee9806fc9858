//! Where a store's database is: how it is opened, read, and written in turn.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use sqlx::PgPool;
use tokio::sync::Mutex;

use super::columns::Columns;
use super::connection::{Connection, Held, Transaction};
use super::corrupt;
use super::postgres::{self, PostgresAccess};
use super::sqlite::{self, Pools};
use super::statement::{failed, statement};
use crate::ambient::{Clock, Random};
use crate::chain::ChainKey;
use crate::store::StoreError;

// Not now(), which stands still within a transaction.
statement!(
    SERVER_TIME = sqlite("SELECT CAST(unixepoch('subsec') * 1000000 AS INTEGER)"),
    postgres("SELECT CAST(EXTRACT(EPOCH FROM clock_timestamp()) * 1000000 AS BIGINT)")
);

/// The store on one database.
pub struct SqlStore {
    pub(super) place: Place,
    /// The database's time; `None` asks its server.
    pub(super) clock: Option<Arc<dyn Clock>>,
    /// What entries of the audit are made under; `None` where only reading is done.
    pub(super) audit_key: Option<ChainKey>,
}

/// Where the database is.
pub(super) enum Place {
    Sqlite {
        path: PathBuf,
        pools: Pools,
        /// Who writes next.
        turn: Arc<Mutex<()>>,
    },
    Postgres {
        access: PostgresAccess,
        pool: PgPool,
        /// One more connection, for who has the turn and does not see the newest entry of the audit.
        beside: PgPool,
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
        Ok(Self { place, clock: Some(clock), audit_key: None })
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
        let (pool, beside) = postgres::open(&access, busy_timeout, create).await?;
        Ok(Self { place: Place::Postgres { access, pool, beside }, clock, audit_key: None })
    }

    /// The same store, able to write what the audit tells of.
    #[must_use]
    pub fn with_audit_key(self, key: ChainKey) -> Self {
        Self { audit_key: Some(key), ..self }
    }

    pub(super) async fn reader(&self) -> Result<Connection, StoreError> {
        let taken = match &self.place {
            Place::Sqlite { pools, .. } => {
                pools.readers.acquire().await.map(|taken| Connection::Sqlite(Held::Reader(taken)))
            }
            Place::Postgres { pool, .. } => pool.acquire().await.map(|taken| Connection::Postgres(Held::Reader(taken))),
        };
        taken.map_err(|source| failed("ACQUIRE", source))
    }

    /// A transaction that may write.
    pub(super) async fn begin(&self) -> Result<Transaction, StoreError> {
        self.begin_with("BEGIN").await
    }

    /// One that sees a single state of the database from its first statement to its last.
    pub(super) async fn begin_snapshot(&self) -> Result<Transaction, StoreError> {
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
    pub(super) async fn time(&self, connection: &mut Connection) -> Result<DateTime<Utc>, StoreError> {
        if let Some(clock) = &self.clock {
            return Ok(clock.now());
        }
        let row = SERVER_TIME.call().row(connection).await?;
        let row = row.ok_or_else(|| corrupt("the server's clock", "it gave no time"))?;
        Columns::of("clock", &row).instant()
    }
}
