//! The scenarios of `fixtures/`, played through the library and held against three things: the golden files byte for
//! byte, what the rules say (written by hand in `scenario.toml`), and a recount that knows nothing of the library.
//!
//! `make golden` sets UPDATE_GOLDEN=1 and rewrites `expected/`; nothing else ever writes there. Where a hand-written
//! expectation or the recount disagrees, nothing is written: rewriting cannot hide a broken rule.

#![allow(clippy::expect_used, reason = "whatever the harness cannot do fails the test")]
#![allow(unreachable_pub, reason = "the harness's parts are modules of this test")]

#[path = "support/cards.rs"]
mod cards;
#[path = "support/checks.rs"]
mod checks;
#[path = "support/expected.rs"]
mod expected;
#[path = "support/player.rs"]
mod player;
#[path = "support/recount.rs"]
mod recount;
#[path = "support/scenario.rs"]
mod scenario;
mod support;
#[path = "support/tree.rs"]
mod tree;

use std::fs;

macro_rules! scenarios {
    ($($test:ident = $folder:literal,)+) => {
        $(#[test]
        fn $test() {
            checks::play($folder);
        })+

        const NAMED: &[&str] = &[$($folder),+];
    };
}

scenarios! {
    a_first_night = "a-first-night",
    additional_values_and_versions = "additional-values-and-versions",
    address_precedence = "address-precedence",
    bad_orders_are_refused = "bad-orders-are-refused",
    blocked_and_final_cards = "blocked-and-final-cards",
    cancelled_and_closed_by_schedule = "cancelled-and-closed-by-schedule",
    cut_off_exact_instant = "cut-off-exact-instant",
    empty_night_and_emit_empty = "empty-night-and-emit-empty",
    instant_issuing_active_product = "instant-issuing-active-product",
    instant_issuing_locked_product = "instant-issuing-locked-product",
    late_binding = "late-binding",
    layouts_and_bulk = "layouts-and-bulk",
    manufacturer_missing_unknown_invalid = "manufacturer-missing-unknown-invalid",
    names_at_the_limit = "names-at-the-limit",
    no_name_layout = "no-name-layout",
    on_demand_then_night = "on-demand-then-night",
    pan_from_encrypted_data = "pan-from-encrypted-data",
    pin_wait_for_forty_days = "pin-wait-for-forty-days",
    temporary_address = "temporary-address",
    two_institutions = "two-institutions",
    two_manufacturers = "two-manufacturers",
    what_each_product_carries = "what-each-product-carries",
}

#[test]
fn every_scenario_is_played_and_says_what_it_shows() {
    let folders = fs::read_dir(scenario::fixtures()).expect("fixtures");
    let mut names: Vec<String> = folders
        .map(|entry| entry.expect("an entry"))
        .filter(|entry| entry.path().is_dir())
        .map(|entry| entry.file_name().into_string().expect("UTF-8"))
        .filter(|name| name != "keys")
        .collect();
    names.sort();
    assert_eq!(names, NAMED, "fixtures/ and the list above");
    for name in NAMED {
        let scenario = scenario::Scenario::read(name);
        assert!(!scenario.title.is_empty() && !scenario.shows.is_empty() && !scenario.rules.is_empty(), "{name}");
    }
    let readme = fs::read_to_string(scenario::fixtures().join("README.md")).expect("fixtures/README.md");
    for name in NAMED {
        assert!(readme.contains(&format!("`{name}`")), "fixtures/README.md does not name {name}");
    }
}
