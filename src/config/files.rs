//! Reading key files: only regular files that nobody else may read.
//!
//! Invariants: mode and kind are those of the opened file, so that it cannot be exchanged between look and read; the
//! contents are wiped when dropped and never part of an error.

use std::fs::{File, OpenOptions};
use std::io::Read;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

use super::paths::CREDENTIAL;

/// No key, certificate or passphrase is larger.
const SIZE_MAX_BYTES: u64 = 1024 * 1024;

/// Why a file of the configuration was not read.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// It is not there, or not ours to read.
    #[error("{path} cannot be read: check that it exists and that this user owns it")]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// A folder, a device, a pipe.
    #[error("{path} is not a regular file: name a file")]
    NotAFile {
        /// What was named.
        path: PathBuf,
    },
    /// Others may read it, or it can be executed.
    #[error("{path} has mode {mode:04o}, so that others may use this secret: run `chmod 0600 {path}`")]
    Open {
        /// The file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// Nothing in it.
    #[error("{path} is empty: put the key or certificate there")]
    Empty {
        /// The file.
        path: PathBuf,
    },
    /// Too large for what it should be.
    #[error("{path} is larger than 1 MiB: it is not a key or certificate")]
    TooLarge {
        /// The file.
        path: PathBuf,
    },
    /// A credential without systemd.
    #[error(
        "{name} cannot be found: $CREDENTIALS_DIRECTORY is not set, so run under systemd with LoadCredential, or set it to the folder of that file"
    )]
    NoCredentials {
        /// As written, `credential:NAME`.
        name: String,
    },
}

/// Reads a secret. Its mode must be 0400 or 0600; below `credentials_directory` also 0440, which systemd gives.
///
/// # Errors
/// [`FileError`], naming the path and what to run.
pub fn read_secret(path: &str, credentials_directory: Option<&Path>) -> Result<Zeroizing<Vec<u8>>, FileError> {
    let (file, path) = open(path)?;
    let mode = stat(&file, &path)?.mode() & 0o7777;
    // Right in the folder, as systemd puts them: `..` behind it would lead out again.
    let credential = credentials_directory.is_some_and(|folder| path.parent() == Some(folder));
    if matches!(mode, 0o400 | 0o600) || (credential && mode == 0o440) {
        read(file, path)
    } else {
        Err(FileError::Open { path, mode })
    }
}

/// Reads a certificate or another file that is no secret, whatever its mode.
///
/// # Errors
/// [`FileError`], naming the path.
pub fn read_public(path: &str) -> Result<Vec<u8>, FileError> {
    let (file, path) = open(path)?;
    read(file, path).map(|mut bytes| std::mem::take(&mut *bytes))
}

fn open(written: &str) -> Result<(File, PathBuf), FileError> {
    if written.starts_with(CREDENTIAL) {
        return Err(FileError::NoCredentials { name: written.to_owned() });
    }
    let path = PathBuf::from(written);
    // A pipe would otherwise block until somebody writes to it.
    let flags = rustix::fs::OFlags::NONBLOCK | rustix::fs::OFlags::CLOEXEC;
    let opened = OpenOptions::new().read(true).custom_flags(flags.bits().cast_signed()).open(&path);
    let file = opened.map_err(|source| FileError::Unreadable { path: path.clone(), source })?;
    let kind = stat(&file, &path)?;
    if !kind.is_file() {
        return Err(FileError::NotAFile { path });
    }
    Ok((file, path))
}

fn stat(file: &File, path: &Path) -> Result<std::fs::Metadata, FileError> {
    file.metadata().map_err(|source| FileError::Unreadable { path: path.to_owned(), source })
}

