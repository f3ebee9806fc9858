//! Opening the file: who may read it, how durable it is, whether its tables are ours.
//!
//! Invariants: what durability rests on is read back from the open connection and refused where it
//! differs; the file is made with mode 0600, and SQLite gives its journal the same.

use std::fs::OpenOptions;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::time::Duration;

use sqlx::pool::PoolOptions;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection, SqliteJournalMode, SqliteSynchronous};
use sqlx::{ConnectOptions, Connection, Pool, Row, Sqlite};

use super::statement::{failed, statement};
use crate::ambient::Random;
use crate::store::StoreError;

/// The schema this program reads and writes, on every database.
pub(super) const SCHEMA_VERSION: i64 = 2;
const SCHEMA: &str = include_str!("../../../schemas/sql/sqlite.sql");

/// Readers at once beside the one writer.
const READERS: u32 = 4;
/// Page caches in KiB (negative is SQLite's way of saying KiB): the writer walks random recordUids, readers walk along.
const WRITER_CACHE: &str = "-32768";
const READER_CACHE: &str = "-4096";
/// Rows the driver's thread may be ahead of us, so that both processors work.
const ROWS_AHEAD: usize = 256;

statement!(TABLES = "SELECT COUNT(*) FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite%'");
statement!(HAS_META = "SELECT COUNT(*) FROM sqlite_master WHERE type = 'table' AND name = 'meta'");
statement!(SCHEMA_FOUND = "SELECT schema_version FROM meta WHERE one = 1");
statement!(NEW_META = "INSERT INTO meta (one, schema_version, database_id, epoch) VALUES (1, $1, $2, 0)");

/// The writer and the readers of one database file.
pub(super) struct Pools {
    pub(super) writer: Pool<Sqlite>,
    pub(super) readers: Pool<Sqlite>,
}

/// Opens `path`; with `create`, makes file and tables where there are none.
pub(super) async fn open(
    path: &Path,
    busy_timeout: Duration,
    random: &Random,
    create: bool,
) -> Result<Pools, StoreError> {
    if create {
        make_file(path)?;
    } else if !path.is_file() {
        return Err(unavailable(path, "there is no such file; the first emboss import makes it"));
    }
    let options = options(path, busy_timeout);
    let writer = connect(path, options.clone(), 1, busy_timeout).await?;
    prepare(path, &writer, random).await?;
    let options = options.read_only(true).pragma("cache_size", READER_CACHE);
    let readers = connect(path, options, READERS, busy_timeout).await?;
    Ok(Pools { writer, readers })
}

fn make_file(path: &Path) -> Result<(), StoreError> {
    match OpenOptions::new().write(true).create_new(true).mode(0o600).open(path) {
        Ok(_) => Ok(()),
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => Ok(()),
        Err(error) => Err(unavailable(path, &error.to_string())),
    }
}

fn options(path: &Path, busy_timeout: Duration) -> SqliteConnectOptions {
    SqliteConnectOptions::new()
        .filename(path)
        .create_if_missing(false)
        .busy_timeout(busy_timeout)
        .foreign_keys(true)
        .page_size(8192)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full)
        .pragma("cache_size", WRITER_CACHE)
        .pragma("wal_autocheckpoint", "4000")
        .row_buffer_size(ROWS_AHEAD)
        .statement_cache_capacity(200)
        // Its texts are long and help nobody who runs a night.
        .disable_statement_logging()
}

async fn connect(
    path: &Path,
    options: SqliteConnectOptions,
    connections: u32,
    busy_timeout: Duration,
) -> Result<Pool<Sqlite>, StoreError> {
    PoolOptions::new()
        .max_connections(connections)
        .acquire_timeout(busy_timeout)
        .idle_timeout(None)
        .max_lifetime(None)
        .test_before_acquire(false)
        // Where SQLite ends a transaction by itself (a full disk), the driver cannot roll it back, believes for ever that
        // it is in one, and begins none: such a connection makes room for a new one.
        .before_acquire(|connection: &mut SqliteConnection, _| Box::pin(async { Ok(!connection.is_in_transaction()) }))
        .connect_with(options)
        .await
        .map_err(|error| unavailable(path, &error.to_string()))
}

async fn prepare(path: &Path, writer: &Pool<Sqlite>, random: &Random) -> Result<(), StoreError> {
    let refuse = |error: sqlx::Error| unavailable(path, &error.to_string());
    let mut connection = writer.acquire().await.map_err(refuse)?;
    // Only a new database is written to: who only looks must not wait for a claim that is writing.
    if count(&mut connection, TABLES.sqlite).await.map_err(refuse)? == 0 {
        drop(connection);
        make_tables(path, writer, random).await?;
        connection = writer.acquire().await.map_err(refuse)?;
    }
    check_schema(path, &mut connection).await?;
    read_back(path, &mut connection).await
}

