//! The crash half of the proof (night.md 4): the real program dies by SIGKILL at every named point of a night, is resumed
//! once, and everything is counted again: at the house, in the database, in the report.
//!
//! `docs/FAULTS.md` has a row for every fault. Each test has an installation, a database and an OpenSSH server of its own.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on fails")]

#[path = "../support/cards.rs"]
mod cards;
#[path = "../support/recount.rs"]
mod recount;
#[path = "../support/mod.rs"]
mod support;
#[path = "../support/tree.rs"]
mod tree;

mod books;
mod house;
mod houses;
mod orders;
mod played;
mod process;
// mod promise;
mod schedule;
mod site;
mod whole;

mod night;
mod schedules;

/// Makes a test for each database of each function that takes one.
macro_rules! on_each_database {
    ($($name:ident),+ $(,)?) => {
        $(mod $name {
            #[test]
            fn sqlite() {
                super::$name(crate::site::Database::Sqlite);
            }
        })+
    };
}
use on_each_database;
