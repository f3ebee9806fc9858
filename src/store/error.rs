//! Why the database did not do what was asked.

use crate::card::FileId;
use crate::settlement::{FileEvent, IllegalTransition};

/// Why the database did not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// It cannot be reached or opened; nothing was lost (exit 3).
    #[error("the database {database} cannot be used: {reason}")]
    Unavailable {
        /// The database, without its password.
        database: String,
        /// What it said.
        reason: String,
    },
    /// A file that `[database]` names cannot be used (exit 2).
    #[error("[database] {key}: {reason}")]
    Settings {
        /// Which key names it.
        key: &'static str,
        /// What is wrong with it, and what to do.
        reason: String,
    },
    /// Something was to be written that the audit has to tell of, without the audit's key.
    #[error(
        "nothing can be entered in the audit: the database was opened without the key that [vault] audit_key names"
    )]
    NoAuditKey,
    /// Another run holds the lock (exit 4).
    #[error("another run is at work: {holder}")]
    Locked {
        /// Host, process id and start of the holder.
        holder: String,
    },
    /// A statement failed.
    #[error("the database refused {statement}")]
    Statement {
        /// The statement's name, as its SQL comment says.
        statement: &'static str,
        /// What the driver said.
        source: sqlx::Error,
    },
    /// The answer to a COMMIT was lost: what it was to make durable may be, or not (fault 8).
    #[error("it is not known whether the database kept what was written, its answer was lost: {reason}")]
    Unanswered {
        /// What happened to the connection.
        reason: String,
    },
    /// A guarded update did not hit exactly one row: another run has taken over.
    #[error("file {file_id} is no longer ours: {event} in epoch {epoch} found it in another state or epoch")]
    Stale {
        /// The file.
        file_id: FileId,
        /// What was to happen.
        event: FileEvent,
        /// Our epoch.
        epoch: i64,
    },
    /// A later run has begun, or has taken this over: nothing more may be written under our epoch.
    #[error("{what} belongs to a later run: epoch {epoch} is over; look at the newest run with emboss status")]
    Superseded {
        /// What was to be written.
        what: String,
        /// Our epoch.
        epoch: i64,
    },
    /// The transition is not in the table.
    #[error("file {file_id}: {source}")]
    Illegal {
        /// The file.
        file_id: FileId,
        /// State and event.
        source: IllegalTransition,
    },
    /// A row holds what this program never writes.
    #[error("the database row of {what} cannot be read: {reason}")]
    Corrupt {
        /// Table and key.
        what: String,
        /// Why.
        reason: String,
    },
    /// Somebody else wrote first what this was decided on.
    #[error("{what} was changed by somebody else at the same time: {reason}; import again")]
    Overtaken {
        /// Table and key.
        what: String,
        /// What stands there now.
        reason: String,
    },
    /// The database was made by another version of the program.
    #[error(
        "the database {database} has schema version {found}, this program needs {needed}: use the program that made it, or correct database.url"
    )]
    Schema {
        /// The database, without its password.
        database: String,
        /// What it has.
        found: String,
        /// What is needed.
        needed: i64,
    },
}

impl StoreError {
    /// Whether the database said that its role may not read what was asked for (SQLSTATE 42501).
    pub fn is_forbidden(&self) -> bool {
        let Self::Statement { source, .. } = self else { return false };
        source.as_database_error().and_then(sqlx::error::DatabaseError::code).is_some_and(|code| code == "42501")
    }

    /// Whether somebody else wrote at the same time: done anew, on what stands there now, it may succeed. SQLSTATE 40001,
    /// a serialisation failure; 40P01, a deadlock, which PostgreSQL ends by choosing one of two; 23505, a number that
    /// somebody took behind the back of the state that was read, 1555 and 2067 the same on SQLite.
    pub fn is_conflict(&self) -> bool {
        let source = match self {
            Self::Overtaken { .. } => return true,
            Self::Statement { source, .. } => source,
            _ => return false,
        };
        let code = source.as_database_error().and_then(sqlx::error::DatabaseError::code);
        code.is_some_and(|code| matches!(&*code, "40001" | "40P01" | "23505" | "1555" | "2067"))
    }

    /// Whether it is open if what was asked happened. Who gets such an error reads the state again (fault 8).
    pub fn outcome_unknown(&self) -> bool {
        matches!(self, Self::Unanswered { .. })
    }
}
