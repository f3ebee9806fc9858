//! The sealed bytes an earlier try left: read again, or lost.
//!
//! Invariant: bytes that are gone are made again only where the house cannot have them, so before any rename (R125).
//! Bytes that changed are left to a person: somebody wrote into our spool.

use super::error::Trouble;
use super::{Night, NightError, Run};
use crate::settlement::{FileEvent, FileState};
use crate::spool::{SealedFacts, SealedFile, SpoolError};
use crate::store::{FileChange, FileRow, StoreError};

/// What the row of a sealed file gets.
pub(super) fn seal_of(facts: &SealedFacts) -> FileChange {
    FileChange::Seal {
        file_name: facts.file_name.clone(),
        sha256: facts.sha256.clone(),
        size_bytes: facts.size_bytes,
        records: facts.records,
        cards: facts.cards,
        pin_only: facts.pin_only,
        by_production_event: serde_json::json!(facts.by_production_event).to_string(),
        key_fingerprints: serde_json::json!(facts.key_fingerprints).to_string(),
    }
}

impl Night {
    /// The bytes of a file that was sealed before; `None` where they were lost and the file stands in CLAIMED again.
    pub(super) async fn sealed_before(&self, run: &Run, file: &mut FileRow) -> Result<Option<SealedFile>, Trouble> {
        match self.load(file) {
            Ok(sealed) => Ok(Some(sealed)),
            Err(lost @ SpoolError::Missing { .. }) => self.lose_spool(run, file, lost).await.map(|()| None),
            Err(error) => Err(error.into()),
        }
    }

    /// The bytes the row names.
    pub(super) fn load(&self, file: &FileRow) -> Result<SealedFile, SpoolError> {
        self.spool.load(
            file.file_id,
            file.sealed_epoch.unwrap_or(file.epoch),
            file.sha256.as_deref().unwrap_or_default(),
            file.size_bytes.unwrap_or_default(),
        )
    }

    /// Fault 3: bytes whose SEALED line is durable and whose row was not committed are verified and taken. The line's
    /// facts are what the row would have said; they are of this file as long as the run that claimed it and the
    /// number of its items are the same, since items leave a claimed file and never enter it. Else it is composed again.
    pub(super) async fn take_sealed(
        &self,
        run: &Run,
        file: &mut FileRow,
        facts: &SealedFacts,
    ) -> Result<(), NightError> {
        let records = self.store.item_counts(file.file_id).await?.records;
        if file.state != FileState::Claimed || file.run_id != facts.run_id || records != facts.records {
            return Ok(());
        }
        match self.spool.take_over(file.file_id, run.epoch, &facts.sha256, facts.size_bytes) {
            Ok(_) => {
                tracing::info!(file_id = %file.file_id, "sealed by a run that died before it wrote so: taken over");
                Ok(self.advance(run, file, FileEvent::Seal, seal_of(facts)).await?)
            }
            Err(lost) => {
                tracing::warn!(file_id = %file.file_id, "{lost}; it is composed again");
                Ok(())
            }
        }
    }

    /// SPOOL_LOST: back to CLAIMED before any rename. After one, nobody can tell what the house has.
    async fn lose_spool(&self, run: &Run, file: &mut FileRow, lost: SpoolError) -> Result<(), Trouble> {
        // What was delivered before needs no second time: the resend is given up, a duplicate can be made.
        if file.is_resend() && matches!(file.state, FileState::Sending | FileState::Ready) {
            let change = FileChange::Because(lost.to_string());
            self.advance(run, file, FileEvent::Withdraw, change).await?;
            return Err(lost.into());
        }
        if file.rename_attempted {
            return Err(self.doubt(run, file, lost.to_string()).await?);
        }
        match self.advance(run, file, FileEvent::LoseSpool, FileChange::Nothing).await {
            Ok(()) => {
                tracing::warn!(file_id = %file.file_id, "{lost}; it is sealed again under its id and number");
                Ok(())
            }
            // An earlier upload got as far as a rename: a person's matter, and this agreement's only.
            Err(StoreError::Illegal { .. }) => Err(lost.into()),
            Err(error) => Err(error.into()),
        }
    }
}
