//! Faults 8 and 9: killed around the settlement's commit, and before anybody has read its events.

use emboss::fault::Point;
use emboss::settlement::FileState;
use rustix::process::Signal;
use serde_json::Value;

use crate::process::until;
use crate::promise;
use crate::site::{Database, Site};
use crate::wire::{Loss, Wire};

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

/// The database has the COMMIT, or never got it, and the run gets no answer: it reads the state again, and settles the
/// file in the same run.
#[test]
fn f08_the_settlements_commit_is_not_answered_the_state_is_read_again() {
    for (loss, state) in [(Loss::Answer, FileState::Settled), (Loss::Request, FileState::Published)] {
        let site = Site::new(Database::Postgres);
        let direct = site.server().url();
        let wire = Wire::to(site.server().cluster().port());
        site.configure(&format!("{direct:?}"), &format!("{:?}\ntls = \"off\"", site.server().url_through(wire.port())));
        let mut run = site.start("stop@settle-uncommitted,stop@settle-uncommitted#2");
        run.wait_until_stopped();
        wire.lose_next(loss);
        run.send(Signal::CONT);
        until("the COMMIT is lost", || wire.has_lost());
        if loss == Loss::Request {
            run.wait_until_stopped();
            assert_eq!(site.books().file().state, state, "nothing was committed");
            run.send(Signal::CONT);
        }
        let report = run.ends().exits(0).object();
        promise::check(&site, &report, &format!("{loss:?} lost"));
    }
}

/// A reader that takes events by number gets each once, whenever the run died and whenever it asks.
fn f09_killed_after_the_settlement_the_reader_of_events_goes_on_where_it_was(database: Database) {
    for point in &POINTS[2..] {
        let site = Site::new(database);
        let mut read = site.events_after(0);
        site.dies_at(point.name());
        read.extend(site.events_after(last_of(&read)));
        let report = site.resumes();
        promise::check(&site, &report, point.name());
        read.extend(site.events_after(last_of(&read)));
        let numbers: Vec<i64> = read.iter().map(number_of).collect();
        assert!(numbers.is_sorted_by(|one, next| one < next), "{point:?}: no event comes twice: {numbers:?}");
        let all: Vec<i64> = site.books().events.iter().map(|event| event.number).collect();
        assert_eq!(numbers, all, "{point:?}: and none is missing");
        let moved = read.iter().filter(|event| event["kind"] == "plastic.moved").count();
        assert_eq!(moved, 5, "{point:?}: four plastics of the file and the one that is replaced");
    }
}

fn number_of(event: &Value) -> i64 {
    event["number"].as_i64().unwrap()
}

fn last_of(read: &[Value]) -> i64 {
    read.last().map_or(0, number_of)
}

crate::on_each_database!(
    f08_killed_around_the_settlements_commit_it_is_settled_once,
    f09_killed_after_the_settlement_the_reader_of_events_goes_on_where_it_was,
);
