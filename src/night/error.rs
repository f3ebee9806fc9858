//! Why a run as a whole could not start or finish, and what stops one agreement.

use crate::delivery::DeliveryError;
use crate::document::DocumentError;
use crate::report::chain;
use crate::selection::ReasonCode;
use crate::spool::SpoolError;
use crate::store::StoreError;

/// A run that could not start or finish.
#[derive(Debug, thiserror::Error)]
pub enum NightError {
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// This host and the database disagree about the time.
    #[error(
        "this host's clock and the database's differ by {seconds} s, more than the {most_seconds} s allowed (run.clock_skew_max_s). Set the clocks and run again"
    )]
    ClockSkew {
        /// The difference.
        seconds: i64,
        /// The limit.
        most_seconds: i64,
    },
    /// The spool's journal cannot be read.
    #[error(transparent)]
    Spool(#[from] SpoolError),
    /// Fault 31: the database was restored, or has lost commits.
    #[error(
        "the database is older than the spool: the journal says {line:?}, the database {found}. Nothing was done, for \
         plastics might be produced twice: put the newest database back, or the spool that belongs to this one"
    )]
    OlderDatabase {
        /// The journal's line.
        line: String,
        /// What the database has instead.
        found: String,
    },
    /// SIGTERM.
    #[error("stopped by a signal; nothing is lost, run again")]
    Interrupted,
}

impl NightError {
    /// Exit codes: 4 another run holds the lock, 1 a person must look, 2 the configuration, else 3.
    pub fn exit_code(&self) -> i32 {
        match self {
            Self::Store(StoreError::Locked { .. }) => 4,
            Self::Store(StoreError::Settings { .. }) => 2,
            Self::OlderDatabase { .. } | Self::Spool(SpoolError::Journal { .. }) => 1,
            Self::Store(_) | Self::Spool(_) | Self::ClockSkew { .. } | Self::Interrupted => 3,
        }
    }
}

/// What stops one agreement or one file; the others go on.
#[derive(Debug, thiserror::Error)]
pub(super) enum Trouble {
    /// Stops the whole run.
    #[error(transparent)]
    Whole(#[from] NightError),
    /// Keys, recipients or settings of this agreement.
    #[error("{code}: {detail}")]
    Stopped {
        /// The reason.
        code: ReasonCode,
        /// What is wrong and what to do.
        detail: String,
    },
    /// The spool.
    #[error(transparent)]
    Spool(#[from] SpoolError),
    /// The document.
    #[error(transparent)]
    Document(#[from] DocumentError),
    /// OpenPGP.
    #[error(transparent)]
    Seal(#[from] crate::seal::SealError),
    /// The destination.
    #[error(transparent)]
    Delivery(#[from] DeliveryError),
    /// A row that cannot be read or does not fit: of this agreement, not of the others.
    #[error(transparent)]
    Corrupt(StoreError),
    /// A person must look.
    #[error("it is uncertain whether the house has the file: {0}")]
    Uncertain(String),
}

impl From<StoreError> for Trouble {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Corrupt { .. } => Self::Corrupt(error),
            whole => Self::Whole(NightError::Store(whole)),
        }
    }
}

impl Trouble {
    /// Stops the run where the database does, else gives the sentence for the report.
    pub(super) fn local(self) -> Result<String, NightError> {
        match self {
            Self::Whole(error) => Err(error),
            local => Ok(chain(&local)),
        }
    }
}
