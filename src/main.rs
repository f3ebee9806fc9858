//! The `emboss` program: parse, harden, call the library, exit code.

use std::process::ExitCode;

use emboss::cli::{self, Surroundings};

fn main() -> ExitCode {
    let arguments = cli::parse();
    cli::harden();
    let surroundings = Surroundings::of_process();
    ExitCode::from(cli::run(&arguments, &surroundings))
}
