//! The sealed bytes an earlier try left: read again, or lost.
//!
//! Invariant: bytes that are gone are made again only where the house cannot have them, so before any rename (R125).
//! Bytes that changed are left to a person: somebody wrote into our spool.

use super::error::Trouble;
use super::{Night, Run};
use crate::settlement::{FileEvent, FileState};
use crate::spool::{SealedFile, SpoolError};
use crate::store::{FileChange, FileRow, StoreError};

impl Night {
    /// The bytes of a file that was sealed before; `None` where they were lost and the file stands in CLAIMED again.
    pub(super) async fn sealed_before(&self, run: &Run<'_>, file: &mut FileRow) -> Result<Option<SealedFile>, Trouble> {
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

    /// SPOOL_LOST: back to CLAIMED before any rename. After one, nobody can tell what the house has.
    async fn lose_spool(&self, run: &Run<'_>, file: &mut FileRow, lost: SpoolError) -> Result<(), Trouble> {
        // What was delivered before needs no second time: the resend is given up, a duplicate can be made.
        if file.is_resend() && matches!(file.state, FileState::Sending | FileState::Ready) {
            let change = FileChange::Because(lost.to_string());
            *file = self.store.advance(file, FileEvent::Withdraw, run.epoch, change).await?;
            return Err(lost.into());
        }
        if file.rename_attempted {
            return Err(self.doubt(run, file, lost.to_string()).await?);
        }
        match self.store.advance(file, FileEvent::LoseSpool, run.epoch, FileChange::Nothing).await {
            Ok(claimed) => {
                tracing::warn!(file_id = %file.file_id, "{lost}; it is sealed again under its id and number");
                *file = claimed;
                Ok(())
            }
            // An earlier upload got as far as a rename: a person's matter, and this agreement's only.
            Err(StoreError::Illegal { .. }) => Err(lost.into()),
            Err(error) => Err(error.into()),
        }
    }
}
