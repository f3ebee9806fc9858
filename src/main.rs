//! The `emboss` program.

fn main() {}
