//! Automatic renewal: which cards are due, and which plastic each gets (R110-R113, and RPL and RVRT of R20).
//!
//! Invariants: the same card, day and terms always give the same ruling; a card that has a plastic to be made, or one that
//! lasts longer, gets none (R113); a renewal keeps the card's number and says nothing of its PIN (R112).
//!
//! Nothing is remembered: a card is due from its renewal date until it expires, and who is renewed once has a newer plastic
//! (R111, A13).

use std::collections::BTreeMap;
use std::fmt;

use chrono::{DateTime, Days, NaiveDate, Utc};
use serde_json::{Value, json};

use crate::agreement::Product;
use crate::card::product::words;
use crate::card::{
    Card, CardId, CardStatus, Expiry, InstitutionId, Plastic, PlasticId, PlasticStatus, ProductionEvent,
};

/// The day for which cards are looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Day {
    /// The business date.
    pub date: NaiveDate,
    /// T0, at which new plastics are marked.
    pub cut_off: DateTime<Utc>,
    /// R110: days from the renewal date to the last day of the expiry month.
    pub renewal_days: u32,
}

/// R110: the last day of the expiry month minus `days`.
///
/// ```
/// use emboss::renewal::renewal_date;
///
/// let date = renewal_date("2022-06".parse()?, 45);
/// assert_eq!(date.to_string(), "2022-05-16");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn renewal_date(expiry: Expiry, days: u32) -> NaiveDate {
    expiry.last_day().checked_sub_days(Days::new(days.into())).unwrap_or(NaiveDate::MIN)
}

impl Day {
    /// Whether a plastic that ends so is renewed today: its renewal date has come, and it has not expired at T0.
    pub fn is_due(self, expiry: Expiry) -> bool {
        renewal_date(expiry, self.renewal_days) <= self.date && expiry.end() > self.cut_off
    }

    /// The expiries that are due, the earliest first: one to three with a month or two of `renewal_days`.
    pub fn expiries(self) -> impl Iterator<Item = Expiry> {
        let this_month = self.cut_off.date_naive();
        let following = (0..).map_while(move |months| Expiry::after(this_month, months));
        following
            .take_while(move |expiry| renewal_date(*expiry, self.renewal_days) <= self.date)
            .filter(move |expiry| self.is_due(*expiry))
    }
}

/// A card whose newest plastic ends soon, as the database has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Renewable {
    /// The card.
    pub card_id: CardId,
    /// Its newest version, by number and content.
    pub card_version: i64,
    /// The card.
    pub card: Card,
    /// Every plastic of the card by sequence number, cancelled ones too, because their numbers are used (R118).
    pub plastics: Vec<Plastic>,
}

impl Renewable {
    /// The newest plastic that was not cancelled.
    pub fn newest(&self) -> Option<&Plastic> {
        self.plastics.iter().rfind(|plastic| plastic.status != PlasticStatus::Cancelled)
    }
}

words!(
    /// Why a card that is due is not renewed.
    Obstacle {
        /// The product of the card is no longer configured.
        ProductUnknown = "PRODUCT_UNKNOWN",
        /// A CVV key of the product takes no new cards.
        KeyUnusable = "KEY_UNUSABLE",
        /// R4: no plastic is wanted of the card, or can be made of its product.
        PhysicalFalse = "PHYSICAL_FALSE",
        /// The new expiry would be past 2099.
        ExpiryOutOfRange = "EXPIRY_OUT_OF_RANGE",
        /// R118: the card has used up its sequence numbers.
        SequenceExhausted = "SEQUENCE_EXHAUSTED",
    }
);

impl Obstacle {
    /// Whether a person has something to mend; that no plastic is wanted is nobody's fault.
    pub fn is_alert(self) -> bool {
        self != Self::PhysicalFalse
    }
}

/// The plastic that a renewal makes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Renewal {
    /// The card.
    pub card_id: CardId,
    /// The version it was decided on.
    pub card_version: i64,
    /// The plastic it follows.
    pub predecessor: PlasticId,
    /// Its number: the next one of the card.
    pub sequence_number: u8,
    /// RPL or RVRT.
    pub event: ProductionEvent,
    /// The old expiry and the product's months.
    pub expiry: Expiry,
    /// The product's present key of CVV1 and iCVV.
    pub cvv_key: Option<String>,
    /// The product's present key of CVV2.
    pub cvv2_key: String,
    /// R112: what an RVRT closes, with the status it has; an RPL closes at its settlement or activation (R63, R64).
    pub closes: Vec<(PlasticId, PlasticStatus)>,
}

