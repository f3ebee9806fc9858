//! SFTP version 3 over libssh2, blocking.
//!
//! Invariants: nothing is sent before the host key is found among the pinned ones; authentication is tried once; the
//! rename is the plain one of version 3, which OpenSSH does not overwrite with; dropping never waits for the other side
//! (the TCP socket is shut first: libssh2 would otherwise wait one timeout for each open handle, fault 13).

mod connection;
mod window;

use std::fmt;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use ssh2::{ErrorCode, FileStat, OpenFlags, OpenType, RenameFlags, Sftp};

use super::settings::SftpSettings;
use super::{DeliveryError, DestinationSecrets, Identity, Place, Refusal, Remote, Seen, Step, octal};
use crate::fault::{self, Point};
use connection::Connection;
use window::Window;

/// LIBSSH2_ERROR_SFTP_PROTOCOL: the server answered with a status.
const STATUS_ANSWER: i32 = -31;

/// An open SFTP session.
pub(super) struct SftpRemote {
    // In this order: dropped from the top, once the socket is shut.
    created: Option<Created>,
    sftp: Sftp,
    connection: Connection,
    name: String,
    directory: PathBuf,
    temporary_directory: PathBuf,
    file_mode: u32,
    inactivity: Duration,
    /// The end of an upload and how long it was allowed to take.
    until: Option<(Instant, Duration)>,
    identity: Identity,
}

struct Created {
    name: String,
    file: ssh2::File,
    window: Window,
}

impl fmt::Debug for SftpRemote {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SftpRemote({} {})", self.name, self.identity)
    }
}

impl SftpRemote {
    pub(super) fn connect(settings: &SftpSettings, secrets: &DestinationSecrets) -> Result<Self, DeliveryError> {
        let file_mode = octal(&settings.name, &settings.file_mode)?;
        let connection = Connection::open(settings, secrets)?;
        let sftp = connection.sftp()?;
        let directory = PathBuf::from(&settings.directory);
        let temporary_directory =
            settings.temporary_directory.as_ref().map_or_else(|| directory.clone(), PathBuf::from);
        let mut remote = Self {
            created: None,
            identity: Identity {
                host_key: connection.host_key().to_owned(),
                user: settings.user.clone(),
                directory: String::new(),
                temporary_directory: String::new(),
            },
            sftp,
            connection,
            name: settings.name.clone(),
            directory,
            temporary_directory,
            file_mode,
            inactivity: Duration::from_secs(settings.inactivity_timeout_s),
            until: None,
        };
        remote.identity.directory = remote.real(Place::FinalFolder)?;
        remote.identity.temporary_directory = remote.real(Place::TemporaryFolder)?;
        Ok(remote)
    }

    /// The real path of a folder; as written where the server does not tell.
    fn real(&self, folder: Place<'_>) -> Result<String, DeliveryError> {
        let path = self.at(folder);
        match self.sftp.realpath(&path) {
            Ok(real) => Ok(real.display().to_string()),
            Err(error) => match self.error(Step::Stat, folder, &error) {
                DeliveryError::Refused { .. } => Ok(path.display().to_string()),
                lost => Err(lost),
            },
        }
    }

    fn at(&self, place: Place<'_>) -> PathBuf {
        match place {
            Place::Temporary(name) => self.temporary_directory.join(name),
            Place::Final(name) => self.directory.join(name),
            Place::TemporaryFolder => self.temporary_directory.clone(),
            Place::FinalFolder => self.directory.clone(),
        }
    }

    fn error(&self, step: Step, place: Place<'_>, error: &ssh2::Error) -> DeliveryError {
        match refusal(error.code()) {
            Some(refusal) => self.refused(step, place, refusal),
            None => self.lost(step, place, error.message()),
        }
    }

    fn lost(&self, step: Step, place: Place<'_>, reason: &str) -> DeliveryError {
        let (destination, subject) = (self.name.clone(), self.path(place));
        DeliveryError::Lost { destination, step, subject, reason: reason.to_owned() }
    }

