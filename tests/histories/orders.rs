//! What the rules say of an order: what it changes, or why it is refused.

use chrono::{DateTime, Days, NaiveTime, Utc};

use crate::book::{Book, Card, Month};
use crate::history::{Change, NewCard, Wanted, Wrong};
use crate::products::PRODUCTS;

/// An order for a card that is known by its id; `number` is that of a plastic.
#[derive(Debug, Clone)]
pub(crate) struct Order {
    pub(crate) wanted: Wanted,
    pub(crate) card: u32,
    /// The id that a replacement is to have.
    pub(crate) new_card: u32,
    pub(crate) number: u8,
}

/// An errorCode.
type Refused = &'static str;

impl NewCard {
    pub(crate) fn ends(&self, at: DateTime<Utc>) -> Option<Month> {
        self.ends_in.map(|months| Month::of(at.date_naive()).later(i32::from(months)))
    }

    pub(crate) fn closes(&self, at: DateTime<Utc>) -> Option<DateTime<Utc>> {
        let day = at.date_naive() + Days::new(self.closes_in?.into());
        Some(day.and_time(NaiveTime::from_hms_opt(3, 0, 0).unwrap()).and_utc())
    }
}

impl Book {
    /// Carries it out.
    pub(crate) fn take(&mut self, order: &Order, at: DateTime<Utc>) -> Result<(), Refused> {
        match &order.wanted {
            Wanted::Create(new) => self.create(order.card, new, at),
            Wanted::Change(change) => self.change(order.card, change),
            Wanted::SetPin(pin, wrong) => self.set_pin(order.card, *pin, *wrong, at),
            Wanted::Reissue(pin_status) => self.reissue(order.card, *pin_status, at),
            Wanted::Replace(pin_status, ends) => self.replace(order, *pin_status, *ends, at),
            Wanted::OrderPhysical => self.order_physical(order.card, at),
            Wanted::ReorderPin => self.reorder_pin(order.card, at),
            Wanted::Cancel => self.cancel(order.card, order.number),
            Wanted::Activate => self.activate(order.card, order.number),
            Wanted::Move(home) => {
                self.home = *home;
                Ok(())
            }
        }
    }

    fn known(&mut self, card: u32) -> Result<&mut Card, Refused> {
        self.cards.get_mut(&card).ok_or("CARD_UNKNOWN")
    }

    /// A card for which something can still be ordered (R14, R52).
    fn open(&mut self, card: u32, at: DateTime<Utc>) -> Result<&mut Card, Refused> {
        let found = self.known(card)?;
        if found.is_final() {
            return Err("CARD_STATUS_FINAL");
        }
        if found.is_closed_by_schedule(at) { Err("CARD_CLOSED_BY_SCHEDULE") } else { Ok(found) }
    }

    fn create(&mut self, id: u32, new: &NewCard, at: DateTime<Utc>) -> Result<(), Refused> {
        let product = &PRODUCTS[new.product];
        if !product.physical && new.physical == Some(true) {
            return Err("PRODUCT_VIRTUAL");
        }
        if self.cards.contains_key(&id) {
            return Err("ID_IN_USE");
        }
        let mut card = Card {
            product,
            status: "CARD_OK",
            pin_status: new.pin_status.unwrap_or('D'),
            physical: new.physical,
            house: new.house,
            first_name: "Monica",
            card_address: None,
            pin_address: None,
            pin_delivery: "MAIL",
            closing: new.closes(at),
            replaces: None,
            replaced_by: None,
            plastics: Vec::new(),
            requests: Vec::new(),
            claimed: Vec::new(),
            pin: None,
            pins: 0,
            pin_set_at: None,
        };
        card.first_plastics(["NCRD", "NVRT", "RALLRE"], new.ends(at), at);
        self.cards.insert(id, card);
        Ok(())
    }

    fn change(&mut self, id: u32, change: &Change) -> Result<(), Refused> {
        let card = self.known(id)?;
        match change {
            Change::Status(status) if *status != card.status => {
                // S4: these three are final, but R116 lets a replaced card be told to be stolen or a fraud.
                let door = card.status == "CARD_LOST"
                    && card.replaced_by.is_some()
                    && ["CARD_STOLEN", "CARD_CLOSED_DUE_TO_FRAUD"].contains(status);
                if card.is_final() && card.status != "CARD_CLOSED" && !door {
                    return Err("CARD_STATUS_FINAL");
                }
                card.status = status;
            }
            Change::Status(_) => {}
            Change::PinStatus(status) => card.pin_status = *status,
            Change::FirstName(name) => card.first_name = name,
            Change::House(house) => card.house = Some(house),
            Change::Physical(physical) => card.physical = Some(*physical),
            Change::CardAddress(address) => card.card_address = Some(*address),
            Change::PinAddress(address) => card.pin_address = Some(*address),
            Change::PinDelivery(delivery) => card.pin_delivery = delivery,
        }
        Ok(())
    }

    fn set_pin(&mut self, id: u32, pin: u16, wrong: Option<Wrong>, at: DateTime<Utc>) -> Result<(), Refused> {
        let card = self.open(id, at)?;
        match wrong {
            _ if !card.product.pin => return Err("PRODUCT_WITHOUT_PIN"),
            Some(Wrong::Key) => return Err("PIN_KEY_UNKNOWN"),
            Some(Wrong::Block) => return Err("PIN_BLOCK_UNREADABLE"),
            None if !card.claimed.is_empty() => return Err("PIN_IN_PRODUCTION"),
            None if card.pin_set_at.is_some_and(|set_at| set_at > at) => return Err("PIN_SUPERSEDED"),
            None => card.pin_set_at = Some(at),
        }
        card.pin = Some(format!("{pin:04}"));
        card.pins += 1;
        card.pin_status = 'S';
        Ok(())
    }

