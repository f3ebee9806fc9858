//! The verdicts of a night, counted: what plans print and reports add up.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};

use super::{Candidate, ReasonCode, Verdict, warning_age};
use crate::card::product::words;
use crate::card::{CardId, PlasticId};

/// Counts of verdicts and the notes that came with them.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Tally {
    /// Requests judged.
    pub selected: u64,
    /// Requests that become records, by event.
    pub produced: BTreeMap<&'static str, u64>,
    /// Held requests, by reason.
    pub held: BTreeMap<&'static str, u64>,
    /// Excluded requests, by reason.
    pub excluded: BTreeMap<&'static str, u64>,
    /// Requests closed without a record, by reason.
    pub closed: BTreeMap<&'static str, u64>,
    /// Warnings that go with records, by code.
    pub warnings: BTreeMap<String, u64>,
    /// Held requests whose data are at fault (fault 26).
    pub bad: u64,
    /// Cards that wait for their PIN.
    pub pin_wait: PinWait,
}

/// Cards in W, and for how long (R31): counted, because there may be more of them than findings are kept.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct PinWait {
    /// How many cards.
    pub cards: u64,
    /// Whole days since the oldest of their requests was marked.
    pub longest_days: i64,
    /// Cards by the highest warning age in days that they have reached; those below the first are not in it.
    pub by_age: BTreeMap<i64, u64>,
}

impl PinWait {
    /// Counts one card that has waited for some days; `ages` are those that are warned of.
    pub fn add(&mut self, days: i64, ages: &[i64]) {
        self.cards += 1;
        self.longest_days = self.longest_days.max(days);
        if let Some(age) = warning_age(days, ages) {
            *self.by_age.entry(age).or_default() += 1;
        }
    }

    /// The highest warning age that any card has reached, in days.
    pub fn highest_age(&self) -> Option<i64> {
        self.by_age.keys().next_back().copied()
    }

    fn absorb(&mut self, other: &Self) {
        self.cards += other.cards;
        self.longest_days = self.longest_days.max(other.longest_days);
        for (age, cards) in &other.by_age {
            *self.by_age.entry(*age).or_default() += cards;
        }
    }
}

words!(
    /// What became of a request, as plans and `status` say it.
    Standing {
        /// Goes into a file.
        Produce = "PRODUCE",
        /// Waits.
        Hold = "HOLD",
        /// Will not go by itself.
        Exclude = "EXCLUDE",
        /// Closed without a record.
        Close = "CLOSE",
    }
);

/// One request's verdict, for people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// The plastic.
    pub plastic_id: PlasticId,
    /// Its card.
    pub card_id: CardId,
    /// What became of it.
    pub standing: Standing,
    /// The reason's code.
    pub code: ReasonCode,
    /// The reason's detail.
    pub detail: String,
    /// Whether it is worth an alert.
    pub alert: bool,
    /// When the request was marked.
    pub marked_at: DateTime<Utc>,
    /// Whole days from then to T0.
    pub age_days: i64,
}

impl Tally {
    /// Counts one verdict; gives the finding where the request does not become a record.
    pub fn add(&mut self, candidate: &Candidate<'_>, verdict: &Verdict, cut_off: DateTime<Utc>) -> Option<Finding> {
        self.selected += 1;
        let (standing, reason) = match verdict {
            Verdict::Produce(production) => {
                *self.produced.entry(candidate.request.event.as_str()).or_default() += 1;
                for warning in &production.warnings {
                    *self.warnings.entry(warning.code.to_string()).or_default() += 1;
                }
                return None;
            }
            Verdict::Hold(reason) => (Standing::Hold, reason),
            Verdict::Exclude(reason) => (Standing::Exclude, reason),
            Verdict::Close(reason) => (Standing::Close, reason),
        };
        let counts = match standing {
            Standing::Exclude => &mut self.excluded,
            Standing::Close => &mut self.closed,
            Standing::Hold | Standing::Produce => &mut self.held,
        };
        *counts.entry(reason.code.as_str()).or_default() += 1;
        if standing == Standing::Hold && reason.code.is_bad_data() {
            self.bad += 1;
        }
        Some(Finding {
            plastic_id: candidate.request.plastic_id,
            card_id: candidate.dossier.card_id,
            standing,
            code: reason.code,
            detail: reason.detail.clone(),
            alert: reason.alert,
            marked_at: candidate.request.marked_at,
            age_days: (cut_off - candidate.request.marked_at).num_days(),
        })
    }

    /// Moves one request from produced to held: it fell out after the claim (PIN or card data failed).
    pub fn fell_out(&mut self, event: &'static str, code: ReasonCode) {
        if let Some(count) = self.produced.get_mut(event) {
            *count = count.saturating_sub(1);
        }
        self.produced.retain(|_, count| *count > 0);
        *self.held.entry(code.as_str()).or_default() += 1;
    }

    /// Requests that become records.
    pub fn producing(&self) -> u64 {
        self.produced.values().sum()
    }

    /// Held requests.
    pub fn holding(&self) -> u64 {
        self.held.values().sum()
    }

    /// Excluded requests.
    pub fn excluding(&self) -> u64 {
        self.excluded.values().sum()
    }

    /// Requests closed without a record.
    pub fn closing(&self) -> u64 {
        self.closed.values().sum()
    }

    /// Adds another tally to this one.
    pub fn absorb(&mut self, other: &Self) {
        self.selected += other.selected;
        self.bad += other.bad;
        self.pin_wait.absorb(&other.pin_wait);
        for (mine, theirs) in [
            (&mut self.produced, &other.produced),
            (&mut self.held, &other.held),
            (&mut self.excluded, &other.excluded),
            (&mut self.closed, &other.closed),
        ] {
            for (code, count) in theirs {
                *mine.entry(code).or_default() += count;
            }
        }
        for (code, count) in &other.warnings {
            *self.warnings.entry(code.clone()).or_default() += count;
        }
    }
}
