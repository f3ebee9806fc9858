//! The run lock: a lock of the operating system on a file beside the database (R133).
//!
//! Invariants: the lock dies with its process and knows no clock; the file's content only says who holds it, so what
//! stands there after a crash locks nobody out.

use std::fs::{File, OpenOptions};
use std::io::{Read, Seek, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, flock};

use crate::store::{RunLock, StoreError};

/// The open file whose lock we hold.
#[derive(Debug)]
struct FileLock(File);

impl RunLock for FileLock {}

impl Drop for FileLock {
    /// Closing alone would not do: a child that another thread is starting has the file open until it becomes another
    /// program. Where this fails, the end of the process releases the lock.
    fn drop(&mut self) {
        let _ = flock(&self.0, FlockOperation::Unlock);
    }
}

/// Where the lock of a database lies.
pub(super) fn path_of(database: &Path) -> PathBuf {
    let mut path = database.as_os_str().to_owned();
    path.push(".lock");
    path.into()
}

/// Takes the lock without waiting.
pub(super) fn take(path: &Path, holder: &str) -> Result<Box<dyn RunLock>, StoreError> {
    let unusable = |error: &dyn std::fmt::Display| StoreError::Unavailable {
        database: path.display().to_string(),
        reason: error.to_string(),
    };
    let mut options = OpenOptions::new();
    let opened = options.read(true).write(true).create(true).truncate(false).mode(0o600).open(path);
    let mut file = opened.map_err(|error| unusable(&error))?;
    match flock(&file, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => {}
        Err(rustix::io::Errno::WOULDBLOCK) => return Err(StoreError::Locked { holder: holder_of(&mut file) }),
        Err(error) => return Err(unusable(&error)),
    }
    write_holder(&mut file, holder).map_err(|error| unusable(&error))?;
    Ok(Box::new(FileLock(file)))
}

fn write_holder(file: &mut File, holder: &str) -> std::io::Result<()> {
    file.set_len(0)?;
    file.rewind()?;
    file.write_all(holder.as_bytes())?;
    file.sync_data()
}

fn holder_of(file: &mut File) -> String {
    let mut holder = String::new();
    match file.read_to_string(&mut holder) {
        Ok(read) if read > 0 => holder.trim().to_owned(),
        _ => "it has not written its name yet".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lock_that_is_given_back_is_free_although_a_child_has_the_file_open() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("emboss.db.lock");
        let file = File::create(&path).unwrap();
        flock(&file, FlockOperation::NonBlockingLockExclusive).unwrap();
        // Shares the lock, as what is inherited over a fork does.
        let inherited = file.try_clone().unwrap();
        let lock = FileLock(file);
        assert!(matches!(take(&path, "another"), Err(StoreError::Locked { .. })));
        drop(lock);
        assert!(take(&path, "another").is_ok());
        drop(inherited);
    }
}