    fn reissue(&mut self, id: u32, pin_status: Option<char>, at: DateTime<Utc>) -> Result<(), Refused> {
        let card = self.open(id, at)?;
        if card.status != "CARD_OK" {
            return Err("CARD_STATUS_NOT_OK");
        }
        if card.is_being_made() {
            return Err("PLASTIC_INACTIVE");
        }
        if card.physical == Some(false) || card.in_hand().is_none() {
            return Err("NO_PHYSICAL_PLASTIC");
        }
        let newest = card.there().next_back().unwrap().expiry;
        // R115
        let new = newest.has_less_than_two_months(at.date_naive());
        let expiry = if new { newest.later(card.product.months) } else { newest };
        card.pin_status = pin_status.unwrap_or(card.pin_status);
        card.add("RPLRE", "INACTIVE", expiry, at);
        Ok(())
    }

    fn replace(
        &mut self,
        order: &Order,
        pin_status: Option<char>,
        ends: Option<u8>,
        at: DateTime<Utc>,
    ) -> Result<(), Refused> {
        let taken = self.cards.contains_key(&order.new_card);
        let lost = self.known(order.card)?;
        if lost.status == "CARD_CLOSED" {
            return Err("CARD_STATUS_FINAL");
        }
        if lost.replaced_by.is_some() {
            return Err("ALREADY_REPLACED");
        }
        if lost.is_closed_by_schedule(at) {
            return Err("CARD_CLOSED_BY_SCHEDULE");
        }
        if taken {
            return Err("ID_IN_USE");
        }
        let mut new = Card {
            status: "CARD_OK",
            pin_status: pin_status.unwrap_or('D'),
            replaces: Some(order.card),
            plastics: Vec::new(),
            requests: Vec::new(),
            claimed: Vec::new(),
            pin: None,
            pins: 0,
            pin_set_at: None,
            ..lost.clone()
        };
        let ends = ends.map(|months| Month::of(at.date_naive()).later(i32::from(months)));
        new.first_plastics(["NLOST", "NLOSTVRT", "RALLNLOST"], ends, at);
        lost.status = "CARD_LOST";
        lost.replaced_by = Some(order.new_card);
        self.cards.insert(order.new_card, new);
        Ok(())
    }

    fn order_physical(&mut self, id: u32, at: DateTime<Utc>) -> Result<(), Refused> {
        let card = self.open(id, at)?;
        if !card.product.physical && !card.product.service_code {
            return Err("PRODUCT_VIRTUAL");
        }
        if card.there().any(|plastic| !plastic.is_virtual()) {
            return Err("PHYSICAL_PLASTIC_EXISTS");
        }
        let expiry = card.there().rfind(|plastic| plastic.in_use()).ok_or("PLASTIC_UNKNOWN")?.expiry;
        card.physical = Some(true);
        card.add("RALLRE", "INACTIVE", expiry, at);
        Ok(())
    }

    fn reorder_pin(&mut self, id: u32, at: DateTime<Utc>) -> Result<(), Refused> {
        let card = self.open(id, at)?;
        if !card.product.pin {
            return Err("PRODUCT_WITHOUT_PIN");
        }
        if card.requests.iter().chain(&card.claimed).any(|request| request.event == "ROPIN") {
            return Err("PIN_ORDER_OPEN");
        }
        let plastic = card.in_hand().or_else(|| card.there().next_back()).ok_or("PLASTIC_UNKNOWN")?;
        let number = plastic.number;
        card.requests.push(crate::book::Request { number, event: "ROPIN", marked_at: at });
        Ok(())
    }

    fn cancel(&mut self, id: u32, number: u8) -> Result<(), Refused> {
        let card = self.known(id)?;
        let plastic = card.plastics.iter_mut().find(|plastic| plastic.number == number);
        let plastic = plastic.filter(|plastic| plastic.status != "CANCELLED").ok_or("PLASTIC_UNKNOWN")?;
        if plastic.status != "INACTIVE" {
            return Err("PLASTIC_NOT_INACTIVE");
        }
        if card.claimed.iter().any(|request| request.number == number) {
            return Err("IN_PRODUCTION");
        }
        plastic.status = "CANCELLED";
        card.requests.retain(|request| request.number != number);
        Ok(())
    }

    fn activate(&mut self, id: u32, number: u8) -> Result<(), Refused> {
        let card = self.known(id)?;
        let plastic = card.there().find(|plastic| plastic.number == number).ok_or("PLASTIC_UNKNOWN")?;
        if plastic.status != "LOCKED" {
            return Err("PLASTIC_NOT_LOCKED");
        }
        card.comes_to(number, "ACTIVE");
        Ok(())
    }
}

impl Card {
    /// R20, R117, A23: by itself a plastic is made of physical products, unless the order says otherwise.
    fn first_plastics(&mut self, events: [&'static str; 3], ends: Option<Month>, at: DateTime<Utc>) {
        let [only, of_virtual, beside] = events;
        let expiry = ends.unwrap_or_else(|| Month::of(at.date_naive()).later(self.product.months));
        if !self.product.physical || self.physical == Some(false) {
            self.add(of_virtual, "ACTIVE", expiry, at);
        } else if self.product.instant {
            self.add(of_virtual, "ACTIVE", expiry, at);
            self.add(beside, "INACTIVE", expiry, at);
        } else {
            self.add(only, "INACTIVE", expiry, at);
        }
    }
}
