//! The command line as its users script against it, with the real program.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "whatever is not there fails the test")]

#[path = "../support/mod.rs"]
mod support;

#[allow(dead_code, unreachable_pub, reason = "every test file uses another part of it")]
#[path = "../support/hsm/mod.rs"]
mod hsm;

#[path = "../faults/process.rs"]
#[allow(dead_code, reason = "used as far as a command needs it")]
mod process;

mod audit;
mod commands;
mod devices;
mod exit_codes;
mod explain;
mod hardening;
mod help;
mod inspect;
mod key_import;
mod key_list;
mod people;
mod probe;
mod rotation;
mod schedule;
mod secured_devices;
mod shapes;

#[test]
fn the_search_for_card_numbers_finds_one() {
    use support::trial::clear_card_numbers;
    // Doubled places: 4 -> 8, 1 -> 2; the 2 stays: 12, so that 8 is the check digit.
    assert_eq!(clear_card_numbers("x 4000001200000008,"), ["4000001200000008"]);
    assert_eq!(clear_card_numbers("x 4000001200000007,"), [""; 0]);
    assert_eq!(clear_card_numbers("400000******0008"), [""; 0]);
}
