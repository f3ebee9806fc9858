//! The spool: sealed files between sealing and settlement, and the journal that outlives a lost database.
//!
//! Invariants: only ciphertext stands here, 0600 in a 0700 folder; a [`SealedFile`] comes from a commit after fsync or
//! from a reload whose bytes were hashed again, and from nowhere else; a journal line is durable before the call
//! returns. Why a marker: a folder of another installation, or an empty one mounted by mistake, would look like lost
//! bytes and have every card produced again.

mod draft;
mod journal;
mod sealed_file;

use std::collections::BTreeSet;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use chrono::{DateTime, TimeDelta, Utc};
use rustix::fs::{FlockOperation, flock};

use crate::card::FileId;
use crate::chain::Head;

pub use draft::Draft;
pub use journal::{JournalEntry, JournalLine, SealedFacts};
pub use sealed_file::SealedFile;

const MARKER: &str = "marker";
/// Where a marker is written before it takes its name.
const MARKER_IN_THE_MAKING: &str = "marker.part";

/// Why the spool did not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum SpoolError {
    /// Something of the file system.
    #[error("the spool cannot {action} {path}")]
    Io {
        /// What was tried.
        action: &'static str,
        /// On what.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// No room left while sealing (fault 21); the part file is removed.
    #[error(
        "the disk of the spool is full: file {file_id} was not sealed and its part is removed; free space at {path} and run again"
    )]
    Full {
        /// The file.
        file_id: FileId,
        /// Its part.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Other users may look into the folder.
    #[error("the spool folder {path} has mode {mode:04o}; it must be 0700 (chmod 700)")]
    Exposed {
        /// The folder.
        path: PathBuf,
        /// Its mode.
        mode: u32,
    },
    /// The folder belongs to another database.
    #[error(
        "the spool folder {path} belongs to another database: it carries the marker {found}, ours is {expected}; correct run.spool"
    )]
    Foreign {
        /// The folder.
        path: PathBuf,
        /// Our marker.
        expected: String,
        /// What was found.
        found: String,
    },
    /// The folder holds files but no marker.
    #[error("the folder {path} is not a spool of ours: it is not empty and carries no marker; correct run.spool")]
    Unmarked {
        /// The folder.
        path: PathBuf,
    },
    /// The sealed bytes are not there.
    #[error("the sealed bytes of file {file_id} are missing: {path}")]
    Missing {
        /// The file.
        file_id: FileId,
        /// Where they should be.
        path: PathBuf,
    },
    /// The sealed bytes are not those that were committed.
    #[error(
        "the sealed bytes of file {file_id} have changed: {path} has {found_size} bytes and SHA-256 {found_sha256}, the database says {size} and {sha256}"
    )]
    Changed {
        /// The file.
        file_id: FileId,
        /// Where they stand.
        path: PathBuf,
        /// Bytes as committed.
        size: u64,
        /// SHA-256 as committed.
        sha256: String,
        /// Bytes found.
        found_size: u64,
        /// SHA-256 found.
        found_sha256: String,
    },
    /// A journal line that this program never writes.
    #[error("line {line} of the journal {path} cannot be read; the journal is append-only, restore it before running")]
    Journal {
        /// The journal.
        path: PathBuf,
        /// Line number, 1 and up.
        line: usize,
    },
}

impl SpoolError {
    /// Wraps an error of the file system.
    fn io(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Io { action, path, source }
    }
}

/// The spool folder of one installation.
#[derive(Debug, Clone)]
pub struct Spool {
    folder: PathBuf,
}

impl Spool {
    /// Opens the folder; makes it, or takes an empty one, and writes the marker.
    ///
    /// # Errors
    /// [`SpoolError::Foreign`], [`SpoolError::Unmarked`], [`SpoolError::Exposed`], [`SpoolError::Io`].
    pub fn open(folder: impl Into<PathBuf>, marker: &str) -> Result<Self, SpoolError> {
        let folder = folder.into();
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(&folder)
            .map_err(SpoolError::io("make the folder", &folder))?;
        let spool = Self { folder };
        spool.refuse_exposed()?;
        match fs::read_to_string(spool.folder.join(MARKER)) {
            Ok(found) if found.trim_end() == marker => Ok(spool),
            Ok(found) => Err(SpoolError::Foreign {
                path: spool.folder,
                expected: marker.to_owned(),
                found: found.trim_end().to_owned(),
            }),
            Err(error) if error.kind() == io::ErrorKind::NotFound => spool.mark(marker),
            Err(error) => Err(SpoolError::io("read", &spool.folder.join(MARKER))(error)),
        }
    }

