//! An observer that notes when each stage of a night ended and what it took at most.

use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use emboss::night::{Observer, Stage};

use crate::memory;

/// One stage's figures.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Measured {
    /// Wall clock.
    pub(crate) seconds: f64,
    /// What passed through it, where that is a stream of bytes.
    pub(crate) bytes: Option<u64>,
    /// The most resident memory.
    pub(crate) peak_kib: Option<u64>,
}

#[derive(Debug)]
struct State {
    last: Instant,
    stages: Vec<(&'static str, Measured)>,
}

/// The observer.
#[derive(Debug)]
pub(crate) struct Watch(Mutex<State>);

impl Default for Watch {
    fn default() -> Self {
        Self(Mutex::new(State { last: Instant::now(), stages: Vec::new() }))
    }
}

impl Watch {
    /// The night begins now.
    pub(crate) fn begin(&self) {
        memory::forget_peak();
        self.0.lock().unwrap_or_else(PoisonError::into_inner).last = Instant::now();
    }

    /// The stages in the order in which they ended.
    pub(crate) fn take(&self) -> Vec<(&'static str, Measured)> {
        std::mem::take(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner).stages)
    }
}

impl Observer for Watch {
    fn progress(&self, _subject: &str, _stage: Stage, _done: u64, _total: u64) {}

    fn finished(&self, _subject: &str, stage: Stage) {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        let seconds = now.duration_since(state.last).as_secs_f64();
        state.stages.push((stage.as_str(), Measured { seconds, bytes: None, peak_kib: memory::peak_kib() }));
        state.last = now;
        memory::forget_peak();
    }
}
