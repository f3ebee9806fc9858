//! `emboss keys`: what a person does with keys.

mod rotate;

use clap::Subcommand;

use super::Failure;
use super::open::Home;
use super::output::Output;

#[derive(Debug, Subcommand)]
pub(super) enum KeysCommand {
    /// Seals anew what stands under an earlier data key; may be stopped and called again at any time.
    Rotate(rotate::RotateArguments),
}

pub(super) async fn keys(command: &KeysCommand, home: &Home<'_>, output: &Output) -> Result<u8, Failure> {
    match command {
        KeysCommand::Rotate(arguments) => rotate::rotate(arguments, home, output).await,
    }
}
