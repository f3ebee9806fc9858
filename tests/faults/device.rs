//! Nights whose card secrets a payment HSM makes: whole, and losing it for good in the middle of the PINs and of the
//! records. What the house got is opened and counted again; which PIN the device made for whom, its own journal tells.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::books::Books;
use crate::hsm::configured::put_into;
use crate::hsm::faults::{Act, When};
use crate::hsm::lmk::Dialect;
use crate::hsm::{Hsm, Setup, account_of};
use crate::orders::WITH_PIN;
use crate::promise;
use crate::recount::recount;
use crate::site::{Database, Site, Special};
use crate::tree::Document;

/// Cards beside the few of every site.
const CROWD: u32 = 20;
/// All that get a PIN.
const PINS: usize = WITH_PIN.len() + CROWD as usize;
/// Verification values of a record with stripe and chip: CVV2, CVV and iCVV.
const CVVS: usize = 3;

/// How long an answer is waited for: long, so that a busy machine is no fault, except where one is to be found out.
const PATIENCE: &str = "timeout_ms = 10000";
const IMPATIENCE: &str = "timeout_ms = 500";

/// An installation with cards to be made, whose secrets a device computes. Each database with another kind of LMK.
fn with_device(database: Database) -> (Site, Hsm) {
    let dialect = if database == Database::Sqlite { Dialect::Variant } else { Dialect::KeyBlock };
    let (site, hsm) =
        (Site::with(database, Special { crowd: CROWD, ..Special::default() }), Hsm::start(&Setup::new(dialect)));
    site.configure("pin_storage_key = \"pin-1\"\n", "");
    put_into(&site.path(""), &[&hsm], &format!("connections = 4\n{PATIENCE}\nattempts = 2"));
    (site, hsm)
}

/// The stored PINs by recordUid.
fn stored(books: &Books) -> BTreeMap<String, Vec<u8>> {
    let items = books.items.iter();
    items.filter_map(|item| Some((item.record_uid.to_string(), item.pin.as_ref()?.stored.clone()))).collect()
}

/// The PIN of each account in a document, opened with the house's key and not by the device.
fn opened(document: &Document) -> BTreeMap<String, String> {
    let name = format!("{}.pgp", document.header.get("fileName").expect("a name"));
    let by_plastic = recount(document, &name, &mut Vec::new());
    let cards = document.cards.iter();
    let pin = |plastic: Option<&str>| by_plastic.get(plastic?).cloned();
    cards.filter_map(|card| Some((account_of(card.get("pan")?), pin(card.get("plasticId"))?))).collect()
}

/// A run that lost its device: exit 1 with the reason, the file as it was claimed, and nothing at the house.
#[track_caller]
fn stops(site: &Site, says: &[&str]) -> Books {
    let report = site.run().exits(1).object();
    let reason = report["agreements"][0]["reason"].as_str().expect("a reason").to_owned();
    assert!(reason.starts_with("CRYPTO_UNAVAILABLE: "), "{reason}");
    assert!(says.iter().all(|text| reason.contains(text)), "{says:?} is not in {reason}");
    assert_eq!(report["addsUp"], true, "{report}");
    let books = site.books();
    assert_eq!(books.file().state.as_str(), "CLAIMED");
    assert_eq!((site.spooled(), site.house.standing()), (Vec::new(), Vec::new()), "nothing leaves");
    books
}

/// The night ends well, and what arrived holds for each card the one PIN that the device made for it.
#[track_caller]
fn ends(site: &Site, hsm: &Hsm, what: &str) -> BTreeMap<String, String> {
    let report: Value = site.resumes();
    assert_eq!(
        (&report["crypto"], &report["delivered"]),
        (&"payshield".into(), &(PINS + 1).into()),
        "{what}: {report}"
    );
    // Opens each block, counts every CVV, PVV and track again, and asks the device whether the block is of the stored PIN.
    let pins = opened(&promise::check(site, &report, what));
    assert_eq!(pins.len(), PINS, "{what}");
    let made = hsm.made_by_account();
    for (account, pin) in &pins {
        assert!(made[account].contains(pin), "{what}: the PIN of {account} was made by the device");
    }
    assert_eq!(violations(hsm), [""; 0], "{what}");
    pins
}

/// What no client may do. Each program that ran numbers its headers from a beginning of its own.
fn violations(hsm: &Hsm) -> Vec<String> {
    let all = hsm.journal().violations().into_iter();
    all.filter(|violation| !violation.ends_with("has the header of an earlier one")).collect()
}

fn a_whole_night_with_a_device(database: Database) {
    let (site, hsm) = with_device(database);
    let pins = ends(&site, &hsm, "a whole night");
    for (account, made) in hsm.made_by_account() {
        assert_eq!(made.into_iter().collect::<Vec<_>>(), [pins[&account].as_str()], "R40: one PIN for {account}");
    }
    let journal = hsm.journal();
    let asked = ["JA", "DG", "JG", "CW"].map(|code| journal.of(code).len());
    // The card without a PIN has no chip: CVV2 and CVV.
    assert_eq!(asked, [PINS, PINS, PINS, CVVS * PINS + 2], "a command for each thing, and none twice");
    assert!(journal.most_open() <= 4 + 1, "connections = 4, and one of the test's own");
}

