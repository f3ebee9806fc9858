//! A named SQL text: the name stands in the text as a comment and in the error when it fails.
//!
//! Most texts are the same for every database; where the dialects differ, or one database must be told how to walk, a
//! statement has a text for each. Parameters are `$1`, `$2` ... in both.

use sqlx::postgres::{PgArguments, PgRow};
use sqlx::sqlite::{SqliteArguments, SqliteRow};
use sqlx::{AssertSqlSafe, Postgres, SqlSafeStr, SqlStr, Sqlite};

use super::connection::{Connection, Database};
use super::postgres::answered;
use super::value::Value;
use crate::store::StoreError;

/// One SQL text, or one per database.
#[derive(Clone, Copy)]
pub(super) struct Statement {
    pub(super) name: &'static str,
    pub(super) sqlite: &'static str,
    pub(super) postgres: &'static str,
}

/// A statement with its parameters.
pub(super) struct Call {
    name: &'static str,
    text: Text,
    values: Vec<Value>,
}

enum Text {
    Ours(Statement),
    Made(String),
}

/// A row of either database.
pub(super) enum Row {
    Sqlite(SqliteRow),
    Postgres(PgRow),
}

impl Statement {
    /// The text, ready for its parameters; prepared once per connection.
    pub(super) fn call(self) -> Call {
        Call { name: self.name, text: Text::Ours(self), values: Vec::new() }
    }
}

impl Call {
    /// A text made for the occasion, from texts of ours only: every value is bound.
    pub(super) fn made(name: &'static str, sql: String, values: Vec<Value>) -> Self {
        Self { name, text: Text::Made(sql), values }
    }

    /// PostgreSQL: the same rows through a cursor, which lives as long as the transaction.
    pub(super) fn through_cursor(self, cursor: &'static str) -> Self {
        let text = self.text_for(Database::Postgres);
        let sql = format!("DECLARE {cursor} NO SCROLL CURSOR FOR {}", text.as_str());
        Self { text: Text::Made(sql), ..self }
    }

    /// The next parameter.
    pub(super) fn bind(mut self, value: impl Into<Value>) -> Self {
        self.values.push(value.into());
        self
    }

    fn text_for(&self, database: Database) -> SqlStr {
        match (&self.text, database) {
            (Text::Ours(statement), Database::Sqlite) => statement.sqlite.into_sql_str(),
            (Text::Ours(statement), Database::Postgres) => statement.postgres.into_sql_str(),
            // Safe because: made of our own texts and parameter marks; every value is bound.
            (Text::Made(sql), _) => AssertSqlSafe(sql.clone()).into_sql_str(),
        }
    }

    fn sqlite(self) -> sqlx::query::Query<'static, Sqlite, SqliteArguments> {
        let text = self.text_for(Database::Sqlite);
        self.values.into_iter().fold(sqlx::query(text), |query, value| value.bind_sqlite(query))
    }

    fn postgres(self) -> sqlx::query::Query<'static, Postgres, PgArguments> {
        let text = self.text_for(Database::Postgres);
        self.values.into_iter().fold(sqlx::query(text), |query, value| value.bind_postgres(query))
    }

    /// Runs it; the number of rows it changed.
    pub(super) async fn run(self, on: &mut Connection) -> Result<u64, StoreError> {
        let name = self.name;
        let changed = match on {
            Connection::Sqlite(on) => self.sqlite().execute(&mut **on).await.map(|done| done.rows_affected()),
            Connection::Postgres(on) => {
                answered(self.postgres().execute(&mut **on)).await.map(|done| done.rows_affected())
            }
        };
        changed.map_err(|error| failed(name, error))
    }

    /// Its only row, if there is one.
    pub(super) async fn row(self, on: &mut Connection) -> Result<Option<Row>, StoreError> {
        let name = self.name;
        let row = match on {
            Connection::Sqlite(on) => self.sqlite().fetch_optional(&mut **on).await.map(|row| row.map(Row::Sqlite)),
            Connection::Postgres(on) => {
                answered(self.postgres().fetch_optional(&mut **on)).await.map(|row| row.map(Row::Postgres))
            }
        };
        row.map_err(|error| failed(name, error))
    }

    /// All its rows, each taken apart while the database reads the next one: two processors work, and only what is
    /// made of the rows stays in memory.
    pub(super) async fn each<T: Send + Unpin>(
        self,
        on: &mut Connection,
        mut take: impl FnMut(&Row) -> Result<T, StoreError> + Send,
    ) -> Result<Vec<T>, StoreError> {
        let name = self.name;
        let taken = match on {
            Connection::Sqlite(on) => self.sqlite().map(|row| take(&Row::Sqlite(row))).fetch_all(&mut **on).await,
            Connection::Postgres(on) => {
                answered(self.postgres().map(|row| take(&Row::Postgres(row))).fetch_all(&mut **on)).await
            }
        };
        taken.map_err(|error| failed(name, error))?.into_iter().collect()
    }
}

