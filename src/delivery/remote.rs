//! What a transport can do. Everything else is written once, above it.

use std::fmt;
use std::time::Duration;

use super::{DeliveryError, Refusal, Step};

/// Where at the destination.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place<'a> {
    /// A temporary name of ours.
    Temporary(&'a str),
    /// A final name.
    Final(&'a str),
    /// The folder of temporary names.
    TemporaryFolder,
    /// The folder of final names.
    FinalFolder,
}

/// What a look showed. No answer at all is an error instead.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Seen {
    /// It is there.
    Present {
        /// Its length, where the destination tells.
        size_bytes: Option<u64>,
    },
    /// It is not there.
    Absent,
    /// The destination does not let us look (fault 16).
    Hidden,
}

/// Which destination this is: written before the first remote byte, compared before a rename is believed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// `SHA256:...` of the host key, or `local`.
    pub host_key: String,
    /// The user we are there.
    pub user: String,
    /// Real path of the folder of final names.
    pub directory: String,
    /// Real path of the folder of temporary names.
    pub temporary_directory: String,
}

impl fmt::Display for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} {} {}", self.host_key, self.user, self.directory, self.temporary_directory)
    }
}

/// One open destination. Calls block, each within its own timeout; dropping never does.
///
/// A call's error is [`DeliveryError::Refused`] where the destination answered and [`DeliveryError::Lost`] where it did
/// not; after the latter the connection is of no more use.
pub trait Remote: Send + fmt::Debug {
    /// The destination's name in the configuration.
    fn name(&self) -> &str;

    /// Which destination this is.
    fn identity(&self) -> &Identity;

    /// The path of a place, for people.
    fn path(&self, place: Place<'_>) -> String;

    /// Looks at a place.
    fn stat(&mut self, place: Place<'_>) -> Result<Seen, DeliveryError>;

    /// From now on an upload may take so long, and no longer: where one write takes long, it is ended in the middle.
    fn allow(&mut self, deadline: Duration);

    /// Creates a temporary file, which must not exist, and opens it for writing.
    fn create(&mut self, temporary_name: &str) -> Result<(), DeliveryError>;

    /// Writes to the created file. Some bytes may still be on their way when this returns: whether the destination took
    /// every one is told by [`close`](Remote::close).
    fn write(&mut self, bytes: &[u8]) -> Result<(), DeliveryError>;

    /// Waits until every byte is acknowledged, asks for durability where the destination knows how, closes the created file and checks the answer.
    fn close(&mut self) -> Result<(), DeliveryError>;

    /// Gives a temporary file the destination's `file_mode`.
    fn set_mode(&mut self, temporary_name: &str) -> Result<(), DeliveryError>;

    /// Renames, in a way that does not overwrite where the destination offers one.
    fn rename(&mut self, temporary_name: &str, final_name: &str) -> Result<(), DeliveryError>;

    /// Removes a temporary file.
    fn unlink(&mut self, temporary_name: &str) -> Result<(), DeliveryError>;

    /// The mode of a temporary file, where the destination shows it; for the probe.
    ///
    /// # Errors
    /// No answer.
    fn mode(&mut self, temporary_name: &str) -> Result<Option<u32>, DeliveryError>;

    /// Bytes that are free where the created file stands, where the destination tells; for the probe.
    ///
    /// # Errors
    /// No answer.
    fn free_bytes(&mut self) -> Result<Option<u64>, DeliveryError>;

    /// Ends the connection at once, without closing the created file: a CLOSE could make the receiver take half a
    /// file for a whole one (fault 17).
    fn cut(&mut self);

    /// The error for an answer about a place.
    fn refused(&self, step: Step, place: Place<'_>, refusal: Refusal) -> DeliveryError {
        DeliveryError::Refused { destination: self.name().to_owned(), step, subject: self.path(place), refusal }
    }
}
