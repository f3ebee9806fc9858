//! A scenario of `fixtures/` as it is written: what is fed in, and what the rules expect to come out.

use std::collections::BTreeMap;
use std::fs;

use chrono::{DateTime, NaiveDate, Utc};
use emboss::agreement::FileFormat;
use emboss::card::{CardId, InstitutionId};
use serde::Deserialize;

/// Text by path, for example `cardDelivery.address.city`; `pin` is what the PIN block of a record holds. `(absent)` and
/// `(present)` stand for themselves, `?` for any one character.
pub type Fields = BTreeMap<String, String>;

/// `scenario.toml`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scenario {
    pub title: String,
    pub shows: String,
    pub rules: Vec<String>,
    pub seed: u64,
    /// Format and version set into every agreement; none = as configured.
    pub variants: Vec<(FileFormat, u8)>,
    pub step: Vec<Step>,
    /// What records of different files have in common.
    #[serde(default)]
    pub same: Vec<Across>,
    /// What they have not.
    #[serde(default)]
    pub differ: Vec<Across>,
}

/// Fields of several records, `NAME cardId/sequence` with NAME as in `file`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Across {
    pub of: Vec<String>,
    pub records: Vec<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    Import,
    /// A plan alone.
    Plan,
    /// The night of a date; a plan is made first and must say the same.
    Run,
    /// The same on demand.
    RunNow,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Step {
    pub kind: Kind,
    pub orders: Option<String>,
    pub date: Option<NaiveDate>,
    pub now: DateTime<Utc>,
    #[serde(default)]
    pub institutions: Vec<InstitutionId>,
    #[serde(default)]
    pub cards: Vec<CardId>,
    /// The house's folder is not there while this step lasts.
    #[serde(default)]
    pub house_away: bool,
    #[serde(default)]
    pub expect: Expect,
}

/// What the rules say of one step, derived by hand and never written by a program. A list that is not there is empty.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Expect {
    /// `orderId CODE`, or `#line CODE` where the order id cannot be read; all others are taken.
    #[serde(default)]
    pub refused: Vec<String>,
    /// `orderId CODE`: taken with a warning.
    #[serde(default)]
    pub warned: Vec<String>,
    pub exit: Option<i64>,
    pub selected: Option<u64>,
    /// What the plan before a run selects, where the run first renews cards.
    pub planned: Option<u64>,
    /// `institution EVENT count`, and `institution REASON count` of what was due and not renewed.
    #[serde(default)]
    pub renewed: Vec<String>,
    /// `cardId CODE ageDays`.
    #[serde(default)]
    pub held: Vec<String>,
    /// `cardId CODE`: of plastics that the run itself made, of which no plan can tell.
    #[serde(default)]
    pub held_at_once: Vec<String>,
    #[serde(default)]
    pub excluded: Vec<String>,
    #[serde(default)]
    pub closed: Vec<String>,
    #[serde(default)]
    pub warnings: BTreeMap<String, u64>,
    #[serde(default)]
    pub warnings_v2: BTreeMap<String, u64>,
    #[serde(default)]
    pub alerts: Vec<String>,
    /// `institution manufacturer OUTCOME`.
    #[serde(default)]
    pub agreements: Vec<String>,
    #[serde(default)]
    pub file: Vec<ExpectedFile>,
    /// `cardId/sequence` (another institution's: `id:cardId/sequence`) to `STATUS`, or `STATUS EVENT expiry`.
    pub after: Option<Fields>,
    /// `cardId` (another institution's: `id:cardId`) to `STATUS pinStatus`, or `STATUS pinStatus replacedBy`, where `-`
    /// is nothing.
    pub cards: Option<Fields>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ExpectedFile {
    /// Without `_V1.xml` and what follows.
    pub name: String,
    /// `cardId/sequence`, in the file's order.
    pub records: Vec<String>,
    #[serde(default)]
    pub header: Fields,
    #[serde(default)]
    pub trailer: Fields,
    #[serde(default)]
    pub trailer_v1: Fields,
    #[serde(default)]
    pub trailer_v2: Fields,
    #[serde(default)]
    pub record: BTreeMap<String, Fields>,
    #[serde(default)]
    pub record_v1: BTreeMap<String, Fields>,
    #[serde(default)]
    pub record_v2: BTreeMap<String, Fields>,
}

pub use super::support::fixtures::folder as fixtures;

impl Scenario {
    pub fn read(name: &str) -> Self {
        let path = fixtures().join(name).join("scenario.toml");
        let text = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        toml::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
    }

    /// The variants to be played; `None` = as configured.
    pub fn variants(&self) -> Vec<Option<(FileFormat, u8)>> {
        if self.variants.is_empty() { vec![None] } else { self.variants.iter().copied().map(Some).collect() }
    }
}

/// Whether a value is as expected; `?` stands for one character.
pub fn matches(expected: &str, found: Option<&str>) -> bool {
    match (expected, found) {
        ("(absent)", found) => found.is_none(),
        ("(present)", found) => found.is_some(),
        (_, None) => false,
        (expected, Some(found)) => {
            expected.chars().count() == found.chars().count()
                && expected.chars().zip(found.chars()).all(|(wanted, is)| wanted == '?' || wanted == is)
        }
    }
}
