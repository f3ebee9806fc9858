//! Fault 30: SIGTERM ends a run at the next safe place, and a second one at once.

use emboss::fault::Point;
use rustix::process::Signal;

use crate::promise;
use crate::site::{Database, Site, Special};

/// Asked to stop at a point: exit 3, the file stands where the transition under way brought it, the lock is free.
fn f30_sigterm_begins_no_new_transition_and_the_next_run_goes_on(database: Database) {
    for (point, state) in [
        (Point::PinsSaved, "CLAIMED"),
        (Point::Sealed, "SEALED"),
        (Point::Uploaded, "READY"),
        (Point::Ready, "READY"),
        (Point::Renaming, "PUBLISHED"),
        (Point::Renamed, "PUBLISHED"),
        (Point::Published, "PUBLISHED"),
    ] {
        let site = Site::new(database);
        ask_to_stop(&site, point);
        assert_eq!(site.books().file().state.as_str(), state, "{point:?}");
        assert!(site.books().moves().is_empty(), "{point:?}");
        let report = site.resumes();
        promise::check(&site, &report, point.name());
    }
}

/// In the middle of an upload the write under way is finished and no other begun: half a file stays, and is never
/// published.
fn f30_sigterm_in_the_middle_of_an_upload_finishes_the_write_only(database: Database) {
    let site = Site::with(database, Special { crowd: 300, ..Special::default() });
    ask_to_stop(&site, Point::Uploading);
    assert_eq!(site.books().file().state.as_str(), "SENDING");
    let report = site.resumes();
    promise::check(&site, &report, "stopped in the middle of an upload");
}

fn ask_to_stop(site: &Site, point: Point) {
    let mut run = site.start(&format!("stop@{}", point.name()));
    run.wait_until_stopped();
    run.send(Signal::TERM);
    run.send(Signal::CONT);
    let outcome = run.ends().exits(3);
    outcome.says(&["stopped by a signal; nothing is lost, run again"]);
}

/// The second signal does not wait for anything: after the first one alone, the answer to the rename would be written.
fn f30_a_second_signal_stops_at_once(database: Database) {
    let site = Site::new(database);
    let mut run = site.start("stop@renaming,stop@renamed");
    run.wait_until_stopped();
    run.send(Signal::TERM);
    run.send(Signal::CONT);
    // The rename that was announced is done; the run comes no further.
    run.wait_until_stopped();
    run.send(Signal::TERM);
    run.send(Signal::CONT);
    run.ends().exits(3).says(&["a second signal stops at once"]);
    assert_eq!(site.books().file().state.as_str(), "RENAMING");
    let report = site.resumes();
    promise::check(&site, &report, "a second signal");
}

crate::on_each_database!(
    f30_sigterm_begins_no_new_transition_and_the_next_run_goes_on,
    f30_sigterm_in_the_middle_of_an_upload_finishes_the_write_only,
    f30_a_second_signal_stops_at_once,
);
