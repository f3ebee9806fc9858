//! `emboss resolve`: a person says whether an UNCERTAIN file arrived.

use clap::Args;

use super::Failure;
use super::open::Home;
use super::output::Output;
use super::person::{self, PersonArguments};
use crate::night::Action;

#[derive(Debug, Args)]
pub(super) struct ResolveArguments {
    #[command(flatten)]
    answer: Answer,
    #[command(flatten)]
    person: PersonArguments,
}

/// What the house says: exactly one of the two.
#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
struct Answer {
    /// The house has the file: its plastics are moved at once.
    #[arg(long)]
    delivered: bool,
    /// The house does not have it: the same bytes are sent under the same name.
    #[arg(long)]
    not_delivered: bool,
}

pub(super) async fn resolve(arguments: &ResolveArguments, home: &Home<'_>, output: &Output) -> Result<u8, Failure> {
    let action = if arguments.answer.delivered { Action::ResolveDelivered } else { Action::ResolveNotDelivered };
    person::carry_out(action, &arguments.person, home, output).await
}
