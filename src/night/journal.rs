//! What the spool's journal knows and the database does not: a line that a crash left ahead, or a database that is
//! older than the spool (fault 31).
//!
//! Each line is written before its transition, so after a crash the journal is at most one line ahead. More means that
//! the database was restored from a backup or lost commits: its plastics may have been produced already, and a run
//! would produce them again. That run is not begun.

use std::cmp::Ordering;
use std::collections::BTreeMap;

use super::{Night, NightError, Run};
use crate::card::FileId;
use crate::chain::Head;
use crate::report::chain;
use crate::settlement::{FileEvent, FileState};
use crate::spool::{JournalEntry, JournalLine};
use crate::store::{FileChange, FileRow};

/// Lines looked at, newest first: a database that is behind is behind in the newest of all.
const NEWEST: usize = 1_000;

/// How a file's newest line stands to its row.
enum Standing {
    /// The row knows, or nothing has to be done about it.
    Agreed,
    /// A crash came between line and commit.
    OneAhead,
    /// The row is older than that.
    Behind,
}

impl Night {
    /// The files whose newest line was not committed.
    ///
    /// # Errors
    /// [`NightError::OlderDatabase`], [`NightError::Spool`].
    pub(super) async fn journal_ahead(&self) -> Result<BTreeMap<FileId, JournalEntry>, NightError> {
        let lines = self.spool.journal()?;
        let from = lines.len().saturating_sub(NEWEST);
        let newest: BTreeMap<FileId, &JournalLine> = lines[from..].iter().map(|line| (line.file_id, line)).collect();
        let mut ahead = BTreeMap::new();
        for (file_id, line) in newest {
            let file = self.store.file(file_id).await?;
            match file.as_ref().map_or(Standing::Behind, |file| standing(file, &line.entry)) {
                Standing::Agreed => {}
                Standing::OneAhead => drop(ahead.insert(file_id, line.entry.clone())),
                Standing::Behind => {
                    let found =
                        file.map_or_else(|| "does not know it".to_owned(), |file| format!("has {}", file.state));
                    return Err(NightError::OlderDatabase { line: line.to_string(), found });
                }
            }
        }
        Ok(ahead)
    }

    /// As [`note_head`](Self::note_head), and in the log.
    pub(super) async fn tell_head(&self) -> Option<Head> {
        let head = self.note_head().await?;
        tracing::info!(audit_head = %head, "the head of the audit");
        Some(head)
    }

    /// Writes the audit's head down where the database is not: in the journal, and in what the caller reports. Behind what
    /// it was all about: where this fails, that was done all the same.
    pub async fn note_head(&self) -> Option<Head> {
        let head = match self.store.audit_head().await {
            Ok(head) => head?,
            Err(error) => {
                tracing::warn!("the head of the audit cannot be read: {}", chain(&error));
                return None;
            }
        };
        if let Err(error) = self.spool.note_head(&head) {
            tracing::warn!("the head of the audit cannot be written to the journal: {}", chain(&error));
        }
        Some(head)
    }

    /// Brings a file's row up to the line that was not committed. A rename of which only the line is known counts as
    /// attempted: the next one looks what became of it.
    pub(super) async fn catch_up(&self, run: &Run, mut file: FileRow) -> Result<FileRow, NightError> {
        match run.ahead.get(&file.file_id) {
            Some(JournalEntry::Rename { n, .. }) => {
                let change = FileChange::Rename { rename_attempt: *n };
                self.advance(run, &mut file, FileEvent::Rename, change).await?;
            }
            Some(JournalEntry::Published { .. }) => {
                let change = FileChange::Publish { at: self.store.now().await? };
                self.advance(run, &mut file, FileEvent::Publish, change).await?;
            }
            Some(JournalEntry::Sealed { facts: Some(facts), .. }) => self.take_sealed(run, &mut file, facts).await?,
            // Nothing was sent then: it is composed again.
            Some(JournalEntry::Sealed { facts: None, .. }) | None => {}
        }
        Ok(file)
    }
}

/// A line of an attempt before the row's newest one is long committed, one of an attempt the row does not know was
/// never: attempts count on over uploads that follow a rename, over a person's word and over resends.
fn standing(file: &FileRow, entry: &JournalEntry) -> Standing {
    let attempt = match entry {
        JournalEntry::Sealed { epoch, .. } => return standing_of_seal(file, *epoch),
        JournalEntry::Rename { attempt, .. } | JournalEntry::Published { attempt } => attempt,
    };
    match attempt.cmp(&file.attempt) {
        Ordering::Less => Standing::Agreed,
        Ordering::Equal => standing_within(file, entry),
        Ordering::Greater => Standing::Behind,
    }
}

fn standing_of_seal(file: &FileRow, epoch: i64) -> Standing {
    match (file.state, file.sealed_epoch) {
        (FileState::Claimed, _) => Standing::OneAhead,
        (_, Some(sealed_epoch)) if sealed_epoch < epoch => Standing::Behind,
        _ => Standing::Agreed,
    }
}

/// The same attempt on both sides.
fn standing_within(file: &FileRow, entry: &JournalEntry) -> Standing {
    use FileState as S;
    match (entry, file.state) {
        (_, S::Published | S::Settled | S::Uncertain) => Standing::Agreed,
        // A person said that it did not arrive, or wants it sent again: the next attempt has not begun.
        (_, S::Sending) if file.temporary_name.is_none() => Standing::Agreed,
        (JournalEntry::Published { .. }, S::Renaming) => Standing::OneAhead,
        (JournalEntry::Rename { n, .. }, S::Ready | S::Renaming) if *n <= file.rename_attempt => Standing::Agreed,
        (JournalEntry::Rename { n, .. }, S::Ready | S::Renaming) if *n == file.rename_attempt + 1 => Standing::OneAhead,
        _ => Standing::Behind,
    }
}

#[cfg(test)]
mod tests;
