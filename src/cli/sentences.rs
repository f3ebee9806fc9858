//! Reads the command line; help texts keep the full stop of their sentences, which the parser's derive takes away.

use clap::builder::StyledStr;
use clap::{Arg, Command, CommandFactory, FromArgMatches};

use super::Arguments;

/// Reads the command line of this process; usage errors and help end it (exit 2 and 0).
pub fn parse() -> Arguments {
    let mut command = Arguments::command();
    // Built before it is changed: only then its own help and version options are there too.
    command.build();
    let mut command = whole(command);
    let matches = command.get_matches_mut();
    Arguments::from_arg_matches(&matches).unwrap_or_else(|error| error.format(&mut command).exit())
}

/// The command, its options and its subcommands with whole sentences.
fn whole(command: Command) -> Command {
    let about = command.get_about().map(sentence);
    let command = command.mut_args(whole_option).mut_subcommands(whole);
    match about {
        Some(about) => command.about(about),
        None => command,
    }
}

fn whole_option(option: Arg) -> Arg {
    match option.get_help().map(sentence) {
        Some(help) => option.help(help),
        None => option,
    }
}

fn sentence(text: &StyledStr) -> String {
    let text = text.to_string();
    if text.ends_with('.') { text } else { format!("{text}.") }
}
