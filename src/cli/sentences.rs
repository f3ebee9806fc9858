//! Reads the command line; help texts keep the full stop of their sentences, which the parser's derive takes away.

use clap::builder::StyledStr;
use clap::{Arg, Command, CommandFactory, FromArgMatches};

use super::output::Output;
use super::surroundings::asks_for_json;
use super::{Arguments, Failure};

/// Reads the command line of this process; usage errors and help end it (exit 2 and 0).
pub fn parse() -> Arguments {
    let mut command = Arguments::command();
    // Built before it is changed: only then its own help and version options are there too.
    command.build();
    let mut command = whole(command);
    let matches = command.clone().try_get_matches();
    let arguments = matches.and_then(|matches| Arguments::from_arg_matches(&matches));
    arguments.unwrap_or_else(|error| refuse(&error.format(&mut command)))
}

/// Ends the process; a script that asked for JSON gets its object here as well.
fn refuse(error: &clap::Error) -> ! {
    if error.use_stderr() && asks_for_json() {
        Output::new(true).refusal(&Failure::configuration(first_paragraph(&error.to_string())));
    }
    error.exit()
}

/// What is wrong, without the usage lines that follow.
fn first_paragraph(text: &str) -> String {
    let first = text.split("\n\n").next().unwrap_or_default();
    let first = first.strip_prefix("error: ").unwrap_or(first);
    first.split_whitespace().collect::<Vec<_>>().join(" ")
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
