//! The checks of these histories themselves: a database or a file that is not as it must be is told of.
//!
//! Without them nobody would notice a check that has come to look at nothing.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};

use chrono::{DateTime, Utc};
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{AssertSqlSafe, ConnectOptions, Connection};

use crate::files::Archive;
use crate::history::{Day, History, NewCard, Wanted, Wish};
use crate::ledger;
use crate::nights::{Forecast, Pin};
use crate::played::{Life, live};
use crate::products::{PRODUCTS, Terms};

const TERMS: Terms =
    Terms { renewal: true, mailer_for_set_pin: false, mailer_for_reissue: false, formats: [("xml", 2), ("json", 2)] };

/// A card of a product, as it is ordered by default.
pub(crate) fn card(code: &str) -> Wanted {
    let product = PRODUCTS.iter().position(|product| product.code == code).unwrap();
    Wanted::Create(NewCard { product, pin_status: None, physical: None, house: None, ends_in: None, closes_in: None })
}

/// A night, with these orders on the day before.
pub(crate) fn night(wishes: Vec<Wish>) -> Day {
    Day { after: 1, wishes, on_demand: false, away: false }
}

/// 3001 of an active product and 3002 of one that is produced locked, both made.
fn two_cards() -> (Life, Forecast, DateTime<Utc>) {
    let cards = vec![card("VISA_CARD"), card("VISA_LOCKED")];
    let history = History { terms: TERMS, begins: 0, cards, days: vec![night(Vec::new())] };
    let life = live(&history, None, &mut |_| {});
    let (forecast, now) = life.last.clone().unwrap();
    (life, forecast, now)
}

fn sql(life: &Life, statement: &str) {
    life.bank.wait(async {
        let mut connection = SqliteConnectOptions::new().filename(life.bank.database()).connect().await.unwrap();
        sqlx::query(AssertSqlSafe(statement.to_owned())).execute(&mut connection).await.unwrap();
        connection.close().await.unwrap();
    });
}

/// What a check says where it does not let something pass.
fn said(check: impl FnOnce()) -> String {
    let panic = catch_unwind(AssertUnwindSafe(check)).expect_err("the check lets it pass");
    let text = panic.downcast_ref::<String>().cloned();
    text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned())).unwrap()
}

/// Another plastic of a card, written by hand.
fn plastic(card: u32, number: u8, event: &str, status: &str) -> String {
    format!(
        "INSERT INTO plastic (institution, plastic_id, card_id, sequence_number, event, status, expiry, cvv2_key)
         VALUES ('246001', {}, {card}, {number}, '{event}', '{status}', 203012, 'cvk2-1')",
        9000 + u32::from(number)
    )
}

#[test]
fn a_database_that_is_not_sound_is_told_of() {
    for (statements, rule) in [
        (vec![plastic(3001, 3, "RPL", "CLOSED")], "R118"),
        (vec![plastic(3001, 2, "RPL", "INACTIVE"), plastic(3001, 3, "RPL", "INACTIVE")], "R13"),
        (vec![plastic(3001, 2, "RPL", "ACTIVE")], "R63"),
        (vec![plastic(3001, 2, "RPL", "LOCKED")], "R62"),
        (vec![plastic(3002, 2, "RPL", "ACTIVE")], "R68"),
    ] {
        let (life, ..) = two_cards();
        life.check_soundness();
        ledger::agrees(&life.bank, &life.book);
        statements.iter().for_each(|statement| sql(&life, statement));
        let sound = said(|| life.check_soundness());
        assert!(sound.starts_with(rule), "{rule}: {sound}");
        assert!(said(|| ledger::agrees(&life.bank, &life.book)).contains("found and demanded"), "{rule}");
    }
    // R64: activated as the rules have it, while an older one still waits for that.
    let (mut life, ..) = two_cards();
    sql(&life, &plastic(3002, 2, "RPL", "ACTIVE"));
    life.activated.insert((3002, 2));
    assert!(said(|| life.check_soundness()).starts_with("R64"));
}

#[test]
fn a_database_that_differs_from_the_book_is_told_of() {
    for statement in [
        "UPDATE plastic SET expiry = expiry + 1 WHERE card_id = 3001",
        "UPDATE plastic SET status = 'CLOSED' WHERE card_id = 3001",
        "UPDATE card_version SET data = json_set(data, '$.pinStatus', 'S') WHERE card_id = 3001",
        "UPDATE production_request SET state = 'OPEN', live = 1, file_id = NULL WHERE card_id = 3001",
        "DELETE FROM pin WHERE card_id = 3001",
    ] {
        let (life, ..) = two_cards();
        let before = life.everything();
        sql(&life, statement);
        assert!(before != life.everything(), "{statement}");
        assert!(said(|| ledger::agrees(&life.bank, &life.book)).contains("card 3001"), "{statement}");
    }
}

/// The same file looked at a second time: nothing of it may come again.
#[test]
fn a_file_that_comes_twice_is_told_of() {
    let (mut life, forecast, now) = two_cards();
    let mut archive = Archive::default();
    life.bank.look_again();
    archive.take(&mut life.bank, std::slice::from_ref(&forecast), now);
    for (rule, forget) in [
        ("R131", Box::new(|_: &mut Archive| {}) as Box<dyn Fn(&mut Archive)>),
        ("R130", Box::new(|archive: &mut Archive| archive.numbers.clear())),
        ("R3:", Box::new(|archive: &mut Archive| archive.record_uids.clear())),
    ] {
        forget(&mut archive);
        life.bank.look_again();
        let said = said(|| drop(archive.take(&mut life.bank, std::slice::from_ref(&forecast), now)));
        assert!(said.contains(rule), "{rule}: {said}");
        archive.numbers.clear();
    }
}

#[test]
fn a_file_that_is_not_as_the_rules_say_is_told_of() {
    let (mut life, forecast, now) = two_cards();
    let changed = |change: &dyn Fn(&mut crate::nights::Record)| {
        let mut forecast = forecast.clone();
        change(&mut forecast.records.values_mut().next().unwrap()[0]);
        forecast
    };
    let missing = Forecast { records: BTreeMap::new(), ..forecast.clone() };
    for other in [
        missing,
        changed(&|record| record.card = 3009),
        changed(&|record| record.number = 2),
        changed(&|record| record.event = "NLOST"),
        changed(&|record| record.expiry = record.expiry.later(1)),
        changed(&|record| record.pin = Pin::OnRecord("12345".to_owned())),
        changed(&|record| record.pin = Pin::None),
        changed(&|record| record.letter = None),
        changed(&|record| record.letter.as_mut().unwrap().0 = "COURIER"),
        changed(&|record| record.made.as_mut().unwrap().0 = "Åsa"),
        changed(&|record| record.made.as_mut().unwrap().1 = "Home 7".to_owned()),
    ] {
        life.bank.look_again();
        let _ = said(|| drop(Archive::default().take(&mut life.bank, std::slice::from_ref(&other), now)));
    }
    sql(&life, "DELETE FROM pin WHERE card_id = 3001");
    life.bank.look_again();
    let lost = said(|| drop(Archive::default().take(&mut life.bank, std::slice::from_ref(&forecast), now)));
    assert!(lost.contains("no PIN on record"), "{lost}");
}
