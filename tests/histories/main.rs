//! Random histories of cards: orders over days to years, night after night, against a small model of the rules.
//!
//! The model (`book`, `orders`, `renewals`, `nights`) says of every order whether it is taken, and of every night which
//! record goes to which house with which PIN. It shares nothing with the program. What a house gets is opened, counted
//! again and compared; the database is compared with the model after every run.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on fails")]
#![allow(unreachable_pub, reason = "the parts are shared with other tests")]
#![expect(clippy::print_stderr, reason = "the seed of a round must be known when it fails")]

#[path = "../support/cards.rs"]
mod cards;
#[path = "../support/pin_blocks.rs"]
mod pin_blocks;
#[path = "../support/recount.rs"]
mod recount;
#[path = "../support/mod.rs"]
mod support;
#[allow(dead_code, reason = "the golden tests use more of it")]
#[path = "../support/tree.rs"]
mod tree;

mod aim;
mod bank;
mod book;
mod caught;
mod files;
mod history;
mod ledger;
mod lossless;
mod nights;
mod orders;
mod played;
mod products;
mod random;
mod renewals;
