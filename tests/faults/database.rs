//! The database: away at the start, away in the middle, restored from a backup, busy with orders.

use std::fs;

use emboss::fault::Point;
use emboss::settlement::FileState;
use rustix::process::Signal;

use crate::on_each_database;
use crate::orders::{PRODUCED, more_cards};
use crate::outage::{Outage, set_impatience};
use crate::process::Running;
use crate::promise;
use crate::site::{Database, Servers, Site, Special};
use crate::support::postgres::PASSWORD;
use crate::support::trial::{Outcome, started};
use crate::whole::announced;

on_each_database!(
    fault_10_a_database_that_is_away_at_the_start_ends_the_run_with_3,
    fault_11_a_database_that_goes_away_in_the_middle_stops_the_run_and_nothing_is_published_without_its_transition,
    fault_31_a_database_from_before_the_night_stops_the_run_and_says_why,
    fault_31_a_fail_over_that_lost_commits_stops_the_run_unless_a_crash_loses_as_much,
    fault_32_orders_are_imported_while_a_run_claims_and_both_finish,
);

fn fault_10_a_database_that_is_away_at_the_start_ends_the_run_with_3(database: Database) {
    let site = Site::on(&Servers::own(database), Special::default());
    set_impatience(&site);
    let outage = Outage::begin(&site);
    assert!(outage.is_on());
    let outcome = site.run().exits(3);
    let told = outcome.object();
    assert_eq!(outcome.stderr, format!("emboss: {}\n", told["error"].as_str().unwrap()), "one sentence");
    assert_eq!(told["exitCode"], 3);
    assert!(!outcome.both().contains(PASSWORD), "{outcome:?}");
    assert_eq!((site.house.standing(), site.spooled(), site.journal()), (vec![], vec![], vec![]), "nothing was done");
    drop(outage);
    assert!(site.books().files.is_empty());
    let report = site.resumes();
    promise::check(&site, &report, "back again");
}

/// One run stands still at each point, the database goes away under all of them, and they go on without it.
fn fault_11_a_database_that_goes_away_in_the_middle_stops_the_run_and_nothing_is_published_without_its_transition(
    database: Database,
) {
    let servers = Servers::own(database);
    let sites = Point::ALL.map(|point| (point, Site::on(&servers, Special::default())));
    let mut runs = Vec::new();
    for (point, site) in &sites {
        set_impatience(site);
        let mut run = site.start(&format!("stop@{}", point.name()));
        run.wait_until_stopped();
        runs.push(run);
    }
    // A server goes away once for all of them, a file for each by itself.
    let alone = sites.iter().filter(|_| database == Database::Sqlite);
    let outages: Vec<Outage> = sites.iter().take(1).chain(alone.skip(1)).map(|(_, site)| Outage::begin(site)).collect();
    let is_away: Vec<bool> = (0..sites.len()).map(|place| outages.get(place).is_none_or(Outage::is_on)).collect();
    runs.iter_mut().for_each(|run| run.send(Signal::CONT));
    for (((point, _), run), is_away) in sites.iter().zip(runs).zip(&is_away) {
        // Where the run holds SQLite's only writer nobody else can; and at the last point no database is needed more.
        let is_met = *is_away && *point != Point::RunEnded;
        let outcome = run.ends();
        assert_eq!(outcome.code, Some(if is_met { 3 } else { 0 }), "{}: {}", point.name(), outcome.both());
    }
    drop(outages);
    assert!(is_away.iter().filter(|is_away| **is_away).count() > 15, "{is_away:?}");
    for (point, site) in &sites {
        check_after_the_outage(site, &format!("away at {}", point.name()));
    }
}

/// What was published was announced before, what was not settled has moved nothing, and the next run ends the night.
fn check_after_the_outage(site: &Site, what: &str) {
    let books = site.books();
    for file in site.house.has() {
        let row = books.files.iter().find(|row| row.file_name.as_ref() == Some(&file.name));
        assert!(row.is_some_and(announced), "{what}: {} is published and nothing announced it: {row:?}", file.name);
    }
    let settled = !books.files.is_empty() && books.files.iter().all(|row| row.state == FileState::Settled);
    assert_eq!(books.moves().is_empty(), !settled, "{what}: plastics move with the settlement");
    let report = site.resumes();
    if settled {
        promise::check_the_night(site, what);
    } else {
        promise::check(site, &report, what);
    }
}

/// The server's clock, moved for this database alone: what the program asks finds another function of that name first.
fn set_clock(site: &Site, seconds: i64) {
    site.server().psql(&format!(
        "CREATE OR REPLACE FUNCTION public.clock_timestamp() RETURNS timestamptz LANGUAGE sql
             AS 'SELECT pg_catalog.clock_timestamp() + interval ''{seconds} seconds'''"
    ));
    site.server().psql(&format!("ALTER DATABASE {} SET search_path = public, pg_catalog", site.server().name()));
}

