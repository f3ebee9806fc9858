//! Faults 8 and 9: killed around the settlement's commit, and before anybody has read its events.

use std::collections::BTreeSet;

use emboss::fault::Point;
use emboss::settlement::FileState;

use crate::promise;
use crate::site::{Database, Site};

pub(crate) const POINTS: [Point; 5] =
    [Point::Published, Point::SettleUncommitted, Point::SettleCommitted, Point::Settled, Point::RunEnded];

fn f08_killed_around_the_settlements_commit_it_is_settled_once(database: Database) {
    for point in &POINTS[..3] {
        let site = Site::new(database);
        site.dies_at(point.name());
        let committed = *point == Point::SettleCommitted;
        let books = site.books();
        let state = if committed { FileState::Settled } else { FileState::Published };
        assert_eq!(books.file().state, state, "{point:?}");
        // The four plastics of the file, and the virtual one that the physical one replaces: all or none.
        assert_eq!(books.moves().len(), if committed { 5 } else { 0 }, "{point:?}");
        let report = site.resumes();
        promise::check(&site, &report, point.name());
    }
}

/// A reader that takes events by number gets each once, whenever the run died and whenever it asks.
fn f09_killed_after_the_settlement_the_reader_of_events_goes_on_where_it_was(database: Database) {
    for point in &POINTS[2..] {
        let site = Site::new(database);
        let mut read = site.events_after(0);
        site.dies_at(point.name());
        let last = read.last().map_or(0, |event| event.number);
        read.extend(site.events_after(last));
        let report = site.resumes();
        promise::check(&site, &report, point.name());
        let last = read.last().map_or(0, |event| event.number);
        read.extend(site.events_after(last));
        let numbers: BTreeSet<i64> = read.iter().map(|event| event.number).collect();
        assert_eq!(numbers.len(), read.len(), "{point:?}: no event comes twice");
        assert_eq!(read, site.books().events, "{point:?}: and none is missing");
        let moved = read.iter().filter(|event| event.kind == "plastic.moved").count();
        assert_eq!(moved, 5, "{point:?}: four plastics of the file and the one that is replaced");
    }
}

crate::on_each_database!(
    f08_killed_around_the_settlements_commit_it_is_settled_once,
    f09_killed_after_the_settlement_the_reader_of_events_goes_on_where_it_was,
);
