//! The journal: what was about to happen to each file, outside the database and durable before it happened.
//!
//! One line of text each: `<fileId> <institution>/<manufacturer> <number> SEALED <epoch> <facts>`, `... RENAME <n> <attempt>` or
//! `... PUBLISHED <attempt>`. Append-only. A torn last line is a crash before the line was durable: nothing had followed
//! it. Why the attempt: renames count anew with every upload, attempts grow over all deliveries of a file, so that the
//! newest line alone says how far the file had come.
//!
//! Why facts behind SEALED, as JSON without spaces: the bytes are OpenPGP, which differs each time, so that only who
//! sealed them knows their digest; with it a crash before the row was written costs no second sealing (fault 3). Lines
//! of older programs have none.
//!
//! A line `AUDIT <number>:<mac>` is of no file: it keeps the head of the audit chain as it was when a run, an import, or what a
//! person ordered, had ended, so that a chain whose end is cut off in the database is known by what stands here.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, flock};

use serde::{Deserialize, Serialize};

use super::{SpoolError, sync_folder};
use crate::card::{FileId, InstitutionId, ManufacturerCode, RunId};
use crate::chain::Head;

/// So much is read at a time from the end of the file, to find where a torn line starts.
const TAIL: u64 = 64 * 1024;

/// What is about to happen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum JournalEntry {
    /// The bytes of this epoch are durable in the spool.
    Sealed {
        /// The epoch that sealed them.
        epoch: i64,
        /// What the row is about to say; none in lines of older programs.
        facts: Option<Box<SealedFacts>>,
    },
    /// The n-th rename is about to be sent.
    Rename {
        /// Which one of the attempt, 1 and up.
        n: u32,
        /// The attempt whose temporary file is renamed.
        attempt: u32,
    },
    /// The house has the file.
    Published {
        /// The attempt that brought it there.
        attempt: u32,
    },
}

/// A sealed file as its database row describes it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SealedFacts {
    /// The run that claimed what is in it: a file that was claimed again since is another one.
    pub run_id: RunId,
    /// Final name, with `.pgp`.
    pub file_name: String,
    /// SHA-256 of the sealed bytes, lower-case hexadecimal.
    pub sha256: String,
    /// Their number.
    pub size_bytes: u64,
    /// Records in the file.
    pub records: u64,
    /// CARD records.
    pub cards: u64,
    /// PIN_ONLY records.
    pub pin_only: u64,
    /// Records per event.
    pub by_production_event: BTreeMap<String, u64>,
    /// Fingerprints of the recipients and the signer.
    pub key_fingerprints: Vec<String>,
}

/// One line of the journal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JournalLine {
    /// The file.
    pub file_id: FileId,
    /// The issuer of its agreement.
    pub institution: InstitutionId,
    /// The house of its agreement.
    pub manufacturer: ManufacturerCode,
    /// Its number within the agreement.
    pub sequence_number: u64,
    /// What is about to happen.
    pub entry: JournalEntry,
}

impl JournalLine {
    /// Reads a line without its line break; `None` where it is none.
    pub fn parse(line: &str) -> Option<Self> {
        // What stands behind the epoch is one word, whatever is in it.
        let words: Vec<&str> = line.splitn(6, ' ').collect();
        let [file_id, agreement, number, rest @ ..] = words.as_slice() else { return None };
        let (institution, manufacturer) = agreement.split_once('/')?;
        let entry = match rest {
            ["SEALED", epoch] => JournalEntry::Sealed { epoch: epoch.parse().ok()?, facts: None },
            ["SEALED", epoch, facts] => {
                JournalEntry::Sealed { epoch: epoch.parse().ok()?, facts: Some(serde_json::from_str(facts).ok()?) }
            }
            ["RENAME", n, attempt] => JournalEntry::Rename { n: n.parse().ok()?, attempt: attempt.parse().ok()? },
            ["PUBLISHED", attempt] => JournalEntry::Published { attempt: attempt.parse().ok()? },
            _ => return None,
        };
        Some(Self {
            file_id: file_id.parse().ok()?,
            institution: institution.parse().ok()?,
            manufacturer: manufacturer.parse().ok()?,
            sequence_number: number.parse().ok()?,
            entry,
        })
    }
}

