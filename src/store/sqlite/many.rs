//! Many rows in one INSERT: what a page writes costs a few calls, not one per row.
//!
//! The parameters are plain `?`: SQLite finds the name of a numbered one by walking a list, which for a thousand
//! parameters costs more than the rows.

use sqlx::AssertSqlSafe;

use super::statement::Call;

/// Rows per INSERT. More gains nothing: the parameters, not the calls, are then the cost.
pub(super) const ROWS_PER_INSERT: usize = 64;

/// An INSERT of as many rows as wanted.
#[derive(Clone, Copy)]
pub(super) struct ManyRows {
    pub(super) name: &'static str,
    /// `INSERT INTO table (columns)`.
    pub(super) insert: &'static str,
    /// How many columns.
    pub(super) columns: usize,
    /// What follows the rows, for example `ON CONFLICT DO NOTHING`.
    pub(super) then: &'static str,
}

impl ManyRows {
    /// The statement for `rows` rows; their values are bound one after the other.
    pub(super) fn call(self, rows: usize) -> Call {
        let one = format!("({})", vec!["?"; self.columns].join(", "));
        let all = vec![one.as_str(); rows].join(", ");
        let sql = format!("-- {}\n{} VALUES {all} {}", self.name, self.insert, self.then);
        // Safe because: made of our own texts and question marks; every value is bound.
        Call::of(self.name, AssertSqlSafe(sql))
    }
}