/// It dies at half of the PINs, comes back, dies at half of the records, and comes back.
fn r34_r40_a_device_that_dies_twice_gives_nobody_a_second_persisted_pin(database: Database) {
    let (site, hsm) = with_device(database);
    // Each connection begins with NC; then JA and DG for each PIN.
    hsm.die_after(4 + PINS as u64);
    let first = stored(&stops(&site, &[&format!(" of {PINS} PINs of file "), "run again to go on"]));
    assert!((1..PINS).contains(&first.len()), "{} PINs are kept", first.len());
    let asked = hsm.journal().pins_asked();
    let kept = kept_accounts(&site, &hsm);
    assert_eq!(kept.len(), first.len());

    hsm.heal();
    hsm.come_back();
    let left = PINS - first.len();
    hsm.die_after((4 + 2 * left + (1 + CVVS) * PINS / 2) as u64);
    let second = stored(&stops(&site, &["Nothing of this file was sent", "run again to go on"]));
    assert!((1..PINS).contains(&hsm.journal().of("JG").len()), "in the middle of the records");
    assert_eq!(second.len(), PINS, "every PIN is kept");
    assert!(first.iter().all(|(uid, pin)| second[uid] == *pin), "R40: the first persisted PIN wins");
    let now = hsm.journal().pins_asked();
    for account in kept.keys() {
        assert_eq!(now[account], asked[account], "R40: nobody asked for another PIN of {account}");
    }

    let kept = kept_accounts(&site, &hsm);
    let asked = now;
    hsm.heal();
    hsm.come_back();
    let pins = ends(&site, &hsm, "a device that died twice");
    assert_eq!(stored(&site.books()), second, "R40");
    assert_eq!(pins, kept, "the house has what was persisted first");
    assert_eq!(hsm.journal().pins_asked(), asked, "and no other was made");
}

/// The PIN on record of each account, read inside the device.
fn kept_accounts(site: &Site, hsm: &Hsm) -> BTreeMap<String, String> {
    let pins = site.books().stored_pins();
    let clear = |pan: &str, stored: &[u8]| hsm.clear_pin(pan, stored).expect("a PIN of that card under this LMK");
    pins.into_iter().map(|(pan, stored)| (account_of(&pan), clear(&pan, &stored))).collect()
}

/// Whatever else becomes of a device: the run ends, keeps what it has, and goes on when the device is well.
fn r34_a_device_that_stalls_or_refuses_ends_the_run_and_running_again_goes_on(database: Database) {
    for (command, act) in [
        ("JA", Act::Stall),
        ("JA", Act::Error("10")),
        ("DG", Act::Error("41")),
        ("JG", Act::Stall),
        ("CW", Act::WrongHeader),
    ] {
        let (site, hsm) = with_device(database);
        let what = format!("{command} {act:?}");
        site.configure(PATIENCE, IMPATIENCE);
        hsm.fail(When::command(command).after(PINS as u64 / 2), act);
        let first = stored(&stops(&site, &["run again to go on"]));
        let expected = if matches!(command, "JA" | "DG") { 1..PINS } else { PINS..PINS + 1 };
        assert!(expected.contains(&first.len()), "{what}: {} PINs are kept", first.len());
        hsm.heal();
        site.configure(IMPATIENCE, PATIENCE);
        ends(&site, &hsm, &what);
        let last = stored(&site.books());
        assert!(first.iter().all(|(uid, pin)| last[uid] == *pin), "{what}: R40");
    }
}

/// Things go wrong by chance, and runs are repeated until one ends well: never another card's PIN.
fn r40_a_device_at_its_worst_gives_each_card_its_own_pin(database: Database) {
    let (site, hsm) = with_device(database);
    site.configure(&format!("{PATIENCE}\nattempts = 2"), &format!("{IMPATIENCE}\nattempts = 4"));
    let acts = [Act::Reset(0), Act::Reset(9), Act::Late, Act::Crossed, Act::WrongHeader, Act::Twice, Act::Split];
    hsm.fail_by_chance(20_261_122, &acts.map(|act| (25, act)));
    let mut known = BTreeMap::new();
    for _ in 0..10 {
        if site.run().code == Some(0) {
            break;
        }
        let now = stored(&site.books());
        assert!(known.iter().all(|(uid, pin)| now.get(uid) == Some(pin)), "R40");
        known = now;
    }
    hsm.heal();
    site.configure(IMPATIENCE, PATIENCE);
    let report = site.resumes();
    let document = promise::check_the_night(&site, "a device at its worst");
    assert_eq!(report["addsUp"], true);
    assert_eq!(opened(&document), kept_accounts(&site, &hsm), "each its own");
    assert_eq!(violations(&hsm), [""; 0]);
    let went_wrong = hsm.journal().entries().iter().filter(|entry| entry.act.is_some()).count();
    assert!(went_wrong > PINS / 2, "{went_wrong} commands went wrong");
}

crate::on_each_database!(
    a_whole_night_with_a_device,
    r34_r40_a_device_that_dies_twice_gives_nobody_a_second_persisted_pin,
    r34_a_device_that_stalls_or_refuses_ends_the_run_and_running_again_goes_on,
    r40_a_device_at_its_worst_gives_each_card_its_own_pin,
);
