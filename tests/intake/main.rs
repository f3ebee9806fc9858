//! Orders applied to a real database: what each operation makes, refuses and answers.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::needless_pass_by_value,
    reason = "whatever goes wrong here fails the test"
)]
#![allow(unreachable_pub, reason = "a test program exports nothing")]

mod cards;
mod desk;
mod encrypted;
mod importing;
mod physical;
#[path = "../support/pin_blocks.rs"]
mod pin_blocks;
mod pin_letters;
mod pins;
mod plastics;
mod race;
mod reissue;
mod replace;
#[path = "../support/mod.rs"]
mod support;
mod updates;
#[allow(dead_code, reason = "shared with tests that open the whole vault")]
#[path = "../support/vector_keys.rs"]
mod vector_keys;
