//! `emboss resend`: what was delivered goes to the house once more.

use clap::Args;

use super::Failure;
use super::open::Home;
use super::output::Output;
use super::person::{self, PersonArguments};
use crate::night::Action;

#[derive(Debug, Args)]
pub(super) struct ResendArguments {
    #[command(flatten)]
    person: PersonArguments,
    /// A new file with the same records, marked DUPLICATE, instead of the same bytes.
    #[arg(long)]
    duplicate: bool,
}

pub(super) async fn resend(arguments: &ResendArguments, home: &Home<'_>, output: &Output) -> Result<u8, Failure> {
    let action = if arguments.duplicate { Action::Duplicate } else { Action::Resend };
    person::carry_out(action, &arguments.person, home, output).await
}
