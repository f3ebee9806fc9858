//! A named SQL text: the name stands in the text as a comment and in the error when it fails.

use sqlx::query::Query;
use sqlx::sqlite::{SqliteArguments, SqliteRow};
use sqlx::{Encode, Executor, SqlSafeStr, Sqlite, Type};

use crate::store::StoreError;

/// One SQL text; its parameters are `$1`, `$2` ..., as every database we know takes them.
#[derive(Clone, Copy)]
pub(super) struct Statement {
    pub(super) name: &'static str,
    pub(super) sql: &'static str,
}

/// A statement with its parameters.
pub(super) struct Call {
    name: &'static str,
    query: Query<'static, Sqlite, SqliteArguments>,
}

impl Statement {
    /// The text, ready for its parameters; prepared once per connection.
    pub(super) fn call(self) -> Call {
        Call::of(self.name, self.sql)
    }

    /// The error that names it.
    pub(super) fn failed(self, source: sqlx::Error) -> StoreError {
        failed(self.name, source)
    }
}

/// A database that another writer holds for too long is not a fault of the statement.
fn failed(statement: &'static str, source: sqlx::Error) -> StoreError {
    match not_at_fault(&source) {
        Some(reason) => StoreError::Unavailable { database: "sqlite".to_owned(), reason: reason.to_owned() },
        None => StoreError::Statement { statement, source },
    }
}

impl Call {
    pub(super) fn of(name: &'static str, sql: impl SqlSafeStr) -> Self {
        Self { name, query: sqlx::query(sql) }
    }

    /// The next parameter.
    pub(super) fn bind<'t, T: Encode<'t, Sqlite> + Type<Sqlite>>(mut self, value: T) -> Self {
        self.query = self.query.bind(value);
        self
    }

    /// Runs it; the number of rows it changed.
    pub(super) async fn run<'e>(self, on: impl Executor<'e, Database = Sqlite>) -> Result<u64, StoreError> {
        let done = self.query.execute(on).await.map_err(|error| failed(self.name, error))?;
        Ok(done.rows_affected())
    }

    /// Its only row, if there is one.
    pub(super) async fn row<'e>(
        self,
        on: impl Executor<'e, Database = Sqlite>,
    ) -> Result<Option<SqliteRow>, StoreError> {
        self.query.fetch_optional(on).await.map_err(|error| failed(self.name, error))
    }

    /// All its rows, each taken apart while the database reads the next one: two processors work, and only what is
    /// made of the rows stays in memory.
    pub(super) async fn each<'e, T: Send + Unpin>(
        self,
        on: impl Executor<'e, Database = Sqlite>,
        mut take: impl FnMut(&SqliteRow) -> Result<T, StoreError> + Send,
    ) -> Result<Vec<T>, StoreError> {
        let taken = self.query.map(|row| take(&row)).fetch_all(on).await;
        taken.map_err(|error| failed(self.name, error))?.into_iter().collect()
    }

    /// All its rows.
    pub(super) async fn rows<'e>(self, on: impl Executor<'e, Database = Sqlite>) -> Result<Vec<SqliteRow>, StoreError> {
        self.query.fetch_all(on).await.map_err(|error| failed(self.name, error))
    }
}

/// What is wrong with the database rather than with the statement.
fn not_at_fault(error: &sqlx::Error) -> Option<&'static str> {
    const HELD: &str = "another program has been writing to it for longer than busy_timeout_s";
    match error {
        sqlx::Error::PoolTimedOut => Some(HELD),
        sqlx::Error::Database(refusal) => {
            // The primary result code is the low byte: 5 SQLITE_BUSY, 10 SQLITE_IOERR, 13 SQLITE_FULL.
            match refusal.code()?.parse::<u32>().ok()? & 0xff {
                5 => Some(HELD),
                10 => Some("reading or writing its file failed"),
                13 => Some("its disk is full"),
                _ => None,
            }
        }
        _ => None,
    }
}

/// Declares a [`Statement`] whose text starts with its name.
macro_rules! statement {
    ($visibility:vis $name:ident = $($sql:tt)+) => {
        $visibility const $name: $crate::store::sqlite::statement::Statement =
            $crate::store::sqlite::statement::Statement {
                name: stringify!($name),
                sql: concat!("-- ", stringify!($name), "\n", $($sql)+),
            };
    };
}
pub(super) use statement;
