//! Runs and their epochs, markers, and where agreements stand for a night.

use chrono::{DateTime, Utc};
use serde_json::json;

use super::audit_walk::digest_of;
use super::columns::Columns;
use super::connection::Connection;
use super::statement::{Row, Statement, statement};
use super::{SqlStore, audit, events, guarded};
use crate::ambient::rfc3339;
use crate::card::{InstitutionId, ManufacturerCode, RunId};
use crate::selection::ReasonCode;
use crate::store::{AgreementNight, NightKey, NightState, RunRow, StoreError};

statement!(NEXT_EPOCH = "UPDATE meta SET epoch = epoch + 1 WHERE one = 1 RETURNING epoch");
statement!(NEWEST_EPOCH = "SELECT epoch FROM meta WHERE one = 1");
// On a snapshot this is a serialisation failure where a run has begun since; the lock makes one that begins now wait.
statement!(
    HOLD_EPOCH = sqlite("SELECT epoch FROM meta WHERE one = 1"),
    postgres("SELECT epoch FROM meta WHERE one = 1 FOR SHARE")
);
statement!(
    BEGIN_RUN = "INSERT INTO run (run_id, epoch, kind, business_date, cut_off, started_at, holder)
    VALUES ($1, $2, $3, $4, $5, $6, $7)"
);
statement!(
    END_RUN = "UPDATE run SET ended_at = $2, exit_code = $3, report = $4 WHERE run_id = $1 AND ended_at IS NULL
    AND NOT EXISTS (SELECT 1 FROM run AS later WHERE later.epoch > run.epoch)"
);
statement!(EPOCH_OF_OPEN_RUN = "SELECT epoch FROM run WHERE run_id = $1 AND ended_at IS NULL");
statement!(
    RUNS = "SELECT run_id, kind, business_date, cut_off, started_at, ended_at, exit_code, holder, report
    FROM run ORDER BY epoch DESC LIMIT $1"
);
statement!(MARKER = "SELECT value FROM marker WHERE name = $1");
statement!(
    SET_MARKER = "INSERT INTO marker (name, value) VALUES ($1, $2)
    ON CONFLICT (name) DO UPDATE SET value = excluded.value WHERE marker.value = excluded.value"
);
statement!(
    NIGHT = "SELECT state, reason, detail, run_id FROM agreement_night
    WHERE night = $1 AND institution = $2 AND manufacturer = $3"
);
statement!(
    PUT_NIGHT = "INSERT INTO agreement_night (night, institution, manufacturer, state, reason, detail, run_id)
    VALUES ($1, $2, $3, $4, $5, $6, $7)
    ON CONFLICT (night, institution, manufacturer)
    DO UPDATE SET state = excluded.state, reason = excluded.reason, detail = excluded.detail, run_id = excluded.run_id
    WHERE agreement_night.state IN ('PENDING', 'STOPPED')"
);

/// Writes the run's row under the next epoch.
pub(super) async fn begin(store: &SqlStore, run: &RunRow) -> Result<i64, StoreError> {
    let mut transaction = store.begin().await?;
    // Before the epoch: a claim that is about to end has the turn and asks for the epoch.
    events::turn(&mut transaction).await?;
    let epoch = epoch(&mut transaction, NEXT_EPOCH).await?;
    let call = BEGIN_RUN.call().bind(run.run_id.to_string()).bind(epoch).bind(run.kind.as_str());
    let call = call.bind(run.business_date.to_string()).bind(run.cut_off.timestamp_micros());
    let call = call.bind(run.started_at.timestamp_micros()).bind(run.holder.as_str());
    call.run(&mut transaction).await?;
    let data = json!({
        "runId": run.run_id, "epoch": epoch, "kind": run.kind, "businessDate": run.business_date.to_string(),
        "cutOff": rfc3339(run.cut_off), "holder": run.holder,
    });
    let entering = vec![audit::Entering::of_program("run.begun", run.run_id, data)];
    audit::enter(store, &mut transaction, run.started_at, entering).await?;
    transaction.commit().await?;
    Ok(epoch)
}

/// The next epoch for what a person orders: files of an earlier epoch are then beyond the reach of a run that sleeps.
pub(super) async fn begin_action(store: &SqlStore) -> Result<i64, StoreError> {
    let mut transaction = store.begin().await?;
    let epoch = epoch(&mut transaction, NEXT_EPOCH).await?;
    transaction.commit().await?;
    Ok(epoch)
}

/// Writes the run's end, once; a run behind which another has begun was given up, and says nothing any more.
pub(super) async fn end(
    store: &SqlStore,
    run_id: RunId,
    at: DateTime<Utc>,
    exit_code: i32,
    report: &str,
) -> Result<(), StoreError> {
    let call = END_RUN.call().bind(run_id.to_string()).bind(at.timestamp_micros()).bind(exit_code).bind(report);
    let mut transaction = store.begin().await?;
    let changed = call.run(&mut transaction).await?;
    if changed != 1 {
        let open = EPOCH_OF_OPEN_RUN.call().bind(run_id.to_string()).row(&mut transaction).await?;
        let open = open.map(|row| Columns::of("run", &row).take()).transpose()?;
        let what = format!("run {run_id}");
        return Err(open.map_or_else(
            || StoreError::Corrupt { what: what.clone(), reason: "it is not there, or it has ended before".into() },
            |epoch| StoreError::Superseded { what: format!("the end of {what}"), epoch },
        ));
    }
    events::write(&mut transaction, at, "run.ended", None, &summary(run_id, exit_code, report)).await?;
    let data = json!({ "runId": run_id, "exitCode": exit_code, "reportSha256": digest_of(report) });
    let entering = vec![audit::Entering::of_program("run.ended", run_id, data)];
    audit::enter(store, &mut transaction, at, entering).await?;
    transaction.commit().await
}