    /// The folder.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Begins a sealed file. What was left unfinished of the same file until this epoch is removed; what a later run is
    /// writing is its own (fault 23).
    ///
    /// # Errors
    /// [`SpoolError::Io`].
    pub fn create(&self, file_id: FileId, epoch: i64) -> Result<Draft, SpoolError> {
        self.remove(|name| part_epoch(name, file_id).is_some_and(|of| of <= epoch))?;
        Draft::create(&self.folder, file_id, epoch)
    }

    /// The sealed file as committed: every byte is read and hashed again.
    ///
    /// # Errors
    /// [`SpoolError::Missing`] and [`SpoolError::Changed`], which the night treats differently; [`SpoolError::Io`].
    pub fn load(&self, file_id: FileId, epoch: i64, sha256: &str, size: u64) -> Result<SealedFile, SpoolError> {
        SealedFile::load(file_id, sealed_path(&self.folder, file_id, epoch), (sha256, size))
    }

    /// The sealed bytes that a journal line SEALED tells of where the database row does not (fault 3), under the name
    /// of this epoch from now on. They are found by their digest, whatever epoch they were left under: a crash between
    /// the renaming and the row costs nothing.
    ///
    /// # Errors
    /// [`SpoolError::Missing`] where no bytes of the file are those, [`SpoolError::Io`].
    pub fn take_over(&self, file_id: FileId, epoch: i64, sha256: &str, size: u64) -> Result<SealedFile, SpoolError> {
        let path = sealed_path(&self.folder, file_id, epoch);
        let mine = |name: &String| name.starts_with(&format!("{file_id}.")) && name.ends_with(".pgp");
        for name in self.names()?.into_iter().filter(mine) {
            let found = self.folder.join(name);
            match SealedFile::load(file_id, found.clone(), (sha256, size)) {
                Ok(sealed) if found == path => return Ok(sealed),
                Ok(_) => {
                    fs::rename(&found, &path).map_err(SpoolError::io("rename", &found))?;
                    sync_folder(&self.folder)?;
                    return SealedFile::load(file_id, path, (sha256, size));
                }
                Err(SpoolError::Changed { .. } | SpoolError::Missing { .. }) => {}
                Err(error) => return Err(error),
            }
        }
        Err(SpoolError::Missing { file_id, path })
    }

    /// Removes everything of a file, whatever its epoch, finished or not. Returns how many files went.
    ///
    /// # Errors
    /// [`SpoolError::Io`].
    pub fn discard(&self, file_id: FileId) -> Result<usize, SpoolError> {
        self.remove(|name| name.starts_with(&format!("{file_id}.")))
    }

    /// The files that have bytes here, by id.
    ///
    /// # Errors
    /// [`SpoolError::Io`].
    pub fn file_ids(&self) -> Result<BTreeSet<FileId>, SpoolError> {
        let id_of = |name: &String| name.split_once('.').and_then(|(id, _)| id.parse().ok());
        Ok(self.names()?.iter().filter_map(id_of).collect())
    }

    /// Removes sealed files that were settled at least `days` ago; only those the caller lists. Returns which went.
    ///
    /// # Errors
    /// [`SpoolError::Io`].
    pub fn expire(
        &self,
        now: DateTime<Utc>,
        days: u32,
        settled: &[(FileId, DateTime<Utc>)],
    ) -> Result<Vec<FileId>, SpoolError> {
        let mut gone = Vec::new();
        for (file_id, settled_at) in settled {
            if now - *settled_at >= TimeDelta::days(i64::from(days)) && self.discard(*file_id)? > 0 {
                gone.push(*file_id);
            }
        }
        Ok(gone)
    }

