//! From a sealed file to a receipt: upload under a temporary name, check, rename.
//!
//! Invariants: what is sent comes from a [`SealedFile`](crate::spool::SealedFile), so never plaintext; a final name is
//! never overwritten and, once renamed, never touched again (R137); the algorithm stands once, above [`Remote`].
//! Why a temporary name: only we create it and only our rename removes it, so it is the commit record at a house whose
//! answers may be lost.
//!
//! Everything here blocks: the conductor moves it to a thread of its own.

mod directory;
mod error;
mod host_key;
pub mod probe;
mod publish;
mod remote;
pub mod settings;
mod sftp;
mod upload;

use std::fmt;

use zeroize::Zeroizing;

pub use error::{DeliveryError, Refusal, RetryClass, Step};
pub use publish::{FinalName, How, Outcome, RenameOrder, look, rename};
pub use remote::{Identity, Place, Remote, Seen};
pub use upload::{Uploaded, clean, upload};

use settings::DestinationSettings;

/// What opens a destination. Empty for a directory.
#[derive(Clone, Default)]
pub struct DestinationSecrets {
    /// OpenSSH or PEM private key.
    pub private_key: Zeroizing<String>,
    /// Its passphrase.
    pub passphrase: Option<Zeroizing<String>>,
}

impl fmt::Debug for DestinationSecrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("DestinationSecrets(***)")
    }
}

/// Opens a destination: one connection, one try.
///
/// # Errors
/// By phase: no connection ([`RetryClass::Retry`]), another host key or refused authentication
/// ([`RetryClass::StopDestination`]).
pub fn connect(settings: &DestinationSettings, secrets: &DestinationSecrets) -> Result<Box<dyn Remote>, DeliveryError> {
    Ok(match settings {
        DestinationSettings::Sftp(sftp) => Box::new(sftp::SftpRemote::connect(sftp, secrets)?),
        DestinationSettings::Directory(directory) => Box::new(directory::DirectoryRemote::open(directory)?),
    })
}

/// What `emboss check` saw at a destination.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checked {
    /// Where we are.
    pub identity: Identity,
    /// Whether the destination lets us see the folders: `false` is the write-only profile.
    pub can_stat: bool,
}

/// Looks at the folders of an open destination; creates nothing.
///
/// # Errors
/// A folder that is missing, or no answer.
pub fn check(remote: &mut dyn Remote) -> Result<Checked, DeliveryError> {
    let mut can_stat = true;
    for place in [Place::FinalFolder, Place::TemporaryFolder] {
        match remote.stat(place)? {
            Seen::Present { .. } => {}
            Seen::Hidden => can_stat = false,
            Seen::Absent => return Err(remote.refused(Step::Stat, place, Refusal::NoSuchFile)),
        }
    }
    Ok(Checked { identity: remote.identity().clone(), can_stat })
}

/// `file_mode` of the configuration: octal digits.
fn octal(destination: &str, file_mode: &str) -> Result<u32, DeliveryError> {
    u32::from_str_radix(file_mode, 8).ok().filter(|mode| *mode <= 0o777).ok_or_else(|| DeliveryError::Settings {
        destination: destination.to_owned(),
        reason: format!("file_mode {file_mode} must be octal, for example 0640"),
    })
}
