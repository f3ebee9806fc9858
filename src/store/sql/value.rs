//! A parameter before it is known which database takes it.
//!
//! Numbers, times, flags and expiries are 64-bit integers in every database, ids and words are text, secrets are bytes:
//! one Rust type per column, so that one body of code serves both.

use sqlx::postgres::PgArguments;
use sqlx::query::Query;
use sqlx::sqlite::SqliteArguments;
use sqlx::{Postgres, Sqlite};

use super::many::Kind;

/// A parameter.
#[derive(Debug, Clone)]
pub(super) enum Value {
    Integer(Option<i64>),
    Text(Option<String>),
    Bytes(Option<Vec<u8>>),
    /// A list to look in: a JSON array for `json_each` on SQLite, an array for `ANY` on PostgreSQL.
    Texts(Vec<String>),
    /// The same of numbers, or none.
    Integers(Option<Vec<i64>>),
    /// A column of many rows, on PostgreSQL.
    IntegerColumn(Vec<Option<i64>>),
    /// The same.
    TextColumn(Vec<Option<String>>),
    /// The same.
    BytesColumn(Vec<Option<Vec<u8>>>),
}

impl Value {
    /// A column to be filled with [`push`](Value::push).
    pub(super) fn empty_column(kind: Kind, rows: usize) -> Self {
        match kind {
            Kind::Integer => Self::IntegerColumn(Vec::with_capacity(rows)),
            Kind::Text => Self::TextColumn(Vec::with_capacity(rows)),
            Kind::Bytes => Self::BytesColumn(Vec::with_capacity(rows)),
        }
    }

    /// The column's value in the next row; one of another kind is NULL.
    pub(super) fn push(&mut self, value: Value) {
        match (self, value) {
            (Self::IntegerColumn(column), Self::Integer(value)) => column.push(value),
            (Self::IntegerColumn(column), _) => column.push(None),
            (Self::TextColumn(column), Self::Text(value)) => column.push(value),
            (Self::TextColumn(column), _) => column.push(None),
            (Self::BytesColumn(column), Self::Bytes(value)) => column.push(value),
            (Self::BytesColumn(column), _) => column.push(None),
            _ => {}
        }
    }

    pub(super) fn bind_sqlite(
        self,
        query: Query<'static, Sqlite, SqliteArguments>,
    ) -> Query<'static, Sqlite, SqliteArguments> {
        match self {
            Self::Integer(value) => query.bind(value),
            Self::Text(value) => query.bind(value),
            Self::Bytes(value) => query.bind(value),
            Self::Texts(values) => query.bind(serde_json::Value::from(values).to_string()),
            Self::Integers(values) => query.bind(values.map(|values| serde_json::Value::from(values).to_string())),
            // Columns are PostgreSQL's way.
            Self::IntegerColumn(_) | Self::TextColumn(_) | Self::BytesColumn(_) => query,
        }
    }

    pub(super) fn bind_postgres(
        self,
        query: Query<'static, Postgres, PgArguments>,
    ) -> Query<'static, Postgres, PgArguments> {
        match self {
            Self::Integer(value) => query.bind(value),
            Self::Text(value) => query.bind(value),
            Self::Bytes(value) => query.bind(value),
            Self::Texts(values) => query.bind(values),
            Self::Integers(values) => query.bind(values),
            Self::IntegerColumn(column) => query.bind(column),
            Self::TextColumn(column) => query.bind(column),
            Self::BytesColumn(column) => query.bind(column),
        }
    }
}

macro_rules! integers {
    ($($kind:ty),+) => {
        $(impl From<$kind> for Value {
            fn from(value: $kind) -> Self {
                Self::Integer(Some(i64::from(value)))
            }
        }
        impl From<Option<$kind>> for Value {
            fn from(value: Option<$kind>) -> Self {
                Self::Integer(value.map(i64::from))
            }
        })+
    };
}
integers!(i64, i32, u32, u16, u8, bool);

impl From<&str> for Value {
    fn from(value: &str) -> Self {
        Self::Text(Some(value.to_owned()))
    }
}

impl From<String> for Value {
    fn from(value: String) -> Self {
        Self::Text(Some(value))
    }
}

impl From<Option<&str>> for Value {
    fn from(value: Option<&str>) -> Self {
        Self::Text(value.map(str::to_owned))
    }
}

impl From<Option<String>> for Value {
    fn from(value: Option<String>) -> Self {
        Self::Text(value)
    }
}

impl From<&[u8]> for Value {
    fn from(value: &[u8]) -> Self {
        Self::Bytes(Some(value.to_vec()))
    }
}

impl From<Option<&[u8]>> for Value {
    fn from(value: Option<&[u8]>) -> Self {
        Self::Bytes(value.map(<[u8]>::to_vec))
    }
}
