//! The `emboss` program: parse, harden, call the library, exit code.

use std::process::ExitCode;

use clap::Parser;
use emboss::cli::{self, Arguments, Surroundings};

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    cli::harden();
    let surroundings = Surroundings::of_process();
    ExitCode::from(cli::run(&arguments, &surroundings))
}
