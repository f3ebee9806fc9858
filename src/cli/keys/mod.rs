//! `emboss keys`: what the keys of the configuration are, where they are used, and new ones.
//!
//! Keys are made elsewhere, in a ceremony: here they arrive as blocks under a protection key, or under the LMK of a
//! payment HSM, and never in clear.

mod import;
mod list;
mod rotate;
mod sections;

use clap::{Args, Subcommand};

use super::Failure;
use super::open::Home;
use super::output::Output;

#[derive(Debug, Args)]
#[command(disable_help_subcommand = true)]
pub(super) struct KeysArguments {
    #[command(subcommand)]
    command: KeysCommand,
}

#[derive(Debug, Subcommand)]
enum KeysCommand {
    /// Shows every key: what it is, when it may be used, and what uses it.
    List,
    /// Takes a key in as a block: checks it, puts the block beside the other key files and names it in the configuration.
    Import(Box<import::ImportArguments>),
    /// Seals anew what stands under an earlier data key; may be stopped and called again at any time.
    Rotate(rotate::RotateArguments),
}

pub(super) async fn keys(arguments: &KeysArguments, home: &Home<'_>, output: &Output) -> Result<u8, Failure> {
    match &arguments.command {
        KeysCommand::List => list::list(home, output).await,
        KeysCommand::Import(import) => import::import(import, home, output).await,
        KeysCommand::Rotate(rotate) => rotate::rotate(rotate, home, output).await,
    }
}
