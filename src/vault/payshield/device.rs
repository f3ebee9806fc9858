//! What asks a payShield: the door between what is asked and how it gets there.

use std::fmt;

use async_trait::async_trait;

use super::command::{Command, Reply};
use crate::vault::CryptoError;

/// One device, or several that stand for each other.
///
/// Every try of a command is over another connection, and only what [`super::command::Class`] calls transient, a
/// broken connection or a missing answer is tried again. An answer of any other error code is given back as it is:
/// which code means what is known where the command is.
#[async_trait]
pub trait Device: Send + Sync + fmt::Debug {
    /// The answer to a command, letters checked, error code not.
    ///
    /// # Errors
    /// [`CryptoError::Transient`] after the last try, [`CryptoError::Configuration`] where no device may be used.
    async fn ask(&self, command: &Command) -> Result<Reply, CryptoError>;

    /// Commands that may be asked at once.
    fn at_once(&self) -> usize;

    /// Whether a device with the configured LMK answers.
    ///
    /// # Errors
    /// As [`Device::ask`].
    async fn health(&self) -> Result<(), CryptoError>;
}