    /// An error of `Write` has lost the status; the session still knows whether there was one.
    fn write_error(&self, name: &str, error: &std::io::Error) -> DeliveryError {
        let place = Place::Temporary(name);
        match self.connection.last_code() {
            Some(STATUS_ANSWER) => self.refused(Step::Write, place, Refusal::Failure),
            _ => self.lost(Step::Write, place, &error.to_string()),
        }
    }

    /// One call: sends what is shown and waits for the next acknowledgement.
    fn send(&mut self, created: &mut Created) -> Result<(), DeliveryError> {
        let begun = Instant::now();
        loop {
            self.in_time(&created.name)?;
            match created.file.write(created.window.shown()) {
                // The server's window is full and nothing is acknowledged yet.
                Ok(0) if begun.elapsed() >= self.inactivity => {
                    return Err(self.lost(Step::Write, Place::Temporary(&created.name), "no byte was acknowledged"));
                }
                Ok(0) => {}
                Ok(acknowledged) => {
                    created.window.acknowledge(acknowledged, self.inactivity / 16);
                    fault::reach(Point::Uploading);
                    return Ok(());
                }
                Err(error) => return Err(self.write_error(&created.name, &error)),
            }
        }
    }

    /// Acknowledged byte by byte, a window could take longer than a whole file may.
    fn in_time(&self, name: &str) -> Result<(), DeliveryError> {
        match self.until {
            Some((until, deadline)) if Instant::now() >= until => Err(DeliveryError::Deadline {
                destination: self.name.clone(),
                subject: self.path(Place::Temporary(name)),
                deadline_s: deadline.as_secs(),
            }),
            Some(_) | None => Ok(()),
        }
    }

    fn write_to(&mut self, created: &mut Created, bytes: &[u8]) -> Result<(), DeliveryError> {
        if bytes.is_empty() {
            return Ok(());
        }
        created.window.put(bytes);
        self.send(created)?;
        while created.window.is_over_full() {
            self.send(created)?;
        }
        Ok(())
    }

    fn finish(&mut self, created: &mut Created) -> Result<(), DeliveryError> {
        while created.window.waiting() > 0 {
            self.send(created)?;
        }
        let place = Place::Temporary(&created.name);
        if let Err(error) = created.file.fsync() {
            let error = self.error(Step::Close, place, &error);
            // Many servers know no fsync, write-only ones deny it (fault 16).
            if matches!(error, DeliveryError::Lost { .. }) {
                return Err(error);
            }
        }
        Ok(())
    }
}

