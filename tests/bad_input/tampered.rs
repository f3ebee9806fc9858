//! Rows that somebody with the database in his hands has exchanged: no card is made of another one's secrets.

use crate::no_noise;
use crate::support::trial::{Outcome, Trial, execute};

/// Gives 3001 what 3002 has, and the other way round.
const EXCHANGED: [&str; 2] = [
    "UPDATE card SET pan = (SELECT pan FROM kept WHERE kept.card_id = 6003 - card.card_id) WHERE card_id IN (3001, 3002)",
    "UPDATE pin SET stored = (SELECT stored FROM kept WHERE kept.card_id = 6003 - pin.card_id) WHERE card_id IN (3001, 3002)",
];
const KEPT: [&str; 2] =
    ["CREATE TABLE kept AS SELECT card_id, pan FROM card", "CREATE TABLE kept AS SELECT card_id, stored FROM pin"];

fn exchange(trial: &Trial, secret: usize) {
    for statement in [KEPT[secret], EXCHANGED[secret], "DROP TABLE kept"] {
        execute(&trial.path("emboss.db"), statement);
    }
}

/// Both cards are held and the next night's, which finds the rows as they were, makes them.
#[track_caller]
fn holds_both_until_put_back(trial: &Trial, secret: usize, reason: &str) {
    exchange(trial, secret);
    let told =
        "of card 3001 of institution 246001 does not open under key dek-1: it was altered, belongs to another row";
    let outcome = trial.run(&["run"]).exits(1).says(&[told, reason, "3 selected = 0 delivered + 3 held", "adds up."]);
    no_noise(&outcome);
    exchange(trial, secret);
    trial.run(&["run", "--now"]).exits(0).says(&["SETTLED, 2 records"]);
}

#[test]
fn exchanged_card_numbers_make_no_card() {
    holds_both_until_put_back(&Trial::with_orders(), 0, "held: PIN_GENERATION_FAILED 2");
}

#[test]
fn exchanged_pins_make_no_card() {
    let trial = Trial::with_orders();
    let mut command = trial.command(&["run"]);
    let outcome = Outcome::of(command.env("EMBOSS_FAULT", "kill@composing"));
    assert_eq!(outcome.code, None, "killed when every PIN is saved: {}", outcome.both());
    holds_both_until_put_back(&trial, 1, "held: PIN_NOT_AVAILABLE 2");
}