impl Renewal {
    /// The plastic, under its id and marked at T0 where it is made by a house.
    pub fn plastic(&self, plastic_id: PlasticId, cut_off: DateTime<Utc>) -> Plastic {
        let is_virtual = self.event.is_virtual();
        Plastic {
            plastic_id,
            card_id: self.card_id,
            sequence_number: self.sequence_number,
            event: self.event,
            status: if is_virtual { PlasticStatus::Active } else { PlasticStatus::Inactive },
            expiry: self.expiry,
            marked_at: (!is_virtual).then_some(cut_off),
            cvv_key: self.cvv_key.clone(),
            cvv2_key: self.cvv2_key.clone(),
            embossing_date: None,
        }
    }
}

/// What becomes of a card today.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ruling {
    /// It is not due.
    NotDue,
    /// It gets this plastic.
    Renew(Renewal),
    /// It is due and cannot be renewed.
    Obstructed(Obstacle),
}

/// Decides one card against the day and the institution's products, by code.
pub fn rule(found: &Renewable, day: Day, products: &BTreeMap<String, Product>) -> Ruling {
    let Some(newest) = due(found, day) else { return Ruling::NotDue };
    match renewal(found, newest, products) {
        Ok(renewal) => Ruling::Renew(renewal),
        Err(obstacle) => Ruling::Obstructed(obstacle),
    }
}

/// The plastic that is renewed, where the card is due: R110, R111, R113 and the schedule of R14.
fn due(found: &Renewable, day: Day) -> Option<&Plastic> {
    let newest = found.newest().filter(|newest| newest.status.is_in_use() && day.is_due(newest.expiry))?;
    let open = found.card.status == CardStatus::Ok;
    let closes = found.card.scheduled_closing.is_some_and(|closing| closing <= day.cut_off);
    let supplied = found.plastics.iter().any(|plastic| {
        plastic.status == PlasticStatus::Inactive || (plastic.status.is_in_use() && plastic.expiry > newest.expiry)
    });
    (open && !closes && !supplied).then_some(newest)
}

fn renewal(found: &Renewable, newest: &Plastic, products: &BTreeMap<String, Product>) -> Result<Renewal, Obstacle> {
    let product = products.get(&found.card.product_code).ok_or(Obstacle::ProductUnknown)?;
    let is_virtual = newest.event.is_virtual();
    if !is_virtual && Product::no_plastic(Some(product), found.card.embossing.physical).is_some() {
        return Err(Obstacle::PhysicalFalse);
    }
    let closed = found.plastics.iter().filter(|plastic| is_virtual && plastic.status.is_in_use());
    Ok(Renewal {
        card_id: found.card_id,
        card_version: found.card_version,
        predecessor: newest.plastic_id,
        sequence_number: Plastic::next_number(&found.plastics).ok_or(Obstacle::SequenceExhausted)?,
        event: if is_virtual { ProductionEvent::Rvrt } else { ProductionEvent::Rpl },
        expiry: newest.expiry.later(product.months).ok_or(Obstacle::ExpiryOutOfRange)?,
        cvv_key: product.pinned_cvv_key().map(str::to_owned),
        cvv2_key: product.cvv2_key.clone(),
        closes: closed.map(|plastic| (plastic.plastic_id, plastic.status)).collect(),
    })
}

/// What the renewal of one institution came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RenewalTally {
    /// The issuer.
    pub institution: InstitutionId,
    /// Plastics to be made.
    pub rpl: u64,
    /// Virtual plastics.
    pub rvrt: u64,
    /// Cards that are due and were not renewed, by reason.
    pub skipped: BTreeMap<Obstacle, u64>,
}

impl RenewalTally {
    /// Nothing yet.
    pub fn new(institution: InstitutionId) -> Self {
        Self { institution, rpl: 0, rvrt: 0, skipped: BTreeMap::new() }
    }

    /// Counts a plastic.
    pub fn add(&mut self, event: ProductionEvent) {
        let count = if event.is_virtual() { &mut self.rvrt } else { &mut self.rpl };
        *count += 1;
    }

    /// As reports and plans write it.
    pub fn to_json(&self) -> Value {
        json!({
            "institution": self.institution,
            "renewed": { "RPL": self.rpl, "RVRT": self.rvrt },
            "skipped": { "total": self.skipped.values().sum::<u64>(), "byReason": self.skipped },
        })
    }
}

impl fmt::Display for RenewalTally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: RPL {}, RVRT {}", self.institution, self.rpl, self.rvrt)?;
        for (obstacle, count) in &self.skipped {
            write!(f, "; not renewed: {obstacle} {count}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
