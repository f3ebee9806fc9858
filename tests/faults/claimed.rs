//! Faults 1 and 2: killed around the claim, and between claim and seal.

use std::collections::BTreeMap;
use std::time::Duration;

use emboss::fault::Point;
use rustix::process::Signal;

use crate::books::Books;
use crate::house::Arrived;
use crate::promise;
use crate::site::{Database, Site, Special};

pub(crate) const POINTS: [Point; 5] =
    [Point::ClaimUncommitted, Point::ClaimCommitted, Point::PinMade, Point::PinsSaved, Point::Composing];

/// The stored PINs by recordUid.
fn pins(books: &Books) -> BTreeMap<String, Vec<u8>> {
    let items = books.items.iter();
    items.filter_map(|item| Some((item.record_uid.to_string(), item.pin.as_ref()?.stored.clone()))).collect()
}

fn f01_killed_before_the_claim_commits_nothing_happened(database: Database) {
    let site = Site::new(database);
    let before = site.books();
    site.dies_at(Point::ClaimUncommitted.name());
    let after = site.books();
    assert!(after.files.is_empty(), "{:?}", after.files);
    assert_eq!((after.plastics, after.pins), (before.plastics, 0));
    assert_eq!(after.events.len(), before.events.len(), "not even an event");
    let report = site.resumes();
    assert_eq!((&report["selected"], &report["delivered"]), (&5.into(), &4.into()), "{report}");
    assert_eq!(report["held"]["byReason"]["HELD_PIN_WAIT"], 1, "{report}");
    promise::check(&site, &report, "before the claim's commit");
}

fn f02_killed_between_claim_and_seal_it_is_the_same_file_again(database: Database) {
    for point in &POINTS[1..] {
        let site = Site::new(database);
        site.dies_at(point.name());
        let claimed = site.books();
        let (row, known) = (claimed.file(), pins(&claimed));
        assert_eq!(row.state.as_str(), "CLAIMED", "{point:?}");
        assert_eq!(known.len(), if *point >= Point::PinsSaved { 3 } else { 0 }, "{point:?}");
        let report = site.resumes();
        assert_eq!(report["delivered"], 4, "{point:?}: {report}");
        promise::check(&site, &report, point.name());
        let books = site.books();
        let sent = books.file();
        assert_eq!((sent.file_id, sent.sequence_number), (row.file_id, row.sequence_number), "{point:?}");
        assert_eq!((sent.run_id, sent.data_as_of), (row.run_id, row.data_as_of), "{point:?}: of the claim");
        assert!(sent.epoch > row.epoch, "{point:?}: taken over");
        let now = pins(&books);
        assert!(known.iter().all(|(uid, pin)| now[uid] == *pin), "{point:?}: the first PIN that was saved wins");
    }
}

/// Stopped for longer than PINs wait to be saved, the run saves the one it has made; then it dies.
fn f02_killed_after_some_pins_were_saved_no_card_gets_a_second_one(database: Database) {
    let site = Site::new(database);
    let mut run = site.start("stop@pin-made,kill@pins-saved");
    run.wait_until_stopped();
    std::thread::sleep(Duration::from_millis(2_100));
    run.send(Signal::CONT);
    run.dies_by(Signal::KILL);
    let some = site.books();
    assert_eq!(some.pins, 1, "some are saved and some are not");
    // And once more: the next run makes the rest, and dies before it has used them.
    site.dies_at(Point::Composing.name());
    let all = site.books();
    let report = site.resumes();
    promise::check(&site, &report, "some PINs saved");
    assert_eq!(pins(&site.books()), pins(&all));
    assert_eq!(all.pins, 3);
}

/// More PINs than one checkpoint saves: killed behind the first, when others are in memory only, and resumed.
fn f02_killed_between_two_checkpoints_what_was_saved_stays(database: Database) {
    let site = Site::with(database, Special { crowd: 510, ..Special::default() });
    site.dies_at(Point::PinsSaved.name());
    let first = pins(&site.books());
    assert!((1..=500).contains(&first.len()), "{} of 513 PINs at the first checkpoint", first.len());
    // The one it dies with is lost, and nobody has seen it.
    site.dies_at(Point::PinMade.name());
    assert_eq!(pins(&site.books()), first);
    let report = site.resumes();
    promise::check(&site, &report, "between two checkpoints");
    let last = pins(&site.books());
    assert_eq!((last.len(), site.books().pins), (513, 513));
    assert!(first.iter().all(|(uid, pin)| last[uid] == *pin), "R40: the first PIN that was saved wins");
}

/// Composed three times: what was sealed by a try that died is, opened, byte for byte what the house reads in the end.
fn f02_every_try_at_composing_gives_the_same_plaintext(database: Database) {
    let site = Site::new(database);
    let mut tries = Vec::new();
    for point in [Point::SpoolRenamed, Point::Composing, Point::SpoolRenamed] {
        site.dies_at(point.name());
        let spooled = site.spooled();
        for name in spooled.iter().filter(|name| name.ends_with(".pgp")) {
            let sealed = std::fs::read(site.path("spool").join(name)).unwrap();
            // Named as the house will see it, because that is the format.
            tries.push(Arrived { name: "try.xml.pgp".to_owned(), sealed });
        }
    }
    assert!(tries.len() >= 2 && tries[0].sealed != tries[1].sealed, "two tries at sealing");
    let report = site.resumes();
    promise::check(&site, &report, "composed three times");
    let [arrived] = &site.house.arrived()[..] else { panic!("one file") };
    for earlier in &tries {
        assert_eq!(promise::plaintext(earlier, "a try"), promise::plaintext(arrived, "the last"));
        assert_ne!(earlier.sha256(), arrived.sha256(), "encrypted anew");
    }
}

crate::on_each_database!(
    f01_killed_before_the_claim_commits_nothing_happened,
    f02_killed_between_claim_and_seal_it_is_the_same_file_again,
    f02_killed_after_some_pins_were_saved_no_card_gets_a_second_one,
    f02_killed_between_two_checkpoints_what_was_saved_stays,
    f02_every_try_at_composing_gives_the_same_plaintext,
);
