//! Random histories: whatever is ordered in whatever order, the program does what the book says, and what must always
//! hold holds.
//!
//! `HISTORY_CASES=500` plays more of them, `HISTORY_SEED=...` the same ones again, `HISTORY_STORY=1` tells what happened in
//! each; the seed is printed, and with a failure the smallest history that still fails, with its story.

use std::cell::RefCell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{SystemTime, UNIX_EPOCH};

use proptest::test_runner::{Config, RngSeed, TestCaseError, TestRunner};

use crate::history::History;
use crate::played::{Seen, live};
use crate::support::postgres::{Cluster, Database};

/// Enough to see that it runs; few enough for every change.
const CASES: u32 = 24;

fn number<T: std::str::FromStr>(name: &str) -> Option<T> {
    let text = std::env::var(name).ok().filter(|text| !text.is_empty())?;
    Some(text.parse().unwrap_or_else(|_| panic!("{name}={text} is no number")))
}

/// Plays so many; what there was to see.
fn play_any(cases: u32, server: impl Fn() -> Option<Database>) -> Seen {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    let seed = number("HISTORY_SEED").unwrap_or(now);
    let cases = number("HISTORY_CASES").unwrap_or(cases);
    eprintln!("{cases} histories of HISTORY_SEED={seed}");
    let config = Config {
        cases,
        rng_seed: RngSeed::Fixed(seed),
        failure_persistence: None,
        // Each step plays a history again.
        max_shrink_iters: 400,
        ..Config::default()
    };
    let (all, told) = (RefCell::new(Seen::default()), RefCell::new(Vec::new()));
    let outcome = TestRunner::new(config).run(&History::any(2..8), |history| {
        told.borrow_mut().clear();
        let mut tell = |line: String| told.borrow_mut().push(line);
        let played = catch_unwind(AssertUnwindSafe(|| live(&history, server(), &mut tell).seen));
        if std::env::var_os("HISTORY_STORY").is_some() {
            eprintln!("{history:?}\n{}", told.borrow().join("\n"));
        }
        let seen = played.map_err(|panic| {
            let why = panic.downcast_ref::<String>().cloned().unwrap_or_else(|| "see above".to_owned());
            TestCaseError::fail(format!("{why}\n\n{}", told.borrow().join("\n")))
        })?;
        all.borrow_mut().add(seen);
        Ok(())
    });
    if let Err(failure) = outcome {
        panic!("HISTORY_SEED={seed}: {failure}");
    }
    all.into_inner()
}

#[test]
fn r13_r20_r35_r63_r64_r115_r118_r130_r131_r132_every_history_goes_as_the_rules_say() {
    let seen = play_any(CASES, || None);
    eprintln!("{seen:?}");
    // Histories in which little happens would prove little; in so many nights each of these comes dozens of times.
    if seen.nights >= 100 {
        let made = ["NCRD", "RALLRE", "RPLRE"].map(|event| seen.records.get(event).copied().unwrap_or_default());
        assert!(made.iter().all(|count| *count > 0) && !seen.refused.is_empty(), "{seen:?}");
        assert!(seen.stayed.contains_key("HELD_PIN_WAIT"), "{seen:?}");
    }
}

#[test]
fn so_it_does_on_postgresql() {
    let cluster = Cluster::shared();
    play_any(CASES / 6, || Some(cluster.database()));
}

impl Seen {
    fn add(&mut self, more: Self) {
        self.taken += more.taken;
        self.nights += more.nights;
        self.waited += more.waited;
        self.renewed += more.renewed;
        more.records.into_iter().for_each(|(event, count)| *self.records.entry(event).or_default() += count);
        more.refused.into_iter().for_each(|(code, count)| *self.refused.entry(code).or_default() += count);
        more.stayed.into_iter().for_each(|(code, count)| *self.stayed.entry(code).or_default() += count);
    }
}
