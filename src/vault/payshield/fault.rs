//! What went wrong between this program and a payShield, as sentences with the device, the command and what to do.
//!
//! Invariant: nothing of a command or of an answer is in them but two letters, an error code and a check value of an LMK.

use std::io;

use openssl::ssl;
use rustix::io::Errno;

use super::address::Address;
use super::frame::FrameError;

/// One try that came to nothing.
#[derive(Debug)]
pub(super) struct Fault {
    pub(super) device: Address,
    /// The command; `None` before any was sent.
    pub(super) command: Option<String>,
    pub(super) cause: Cause,
}

/// Why.
#[derive(Debug)]
pub(super) enum Cause {
    /// No connection.
    Unreachable(io::Error),
    /// No TLS over it; what came is nothing of TLS, or not to be believed.
    Tls(ssl::Error),
    /// TLS cannot even begin.
    TlsSettings(openssl::error::ErrorStack),
    /// Nothing came in time; milliseconds.
    Silent(u128),
    /// The connection ended.
    Lost(io::Error),
    /// The connection ended between TLS and the first answer over it.
    TurnedAway(io::Error),
    /// What came is not the answer.
    Frame(FrameError),
    /// The device says that it has a fault of its own.
    Busy(String),
    /// What NC is answered with, as a sentence.
    Unusable(String),
    /// Another LMK, with this check value.
    OtherLmk(String),
}

impl Fault {
    /// Whether settings must be changed before another try can help.
    pub(super) fn is_of_configuration(&self) -> bool {
        match &self.cause {
            Cause::Tls(error) => error.io_error().is_none() && error.ssl_error().is_some(),
            Cause::TlsSettings(_) | Cause::Unusable(_) | Cause::OtherLmk(_) => true,
            Cause::Frame(error) => *error == FrameError::CommandTooLong,
            Cause::Unreachable(_) | Cause::Silent(_) | Cause::Lost(_) | Cause::TurnedAway(_) | Cause::Busy(_) => false,
        }
    }
}

impl std::fmt::Display for Fault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (device, command) = (&self.device, self.command.as_deref().unwrap_or("a connection"));
        write!(f, "payment HSM {device} ")?;
        match &self.cause {
            Cause::Unreachable(error) if is_of_this_host(error) => write!(
                f,
                "was not connected to ({error}): raise how many files this program may open (LimitNOFILE of its service), or lower connections of [vault.payshield]"
            ),
            Cause::Unreachable(error) => {
                write!(f, "cannot be reached ({error}): see that it runs and that its port is open to this host")
            }
            Cause::Tls(error) => write!(
                f,
                "did not come to TLS with this program ({error}): compare the files and server_name of [vault.payshield.tls] with the device's certificates"
            ),
            Cause::TlsSettings(error) => {
                write!(f, "cannot be connected to over TLS ({error}): see the files of [vault.payshield.tls]")
            }
            Cause::Silent(milliseconds) => write!(
                f,
                "did not answer {command} within {milliseconds} ms: see whether it works and how loaded it is, then run again"
            ),
            Cause::Lost(error) => {
                write!(f, "ended the connection during {command} ({error}): see its log, then run again")
            }
            Cause::TurnedAway(error) => write!(
                f,
                "ended the connection before its first answer ({error}): see that it believes certificate_file of [vault.payshield.tls], then its log"
            ),
            Cause::Frame(FrameError::CommandTooLong) => write!(f, "cannot be asked {command}: the command is too long"),
            Cause::Frame(error) => {
                write!(f, "did not give {command} its own answer, and the connection was given up: {error}")
            }
            Cause::Busy(code) => {
                write!(f, "answers {command} with error {code}, a fault of its own: see its log, then run again")
            }
            Cause::Unusable(why) => write!(f, "is not used: {why}"),
            Cause::OtherLmk(shown) => write!(
                f,
                "has another LMK than the configuration says, with check value {shown}, and is not used: load the right LMK, or correct vault.payshield.lmk_check_value"
            ),
        }
    }
}

/// Whether nothing was sent at all, for want of a file descriptor.
fn is_of_this_host(error: &io::Error) -> bool {
    matches!(Errno::from_io_error(error), Some(Errno::MFILE | Errno::NFILE))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_device_is_not_blamed_for_too_few_descriptors() {
        let told = |errno: Errno| {
            let device = "hsm1:1500".parse().unwrap();
            Fault { device, command: None, cause: Cause::Unreachable(errno.into()) }.to_string()
        };
        for errno in [Errno::MFILE, Errno::NFILE] {
            assert!(told(errno).starts_with("payment HSM hsm1:1500 was not connected to (Too many"), "{}", told(errno));
            assert!(told(errno).contains("LimitNOFILE") && !told(errno).contains("its port"), "{}", told(errno));
        }
        assert!(told(Errno::CONNREFUSED).contains("see that it runs and that its port is open to this host"));
    }
}
