//! The audit as the database keeps it: read, added to, and verified.

use async_trait::async_trait;
use serde_json::Value;

use super::{AuditRow, StoreError};
use crate::card::{FileId, RunId};
use crate::chain::{ChainKeys, Head, Walked};
use crate::settlement::FileState;

/// The audit.
#[async_trait]
pub trait Audits {
    /// Entries after a number, in their order.
    async fn audit(&self, after: i64, limit: u32) -> Result<Vec<AuditRow>, StoreError>;

    /// The newest entry's number and MAC; `None` where there is no entry.
    async fn audit_head(&self) -> Result<Option<Head>, StoreError>;

    /// Enters what a command did by itself and no other write brings along. No event tells of it.
    async fn enter(&self, action: &'static str, subject: &str, data: &Value) -> Result<(), StoreError>;

    /// Walks along the whole chain, and holds files and runs against what was entered of them: all of it in one state of
    /// the database, page by page. `kept` are heads that are known from elsewhere.
    async fn verify_audit(&self, keys: &ChainKeys, kept: &[Head]) -> Result<AuditVerdict, StoreError>;
}

/// What a verification found.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct AuditVerdict {
    /// The chain itself.
    pub chain: Walked,
    /// Files whose items were held against their newest entry.
    pub files: u64,
    /// Items of theirs.
    pub items: u64,
    /// Ended runs whose report was held against its entry.
    pub runs: u64,
    /// Rows that are not what was entered of them; a hundred at most.
    pub faults: Vec<RowFault>,
    /// How many more there are.
    pub more: u64,
}

impl AuditVerdict {
    /// Whether nothing was found.
    pub fn is_sound(&self) -> bool {
        self.chain.faults.is_empty() && self.faults.is_empty()
    }
}

impl RowFault {
    /// Its kind, for programs.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::FileNotEntered { .. } => "FILE_NOT_ENTERED",
            Self::Items { .. } => "ITEMS_CHANGED",
            Self::State { .. } => "STATE_DIFFERS",
            Self::File { .. } => "FILE_CHANGED",
            Self::RunNotEntered { .. } => "RUN_NOT_ENTERED",
            Self::RunReport { .. } => "REPORT_CHANGED",
            Self::FileGone { .. } => "FILE_REMOVED",
            Self::RunGone { .. } => "RUN_REMOVED",
        }
    }

    /// The entry it was held against.
    pub fn number(&self) -> Option<i64> {
        match self {
            Self::Items { number, .. }
            | Self::State { number, .. }
            | Self::File { number, .. }
            | Self::RunReport { number, .. }
            | Self::FileGone { number, .. }
            | Self::RunGone { number, .. } => Some(*number),
            Self::FileNotEntered { .. } | Self::RunNotEntered { .. } => None,
        }
    }

    /// The file or the run.
    pub fn subject(&self) -> String {
        match self {
            Self::FileNotEntered { file_id }
            | Self::Items { file_id, .. }
            | Self::State { file_id, .. }
            | Self::File { file_id, .. }
            | Self::FileGone { file_id, .. } => file_id.to_string(),
            Self::RunNotEntered { run_id } | Self::RunReport { run_id, .. } | Self::RunGone { run_id, .. } => {
                run_id.to_string()
            }
        }
    }
}

/// A row that is not what was entered of it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RowFault {
    /// No entry tells of a file.
    #[error(
        "file {file_id} is in the database, but no entry tells of it: it was inserted, or its entries were removed"
    )]
    FileNotEntered {
        /// The file.
        file_id: FileId,
    },
    /// The items of a file are others.
    #[error("the items of file {file_id} are not those of entry {number}: one was changed, added or removed")]
    Items {
        /// The file.
        file_id: FileId,
        /// Its newest entry.
        number: i64,
    },
    /// A file stands elsewhere.
    #[error("file {file_id} is {found}, but its newest entry, {number}, says {entered}")]
    State {
        /// The file.
        file_id: FileId,
        /// Its newest entry.
        number: i64,
        /// Where it stands.
        found: FileState,
        /// Where it stood then.
        entered: String,
    },
    /// A file has another number, name, digest or number of records.
    #[error("file {file_id} is not the one of entry {number}: its house, number, name, digest or records were changed")]
    File {
        /// The file.
        file_id: FileId,
        /// Its newest entry.
        number: i64,
    },
    /// No entry tells of a run's end.
    #[error("run {run_id} has ended, but no entry tells of that: it was inserted, or its entry was removed")]
    RunNotEntered {
        /// The run.
        run_id: RunId,
    },
    /// The report of a run is another one.
    #[error("the report of run {run_id} is not the one of entry {number}: it was changed")]
    RunReport {
        /// The run.
        run_id: RunId,
        /// The entry of its end.
        number: i64,
    },
    /// A file is not there any more.
    #[error("entry {number} is the newest about file {file_id}, which is not in the database: it was removed")]
    FileGone {
        /// The file.
        file_id: FileId,
        /// Its newest entry.
        number: i64,
    },
    /// A run, or its end, is not there any more.
    #[error("entry {number} tells of run {run_id}, but the database has no such run, or not its end: it was removed")]
    RunGone {
        /// The run.
        run_id: RunId,
        /// Its newest entry.
        number: i64,
    },
}
