//! What the rules say of a run: what goes, with which PIN, what stays and why, and what has moved afterwards.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};

use crate::book::{Book, Card, Month, Request};
use crate::history::NOT_STAMPED;
use crate::products::{HOUSES, Terms};
use crate::renewals::Renewed;

/// A record that must be in a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Record {
    pub(crate) card: u32,
    /// The number of the plastic it is about.
    pub(crate) number: u8,
    pub(crate) event: &'static str,
    pub(crate) expiry: Month,
    pub(crate) pin: Pin,
    /// How the letter goes and where to, where there is one.
    pub(crate) letter: Option<(&'static str, String)>,
    /// The name on it and where it goes, where it is a card.
    pub(crate) made: Option<(&'static str, String)>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Pin {
    None,
    OnRecord(String),
    New,
}

/// On record, but in a file that nobody could look into yet.
pub(crate) const NOT_KNOWN_YET: &str = "????";

/// What becomes of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Verdict {
    Goes(Box<Record>),
    Held(&'static str),
    Excluded(&'static str),
    Closed,
}

/// What a run must come to.
#[derive(Debug, Clone, Default)]
pub(crate) struct Forecast {
    pub(crate) renewed: Option<Renewed>,
    /// By house.
    pub(crate) records: BTreeMap<&'static str, Vec<Record>>,
    pub(crate) held: BTreeMap<String, u64>,
    pub(crate) excluded: BTreeMap<String, u64>,
    pub(crate) closed: u64,
    pub(crate) selected: u64,
    pub(crate) cut_off: DateTime<Utc>,
}

impl Forecast {
    pub(crate) fn all(&self) -> impl Iterator<Item = &Record> {
        self.records.values().flatten()
    }
}

impl Book {
    /// Runs the night of T0, or on demand, where nothing is renewed. Gives what must arrive, the oldest first, and what the
    /// run itself comes to.
    pub(crate) fn run(&mut self, cut_off: DateTime<Utc>, on_demand: bool, away: bool) -> (Vec<Forecast>, Forecast) {
        let renewed = if on_demand { None } else { self.renew(cut_off) };
        let mut arriving = std::mem::take(&mut self.pending);
        arriving.iter().for_each(|earlier| self.settle(earlier));
        let forecast = self.claim(Forecast { renewed, cut_off, ..Forecast::default() });
        if away {
            self.pending.push(forecast.clone());
        } else {
            self.settle(&forecast);
            arriving.push(forecast.clone());
        }
        (arriving, forecast)
    }

    fn claim(&mut self, mut forecast: Forecast) -> Forecast {
        let cut_off = forecast.cut_off;
        for (id, card) in &mut self.cards {
            let mut left = Vec::new();
            let was = card.clone();
            for request in &was.requests {
                let verdict = if request.marked_at <= cut_off {
                    forecast.selected += 1;
                    was.verdict(*id, request, &self.terms, self.home, cut_off)
                } else {
                    Verdict::Held("")
                };
                match verdict {
                    Verdict::Goes(record) => {
                        card.pins += usize::from(record.pin == Pin::New);
                        card.claimed.push(request.clone());
                        forecast.records.entry(was.house()).or_default().push(*record);
                        continue;
                    }
                    Verdict::Closed => {
                        forecast.closed += 1;
                        continue;
                    }
                    Verdict::Held("") => {}
                    Verdict::Held(code) => *forecast.held.entry(code.to_owned()).or_default() += 1,
                    Verdict::Excluded(code) => *forecast.excluded.entry(code.to_owned()).or_default() += 1,
                }
                left.push(request.clone());
            }
            card.requests = left;
        }
        forecast
    }

    /// R28, R62-R64, and a new PIN for each card that gets one; what it is, only the file tells.
    fn settle(&mut self, forecast: &Forecast) {
        for record in forecast.all() {
            let card = self.cards.get_mut(&record.card).unwrap();
            card.claimed.clear();
            if record.pin == Pin::New {
                card.pin = Some(NOT_KNOWN_YET.to_owned());
            }
            if record.made.is_some() {
                card.comes_to(record.number, if card.product.locked { "LOCKED" } else { "ACTIVE" });
                if record.letter.is_some() {
                    card.requests.retain(|request| request.event != "ROPIN" || request.marked_at > forecast.cut_off);
                }
            }
        }
    }
}

impl Card {
    fn verdict(&self, id: u32, request: &Request, terms: &Terms, home: u16, cut_off: DateTime<Utc>) -> Verdict {
        let letter_only = request.event == "ROPIN";
        let in_hand = self.in_hand().filter(|_| letter_only).map(|plastic| plastic.number);
        let number = in_hand.unwrap_or(request.number);
        let plastic = &self.plastics[usize::from(number) - 1];
        if let Some(verdict) = self.stands_in_the_way(request, plastic.expiry, cut_off) {
            return verdict;
        }
        if letter_only && self.pin_delivery == "EPIN" {
            return Verdict::Closed;
        }
        let pin = match self.pin_for(request) {
            Ok(pin) => pin,
            Err(code) => return Verdict::Held(code),
        };
        if !letter_only && self.first_name == NOT_STAMPED {
            return Verdict::Held("CHARSET");
        }
        let tells = self.pin_delivery != "EPIN" && self.is_told(request, &pin, terms);
        let beside = self.requests.iter().filter(|other| other.event != "ROPIN" && other.marked_at <= cut_off);
        let mut beside = beside.map(|other| self.verdict(id, other, terms, home, cut_off));
        if letter_only && beside.any(|other| matches!(other, Verdict::Goes(record) if record.letter.is_some())) {
            return Verdict::Held("WAITING_FOR_CARD_FILE");
        }
        let address = |own: Option<u16>| own.map_or(format!("Home {home}"), |own| format!("Own {own}"));
        Verdict::Goes(Box::new(Record {
            card: id,
            number,
            event: request.event,
            expiry: plastic.expiry,
            pin,
            letter: tells.then(|| (self.pin_delivery, address(self.pin_address))),
            made: (!letter_only).then(|| (self.first_name, address(self.card_address))),
        }))
    }

    /// What has nothing to do with the record's content, in the order in which it is told.
    fn stands_in_the_way(&self, request: &Request, expiry: Month, cut_off: DateTime<Utc>) -> Option<Verdict> {
        let verdict = if !self.product.wants_plastic(self.physical) {
            Verdict::Excluded("PHYSICAL_FALSE")
        } else if self.is_final() {
            Verdict::Excluded("CARD_STATUS_FINAL")
        } else if request.event == "RPL" && self.status == "CARD_NO_RENEWAL" {
            Verdict::Excluded("RENEWAL_STOPPED")
        } else if self.is_closed_by_schedule(cut_off) {
            Verdict::Excluded("CARD_CLOSED_BY_SCHEDULE")
        } else if expiry.is_over(cut_off) {
            Verdict::Excluded("PLASTIC_EXPIRED")
        } else if !HOUSES.contains(&self.house()) {
            Verdict::Held("MANUFACTURER_UNKNOWN")
        } else if ["CARD_BLOCKED", "SUSPECTED_FRAUD"].contains(&self.status) {
            Verdict::Held("CARD_BLOCKED")
        } else if self.pin_status == 'W' {
            Verdict::Held("HELD_PIN_WAIT")
        } else {
            return None;
        };
        Some(verdict)
    }

    /// R20, R26, R34-R36.
    fn pin_for(&self, request: &Request) -> Result<Pin, &'static str> {
        let on_record = || self.pin.clone().map(Pin::OnRecord);
        match request.event {
            _ if !self.product.pin => Ok(Pin::None),
            "ROPIN" if self.in_hand().is_none() => Err("PIN_NOT_AVAILABLE"),
            "ROPIN" => on_record().ok_or("PIN_NOT_AVAILABLE"),
            _ if self.pin_status == 'S' => on_record().ok_or("PIN_NOT_AVAILABLE"),
            "RPL" | "RPLRE" => Ok(on_record().unwrap_or(Pin::New)),
            _ => Ok(Pin::New),
        }
    }

    /// R41, R42.
    fn is_told(&self, request: &Request, pin: &Pin, terms: &Terms) -> bool {
        match pin {
            Pin::None => false,
            Pin::New => true,
            Pin::OnRecord(_) => {
                request.event == "ROPIN"
                    || (self.pin_status == 'S' && terms.mailer_for_set_pin)
                    || (["RPL", "RPLRE"].contains(&request.event) && terms.mailer_for_reissue)
            }
        }
    }
}
