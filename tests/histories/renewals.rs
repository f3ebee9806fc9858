//! What the rules say of renewal: R110-R113.

use chrono::{DateTime, Days, Utc};

use crate::book::{Book, Card};
use crate::products::RENEWAL_DAYS;

/// How many plastics a renewal made, and how many cards it left as they are.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Renewed {
    pub(crate) rpl: u64,
    pub(crate) rvrt: u64,
    /// R4: no plastic is wanted of them.
    pub(crate) without_plastic: u64,
}

impl Book {
    /// The first step of a night; none where the bank has it off.
    pub(crate) fn renew(&mut self, cut_off: DateTime<Utc>) -> Option<Renewed> {
        let mut renewed = Renewed::default();
        if !self.terms.renewal {
            return None;
        }
        for card in self.cards.values_mut().filter(|card| card.is_due(cut_off)) {
            let newest = card.there().next_back().unwrap();
            let expiry = newest.expiry.later(card.product.months);
            if newest.is_virtual() {
                renewed.rvrt += 1;
                card.plastics.iter_mut().filter(|plastic| plastic.in_use()).for_each(|it| it.status = "CLOSED");
                card.add("RVRT", "ACTIVE", expiry, cut_off);
            } else if card.product.wants_plastic(card.physical) {
                renewed.rpl += 1;
                card.add("RPL", "INACTIVE", expiry, cut_off);
            } else {
                renewed.without_plastic += 1;
            }
        }
        Some(renewed)
    }
}

impl Card {
    fn is_due(&self, cut_off: DateTime<Utc>) -> bool {
        let Some(newest) = self.there().next_back() else { return false };
        let date = newest.expiry.last_day() - Days::new(RENEWAL_DAYS.unsigned_abs());
        self.status == "CARD_OK"
            && !self.is_closed_by_schedule(cut_off)
            && newest.in_use()
            && date <= cut_off.date_naive()
            && !newest.expiry.is_over(cut_off)
            && !self.is_being_made()
    }
}
