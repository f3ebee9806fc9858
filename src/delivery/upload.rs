//! Sealed bytes to a complete temporary file: what READY stands for.
//!
//! Invariants: a temporary name is created exclusively and never opened twice; every write and the close are checked;
//! length (where it can be seen) and SHA-256 of what was sent equal the ledger's; the mode is set now, because nothing
//! is touched after the rename.

use std::io::Read;
use std::ops::ControlFlow;
use std::time::{Duration, Instant};

use sha2::{Digest, Sha256};

use super::{DeliveryError, Place, Remote, Seen};
use crate::spool::SealedFile;

/// `ssh2` has many packets under way only within one write, so writes are large.
const BLOCK: usize = 4 * 1024 * 1024;

/// A complete temporary file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Uploaded {
    /// Its length.
    pub size_bytes: u64,
    /// Whether the destination confirmed the length; a write-only one does not.
    pub size_seen: bool,
    /// Whether it has the destination's `file_mode`; some refuse that.
    pub mode_set: bool,
    /// Older temporary files of ours that the destination would not let us remove.
    pub left_over: Vec<String>,
}

/// Uploads under `temporary_name` (a new one for each attempt), after removing older attempts. `progress` gets the
/// bytes acknowledged so far, after each write; where it breaks, no further one is begun (fault 30).
///
/// # Errors
/// [`DeliveryError`]. The connection may be cut then, and an incomplete temporary file be left: [`clean`] it over a
/// new connection, in this run where the class is not [`super::RetryClass::Retry`], else with the next attempt.
pub fn upload(
    remote: &mut dyn Remote,
    sealed: &SealedFile,
    temporary_name: &str,
    older_temporary_names: &[String],
    deadline: Duration,
    progress: &mut dyn FnMut(u64) -> ControlFlow<()>,
) -> Result<Uploaded, DeliveryError> {
    let started = Instant::now();
    let left_over = clean(remote, older_temporary_names)?;
    remote.allow(deadline);
    remote.create(temporary_name)?;
    let mut late = |remote: &dyn Remote| match started.elapsed() < deadline {
        true => Ok(()),
        false => Err(DeliveryError::Deadline {
            destination: remote.name().to_owned(),
            subject: remote.path(Place::Temporary(temporary_name)),
            deadline_s: deadline.as_secs(),
        }),
    };
    let sent = match send(remote, sealed, &mut late, progress).and_then(|sent| remote.close().map(|()| sent)) {
        Ok(sent) => sent,
        Err(error) => {
            remote.cut();
            return Err(error);
        }
    };
    let verified = verify(remote, sealed, temporary_name, &sent);
    if verified.is_err() {
        // It is complete yet wrong. A failure to remove it is less important than why, and is made up for later.
        let _ = clean(remote, &[temporary_name.to_owned()]);
    }
    let (size_seen, mode_set) = verified?;
    Ok(Uploaded { size_bytes: sealed.size_bytes(), size_seen, mode_set, left_over })
}

/// Removes temporary files of ours; absent ones are fine. Returns those the destination would not let go.
///
/// # Errors
/// No answer.
pub fn clean(remote: &mut dyn Remote, temporary_names: &[String]) -> Result<Vec<String>, DeliveryError> {
    let mut kept = Vec::new();
    for name in temporary_names {
        match remote.unlink(name) {
            Ok(()) | Err(DeliveryError::Refused { refusal: super::Refusal::NoSuchFile, .. }) => {}
            Err(DeliveryError::Refused { .. }) => kept.push(name.clone()),
            Err(error) => return Err(error),
        }
    }
    Ok(kept)
}

/// Streams the file; gives the SHA-256 of what went out.
fn send(
    remote: &mut dyn Remote,
    sealed: &SealedFile,
    late: &mut dyn FnMut(&dyn Remote) -> Result<(), DeliveryError>,
    progress: &mut dyn FnMut(u64) -> ControlFlow<()>,
) -> Result<String, DeliveryError> {
    let mut source = sealed.open()?;
    let mut hasher = Sha256::new();
    let mut block = vec![0; BLOCK];
    let mut sent = 0;
    loop {
        let filled = fill(&mut source, &mut block)
            .map_err(|source| DeliveryError::Read { path: sealed.path().to_owned(), source })?;
        if filled == 0 {
            return Ok(hex::encode(hasher.finalize()));
        }
        late(remote)?;
        remote.write(&block[..filled])?;
        hasher.update(&block[..filled]);
        sent += filled as u64;
        if progress(sent).is_break() {
            return Err(DeliveryError::Stopped {
                destination: remote.name().to_owned(),
                subject: sealed.path().display().to_string(),
            });
        }
    }
}

fn fill(source: &mut impl Read, block: &mut [u8]) -> std::io::Result<usize> {
    let mut filled = 0;
    while filled < block.len() {
        match source.read(&mut block[filled..])? {
            0 => break,
            read => filled += read,
        }
    }
    Ok(filled)
}

/// Whether the length was seen, and whether the mode was set.
fn verify(
    remote: &mut dyn Remote,
    sealed: &SealedFile,
    temporary_name: &str,
    sent: &str,
) -> Result<(bool, bool), DeliveryError> {
    if sent != sealed.sha256() {
        return Err(DeliveryError::Changed {
            destination: remote.name().to_owned(),
            subject: remote.path(Place::Temporary(temporary_name)),
            expected: sealed.sha256().to_owned(),
            sent: sent.to_owned(),
        });
    }
    let mode_set = match remote.set_mode(temporary_name) {
        Ok(()) => true,
        Err(DeliveryError::Refused { .. }) => false,
        Err(error) => return Err(error),
    };
    let place = Place::Temporary(temporary_name);
    let size = |remote: &dyn Remote, found| DeliveryError::Size {
        destination: remote.name().to_owned(),
        subject: remote.path(place),
        sent: sealed.size_bytes(),
        found,
    };
    match remote.stat(place)? {
        Seen::Present { size_bytes: Some(found) } if found != sealed.size_bytes() => Err(size(remote, found)),
        Seen::Present { size_bytes: Some(_) } => Ok((true, mode_set)),
        Seen::Present { size_bytes: None } | Seen::Hidden => Ok((false, mode_set)),
        // Somebody swept it already: as if nothing had arrived.
        Seen::Absent => Err(size(remote, 0)),
    }
}
