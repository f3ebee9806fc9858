//! Random schedules of faults: whatever goes wrong in whatever order, one good run later the promise of the night holds.
//!
//! `FAULT_CASES=500` plays more of them, `FAULT_SEED=...` the same ones again, `FAULT_STORY=1` tells what happened in each;
//! the seed is printed, and with a failure the smallest schedule that still fails. `make soak` plays for hours.

#![expect(clippy::print_stderr, reason = "the seed of a round must be known when it fails")]

use std::time::{SystemTime, UNIX_EPOCH};

use proptest::test_runner::{Config, RngSeed, TestRunner};

use crate::on_each_database;
use crate::played::play;
use crate::schedule::Schedule;
use crate::site::{Database, Servers};

on_each_database!(the_promise_holds_after_any_schedule_of_faults);

/// Enough to see that it runs; few enough for every change.
const CASES: u32 = 12;

fn number<T: std::str::FromStr>(name: &str) -> Option<T> {
    let text = std::env::var(name).ok().filter(|text| !text.is_empty())?;
    Some(text.parse().unwrap_or_else(|_| panic!("{name}={text} is no number")))
}

fn the_promise_holds_after_any_schedule_of_faults(database: Database) {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    let seed = number("FAULT_SEED").unwrap_or(now);
    let cases = number("FAULT_CASES").unwrap_or(CASES);
    eprintln!("{database:?}: {cases} schedules of FAULT_SEED={seed}");
    let config = Config {
        cases,
        rng_seed: RngSeed::Fixed(seed),
        failure_persistence: None,
        // Each step plays a schedule again.
        max_shrink_iters: 60,
        ..Config::default()
    };
    let servers = Servers::own(database);
    let outcome = TestRunner::new(config).run(&Schedule::any(), |schedule| {
        let story = play(&servers, &schedule);
        if std::env::var_os("FAULT_STORY").is_some() {
            eprintln!("{schedule:?}\n{}", story.join("\n"));
        }
        Ok(())
    });
    if let Err(failure) = outcome {
        panic!("FAULT_SEED={seed}: {failure}");
    }
}
