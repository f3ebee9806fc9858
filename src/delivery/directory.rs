//! A folder on this host as destination: the same guarantees, without a network.
//!
//! A rename never overwrites: `renameat2` with `RENAME_NOREPLACE`, and on file systems without it a hard link, which
//! fails where the name is taken, followed by removing the temporary name.

use std::fmt;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::fs::{CWD, RenameFlags, renameat_with};
use rustix::io::Errno;

use super::settings::DirectorySettings;
use super::{DeliveryError, Identity, Place, Refusal, Remote, Seen, Step, octal};

/// An open folder.
pub(super) struct DirectoryRemote {
    name: String,
    directory: PathBuf,
    temporary_directory: PathBuf,
    file_mode: u32,
    identity: Identity,
    created: Option<(String, File)>,
}

impl fmt::Debug for DirectoryRemote {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DirectoryRemote({})", self.directory.display())
    }
}

impl DirectoryRemote {
    pub(super) fn open(settings: &DirectorySettings) -> Result<Self, DeliveryError> {
        let directory = PathBuf::from(&settings.directory);
        let temporary_directory =
            settings.temporary_directory.as_ref().map_or_else(|| directory.clone(), PathBuf::from);
        let identity = Identity {
            host_key: "local".to_owned(),
            user: rustix::process::geteuid().as_raw().to_string(),
            directory: real(&directory),
            temporary_directory: real(&temporary_directory),
        };
        let file_mode = octal(&settings.name, &settings.file_mode)?;
        Ok(Self { name: settings.name.clone(), directory, temporary_directory, file_mode, identity, created: None })
    }

    fn at(&self, place: Place<'_>) -> PathBuf {
        match place {
            Place::Temporary(name) => self.temporary_directory.join(name),
            Place::Final(name) => self.directory.join(name),
            Place::TemporaryFolder => self.temporary_directory.clone(),
            Place::FinalFolder => self.directory.clone(),
        }
    }

    fn error(&self, step: Step, place: Place<'_>, error: &io::Error) -> DeliveryError {
        self.refused(step, place, refusal(error.kind()))
    }

    fn sync_folders(&self) -> io::Result<()> {
        File::open(&self.directory)?.sync_all()?;
        File::open(&self.temporary_directory)?.sync_all()
    }
}

impl Remote for DirectoryRemote {
    fn name(&self) -> &str {
        &self.name
    }

    fn identity(&self) -> &Identity {
        &self.identity
    }

    fn path(&self, place: Place<'_>) -> String {
        self.at(place).display().to_string()
    }

    fn stat(&mut self, place: Place<'_>) -> Result<Seen, DeliveryError> {
        // Not followed: a symbolic link under a final name is a taken name too.
        Ok(match fs::symlink_metadata(self.at(place)) {
            Ok(found) => Seen::Present { size_bytes: Some(found.len()) },
            Err(error) if error.kind() == io::ErrorKind::NotFound => Seen::Absent,
            Err(_) => Seen::Hidden,
        })
    }

    fn allow(&mut self, _deadline: Duration) {
        // No write to a folder waits for another host.
    }

    fn create(&mut self, temporary_name: &str) -> Result<(), DeliveryError> {
        let place = Place::Temporary(temporary_name);
        let file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(self.at(place))
            .map_err(|error| self.error(Step::Create, place, &error))?;
        self.created = Some((temporary_name.to_owned(), file));
        Ok(())
    }

    fn write(&mut self, bytes: &[u8]) -> Result<(), DeliveryError> {
        let written = match &mut self.created {
            Some((_, file)) => file.write_all(bytes),
            None => Err(io::Error::from(io::ErrorKind::NotFound)),
        };
        let name = self.created.as_ref().map_or("", |(name, _)| name);
        written.map_err(|error| self.error(Step::Write, Place::Temporary(name), &error))
    }

