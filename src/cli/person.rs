//! What every order of a person says, and how it is carried out.

use clap::Args;

use super::Failure;
use super::open::Home;
use super::output::Output;
use super::run::open;
use crate::night::{Action, PersonsOrder};
use crate::settlement::Authority;

#[derive(Debug, Args)]
pub(super) struct PersonArguments {
    /// The file: its final name, with or without .pgp, or its id.
    #[arg(long, value_name = "NAME")]
    file: String,
    #[command(flatten)]
    author: Author,
}

/// Who orders something, and why.
#[derive(Debug, Args)]
pub(super) struct Author {
    /// Who orders it; written down for ever.
    #[arg(long, value_name = "WHO")]
    by: String,
    /// Why; written down for ever.
    #[arg(long, value_name = "WHY")]
    reason: String,
}

impl Author {
    /// As they may be written down.
    pub(super) fn authority(&self) -> Result<Authority, Failure> {
        authority(&self.by, &self.reason)
    }
}

/// Carries an order out and tells what came of it.
pub(super) async fn carry_out(
    action: Action,
    arguments: &PersonArguments,
    home: &Home<'_>,
    output: &Output,
) -> Result<u8, Failure> {
    let authority = arguments.author.authority()?;
    let opened = open(home, output).await?;
    let order = PersonsOrder { action, file: arguments.file.clone(), authority, holder: opened.holder.clone() };
    let report = opened.night.carry_out(&order).await;
    opened.night.store.close().await;
    let report = report?;
    output.say(&report);
    output.object(&report.to_json());
    Ok(u8::try_from(report.exit_code()).unwrap_or(1))
}

/// Who and why, as they may be written down.
pub(super) fn authority(by: &str, reason: &str) -> Result<Authority, Failure> {
    Authority::new(by, reason).map_err(|error| Failure::configuration(error.to_string()))
}
