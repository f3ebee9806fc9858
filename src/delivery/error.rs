//! Why a delivery failed, by phase, and what that means for another try.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::spool::SpoolError;

/// What was being done at the destination.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// TCP, including the address look-up.
    Connect,
    /// SSH banner and key exchange.
    Negotiate,
    /// Proving who we are.
    Authenticate,
    /// The SFTP subsystem.
    OpenSftp,
    /// Looking at a name.
    Stat,
    /// Creating the temporary file.
    Create,
    /// Sending its bytes.
    Write,
    /// Closing it.
    Close,
    /// `file_mode`.
    SetMode,
    /// Publishing it.
    Rename,
    /// Removing a temporary file.
    Unlink,
}

impl Step {
    /// The word for events.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Connect => "connect",
            Self::Negotiate => "negotiate",
            Self::Authenticate => "authenticate",
            Self::OpenSftp => "open-sftp",
            Self::Stat => "stat",
            Self::Create => "create",
            Self::Write => "write",
            Self::Close => "close",
            Self::SetMode => "set-mode",
            Self::Rename => "rename",
            Self::Unlink => "unlink",
        }
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Connect => "connect to",
            Self::Negotiate => "negotiate SSH with",
            Self::Authenticate => "authenticate at",
            Self::OpenSftp => "open SFTP at",
            Self::Stat => "stat",
            Self::Create => "create",
            Self::Write => "write",
            Self::Close => "close",
            Self::SetMode => "set the mode of",
            Self::Rename => "rename to",
            Self::Unlink => "remove",
        })
    }
}

/// What a destination answered instead of doing it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Refusal {
    /// No such file or folder.
    NoSuchFile,
    /// Not allowed.
    PermissionDenied,
    /// The name is taken.
    AlreadyExists,
    /// Disk or quota full.
    NoSpace,
    /// It cannot do that at all.
    Unsupported,
    /// No more than that it did not; SFTP version 3 calls most things `failure`, a full disk too.
    Failure,
    /// A status we do not know, by its number: a person has to ask the house.
    Other(i32),
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Other(status) => return write!(f, "status {status}"),
            Self::NoSuchFile => "no such file or folder",
            Self::PermissionDenied => "permission denied",
            Self::AlreadyExists => "the name is taken",
            Self::NoSpace => "no space left",
            Self::Unsupported => "not supported",
            Self::Failure => "failure",
        })
    }
}

/// Whether another try makes sense. What nobody can decide is not here: it is [`super::Outcome::Uncertain`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RetryClass {
    /// Again after a pause, within the attempts of the destination.
    Retry,
    /// Not again in this run; other files of the destination may go on.
    PermanentTonight,
    /// Nothing more to this destination in this run: another try could lock us out, or talk to a stranger.
    StopDestination,
    /// Not again by itself: the answer says nothing we know, so a person asks the house what it means.
    AskOperator,
}

impl RetryClass {
    /// The word for events.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Retry => "RETRY",
            Self::PermanentTonight => "PERMANENT_TONIGHT",
            Self::StopDestination => "STOP_DESTINATION",
            Self::AskOperator => "ASK_OPERATOR",
        }
    }
}

