//! A schedule of faults as a value: what is ordered, how the house behaves, and what goes wrong in which run.
//!
//! Drawn by proptest, so a schedule that breaks a promise is made smaller until every part of it is needed.

use emboss::fault::Point;
use proptest::prelude::*;
use proptest::sample::select;

/// How the house behaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Manners {
    /// Files stay where they were put.
    Normal,
    /// Nothing can be looked at.
    WriteOnly,
    /// Each file is taken the moment it has its name.
    Greedy,
}

/// What goes wrong in a run. A point counts from 1: the n-th time it is reached; where it never is, the run is a good one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// Nothing.
    None,
    /// The process dies.
    Kill(Point, u8),
    /// SIGTERM.
    Terminate(Point, u8),
    /// PostgreSQL dies and comes back afterwards; a SQLite file is kept busy by somebody else until the run gave up.
    DatabaseDies(Point, u8),
    /// Orders are imported while the run stands there, and as it goes on.
    ImportAt(Point, u8),
    /// The line to the house is reset after so many bytes, every time.
    Reset(u64),
    /// The line falls silent after so many bytes, every time.
    Silence(u64),
    /// The folder of one agreement's files is missing.
    FolderMissing,
}

/// One run, and what comes before it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Try {
    /// Cards ordered before it, for the agreements in turn.
    pub(crate) orders: u8,
    /// Whether it is for the night after the one before; an on-demand run is for none.
    pub(crate) next_night: bool,
    /// Whether it is an on-demand run.
    pub(crate) on_demand: bool,
    /// What goes wrong.
    pub(crate) fault: Fault,
}

/// Everything that is drawn.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Schedule {
    /// Cards of each agreement before the first run.
    pub(crate) cards: Vec<u8>,
    /// 0 = no limit.
    pub(crate) max_records_per_file: u8,
    /// The house.
    pub(crate) manners: Manners,
    /// `rename_proves_publication` of the destinations.
    pub(crate) proves: bool,
    /// The runs.
    pub(crate) tries: Vec<Try>,
}

/// Each may be for a night of its own.
pub(crate) const MOST_TRIES: usize = 5;

impl Schedule {
    /// Whether a person may be needed: where the probe has to look for a file after a rename and cannot. A missing
    /// folder hides what a rename before it did.
    pub(crate) fn may_be_uncertain(&self) -> bool {
        match self.manners {
            Manners::Normal => self.tries.iter().any(|one| one.fault == Fault::FolderMissing),
            Manners::WriteOnly => true,
            Manners::Greedy => !self.proves || self.tries.iter().any(|one| one.fault == Fault::FolderMissing),
        }
    }

    /// Every schedule.
    pub(crate) fn any() -> impl Strategy<Value = Self> {
        let manners =
            prop_oneof![3 => Just(Manners::Normal), 2 => Just(Manners::WriteOnly), 2 => Just(Manners::Greedy)];
        let cards = prop::collection::vec(1..=4_u8, 1..=3);
        let tries = prop::collection::vec(any_try(), 1..=MOST_TRIES);
        (cards, 0..=3_u8, manners, any::<bool>(), tries).prop_map(
            |(cards, max_records_per_file, manners, proves, tries)| Self {
                cards,
                max_records_per_file,
                manners,
                proves,
                tries,
            },
        )
    }
}

fn any_try() -> impl Strategy<Value = Try> {
    (0..=3_u8, prop::bool::weighted(0.3), prop::bool::weighted(0.2), any_fault())
        .prop_map(|(orders, next_night, on_demand, fault)| Try { orders, next_night, on_demand, fault })
}

/// Simplest first, for shrinking.
fn any_fault() -> impl Strategy<Value = Fault> {
    // Around the rename is where nobody can tell: more of them there.
    let doubtful = vec![Point::RenameNoted, Point::Renaming, Point::Renamed, Point::PublishedNoted];
    let place = prop_oneof![2 => select(Point::ALL.to_vec()), 1 => select(doubtful)];
    let point = || (place.clone(), prop_oneof![4 => Just(1_u8), 1 => 2..=5_u8]);
    // A connection sends some three thousand bytes before the first one of a file.
    let bytes = || prop_oneof![1 => 0..3_000_u64, 3 => 3_000..16_000_u64];
    prop_oneof![
        1 => Just(Fault::None),
        8 => point().prop_map(|(point, time)| Fault::Kill(point, time)),
        2 => point().prop_map(|(point, time)| Fault::Terminate(point, time)),
        2 => point().prop_map(|(point, time)| Fault::DatabaseDies(point, time)),
        1 => point().prop_map(|(point, time)| Fault::ImportAt(point, time)),
        2 => bytes().prop_map(Fault::Reset),
        1 => bytes().prop_map(Fault::Silence),
        1 => Just(Fault::FolderMissing),
    ]
}
