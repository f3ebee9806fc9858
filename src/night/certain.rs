//! Steps of the database whose answer may be lost: the state is read again before anything is done again (fault 8).
//!
//! Invariant: an error that leaves open whether its transaction was committed is answered by looking, never by
//! believing; every step is guarded by state and epoch, so that one that is done twice is done once.

use super::fallout::Fallen;
use super::judge::ClaimJudge;
use super::{Night, Run};
use crate::report::Report;
use crate::settlement::FileEvent;
use crate::store::{
    AgreementNight, ClaimOrder, Claimed, FileChange, FileRow, NewPin, NightState, SettleOutcome, StoreError,
};

impl Night {
    /// One transition of a file.
    pub(super) async fn advance(
        &self,
        run: &Run,
        file: &mut FileRow,
        event: FileEvent,
        change: FileChange,
    ) -> Result<(), StoreError> {
        let unknown = match self.store.advance(file, event, run.epoch, change.clone()).await {
            Ok(moved) => {
                *file = moved;
                return Ok(());
            }
            Err(error) if error.outcome_unknown() => error,
            Err(error) => return Err(error),
        };
        tracing::warn!(file_id = %file.file_id, "{unknown}; reading whether {event} happened");
        match self.store.file(file.file_id).await? {
            Some(found) if found.epoch == run.epoch && happened(&found, file, event, &change) => *file = found,
            Some(found) if found == *file => *file = self.store.advance(file, event, run.epoch, change).await?,
            _ => return Err(unknown),
        }
        Ok(())
    }

    /// Takes a file that an earlier try left into our epoch.
    pub(super) async fn adopt(&self, run: &Run, file: &FileRow) -> Result<FileRow, StoreError> {
        match self.store.adopt(file, run.epoch).await {
            Err(error) if error.outcome_unknown() => {
                let found = self.store.file(file.file_id).await?;
                match found.filter(|found| found.epoch == run.epoch) {
                    Some(ours) => Ok(ours),
                    None => self.store.adopt(file, run.epoch).await,
                }
            }
            adopted => adopted,
        }
    }

    /// The file as it stands, unless another run has taken it over: then nothing is told of it and nothing written
    /// beside it either, because that run tells of it (faults 22, 23).
    pub(super) async fn still_ours(&self, run: &Run, file: &FileRow) -> Result<FileRow, StoreError> {
        let found = self.store.file(file.file_id).await?.unwrap_or_else(|| file.clone());
        if found.epoch == run.epoch {
            return Ok(found);
        }
        Err(StoreError::Superseded { what: format!("file {}", file.file_id), epoch: run.epoch })
    }

    /// PUBLISHED -> SETTLED. The store gives the outcome again where it had settled.
    pub(super) async fn settle(&self, run: &Run, file: &FileRow) -> Result<SettleOutcome, StoreError> {
        match self.store.settle(file, run.epoch).await {
            Err(error) if error.outcome_unknown() => self.store.settle(file, run.epoch).await,
            settled => settled,
        }
    }

    /// Persists PINs; how many. The first one of a request wins, so that doing it again changes nothing (R40).
    pub(super) async fn save_pins(&self, run: &Run, file: &FileRow, pins: &[NewPin]) -> Result<u64, StoreError> {
        match self.store.save_pins(file.file_id, run.epoch, pins).await {
            Err(error) if error.outcome_unknown() => self.store.save_pins(file.file_id, run.epoch, pins).await,
            saved => saved,
        }
    }

    /// Takes cards out of a file, all or none: the number of those left tells which where the answer is lost.
    pub(super) async fn release(&self, run: &Run, file: &FileRow, fallen: &[Fallen]) -> Result<(), StoreError> {
        let before = self.store.item_counts(file.file_id).await?.records;
        let fallen: Vec<_> = fallen.iter().map(|fallen| (fallen.record_uid, fallen.code)).collect();
        match self.store.release(file.file_id, run.epoch, &fallen).await {
            Err(error) if error.outcome_unknown() => {
                let left = self.store.item_counts(file.file_id).await?.records;
                if left < before { Ok(()) } else { self.store.release(file.file_id, run.epoch, &fallen).await }
            }
            released => released,
        }
    }

    /// Marks an agreement STOPPED.
    pub(super) async fn stop_for(&self, run: &Run, night: &AgreementNight) -> Result<(), StoreError> {
        match self.store.stop(night, run.epoch).await {
            Err(error) if error.outcome_unknown() => self.store.stop(night, run.epoch).await,
            stopped => stopped,
        }
    }

    /// The end of the run, with its report.
    pub(super) async fn end(&self, report: &Report) -> Result<(), StoreError> {
        let text = report.to_stored_json().to_string();
        let again = || self.store.end_run(report.run_id, report.ended_at, report.exit_code(), &text);
        match again().await {
            Err(error) if error.outcome_unknown() => {
                let newest = self.store.runs(1).await?;
                let ended = newest.iter().any(|run| run.run_id == report.run_id && run.ended_at.is_some());
                if ended { Ok(()) } else { again().await }
            }
            ended => ended,
        }
    }

    /// The claim. What one made whose answer was lost is found under our run's id. A server may still be at that COMMIT
    /// when it is looked at, and then there is nothing left to claim although nothing was found: which cards were judged
    /// how is not known any more, so the run ends, and the next one goes on with what was claimed.
    pub(super) async fn claim_once(
        &self,
        order: &ClaimOrder,
        judge: &mut ClaimJudge<'_>,
    ) -> Result<Claimed, StoreError> {
        let unknown = match self.store.claim(order, judge).await {
            Err(error) if error.outcome_unknown() => error,
            claimed => return claimed,
        };
        tracing::warn!("{unknown}; reading whether the claim happened");
        let (institution, manufacturer) = (&order.due.institution, &order.manufacturer);
        let state = self.state_of_claim(order).await?;
        if !matches!(state, Some(NightState::Claimed | NightState::Done)) {
            crate::store::Decide::restart(judge);
            let claimed = self.store.claim(order, judge).await?;
            let is_late = claimed.files.is_empty() && self.state_of_claim(order).await? == Some(NightState::Claimed);
            return if is_late { Err(unknown) } else { Ok(claimed) };
        }
        let mut files = self.store.files(&order.night).await?;
        files.retain(|file| file.institution == *institution && file.manufacturer == *manufacturer);
        let data_as_of = files.first().map_or(order.due.cut_off, |file| file.data_as_of);
        Ok(Claimed { data_as_of, files, stopped: None })
    }

    /// Where the agreement stands, if our run says so.
    async fn state_of_claim(&self, order: &ClaimOrder) -> Result<Option<NightState>, StoreError> {
        let known = self.store.night(&order.night, &order.due.institution, &order.manufacturer).await?;
        Ok(known.filter(|night| night.run_id == order.run_id).map(|night| night.state))
    }
}

/// Whether a row shows what the event was to write. State alone does not tell where one leads back to itself: a new
/// attempt from SENDING, a further rename from RENAMING.
fn happened(found: &FileRow, before: &FileRow, event: FileEvent, change: &FileChange) -> bool {
    let numbered = match change {
        FileChange::Send { attempt, .. } => found.attempt == *attempt,
        FileChange::Rename { rename_attempt } => found.rename_attempt == *rename_attempt,
        _ => found.state != before.state,
    };
    numbered && before.after(event).is_ok_and(|state| state == found.state)
}