async fn make_tables(path: &Path, writer: &Pool<Sqlite>, random: &Random) -> Result<(), StoreError> {
    let refuse = |error: sqlx::Error| unavailable(path, &error.to_string());
    let mut transaction = writer.begin_with("BEGIN IMMEDIATE").await.map_err(refuse)?;
    // Asked again: another process may have had its turn.
    if count(&mut transaction, TABLES.sqlite).await.map_err(refuse)? == 0 {
        let made = sqlx::raw_sql(SCHEMA).execute(&mut *transaction).await;
        made.map_err(|source| StoreError::Statement { statement: "schemas/sql/sqlite.sql", source })?;
        let made = sqlx::query(NEW_META.sqlite).bind(SCHEMA_VERSION).bind(random.uuid().to_string());
        made.execute(&mut *transaction).await.map_err(|error| failed(NEW_META.name, error))?;
    }
    transaction.commit().await.map_err(refuse)
}

async fn check_schema(path: &Path, connection: &mut SqliteConnection) -> Result<(), StoreError> {
    let ours = count(connection, HAS_META.sqlite).await.map_err(|error| failed(HAS_META.name, error))?;
    let refuse = |found| StoreError::Schema { database: name(path), found, needed: SCHEMA_VERSION };
    if ours == 0 {
        return Err(refuse("of another program".to_owned()));
    }
    let found = count(connection, SCHEMA_FOUND.sqlite).await.map_err(|error| failed(SCHEMA_FOUND.name, error))?;
    if found != SCHEMA_VERSION {
        return Err(refuse(found.to_string()));
    }
    Ok(())
}

/// Asks the connection what it really does: some builds and some file systems ignore a PRAGMA without a word.
async fn read_back(path: &Path, connection: &mut SqliteConnection) -> Result<(), StoreError> {
    for (pragma, wanted) in [("PRAGMA journal_mode", "wal"), ("PRAGMA synchronous", "2"), ("PRAGMA foreign_keys", "1")]
    {
        let row = sqlx::query(pragma).fetch_one(&mut *connection).await;
        let row = row.map_err(|error| unavailable(path, &error.to_string()))?;
        let found = row.try_get::<String, _>(0).or_else(|_| row.try_get::<i64, _>(0).map(|number| number.to_string()));
        let found = found.map_err(|error| unavailable(path, &error.to_string()))?;
        if found != wanted {
            return Err(unavailable(path, &format!("{pragma} is {found}, a night needs {wanted}")));
        }
    }
    Ok(())
}

async fn count(connection: &mut SqliteConnection, sql: &'static str) -> Result<i64, sqlx::Error> {
    sqlx::query(sql).fetch_one(connection).await?.try_get(0)
}

fn unavailable(path: &Path, reason: &str) -> StoreError {
    StoreError::Unavailable { database: name(path), reason: reason.to_owned() }
}

fn name(path: &Path) -> String {
    format!("sqlite:{}", path.display())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_database_that_cannot_keep_a_write_ahead_log_is_refused() {
        let options = SqliteConnectOptions::new().in_memory(true).synchronous(SqliteSynchronous::Full);
        let pool: Pool<Sqlite> = PoolOptions::new().connect_with(options).await.unwrap();
        let mut connection = pool.acquire().await.unwrap();
        let refusal = read_back(Path::new("night.db"), &mut connection).await.unwrap_err();
        assert_eq!(
            refusal.to_string(),
            "the database sqlite:night.db cannot be used: PRAGMA journal_mode is memory, a night needs wal"
        );
    }

    #[tokio::test]
    async fn fault_21_a_full_disk_ends_a_transaction_and_not_every_one_that_follows() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("emboss.db");
        let pools = super::open(&path, Duration::from_secs(5), &Random::seeded(1), true).await.unwrap();
        for ended in [false, true] {
            let mut transaction = pools.writer.begin_with("BEGIN IMMEDIATE").await.unwrap();
            if ended {
                // What SQLite does by itself where a page cannot be written.
                sqlx::raw_sql("ROLLBACK").execute(&mut *transaction).await.unwrap();
            }
            drop(transaction);
            let mut next = pools.writer.begin_with("BEGIN IMMEDIATE").await.unwrap();
            read_back(&path, &mut next).await.unwrap();
            next.commit().await.unwrap();
        }
    }

    #[tokio::test]
    async fn opening_waits_for_no_writer_unless_tables_are_to_be_made() {
        let home = tempfile::tempdir().unwrap();
        let (path, random) = (home.path().join("emboss.db"), Random::seeded(1));
        let patience = Duration::from_millis(200);
        let first = super::open(&path, patience, &random, true).await.unwrap();
        let writing = first.writer.begin_with("BEGIN IMMEDIATE").await.unwrap();
        let second = super::open(&path, patience, &random, false).await;
        assert!(second.is_ok(), "{:?}", second.err());
        drop(writing);
    }
}