impl Remote for SftpRemote {
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
        match self.sftp.lstat(&self.at(place)) {
            Ok(found) => Ok(Seen::Present { size_bytes: found.size }),
            Err(error) => match self.error(Step::Stat, place, &error) {
                DeliveryError::Refused { refusal: Refusal::NoSuchFile, .. } => Ok(Seen::Absent),
                DeliveryError::Refused { .. } => Ok(Seen::Hidden),
                lost => Err(lost),
            },
        }
    }

    fn allow(&mut self, deadline: Duration) {
        self.until = Some((Instant::now() + deadline, deadline));
    }

    fn create(&mut self, temporary_name: &str) -> Result<(), DeliveryError> {
        let place = Place::Temporary(temporary_name);
        let flags = OpenFlags::WRITE | OpenFlags::EXCLUSIVE;
        // The mode now as well, for servers that refuse to set it later; nine bits always fit.
        let mode = i32::try_from(self.file_mode).unwrap_or(0o640);
        let file = self
            .sftp
            .open_mode(self.at(place), flags, mode, OpenType::File)
            .map_err(|error| self.error(Step::Create, place, &error))?;
        self.created = Some(Created { name: temporary_name.to_owned(), file, window: Window::new() });
        Ok(())
    }

    fn write(&mut self, bytes: &[u8]) -> Result<(), DeliveryError> {
        let Some(mut created) = self.created.take() else {
            return Err(self.refused(Step::Write, Place::TemporaryFolder, Refusal::NoSuchFile));
        };
        let written = self.write_to(&mut created, bytes);
        // Kept also after an error: dropping it here would send the CLOSE that must not be sent.
        self.created = Some(created);
        written
    }

    fn close(&mut self) -> Result<(), DeliveryError> {
        let Some(mut created) = self.created.take() else { return Ok(()) };
        if let Err(error) = self.finish(&mut created) {
            // Kept: dropping it here would send the CLOSE that must not be sent.
            self.created = Some(created);
            return Err(error);
        }
        let place = Place::Temporary(&created.name);
        created.file.close().map_err(|error| self.error(Step::Close, place, &error))
    }

    fn set_mode(&mut self, temporary_name: &str) -> Result<(), DeliveryError> {
        let place = Place::Temporary(temporary_name);
        let only_mode =
            FileStat { perm: Some(self.file_mode), size: None, uid: None, gid: None, atime: None, mtime: None };
        self.sftp.setstat(&self.at(place), only_mode).map_err(|error| self.error(Step::SetMode, place, &error))
    }

    fn rename(&mut self, temporary_name: &str, final_name: &str) -> Result<(), DeliveryError> {
        let (from, to) = (self.at(Place::Temporary(temporary_name)), self.at(Place::Final(final_name)));
        // No flags: they exist from version 5 on, and libssh2 uses OpenSSH's overwriting extension only when asked to.
        self.sftp
            .rename(&from, &to, Some(RenameFlags::empty()))
            .map_err(|error| self.error(Step::Rename, Place::Final(final_name), &error))
    }

    fn unlink(&mut self, temporary_name: &str) -> Result<(), DeliveryError> {
        let place = Place::Temporary(temporary_name);
        let path: &Path = &self.at(place);
        self.sftp.unlink(path).map_err(|error| self.error(Step::Unlink, place, &error))
    }

    fn mode(&mut self, temporary_name: &str) -> Result<Option<u32>, DeliveryError> {
        let place = Place::Temporary(temporary_name);
        match self.sftp.lstat(&self.at(place)) {
            Ok(found) => Ok(found.perm.map(|mode| mode & 0o777)),
            Err(error) => unless_lost(self.error(Step::Stat, place, &error)),
        }
    }

    fn free_bytes(&mut self) -> Result<Option<u64>, DeliveryError> {
        let Some(created) = &mut self.created else { return Ok(None) };
        match created.file.statvfs() {
            Ok(told) => Ok(Some(told.f_bavail.saturating_mul(told.f_frsize))),
            Err(error) => unless_lost(self.error(Step::Stat, Place::TemporaryFolder, &error)),
        }
    }

    fn cut(&mut self) {
        self.connection.cut();
    }
}

/// Nothing known where the answer was no; only no answer is an error.
fn unless_lost<T>(error: DeliveryError) -> Result<Option<T>, DeliveryError> {
    match error {
        DeliveryError::Refused { .. } => Ok(None),
        lost => Err(lost),
    }
}

impl Drop for SftpRemote {
    fn drop(&mut self) {
        if self.created.is_none() {
            self.connection.say_goodbye();
        }
        self.connection.cut();
    }
}

/// What a status means (draft-ietf-secsh-filexfer-02 section 7, and later codes some servers send); `None` where there
/// was no answer.
fn refusal(code: ErrorCode) -> Option<Refusal> {
    match code {
        ErrorCode::SFTP(2 | 10) => Some(Refusal::NoSuchFile),
        ErrorCode::SFTP(3 | 12) => Some(Refusal::PermissionDenied),
        ErrorCode::SFTP(8) => Some(Refusal::Unsupported),
        ErrorCode::SFTP(11) => Some(Refusal::AlreadyExists),
        ErrorCode::SFTP(14 | 15) => Some(Refusal::NoSpace),
        // 0 is no error, 6 and 7 are made up by clients: the connection is gone.
        ErrorCode::SFTP(0 | 6 | 7) | ErrorCode::Session(_) => None,
        ErrorCode::SFTP(4) => Some(Refusal::Failure),
        ErrorCode::SFTP(status) => Some(Refusal::Other(status)),
    }
}