impl std::fmt::Display for JournalLine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { file_id, institution, manufacturer, sequence_number, entry } = self;
        write!(f, "{file_id} {institution}/{manufacturer} {sequence_number} ")?;
        match entry {
            JournalEntry::Sealed { epoch, facts: None } => write!(f, "SEALED {epoch}"),
            JournalEntry::Sealed { epoch, facts: Some(facts) } => {
                let facts = serde_json::to_string(facts).map_err(|_| std::fmt::Error)?;
                write!(f, "SEALED {epoch} {facts}")
            }
            JournalEntry::Rename { n, attempt } => write!(f, "RENAME {n} {attempt}"),
            JournalEntry::Published { attempt } => write!(f, "PUBLISHED {attempt}"),
        }
    }
}

/// What the journal holds.
#[derive(Debug, Default)]
pub(super) struct Journal {
    /// The lines of files, the oldest first.
    pub(super) lines: Vec<JournalLine>,
    /// Heads of the audit, oldest first.
    pub(super) heads: Vec<Head>,
}

/// How a line with a head begins.
const AUDIT: &str = "AUDIT ";

pub(super) fn append_head(folder: &Path, head: &Head) -> Result<(), SpoolError> {
    append(folder, &format!("{AUDIT}{head}"))
}

pub(super) fn append(folder: &Path, line: &impl std::fmt::Display) -> Result<(), SpoolError> {
    let path = path(folder);
    let is_new = !path.exists();
    let mut file = OpenOptions::new()
        .read(true)
        .append(true)
        .create(true)
        .mode(0o600)
        .open(&path)
        .map_err(SpoolError::io("open", &path))?;
    // The lock lets two processes at one spool (a run, and a person's `resolve`) append whole lines only.
    flock(&file, FlockOperation::LockExclusive)
        .map_err(io::Error::from)
        .and_then(|()| cut_torn_line(&mut file))
        .and_then(|()| file.write_all(format!("{line}\n").as_bytes()))
        .and_then(|()| file.sync_all())
        .map_err(SpoolError::io("append to", &path))?;
    if is_new { sync_folder(folder) } else { Ok(()) }
}

pub(super) fn read(folder: &Path) -> Result<Journal, SpoolError> {
    let path = path(folder);
    let mut bytes = match fs::read(&path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Journal::default()),
        Err(error) => return Err(SpoolError::io("read", &path)(error)),
    };
    // A torn line may be anything, text or not.
    bytes.truncate(whole_lines(&bytes));
    let mut journal = Journal::default();
    for (index, line) in bytes.split_inclusive(|byte| *byte == b'\n').enumerate() {
        let taken = std::str::from_utf8(line).ok().and_then(|line| journal.take(line.trim_end_matches('\n')));
        taken.ok_or_else(|| SpoolError::Journal { path: path.clone(), line: index + 1 })?;
    }
    Ok(journal)
}

impl Journal {
    fn take(&mut self, line: &str) -> Option<()> {
        match line.strip_prefix(AUDIT) {
            Some(head) => self.heads.push(head.parse().ok()?),
            None => self.lines.push(JournalLine::parse(line)?),
        }
        Some(())
    }
}

fn path(folder: &Path) -> PathBuf {
    folder.join("journal")
}

fn cut_torn_line(file: &mut File) -> io::Result<()> {
    let size = file.seek(SeekFrom::End(0))?;
    let mut from = size;
    let mut tail = Vec::new();
    // Mostly once round: what a crash of the host left may be longer than any line.
    while from > 0 && whole_lines(&tail) == 0 {
        from = from.saturating_sub(TAIL);
        file.seek(SeekFrom::Start(from))?;
        tail.clear();
        file.read_to_end(&mut tail)?;
    }
    let whole = from + whole_lines(&tail) as u64;
    if whole < size { file.set_len(whole) } else { Ok(()) }
}

/// How many of these bytes are whole lines.
fn whole_lines(bytes: &[u8]) -> usize {
    bytes.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1)
}
