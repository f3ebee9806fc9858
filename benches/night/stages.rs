//! An observer that notes when each stage of a night ended and what it took at most.

use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use emboss::night::{Observer, Stage};
use serde::Serialize;

use crate::memory;

/// One stage's figures.
#[derive(Debug, Clone, Copy, Serialize)]
pub(crate) struct Measured {
    /// Wall clock.
    pub(crate) seconds: f64,
    /// Processor time of all threads, in seconds.
    pub(crate) processor_s: Option<f64>,
    /// What passed through it, where that is a stream of bytes.
    pub(crate) bytes: Option<u64>,
    /// The most resident memory.
    pub(crate) peak_kib: Option<u64>,
}

/// A stage under way.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Begun {
    at: Instant,
    processor_s: Option<f64>,
}

impl Begun {
    /// A stage begins now.
    pub(crate) fn now() -> Self {
        memory::forget_peak();
        Self { at: Instant::now(), processor_s: memory::processor_s() }
    }

    /// It ends now.
    pub(crate) fn measured(self) -> Measured {
        Measured {
            seconds: self.at.elapsed().as_secs_f64(),
            processor_s: memory::processor_s().zip(self.processor_s).map(|(now, then)| now - then),
            bytes: None,
            peak_kib: memory::peak_kib(),
        }
    }
}

#[derive(Debug)]
struct State {
    begun: Begun,
    last: Begun,
    ended: Vec<(Stage, Measured)>,
    settled: Option<f64>,
}

/// The observer. What it measures is the time between two ends of any stage: that is a stage's own where one agreement
/// is at work; several overlap, and then only their ends and the peaks mean something.
#[derive(Debug)]
pub(crate) struct Watch(Mutex<State>);

impl Default for Watch {
    fn default() -> Self {
        let now = Begun::now();
        Self(Mutex::new(State { begun: now, last: now, ended: Vec::new(), settled: None }))
    }
}

impl Watch {
    /// The night begins now.
    pub(crate) fn begin(&self) {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        state.begun = Begun::now();
        state.last = state.begun;
    }

    /// The processor time of a stage.
    pub(crate) fn processor_s(&self, stage: Stage) -> Option<f64> {
        let state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let of_stage = state.ended.iter().filter(|(ended, _)| *ended == stage);
        of_stage.map(|(_, measured)| measured.processor_s).sum()
    }

    /// The most memory until an end of this stage; of any where there is none given.
    pub(crate) fn peak_kib(&self, stage: Option<Stage>) -> Option<u64> {
        let state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let of_stage = state.ended.iter().filter(|(ended, _)| stage.is_none_or(|stage| *ended == stage));
        of_stage.filter_map(|(_, measured)| measured.peak_kib).max()
    }

    /// Seconds from the night's begin to the last settlement.
    pub(crate) fn settled_s(&self) -> Option<f64> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).settled
    }
}

impl Observer for Watch {
    fn progress(&self, _subject: &str, _stage: Stage, _done: u64, _total: u64) {}

    fn finished(&self, _subject: &str, stage: Stage) {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let measured = state.last.measured();
        state.ended.push((stage, measured));
        state.last = Begun::now();
        if stage == Stage::Settle {
            state.settled = Some(state.begun.at.elapsed().as_secs_f64());
        }
    }
}
