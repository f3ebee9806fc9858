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
    person: PersonArguments,
    /// The house has the file: its plastics are moved at once.
    #[arg(long, required_unless_present = "not_delivered", conflicts_with = "not_delivered")]
    delivered: bool,
    /// The house does not have it: the same bytes are sent under the same name.
    #[arg(long)]
    not_delivered: bool,
}

pub(super) async fn resolve(arguments: &ResolveArguments, home: &Home<'_>, output: &Output) -> Result<u8, Failure> {
    let action = if arguments.delivered { Action::ResolveDelivered } else { Action::ResolveNotDelivered };
    person::carry_out(action, &arguments.person, home, output).await
}
