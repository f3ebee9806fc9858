//! Progress on a terminal.

use std::sync::Mutex;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::night::{Observer, Stage};

/// One line that shows the current stage.
#[derive(Debug)]
pub(super) struct Bar {
    bar: ProgressBar,
    shown: Mutex<Option<(String, Stage)>>,
}

impl Bar {
    pub(super) fn new() -> Self {
        let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr_with_hz(5));
        if let Ok(style) = ProgressStyle::with_template("{msg} {human_pos} {per_sec}") {
            bar.set_style(style);
        }
        Self { bar, shown: Mutex::new(None) }
    }
}

impl Observer for Bar {
    fn progress(&self, subject: &str, stage: Stage, done: u64, total: u64) {
        let mut shown = self.shown.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if shown.as_ref().is_none_or(|(known, at)| known != subject || *at != stage) {
            self.bar.reset();
            let of = if total > 0 { format!(" of {total}") } else { String::new() };
            self.bar.set_message(format!("{subject}: {stage}{of}"));
            *shown = Some((subject.to_owned(), stage));
        }
        self.bar.set_position(done);
    }

    fn finished(&self, _subject: &str, _stage: Stage) {
        self.bar.finish_and_clear();
        *self.shown.lock().unwrap_or_else(std::sync::PoisonError::into_inner) = None;
    }
}
