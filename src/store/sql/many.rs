//! Many rows in one INSERT: what a page writes costs a few calls, not one per row.
//!
//! SQLite takes them as plain `?`, because it finds the name of a numbered parameter by walking a list, which for a
//! thousand parameters costs more than the rows. PostgreSQL takes one array per column, whatever the number of rows.

use super::connection::{Connection, Database};
use super::statement::Call;
use super::value::Value;
use crate::store::StoreError;

/// Rows per INSERT on SQLite. More gains nothing: the parameters, not the calls, are then the cost.
const ROWS_PER_INSERT: usize = 64;

/// What a column holds.
#[derive(Debug, Clone, Copy)]
pub(super) enum Kind {
    Integer,
    Text,
    Bytes,
}

/// An INSERT of as many rows as wanted.
#[derive(Clone, Copy)]
pub(super) struct ManyRows {
    pub(super) name: &'static str,
    /// `INSERT INTO table (columns)`.
    pub(super) insert: &'static str,
    /// What the columns hold.
    pub(super) kinds: &'static [Kind],
    /// What follows the rows, for example `ON CONFLICT DO NOTHING`.
    pub(super) then: &'static str,
}

impl ManyRows {
    /// Writes the rows, each with a value per column; the number of rows written.
    pub(super) async fn write(self, rows: Vec<Vec<Value>>, on: &mut Connection) -> Result<u64, StoreError> {
        if rows.is_empty() {
            return Ok(0);
        }
        match on.database() {
            Database::Postgres => self.as_arrays(rows).run(on).await,
            Database::Sqlite => {
                let mut written = 0;
                let mut rows = rows.into_iter().peekable();
                while rows.peek().is_some() {
                    written += self.as_rows(rows.by_ref().take(ROWS_PER_INSERT).collect()).run(on).await?;
                }
                Ok(written)
            }
        }
    }

    fn as_rows(self, rows: Vec<Vec<Value>>) -> Call {
        let one = format!("({})", vec!["?"; self.kinds.len()].join(", "));
        let all = vec![one.as_str(); rows.len()].join(", ");
        let sql = format!("-- {}\n{} VALUES {all} {}", self.name, self.insert, self.then);
        Call::made(self.name, sql, rows.into_iter().flatten().collect())
    }

    fn as_arrays(self, rows: Vec<Vec<Value>>) -> Call {
        let columns = transposed(self.kinds, rows);
        let arrays: Vec<String> =
            self.kinds.iter().enumerate().map(|(index, kind)| format!("${}::{}[]", index + 1, kind.name())).collect();
        let arrays = arrays.join(", ");
        let sql = format!("-- {}\n{} SELECT * FROM UNNEST({arrays}) {}", self.name, self.insert, self.then);
        Call::made(self.name, sql, columns)
    }
}

/// Rows as one array per column, for PostgreSQL.
pub(super) fn transposed(kinds: &[Kind], rows: Vec<Vec<Value>>) -> Vec<Value> {
    let mut columns: Vec<Value> = kinds.iter().map(|kind| Value::empty_column(*kind, rows.len())).collect();
    for row in rows {
        columns.iter_mut().zip(row).for_each(|(column, value)| column.push(value));
    }
    columns
}

impl Kind {
    fn name(self) -> &'static str {
        match self {
            Self::Integer => "bigint",
            Self::Text => "text",
            Self::Bytes => "bytea",
        }
    }
}
