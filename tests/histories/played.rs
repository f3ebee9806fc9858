//! Plays a history against a bank and the book at once; fails with the story where they differ.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Days, NaiveDate, NaiveTime, TimeDelta, Utc};
use emboss::report::Report;
use serde_json::json;

use crate::aim::{CUSTOMER, address, line};
use crate::bank::Bank;
use crate::book::Book;
use crate::files::Archive;
use crate::history::{Day, History, Wanted, When, Wish};
use crate::ledger;
use crate::nights::Forecast;
use crate::support::postgres;
use crate::support::trial::rows;

/// What there was to see, so that nobody believes in a test that saw nothing.
#[derive(Debug, Default, Clone)]
pub(crate) struct Seen {
    /// Orders that were taken, and refusals by code.
    pub(crate) taken: u64,
    pub(crate) refused: BTreeMap<String, u64>,
    /// Records by event, what was held or excluded by reason, and what a renewal made.
    pub(crate) records: BTreeMap<&'static str, u64>,
    pub(crate) stayed: BTreeMap<String, u64>,
    pub(crate) renewed: u64,
    pub(crate) nights: u64,
    /// Nights on which a file was made and the house was away.
    pub(crate) waited: u64,
}

/// A history on its way.
pub(crate) struct Life {
    pub(crate) bank: Bank,
    pub(crate) book: Book,
    archive: Archive,
    /// Plastics that an order activated.
    pub(crate) activated: BTreeSet<(u32, u8)>,
    is_file: bool,
    pub(crate) seen: Seen,
    /// What the newest run had to come to, and when it ran.
    pub(crate) last: Option<(Forecast, DateTime<Utc>)>,
}

fn at(date: NaiveDate, hour: u32) -> DateTime<Utc> {
    date.and_time(NaiveTime::from_hms_opt(hour, 0, 0).unwrap()).and_utc()
}

/// Plays the whole of it; what is there in the end.
pub(crate) fn live(history: &History, server: Option<postgres::Database>, tell: &mut dyn FnMut(String)) -> Life {
    let first = NaiveDate::from_ymd_opt(2026, 11, 20).unwrap() + Days::new(history.begins.into());
    let mut life = Life::begin(history, server, at(first, 8));
    for (number, order) in (0..).zip(&history.cards) {
        let wish = Wish { order: order.clone(), pick: 0, when: When::ByDay, wilful: false };
        life.order(&wish, at(first, 9) + TimeDelta::seconds(number), tell);
    }
    let mut before = first;
    for day in &history.days {
        let date = before + Days::new(day.after.into());
        tell(format!("{date}"));
        life.day(day, date, tell);
        before = date;
    }
    life
}

impl Life {
    fn begin(history: &History, server: Option<postgres::Database>, now: DateTime<Utc>) -> Self {
        let is_file = server.is_none();
        let mut bank = Bank::open(&history.terms, server, now);
        for order in [
            json!({"op": "createCustomer", "customerId": CUSTOMER, "body": {"customerNumber": "C1001",
                "locale": "fi_FI", "regNo": "010190-123A", "firstName": "Monica", "lastName": "Liikamaa",
                "address": address("Home 0")}}),
            json!({"op": "createAccount", "accountId": CUSTOMER, "customerId": CUSTOMER, "body": {}}),
        ] {
            let answer = bank.import(now, order);
            assert!(answer["errorCode"].is_null(), "{answer}");
        }
        let book = Book::new(history.terms.clone());
        let (archive, activated) = (Archive::default(), BTreeSet::new());
        Self { bank, book, archive, activated, is_file, seen: Seen::default(), last: None }
    }

    /// The orders of the day before, then the night of the date.
    fn day(&mut self, day: &Day, date: NaiveDate, tell: &mut dyn FnMut(String)) {
        let (eve, cut_off) = (date.pred_opt().unwrap(), at(date, 3));
        let mut evening = day.on_demand && self.book.pending.is_empty();
        for (number, wish) in (0..).zip(&day.wishes) {
            let instant = match wish.when {
                When::ByDay => at(eve, 12) + TimeDelta::minutes(number),
                When::AtCutOff => cut_off,
                When::BehindCutOff => cut_off + TimeDelta::milliseconds(1 + number),
            };
            if wish.when != When::ByDay && std::mem::take(&mut evening) {
                self.run(at(eve, 20), None, false, tell);
            }
            self.order(wish, instant, tell);
        }
        if evening {
            self.run(at(eve, 20), None, false, tell);
        }
        let away = day.away && self.book.pending.is_empty();
        self.run(cut_off + TimeDelta::seconds(4), Some(date), away, tell);
    }

