//! Killed while cards are renewed: between two pages, and behind the last one before anything is claimed (R112).

use emboss::fault::{ORDER, Point};
use rustix::process::Signal;
use serde_json::{Value, json};

use crate::books::Books;
use crate::orders::{WAITING, order_at};
use crate::process::Running;
use crate::site::{Database, Site};
use crate::support::trial::{Outcome, started};
use crate::whole::Opened;

pub(crate) const POINTS: [Point; 1] = [Point::Renewing];

/// The night after the one that makes the cards.
const NEXT: &str = "2026-02-22";
/// Cards that end in March, and one that ends in April: with 90 days both months are due, each a page of its own.
const MARCH: [u32; 2] = [3101, 3102];
const APRIL: u32 = 3103;
/// A virtual card that ends in April.
const VIRTUAL: u32 = 3104;

fn card(number: u32, product: &str, month: u32) -> Value {
    let ids = json!({"customerId": "1001", "accountId": "2001", "cardId": number.to_string(), "cardRole": "MAIN",
        "scheme": "VISA"});
    let mut body = json!({"productCode": product, "expiration": {"year": 2026, "month": month}});
    if product != "VISA_VIRTUAL" {
        body["embossing"] = json!({"firstName": "Monica", "lastName": "Liikamaa"});
    }
    order_at(number, "createCard", ids, body)
}

/// A site whose cards were made in the first night, and end soon in the second.
fn renewing(database: Database) -> Site {
    let site = Site::new(database);
    let product = "[[product]]\ninstitution = \"246001\"\ncode = \"VISA_VIRTUAL\"\nscheme = \"VISA\"\nform = \"virtual\"\n\
                   pan_prefixes = [\"40000098\"]\nmonths = 36\ncvv2_key = \"cvk2-1\"\n\n[[destination]]";
    site.configure("[[destination]]", product);
    import(&site, &[card(MARCH[0], "VISA_CARD", 3), card(MARCH[1], "VISA_CARD", 3), card(APRIL, "VISA_CARD", 4)]);
    site.resumes();
    import(&site, &[card(VIRTUAL, "VISA_VIRTUAL", 4)]);
    let house = "default_manufacturer = \"FACTORY_X\"";
    site.configure(house, &format!("{house}\nrenewal = true\nrenewal_days = 90"));
    site
}

fn import(site: &Site, orders: &[Value]) {
    let lines: String = orders.iter().map(|order| format!("{order}\n")).collect();
    Outcome::fed(&mut site.emboss(&["import", "-"]), lines.as_bytes()).exits(0);
}

/// The next night dies the first time it reaches the point.
fn dies(site: &Site) {
    let mut command = site.emboss(&["run", "--date", NEXT, "--json"]);
    Running::of(started(command.env(ORDER, format!("kill@{}", Point::Renewing.name())))).dies_by(Signal::KILL);
}

/// The second plastics there are, and how many were told.
fn renewed(books: &Books) -> (Vec<u32>, usize) {
    let ours = |card: &u32| (MARCH[0]..=VIRTUAL).contains(card);
    let second = books.plastics.keys().filter(|(card, number)| *number == 2 && ours(card));
    let told = books.events.iter().filter(|event| event.kind == "plastic.renewed").count();
    (second.map(|(card, _)| *card).collect(), told)
}

fn f01_killed_while_cards_are_renewed_each_gets_one_plastic(database: Database) {
    let site = renewing(database);
    dies(&site);
    let first_page = site.books();
    assert_eq!(renewed(&first_page), (MARCH.to_vec(), 2), "one page is durable, whole");
    assert_eq!(first_page.files.len(), 1, "nothing is claimed yet");
    dies(&site);
    let all: Vec<u32> = (MARCH[0]..=VIRTUAL).collect();
    assert_eq!(renewed(&site.books()), (all.clone(), 4), "the rest, and nobody twice");
    // Nothing is left to renew: behind the step.
    dies(&site);
    assert_eq!(renewed(&site.books()), (all.clone(), 4));
    assert_eq!(site.books().files.len(), 1, "nothing is claimed yet");

    let report = Outcome::of(&mut site.emboss(&["run", "--date", NEXT, "--json"])).exits(0).object();
    assert_eq!((&report["delivered"], &report["addsUp"]), (&3.into(), &true.into()), "{report}");
    assert_eq!(report["renewals"][0]["renewed"], json!({"RPL": 0, "RVRT": 0}), "earlier tries made them all: {report}");
    let books = site.books();
    assert_eq!(renewed(&books), (all.clone(), 4));
    for card in all {
        let status = [1, 2].map(|number| books.plastics[&(card, number)].as_str());
        assert_eq!(status, ["CLOSED", "ACTIVE"], "{card}");
        assert!(!books.plastics.contains_key(&(card, 3)), "{card}");
    }
    assert_eq!(books.plastics[&(WAITING, 1)], "INACTIVE");
    check_file(&site, &books);
}

/// The house has the three that are made, each with the PIN it had.
fn check_file(site: &Site, books: &Books) {
    let arrived = site.house.arrived();
    let [_, file] = &arrived[..] else { panic!("two files: {arrived:?}") };
    let records = Opened::of(file).records;
    let cards: Vec<String> = records.iter().map(|record| record.card_id.to_string()).collect();
    assert_eq!(cards, [MARCH[0], MARCH[1], APRIL].map(|card| card.to_string()), "never a virtual one");
    for record in records {
        assert_eq!((record.production_event.as_str(), record.sequence_number), ("RPL", 2));
        let expected = if record.card_id.to_string() == APRIL.to_string() { "2029-04" } else { "2029-03" };
        assert_eq!(record.expiry.to_string(), expected);
        let item = books.items.iter().find(|item| item.record_uid == record.record_uid).expect("an item");
        assert_eq!(item.pin.as_ref().expect("a PIN").version, 1, "the PIN stays (R112)");
        assert!(books.block_is_of(item, record.chip_pin.as_ref().expect("a PIN block")));
    }
}

crate::on_each_database!(f01_killed_while_cards_are_renewed_each_gets_one_plastic);
