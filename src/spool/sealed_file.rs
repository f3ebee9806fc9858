//! A sealed file: ciphertext that is durable in the spool, with the hash and length of exactly those bytes.
//!
//! Why no public constructor: delivery takes nothing else, so plaintext cannot be sent by a wrong setting.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use super::SpoolError;
use crate::card::FileId;

/// Ciphertext in the spool, whole and durable.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SealedFile {
    file_id: FileId,
    sha256: String,
    size_bytes: u64,
    path: PathBuf,
}

impl SealedFile {
    pub(super) fn committed(file_id: FileId, sha256: String, size_bytes: u64, path: PathBuf) -> Self {
        Self { file_id, sha256, size_bytes, path }
    }

    pub(super) fn load(file_id: FileId, path: PathBuf, (sha256, size): (&str, u64)) -> Result<Self, SpoolError> {
        let (found_sha256, found_size) = match hash(&path) {
            Ok(found) => found,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Err(SpoolError::Missing { file_id, path }),
            Err(error) => return Err(SpoolError::io("read", &path)(error)),
        };
        if sha256 != found_sha256 || size != found_size {
            let sha256 = sha256.to_owned();
            return Err(SpoolError::Changed { file_id, path, size, sha256, found_size, found_sha256 });
        }
        Ok(Self { file_id, sha256: found_sha256, size_bytes: found_size, path })
    }

    /// Which embossing file.
    pub fn file_id(&self) -> FileId {
        self.file_id
    }

    /// SHA-256 of the bytes, lower-case hexadecimal.
    pub fn sha256(&self) -> &str {
        &self.sha256
    }

    /// Their number.
    pub fn size_bytes(&self) -> u64 {
        self.size_bytes
    }

    /// Where they stand.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Opens them for reading.
    ///
    /// # Errors
    /// [`SpoolError::Missing`] where somebody removed them since, [`SpoolError::Io`].
    pub fn open(&self) -> Result<File, SpoolError> {
        File::open(&self.path).map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => SpoolError::Missing { file_id: self.file_id, path: self.path.clone() },
            _ => SpoolError::io("open", &self.path)(error),
        })
    }
}

fn hash(path: &Path) -> io::Result<(String, u64)> {
    let mut file = File::open(path)?;
    let mut hasher = Sha256::new();
    let mut buffer = vec![0; 256 * 1024];
    let mut size = 0;
    loop {
        match file.read(&mut buffer)? {
            0 => return Ok((hex::encode(hasher.finalize()), size)),
            read => {
                hasher.update(&buffer[..read]);
                size += read as u64;
            }
        }
    }
}
