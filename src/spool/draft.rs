//! A sealed file in the making: bytes are hashed and counted as they pass to disk.
//!
//! Invariants: it stands under a temporary name until [`commit`](Draft::commit) has synced it; dropped before that,
//! it removes itself, so a full disk or an error leaves nothing behind (fault 21).

use std::fmt;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use super::{SealedFile, SpoolError, sealed_path, sync_folder};
use crate::card::FileId;

/// Big enough that a sealed night is few system calls, small enough to stay in the cache.
const BUFFER: usize = 256 * 1024;

/// A sealed file in the making.
pub struct Draft {
    file_id: FileId,
    epoch: i64,
    folder: PathBuf,
    part: PathBuf,
    file: File,
    buffer: Vec<u8>,
    hasher: Sha256,
    size_bytes: u64,
    committed: bool,
}

impl fmt::Debug for Draft {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Draft({}, {} bytes)", self.part.display(), self.size_bytes)
    }
}

impl Draft {
    pub(super) fn create(folder: &Path, file_id: FileId, epoch: i64) -> Result<Self, SpoolError> {
        let part = folder.join(format!("{file_id}.{epoch}.part"));
        let file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&part)
            .map_err(SpoolError::io("create", &part))?;
        Ok(Self::over(file, folder, part, file_id, epoch))
    }

    pub(super) fn over(file: File, folder: &Path, part: PathBuf, file_id: FileId, epoch: i64) -> Self {
        Self {
            file_id,
            epoch,
            folder: folder.to_owned(),
            part,
            file,
            buffer: Vec::with_capacity(BUFFER),
            hasher: Sha256::new(),
            size_bytes: 0,
            committed: false,
        }
    }

    /// Bytes written so far.
    pub fn size_bytes(&self) -> u64 {
        self.size_bytes
    }

    /// Makes the bytes durable under `<fileId>.<epoch>.pgp`.
    ///
    /// # Errors
    /// [`SpoolError::Full`], [`SpoolError::Io`]; the part file is removed.
    pub fn commit(mut self) -> Result<SealedFile, SpoolError> {
        self.drain().and_then(|()| self.file.sync_all()).map_err(|source| self.failed(source))?;
        let path = sealed_path(&self.folder, self.file_id, self.epoch);
        fs::rename(&self.part, &path).map_err(SpoolError::io("rename the part to", &path))?;
        self.committed = true;
        sync_folder(&self.folder)?;
        let sha256 = hex::encode(std::mem::take(&mut self.hasher).finalize());
        Ok(SealedFile::committed(self.file_id, sha256, self.size_bytes, path))
    }

    fn drain(&mut self) -> io::Result<()> {
        self.file.write_all(&self.buffer)?;
        self.buffer.clear();
        Ok(())
    }

    fn failed(&self, source: io::Error) -> SpoolError {
        let (file_id, path) = (self.file_id, self.part.clone());
        match source.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => SpoolError::Full { file_id, path, source },
            _ => SpoolError::Io { action: "write", path, source },
        }
    }
}

impl Write for Draft {
    /// The error's inner value is a [`SpoolError`].
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.buffer.len() + bytes.len() > BUFFER {
            self.flush()?;
        }
        if bytes.len() >= BUFFER {
            self.file.write_all(bytes).map_err(|error| io::Error::new(error.kind(), self.failed(error)))?;
        } else {
            self.buffer.extend_from_slice(bytes);
        }
        self.hasher.update(bytes);
        self.size_bytes += bytes.len() as u64;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.drain().map_err(|error| io::Error::new(error.kind(), self.failed(error)))
    }
}

impl Drop for Draft {
    fn drop(&mut self) {
        if !self.committed {
            // Best effort: a part that stays is ciphertext, and the next draft of the file removes it.
            let _ = fs::remove_file(&self.part);
        }
    }
}