/// R143: the run's summary for readers of events is its report, which holds counts, names and digests only.
fn summary(run_id: RunId, exit_code: i32, report: &str) -> serde_json::Value {
    let report: serde_json::Value = serde_json::from_str(report).unwrap_or_default();
    json!({ "runId": run_id, "exitCode": exit_code, "report": report })
}

/// The runs, newest first.
pub(super) async fn newest(store: &SqlStore, limit: u32) -> Result<Vec<RunRow>, StoreError> {
    let take = |row: &Row| {
        let mut columns = Columns::of("run", row);
        Ok(RunRow {
            run_id: columns.parse()?,
            kind: columns.parse()?,
            business_date: columns.parse()?,
            cut_off: columns.instant()?,
            started_at: columns.instant()?,
            ended_at: columns.instant_optional()?,
            exit_code: columns.number_optional()?,
            holder: columns.take()?,
            report: columns.take()?,
        })
    };
    RUNS.call().bind(limit).each(&mut store.reader().await?, take).await
}

/// A later run's beginning ends our right to write.
pub(super) async fn still_ours(
    connection: &mut Connection,
    epoch_of_ours: i64,
    what: impl FnOnce() -> String,
) -> Result<(), StoreError> {
    refuse_later(epoch(connection, NEWEST_EPOCH).await?, epoch_of_ours, what)
}

/// The same at the end of a transaction: no later run begins before it is committed.
pub(super) async fn ours_until_commit(
    connection: &mut Connection,
    epoch_of_ours: i64,
    what: impl FnOnce() -> String,
) -> Result<(), StoreError> {
    refuse_later(epoch(connection, HOLD_EPOCH).await?, epoch_of_ours, what)
}

fn refuse_later(newest: i64, epoch_of_ours: i64, what: impl FnOnce() -> String) -> Result<(), StoreError> {
    if newest > epoch_of_ours { Err(StoreError::Superseded { what: what(), epoch: epoch_of_ours }) } else { Ok(()) }
}

async fn epoch(connection: &mut Connection, statement: Statement) -> Result<i64, StoreError> {
    let row = statement.call().row(connection).await?;
    let row = row.ok_or_else(|| StoreError::Corrupt { what: "meta".into(), reason: "its row is gone".into() })?;
    Columns::of("meta", &row).take()
}

/// A marker's value.
pub(super) async fn marker(store: &SqlStore, name: &str) -> Result<Option<String>, StoreError> {
    let row = MARKER.call().bind(name).row(&mut store.reader().await?).await?;
    row.map(|row| Columns::of("marker", &row).take()).transpose()
}

/// Writes a marker, or finds the same value there.
pub(super) async fn set_marker(store: &SqlStore, name: &str, value: &str) -> Result<(), StoreError> {
    let mut transaction = store.begin().await?;
    let changed = SET_MARKER.call().bind(name).bind(value).run(&mut transaction).await?;
    guarded(changed, || format!("marker {name}"), "another value stands there")?;
    transaction.commit().await
}

/// Where an agreement stands.
pub(super) async fn night(
    connection: &mut Connection,
    night: &NightKey,
    institution: &InstitutionId,
    manufacturer: &ManufacturerCode,
) -> Result<Option<AgreementNight>, StoreError> {
    let call = NIGHT.call().bind(night.to_string()).bind(institution.as_str()).bind(manufacturer.as_str());
    let Some(row) = call.row(connection).await? else { return Ok(None) };
    let mut columns = Columns::of("agreement_night", &row);
    let state = columns.parse()?;
    let code: Option<ReasonCode> = columns.parse_optional()?;
    let detail: Option<String> = columns.take()?;
    Ok(Some(AgreementNight {
        night: night.clone(),
        institution: institution.clone(),
        manufacturer: manufacturer.clone(),
        state,
        reason: code.map(|code| (code, detail.unwrap_or_default())),
        run_id: columns.parse()?,
    }))
}

/// Writes where an agreement stands; what is CLAIMED or DONE is not written over.
pub(super) async fn put_night(connection: &mut Connection, row: &AgreementNight) -> Result<(), StoreError> {
    let call = PUT_NIGHT.call().bind(row.night.to_string()).bind(row.institution.as_str());
    let call = call.bind(row.manufacturer.as_str()).bind(row.state.as_str());
    let call = call.bind(row.reason.as_ref().map(|(code, _)| code.as_str()));
    let call = call.bind(row.reason.as_ref().map(|(_, detail)| detail.as_str())).bind(row.run_id.to_string());
    let what = || format!("agreement {} with {} for {}", row.institution, row.manufacturer, row.night);
    guarded(call.run(connection).await?, what, "it has been claimed already")
}

/// Marks an agreement STOPPED.
pub(super) async fn stop(store: &SqlStore, row: &AgreementNight, epoch: i64) -> Result<(), StoreError> {
    let mut transaction = store.begin().await?;
    still_ours(&mut transaction, epoch, || format!("agreement {} with {}", row.institution, row.manufacturer)).await?;
    let stopped = AgreementNight { state: NightState::Stopped, ..row.clone() };
    put_night(&mut transaction, &stopped).await?;
    let (code, detail) = row.reason.as_ref().map_or(("", ""), |(code, detail)| (code.as_str(), detail.as_str()));
    let data = json!({
        "night": row.night.to_string(), "manufacturer": row.manufacturer, "runId": row.run_id,
        "reason": code, "detail": detail,
    });
    let now = store.time(&mut transaction).await?;
    events::write(&mut transaction, now, "agreement.stopped", Some(&row.institution), &data).await?;
    transaction.commit().await
}
