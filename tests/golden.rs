//! The scenarios of `fixtures/`, played through the library and held against three things: the golden files byte for
//! byte, what the rules say (written by hand in `scenario.toml`), and a recount that knows nothing of the library.
//!
//! `make golden` sets UPDATE_GOLDEN=1 and rewrites `expected/`; nothing else ever writes there. Where a hand-written
//! expectation or the recount disagrees, nothing is written: rewriting cannot hide a broken rule.

#![allow(clippy::expect_used, reason = "whatever the harness cannot do fails the test")]
#![allow(unreachable_pub, reason = "the harness's parts are modules of this test")]

#[path = "support/across.rs"]
mod across;
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
    another_house_between_two_nights = "another-house-between-two-nights",
    bad_orders_are_refused = "bad-orders-are-refused",
    blocked_and_final_cards = "blocked-and-final-cards",
    cancel_and_order_again = "cancel-and-order-again",
    cancelled_and_closed_by_schedule = "cancelled-and-closed-by-schedule",
    character_sets_of_each_agreement = "character-sets-of-each-agreement",
    closed_by_schedule_and_later_orders = "closed-by-schedule-and-later-orders",
    corporate_account_private_holder = "corporate-account-private-holder",
    cut_off_exact_instant = "cut-off-exact-instant",
    empty_night_and_emit_empty = "empty-night-and-emit-empty",
    every_delivery_type = "every-delivery-type",
    instant_issuing_active_product = "instant-issuing-active-product",
    instant_issuing_locked_product = "instant-issuing-locked-product",
    late_binding = "late-binding",
    late_binding_of_a_reissue = "late-binding-of-a-reissue",
    layouts_and_bulk = "layouts-and-bulk",
    line_limits_of_each_house = "line-limits-of-each-house",
    manufacturer_missing_unknown_invalid = "manufacturer-missing-unknown-invalid",
    names_at_the_limit = "names-at-the-limit",
    no_name_layout = "no-name-layout",
    on_demand_then_night = "on-demand-then-night",
    pan_from_encrypted_data = "pan-from-encrypted-data",
    physical_form_of_a_virtual_card = "physical-form-of-a-virtual-card",
    pin_wait_for_forty_days = "pin-wait-for-forty-days",
    reissue_of_a_locked_product = "reissue-of-a-locked-product",
    reissue_of_an_instant_card = "reissue-of-an-instant-card",
    reissue_refused = "reissue-refused",
    reissue_under_two_months = "reissue-under-two-months",
    reissue_waits_for_its_pin = "reissue-waits-for-its-pin",
    reissue_with_a_new_name = "reissue-with-a-new-name",
    reorder_a_pin = "reorder-a-pin",
    reorder_a_pin_after_a_reissue = "reorder-a-pin-after-a-reissue",
    reorder_a_pin_superseded = "reorder-a-pin-superseded",
    reorder_a_pin_without_a_letter = "reorder-a-pin-without-a-letter",
    replace_a_lost_card = "replace-a-lost-card",
    replace_a_virtual_card = "replace-a-virtual-card",
    replace_with_instant_issuing = "replace-with-instant-issuing",
    replaced_then_stolen = "replaced-then-stolen",
    replaced_while_waiting = "replaced-while-waiting",
    replacement_leaves_old_orders_behind = "replacement-leaves-old-orders-behind",
    set_pin_formats_and_refusals = "set-pin-formats-and-refusals",
    set_pin_instead_of_waiting = "set-pin-instead-of-waiting",
    several_files_in_a_night = "several-files-in-a-night",
    temporary_address = "temporary-address",
    temporary_address_at_both_ends = "temporary-address-at-both-ends",
    two_institutions = "two-institutions",
    two_manufacturers = "two-manufacturers",
    what_each_product_carries = "what-each-product-carries",
    what_is_in_production = "what-is-in-production",
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
