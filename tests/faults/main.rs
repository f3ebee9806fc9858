//! The crash half of the proof (night.md 4): the real program dies by SIGKILL at every named point of a night, is resumed
//! once, and everything is counted again: at the house, in the database, in the report.
//!
//! `docs/FAULTS.md` has a row for every fault. Each test has an installation, a database and an OpenSSH server of its own.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on fails")]
#![allow(unreachable_pub, reason = "the parts are shared with other tests")]

#[path = "../support/cards.rs"]
mod cards;
#[allow(dead_code, reason = "every test file uses another part of it")]
#[path = "../support/hsm/mod.rs"]
mod hsm;
#[path = "../support/recount.rs"]
mod recount;
#[path = "../support/mod.rs"]
mod support;
#[allow(dead_code, reason = "the golden tests use more of it")]
#[path = "../support/tree.rs"]
mod tree;

mod books;
mod house;
mod houses;
mod orders;
mod outage;
mod played;
mod process;
mod promise;
mod schedule;
mod site;
mod whole;
mod wire;

mod claimed;
mod database;
mod device;
mod night;
mod overtaken;
mod renamed;
mod renewed;
mod schedules;
mod sealed;
mod settled;
mod stopped;
mod transport;
mod uploaded;
mod write_only;

/// Makes a test for each database of each function that takes one.
macro_rules! on_each_database {
    ($($name:ident),+ $(,)?) => {
        $(mod $name {
            #[test]
            fn sqlite() {
                super::$name(crate::site::Database::Sqlite);
            }

            #[test]
            fn postgres() {
                super::$name(crate::site::Database::Postgres);
            }
        })+
    };
}
use on_each_database;

/// Whoever adds a point to the program says here what must happen when a run dies there.
#[test]
fn a_run_is_killed_at_every_point_there_is() {
    let mut killed: Vec<emboss::fault::Point> = Vec::new();
    killed.extend(renewed::POINTS);
    killed.extend(claimed::POINTS);
    killed.extend(sealed::POINTS);
    killed.extend(uploaded::POINTS);
    killed.extend(renamed::POINTS);
    killed.extend(settled::POINTS);
    assert_eq!(killed, emboss::fault::Point::ALL);
}
