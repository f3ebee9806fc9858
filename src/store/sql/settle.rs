//! The settlement: PUBLISHED -> SETTLED, with every plastic of the file, in one transaction (R60-R70).
//!
//! Invariants: all of a file's plastics move or none (R61); the counts of what was to move and what did agree, or
//! nothing is committed; the outcome stands in the `file.settled` event, so that a settlement whose COMMIT was
//! answered by silence is read again instead of done again (fault 8).

use serde_json::json;

use super::claim::expect_count;
use super::columns::Columns;
use super::connection::{Connection, Database};
use super::settle_statements as sql;
use super::statement::Row;
use super::value::Value;
use super::{SqlStore, audit, corrupt, events, files};
use crate::card::{CardStatus, PlasticId, PlasticStatus, RecordUid};
use crate::document::FileType;
use crate::fault::{self, Point};
use crate::settlement::FileEvent;
use crate::store::{FileRow, SettleMismatch, SettleOutcome, StoreError};

/// R52: a card in one of these comes never back.
const FINAL: [CardStatus; 5] =
    [CardStatus::ClosedDueToFraud, CardStatus::Lost, CardStatus::Stolen, CardStatus::Closed, CardStatus::Invalid];

/// Settles a file.
pub(super) async fn settle(store: &SqlStore, file: &FileRow, epoch: i64) -> Result<SettleOutcome, StoreError> {
    file.after(FileEvent::Settle)?;
    let mut transaction = store.begin().await?;
    let now = store.time(&mut transaction).await?;
    let id = file.file_id.to_string();
    let call = sql::SETTLE_FILE.call().bind(id.as_str()).bind(epoch).bind(now.timestamp_micros());
    if call.run(&mut transaction).await? != 1 {
        let before = sql::SETTLED_BEFORE.call().bind(id).bind(epoch).row(&mut transaction).await?;
        let stale = || StoreError::Stale { file_id: file.file_id, event: FileEvent::Settle, epoch };
        let before = before.ok_or_else(stale)?;
        return outcome_of(&Columns::of("event", &before).json()?).ok_or_else(stale);
    }
    let mut settlement = Settlement { id, now_us: now.timestamp_micros(), connection: &mut transaction };
    let outcome = match file.file_type {
        FileType::Normal => settlement.settle().await?,
        // It repeats what was settled with its original (R67).
        FileType::Duplicate => {
            let closed_after_sealing = settlement.closed_after_sealing().await?;
            SettleOutcome { closed_after_sealing, ..SettleOutcome::default() }
        }
    };
    settlement.finish_night(file).await?;
    let mut data = files::about(file);
    put_outcome(&mut data, &outcome);
    events::write(&mut transaction, now, "file.settled", Some(&file.institution), &data).await?;
    let data = audit::of_file(&files::known(&mut transaction, file.file_id).await?, data);
    let entering = vec![audit::Entering::of_program("file.settled", file.file_id, data)];
    audit::enter(store, &mut transaction, now, entering).await?;
    fault::reach(Point::SettleUncommitted);
    transaction.commit().await?;
    fault::reach(Point::SettleCommitted);
    Ok(outcome)
}

struct Settlement<'a> {
    id: String,
    now_us: i64,
    connection: &'a mut Connection,
}