/// Why a delivery failed.
#[derive(Debug, thiserror::Error)]
pub enum DeliveryError {
    /// The settings cannot be used.
    #[error("destination {destination}: {reason}")]
    Settings {
        /// Its name.
        destination: String,
        /// What is wrong.
        reason: String,
    },
    /// Our private key cannot be read.
    #[error("destination {destination}: our private key cannot be used ({reason}); check key_file and passphrase_file")]
    PrivateKey {
        /// Its name.
        destination: String,
        /// What the library said.
        reason: String,
    },
    /// Another server answered, or its keys were changed (fault 18).
    #[error(
        "destination {destination}: the host key of {address} is not the pinned one: expected {expected}, found {found}; nothing was sent. Ask the house by telephone, then change host_keys"
    )]
    HostKey {
        /// Its name.
        destination: String,
        /// Host and port.
        address: String,
        /// The pins.
        expected: String,
        /// Every key the server showed.
        found: String,
    },
    /// Refused; tried once only (fault 19).
    #[error(
        "destination {destination} refused user {user} with our key ({reason}); ask the house to admit it, it is not tried again because houses lock accounts"
    )]
    Authentication {
        /// Its name.
        destination: String,
        /// As whom.
        user: String,
        /// What the server said.
        reason: String,
    },
    /// No answer: connection refused, reset, timed out.
    #[error("destination {destination} did not answer when asked to {step} {subject}: {reason}")]
    Lost {
        /// Its name.
        destination: String,
        /// What was being done.
        step: Step,
        /// Host and port, or the path.
        subject: String,
        /// What the connection said.
        reason: String,
    },
    /// An answer, and it was no.
    #[error("destination {destination} refused to {step} {subject}: {refusal}{}", hint(*step, *refusal))]
    Refused {
        /// Its name.
        destination: String,
        /// What was being done.
        step: Step,
        /// Host and port, or the path.
        subject: String,
        /// The answer.
        refusal: Refusal,
    },
    /// Not done in time.
    #[error("destination {destination}: {subject} was not uploaded within {deadline_s} s")]
    Deadline {
        /// Its name.
        destination: String,
        /// The path.
        subject: String,
        /// The limit.
        deadline_s: u64,
    },
    /// The run was told to stop, and no further write was begun.
    #[error("destination {destination}: the upload of {subject} was stopped half-way; the next run uploads it again")]
    Stopped {
        /// Its name.
        destination: String,
        /// The spool's file.
        subject: String,
    },
    /// The temporary file is not as long as what was sent.
    #[error(
        "destination {destination}: {subject} has {found} bytes there after {sent} were acknowledged; it was removed"
    )]
    Size {
        /// Its name.
        destination: String,
        /// The path.
        subject: String,
        /// Sent.
        sent: u64,
        /// Found.
        found: u64,
    },
    /// The bytes read for sending are not those of the ledger; the temporary file was removed.
    #[error(
        "destination {destination}: the sealed bytes changed while they were written to {subject}: the ledger says {expected}, sent was {sent}; look at the spool's disk"
    )]
    Changed {
        /// Its name.
        destination: String,
        /// The path.
        subject: String,
        /// SHA-256 of the ledger.
        expected: String,
        /// SHA-256 of what was sent.
        sent: String,
    },
    /// The spool could not be read.
    #[error(transparent)]
    Spool(#[from] SpoolError),
    /// The spool could not be read to its end.
    #[error("the sealed bytes of {path} cannot be read")]
    Read {
        /// The spool's file.
        path: std::path::PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
}

fn hint(step: Step, refusal: Refusal) -> &'static str {
    match (step, refusal) {
        (Step::Write, Refusal::Failure | Refusal::NoSpace) => "; most likely its disk or our quota is full",
        (Step::Create | Step::Rename | Step::Stat, Refusal::NoSuchFile) => "; does the folder exist?",
        (_, Refusal::PermissionDenied) => "; ask the house for the permission",
        (Step::OpenSftp, Refusal::Unsupported) => "; ask the house to let our user use SFTP",
        (_, Refusal::Other(_)) => "; ask the house what its server means by that",
        _ => "",
    }
}

impl DeliveryError {
    /// The phase it failed in, as a word for events.
    pub fn phase(&self) -> &'static str {
        match self {
            Self::Settings { .. } | Self::PrivateKey { .. } => "settings",
            Self::HostKey { .. } => Step::Negotiate.as_str(),
            Self::Authentication { .. } => Step::Authenticate.as_str(),
            Self::Lost { step, .. } | Self::Refused { step, .. } => step.as_str(),
            Self::Deadline { .. } | Self::Stopped { .. } => Step::Write.as_str(),
            Self::Size { .. } => Step::Close.as_str(),
            Self::Changed { .. } | Self::Spool(_) | Self::Read { .. } => "spool",
        }
    }

    /// Whether to try again; by phase and answer, never by the text.
    pub fn retry_class(&self) -> RetryClass {
        match self {
            Self::Lost { .. } | Self::Deadline { .. } | Self::Size { .. } => RetryClass::Retry,
            Self::Refused { step, refusal, .. } => refused_class(*step, *refusal),
            Self::Changed { .. } | Self::Spool(_) | Self::Read { .. } | Self::Stopped { .. } => {
                RetryClass::PermanentTonight
            }
            Self::Settings { .. } | Self::PrivateKey { .. } | Self::HostKey { .. } | Self::Authentication { .. } => {
                RetryClass::StopDestination
            }
        }
    }
}

fn refused_class(step: Step, refusal: Refusal) -> RetryClass {
    match (step, refusal) {
        (_, Refusal::Other(_)) => RetryClass::AskOperator,
        // A full disk or quota shows only here, as a plain failure (fault 14).
        (Step::Write, _) => RetryClass::PermanentTonight,
        (_, Refusal::NoSuchFile | Refusal::PermissionDenied | Refusal::NoSpace | Refusal::Unsupported) => {
            RetryClass::PermanentTonight
        }
        (
            Step::Connect
            | Step::Negotiate
            | Step::Authenticate
            | Step::OpenSftp
            | Step::Stat
            | Step::Create
            | Step::Close
            | Step::SetMode
            | Step::Rename
            | Step::Unlink,
            Refusal::AlreadyExists | Refusal::Failure,
        ) => RetryClass::Retry,
    }
}

#[cfg(test)]
mod tests;
