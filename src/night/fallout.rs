//! Cards that fall out of a file behind the claim: their PIN cannot be made, their number not be opened.
//!
//! Invariants: the cards of one attempt leave the file in one transaction and wait with their reasons; where more have
//! bad data than the agreement allows, none leaves and the file stays CLAIMED, because a file without a fifth of its
//! cards says that something else is wrong (fault 26).

use std::collections::BTreeMap;

use super::error::Trouble;
use super::judge::too_many_bad;
use super::{Night, Run};
use crate::agreement::Terms;
use crate::card::{FileId, RecordUid};
use crate::report::Alert;
use crate::selection::{ReasonCode, Tally};
use crate::store::{FileRow, ItemCounts};

/// Requests an alert names; the rest are counted.
const NAMED: usize = 5;

/// A card that cannot be made, and why.
pub(super) struct Fallen {
    pub(super) record_uid: RecordUid,
    pub(super) event: &'static str,
    pub(super) code: ReasonCode,
    pub(super) why: String,
}

/// What fell out of one file, for its report.
#[derive(Default)]
pub(super) struct Fallouts(BTreeMap<&'static str, Reason>);

struct Reason {
    code: ReasonCode,
    by_event: BTreeMap<&'static str, u64>,
    first: Vec<RecordUid>,
    why: String,
}

impl Fallouts {
    fn add(&mut self, fallen: Fallen) {
        let Fallen { record_uid, event, code, why } = fallen;
        let new = || Reason { code, by_event: BTreeMap::new(), first: Vec::new(), why };
        let reason = self.0.entry(code.as_str()).or_insert_with(new);
        *reason.by_event.entry(event).or_default() += 1;
        if reason.first.len() < NAMED {
            reason.first.push(record_uid);
        }
    }

    /// Moves them from produced to held.
    pub(super) fn count_into(&self, tally: &mut Tally) {
        for reason in self.0.values() {
            for (event, count) in &reason.by_event {
                (0..*count).for_each(|_| tally.fell_out(event, reason.code));
            }
        }
    }

    /// One alert for each reason, with the number and the first requests.
    pub(super) fn alerts(&self, file_id: FileId) -> impl Iterator<Item = Alert> {
        self.0.values().map(move |reason| {
            let count: u64 = reason.by_event.values().sum();
            let mut named: Vec<String> = reason.first.iter().map(ToString::to_string).collect();
            if count > named.len() as u64 {
                named.push(format!("and {} more", count - named.len() as u64));
            }
            let (cards, named) = (if count == 1 { "card" } else { "cards" }, named.join(", "));
            let text = format!("{count} {cards} fell out of file {file_id}: {}. Requests: {named}.", reason.why);
            Alert::new(reason.code.as_str(), text)
        })
    }
}

/// How many cards of an agreement may have bad data tonight, and how many have.
pub(super) struct BadLimit<'a> {
    terms: &'a Terms,
    bad: u64,
    selected: u64,
}

impl<'a> BadLimit<'a> {
    /// After what the claim held already.
    pub(super) fn after(terms: &'a Terms, tally: &Tally) -> Self {
        Self { terms, bad: tally.bad, selected: tally.selected }
    }

    /// And with a file that an earlier try claimed, and what had fallen out of it then.
    pub(super) fn resume(&mut self, counts: ItemCounts, counted_as_waiting: bool) {
        self.bad += counts.fell_out;
        self.selected += counts.records + if counted_as_waiting { 0 } else { counts.fell_out };
    }

    fn admit(&mut self, fallen: &[Fallen]) -> Result<(), Trouble> {
        let bad = fallen.iter().filter(|fallen| fallen.code.is_bad_data()).count() as u64;
        let first = fallen.iter().find(|fallen| fallen.code.is_bad_data());
        if let (Some(first), Some(detail)) = (first, too_many_bad(&self.terms.agreement, self.bad + bad, self.selected))
        {
            let detail = format!("{detail}. The first: request {}, {}: {}", first.record_uid, first.code, first.why);
            return Err(Trouble::Stopped { code: ReasonCode::TooManyBadRecords, detail });
        }
        self.bad += bad;
        Ok(())
    }
}

/// A file in the making: what its agreement allows, and what fell out of it.
pub(super) struct Making<'l, 'a> {
    pub(super) limit: &'l mut BadLimit<'a>,
    pub(super) fallouts: Fallouts,
}

impl Night {
    /// Takes cards out of a file that is not sealed yet; each waits with its reason.
    pub(super) async fn let_go(
        &self,
        run: &Run,
        file: &FileRow,
        fallen: Vec<Fallen>,
        making: &mut Making<'_, '_>,
    ) -> Result<(), Trouble> {
        if fallen.is_empty() {
            return Ok(());
        }
        making.limit.admit(&fallen)?;
        self.release(run, file, &fallen).await?;
        fallen.into_iter().for_each(|fallen| making.fallouts.add(fallen));
        Ok(())
    }
}
