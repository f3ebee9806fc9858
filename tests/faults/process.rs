//! A run of the real program as a child process: how it ends, with a limit on every wait.

use std::os::unix::process::ExitStatusExt;
use std::process::{Child, ExitStatus};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process, waitid};

use crate::support::trial::Outcome;

/// Longest wait for anything: far more than anything takes.
const LONGEST: Duration = Duration::from_secs(60);

/// Waits until something is so.
#[track_caller]
pub(crate) fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !is_so() {
        assert!(begun.elapsed() < LONGEST, "waited too long until {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// A run under way; killed if the test ends before it.
#[derive(Debug)]
pub(crate) struct Running(Option<Child>);

impl Running {
    pub(crate) fn of(child: Child) -> Self {
        Self(Some(child))
    }

    fn child(&mut self) -> &mut Child {
        self.0.as_mut().expect("it runs")
    }

    /// Sends a signal.
    pub(crate) fn send(&mut self, signal: Signal) {
        kill_process(Pid::from_child(self.child()), signal).expect("sent");
    }

    /// Its process id.
    pub(crate) fn id(&mut self) -> u32 {
        self.child().id()
    }

    /// Waits until it has stopped itself; after a SIGCONT, until it has done so again.
    #[track_caller]
    pub(crate) fn wait_until_stopped(&mut self) {
        assert!(self.stops(), "it ended before it came to its point");
    }

    /// Waits until it has stopped itself or has ended: whether it stopped.
    pub(crate) fn stops(&mut self) -> bool {
        let pid = Pid::from_child(self.child());
        let mut stopped = false;
        until("it stops itself or ends", || {
            let stops = WaitIdOptions::STOPPED | WaitIdOptions::NOHANG;
            // Nobody who has ended can stop any more: that is an error here.
            stopped = waitid(WaitId::Pid(pid), stops).ok().flatten().is_some_and(|status| status.stopped());
            stopped || self.child().try_wait().expect("asked").is_some()
        });
        stopped
    }

    /// Whether it has ended.
    pub(crate) fn is_over(&mut self) -> bool {
        self.child().try_wait().expect("asked").is_some()
    }

    fn status(&mut self) -> ExitStatus {
        let mut status = None;
        until("it ends", || {
            status = self.child().try_wait().expect("asked");
            status.is_some()
        });
        status.expect("ended")
    }

    /// Waits for its end; it must be by this signal.
    #[track_caller]
    pub(crate) fn dies_by(mut self, signal: Signal) {
        let status = self.status();
        let outcome = Outcome::at_end(self.0.take().expect("it ran"));
        assert_eq!(status.signal(), Some(signal.as_raw()), "it went on: {status}\n{}", outcome.both());
    }

    /// Waits for its end.
    pub(crate) fn ends(mut self) -> Outcome {
        self.status();
        Outcome::at_end(self.0.take().expect("it ran"))
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if let Some(child) = &mut self.0 {
            drop(child.kill());
            drop(child.wait());
        }
    }
}