fn read(file: File, path: PathBuf) -> Result<Zeroizing<Vec<u8>>, FileError> {
    let size = stat(&file, &path)?.len();
    if size > SIZE_MAX_BYTES {
        return Err(FileError::TooLarge { path });
    }
    // Reserved whole: a growing buffer would leave copies of the secret behind.
    let mut bytes = Zeroizing::new(Vec::with_capacity(usize::try_from(size).unwrap_or(0) + 1));
    let limited = file.take(size).read_to_end(&mut bytes);
    limited.map_err(|source| FileError::Unreadable { path: path.clone(), source })?;
    if bytes.is_empty() { Err(FileError::Empty { path }) } else { Ok(bytes) }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn file(folder: &Path, mode: u32, bytes: &[u8]) -> String {
        let path = folder.join("secret");
        let _ = std::fs::remove_file(&path);
        std::fs::write(&path, bytes).unwrap();
        std::fs::set_permissions(&path, PermissionsExt::from_mode(mode)).unwrap();
        path.to_str().unwrap().to_owned()
    }

    #[test]
    fn a_secret_others_may_read_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let elsewhere = Path::new("/nowhere");
        for mode in [0o400, 0o600] {
            let read = read_secret(&file(folder.path(), mode, b"k"), Some(elsewhere)).unwrap();
            assert_eq!(*read, b"k", "{mode:o}");
        }
        for mode in [0o440, 0o640, 0o604, 0o644, 0o700, 0o500, 0o660, 0o1600, 0o4600] {
            let path = file(folder.path(), mode, b"k");
            let error = read_secret(&path, Some(elsewhere)).unwrap_err();
            let expected =
                format!("{path} has mode {mode:04o}, so that others may use this secret: run `chmod 0600 {path}`");
            assert_eq!(error.to_string(), expected);
        }
    }

    #[test]
    fn a_credential_may_have_the_mode_systemd_gives() {
        let folder = tempfile::tempdir().unwrap();
        for (mode, allowed) in [(0o400, true), (0o600, true), (0o440, true), (0o444, false), (0o640, false)] {
            let read = read_secret(&file(folder.path(), mode, b"k"), Some(folder.path()));
            assert_eq!(read.is_ok(), allowed, "{mode:o}");
        }
        let beside = folder.path().join("inner/../secret");
        std::fs::create_dir(folder.path().join("inner")).unwrap();
        file(folder.path(), 0o440, b"k");
        assert!(read_secret(beside.to_str().unwrap(), Some(&folder.path().join("inner"))).is_err());
    }

    #[test]
    fn a_credential_without_systemd_says_so() {
        let error = read_secret("credential:signer", None).unwrap_err().to_string();
        assert!(error.starts_with("credential:signer cannot be found: $CREDENTIALS_DIRECTORY is not set"), "{error}");
    }

    #[test]
    fn only_regular_files_with_something_in_them_are_read() {
        let folder = tempfile::tempdir().unwrap();
        let as_text = |path: &Path| path.to_str().unwrap().to_owned();
        assert!(matches!(read_secret(&as_text(folder.path()), None), Err(FileError::NotAFile { .. })));
        assert!(matches!(read_secret("/dev/null", None), Err(FileError::NotAFile { .. })));
        let absent = as_text(&folder.path().join("absent"));
        assert!(matches!(read_secret(&absent, None), Err(FileError::Unreadable { .. })));
        assert!(matches!(read_secret(&file(folder.path(), 0o600, b""), None), Err(FileError::Empty { .. })));
        for (size, allowed) in [(1024 * 1024, true), (1024 * 1024 + 1, false)] {
            let read = read_secret(&file(folder.path(), 0o600, &vec![b'k'; size]), None);
            assert_eq!(read.is_ok(), allowed, "{size}");
        }
    }

    #[test]
    fn a_pipe_does_not_block() {
        let folder = tempfile::tempdir().unwrap();
        let pipe = folder.path().join("pipe");
        let mode = rustix::fs::Mode::from_raw_mode(0o600);
        rustix::fs::mknodat(rustix::fs::CWD, &pipe, rustix::fs::FileType::Fifo, mode, 0).unwrap();
        assert!(matches!(read_secret(pipe.to_str().unwrap(), None), Err(FileError::NotAFile { .. })));
    }

    #[test]
    fn a_certificate_may_be_read_by_all() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(read_public(&file(folder.path(), 0o644, b"c")).unwrap(), b"c");
    }
}