    fn close(&mut self) -> Result<(), DeliveryError> {
        match self.created.take() {
            Some((name, file)) => {
                file.sync_all().map_err(|error| self.error(Step::Close, Place::Temporary(&name), &error))
            }
            None => Ok(()),
        }
    }

    fn set_mode(&mut self, temporary_name: &str) -> Result<(), DeliveryError> {
        let place = Place::Temporary(temporary_name);
        fs::set_permissions(self.at(place), fs::Permissions::from_mode(self.file_mode))
            .map_err(|error| self.error(Step::SetMode, place, &error))
    }

    fn rename(&mut self, temporary_name: &str, final_name: &str) -> Result<(), DeliveryError> {
        let (from, to) = (self.at(Place::Temporary(temporary_name)), self.at(Place::Final(final_name)));
        let renamed = rename_without_overwriting(&from, &to);
        renamed.map_err(|error| self.error(Step::Rename, Place::Final(final_name), &error))?;
        // The rename has happened: a folder that cannot be synced does not undo it, and saying so would send it twice.
        let _ = self.sync_folders();
        Ok(())
    }

    fn unlink(&mut self, temporary_name: &str) -> Result<(), DeliveryError> {
        let place = Place::Temporary(temporary_name);
        fs::remove_file(self.at(place)).map_err(|error| self.error(Step::Unlink, place, &error))
    }

    fn mode(&mut self, temporary_name: &str) -> Result<Option<u32>, DeliveryError> {
        let found = fs::symlink_metadata(self.at(Place::Temporary(temporary_name)));
        Ok(found.ok().map(|found| found.permissions().mode() & 0o777))
    }

    fn free_bytes(&mut self) -> Result<Option<u64>, DeliveryError> {
        let told = rustix::fs::statvfs(&self.temporary_directory);
        Ok(told.ok().map(|told| told.f_bavail.saturating_mul(told.f_frsize)))
    }

    fn cut(&mut self) {
        self.created = None;
    }
}

fn rename_without_overwriting(from: &Path, to: &Path) -> io::Result<()> {
    match renameat_with(CWD, from, CWD, to, RenameFlags::NOREPLACE) {
        Err(Errno::INVAL | Errno::NOSYS | Errno::OPNOTSUPP) => {
            fs::hard_link(from, to)?;
            // The final name stands: a temporary one that stays is a left-over, not a failure.
            let _ = fs::remove_file(from);
            Ok(())
        }
        renamed => renamed.map_err(io::Error::from),
    }
}

/// The path without links and dots; as written where it cannot be resolved.
fn real(folder: &Path) -> String {
    fs::canonicalize(folder).unwrap_or_else(|_| folder.to_owned()).display().to_string()
}

fn refusal(kind: io::ErrorKind) -> Refusal {
    match kind {
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => Refusal::NoSuchFile,
        io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => Refusal::PermissionDenied,
        io::ErrorKind::AlreadyExists => Refusal::AlreadyExists,
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::FileTooLarge => Refusal::NoSpace,
        io::ErrorKind::Unsupported | io::ErrorKind::CrossesDevices => Refusal::Unsupported,
        _ => Refusal::Failure,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn r137_the_rename_and_its_fallback_never_overwrite() {
        let home = tempfile::tempdir().unwrap();
        let (from, to) = (home.path().join("from"), home.path().join("to"));
        fs::write(&from, "ours").unwrap();
        fs::write(&to, "theirs").unwrap();
        assert_eq!(rename_without_overwriting(&from, &to).unwrap_err().kind(), io::ErrorKind::AlreadyExists);
        assert_eq!(fs::hard_link(&from, &to).unwrap_err().kind(), io::ErrorKind::AlreadyExists);
        assert_eq!(fs::read_to_string(&to).unwrap(), "theirs");
        fs::remove_file(&to).unwrap();
        rename_without_overwriting(&from, &to).unwrap();
        assert_eq!((fs::read_to_string(&to).unwrap().as_str(), from.exists()), ("ours", false));
    }
}
