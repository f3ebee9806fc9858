//! What a run tells of files and to people: which alerts there are, and which of them are not new.

use std::collections::BTreeMap;

use chrono::NaiveDate;

use super::{Night, NightError, RunOrder, belongs};
use crate::report::{Alert, FileReport, Outcome};
use crate::selection::ReasonCode;
use crate::settlement::RunKind;
use crate::store::{FileRow, RunRow, SettleMismatch, SettleOutcome};

/// How many runs back alerts are looked up at most.
pub(super) const RUNS_BACK: u32 = 50;

impl Night {
    /// Unfinished files of agreements that are no longer configured need a person.
    pub(super) fn orphans(&self, unfinished: &[FileRow]) -> Vec<Alert> {
        let orphans = unfinished.iter().filter(|file| !self.terms.iter().any(|terms| belongs(file, terms)));
        let told = orphans.map(|file| {
            Alert::new(
                "AGREEMENT_GONE",
                format!(
                    "File {} of {} with {} is in state {} but that agreement is no longer configured. Configure it again to let the file go.",
                    file.file_id, file.institution, file.manufacturer, file.state
                ),
            )
        });
        told.collect()
    }

    /// R134: dates since the newest night that should have had one of their own. A first night has missed nothing, and
    /// what an earlier date missed was told by the newer night that has run.
    pub(super) fn missed_nights(&self, order: &RunOrder, earlier: &[EarlierRun]) -> Option<Alert> {
        let nights = earlier.iter().filter(|run| run.is_whole_night());
        let last = nights.map(|run| run.row.business_date).max()?;
        let between = last.iter_days().skip(1).take_while(|date| *date < order.business_date);
        let cut_off = |date: &NaiveDate| order.cut_off - (order.business_date - *date);
        let missed: Vec<NaiveDate> = between.filter(|date| self.nights.begin(cut_off(date)).is_some()).collect();
        let text = match missed.as_slice() {
            _ if order.kind == RunKind::OnDemand || order.is_filtered() => return None,
            [] => return None,
            [date] => format!("The night of {date} was not run; its cards go with that of {}.", order.business_date),
            [first, .., newest] => format!(
                "{} nights from {first} to {newest} were not run; their cards go with that of {}.",
                missed.len(),
                order.business_date
            ),
        };
        Some(Alert::new("MISSED_RUN", text))
    }

    /// The newest runs before this one.
    pub(super) async fn earlier_runs(&self) -> Result<Vec<EarlierRun>, NightError> {
        let runs = self.store.runs(RUNS_BACK).await?;
        Ok(runs.into_iter().map(EarlierRun::of).collect())
    }
}

/// A run before this one, with its report taken apart.
#[derive(Debug)]
pub(super) struct EarlierRun {
    pub(super) row: RunRow,
    report: serde_json::Value,
}

impl EarlierRun {
    fn of(row: RunRow) -> Self {
        let report = row.report.as_deref().and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default();
        Self { row, report }
    }

    /// Whether it was the night of its date, not one of some institutions or houses only.
    fn is_whole_night(&self) -> bool {
        self.row.kind == RunKind::Night && self.report["filtered"] != true
    }

    fn has_judged(&self) -> bool {
        let mut agreements = self.report["agreements"].as_array().into_iter().flatten();
        agreements.any(|agreement| agreement["outcome"] != Outcome::AlreadyDelivered.as_str())
    }
}

/// Whether a run was the night of its date, not an on-demand run nor one of some institutions or houses only.
pub fn is_whole_night(run: &RunRow) -> bool {
    EarlierRun::of(run.clone()).is_whole_night()
}

/// Texts of the alerts that earlier runs told: they are not new when they come again. Back to the newest night that
/// judged its cards, because a run that died, one on demand and one of a date that was done see only a part.
pub(super) fn known_alerts(runs: &[EarlierRun]) -> Vec<String> {
    let mut known = Vec::new();
    for run in runs {
        let alerts = run.report["alerts"].as_array().into_iter().flatten();
        known.extend(alerts.filter_map(|alert| alert["text"].as_str().map(str::to_owned)));
        if run.row.kind == RunKind::Night && run.has_judged() {
            break;
        }
    }
    known
}

/// What a settlement found.
pub(super) fn of_settlement(file: &FileRow, outcome: &SettleOutcome) -> Vec<Alert> {
    let mismatch = |found: &SettleMismatch| {
        Alert::new(
            ReasonCode::SettleMismatch.as_str(),
            format!(
                "Plastic {} of request {} was {} instead of INACTIVE when file {} was settled; it was delivered and not moved.",
                found.plastic_id, found.record_uid, found.found, file.file_id
            ),
        )
    };
    let mut alerts: Vec<Alert> = outcome.mismatches.iter().map(mismatch).collect();
    if outcome.closed_after_sealing > 0 {
        alerts.push(Alert::new(
            ReasonCode::ClosedAfterSealing.as_str(),
            format!(
                "{} cards of file {} were closed after it was sealed; tell the house to destroy them.",
                outcome.closed_after_sealing, file.file_id
            ),
        ));
    }
    alerts
}

/// A file as reports show it.
pub fn file_report(file: &FileRow, records: u64, durations_ms: BTreeMap<&'static str, i64>) -> FileReport {
    FileReport {
        file_id: file.file_id,
        file_name: file.file_name.clone(),
        sequence_number: file.sequence_number,
        state: file.state,
        records,
        cards: file.cards.unwrap_or_default(),
        pin_only: file.pin_only.unwrap_or_default(),
        by_production_event: event_counts(file),
        sha256: file.sha256.clone(),
        size_bytes: file.size_bytes,
        durations_ms,
        file_type: file.file_type,
        resend_of: file.resend_of,
        delivery_number: file.delivery_number,
        abandoned: file.abandoned,
        trouble: file.trouble.clone(),
    }
}

/// Counts of a sealed file's events, as the row keeps them.
fn event_counts(file: &FileRow) -> BTreeMap<String, u64> {
    file.by_production_event.as_deref().and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default()
}