    fn order(&mut self, wish: &Wish, at: DateTime<Utc>, tell: &mut dyn FnMut(String)) {
        let Some(order) = self.book.aim(wish, at) else { return };
        let mut next = self.book.clone();
        let demanded = next.take(&order, at);
        tell(format!("{at} {order:?}: {demanded:?}"));
        let line = line(&order, &self.bank, at);
        let before = (self.is_file && demanded.is_err()).then(|| self.everything());
        let answer = self.bank.import(at, line);
        assert_eq!(answer["errorCode"].as_str(), demanded.err(), "{order:?}: {answer}");
        if let Some(before) = before {
            assert!(before == self.everything(), "{order:?} was refused and changed something");
        }
        match demanded {
            Err(code) => *self.seen.refused.entry(code.to_owned()).or_default() += 1,
            Ok(()) => {
                self.seen.taken += 1;
                if matches!(order.wanted, Wanted::Activate) {
                    self.activated.insert((order.card, order.number));
                }
                self.book = next;
            }
        }
    }

    /// Every row that an order may write, but the answer to it.
    pub(crate) fn everything(&self) -> BTreeMap<String, Vec<String>> {
        let mut all = rows(&self.bank.database());
        assert!(all.len() > 10, "the tables");
        all.remove("order_answer");
        all
    }

    /// A run: the night of a date, or one on demand.
    fn run(&mut self, now: DateTime<Utc>, night: Option<NaiveDate>, away: bool, tell: &mut dyn FnMut(String)) {
        ledger::agrees(&self.bank, &self.book);
        let cut_off = night.map_or(now, |date| at(date, 3));
        let (arriving, forecast) = self.book.run(cut_off, night.is_none(), away);
        tell(format!("{now} run, away {away}: {forecast:?}"));
        if away {
            self.bank.house_is_away(true);
        }
        let report = match night {
            Some(date) => self.bank.run(date, now),
            None => self.bank.run_now(now),
        };
        tell(format!("{report}"));
        if away {
            self.bank.house_is_away(false);
        }
        check_report(&report, &forecast, away);
        let pins = self.archive.take(&mut self.bank, &arriving, now);
        for (card, pin) in pins {
            // What is new is learnt from the file; what was on record, the file was compared with.
            self.book.cards.get_mut(&card).unwrap().pin = Some(pin);
        }
        ledger::agrees(&self.bank, &self.book);
        self.check_soundness();
        self.seen.waited += u64::from(away && forecast.all().next().is_some());
        self.count(&forecast);
        self.last = Some((forecast, now));
    }

    /// What holds whatever was ordered.
    pub(crate) fn check_soundness(&self) {
        let (book, activated) = (&self.book, &self.activated);
        let locked = |card: u32| book.cards[&card].product.locked;
        ledger::is_sound(&self.bank, locked, |card, number| activated.contains(&(card, number)));
        self.bank.audit_is_sound();
    }

    fn count(&mut self, forecast: &Forecast) {
        self.seen.nights += 1;
        for record in forecast.all() {
            *self.seen.records.entry(record.event).or_default() += 1;
        }
        for (code, count) in forecast.held.iter().chain(&forecast.excluded) {
            *self.seen.stayed.entry(code.clone()).or_default() += count;
        }
        self.seen.renewed += forecast.renewed.map_or(0, |renewed| renewed.rpl + renewed.rvrt);
    }
}

/// The report says what was to come.
fn check_report(report: &Report, forecast: &Forecast, away: bool) {
    let sum = report.arithmetic();
    assert!(sum.adds_up(), "{report}");
    let json = report.to_json();
    let by_reason =
        |verdict: &str| -> BTreeMap<String, u64> { serde_json::from_value(json[verdict]["byReason"].clone()).unwrap() };
    assert_eq!(by_reason("held"), forecast.held, "{report}");
    assert_eq!(by_reason("excluded"), forecast.excluded, "{report}");
    let records = forecast.all().count() as u64;
    let (delivered, undelivered) = if away { (0, records) } else { (records, 0) };
    let found = (sum.selected, sum.delivered, sum.undelivered.values().sum::<u64>(), sum.closed);
    assert_eq!(found, (forecast.selected, delivered, undelivered, forecast.closed), "{report}");
    let renewed = report.renewals.first().map(|tally| (tally.rpl, tally.rvrt, tally.skipped.values().sum::<u64>()));
    let demanded = forecast.renewed.map(|renewed| (renewed.rpl, renewed.rvrt, renewed.without_plastic));
    assert_eq!(renewed, demanded, "{report}");
    // Histories leave nights out; nothing else needs a person.
    let usual = ["MISSED_RUN", "CLOSED_AFTER_SEALING"];
    assert!(away || report.alerts.iter().all(|alert| usual.contains(&alert.code.as_str())), "{report}");
}
