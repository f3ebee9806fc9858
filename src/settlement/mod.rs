//! The states of a file and of its deliveries, and the authority under which a person moves them.
//!
//! [`FileState::next`] lists every legal pair; anything else is an error that names both.

mod authority;

use crate::card::product::words;

pub use authority::{Authority, AuthorityError};

words!(
    /// What started a run.
    RunKind {
        /// The night of a date.
        Night = "NIGHT",
        /// `run --now`.
        OnDemand = "ON_DEMAND",
    }
);

words!(
    /// Where a file stands. SENDING to PUBLISHED are the states of its running delivery, shown through the file.
    FileState {
        /// Items frozen, no bytes.
        Claimed = "CLAIMED",
        /// Ciphertext in the spool.
        Sealed = "SEALED",
        /// Being uploaded.
        Sending = "SENDING",
        /// A complete temporary file stands at the house.
        Ready = "READY",
        /// The rename was attempted.
        Renaming = "RENAMING",
        /// The house has it; plastics not moved yet.
        Published = "PUBLISHED",
        /// Done.
        Settled = "SETTLED",
        /// A person must look.
        Uncertain = "UNCERTAIN",
    }
);

words!(
    /// What happens to a file.
    FileEvent {
        /// The spool file is durable.
        Seal = "seal",
        /// The spool lost the bytes before any rename.
        LoseSpool = "lose spool",
        /// A (new) attempt begins.
        Send = "send",
        /// Upload complete and checked.
        Complete = "complete",
        /// The rename is about to be attempted.
        Rename = "rename",
        /// The rename failed for sure, the temporary file is still there.
        Refuse = "refuse",
        /// The rename was acknowledged or proved.
        Publish = "publish",
        /// Nobody can tell.
        Doubt = "doubt",
        /// Plastics moved.
        Settle = "settle",
        /// A person says it arrived.
        ResolveDelivered = "resolve --delivered",
        /// A person says it did not.
        ResolveNotDelivered = "resolve --not-delivered",
        /// A person takes the cards out; the file goes on empty.
        Abandon = "abandon",
        /// A person has a settled file's same bytes delivered once more.
        Resend = "resend",
        /// A resend is given up; the file stays settled.
        Withdraw = "withdraw",
    }
);

/// An event that is not possible in the file's state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a file in state {state} cannot {event}")]
pub struct IllegalTransition {
    /// Where the file stands.
    pub state: FileState,
    /// What was to happen.
    pub event: FileEvent,
}

impl FileState {
    /// The state after `event`.
    ///
    /// A settled file stays settled while it is sent again: from [`FileEvent::Resend`] on, the state is that of its
    /// newest delivery, until that is published, which settles nothing more, or withdrawn.
    ///
    /// ```
    /// use emboss::settlement::{FileEvent, FileState};
    ///
    /// assert_eq!(FileState::Claimed.next(FileEvent::Seal), Ok(FileState::Sealed));
    /// assert_eq!(FileState::Settled.next(FileEvent::Resend), Ok(FileState::Sending));
    /// assert!(FileState::Settled.next(FileEvent::Rename).is_err());
    /// ```
    ///
    /// # Errors
    /// [`IllegalTransition`] for every pair that is not listed.
    pub fn next(self, event: FileEvent) -> Result<Self, IllegalTransition> {
        use FileEvent as E;
        use FileState as S;
        Ok(match (self, event) {
            (S::Claimed, E::Seal) => S::Sealed,
            (S::Sealed | S::Sending | S::Ready, E::LoseSpool) => S::Claimed,
            (S::Claimed | S::Sealed | S::Sending | S::Ready, E::Abandon) => S::Claimed,
            (S::Sealed | S::Sending | S::Ready | S::Renaming, E::Send) => S::Sending,
            (S::Sending, E::Complete) => S::Ready,
            (S::Ready | S::Renaming, E::Rename) => S::Renaming,
            (S::Renaming, E::Refuse) => S::Ready,
            (S::Renaming, E::Publish) => S::Published,
            (S::Sealed | S::Sending | S::Ready | S::Renaming, E::Doubt) => S::Uncertain,
            (S::Published, E::Settle) => S::Settled,
            (S::Uncertain, E::ResolveDelivered) => S::Published,
            (S::Uncertain, E::ResolveNotDelivered) => S::Sending,
            (S::Settled, E::Resend) => S::Sending,
            (S::Sending | S::Ready, E::Withdraw) => S::Settled,
            _ => return Err(IllegalTransition { state: self, event }),
        })
    }

    /// Whether a run still has something to do for the file by itself.
    pub fn is_unfinished(self) -> bool {
        !matches!(self, Self::Settled | Self::Uncertain)
    }
}

#[cfg(test)]
mod tests;