    /// Appends a line to the journal; it is durable when this returns.
    ///
    /// # Errors
    /// [`SpoolError::Io`].
    pub fn note(&self, line: &JournalLine) -> Result<(), SpoolError> {
        journal::append(&self.folder, line)
    }

    /// Appends the head of the audit chain to the journal; it is durable when this returns.
    ///
    /// # Errors
    /// [`SpoolError::Io`].
    pub fn note_head(&self, head: &Head) -> Result<(), SpoolError> {
        journal::append_head(&self.folder, head)
    }

    /// The heads of the audit chain that were noted, oldest first.
    ///
    /// # Errors
    /// [`SpoolError::Journal`], [`SpoolError::Io`].
    pub fn heads(&self) -> Result<Vec<Head>, SpoolError> {
        Ok(journal::read(&self.folder)?.heads)
    }

    /// The journal's lines of files, oldest first. A last line without its end was never durable and is left out.
    ///
    /// # Errors
    /// [`SpoolError::Journal`], [`SpoolError::Io`].
    pub fn journal(&self) -> Result<Vec<JournalLine>, SpoolError> {
        Ok(journal::read(&self.folder)?.lines)
    }

    fn refuse_exposed(&self) -> Result<(), SpoolError> {
        let found = fs::metadata(&self.folder).map_err(SpoolError::io("look at", &self.folder))?;
        match found.mode() & 0o777 {
            mode if mode & 0o077 != 0 => Err(SpoolError::Exposed { path: self.folder.clone(), mode }),
            _ => Ok(()),
        }
    }

    /// The marker appears whole or not at all: half of one would make this folder another database's for ever.
    fn mark(self, marker: &str) -> Result<Self, SpoolError> {
        let turn = File::open(&self.folder).map_err(SpoolError::io("open", &self.folder))?;
        flock(&turn, FlockOperation::LockExclusive)
            .map_err(io::Error::from)
            .map_err(SpoolError::io("lock", &self.folder))?;
        if self.folder.join(MARKER).exists() {
            // Another first start had its turn.
            return Self::open(self.folder, marker);
        }
        if self.names()?.iter().any(|name| name != MARKER_IN_THE_MAKING) {
            return Err(SpoolError::Unmarked { path: self.folder });
        }
        let (part, path) = (self.folder.join(MARKER_IN_THE_MAKING), self.folder.join(MARKER));
        let opened = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&part);
        let mut file = opened.map_err(SpoolError::io("create", &part))?;
        writeln!(file, "{marker}").and_then(|()| file.sync_all()).map_err(SpoolError::io("write", &part))?;
        fs::rename(&part, &path).map_err(SpoolError::io("create", &path))?;
        sync_folder(&self.folder)?;
        Ok(self)
    }

    fn names(&self) -> Result<Vec<String>, SpoolError> {
        let entries = fs::read_dir(&self.folder).map_err(SpoolError::io("list", &self.folder))?;
        entries
            .map(|entry| entry.map(|entry| entry.file_name().to_string_lossy().into_owned()))
            .collect::<Result<_, _>>()
            .map_err(SpoolError::io("list", &self.folder))
    }

    fn remove(&self, chosen: impl Fn(&str) -> bool) -> Result<usize, SpoolError> {
        let mut removed = 0;
        for name in self.names()?.iter().filter(|name| chosen(name)) {
            let path = self.folder.join(name);
            fs::remove_file(&path).map_err(SpoolError::io("remove", &path))?;
            removed += 1;
        }
        if removed > 0 {
            sync_folder(&self.folder)?;
        }
        Ok(removed)
    }
}

/// The epoch in which a part of a file was begun; `None` for everything else.
fn part_epoch(name: &str, file_id: FileId) -> Option<i64> {
    name.strip_prefix(&file_id.to_string())?.strip_prefix('.')?.strip_suffix(".part")?.parse().ok()
}

fn sealed_path(folder: &Path, file_id: FileId, epoch: i64) -> PathBuf {
    folder.join(format!("{file_id}.{epoch}.pgp"))
}

fn sync_folder(folder: &Path) -> Result<(), SpoolError> {
    File::open(folder).and_then(|open| open.sync_all()).map_err(SpoolError::io("sync", folder))
}

#[cfg(test)]
mod tests;
