//! From a wish to an order: the first card, from where it points, where the rules allow it, or refuse it where that is
//! wished for; and the order's line.

use chrono::{DateTime, Datelike, SecondsFormat, Utc};
use serde_json::{Value, json};

use crate::bank::Bank;
use crate::book::Book;
use crate::history::{Change, NewCard, Wanted, Wish, Wrong};
use crate::orders::Order;
use crate::pin_blocks::sealed;
use crate::products::PRODUCTS;

/// The customer and the account of every card.
pub(crate) const CUSTOMER: &str = "1001";
/// The first card's id.
const FIRST: u32 = 3001;
/// A card that there never is.
const NO_CARD: u32 = 9999;

impl Book {
    /// What the wish comes to; nothing where there is no such card.
    pub(crate) fn aim(&self, wish: &Wish, at: DateTime<Utc>) -> Option<Order> {
        // Whether a card goes to another house before or behind the settlement with the old one is left to chance.
        let moves = matches!(wish.order, Wanted::Change(Change::House(_)));
        let on_its_way = |card: &u32| self.cards.get(card).is_some_and(|card| !card.claimed.is_empty());
        let fits =
            |order: &Order| !(moves && on_its_way(&order.card)) && self.clone().take(order, at).is_err() == wish.wilful;
        self.aims(wish).into_iter().find(fits)
    }

    fn aims(&self, wish: &Wish) -> Vec<Order> {
        let free = (FIRST..).find(|id| !self.cards.contains_key(id)).unwrap();
        let order = |card, number| Order { wanted: wish.order.clone(), card, new_card: free, number };
        let mut cards: Vec<u32> = self.cards.keys().copied().collect();
        if !cards.is_empty() {
            let first = usize::from(wish.pick) % cards.len();
            cards.rotate_left(first);
            // What is in production refuses most, and is there for a day only.
            cards.sort_by_key(|card| wish.wilful && self.cards[card].claimed.is_empty());
        }
        match wish.order {
            Wanted::Create(_) => [free].into_iter().chain(cards).map(|card| order(card, 0)).collect(),
            Wanted::Move(_) => vec![order(free, 0)],
            Wanted::Cancel | Wanted::Activate => {
                let numbers = |card: &u32| 1..=u8::try_from(self.cards[card].plastics.len()).unwrap() + 1;
                cards.iter().flat_map(|card| numbers(card).map(|number| order(*card, number))).collect()
            }
            Wanted::Replace(..) => {
                // Some replacements ask for an id that is taken.
                let taken = cards.last().filter(|_| wish.pick.is_multiple_of(4)).copied();
                let aimed = |card| Order { new_card: taken.unwrap_or(free), ..order(card, 0) };
                cards.into_iter().map(aimed).collect()
            }
            // A card that is not there is refused whatever the order: not too often.
            _ => cards
                .into_iter()
                .chain(wish.pick.is_multiple_of(8).then_some(NO_CARD))
                .map(|card| order(card, 0))
                .collect(),
        }
    }
}

/// The line of an order, without what every order has.
pub(crate) fn line(order: &Order, bank: &Bank, at: DateTime<Utc>) -> Value {
    let of = |op: &str, body: Value| json!({"op": op, "cardId": order.card.to_string(), "body": body});
    match &order.wanted {
        Wanted::Create(new) => create(order.card, new, at),
        Wanted::Change(change) => of("updateCard", changed(change)),
        Wanted::SetPin(pin, wrong) => of("setPin", set_pin(order.card, *pin, *wrong, bank)),
        Wanted::Reissue(pin_status) => of("reissueCard", with_pin_status(*pin_status)),
        Wanted::Replace(pin_status, ends) => {
            let mut body = with_pin_status(*pin_status);
            body["newCardId"] = json!(order.new_card.to_string());
            let ends = NewCard { ends_in: *ends, ..NOTHING }.ends(at);
            if let Some(ends) = ends {
                body["expiration"] = json!({"year": ends.0 / 12, "month": ends.0 % 12 + 1});
            }
            of("replaceCard", body)
        }
        Wanted::OrderPhysical => of("orderPhysical", json!({})),
        Wanted::ReorderPin => of("reorderPin", json!({})),
        Wanted::Cancel => plastic(order, "CANCEL"),
        Wanted::Activate => plastic(order, "ACTIVATE"),
        Wanted::Move(home) => {
            json!({"op": "updateCustomer", "customerId": CUSTOMER, "body": {"address": address(&format!("Home {home}"))}})
        }
    }
}

const NOTHING: NewCard =
    NewCard { product: 0, pin_status: None, physical: None, house: None, ends_in: None, closes_in: None };

fn create(card: u32, new: &NewCard, at: DateTime<Utc>) -> Value {
    let mut body = with_pin_status(new.pin_status);
    body["productCode"] = json!(PRODUCTS[new.product].code);
    body["embossing"] = json!({"firstName": "Monica", "lastName": "Liikamaa"});
    if let Some(physical) = new.physical {
        body["embossing"]["physical"] = json!(physical);
    }
    if let Some(house) = new.house {
        body["embossing"]["manufacturer"] = json!(house);
    }
    if let Some(ends) = new.ends(at) {
        body["expiration"] = json!({"year": ends.0 / 12, "month": ends.0 % 12 + 1});
    }
    if let Some(closes) = new.closes(at) {
        let time = closes.to_rfc3339_opts(SecondsFormat::Secs, true);
        assert!(closes.year() >= at.year());
        body["scheduledClosing"] = json!({"type": "TIMEBASED", "time": time});
    }
    json!({"op": "createCard", "cardId": card.to_string(), "customerId": CUSTOMER, "accountId": CUSTOMER,
        "cardRole": "MAIN", "scheme": "VISA", "body": body})
}

fn changed(change: &Change) -> Value {
    match change {
        Change::Status(status) => json!({"status": status}),
        Change::PinStatus(status) => json!({"pinStatus": status}),
        Change::FirstName(name) => json!({"embossing": {"firstName": name}}),
        Change::House(house) => json!({"embossing": {"manufacturer": house}}),
        Change::Physical(physical) => json!({"embossing": {"physical": physical}}),
        Change::CardAddress(number) => json!({"cardAddress": address(&format!("Own {number}"))}),
        Change::PinAddress(number) => json!({"pinAddress": address(&format!("Own {number}"))}),
        Change::PinDelivery(delivery) => json!({"pinDeliveryType": delivery}),
    }
}

fn set_pin(card: u32, pin: u16, wrong: Option<Wrong>, bank: &Bank) -> Value {
    // A card that is not there is refused before its block is looked at.
    let pan = if card == NO_CARD { "4000001234567899".to_owned() } else { bank.pan(card) };
    let mut block = sealed("ISO_0", &bank.key("zpk-bank-1"), &pan, &format!("{pin:04}"));
    if wrong == Some(Wrong::Block) {
        block = "0123456789ABCDEF".to_owned();
    }
    let key = if wrong == Some(Wrong::Key) { "zpk-x-1" } else { "zpk-bank-1" };
    json!({"pinBlock": block, "format": "ISO_0", "keyId": key})
}

fn with_pin_status(pin_status: Option<char>) -> Value {
    pin_status.map_or(json!({}), |status| json!({"pinStatus": status}))
}

fn plastic(order: &Order, action: &str) -> Value {
    json!({"op": "updatePlastic", "cardId": order.card.to_string(), "sequenceNumber": order.number,
        "body": {"action": action}})
}

/// The address of that first line.
pub(crate) fn address(first: &str) -> Value {
    json!({"address1": first, "city": "Mariehamn", "zipCode": "22100", "country": "FIN"})
}