impl Settlement<'_> {
    async fn settle(&mut self) -> Result<SettleOutcome, StoreError> {
        let on_date = self.business_date().await?;
        let outcome = match self.connection.database() {
            Database::Sqlite => self.settle_in_turn(&on_date).await?,
            Database::Postgres => self.settle_at_once(&on_date).await?,
        };
        self.mark_mismatched(&outcome.mismatches).await?;
        Ok(SettleOutcome { closed_after_sealing: self.closed_after_sealing().await?, ..outcome })
    }

    async fn settle_in_turn(&mut self, on_date: &str) -> Result<SettleOutcome, StoreError> {
        let mismatches = self.mismatches().await?;
        // Told first: the events hold the statuses that the updates change.
        self.tell(sql::TELL_MOVED).await?;
        self.tell(sql::TELL_PREDECESSORS).await?;
        self.tell(sql::TELL_SUPERSEDED).await?;
        let closed = sql::CLOSE_PREDECESSORS.call().bind(self.id.as_str()).run(self.connection).await?;
        let moved = sql::MOVE_PLASTICS.call().bind(self.id.as_str()).bind(on_date).run(self.connection).await?;
        let superseded = sql::CLOSE_SUPERSEDED.call().bind(self.id.as_str()).run(self.connection).await?;
        let sent = sql::REQUESTS_SENT.call().bind(self.id.as_str()).run(self.connection).await?;
        let row = sql::COUNT_ITEMS.call().bind(self.id.as_str()).row(self.connection).await?;
        let (mut items, mut moving) = (0, 0);
        if let Some(row) = row {
            let mut columns = Columns::of("file_item", &row);
            (items, moving) = (columns.number()?, columns.number()?);
        }
        let outcome = SettleOutcome { moved, closed, superseded, mismatches, ..SettleOutcome::default() };
        self.check(&outcome, moving, sent, items)?;
        Ok(outcome)
    }

    async fn settle_at_once(&mut self, on_date: &str) -> Result<SettleOutcome, StoreError> {
        events::turn(self.connection).await?;
        let call = sql::SETTLE_ITEMS.call().bind(self.id.as_str()).bind(self.now_us).bind(on_date);
        let row = call.row(self.connection).await?;
        let row = row.ok_or_else(|| corrupt("a settlement", "it gave no numbers"))?;
        let mut columns = Columns::of("file_item", &row);
        let (moved, closed) = (columns.number()?, columns.number()?);
        let (sent, items, moving) = (columns.number()?, columns.number()?, columns.number()?);
        let mismatches = if moved == moving { Vec::new() } else { columns.json()? };
        let mismatches = mismatches.into_iter().map(mismatch).collect();
        let outcome = SettleOutcome { moved, closed, mismatches, ..SettleOutcome::default() };
        self.check(&outcome, moving, sent, items)?;
        Ok(SettleOutcome { superseded: self.tell(sql::CLOSE_SUPERSEDED).await?, ..outcome })
    }

    /// What moved and what did not must be all there is, and every request of it SENT. A plastic that is found INACTIVE
    /// and yet did not move was changed by somebody in this very moment: the settlement is done again.
    fn check(&self, outcome: &SettleOutcome, moving: u64, sent: u64, items: u64) -> Result<(), StoreError> {
        let explained = outcome.mismatches.iter().filter(|mismatch| mismatch.found != PlasticStatus::Inactive);
        let found = outcome.moved + explained.count() as u64;
        expect_count(found, moving, &format!("plastics of file {}", self.id))?;
        expect_count(sent, items, &format!("CLAIMED requests of file {}", self.id))
    }

    async fn tell(&mut self, statement: super::statement::Statement) -> Result<u64, StoreError> {
        statement.call().bind(self.id.as_str()).bind(self.now_us).run(self.connection).await
    }

    async fn mismatches(&mut self) -> Result<Vec<SettleMismatch>, StoreError> {
        let take = |row: &Row| {
            let mut columns = Columns::of("plastic", row);
            Ok(SettleMismatch {
                record_uid: columns.parse()?,
                plastic_id: columns.plastic_id()?,
                found: columns.parse()?,
            })
        };
        sql::MISMATCHES.call().bind(self.id.as_str()).each(self.connection, take).await
    }

    /// R70: the date of the run that claimed the file.
    async fn business_date(&mut self) -> Result<String, StoreError> {
        let row = sql::BUSINESS_DATE.call().bind(self.id.as_str()).row(self.connection).await?;
        let row =
            row.ok_or_else(|| StoreError::Corrupt { what: "run".into(), reason: "a file's run is gone".into() })?;
        Columns::of("run", &row).take()
    }

    /// The requests that are SENT although their plastic did not move say so.
    async fn mark_mismatched(&mut self, mismatches: &[SettleMismatch]) -> Result<(), StoreError> {
        if mismatches.is_empty() {
            return Ok(());
        }
        let uids = Value::Texts(mismatches.iter().map(|mismatch| mismatch.record_uid.to_string()).collect());
        let call = sql::REQUESTS_MISMATCHED.call().bind(self.id.as_str()).bind(uids);
        let marked = call.run(self.connection).await?;
        expect_count(marked, mismatches.len() as u64, &format!("mismatched requests of file {}", self.id))
    }

    async fn closed_after_sealing(&mut self) -> Result<u64, StoreError> {
        let words = Value::Texts(FINAL.iter().map(ToString::to_string).collect());
        let call = sql::CLOSED_AFTER_SEALING.call().bind(self.id.as_str()).bind(words);
        let row = call.row(self.connection).await?;
        row.map_or(Ok(0), |row| Columns::of("card", &row).number())
    }

    /// The agreement is DONE with the last file of its night; a file of a night that is DONE already changes nothing.
    async fn finish_night(&mut self, file: &FileRow) -> Result<(), StoreError> {
        let call = sql::NIGHT_DONE.call().bind(self.id.as_str()).bind(file.night.to_string());
        let call = call.bind(file.institution.as_str()).bind(file.manufacturer.as_str());
        call.run(self.connection).await?;
        Ok(())
    }
}

/// A mismatch as an event and a row have it.
type PackedMismatch = (RecordUid, PlasticId, PlasticStatus);

fn mismatch((record_uid, plastic_id, found): PackedMismatch) -> SettleMismatch {
    SettleMismatch { record_uid, plastic_id, found }
}

fn put_outcome(data: &mut serde_json::Value, outcome: &SettleOutcome) {
    data["moved"] = json!(outcome.moved);
    data["closed"] = json!(outcome.closed);
    data["superseded"] = json!(outcome.superseded);
    data["closedAfterSealing"] = json!(outcome.closed_after_sealing);
    let mismatches = outcome.mismatches.iter();
    data["mismatches"] = mismatches.map(|found| json!([found.record_uid, found.plastic_id, found.found])).collect();
}

fn outcome_of(data: &serde_json::Value) -> Option<SettleOutcome> {
    let mismatches: Vec<PackedMismatch> = serde_json::from_value(data["mismatches"].clone()).ok()?;
    Some(SettleOutcome {
        moved: data["moved"].as_u64()?,
        closed: data["closed"].as_u64()?,
        superseded: data["superseded"].as_u64()?,
        mismatches: mismatches.into_iter().map(mismatch).collect(),
        closed_after_sealing: data["closedAfterSealing"].as_u64()?,
    })
}
