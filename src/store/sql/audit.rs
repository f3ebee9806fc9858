//! What persons order: an audit row, and the event that tells of it, in the transaction of what they changed.
//!
//! Invariant: rows are only ever added. A chain over them under a key of its own comes with the commands for the audit;
//! everything it has to cover stands in the row.

use chrono::{DateTime, Utc};
use serde_json::{Value, json};

use super::columns::Columns;
use super::connection::Connection;
use super::statement::{Row, statement};
use super::{SqlStore, events};
use crate::card::InstitutionId;
use crate::settlement::Authority;
use crate::store::{AuditRow, StoreError};

statement!(
    WRITE_AUDIT = "INSERT INTO audit (at, actor, action, subject, reason, data) VALUES ($1, $2, $3, $4, $5, $6)"
);
statement!(
    AUDIT_AFTER = "SELECT number, at, actor, action, subject, reason, data FROM audit WHERE number > $1
    ORDER BY number LIMIT $2"
);

/// A person's order.
pub(super) struct Order<'a> {
    /// The kind of the event, which is the audit's word too.
    pub(super) action: &'a str,
    pub(super) institution: Option<&'a InstitutionId>,
    /// The file.
    pub(super) subject: &'a str,
    pub(super) authority: &'a Authority,
}

impl Order<'_> {
    /// Writes both rows; the event says by whom and why as well.
    pub(super) async fn write(
        &self,
        connection: &mut Connection,
        at: DateTime<Utc>,
        mut data: Value,
    ) -> Result<(), StoreError> {
        data["institution"] = json!(self.institution);
        let call = WRITE_AUDIT.call().bind(at.timestamp_micros()).bind(self.authority.by()).bind(self.action);
        let call = call.bind(self.subject).bind(self.authority.reason()).bind(data.to_string());
        call.run(connection).await?;
        data["by"] = json!(self.authority.by());
        data["reason"] = json!(self.authority.reason());
        events::write(connection, at, self.action, self.institution, &data).await
    }
}

/// Rows with a number over `number`.
pub(super) async fn after(store: &SqlStore, number: i64, limit: u32) -> Result<Vec<AuditRow>, StoreError> {
    AUDIT_AFTER.call().bind(number).bind(limit).each(&mut store.reader().await?, row).await
}

/// A row with all its columns.
pub(super) fn row(row: &Row) -> Result<AuditRow, StoreError> {
    let mut columns = Columns::of("audit", row);
    Ok(AuditRow {
        number: columns.take()?,
        at: columns.instant()?,
        actor: columns.take()?,
        action: columns.take()?,
        subject: columns.take()?,
        reason: columns.take()?,
        data: columns.take()?,
    })
}
