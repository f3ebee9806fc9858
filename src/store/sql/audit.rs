//! The audit chain: an entry in the transaction of what it tells, and the event of what a person ordered.
//!
//! Invariants: entries are only ever added; numbers have no gaps, because whoever enters something has the turn (that of
//! events) until its transaction ends, and so sees the newest entry; without the key nothing is entered, and nothing that
//! has to be entered is done.

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use serde_json::{Value, json};

use super::columns::Columns;
use super::connection::{Connection, Held};
use super::place::Place;
use super::statement::{Row, failed, statement};
use super::{SqlStore, audit_walk, corrupt, events};
use crate::card::InstitutionId;
use crate::chain::{ChainKeys, Entry, Head, Mac, NOTHING_BEFORE};
use crate::settlement::Authority;
use crate::store::{AuditRow, AuditVerdict, Audits, FileRow, StoreError};

statement!(
    WRITE_AUDIT = "INSERT INTO audit (number, at, actor, action, subject, reason, data, key_id, mac)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)"
);
statement!(
    AUDIT_AFTER = "SELECT number, at, actor, action, subject, reason, data, key_id, mac FROM audit WHERE number > $1
    ORDER BY number LIMIT $2"
);
statement!(NEWEST_ENTRY = "SELECT number, mac FROM audit ORDER BY number DESC LIMIT 1");

/// Who acts where no person does.
const PROGRAM: &str = "emboss";

/// What is to be entered.
pub(super) struct Entering<'a> {
    /// The word of the event that tells of it.
    pub(super) action: &'a str,
    /// The id of a file, a run ...
    pub(super) subject: String,
    /// Who ordered it; `None` where nobody did.
    pub(super) authority: Option<&'a Authority>,
    pub(super) data: Value,
}

impl Entering<'static> {
    /// What a command did by itself.
    pub(super) fn of_program(action: &'static str, subject: impl ToString, data: Value) -> Self {
        Self { action, subject: subject.to_string(), authority: None, data }
    }
}

/// Enters what a transaction did. Whoever waits for the turn should have little left to do.
pub(super) async fn enter(
    store: &SqlStore,
    connection: &mut Connection,
    at: DateTime<Utc>,
    entering: Vec<Entering<'_>>,
) -> Result<(), StoreError> {
    events::turn(connection).await?;
    let newest = newest(connection).await?;
    append(store, connection, at, newest, entering).await
}

/// The same at the end of a transaction that sees the database as it was when it began: the newest entry is looked up
/// beside it. Once only in a transaction.
pub(super) async fn enter_from_snapshot(
    store: &SqlStore,
    connection: &mut Connection,
    at: DateTime<Utc>,
    entering: Vec<Entering<'_>>,
) -> Result<(), StoreError> {
    events::turn(connection).await?;
    let newest = match &store.place {
        Place::Sqlite { .. } => newest(connection).await?,
        Place::Postgres { beside, .. } => {
            let beside = beside.acquire().await.map_err(|source| failed("ACQUIRE", source))?;
            newest(&mut Connection::Postgres(Held::Reader(beside))).await?
        }
    };
    append(store, connection, at, newest, entering).await
}

async fn append(
    store: &SqlStore,
    connection: &mut Connection,
    at: DateTime<Utc>,
    newest: Option<Head>,
    entering: Vec<Entering<'_>>,
) -> Result<(), StoreError> {
    let key = store.audit_key.as_ref().ok_or(StoreError::NoAuditKey)?;
    let (mut number, mut before) = newest.map_or((0, NOTHING_BEFORE), |head| (head.number, head.mac));
    for Entering { action, subject, authority, data } in entering {
        number += 1;
        let (actor, reason) = authority.map_or((PROGRAM, ""), |authority| (authority.by(), authority.reason()));
        let (at_us, data) = (at.timestamp_micros(), data.to_string());
        let entry = Entry { number, at_us, actor, action, subject: &subject, reason, data: &data };
        before = key.mac(&entry, &before);
        let call = WRITE_AUDIT.call().bind(number).bind(at_us).bind(actor).bind(action).bind(subject.as_str());
        let call = call.bind(reason).bind(data.as_str()).bind(key.id()).bind(before.as_slice());
        call.run(connection).await?;
    }
    Ok(())
}

/// What an entry about a file says beside its event: where it stands now, and the digest over its items.
pub(super) fn of_file(file: &FileRow, mut data: Value) -> Value {
    data["institution"] = json!(file.institution);
    data["state"] = json!(file.state);
    data["itemsSha256"] = json!(file.items_sha256);
    data
}

/// A person's order.
pub(super) struct Order<'a> {
    /// The kind of the event, which is the audit's word too.
    pub(super) action: &'a str,
    pub(super) institution: Option<&'a InstitutionId>,
    pub(super) subject: &'a str,
    pub(super) authority: &'a Authority,
}

impl Order<'_> {
    /// Enters it, and writes the event, which says by whom and why as well.
    pub(super) async fn write(
        &self,
        store: &SqlStore,
        connection: &mut Connection,
        at: DateTime<Utc>,
        mut data: Value,
    ) -> Result<(), StoreError> {
        data["institution"] = json!(self.institution);
        let (action, subject, authority) = (self.action, self.subject.to_owned(), Some(self.authority));
        enter(store, connection, at, vec![Entering { action, subject, authority, data: data.clone() }]).await?;
        data["by"] = json!(self.authority.by());
        data["reason"] = json!(self.authority.reason());
        events::write(connection, at, self.action, self.institution, &data).await
    }
}

/// The newest entry, as this connection sees it.
pub(super) async fn newest(connection: &mut Connection) -> Result<Option<Head>, StoreError> {
    let Some(row) = NEWEST_ENTRY.call().row(connection).await? else { return Ok(None) };
    let mut columns = Columns::of("audit", &row);
    let (number, mac) = (columns.take()?, columns.take::<&[u8]>()?);
    let mac = Mac::try_from(mac).map_err(|_| corrupt("audit, column 2", "it is no MAC"))?;
    Ok(Some(Head { number, mac }))
}

/// A page of entries.
pub(super) async fn page(connection: &mut Connection, after: i64, limit: u32) -> Result<Vec<AuditRow>, StoreError> {
    AUDIT_AFTER.call().bind(after).bind(limit).each(connection, row).await
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
        key_id: columns.take()?,
        mac: columns.take()?,
    })
}

#[async_trait]
impl Audits for SqlStore {
    async fn audit(&self, after: i64, limit: u32) -> Result<Vec<AuditRow>, StoreError> {
        page(&mut self.reader().await?, after, limit).await
    }

    async fn audit_head(&self) -> Result<Option<Head>, StoreError> {
        newest(&mut self.reader().await?).await
    }

    async fn enter(&self, action: &'static str, subject: &str, data: &Value) -> Result<(), StoreError> {
        let mut transaction = self.begin().await?;
        let now = self.time(&mut transaction).await?;
        let entering = vec![Entering::of_program(action, subject, data.clone())];
        enter(self, &mut transaction, now, entering).await?;
        transaction.commit().await
    }

    async fn verify_audit(&self, keys: &ChainKeys, kept: &[Head]) -> Result<AuditVerdict, StoreError> {
        audit_walk::verify(self, keys, kept).await
    }
}
