//! What the rules say there is: cards, plastics, requests and PINs, kept by hand beside the program.
//!
//! Nothing of the program is used here, neither its words nor its dates, so that one mistake is not made twice.

use std::collections::BTreeMap;

use chrono::{DateTime, Datelike, NaiveDate, Utc};

use crate::nights::Forecast;
use crate::products::{HOUSES, Product, Terms};

/// A month: twelve times the year, and 0 for January.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Month(pub(crate) i32);

impl Month {
    pub(crate) fn of(day: NaiveDate) -> Self {
        Self(day.year() * 12 + day.month0().cast_signed())
    }

    pub(crate) fn later(self, months: i32) -> Self {
        Self(self.0 + months)
    }

    fn first(self) -> NaiveDate {
        NaiveDate::from_ymd_opt(self.0 / 12, (self.0 % 12).unsigned_abs() + 1, 1).unwrap()
    }

    pub(crate) fn last_day(self) -> NaiveDate {
        self.later(1).first().pred_opt().unwrap()
    }

    /// As files write it.
    pub(crate) fn text(self) -> String {
        format!("{:04}-{:02}", self.0 / 12, self.0 % 12 + 1)
    }

    /// R115: two calendar months after the day, or at the end of a shorter month, it is over.
    pub(crate) fn has_less_than_two_months(self, on: NaiveDate) -> bool {
        let then = Self::of(on).later(2);
        let day = on.day().min(then.last_day().day());
        then.first().with_day(day).unwrap() > self.last_day()
    }

    /// R15: whether its last second is over.
    pub(crate) fn is_over(self, at: DateTime<Utc>) -> bool {
        at.date_naive() > self.last_day()
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Plastic {
    pub(crate) number: u8,
    pub(crate) event: &'static str,
    pub(crate) status: &'static str,
    pub(crate) expiry: Month,
    pub(crate) marked_at: Option<DateTime<Utc>>,
}

impl Plastic {
    pub(crate) fn is_virtual(&self) -> bool {
        ["NVRT", "NLOSTVRT", "RVRT"].contains(&self.event)
    }

    pub(crate) fn in_use(&self) -> bool {
        ["ACTIVE", "LOCKED"].contains(&self.status)
    }
}

/// An OPEN one: what was sent or closed is of no consequence any more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Request {
    /// The number of its plastic.
    pub(crate) number: u8,
    pub(crate) event: &'static str,
    pub(crate) marked_at: DateTime<Utc>,
}

#[derive(Debug, Clone)]
pub(crate) struct Card {
    pub(crate) product: &'static Product,
    pub(crate) status: &'static str,
    pub(crate) pin_status: char,
    pub(crate) physical: Option<bool>,
    pub(crate) house: Option<&'static str>,
    pub(crate) first_name: &'static str,
    pub(crate) card_address: Option<u16>,
    pub(crate) pin_address: Option<u16>,
    pub(crate) pin_delivery: &'static str,
    pub(crate) closing: Option<DateTime<Utc>>,
    pub(crate) replaces: Option<u32>,
    pub(crate) replaced_by: Option<u32>,
    /// By number, cancelled ones too.
    pub(crate) plastics: Vec<Plastic>,
    pub(crate) requests: Vec<Request>,
    /// Those that are in a file which the house does not have yet.
    pub(crate) claimed: Vec<Request>,
    /// The PIN on record, and how many there have been.
    pub(crate) pin: Option<String>,
    pub(crate) pins: usize,
    /// When the newest order that set it was made.
    pub(crate) pin_set_at: Option<DateTime<Utc>>,
}

impl Card {
    /// Plastics that were not cancelled.
    pub(crate) fn there(&self) -> impl DoubleEndedIterator<Item = &Plastic> {
        self.plastics.iter().filter(|plastic| plastic.status != "CANCELLED")
    }

    /// The newest physical one that its holder has (R26).
    pub(crate) fn in_hand(&self) -> Option<&Plastic> {
        self.there().rfind(|plastic| !plastic.is_virtual() && plastic.in_use())
    }

    pub(crate) fn is_being_made(&self) -> bool {
        self.there().any(|plastic| plastic.status == "INACTIVE")
    }

    /// R52.
    pub(crate) fn is_final(&self) -> bool {
        ["CARD_CLOSED_DUE_TO_FRAUD", "CARD_LOST", "CARD_STOLEN", "CARD_CLOSED"].contains(&self.status)
    }

    /// R14.
    pub(crate) fn is_closed_by_schedule(&self, at: DateTime<Utc>) -> bool {
        self.closing.is_some_and(|time| time <= at)
    }

    pub(crate) fn house(&self) -> &'static str {
        self.house.unwrap_or(HOUSES[0])
    }

    /// Makes its next plastic; one that is INACTIVE is marked, and has a request.
    pub(crate) fn add(&mut self, event: &'static str, status: &'static str, expiry: Month, at: DateTime<Utc>) {
        let number = u8::try_from(self.plastics.len()).unwrap() + 1;
        let marked = status == "INACTIVE";
        self.plastics.push(Plastic { number, event, status, expiry, marked_at: marked.then_some(at) });
        if marked {
            self.requests.push(Request { number, event, marked_at: at });
        }
    }

    /// The plastic became ACTIVE or LOCKED: R62-R64.
    pub(crate) fn comes_to(&mut self, number: u8, status: &'static str) {
        for plastic in &mut self.plastics {
            if plastic.number == number {
                plastic.status = status;
            } else if plastic.number < number && plastic.in_use() && status == "ACTIVE" {
                plastic.status = "CLOSED";
            }
        }
    }
}

/// Everything.
#[derive(Debug, Clone)]
pub(crate) struct Book {
    pub(crate) terms: Terms,
    pub(crate) cards: BTreeMap<u32, Card>,
    /// Where the customer lives.
    pub(crate) home: u16,
    /// What the house does not have yet.
    pub(crate) pending: Vec<Forecast>,
}

impl Book {
    pub(crate) fn new(terms: Terms) -> Self {
        Self { terms, cards: BTreeMap::new(), home: 0, pending: Vec::new() }
    }
}
