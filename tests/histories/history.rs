//! A random history: what is wished for on which day. What becomes of a wish, and for which card, is found out when it is
//! played, so that a history stays one when steps are taken out of it.

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;

use crate::products::{HOUSES, NO_HOUSE, PRODUCTS, Terms};

/// The whole of it.
#[derive(Debug, Clone)]
pub(crate) struct History {
    pub(crate) terms: Terms,
    /// Days after 20 November 2026 on which it begins.
    pub(crate) begins: u16,
    /// The cards of the first day.
    pub(crate) cards: Vec<Wanted>,
    pub(crate) days: Vec<Day>,
}

/// A day of orders and the night that ends it.
#[derive(Debug, Clone)]
pub(crate) struct Day {
    /// Days since the night before it.
    pub(crate) after: u16,
    pub(crate) wishes: Vec<Wish>,
    /// Whether somebody runs on demand in the evening.
    pub(crate) on_demand: bool,
    /// Whether the house's folder is away in the night; the night after, it is there.
    pub(crate) away: bool,
}

/// An order for some card.
#[derive(Debug, Clone)]
pub(crate) struct Wish {
    pub(crate) order: Wanted,
    /// Which card is tried first.
    pub(crate) pick: u8,
    pub(crate) when: When,
    /// Whether a card is looked for where it is *not* allowed.
    pub(crate) wilful: bool,
}

/// When on its day.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum When {
    ByDay,
    /// At T0, to the microsecond.
    AtCutOff,
    /// Behind T0 and before the claim.
    BehindCutOff,
}

/// What is ordered.
#[derive(Debug, Clone)]
pub(crate) enum Wanted {
    Create(NewCard),
    Change(Change),
    /// The PIN, and what is wrong with the order.
    SetPin(u16, Option<Wrong>),
    Reissue(Option<char>),
    /// pinStatus, and the months to its end.
    Replace(Option<char>, Option<u8>),
    OrderPhysical,
    ReorderPin,
    Cancel,
    Activate,
    /// The customer moves to this address.
    Move(u16),
}

#[derive(Debug, Clone)]
pub(crate) struct NewCard {
    pub(crate) product: usize,
    pub(crate) pin_status: Option<char>,
    pub(crate) physical: Option<bool>,
    pub(crate) house: Option<&'static str>,
    /// Months from the order's to its end; else the product's.
    pub(crate) ends_in: Option<u8>,
    /// Days to its scheduled closing, at 03:00 UTC.
    pub(crate) closes_in: Option<u8>,
}