/// Fault 24, by a server that has a clock of its own: five minutes are allowed, more is not, in either direction.
#[test]
fn fault_24_a_server_whose_clock_is_more_than_five_minutes_off_is_refused() {
    let site = Site::new(Database::Postgres);
    for seconds in [305, -305] {
        set_clock(&site, seconds);
        let outcome = site.run().exits(3).says(&["clock and the database's differ by 30", "the 300 s allowed"]);
        assert!(outcome.both().contains("Set the clocks and run again"), "{outcome:?}");
        assert!(site.books().files.is_empty() && site.house.standing().is_empty(), "nothing was begun");
    }
    set_clock(&site, 290);
    let report = site.resumes();
    promise::check(&site, &report, "290 s are allowed");
}

fn fault_31_a_database_from_before_the_night_stops_the_run_and_says_why(database: Database) {
    let site = Site::new(database);
    let before = site.back_up();
    let report = site.resumes();
    promise::check(&site, &report, "the night");
    let (newest, house, journal) = (site.back_up(), site.house.arrived(), site.journal());

    site.restore(&before);
    for _ in 0..2 {
        let outcome = site.run().exits(1);
        outcome.says(&["the database is older than the spool", "does not know it", "put the newest database back"]);
    }
    assert_eq!((site.house.arrived(), site.journal()), (house.clone(), journal.clone()), "nothing twice");
    assert!(site.books().files.is_empty() && site.books().moves().is_empty(), "nothing was begun");

    site.restore(&newest);
    assert_eq!(site.resumes()["agreements"][0]["outcome"], "ALREADY_DELIVERED");
    assert_eq!((site.house.arrived(), site.journal()), (house, journal));
}

/// A backup of each state of the night, restored when the night is over. One line behind is what a crash leaves, and
/// the journal is believed; more is commits lost, and a person must look.
fn fault_31_a_fail_over_that_lost_commits_stops_the_run_unless_a_crash_loses_as_much(database: Database) {
    for (point, goes_on) in [
        (Point::ClaimCommitted, false),
        (Point::Sealed, false),
        (Point::Sending, false),
        (Point::Ready, false),
        (Point::Renaming, true),
        (Point::Published, true),
    ] {
        let what = format!("lost after {}", point.name());
        let site = Site::new(database);
        let mut run = site.start(&format!("stop@{}", point.name()));
        run.wait_until_stopped();
        let backup = site.back_up();
        run.send(Signal::CONT);
        run.ends().exits(0);
        let (house, journal) = (site.house.arrived(), site.journal());
        site.restore(&backup);
        let outcome = site.run();
        if goes_on {
            assert_eq!(outcome.exits(0).object()["delivered"], PRODUCED.len(), "{what}");
            promise::check_the_night(&site, &what);
        } else {
            outcome.exits(1).says(&["the database is older than the spool", "Nothing was done"]);
            assert_eq!(site.journal(), journal, "{what}");
            assert!(site.books().moves().is_empty(), "{what}");
        }
        assert_eq!(site.house.arrived(), house, "{what}: nothing twice");
    }
}

/// Rounds of both at once: whoever comes first, neither is refused, and no card is lost between them.
fn fault_32_orders_are_imported_while_a_run_claims_and_both_finish(database: Database) {
    let site = Site::new(database);
    let (rounds, each) = (12, 20);
    for round in 0..rounds {
        let path = site.path(&format!("orders-{round}.jsonl"));
        fs::write(&path, more_cards(5000 + round * each, each)).unwrap();
        let import = Running::of(started(&mut site.emboss(&["import", &path.display().to_string()])));
        // On demand: every round claims what is there by then.
        let run = Running::of(started(&mut site.emboss(&["run", "--now", "--json"])));
        let (run, import): (Outcome, Outcome) = (run.ends().exits(0), import.ends().exits(0));
        assert_eq!(run.object()["addsUp"], true, "round {round}");
        assert_eq!(import.stdout.lines().count(), usize::try_from(each).unwrap(), "round {round}: an answer each");
    }
    site.run().exits(0);
    let books = site.books();
    let cards = usize::try_from(rounds * each).unwrap() + PRODUCED.len();
    assert_eq!(books.items.len(), cards, "every card in a file");
    let moves = books.moves();
    // And the virtual plastic that its physical one replaces.
    assert_eq!((moves.len(), moves.values().max()), (cards + 1, Some(&1)), "each moved once");
    assert_eq!(site.house.arrived().len(), books.files.len());
    assert!(books.files.iter().all(|row| row.state == FileState::Settled));
}
