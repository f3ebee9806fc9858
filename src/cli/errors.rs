//! Why a command ended without its result: the sentence and the exit code.

use crate::night::{ActionError, NightError};
pub(super) use crate::report::chain;
use crate::store::StoreError;
use crate::trial::TrialError;

/// A command that could not do its work.
#[derive(Debug)]
pub struct Failure {
    /// Exit code: 2 usage or configuration, 3 could not start or finish, 4 locked.
    pub exit_code: u8,
    /// One or more sentences.
    pub text: String,
}

impl Failure {
    /// Exit 2: usage or configuration.
    pub fn configuration(text: impl Into<String>) -> Self {
        Self { exit_code: 2, text: text.into() }
    }

    /// Exit 3: could not start or finish; nothing is lost.
    pub fn environment(text: impl Into<String>) -> Self {
        Self { exit_code: 3, text: text.into() }
    }

    /// Exit 1: a person must look.
    pub fn attention(text: impl Into<String>) -> Self {
        Self { exit_code: 1, text: text.into() }
    }
}

impl From<NightError> for Failure {
    fn from(error: NightError) -> Self {
        let exit_code = u8::try_from(error.exit_code()).unwrap_or(3);
        Self { exit_code, text: chain(&error) }
    }
}

impl From<ActionError> for Failure {
    fn from(error: ActionError) -> Self {
        let exit_code = u8::try_from(error.exit_code()).unwrap_or(3);
        Self { exit_code, text: chain(&error) }
    }
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        NightError::Store(error).into()
    }
}

impl From<TrialError> for Failure {
    fn from(error: TrialError) -> Self {
        let exit_code = if matches!(error, TrialError::NotEmpty(_)) { 2 } else { 3 };
        Self { exit_code, text: chain(&error) }
    }
}