/// The error that names the statement. A database that went away, or that another writer holds for too long, is not a
/// fault of the statement.
pub(super) fn failed(statement: &'static str, source: sqlx::Error) -> StoreError {
    match not_at_fault(&source) {
        Some((database, reason)) => {
            StoreError::Unavailable { database: database.to_owned(), reason: format!("{reason} (at {statement})") }
        }
        None => StoreError::Statement { statement, source },
    }
}

/// What is wrong with the database rather than with the statement.
fn not_at_fault(error: &sqlx::Error) -> Option<(&'static str, &'static str)> {
    const HELD: &str = "another program has been writing to it for longer than busy_timeout_s";
    const GONE: (&str, &str) = ("postgres", "the connection was lost");
    match error {
        // A pool is told to wait where a server has no connection left for this user, and does not say so.
        sqlx::Error::PoolTimedOut => Some((
            "of [database]",
            "no connection became free within busy_timeout_s; does the server allow this user enough of them?",
        )),
        sqlx::Error::Io(_) | sqlx::Error::Tls(_) | sqlx::Error::PoolClosed | sqlx::Error::WorkerCrashed => Some(GONE),
        sqlx::Error::Database(refusal) => {
            let code = refusal.code()?;
            if refusal.try_downcast_ref::<sqlx::postgres::PgDatabaseError>().is_some() {
                // SQLSTATE classes: 08 connection, 53 insufficient resources, 57P operator intervention, 58 system.
                return match code.as_ref() {
                    code if code.starts_with("57P") || code.starts_with("08") => Some(GONE),
                    "55P03" => Some(("postgres", "another session held for 10 minutes what this one waits for")),
                    "53100" => Some(("postgres", "its disk is full")),
                    code if code.starts_with("53") => Some(("postgres", "it has no resources left")),
                    code if code.starts_with("58") => Some(("postgres", "reading or writing its files failed")),
                    _ => None,
                };
            }
            // The primary result code is the low byte: 5 SQLITE_BUSY, 10 SQLITE_IOERR, 13 SQLITE_FULL.
            match code.parse::<u32>().ok()? & 0xff {
                5 => Some(("sqlite", HELD)),
                10 => Some(("sqlite", "reading or writing its file failed")),
                13 => Some(("sqlite", "its disk is full")),
                _ => None,
            }
        }
        _ => None,
    }
}

/// Declares a [`Statement`] whose texts start with its name: one text for all, or `sqlite` and `postgres` apart.
macro_rules! statement {
    ($visibility:vis $name:ident = sqlite($($sqlite:tt)+), postgres($($postgres:tt)+)) => {
        $visibility const $name: $crate::store::sql::statement::Statement =
            $crate::store::sql::statement::Statement {
                name: stringify!($name),
                sqlite: concat!("-- ", stringify!($name), "\n", $($sqlite)+),
                postgres: concat!("-- ", stringify!($name), "\n", $($postgres)+),
            };
    };
    ($visibility:vis $name:ident = $($sql:tt)+) => {
        $crate::store::sql::statement::statement!($visibility $name = sqlite($($sql)+), postgres($($sql)+));
    };
}
pub(super) use statement;
