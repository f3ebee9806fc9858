//! The night as a whole, with its real parts: SQLite, OpenSSH, GnuPG and folders. What must happen is taken from the
//! rules and the table of faults; each test says which.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on fails")]

#[path = "../support/rigged.rs"]
mod rigged;
#[path = "../support/rigged_crypto.rs"]
mod rigged_crypto;
#[path = "../support/site.rs"]
mod site;
#[path = "../support/mod.rs"]
mod support;
#[path = "../support/tripwire.rs"]
mod tripwire;

mod composed;
mod counted;
mod delivered;
mod device;
mod kept;
mod ordered;
mod people;
#[path = "../support/pin_blocks.rs"]
mod pin_blocks;
mod pin_matrix;
mod random;
mod renewed;
mod reported;
mod resumed;
mod rolled;
mod selected;
mod set_pins;
mod settled;
mod sftp;
mod spooled;
mod together;
mod unanswered;
