//! An observer that notes when each stage of a night ended and what it took at most.

use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use emboss::night::{Observer, Stage};
use serde::{Deserialize, Serialize};

use crate::memory;

/// One stage's figures.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
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
    last: Begun,
    stages: Vec<(&'static str, Measured)>,
}

/// The observer.
#[derive(Debug)]
pub(crate) struct Watch(Mutex<State>);

impl Default for Watch {
    fn default() -> Self {
        Self(Mutex::new(State { last: Begun::now(), stages: Vec::new() }))
    }
}

impl Watch {
    /// The night begins now.
    pub(crate) fn begin(&self) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).last = Begun::now();
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
        let measured = state.last.measured();
        state.stages.push((stage.as_str(), measured));
        state.last = Begun::now();
    }
}
