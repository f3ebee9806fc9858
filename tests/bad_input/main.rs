//! Bad input: one clear sentence that names the thing and what to do, the right exit code, and nothing half-written.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "whatever is not there fails the test")]

#[path = "../support/mod.rs"]
mod support;

mod configuration;
mod destinations;
mod installation;
mod keys;
mod orders;
mod postgres;
mod secret_files;
mod tampered;

use support::trial::{Outcome, State, Trial};

/// Runs a command that must fail, and shows that it did nothing: the same rows, files and spool.
#[track_caller]
fn refused(trial: &Trial, arguments: &[&str], code: i32, says: &[&str]) -> Outcome {
    let before = trial.state();
    let outcome = trial.run(arguments).exits(code).says(says);
    trial.state().is_still(&before, &format!("{arguments:?}"));
    assert!(outcome.stderr.starts_with("emboss: "), "{}", outcome.stderr);
    assert_eq!(outcome.stdout, "", "{arguments:?}");
    no_noise(&outcome);
    outcome
}

/// Runs a night that must end with 1, and shows that no card was lost or moved: requests, plastics and PINs are as
/// they were, no file is claimed, nothing is delivered.
#[track_caller]
fn stopped(trial: &Trial, says: &[&str]) -> Outcome {
    let before = trial.state().besides_the_run();
    let outcome = trial.run(&["run"]).exits(1).says(says).says(&["STOPPED", "adds up."]);
    trial.state().besides_the_run().is_still(&before, "run");
    no_noise(&outcome);
    outcome
}

/// Runs a night that could not deliver: the file stays here, the plastics stay INACTIVE.
#[track_caller]
fn undelivered(trial: &Trial, says: &[&str]) -> State {
    let outcome = trial.run(&["run"]).exits(1).says(says).says(&["UNFINISHED", "adds up."]);
    no_noise(&outcome);
    let state = trial.state();
    assert_eq!(state.delivered, [""; 0]);
    let plastics = &state.database["plastic"];
    assert!(plastics.iter().all(|row| row.contains("'INACTIVE'")), "{plastics:?}");
    assert_eq!(state.database["file"].len(), 1);
    state
}

/// `check` tells the same before the night.
#[track_caller]
fn checked(trial: &Trial, says: &[&str]) {
    let before = trial.state();
    let outcome = trial.run(&["check"]).exits(1).says(says).says(&["A night would not go well."]);
    trial.state().is_still(&before, "check");
    no_noise(&outcome);
}

/// A sentence, not a dump of the program's insides.
#[track_caller]
fn no_noise(outcome: &Outcome) {
    for noise in ["panicked", "RUST_BACKTRACE", "Os {", "kind: ", "Error {", "Some("] {
        assert!(!outcome.both().contains(noise), "{noise} in {}", outcome.both());
    }
}
