//! How long sealed bytes stay in the spool: some days after their file was settled, and in every other state.
//!
//! Old ciphertext is no use to a night; a spool that only grows fills the disk that the next file is sealed on.

use super::{Night, NightError};
use crate::settlement::FileState;

impl Night {
    /// Removes what was settled long enough ago. A spool that refuses is told in the log and does not spoil the night.
    pub(super) async fn expire_spool(&self) -> Result<(), NightError> {
        let kept = match self.spool.file_ids() {
            Ok(kept) => kept,
            Err(error) => {
                tracing::warn!("the spool was not tidied: {error}");
                return Ok(());
            }
        };
        let mut settled = Vec::new();
        for file_id in kept {
            let file = self.store.file(file_id).await?.filter(|file| file.state == FileState::Settled);
            settled.extend(file.and_then(|file| file.settled_at).map(|at| (file_id, at)));
        }
        let now = self.store.now().await?;
        match self.spool.expire(now, self.settings.spool_retention_days, &settled) {
            Ok(gone) if gone.is_empty() => {}
            Ok(gone) => tracing::info!(files = gone.len(), "removed sealed bytes that were settled long ago"),
            Err(error) => tracing::warn!("the spool was not tidied: {error}"),
        }
        Ok(())
    }
}
