//! `emboss abandon`: the cards come out of a file that the house cannot have.

use clap::Args;

use super::Failure;
use super::open::Home;
use super::output::Output;
use super::person::{self, PersonArguments};
use crate::night::Action;

#[derive(Debug, Args)]
pub(super) struct AbandonArguments {
    #[command(flatten)]
    person: PersonArguments,
}

pub(super) async fn abandon(arguments: &AbandonArguments, home: &Home<'_>, output: &Output) -> Result<u8, Failure> {
    person::carry_out(Action::Abandon, &arguments.person, home, output).await
}