/// One field of updateCard.
#[derive(Debug, Clone)]
pub(crate) enum Change {
    Status(&'static str),
    PinStatus(char),
    FirstName(&'static str),
    House(&'static str),
    Physical(bool),
    CardAddress(u16),
    PinAddress(u16),
    PinDelivery(&'static str),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wrong {
    Key,
    Block,
}

/// The only one of them that a stamped card cannot carry (R95).
pub(crate) const NOT_STAMPED: &str = "Irène";

fn pin_status() -> impl Strategy<Value = Option<char>> {
    option::weighted(0.4, select(vec!['D', 'W', 'S']))
}

fn new_card() -> impl Strategy<Value = NewCard> {
    let house = prop_oneof![12 => Just(None), 6 => Just(Some(HOUSES[1])), 1 => Just(Some(NO_HOUSE))];
    let physical = prop_oneof![8 => Just(None), 1 => Just(Some(true)), 1 => Just(Some(false))];
    let ends = (option::weighted(0.3, 0..5_u8), option::weighted(0.08, 1..40_u8));
    (0..PRODUCTS.len(), pin_status(), physical, house, ends).prop_map(
        |(product, pin_status, physical, house, (ends_in, closes_in))| NewCard {
            product,
            pin_status,
            physical,
            house,
            ends_in,
            closes_in,
        },
    )
}

fn change() -> impl Strategy<Value = Change> {
    let status = prop_oneof![
        8 => Just("CARD_OK"),
        4 => select(vec!["CARD_BLOCKED", "SUSPECTED_FRAUD", "CARD_NO_RENEWAL"]),
        1 => select(vec!["CARD_CLOSED_DUE_TO_FRAUD", "CARD_LOST", "CARD_STOLEN", "CARD_CLOSED"]),
    ];
    prop_oneof![
        4 => status.prop_map(Change::Status),
        4 => select(vec!['D', 'W', 'S']).prop_map(Change::PinStatus),
        2 => select(vec!["Monica", "Åsa", "Ðóra", NOT_STAMPED]).prop_map(Change::FirstName),
        2 => select(vec![HOUSES[0], HOUSES[1], HOUSES[0], HOUSES[1], NO_HOUSE]).prop_map(Change::House),
        1 => any::<bool>().prop_map(Change::Physical),
        1 => (1..99_u16).prop_map(Change::CardAddress),
        1 => (1..99_u16).prop_map(Change::PinAddress),
        1 => select(vec!["MAIL", "EPIN", "COURIER"]).prop_map(Change::PinDelivery),
    ]
}

fn wanted() -> impl Strategy<Value = Wanted> {
    let wrong = prop_oneof![8 => Just(None), 1 => Just(Some(Wrong::Key)), 1 => Just(Some(Wrong::Block))];
    prop_oneof![
        4 => new_card().prop_map(Wanted::Create),
        10 => change().prop_map(Wanted::Change),
        3 => (0..10_000_u16, wrong).prop_map(|(pin, wrong)| Wanted::SetPin(pin, wrong)),
        6 => pin_status().prop_map(Wanted::Reissue),
        3 => (pin_status(), option::weighted(0.3, 0..5_u8)).prop_map(|(pin, ends)| Wanted::Replace(pin, ends)),
        3 => Just(Wanted::OrderPhysical),
        4 => Just(Wanted::ReorderPin),
        3 => Just(Wanted::Cancel),
        3 => Just(Wanted::Activate),
        1 => (1..99_u16).prop_map(Wanted::Move),
    ]
}

fn wish() -> impl Strategy<Value = Wish> {
    let when = prop_oneof![8 => Just(When::ByDay), 1 => Just(When::AtCutOff), 1 => Just(When::BehindCutOff)];
    (wanted(), any::<u8>(), when, proptest::bool::weighted(0.1)).prop_map(|(order, pick, when, wilful)| Wish {
        order,
        pick,
        when,
        wilful,
    })
}

fn day() -> impl Strategy<Value = Day> {
    let after = prop_oneof![10 => 1..4_u16, 8 => 5..50_u16, 1 => 51..900_u16];
    let (on_demand, away) = (proptest::bool::weighted(0.15), proptest::bool::weighted(0.15));
    (after, vec(wish(), 0..10), on_demand, away).prop_map(|(after, mut wishes, on_demand, away)| {
        wishes.sort_by_key(|wish| wish.when);
        Day { after, wishes, on_demand, away }
    })
}

impl History {
    /// Any, of so many days.
    pub(crate) fn any(days: std::ops::Range<usize>) -> impl Strategy<Value = Self> {
        let format = || select(vec![("xml", 1_u8), ("xml", 2), ("json", 1), ("json", 2)]);
        let terms = (proptest::bool::weighted(0.9), any::<bool>(), any::<bool>(), format(), format()).prop_map(
            |(renewal, mailer_for_set_pin, mailer_for_reissue, x, y)| Terms {
                renewal,
                mailer_for_set_pin,
                mailer_for_reissue,
                formats: [x, y],
            },
        );
        (terms, 0..400_u16, vec(new_card().prop_map(Wanted::Create), 1..6), vec(day(), days))
            .prop_map(|(terms, begins, cards, days)| Self { terms, begins, cards, days })
    }
}
