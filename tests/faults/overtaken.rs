//! Faults 22 and 23: two runs at once, and a run that wakes after another has finished its night.

use emboss::fault::Point;
use rustix::process::Signal;

use crate::promise;
use crate::site::{Database, Site, Special};

/// The second run is told who holds the lock and does nothing; the first one goes on when it wakes.
fn f22_a_second_run_is_refused_and_told_who_holds_the_lock(database: Database) {
    for point in [Point::ClaimCommitted, Point::Uploading, Point::Renaming, Point::Settled] {
        let site = Site::new(database);
        let mut first = site.start(&format!("stop@{}", point.name()));
        first.wait_until_stopped();
        let before = site.books();
        let second = site.run().exits(4);
        second.says(&[&format!("process {} on", first.id())]);
        assert_eq!(site.books().events, before.events, "{point:?}: the second run did nothing");
        first.send(Signal::CONT);
        let report = first.ends().exits(0).object();
        promise::check(&site, &report, point.name());
    }
}

/// Points at which a run may be paused while another one finishes the night.
const PAUSED: [Point; 11] = [
    Point::ClaimCommitted,
    Point::PinsSaved,
    Point::Composing,
    Point::SpoolRenamed,
    Point::SealedNoted,
    Point::Sending,
    Point::Uploading,
    Point::Uploaded,
    Point::Ready,
    Point::Renaming,
    Point::Published,
];

fn f22_a_run_that_was_overtaken_can_commit_nothing_afterwards(database: Database) {
    for point in PAUSED {
        overtake(&Site::new(database), point);
    }
}

/// A house that has taken the file already leaves the final name free: a late rename must not find anything to give it.
fn f23_a_stale_run_wakes_and_the_house_gets_nothing_a_second_time(database: Database) {
    for point in [Point::Sending, Point::Uploading, Point::Uploaded, Point::Ready, Point::RenameNoted, Point::Renaming]
    {
        let site = Site::with(database, Special { rename_proves_publication: true, ..Special::default() });
        let house = site.house.greedy();
        overtake(&site, point);
        drop(house);
    }
}

/// It wakes in the middle of a file of several writes, and goes on writing to its own temporary name.
fn f23_a_stale_upload_goes_on_and_the_published_bytes_are_whole(database: Database) {
    overtake(&Site::with(database, Special { crowd: 300, ..Special::default() }), Point::Uploading);
}

/// The other run is in the middle of its own work when the stale one wakes: neither takes anything from the other. A
/// stale rename that was already announced may be the one that publishes; the file is the same one.
fn f23_a_stale_run_wakes_while_the_other_one_is_at_work(database: Database) {
    for (stale_at, other_at, attempt) in [
        (Point::Composing, Point::Composing, 1),
        (Point::Sending, Point::Uploading, 2),
        (Point::Uploading, Point::Ready, 2),
        (Point::Uploaded, Point::Ready, 2),
        (Point::Ready, Point::Renaming, 1),
        (Point::Renaming, Point::Renaming, 1),
    ] {
        let what = format!("{stale_at:?}, the other one at {other_at:?}");
        let site = Site::new(database);
        let mut stale = site.start(&format!("stop@{}", stale_at.name()));
        stale.wait_until_stopped();
        site.take_the_lock_away();
        let mut other = site.start(&format!("stop@{}", other_at.name()));
        other.wait_until_stopped();
        stale.send(Signal::CONT);
        let outcome = stale.ends();
        assert!(matches!(outcome.code, Some(1 | 3)), "{what}: {outcome:?}");
        other.send(Signal::CONT);
        let report = other.ends().exits(0).object();
        promise::check(&site, &report, &what);
        assert_eq!(site.books().file().attempt, attempt, "{what}: nothing had to be sent again");
    }
}

/// A run is paused at a point, loses its lock, and another one finishes the night. Then the first one wakes.
pub(crate) fn overtake(site: &Site, point: Point) {
    let mut stale = site.start(&format!("stop@{}", point.name()));
    stale.wait_until_stopped();
    site.take_the_lock_away();
    let report = site.resumes();
    let what = format!("{point:?}, finished by another run");
    assert_eq!((&report["addsUp"], &report["delivered"]), (&true.into(), &site.due.into()), "{what}: {report}");
    let before = (site.books(), site.house.arrived());
    stale.send(Signal::CONT);
    let outcome = stale.ends();
    let what = format!("{point:?}, woken");
    assert!(matches!(outcome.code, Some(1 | 3)), "{what}: it must not say that all is well: {outcome:?}");
    let after = (site.books(), site.house.arrived());
    assert_eq!(
        (&after.0.files, &after.0.items, &after.0.plastics),
        (&before.0.files, &before.0.items, &before.0.plastics)
    );
    assert_eq!((&after.0.events, after.0.pins), (&before.0.events, before.0.pins), "{what}: it committed nothing");
    assert_eq!(after.1, before.1, "{what}: the house has the same bytes, and nothing more");
    promise::check(site, &report, &what);
}

crate::on_each_database!(
    f22_a_second_run_is_refused_and_told_who_holds_the_lock,
    f22_a_run_that_was_overtaken_can_commit_nothing_afterwards,
    f23_a_stale_run_wakes_and_the_house_gets_nothing_a_second_time,
    f23_a_stale_run_wakes_while_the_other_one_is_at_work,
    f23_a_stale_upload_goes_on_and_the_published_bytes_are_whole,
);
