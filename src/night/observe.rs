//! Who is told how far a night is: a progress bar, a benchmark, or nobody.

use std::collections::BTreeMap;
use std::sync::Arc;

use chrono::{DateTime, Utc};

use crate::ambient::Clock;
use crate::card::product::words;

words!(
    /// The stages of a file, as durations and progress name them.
    Stage {
        /// Claiming.
        Claim = "claim",
        /// Issuing PINs.
        Pins = "pins",
        /// Composing and sealing, which overlap.
        Seal = "seal",
        /// Uploading and renaming.
        Deliver = "deliver",
        /// Moving the plastics.
        Settle = "settle",
    }
);

/// Is told how far a night is.
pub trait Observer: Send + Sync + std::fmt::Debug {
    /// `done` of `total` records (bytes while delivering) of one stage; `total` 0 = not known.
    fn progress(&self, subject: &str, stage: Stage, done: u64, total: u64);

    /// A stage is over.
    fn finished(&self, subject: &str, stage: Stage);
}

/// Nobody is told.
#[derive(Debug, Clone, Copy, Default)]
pub struct Silent;

impl Observer for Silent {
    fn progress(&self, _subject: &str, _stage: Stage, _done: u64, _total: u64) {}

    fn finished(&self, _subject: &str, _stage: Stage) {}
}

/// How long each stage of a file took, by the night's own clock.
#[derive(Debug)]
pub(super) struct Laps {
    clock: Arc<dyn Clock>,
    last: DateTime<Utc>,
    milliseconds: BTreeMap<&'static str, i64>,
}

impl Laps {
    pub(super) fn begin(clock: &Arc<dyn Clock>) -> Self {
        Self { clock: Arc::clone(clock), last: clock.now(), milliseconds: BTreeMap::new() }
    }

    /// The time since the lap before belongs to `stage`.
    pub(super) fn lap(&mut self, stage: Stage) {
        let now = self.clock.now();
        self.milliseconds.insert(stage.as_str(), (now - self.last).num_milliseconds());
        self.last = now;
    }

    /// The time since the lap before was spent waiting, and belongs to none.
    pub(super) fn skip(&mut self) {
        self.last = self.clock.now();
    }

    pub(super) fn into_milliseconds(self) -> BTreeMap<&'static str, i64> {
        self.milliseconds
    }
}
