//! The `emboss` program: parse, harden, call the library, exit code.
//!
//! Invariant: memory is wiped when it is given back, whoever used it. Why beside the secret types: what serde, the
//! OpenPGP library and the database driver copy on the way cannot be wiped by us.

use std::alloc::System;
use std::process::ExitCode;

use emboss::cli::{self, Surroundings};
use zeroizing_alloc::ZeroAlloc;

#[global_allocator]
static MEMORY: ZeroAlloc<System> = ZeroAlloc(System);

fn main() -> ExitCode {
    let arguments = cli::parse();
    cli::harden();
    let surroundings = Surroundings::of_process();
    ExitCode::from(cli::run(&arguments, &surroundings))
}
